#include "leafstore/treedef/bind/flatten.h"

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/treedef/internal/path_table.h"

#include "tests/core/random_keys.h"
#include "tests/core/status_matchers.h"
#include "tests/treedef/model_testing.h"
#include "tests/treedef/random_tree.h"

namespace leafstore {

// A type whose conversion to a leaf can fail.
struct Moody {
  bool fails = false;
};
template <>
struct LeafTraits<Moody> {
  static absl::StatusOr<Leaf> ToLeaf(const Moody& moody) {
    if (moody.fails) return absl::UnavailableError("not today");
    return Leaf(Value("moody"));
  }
  static absl::Status FromLeaf(const Leaf&, Moody*) { return absl::OkStatus(); }
};

namespace flatten_test {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StrEq;

struct Linear {
  Tensor weight = Scalar(1), bias = Scalar(2);
  LEAFSTORE_FIELDS(weight, bias)
};

// A model with tensors in every kind of member from which flattening moves them.
struct Model {
  Tensor a = Scalar(1);
  std::vector<Linear> b = std::vector<Linear>(2);
  std::map<std::string, Tensor> c = {{"x", Scalar(3)}};
  std::unordered_map<int, Tensor> d = {{1, Scalar(4)}};
  std::unique_ptr<Linear> e = std::make_unique<Linear>();
  std::optional<Tensor> f = Scalar(5);
  std::shared_ptr<Linear> g = std::make_shared<Linear>(), h = g;
  std::pair<Leaf, std::tuple<Tensor>> i = {Scalar(6), Scalar(7)};
  std::array<Tensor, 1> j = {Scalar(8)};
  Tree k = Tree::Dict()
               .With("l", Tree::List().Add(Scalar(9)))
               .With("s", Tree::Shared(std::make_shared<Tree>(Scalar(10))))
               .With("t", Tree(Scalar(11)).Tag("decay"));
  std::string l = "static";
  Moody moody;
  LEAFSTORE_FIELDS(a, b, c, d, e, f, g, h, i, j, k, l, moody)
};

// Returns which tensors of a model are null, in order.
std::vector<bool> Nulls(const Model& m) {
  const Tree& s = *m.k.Find("s")->shared();
  return {m.a.null(),         m.b[0].weight.null(),
          m.b[1].bias.null(), m.c.at("x").null(),
          m.d.at(1).null(),   m.e->weight.null(),
          m.f->null(),        m.g->bias.null(),
          m.i.first.null(),   std::get<0>(m.i.second).null(),
          m.j[0].null(),      m.k.Find("l")->items()[0].leaf().null(),
          s.leaf().null(),    m.k.Find("t")->leaf().null()};
}

TEST(FlattenTest, Leaves_AreInTheOrderOfTheTreeDef) {
  const FlatTree flat =
      FlattenTree(Tree::Dict()
                      .With("b", Tree::List().Add(Value(2)).Add(Value(3)))
                      .With("a", Value(1))
                      .With("c", Tree::Struct().With("z", Value(5)).With("y", Value(4))))
          .value();
  EXPECT_THAT(Lines(flat), ElementsAre("['a'] = 1", "['b'][0] = 2", "['b'][1] = 3", "['c'].y = 4",
                                       "['c'].z = 5"));
}

TEST(FlattenTest, Root_MayBeOfAnyKind) {
  EXPECT_THAT(LinesOf(Scalar(1)), ElementsAre("(root) = tensor 1"));
  EXPECT_THAT(LinesOf(5), ElementsAre("(root) = 5"));
  EXPECT_THAT(LinesOf(std::vector<int>{7, 8}), ElementsAre("[0] = 7", "[1] = 8"));
  EXPECT_THAT(LinesOf(Tree()), ElementsAre());
}

TEST(FlattenTest, ConstModel_SharesItsBytes) {
  Model model;
  const float* const data = model.a.span<float>().data();
  const FlatTree flat = FlattenTree(model).value();
  EXPECT_THAT(Nulls(model), Each(false));
  EXPECT_EQ(flat.leaves[0].tensor().span<float>().data(), data);
  EXPECT_TRUE(flat.leaves[0].tensor().SharesBytesWith(model.a));
}

TEST(FlattenTest, RvalueModel_IsMovedOutOfAllItsParts) {
  Model model;
  const FlatTree kept = FlattenTree(model).value();
  const std::shared_ptr<Linear> shared = model.g;
  const std::byte* const data = shared->bias.raw_data();
  FlatTree flat = FlattenTree(std::move(model)).value();
  EXPECT_EQ(flat.def, kept.def);
  EXPECT_EQ(flat.leaves, kept.leaves);
  EXPECT_THAT(Nulls(model), Each(true));
  EXPECT_EQ(model.l, "static") << "only tensors are moved";
  const uint32_t bias = flat.def.leaf_begin(flat.def.Find(".g.bias").value());
  EXPECT_EQ(flat.leaves[bias].tensor().raw_data(), data);
}

TEST(FlattenTest, RvalueModel_ItsTensorsAreMutatedInPlace) {
  Model model;
  FlatTree flat = FlattenTree(std::move(model)).value();
  for (Leaf& leaf : flat.leaves) {
    if (!leaf.is_tensor()) continue;
    Tensor& tensor = leaf.mutable_tensor();
    const std::byte* const before = tensor.raw_data();
    EXPECT_EQ(tensor.Mutate().value().raw_data(), before) << "no clone: nothing else holds it";
  }
}

TEST(FlattenTest, RvalueTree_HasNoneInPlaceOfItsTensors) {
  Tree tree = Tree::List().Add(Scalar(1)).Add(Tree(Scalar(2)).Tag("decay")).Add(Value(3));
  ASSERT_THAT(FlattenTree(std::move(tree)), IsOk());
  EXPECT_EQ(Structure(tree),
            "list of 3, 1 leaf\n  [0]: none\n  [1]: none, tag decay\n  [2]: leaf\n");
}

// Returns trees that differ in every property of a node.
std::vector<Tree> UnlikeTrees() {
  auto shared = std::make_shared<Tree>(Tree::Dict().With("w", Scalar(7)));
  auto scalar = std::make_shared<Tree>(Scalar(16));
  std::vector<Tree> trees;
  trees.push_back(Tree(Scalar(1)));
  trees.push_back(Tree(Scalar(1)).Tag("decay"));
  trees.push_back(Tree::None());
  trees.push_back(Tree::Dict());
  trees.push_back(Tree::Dict().With("a", Scalar(1)).With("c", Scalar(2)).With("e", Scalar(3)));
  trees.push_back(Tree::Dict().With("a", Scalar(4)).With("b", Scalar(5)).With("e", Value("x")));
  trees.push_back(Tree::Dict().With("b", Scalar(6)).Tag("decay"));
  trees.push_back(Tree::Dict().With(1, Scalar(7)).With(2, Tree::List().Add(Scalar(8))));
  trees.push_back(Tree::Struct("Mlp").With("a", Scalar(9)));
  trees.push_back(Tree::Struct("Cnn").With("a", Tree::Dict().With("a", Scalar(10))));
  trees.push_back(Tree::List().Add(Scalar(11)).Add(Tree::None()).Add(Scalar(12)));
  trees.push_back(Tree::List().Add(Tree::Tuple().Add(Scalar(13))));
  trees.push_back(Tree::Custom("Pair").Add(Scalar(14)).Add(Scalar(15)));
  trees.push_back(Tree::Dict().With("a", Tree::Shared(shared)).With("b", Tree::Shared(shared)));
  trees.push_back(Tree::Dict().With("a", Tree::Shared(scalar)).With("c", Tree::Shared(scalar)));
  return trees;
}

TEST(FlattenTest, Unflatten_IntoAnyTree_ReplacesItsStructure) {
  for (const Tree& wanted : UnlikeTrees()) {
    const FlatTree flat = FlattenTree(wanted).value();
    Tree fresh;
    ASSERT_THAT(UnflattenTree(flat.def, flat.leaves, &fresh), IsOk());
    for (Tree& before : UnlikeTrees()) {
      SCOPED_TRACE(Structure(before) + "becomes\n" + Structure(wanted));
      ASSERT_THAT(UnflattenTree(flat.def, flat.leaves, &before), IsOk());
      const FlatTree back = FlattenTree(before).value();
      EXPECT_EQ(back.def, flat.def);
      EXPECT_EQ(back.leaves, flat.leaves);
      EXPECT_EQ(Structure(before), Structure(fresh));
    }
  }
}

TEST(FlattenTest, Unflatten_IntoATreeOfTheSameStructure_WritesInPlace) {
  Tree tree = Tree::Dict()
                  .With("a", Tree::List().Add(Scalar(1)).Add(Scalar(2)))
                  .With("b", Tree::Dict().With("x", Scalar(3)));
  const FlatTree flat = FlattenTree(tree).value();
  const Tree* const item = tree.Find("a")->MutableItem(1);
  const Tree* const entry = tree.Find("b")->Find("x");
  const std::vector<Leaf> others = {Scalar(4), Scalar(5), Scalar(6)};
  ASSERT_THAT(UnflattenTree(flat.def, others, &tree), IsOk());
  EXPECT_EQ(tree.Find("a")->MutableItem(1), item);
  EXPECT_EQ(tree.Find("b")->Find("x"), entry);
  EXPECT_EQ(FlattenTree(tree).value().leaves, others);
}

TEST(FlattenTest, Unflatten_ObjectsSharedWithOthers_AreNotWritten) {
  auto shared = std::make_shared<Tree>(Tree::Dict().With("w", Scalar(7)));
  Tree tree = Tree::Dict().With("a", Tree::Shared(shared)).With("b", Tree::Shared(shared));
  const FlatTree flat = FlattenTree(tree).value();
  ASSERT_THAT(UnflattenTree(flat.def, std::vector<Leaf>{Scalar(8)}, &tree), IsOk());
  EXPECT_EQ(shared->Find("w")->leaf(), Leaf(Scalar(7)));
  EXPECT_EQ(tree.Find("a")->Find("w")->leaf(), Leaf(Scalar(8)));
  EXPECT_EQ(tree.Find("a")->Find("w"), tree.Find("b")->Find("w"));
}

TEST(FlattenTest, ConstRvalueModel_IsCopied) {
  const Model model;
  EXPECT_THAT(FlattenTree(std::move(model)), IsOk());
  EXPECT_THAT(Nulls(model), Each(false));
}

TEST(FlattenTest, Failure_LeavesTheModelUnchanged) {
  Model model;
  const FlatTree before = FlattenTree(model).value();
  const auto expect_unchanged = [&] {
    EXPECT_THAT(Nulls(model), Each(false));
    EXPECT_EQ(FlattenTree(model).value().leaves, before.leaves);
  };

  model.moody.fails = true;  // after all tensors
  EXPECT_THAT(FlattenTree(std::move(model)),
              StatusIs(absl::StatusCode::kUnavailable, StrEq("at .moody: not today")));
  EXPECT_THAT(FlattenTreeLike(before.def, std::move(model)),
              StatusIs(absl::StatusCode::kUnavailable, StrEq("at .moody: not today")));
  model.moody.fails = false;
  expect_unchanged();

  model.k.With("z", Tree::List().With("of", Tree::None()));
  EXPECT_THAT(FlattenTree(std::move(model)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at .k['z']: ")));
  EXPECT_THAT(FlattenTreeLike(before.def, std::move(model)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at .k['z']: ")));
  model.k.With("z", Value(1));
  EXPECT_THAT(FlattenTreeLike(before.def, std::move(model)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at .k['z']: ")));
  EXPECT_THAT(Nulls(model), Each(false));
}

TEST(FlattenTest, InvalidTree_IsAnErrorWithItsPath) {
  const auto invalid = [](const char* message) {
    return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(message));
  };
  EXPECT_THAT(FlattenTree(Tree::List().Add(Tree::Dict().With("a", Value(1)).With(1, Value(2)))),
              invalid("at [0]: expected an item, as for the other children of this dict, found "
                      "index [1]"));
  EXPECT_THAT(FlattenTree(Tree::Struct().With(1, Value(2))), invalid("expected an attribute"));
  EXPECT_THAT(FlattenTree(Tree::Custom("")), invalid("expected a type name"));
  EXPECT_THAT(FlattenTree(Tree::Dict().With("\xff", Value(2))), invalid("UTF-8"));
  EXPECT_THAT(FlattenTree(Tree(Value(2)).Tag("")), invalid("expected a tag that is not empty"));
}

TEST(FlattenTest, EqualModels_ShareOneTreeDef) {
  const FlatTree a = FlattenTree(Model()).value();
  const FlatTree b = FlattenTree(Model()).value();
  EXPECT_EQ(a.def, b.def);
  EXPECT_EQ(internal::PathsOf(a.def).value(), internal::PathsOf(b.def).value())
      << "one object: paths are made once";
}

TEST(FlattenTest, RandomTrees_RoundTrip) {
  for (uint64_t seed = 0; seed < 500; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    Tree tree = RandomTree(random, 80).Make();
    const FlatTree flat = FlattenTree(tree).value();
    Tree back;
    ASSERT_THAT(UnflattenTree(flat.def, flat.leaves, &back), IsOk());
    const FlatTree again = FlattenTree(back).value();
    ASSERT_EQ(again.def, flat.def);
    ASSERT_EQ(again.leaves, flat.leaves);

    ASSERT_EQ(FlattenTreeLike(flat.def, tree).value(), flat.leaves);
    const FlatTree given = FlattenTree(std::move(tree)).value();
    ASSERT_EQ(given.def, flat.def);
    ASSERT_EQ(given.leaves, flat.leaves);
  }
}

}  // namespace
}  // namespace flatten_test
}  // namespace leafstore
