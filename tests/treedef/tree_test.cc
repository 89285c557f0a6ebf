#include "leafstore/treedef/tree/tree.h"

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/treedef/bind/flatten.h"

#include "tests/core/random_keys.h"
#include "tests/core/status_matchers.h"
#include "tests/dose.h"
#include "tests/treedef/model_testing.h"
#include "tests/treedef/random_tree.h"

namespace leafstore {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(TreeTest, Accessors_AreEmptyForOtherKinds) {
  const Tree none;
  EXPECT_EQ(none.kind(), NodeKind::kNone);
  EXPECT_TRUE(none.leaf().null());
  EXPECT_THAT(none.entries(), IsEmpty());
  EXPECT_THAT(none.items(), IsEmpty());
  EXPECT_EQ(none.type_name(), "");
  EXPECT_EQ(none.shared(), nullptr);
  EXPECT_THAT(none.tags(), IsEmpty());

  const Tree leaf = Value(1);
  EXPECT_EQ(leaf.kind(), NodeKind::kLeaf);
  EXPECT_EQ(leaf.kind(), NodeKind::kLeaf);
  EXPECT_EQ(leaf.leaf().value(), Value(1));

  const Tree dict = Tree::Dict().With("b", Value(2)).With("a", Value(1));
  EXPECT_EQ(dict.kind(), NodeKind::kDict);
  EXPECT_EQ(dict.entries().size(), 2u);
  EXPECT_EQ(dict.entries().begin()->first, Key::Item("a")) << "in order of the keys";
  EXPECT_THAT(dict.items(), IsEmpty());

  const Tree tree = Tree::Struct("Linear").With("w", Value(1));
  EXPECT_EQ(tree.kind(), NodeKind::kStruct);
  EXPECT_EQ(tree.type_name(), "Linear");
  EXPECT_EQ(tree.entries().size(), 1u);

  const Tree list = Tree::List().Add(Value(1)).Add(Tree::None());
  EXPECT_EQ(list.kind(), NodeKind::kList);
  EXPECT_EQ(list.items().size(), 2u);
  EXPECT_EQ(list.items()[1].kind(), NodeKind::kNone);
  EXPECT_EQ(Tree::Tuple().kind(), NodeKind::kTuple);
  EXPECT_EQ(Tree::Custom("Ring").kind(), NodeKind::kCustom);
  EXPECT_EQ(Tree::Custom("Ring").type_name(), "Ring");
}

TEST(TreeTest, Shared_ReturnsTheSharedNode) {
  const auto node = std::make_shared<Tree>(Value(1));
  EXPECT_EQ(Tree::Shared(node).kind(), NodeKind::kAlias);
  EXPECT_EQ(Tree::Shared(node).shared(), node);
  EXPECT_EQ(Tree(Value(1)).shared(), nullptr);
}

TEST(TreeTest, Null_IsNone) {
  EXPECT_EQ(Tree(Leaf()).kind(), NodeKind::kNone);
  EXPECT_EQ(Tree(Tensor()).kind(), NodeKind::kNone);
  EXPECT_EQ(Tree::Shared(nullptr).kind(), NodeKind::kNone);
}

TEST(TreeTest, MutableLeaf_MayAddAndRemoveTheLeafOfATaggedNode) {
  for (const bool tagged : {false, true}) {
    Tree tree;
    if (tagged) tree.Tag("decay");
    tree.mutable_leaf() = Value(1);
    EXPECT_EQ(tree.kind(), NodeKind::kLeaf);
    tree.mutable_leaf() = Leaf();
    EXPECT_EQ(tree.kind(), NodeKind::kNone);
  }
}

TEST(TreeTest, With_ReplacesAndAddAppends) {
  Tree dict = Tree::Dict();
  dict.With("a", Value(1)).With("a", Value(2));
  EXPECT_EQ(dict.Find("a")->leaf().value(), Value(2));
  Tree list = Tree::List();
  list.Add(Value(1)).Add(Value(2));
  EXPECT_EQ(list.items()[1].leaf().value(), Value(2));
  EXPECT_EQ(list.MutableItem(1)->leaf().value(), Value(2));
  EXPECT_EQ(list.MutableItem(2), nullptr);
  EXPECT_EQ(dict.MutableItem(0), nullptr);
}

TEST(TreeTest, Tags_AreForAnyNode) {
  EXPECT_THAT(Tree(Value(1)).Tag("a").Tag("b").tags(), ElementsAre("a", "b"));
  EXPECT_THAT(Tree::None().Tag("a").tags(), ElementsAre("a"));
  EXPECT_EQ(Tree::None().Tag("a").kind(), NodeKind::kNone);
  EXPECT_THAT(Tree::Shared(std::make_shared<Tree>()).Tag("a").tags(), ElementsAre("a"));
}

TEST(TreeTest, WithAndAdd_OnTheWrongKind_FailWhenFlattened) {
  constexpr const char* kWords =
      "expected With on a dict or struct and Add on a list, tuple or custom";
  const auto flatten = [](Tree misused) {
    EXPECT_TRUE(misused.misused());
    return FlattenTree(Tree::Dict().With("x", std::move(misused)));
  };
  const auto error =
      StatusIs(absl::StatusCode::kInvalidArgument, testing::StartsWith("at ['x']: "));
  EXPECT_THAT(flatten(Tree::List().With("a", Value(1))), error);
  EXPECT_THAT(flatten(Tree::Dict().Add(Value(1))), error);
  EXPECT_THAT(flatten(Tree().With("a", Value(1))), error);
  EXPECT_THAT(flatten(Tree(Value(1)).Add(Value(1))), error);
  EXPECT_THAT(flatten(Tree::Shared(std::make_shared<Tree>(Tree::Dict())).With("a", Value(1))),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(kWords)));
  EXPECT_TRUE(Tree::List().With("a", Value(1)).Clone().misused());
}

TEST(TreeTest, DictKeys_AreStringsOrIntegersOfAnyType) {
  const Tree ints = Tree::Dict().With(1, Value(1)).With(int64_t{-2}, Value(2)).With(3u, Value(3));
  EXPECT_EQ(ints.Find(-2)->leaf().value(), Value(2));
  EXPECT_EQ(ints.Find(3LL)->leaf().value(), Value(3));
  EXPECT_EQ(ints.Find("1"), nullptr);
  EXPECT_EQ(ints.Find(Key::Index(1))->leaf().value(), Value(1));
}

TEST(TreeTest, With_AName_IsAnItemInADictAndAnAttributeInAStruct) {
  const Tree dict = Tree::Dict().With("a", Value(1));
  EXPECT_EQ(dict.entries().begin()->first, Key::Item("a"));
  EXPECT_EQ(dict.Find(Key::Attribute("a")), nullptr);
  const Tree record = Tree::Struct("S").With("a", Value(1));
  EXPECT_EQ(record.entries().begin()->first, Key::Attribute("a"));
  EXPECT_EQ(record.Find(Key::Item("a")), nullptr);
}

TEST(TreeTest, Find_FollowsSharedNodes) {
  auto inner = std::make_shared<Tree>(Tree::Dict().With("w", Value(1)));
  Tree tree =
      Tree::Dict()
          .With("shared", Tree::Shared(std::make_shared<Tree>(Tree::Shared(inner))))
          .With("struct", Tree::Shared(std::make_shared<Tree>(Tree::Struct().With("w", Value(2)))));
  EXPECT_EQ(tree.Find("shared")->Find("w"), inner->Find("w"));
  EXPECT_EQ(tree.Find("struct")->Find("w")->leaf().value(), Value(2));
  EXPECT_EQ(tree.Find("absent"), nullptr);
  EXPECT_EQ(Tree::List().Find("w"), nullptr);
  tree.Find("struct")->Find("w")->mutable_leaf() = Value(3);
  EXPECT_EQ(std::as_const(tree).Find("struct")->Find("w")->leaf().value(), Value(3));
}

TEST(TreeTest, Tree_MayBecomeItsOwnChild) {
  Tree tree = Tree::Dict().With("a", Tree::List().Add(Value(1)));
  tree = std::move(*tree.Find("a"));
  EXPECT_EQ(tree.kind(), NodeKind::kList);
  EXPECT_EQ(tree.items().size(), 1u);
  Tree& same = tree;
  tree = std::move(same);
  EXPECT_EQ(tree.items().size(), 1u);
}

TEST(TreeTest, Clone_IsIndependentButSharesBytesAndKeepsSharing) {
  const Tensor tensor = Scalar(1);
  const auto node = std::make_shared<Tree>(Tree::List().Add(tensor));
  Tree tree = Tree::Dict()
                  .With("a", Tree::Shared(node))
                  .With("b", Tree::Shared(node))
                  .With("c", Tree::Shared(std::make_shared<Tree>(Value("x"))).Tag("decay"))
                  .With("e", Tree::Struct("Type").With("f", Tree::None()));
  const FlatTree before = FlattenTree(tree).value();

  Tree clone = tree.Clone();
  EXPECT_EQ(clone.Find("a")->shared(), clone.Find("b")->shared());
  EXPECT_NE(clone.Find("a")->shared(), node);
  EXPECT_TRUE(clone.Find("a")->shared()->items()[0].leaf().tensor().SharesBytesWith(tensor));
  const FlatTree cloned = FlattenTree(clone).value();
  EXPECT_EQ(cloned.def, before.def);
  EXPECT_EQ(cloned.leaves, before.leaves);

  clone.Find("a")->shared()->Add(Value(2));
  clone.Find("e")->With("g", Value(1));
  EXPECT_EQ(FlattenTree(tree).value().def, before.def);
}

TEST(TreeTest, CloneOfACycle_IsACycle) {
  const auto node = std::make_shared<Tree>(Tree::List());
  node->Add(Tree::Shared(node));
  {
    const Tree clone = node->Clone();
    // The root is not a shared node, so the copy in the cycle is a second node.
    const std::shared_ptr<Tree> inner = clone.items()[0].shared();
    ASSERT_NE(inner, nullptr);
    EXPECT_EQ(inner->items()[0].shared(), inner);
    *inner = Tree();
  }
  *node = Tree();
}

TEST(TreeTest, RandomTrees_AreEqualToTheirClones) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    const Tree tree = RandomTree(random, 60).Make();
    const FlatTree flat = FlattenTree(tree).value();
    const FlatTree cloned = FlattenTree(tree.Clone()).value();
    EXPECT_EQ(flat.def, cloned.def) << "seed " << seed;
    EXPECT_EQ(flat.leaves, cloned.leaves) << "seed " << seed;
  }
}

// A million levels, each made of the one below it.
Tree Chain(const std::function<Tree(Tree)>& above) {
  Tree tree = Value(1);
  for (int i = 0; i < kManyLevels; ++i) tree = above(std::move(tree));
  return tree;
}

void ExpectAllIsDoneWithoutRecursion(const Tree& tree, uint32_t nodes, uint32_t leaves) {
  FlatTree flat = FlattenTree(tree).value();
  EXPECT_EQ(flat.def.node_count(), nodes);
  EXPECT_EQ(flat.leaves.size(), leaves);
  const Tree clone = tree.Clone();
  const FlatTree again = FlattenTree(clone).value();
  EXPECT_EQ(again.def, flat.def);
  EXPECT_EQ(again.def.hash(), flat.def.hash());
  EXPECT_THAT(FlattenTreeLike(flat.def, clone), IsOk());
  Tree back;
  ASSERT_THAT(UnflattenTree(flat.def, flat.leaves, &back), IsOk());
  EXPECT_EQ(FlattenTree(std::move(back)).value().def, flat.def);
}

TEST(TreeTest, AMillionNestedDicts_NeedNoStack) {
  const Tree tree = Chain([](Tree below) { return Tree::Dict().With("a", std::move(below)); });
  ExpectAllIsDoneWithoutRecursion(tree, kManyLevels + 1, 1);
}

TEST(TreeTest, AMillionNestedLists_NeedNoStack) {
  const Tree tree = Chain([](Tree below) { return Tree::List().Add(std::move(below)); });
  ExpectAllIsDoneWithoutRecursion(tree, kManyLevels + 1, 1);
}

TEST(TreeTest, AMillionPointersToPointers_NeedNoStack) {
  const Tree tree =
      Chain([](Tree below) { return Tree::Shared(std::make_shared<Tree>(std::move(below))); });
  ExpectAllIsDoneWithoutRecursion(tree, 1, 1);
}

TEST(TreeTest, AMillionSharedLevels_NeedNoStack) {
  const Tree tree = Chain([](Tree below) {
    const auto node = std::make_shared<Tree>(std::move(below));
    return Tree::List().Add(Tree::Shared(node)).Add(Tree::Shared(node));
  });
  ExpectAllIsDoneWithoutRecursion(tree, 2 * kManyLevels + 1, 1);
}

}  // namespace
}  // namespace leafstore
