// An object at two places: it becomes an alias, is saved once, and is one object after
// unflattening.
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/treedef/bind/flatten.h"
#include "leafstore/treedef/print.h"

#include "tests/core/status_matchers.h"
#include "tests/treedef/model_testing.h"

namespace leafstore::ties_test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StrEq;

struct Linear {
  Tensor weight = Scalar(1), bias = Scalar(2);
  LEAFSTORE_FIELDS(weight, bias)
};

struct Coder {
  std::shared_ptr<Tensor> in = std::make_shared<Tensor>(Scalar(1)), out = in;
  LEAFSTORE_FIELDS(in, out)
};

auto Invalid(const std::string& message) {
  return StatusIs(absl::StatusCode::kInvalidArgument, StrEq(message));
}

// ---- pointers ----

TEST(TiesTest, PointerThatOccursTwice_IsALeafAndAnAlias) {
  const Coder coder;
  const FlatTree flat = FlattenTree(coder).value();
  EXPECT_EQ(PrintTreeDef(flat.def),
            "struct, 1 leaf\n"
            "  .in: leaf\n"
            "  .out: alias of .in\n");
  EXPECT_THAT(Lines(flat), ElementsAre(".in = tensor 1"));
}

TEST(TiesTest, Unflatten_RestoresIdentityAndLeavesTheOldObjectUnchanged) {
  const FlatTree flat = FlattenTree(Coder()).value();
  Coder back;
  const std::shared_ptr<Tensor> old = back.in;
  back.out = std::make_shared<Tensor>(Scalar(9));
  ASSERT_THAT(UnflattenTree(flat.def, std::vector<Leaf>{Scalar(5)}, &back), IsOk());
  EXPECT_EQ(back.in, back.out);
  EXPECT_EQ(NumberOf(*back.in), 5);
  EXPECT_EQ(NumberOf(*old), 1) << "who else held it did not ask for other numbers";
}

TEST(TiesTest, Structs_MayBeTied) {
  struct Model {
    std::vector<std::shared_ptr<Linear>> layers;
    std::map<std::string, std::shared_ptr<Linear>> by_name;
    std::shared_ptr<Linear> apart = std::make_shared<Linear>();
    LEAFSTORE_FIELDS(layers, by_name, apart)
  };
  Model model;
  const auto a = std::make_shared<Linear>(), b = std::make_shared<Linear>();
  model.layers = {a, b, a};
  model.by_name = {{"a", a}, {"b", b}};
  const FlatTree flat = FlattenTree(model).value();
  EXPECT_EQ(PrintTreeDef(flat.def),
            "struct, 6 leaves\n"
            "  .apart: struct\n"
            "    .bias: leaf\n"
            "    .weight: leaf\n"
            "  .by_name: dict of 2\n"
            "    ['a']: struct\n"
            "      .bias: leaf\n"
            "      .weight: leaf\n"
            "    ['b']: struct\n"
            "      .bias: leaf\n"
            "      .weight: leaf\n"
            "  .layers: list of 3\n"
            "    [0]: alias of .by_name['a']\n"
            "    [1]: alias of .by_name['b']\n"
            "    [2]: alias of .by_name['a']\n");
  Model back;
  ASSERT_THAT(UnflattenTree(flat.def, flat.leaves, &back), IsOk());
  EXPECT_EQ(back.layers[0], back.layers[2]);
  EXPECT_EQ(back.layers[0], back.by_name["a"]);
  EXPECT_EQ(back.layers[1], back.by_name["b"]);
  EXPECT_NE(back.layers[0], back.layers[1]);
  EXPECT_NE(back.layers[0], a);
}

TEST(TiesTest, EqualObjects_AreNotTied) {
  struct Model {
    std::shared_ptr<Linear> a = std::make_shared<Linear>(), b = std::make_shared<Linear>(*a);
    LEAFSTORE_FIELDS(a, b)
  };
  EXPECT_EQ(FlattenTree(Model()).value().leaves.size(), 4u);
}

// A struct and its first member have one address.
struct Overlap {
  std::shared_ptr<Linear> linear = std::make_shared<Linear>();
  std::shared_ptr<Tensor> weight = {linear, &linear->weight};
  LEAFSTORE_FIELDS(linear, weight)
};

TEST(TiesTest, TwoTypesAtOneAddress_AreNotTied) {
  const FlatTree flat = FlattenTree(Overlap()).value();
  EXPECT_FALSE(flat.def.has_aliases());
  EXPECT_THAT(Lines(flat), ElementsAre(".linear.bias = tensor 2", ".linear.weight = tensor 1",
                                       ".weight = tensor 1"));
}

TEST(TiesTest, TensorThatOccursTwiceWithoutATie_IsMovedOnceAndCopiedOnce) {
  Overlap model;
  const FlatTree flat = FlattenTree(std::move(model)).value();
  EXPECT_THAT(Lines(flat), ElementsAre(".linear.bias = tensor 2", ".linear.weight = tensor 1",
                                       ".weight = tensor 1"));
  EXPECT_TRUE(flat.leaves[1].tensor().SharesBytesWith(flat.leaves[2].tensor()));
  EXPECT_TRUE(model.linear->weight.null());
}

TEST(TiesTest, PointersToConstAndNonConst_AreTied) {
  struct Model {
    std::shared_ptr<Linear> a = std::make_shared<Linear>();
    std::shared_ptr<const Linear> b = a;
    LEAFSTORE_FIELDS(a, b)
  };
  const FlatTree flat = FlattenTree(Model()).value();
  EXPECT_EQ(flat.leaves.size(), 2u);
  Model back;
  back.b = nullptr;
  ASSERT_THAT(UnflattenTree(flat.def, flat.leaves, &back), IsOk());
  EXPECT_EQ(back.a, back.b);
}

TEST(TiesTest, NullPointers_AreNotTiedButEmptyObjectsAre) {
  using Maybe = std::shared_ptr<std::optional<int>>;
  using Model = std::vector<Maybe>;
  const auto empty = std::make_shared<std::optional<int>>();
  const Model model = {nullptr, nullptr, empty, empty, std::make_shared<std::optional<int>>()};
  const FlatTree flat = FlattenTree(model).value();
  EXPECT_EQ(PrintTreeDef(flat.def),
            "list of 5, 0 leaves\n  [0]: none\n  [1]: none\n  [2]: none\n  [3]: alias of [2]\n"
            "  [4]: none\n");
  Model back;
  ASSERT_THAT(UnflattenTree(flat.def, flat.leaves, &back), IsOk());
  EXPECT_EQ(back[0], nullptr);
  ASSERT_NE(back[2], nullptr);
  EXPECT_EQ(*back[2], std::nullopt);
  EXPECT_EQ(back[2], back[3]);
  EXPECT_EQ(back[4], nullptr) << "nothing shares it: a none is a null pointer";
  EXPECT_EQ(FlattenTree(back).value().def, flat.def);
}

TEST(TiesTest, PointersToPointers_AreTied) {
  using Inner = std::shared_ptr<int>;
  struct Model {
    Inner a;
    std::shared_ptr<Inner> b, c, d;
    LEAFSTORE_FIELDS(a, b, c, d)
  };
  const auto number = std::make_shared<int>(1);
  const auto pointer = std::make_shared<Inner>(number);
  const Model model = {number, pointer, std::make_shared<Inner>(number), pointer};
  const FlatTree flat = FlattenTree(model).value();
  EXPECT_EQ(PrintTreeDef(flat.def),
            "struct, 1 leaf\n  .a: leaf\n  .b: alias of .a\n  .c: alias of .a\n  .d: alias of "
            ".a\n");
  Model back;
  ASSERT_THAT(UnflattenTree(flat.def, flat.leaves, &back), IsOk());
  EXPECT_EQ(back.a, *back.b);
  EXPECT_EQ(back.a, *back.c);
  EXPECT_EQ(back.b, back.d);
  EXPECT_EQ(FlattenTree(back).value().def, flat.def);
}

TEST(TiesTest, Unflatten_AliasIntoATypeThatCannotShare_IsAnError) {
  struct Plain {
    Tensor in = Scalar(7), out = Scalar(8);
    LEAFSTORE_FIELDS(in, out)
  };
  struct Half {
    Tensor in = Scalar(7);
    std::shared_ptr<Tensor> out = std::make_shared<Tensor>(Scalar(8));
    LEAFSTORE_FIELDS(in, out)
  };
  struct OtherType {
    std::shared_ptr<Tensor> in = std::make_shared<Tensor>(Scalar(7));
    std::shared_ptr<Leaf> out = std::make_shared<Leaf>(Scalar(8));
    LEAFSTORE_FIELDS(in, out)
  };
  const FlatTree flat = FlattenTree(Coder()).value();
  Plain plain;
  EXPECT_THAT(UnflattenTree(flat.def, flat.leaves, &plain),
              Invalid("at .out: expected a tensor, found alias of .in"));
  EXPECT_THAT(LinesOf(plain), ElementsAre(".in = tensor 7", ".out = tensor 8"));
  const auto error = Invalid(
      "at .out: expected an alias of what a pointer of the same type holds, found alias of .in");
  Half half;
  EXPECT_THAT(UnflattenTree(flat.def, flat.leaves, &half), error);
  EXPECT_THAT(LinesOf(half), ElementsAre(".in = tensor 7", ".out = tensor 8"));
  OtherType other;
  EXPECT_THAT(UnflattenTree(flat.def, flat.leaves, &other), error);
  EXPECT_THAT(LinesOf(other), ElementsAre(".in = tensor 7", ".out = tensor 8"));
}

TEST(TiesTest, Unflatten_WithoutTheTie_MakesTwoObjects) {
  const FlatTree flat =
      FlattenTree(Tree::Struct().With("in", Scalar(1)).With("out", Scalar(2))).value();
  Coder coder;
  ASSERT_THAT(UnflattenTree(flat.def, flat.leaves, &coder), IsOk());
  EXPECT_NE(coder.in, coder.out);
  EXPECT_EQ(NumberOf(*coder.out), 2);
}

struct Knot {
  std::vector<std::shared_ptr<Knot>> ties;
  LEAFSTORE_FIELDS(ties)
};

TEST(TiesTest, CycleOfPointers_IsAnError) {
  const auto a = std::make_shared<Knot>(), b = std::make_shared<Knot>();
  a->ties = {b};
  b->ties = {nullptr, a};
  EXPECT_THAT(FlattenTree(a), StatusIs(absl::StatusCode::kInvalidArgument,
                                       AllOf(HasSubstr("at .ties[0].ties[1]: "),
                                             HasSubstr("found (root)"), HasSubstr("(a cycle)"))));
  const auto line = std::make_shared<Knot>();
  line->ties = {std::make_shared<Knot>()};
  line->ties[0]->ties = {nullptr, nullptr};
  EXPECT_THAT(FlattenTreeLike(FlattenTree(line).value().def, a),
              Invalid("at .ties[0].ties[1]: expected none, found (root), which contains it "
                      "(a cycle)"));
  EXPECT_EQ(a->ties[0], b) << "nothing changed";
  b->ties.clear();
}

// ---- Trees ----

TEST(TiesTest, SharedTree_IsOneNodeAndAnAlias) {
  const auto node = std::make_shared<Tree>(Tree::Dict().With("w", Scalar(1)));
  const Tree tree = Tree::Dict().With("b", Tree::Shared(node)).With("a", Tree::Shared(node));
  const FlatTree flat = FlattenTree(tree).value();
  EXPECT_EQ(PrintTreeDef(flat.def),
            "dict of 2, 1 leaf\n  ['a']: dict of 1\n    ['w']: leaf\n  ['b']: alias of ['a']\n");
  Tree back;
  ASSERT_THAT(UnflattenTree(flat.def, flat.leaves, &back), IsOk());
  ASSERT_NE(back.Find("a")->shared(), nullptr);
  EXPECT_EQ(back.Find("a")->shared(), back.Find("b")->shared());
}

TEST(TiesTest, CycleInATree_IsAnError) {
  const auto node = std::make_shared<Tree>(Tree::List().Add(Scalar(1)));
  node->Add(Tree::Dict().With("back", Tree::Shared(node)));
  EXPECT_THAT(FlattenTree(Tree::Shared(node)),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("at [1]['back']: "), HasSubstr("(a cycle)"))));
  *node = Tree();

  const auto loop = std::make_shared<Tree>();
  *loop = Tree::Shared(loop);
  EXPECT_THAT(FlattenTree(Tree::List().Add(Tree::Shared(loop))),
              Invalid("at [0]: expected a node, found a pointer that leads to itself (a cycle)"));
  *loop = Tree();
}

TEST(TiesTest, None_MayBeShared) {
  const auto none = std::make_shared<Tree>();
  const Tree tree = Tree::List().Add(Tree::Shared(none)).Add(Tree::Shared(none));
  const FlatTree flat = FlattenTree(tree).value();
  EXPECT_EQ(PrintTreeDef(flat.def), "list of 2, 0 leaves\n  [0]: none\n  [1]: alias of [0]\n");
  Tree back;
  ASSERT_THAT(UnflattenTree(flat.def, flat.leaves, &back), IsOk());
  EXPECT_EQ(back.items()[0].shared(), back.items()[1].shared());
}

TEST(TiesTest, SharedPointerToAPointerSeenBefore_IsAnAlias) {
  const auto inner = std::make_shared<Tree>(Scalar(1));
  const auto outer = std::make_shared<Tree>(Tree::Shared(inner));
  const Tree tree =
      Tree::List().Add(Tree::Shared(inner)).Add(Tree::Shared(outer)).Add(Tree::Shared(outer));
  const FlatTree flat = FlattenTree(tree).value();
  EXPECT_EQ(PrintTreeDef(flat.def),
            "list of 3, 1 leaf\n  [0]: leaf\n  [1]: alias of [0]\n  [2]: alias of [0]\n");
  EXPECT_THAT(FlattenTreeLike(flat.def, tree), IsOk());
}

// ---- both ----

struct Mixed {
  std::shared_ptr<Tree> a;
  Tree b;
  Tree c;
  std::shared_ptr<Tree> d;
  LEAFSTORE_FIELDS(a, b, c, d)
};

TEST(TiesTest, PointerToATreeAndSharedNode_AreTied) {
  const auto node = std::make_shared<Tree>(Tree::List().Add(Scalar(1)));
  const auto other = std::make_shared<Tree>(Scalar(2));
  Mixed mixed = {node, Tree::List().Add(Tree::Shared(node)).Add(Tree::Shared(other)),
                 Tree::Shared(other), other};
  const FlatTree flat = FlattenTree(mixed).value();
  EXPECT_EQ(PrintTreeDef(flat.def),
            "struct, 2 leaves\n"
            "  .a: list of 1\n"
            "    [0]: leaf\n"
            "  .b: list of 2\n"
            "    [0]: alias of .a\n"
            "    [1]: leaf\n"
            "  .c: alias of .b[1]\n"
            "  .d: alias of .b[1]\n");
  Mixed back;
  ASSERT_THAT(UnflattenTree(flat.def, flat.leaves, &back), IsOk());
  EXPECT_EQ(back.a, back.b.items()[0].shared());
  EXPECT_EQ(back.d, back.b.items()[1].shared());
  EXPECT_EQ(back.d, back.c.shared());
  EXPECT_EQ(FlattenTree(back).value().def, flat.def);

  const FlatTree taken = FlattenTree(std::move(mixed)).value();
  EXPECT_EQ(taken.def, flat.def);
  EXPECT_EQ(taken.leaves, flat.leaves);
}

TEST(TiesTest, Unflatten_AliasInATreeOfAnotherType_IsAnError) {
  struct Model {
    std::shared_ptr<Tensor> in = std::make_shared<Tensor>(Scalar(7));
    Tree out = Scalar(8);
    LEAFSTORE_FIELDS(in, out)
  };
  const FlatTree flat = FlattenTree(Coder()).value();
  Model model;
  EXPECT_THAT(UnflattenTree(flat.def, flat.leaves, &model),
              Invalid("at .out: expected an alias of what a pointer of the same type holds, found "
                      "alias of .in"));
  EXPECT_THAT(LinesOf(model), ElementsAre(".in = tensor 7", ".out = tensor 8"));
}

TEST(TiesTest, Struct_RestoresTiesOfATree) {
  const auto node = std::make_shared<Tree>(Scalar(5));
  Coder coder;
  ASSERT_THAT(
      UnflattenFrom(Tree::Struct().With("in", Tree::Shared(node)).With("out", Tree::Shared(node)),
                    &coder),
      IsOk());
  EXPECT_EQ(coder.in, coder.out);
  EXPECT_EQ(NumberOf(*coder.in), 5);
}

}  // namespace
}  // namespace leafstore::ties_test
