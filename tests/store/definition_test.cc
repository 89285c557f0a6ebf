#include "leafstore/store/definition.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/treedef/tree/tree.h"

#include "tests/core/status_matchers.h"
#include "tests/status_codes.h"
#include "tests/store/sample_models.h"
#include "tests/store/sample_stores.h"

namespace leafstore {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// In order: .activation, .head.bias, .head.weight, .steps, .table.
struct Mlp {
  Linear head;
  std::string activation = "gelu";
  Tensor table = Ints({7, 8});
  int steps = 3;
  LEAFSTORE_FIELDS(head, activation, table, steps)
};

struct OtherMlp {
  std::vector<Tensor> head;
  LEAFSTORE_FIELDS(head)
};

Definition::Taken TakenOf(const Mlp& model) {
  Flattened flat = Flatten(model).value();
  return Definition::Take(flat.def, std::move(flat.params)).value();
}

TEST(DefinitionTest, Take_SeparatesTensorsFromTheRest) {
  const auto [definition, tensors] = TakenOf(Mlp());
  EXPECT_EQ(definition.statics().size(), 2u);
  EXPECT_EQ(**definition.statics().Get(".activation"), Leaf(Value("gelu")));
  EXPECT_EQ(**definition.statics().Get(".steps"), Leaf(Value(3)));
  EXPECT_EQ(tensors.size(), 3u);
  EXPECT_THAT(FloatsAt(tensors, ".head.weight"), ElementsAre(1, 2, 3));
  EXPECT_EQ(tensors.layout(), Layout(definition.def()));
  EXPECT_EQ(tensors.slots(), definition.tensor_slots());
  ASSERT_EQ(definition.tensor_specs().size(), 3u);
  EXPECT_EQ(definition.tensor_specs().spec(1), LeafSpec(DType::kF32, {3}));
}

TEST(DefinitionTest, Take_EmptiesTheStore) {
  Flattened flat = Flatten(Mlp()).value();
  const std::byte* const bytes = flat.params.leaf(2).tensor().raw_data();
  const auto [definition, tensors] = Definition::Take(flat.def, std::move(flat.params)).value();
  EXPECT_TRUE(flat.params.empty());
  EXPECT_EQ(tensors.leaf(1).tensor().raw_data(), bytes);
}

TEST(DefinitionTest, Take_OtherLayout_MatchesByPath) {
  const TreeDef def = Flatten(Linear()).value().def;
  const auto [definition, tensors] =
      Definition::Take(def, StoreOf({{"bias", Floats({4})}, {"weight", Floats({1, 2, 3})}}))
          .value();
  EXPECT_THAT(FloatsAt(tensors, ".weight"), ElementsAre(1, 2, 3));
  EXPECT_EQ(tensors.layout(), Layout(def));
}

TEST(DefinitionTest, Take_StoreThatDoesNotFit_ChangesNothing) {
  const TreeDef def = Flatten(Linear()).value().def;
  ParamStore store = StoreOf({{"bias", Floats({4})}, {"wait", Floats({1})}});
  EXPECT_THAT(Definition::Take(def, std::move(store)),
              StatusIs(kInvalid, AllOf(HasSubstr("missing"), HasSubstr(".weight"),
                                       HasSubstr("unexpected"), HasSubstr(".wait"))));
  EXPECT_THAT(FloatsAt(store, ".bias"), ElementsAre(4));  // NOLINT(bugprone-use-after-move)
  EXPECT_THAT(FloatsAt(store, ".wait"), ElementsAre(1));
  const MutableTensor writing = store.Mutate(".bias").value();
  EXPECT_THAT(Definition::Take(def, std::move(store)),
              StatusIs(kPrecondition, HasSubstr("cannot take a definition")));
  EXPECT_EQ(store.size(), 2u);  // NOLINT
}

TEST(DefinitionTest, Merge_ReturnsTheCompleteStore) {
  const Flattened flat = Flatten(Mlp()).value();
  auto [definition, tensors] = TakenOf(Mlp());
  const ParamStore head = GroupOf(tensors, {1, 2});
  const ParamStore table = GroupOf(tensors, {4});
  const ParamStore all = definition.Merge(table, head).value();
  EXPECT_TRUE(all.complete());
  EXPECT_EQ(all.layout(), flat.params.layout());
  for (uint32_t place = 0; place < all.size(); ++place) {
    EXPECT_EQ(all.leaf(place), flat.params.leaf(place)) << all.PathText(place);
  }
  EXPECT_EQ(head.size(), 2u);
}

TEST(DefinitionTest, Merge_MovesRvalues) {
  auto [definition, tensors] = TakenOf(Mlp());
  const std::byte* const bytes = tensors.leaf(1).tensor().raw_data();
  ParamStore head = GroupOf(tensors, {1, 2});
  const ParamStore table = GroupOf(tensors, {4});
  const ParamStore all = definition.Merge(std::move(head), table).value();
  EXPECT_TRUE(head.empty());  // NOLINT(bugprone-use-after-move): what the header promises
  EXPECT_EQ(all.leaf(2).tensor().raw_data(), bytes);
}

TEST(DefinitionTest, Merge_OtherLayouts_MatchByPath) {
  const Flattened flat = Flatten(Linear()).value();
  const auto [definition, tensors] =
      Definition::Take(flat.def, flat.params.Snapshot().value()).value();
  const ParamStore all =
      definition.Merge(StoreOf({{"weight", Floats({7, 8, 9})}}), GroupOf(tensors, {0})).value();
  EXPECT_THAT(FloatsAt(all, ".weight"), ElementsAre(7, 8, 9));
  EXPECT_EQ(all.layout(), Layout(flat.def));
}

TEST(DefinitionTest, Merge_ReportsAllMismatchesAndChangesNothing) {
  auto [definition, tensors] = TakenOf(Mlp());
  ParamStore given = StoreLike(GroupOf(tensors, {1, 2}), {Ints({4}), Floats({1, 2})});
  const ParamStore bias = GroupOf(tensors, {1});
  const ParamStore extra = StoreOf({{"tabel", Ints({7, 8})}});
  const ParamStore activation = StoreOf({{"activation", Value("relu")}});
  EXPECT_THAT(
      definition.Merge(std::move(given), bias, extra, activation),
      StatusIs(kInvalid,
               AllOf(HasSubstr("missing"), HasSubstr(".table"), HasSubstr("unexpected"),
                     HasSubstr(".tabel"), HasSubstr("duplicate (2)"), HasSubstr(".head.bias"),
                     HasSubstr(".activation"), HasSubstr("f32[1]"), HasSubstr("i32[1]"),
                     HasSubstr(".head.weight"), HasSubstr("f32[3]"), HasSubstr("f32[2]"))));
  ASSERT_EQ(given.size(), 2u);  // NOLINT(bugprone-use-after-move): a failed call changes nothing
  EXPECT_EQ(given.leaf(0), Leaf(Ints({4})));
  EXPECT_EQ(given.leaf(1), Leaf(Floats({1, 2})));
}

TEST(DefinitionTest, Merge_GroupPassedTwice_IsDuplicate) {
  auto [definition, tensors] = TakenOf(Mlp());
  const StoreState before(tensors);
  const auto twice =
      StatusIs(kInvalid, AllOf(HasSubstr("duplicate (3)"), HasSubstr("'.head.bias'")));
  // NOLINTBEGIN(bugprone-use-after-move): a failed call changes nothing
  EXPECT_THAT(definition.Merge(std::move(tensors), std::move(tensors)), twice);
  EXPECT_EQ(StoreState(tensors), before);
  EXPECT_THAT(definition.Merge(std::move(tensors), tensors), twice);
  EXPECT_EQ(StoreState(tensors), before);
  EXPECT_THAT(definition.Merge(tensors, std::move(tensors)), twice);
  EXPECT_EQ(StoreState(tensors), before);
  ParamStore none = StoreLike(GroupOf(tensors, {}), {});
  EXPECT_THAT(definition.Merge(std::move(none), std::move(none), std::move(tensors)), IsOk());
  // NOLINTEND(bugprone-use-after-move)
}

TEST(DefinitionTest, Check_ReturnsTheReportAsData) {
  auto [definition, tensors] = TakenOf(Mlp());
  const ParamStore wrong = StoreLike(GroupOf(tensors, {1, 2}), {Value(4), Floats({1, 2})});
  const ParamStore* const groups[] = {&wrong};
  const FitReport report = definition.Check(groups);
  EXPECT_THAT(report.missing, ElementsAre(".table"));
  EXPECT_TRUE(report.unexpected.empty());
  EXPECT_TRUE(report.duplicate.empty());
  ASSERT_EQ(report.dtype_mismatch.size(), 1u);
  EXPECT_EQ(report.dtype_mismatch[0].path, ".head.bias");
  EXPECT_EQ(report.dtype_mismatch[0].expected, "f32[1]");
  EXPECT_EQ(report.dtype_mismatch[0].found, "static int");
  ASSERT_EQ(report.shape_mismatch.size(), 1u);
  EXPECT_EQ(report.shape_mismatch[0].path, ".head.weight");
  EXPECT_EQ(report.shape_mismatch[0].expected, "f32[3]");
  EXPECT_EQ(report.shape_mismatch[0].found, "f32[2]");
  const ParamStore* const right[] = {&tensors};
  EXPECT_TRUE(definition.Check(right).ok());
}

TEST(DefinitionTest, OpenBorrow_IsAnErrorAndKeepsTheGroups) {
  auto [definition, tensors] = TakenOf(Mlp());
  ParamStore head = GroupOf(tensors, {1, 2});
  ParamStore table = GroupOf(tensors, {4});
  const MutableTensor writing = table.Mutate(".table").value();
  EXPECT_THAT(definition.Merge(std::move(head), table),
              StatusIs(kPrecondition, HasSubstr("cannot merge")));
  EXPECT_EQ(head.size(), 2u);  // NOLINT(bugprone-use-after-move): a failed call changes nothing
}

TEST(DefinitionTest, Build_WithAType_ReturnsANewModel) {
  auto [definition, tensors] = TakenOf(Mlp());
  const Mlp model = definition.Build<Mlp>(tensors).value();
  EXPECT_EQ(model.activation, "gelu");
  EXPECT_EQ(model.steps, 3);
  EXPECT_THAT(ElementsOf<float>(model.head.weight), ElementsAre(1, 2, 3));
  EXPECT_THAT(ElementsOf<int32_t>(model.table), ElementsAre(7, 8));
}

TEST(DefinitionTest, Build_IntoAModel_MovesTensorsIntoIt) {
  auto [definition, tensors] = TakenOf(Mlp());
  const std::byte* const bytes = tensors.leaf(1).tensor().raw_data();
  Mlp model;
  model.activation = "relu";
  EXPECT_THAT(definition.Build(&model, std::move(tensors)), IsOk());
  EXPECT_EQ(model.activation, "gelu");
  EXPECT_EQ(model.head.weight.raw_data(), bytes);
  { MutableTensor writing = model.head.weight.Mutate().value(); }
  EXPECT_EQ(model.head.weight.raw_data(), bytes);  // nothing else holds it
}

TEST(DefinitionTest, Build_ModelThatDoesNotFit_KeepsTheGroups) {
  auto [definition, tensors] = TakenOf(Mlp());
  ParamStore head = GroupOf(tensors, {1, 2});
  ParamStore table = StoreOf({{"table", Ints({7, 8})}});  // by path
  OtherMlp model;
  EXPECT_THAT(definition.Build(&model, std::move(head), std::move(table)),
              StatusIs(kInvalid, Not(HasSubstr("missing"))));
  EXPECT_TRUE(model.head.empty());
  EXPECT_EQ(head.size(), 2u);  // NOLINT(bugprone-use-after-move): a failed call changes nothing
  EXPECT_THAT(FloatsAt(head, ".head.weight"), ElementsAre(1, 2, 3));
  EXPECT_EQ(**table.Get(".table"), Leaf(Ints({7, 8})));  // NOLINT
  EXPECT_THAT(definition.Merge(std::move(head), std::move(table)), IsOk());
}

TEST(DefinitionTest, Equality_ComparesStructureStaticLeavesAndSpecs) {
  const Definition definition = TakenOf(Mlp()).definition;
  EXPECT_EQ(definition, Definition(definition));
  Mlp other_numbers;
  other_numbers.head.weight = Floats({9, 9, 9});
  EXPECT_EQ(definition, TakenOf(other_numbers).definition);
  Mlp other_static;
  other_static.activation = "relu";
  EXPECT_FALSE(definition == TakenOf(other_static).definition);
  Mlp other_shape;
  other_shape.head.weight = Floats({1, 2});
  EXPECT_FALSE(definition == TakenOf(other_shape).definition);
  Mlp other_dtype;
  other_dtype.head.weight = Ints({1, 2, 3});
  EXPECT_FALSE(definition == TakenOf(other_dtype).definition);
  EXPECT_FALSE(definition == Definition());
}

TEST(DefinitionTest, Definition_CanBeTheKeyOfACache) {
  absl::flat_hash_set<Definition> cache;
  EXPECT_TRUE(cache.insert(TakenOf(Mlp()).definition).second);
  EXPECT_FALSE(cache.insert(TakenOf(Mlp()).definition).second);
  Mlp other;
  other.steps = 4;
  EXPECT_TRUE(cache.insert(TakenOf(other).definition).second);
}

TEST(DefinitionTest, EmptyDefinition_BuildsAnEmptyModel) {
  const Definition none;
  EXPECT_EQ(none.def(), TreeDef());
  EXPECT_TRUE(none.Merge().value().empty());
  EXPECT_EQ(none, Definition());
}

TEST(DefinitionTest, StaticLeavesOnly_NeedNoGroups) {
  Flattened flat = Flatten(Tree::Dict().With("a", Value(1))).value();
  const auto [definition, tensors] = Definition::Take(flat.def, std::move(flat.params)).value();
  EXPECT_TRUE(tensors.empty());
  const ParamStore all = definition.Merge().value();
  EXPECT_EQ(all.leaf(0), Leaf(Value(1)));
}

TEST(DefinitionTest, TiedParameters_StayOneLeaf) {
  const auto node = std::make_shared<Tree>(Floats({1}));
  Tree tree = Tree::Dict().With("a", Tree::Shared(node)).With("b", Tree::Shared(node));
  Flattened flat = Flatten(std::move(tree)).value();
  const auto [definition, tensors] = Definition::Take(flat.def, std::move(flat.params)).value();
  EXPECT_EQ(tensors.size(), 1u);
  const Tree built = definition.Build<Tree>(tensors).value();
  EXPECT_EQ(built.entries().size(), 2u);
}

}  // namespace
}  // namespace leafstore
