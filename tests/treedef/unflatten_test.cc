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
#include "tests/treedef/teller.h"

namespace leafstore::unflatten_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StrEq;

struct Linear {
  Tensor weight = Scalar(1), bias = Scalar(2);
  LEAFSTORE_FIELDS(weight, bias)
};
struct Model {
  std::vector<Linear> layers = std::vector<Linear>(3);
  std::shared_ptr<Tensor> embedding = std::make_shared<Tensor>(Scalar(3)), head = embedding;
  std::string activation = "gelu";
  int calls = 0;  // no part of the model
  LEAFSTORE_FIELDS(layers, embedding, head, activation)
};

TEST(UnflattenTest, ConstLeaves_ShareTheirBytes) {
  const FlatTree flat = FlattenTree(Model()).value();
  Model model;
  ASSERT_THAT(UnflattenTree(flat.def, flat.leaves, &model), IsOk());
  EXPECT_EQ(FlattenTree(model).value().leaves, flat.leaves);
  const uint32_t leaf = flat.def.leaf_begin(flat.def.Find(".layers[2].bias").value());
  EXPECT_TRUE(flat.leaves[leaf].tensor().SharesBytesWith(model.layers[2].bias));
}

TEST(UnflattenTest, RvalueLeaves_AreMoved) {
  FlatTree flat = FlattenTree(Model()).value();
  const uint32_t leaf = flat.def.leaf_begin(flat.def.Find(".layers[2].bias").value());
  const std::byte* const data = flat.leaves[leaf].tensor().raw_data();
  Model model;
  ASSERT_THAT(UnflattenTree(flat.def, std::move(flat.leaves), &model), IsOk());
  EXPECT_EQ(model.layers[2].bias.raw_data(), data);
  EXPECT_EQ(model.layers[2].bias.Mutate().value().raw_data(), data) << "no clone";
  EXPECT_EQ(model.embedding, model.head);
  EXPECT_EQ(model.head->Mutate().value().raw_data(), model.embedding->raw_data());
}

TEST(UnflattenTest, RoundTrip_CopiesNothing) {
  Model model;
  const std::byte* const data = model.layers[1].weight.raw_data();
  const uint64_t generation = model.layers[1].weight.generation();
  for (int i = 0; i < 3; ++i) {
    FlatTree flat = FlattenTree(std::move(model)).value();
    ASSERT_THAT(UnflattenTree(flat.def, std::move(flat.leaves), &model), IsOk());
  }
  EXPECT_EQ(model.layers[1].weight.raw_data(), data);
  EXPECT_EQ(model.layers[1].weight.generation(), generation);
}

TEST(UnflattenTest, MembersThatAreNotListed_KeepTheirValues) {
  const FlatTree flat = FlattenTree(Model()).value();
  Model model;
  model.calls = 7;
  ASSERT_THAT(UnflattenTree(flat.def, flat.leaves, &model), IsOk());
  EXPECT_EQ(model.calls, 7);
}

// After each failure the model and the leaves must be unchanged.
void ExpectFails(const TreeDef& def, std::vector<Leaf> leaves, absl::StatusCode code,
                 const std::string& message) {
  Model model;
  model.activation = "relu";
  model.layers.resize(1);
  const FlatTree before = FlattenTree(model).value();
  const std::vector<Leaf> copy = leaves;
  EXPECT_THAT(UnflattenTree(def, copy, &model), StatusIs(code, StrEq(message)));
  EXPECT_THAT(UnflattenTree(def, std::move(leaves), &model), StatusIs(code, StrEq(message)));
  EXPECT_EQ(leaves, copy) << "none was taken";
  EXPECT_EQ(FlattenTree(model).value().def, before.def);
  EXPECT_EQ(FlattenTree(model).value().leaves, before.leaves);
}

TEST(UnflattenTest, Failure_ChangesNothing) {
  const FlatTree flat = FlattenTree(Model()).value();
  std::vector<Leaf> leaves = flat.leaves;
  const uint32_t last = flat.def.leaf_begin(flat.def.Find(".layers[2].weight").value());
  leaves[last] = Value(1);
  ExpectFails(flat.def, leaves, absl::StatusCode::kInvalidArgument,
              "at .layers[2].weight: expected a tensor, found leaf 1");
}

TEST(UnflattenTest, MissingLeaf_IsFailedPrecondition) {
  const FlatTree flat = FlattenTree(Model()).value();
  std::vector<Leaf> leaves = flat.leaves;
  leaves[2] = Leaf();
  ExpectFails(flat.def, leaves, absl::StatusCode::kFailedPrecondition,
              "at .layers[0].bias: expected a leaf, found none");
  leaves.pop_back();
  ExpectFails(flat.def, leaves, absl::StatusCode::kFailedPrecondition,
              "expected 8 leaves, found 7");
  ExpectFails(TreeDef(), leaves, absl::StatusCode::kFailedPrecondition,
              "expected 0 leaves, found 7");
}

TEST(UnflattenTest, AnotherStructure_IsAnError) {
  ExpectFails(TreeDef(), {}, absl::StatusCode::kInvalidArgument,
              "at (root): expected struct, found none");
  ExpectFails(Teller().List().End().Def(), {}, absl::StatusCode::kInvalidArgument,
              "at (root): expected struct, found list of 0");
}

TEST(UnflattenTest, NewTree_HasTheKindsNamesTagsAndKeysOfTheTreeDef) {
  const TreeDef def = Teller()
                          .Struct("Net")
                          .Attribute("a")
                          .Dict()
                          .Index(-1)
                          .None()
                          .Index(5)
                          .Leaf()
                          .Tag("x")
                          .End()
                          .Attribute("b")
                          .Custom("Ring")
                          .Tuple()
                          .End()
                          .List()
                          .End()
                          .End()
                          .End()
                          .Def();
  Tree tree;
  ASSERT_THAT(UnflattenTree(def, std::vector<Leaf>{Value(1)}, &tree), IsOk());
  EXPECT_EQ(tree.type_name(), "Net");
  EXPECT_EQ(tree.Find("a")->Find(5)->leaf().value(), Value(1));
  EXPECT_THAT(tree.Find("a")->Find(5)->tags(), ElementsAre("x"));
  EXPECT_EQ(tree.Find("a")->Find(-1)->kind(), NodeKind::kNone);
  EXPECT_EQ(tree.Find("b")->type_name(), "Ring");
  EXPECT_EQ(tree.Find("b")->items()[0].kind(), NodeKind::kTuple);
  EXPECT_EQ(tree.Find("b")->items()[1].kind(), NodeKind::kList);
  EXPECT_EQ(FlattenTree(tree).value().def, def);
}

TEST(UnflattenTest, ExistingTree_IsReplaced) {
  Tree tree = Tree::Dict().With("old", Value(1));
  ASSERT_THAT(UnflattenTree(Teller().Leaf().Def(), std::vector<Leaf>{Value(2)}, &tree), IsOk());
  EXPECT_EQ(tree.leaf().value(), Value(2));
}

TEST(UnflattenTest, RandomTrees_FromRvalueLeaves_RoundTrip) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    FlatTree flat = FlattenTree(RandomTree(random, 60).Make()).value();
    const std::vector<Leaf> copy = flat.leaves;
    Tree back;
    ASSERT_THAT(UnflattenTree(flat.def, std::move(flat.leaves), &back), IsOk());
    EXPECT_EQ(FlattenTree(std::move(back)).value().leaves, copy);
  }
}

// A Tree fits every structure that a builder can make, and flattens to it again.
TEST(UnflattenTest, Tree_KeepsEveryStructure) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    const TreeDef def = FlattenTree(RandomTree(random, 60).Make()).value().def;
    for (NodeId node = 0; node < def.node_count(); node += 7) {
      const TreeDef part = def.Subtree(node).def;
      const std::vector<Leaf> leaves(part.leaf_count(), Leaf(Value(1)));
      Tree tree;
      ASSERT_THAT(UnflattenTree(part, leaves, &tree), IsOk());
      EXPECT_EQ(FlattenTree(tree).value().def, part);
    }
  }
}

}  // namespace
}  // namespace leafstore::unflatten_test
