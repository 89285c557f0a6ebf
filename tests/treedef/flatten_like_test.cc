// Flattening a model with a given TreeDef, and the errors of models that do not fit.
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/treedef/bind/flatten.h"

#include "tests/core/random_keys.h"
#include "tests/core/status_matchers.h"
#include "tests/treedef/model_testing.h"
#include "tests/treedef/random_tree.h"

namespace leafstore::flatten_like_test {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StrEq;

auto Invalid(const std::string& message) {
  return StatusIs(absl::StatusCode::kInvalidArgument, StrEq(message));
}

// Follows the structure of `expected` with `found`, passed as an rvalue, which an error must leave
// unchanged.
absl::Status Follow(const Tree& expected, Tree found) {
  const TreeDef def = FlattenTree(expected).value().def;
  const FlatTree before = FlattenTree(found).value();
  const absl::Status status = FlattenTreeLike(def, std::move(found)).status();
  if (!status.ok()) {
    const FlatTree after = FlattenTree(found).value();
    EXPECT_EQ(after.def, before.def) << status;
    EXPECT_EQ(after.leaves, before.leaves) << status;
  }
  return status;
}

Tree Leaf1() { return Tree(Scalar(1)); }

TEST(FlattenLikeTest, SameStructure_ReturnsLeavesInItsOrder) {
  struct Linear {
    Tensor weight, bias;
    LEAFSTORE_FIELDS(weight, bias)
  };
  const TreeDef def = FlattenTree(std::vector<Linear>{{Scalar(1), Scalar(2)}}).value().def;
  std::vector<Linear> gradients = {{Scalar(10), Scalar(20)}};
  const std::vector<Leaf> leaves = FlattenTreeLike(def, std::move(gradients)).value();
  ASSERT_EQ(leaves.size(), 2u);
  EXPECT_EQ(NumberOf(leaves[0].tensor()), 20);
  EXPECT_EQ(NumberOf(leaves[1].tensor()), 10);
  EXPECT_TRUE(gradients[0].weight.null()) << "moved, not copied";
}

// The fields of a struct of tensors are compared all at once; on a mismatch, one by one for the
// error.
TEST(FlattenLikeTest, StructOfTensors_MatchesOrReportsWhyNot) {
  struct Linear {
    Tensor weight, bias;
    LEAFSTORE_FIELDS(weight, bias)
  };
  const auto like = [](Tree weight, Tree bias) {
    Tree tree = Tree::Struct().With("weight", std::move(weight)).With("bias", std::move(bias));
    return FlattenTree(tree).value().def;
  };
  const TreeDef def = like(Leaf1(), Leaf1());
  const Linear constant = {Scalar(1), Scalar(2)};
  EXPECT_EQ(NumberOf(FlattenTreeLike(def, constant).value()[0].tensor()), 2);
  Linear model = {Scalar(1), Scalar(2)};
  EXPECT_EQ(NumberOf(FlattenTreeLike(def, model).value()[1].tensor()), 1);
  EXPECT_FALSE(model.weight.null()) << "copied";

  EXPECT_THAT(FlattenTreeLike(def, Linear{Scalar(1), Tensor()}).status(),
              Invalid("at .bias: expected a leaf, found null: it was never given a value, or was "
                      "moved from"));
  EXPECT_THAT(FlattenTreeLike(like(Leaf1(), Tree::List()), std::move(model)).status(),
              Invalid("at .bias: expected list of 0, found leaf"));
  EXPECT_THAT(FlattenTreeLike(like(Tree::List().Add(Leaf1()), Leaf1()), std::move(model)).status(),
              Invalid("at .weight: expected list of 1, found leaf"));
  EXPECT_THAT(FlattenTreeLike(like(Tree::None(), Leaf1()), std::move(model)).status(),
              Invalid("at .weight: expected none, found leaf"));
  EXPECT_FALSE(model.weight.null() || model.bias.null()) << "nothing was taken";
}

TEST(FlattenLikeTest, TreeAndStruct_MatchEachOther) {
  struct Linear {
    Tensor weight = Scalar(1), bias = Scalar(2);
    LEAFSTORE_FIELDS(weight, bias)
    LEAFSTORE_TYPE_NAME("Linear")
  };
  const Tree tree = Tree::Struct("Other").With("weight", Scalar(3)).With("bias", Scalar(4));
  EXPECT_THAT(FlattenTreeLike(FlattenTree(Linear()).value().def, tree), IsOk());
  EXPECT_THAT(FlattenTreeLike(FlattenTree(tree).value().def, Linear()), IsOk());
}

TEST(FlattenLikeTest, TagsAndTypeNames_MayDiffer) {
  EXPECT_THAT(Follow(Tree::Struct("A").With("a", Leaf1().Tag("x")),
                     Tree::Struct("B").With("a", Leaf1().Tag("y")).Tag("z")),
              IsOk());
}

TEST(FlattenLikeTest, AnotherKind_IsAnError) {
  const Tree leaf = Leaf1();
  const Tree list = Tree::List().Add(Leaf1());
  EXPECT_THAT(Follow(leaf, Tree::None()), Invalid("at (root): expected leaf, found none"));
  EXPECT_THAT(Follow(leaf, Tree::Dict()), Invalid("at (root): expected leaf, found dict"));
  EXPECT_THAT(Follow(list, Tree::Tuple().Add(Leaf1())),
              Invalid("at (root): expected list of 1, found tuple"));
  EXPECT_THAT(Follow(list, Tree::List().Add(Tree::List())),
              Invalid("at [0]: expected leaf, found list"));
  EXPECT_THAT(Follow(Tree::Dict().With("a", Tree::None()), Tree::Dict().With("a", Leaf1())),
              Invalid("at ['a']: expected none, found leaf"));
  EXPECT_THAT(Follow(Tree::Custom("Ring").Add(Leaf1()), Tree::Struct().With("a", Leaf1())),
              Invalid("at (root): expected custom of 1, found struct"));
}

TEST(FlattenLikeTest, AnotherKey_IsAnError) {
  const Tree dict = Tree::Dict().With("a", Leaf1()).With("b", Leaf1());
  EXPECT_THAT(Follow(dict, Tree::Dict().With("a", Leaf1()).With("c", Leaf1())),
              Invalid("at ['b']: expected leaf, found leaf at ['c']"));
  EXPECT_THAT(Follow(dict, Tree::Dict().With(1, Leaf1()).With(2, Leaf1())),
              Invalid("at ['a']: expected leaf, found leaf at [1]"));
  EXPECT_THAT(Follow(Tree::Dict().With(1, Leaf1()), Tree::Dict().With(2, Leaf1())),
              Invalid("at [1]: expected leaf, found leaf at [2]"));
  EXPECT_THAT(Follow(Tree::List().Add(Tree::Struct().With("a", Tree::List())),
                     Tree::List().Add(Tree::Struct().With("b", Tree::List()))),
              Invalid("at [0].a: expected list of 0, found list at [0].b"));
}

TEST(FlattenLikeTest, KeyThatIsNotUtf8_IsAnError) {
  const TreeDef def = FlattenTree(Tree::Dict().With("a", Value(1))).value().def;
  const absl::Status status =
      FlattenTreeLike(def, std::map<std::string, int>{{"\xff", 1}}).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument,
                               HasSubstr("at ['a']: expected leaf, found leaf at [")));
  EXPECT_EQ(status.message().find('\xff'), absl::string_view::npos);
}

TEST(FlattenLikeTest, TooFewChildren_IsAnError) {
  EXPECT_THAT(Follow(Tree::List().Add(Leaf1()).Add(Leaf1()), Tree::List().Add(Leaf1())),
              Invalid("at [1]: expected leaf, found the end of its list"));
  EXPECT_THAT(Follow(Tree::Dict().With("a", Tree::Dict().With("b", Tree::List())),
                     Tree::Dict().With("a", Tree::Dict())),
              Invalid("at ['a']['b']: expected list of 0, found the end of its dict"));
}

TEST(FlattenLikeTest, TooManyChildren_IsAnError) {
  EXPECT_THAT(Follow(Tree::List().Add(Leaf1()), Tree::List().Add(Leaf1()).Add(Leaf1())),
              Invalid("at [1]: expected the end of list of 1, found leaf"));
  EXPECT_THAT(Follow(Tree::Dict().With("a", Leaf1()),
                     Tree::Dict().With("a", Leaf1()).With("b", Tree::List())),
              Invalid("at ['b']: expected the end of dict of 1, found list"));
  // The end is found although the next node has the same kind.
  EXPECT_THAT(Follow(Tree::List().Add(Tree::List().Add(Leaf1())).Add(Leaf1()),
                     Tree::List().Add(Tree::List().Add(Leaf1()).Add(Leaf1())).Add(Leaf1())),
              Invalid("at [0][1]: expected the end of list of 1, found leaf"));
}

TEST(FlattenLikeTest, AnotherTie_IsAnError) {
  const auto tied = [](int first, int second) {
    const auto a = std::make_shared<Tree>(Scalar(1)), b = std::make_shared<Tree>(Scalar(2));
    const std::shared_ptr<Tree> node[] = {a, b, nullptr};
    Tree list = Tree::List().Add(Tree::Shared(a)).Add(Tree::Shared(b));
    for (const int i : {first, second}) {
      list.Add(i < 2 ? Tree::Shared(node[i]) : Leaf1());
    }
    return list;
  };
  EXPECT_THAT(Follow(tied(0, 1), tied(0, 1)), IsOk());
  EXPECT_THAT(Follow(tied(0, 1), tied(1, 0)),
              Invalid("at [2]: expected alias of [0], found alias of [1]"));
  EXPECT_THAT(Follow(tied(0, 1), tied(0, 2)), Invalid("at [3]: expected alias of [1], found leaf"));
  EXPECT_THAT(Follow(tied(0, 2), tied(0, 0)), Invalid("at [3]: expected leaf, found alias of [0]"));
  const auto node = std::make_shared<Tree>(Scalar(1));
  EXPECT_THAT(Follow(Tree::List().Add(Leaf1()),
                     Tree::List().Add(Tree::Shared(node)).Add(Tree::Shared(node))),
              Invalid("at [1]: expected the end of list of 1, found alias of [0]"));
}

TEST(FlattenLikeTest, MismatchAtTheEndOfALargeModel_IsAnError) {
  Tree expected = Tree::List();
  Tree found = Tree::List();
  for (int i = 0; i < 1000; ++i) {
    expected.Add(Tree::Dict().With("w", Leaf1()));
    found.Add(Tree::Dict().With(i == 999 ? "v" : "w", Leaf1()));
  }
  EXPECT_THAT(Follow(expected, std::move(found)),
              Invalid("at [999]['w']: expected leaf, found leaf at [999]['v']"));
}

TEST(FlattenLikeTest, NullTensor_IsAnErrorWithItsPath) {
  struct Pair {
    Tensor a = Scalar(1), b = Scalar(2);
    LEAFSTORE_FIELDS(a, b)
  };
  const TreeDef def = FlattenTree(std::vector<Pair>(2)).value().def;
  std::vector<Pair> model(2);
  model[1].b = Tensor();
  EXPECT_THAT(FlattenTreeLike(def, std::move(model)),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("at [1].b: expected a leaf, found null")));
  EXPECT_FALSE(model[0].a.null());
}

TEST(FlattenLikeTest, RandomTree_MatchesOnlyItself) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    Tree a = RandomTree(random, 20).Make();
    Tree b = RandomTree(random, 20).Make();
    const FlatTree flat = FlattenTree(a).value();
    const FlatTree other = FlattenTree(b).value();
    EXPECT_EQ(FlattenTreeLike(flat.def, a).value(), flat.leaves);
    const absl::StatusOr<std::vector<Leaf>> followed = FlattenTreeLike(flat.def, std::move(b));
    EXPECT_EQ(FlattenTreeLike(flat.def, std::move(a)).value(), flat.leaves);
    if (followed.ok()) {
      EXPECT_EQ(other.leaves, *followed) << "the same but for tags and type names";
      EXPECT_EQ(other.def.node_count(), flat.def.node_count());
    } else {
      EXPECT_THAT(followed, StatusIs(absl::StatusCode::kInvalidArgument,
                                     testing::ContainsRegex("^at .*: expected .*, found ")));
      EXPECT_EQ(FlattenTree(b).value().leaves, other.leaves);
    }
  }
}

}  // namespace
}  // namespace leafstore::flatten_like_test
