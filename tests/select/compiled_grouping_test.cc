// Groupings compiled from filters: explanations and splits. See grouping_test.cc for the rest.
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/select/groups.h"
#include "leafstore/select/partition.h"
#include "leafstore/store/merge.h"

#include "tests/core/status_matchers.h"
#include "tests/status_codes.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using ::testing::HasSubstr;

TEST(GroupingTest, Accessors_DescribeTheGroups) {
  const ParamStore store = SampleParams();
  const Grouping plan = Grouping::Compile(store, {Glob("head"), Glob("x")}).value();
  EXPECT_EQ(plan.group_count(), 3u);
  EXPECT_EQ(plan.SlotsOf(0), SlotSet::Create(8, {1, 2}).value());
  EXPECT_TRUE(plan.SlotsOf(1).empty());
  EXPECT_EQ(plan.GroupOf(1), 0u);
  EXPECT_EQ(plan.GroupOf(0), 2u);
  EXPECT_EQ(plan.GroupOf(4711), kNoGroup);
  EXPECT_EQ(plan.root_group(), std::nullopt);
}

TEST(GroupingTest, RootGroup_IsTheGroupThatMatchedTheRoot) {
  const ParamStore store = SampleParams();
  EXPECT_EQ(Grouping::Compile(store, {Glob("x"), filters::Not(IsStatic())})->root_group(), 1u);
  EXPECT_EQ(
      Grouping::Compile(store, {Glob("x"), LeavesOnly(filters::Not(IsStatic()))})->root_group(),
      std::nullopt);
  EXPECT_EQ(Grouping::Compile(store, {filters::All()}, {.first_match = true})->root_group(),
            std::nullopt);
}

TEST(GroupingTest, Explain_NamesFilterAndNode) {
  const Grouping plan =
      Grouping::Compile(SampleParams(), {Glob("**.bias"), Glob("layers")}).value();
  const Explanation by_itself = plan.Explain(".head.bias").value();
  EXPECT_EQ(by_itself.group, 0u);
  EXPECT_EQ(by_itself.filter, 0u);
  EXPECT_EQ(by_itself.matched_path, ".head.bias");
  EXPECT_EQ(by_itself.text, "'.head.bias' is in group 0: filter 0 (**.bias) matched '.head.bias'");

  const Explanation by_container = plan.Explain(".layers[0].bias").value();
  EXPECT_EQ(by_container.group, 1u);
  EXPECT_EQ(by_container.matched_path, ".layers");
  EXPECT_EQ(by_container.text,
            "'.layers[0].bias' is in group 1: filter 1 (layers) matched '.layers'");

  const Explanation rest = plan.Explain(".steps").value();
  EXPECT_EQ(rest.group, 2u);
  EXPECT_EQ(rest.filter, std::nullopt);
  EXPECT_EQ(rest.matched_path, "");
  EXPECT_EQ(rest.text, "'.steps' is in group 2, the rest: no filter matched it or a node above it");
}

TEST(GroupingTest, Explain_DescribesRootAndFirstMatch) {
  const ParamStore store = SampleParams();
  const Explanation root = Grouping::Compile(store, {filters::All()})->Explain(".steps").value();
  EXPECT_EQ(root.matched_path, "");
  EXPECT_EQ(root.filter, 0u);
  EXPECT_EQ(root.text, "'.steps' is in group 0: filter 0 (all) matched the root");
  const Grouping first = Grouping::Compile(store, {IsStatic()}, {.first_match = true}).value();
  EXPECT_EQ(first.Explain(".head.bias")->text,
            "'.head.bias' is in group 1, the rest: no filter matched it");
}

TEST(GroupingTest, Explain_Alias_DescribesItsOwner) {
  const Grouping plan = Grouping::Compile(TiedParams(), {Glob("embedding")}).value();
  const Explanation why = plan.Explain(".output.table").value();
  EXPECT_EQ(why.group, 0u);
  EXPECT_EQ(why.text,
            "'.output.table' (an alias of '.embedding.table') is in group 0: filter 0 (embedding) "
            "matched '.embedding'");
}

TEST(GroupingTest, Explain_MissingLeaf_SaysSo) {
  const std::vector<ParamStore> groups = Partition(SampleParams(), {Glob("head")}).value();
  const Grouping plan = Grouping::Compile(groups[0], {Glob("**.bias")}).value();
  const Explanation elsewhere = plan.Explain(".steps").value();
  EXPECT_EQ(elsewhere.group, kNoGroup);
  EXPECT_EQ(elsewhere.text,
            "'.steps' is in no group: the store that was partitioned does not have it");
  EXPECT_THAT(plan.Explain(".stpes"), StatusIs(kNotFound, HasSubstr("did you mean .steps")));
  EXPECT_THAT(plan.Explain(".layers"), StatusIs(kInvalid, HasSubstr("expected a leaf")));
  EXPECT_THAT(plan.Explain("x"), StatusIs(kInvalid, HasSubstr("column 1")));
}

TEST(GroupingTest, Split_AcceptsStoresOfTheSameLayoutAndSpecs) {
  const Grouping plan = Grouping::Compile(SampleParams(), {Glob("head")}).value();
  EXPECT_THAT(plan.Split(SampleParams()), IsOk());
}

TEST(GroupingTest, Split_OtherPaths_IsAnError) {
  const Grouping plan = Grouping::Compile(SampleParams(), {Glob("head")}).value();
  ParamStore other = TiedParams();
  const StoreState before(other);
  EXPECT_THAT(plan.Split(std::move(other)),
              StatusIs(kPrecondition,
                       "partition: expected a store with the paths that the grouping was "
                       "compiled for (8 of a layout of 8), found others (2 of 2): compile "
                       "a grouping for this store"));
  EXPECT_EQ(StoreState(other), before);
  ParamStore less = SampleParams();
  ASSERT_THAT(less.Erase(".steps"), IsOk());
  EXPECT_THAT(plan.Split(less), StatusIs(kPrecondition, HasSubstr("found others (7 of 8)")));
  ParamStore back = std::move(less);
  ASSERT_THAT(back.Insert(PathFrom(".steps"), Value(1)), IsOk());
  EXPECT_THAT(plan.Split(back), IsOk());
}

TEST(GroupingTest, Split_OtherSpecs_IsAnErrorUntilRestored) {
  ParamStore store = SampleParams();
  const Grouping plan = Grouping::Compile(store, {DTypeIs(DType::kF32)}).value();
  const Leaf old = **store.Get(".head.bias");
  for (const Leaf& other : {Leaf(Ints({1, 2})), Leaf(Floats({1, 2, 3})), Leaf(Value(1))}) {
    ASSERT_THAT(store.Upsert(PathFrom(".head.bias"), other), IsOk());
    const StoreState before(store);
    EXPECT_THAT(plan.Split(std::move(store)),
                StatusIs(kPrecondition,
                         "partition: expected the dtypes and shapes that the grouping "
                         "was compiled for, found others: compile a grouping for this store"));
    EXPECT_EQ(StoreState(store), before);
    ASSERT_THAT(store.Upsert(PathFrom(".head.bias"), old), IsOk());
    EXPECT_THAT(plan.Split(store), IsOk());
  }
}

TEST(GroupingTest, Split_OpenBorrow_IsAnError) {
  ParamStore store = SampleParams();
  const Grouping plan = Grouping::Compile(store, {Glob("head")}).value();
  MutableTensor open = store.Mutate(".head.bias").value();
  const StoreState before(store);
  const auto refused =
      StatusIs(kPrecondition, HasSubstr("while a mutable borrow of this store is open"));
  EXPECT_THAT(plan.Split(store), refused);
  EXPECT_THAT(plan.Split(std::move(store)), refused);
  EXPECT_THAT(Grouping::Compile(store, {filters::All()}), refused);
  EXPECT_EQ(StoreState(store), before);
  open.Close();
  EXPECT_THAT(plan.Split(std::move(store)), IsOk());
}

// ---- what happens to the leaves ----

TEST(GroupingTest, SplitOfAnRvalue_MovesBytesAndGenerations) {
  ParamStore store = SampleParams();
  const std::vector<const void*> addresses = AddressesOf(store);
  const std::vector<uint64_t> generations = GenerationsOf(store);
  const Grouping plan =
      Grouping::Compile(store, {Glob("**.bias"), Glob("layers.*.weight")}).value();
  std::vector<ParamStore> groups = plan.Split(std::move(store)).value().TakeStores();
  EXPECT_TRUE(store.empty());  // NOLINT: says so
  EXPECT_THAT(store.Snapshot(), IsOk());
  for (ParamStore& group : groups) {
    for (uint32_t place = 0; place < group.size(); ++place) {
      const Slot slot = group.slot(place);
      EXPECT_EQ(group.leaf(place).generation(), generations[slot]);
      if (!group.leaf(place).is_tensor()) continue;
      EXPECT_EQ(group.leaf(place).tensor().raw_data(), addresses[slot]);
      // The bytes are not shared, so a write is in place.
      EXPECT_EQ(group.MutateAt(place)->raw_data(), addresses[slot]);
    }
  }
}

TEST(GroupingTest, SplitOfAConstStore_SharesUntilAWrite) {
  ParamStore store = SampleParams();
  std::vector<ParamStore> groups = Partition(store, {Glob("head")}).value();
  ParamStore& head = groups[0];
  EXPECT_TRUE(head.leaf(0).tensor().SharesBytesWith((*store.Get(".head.bias"))->tensor()));
  head.Mutate(".head.bias")->span<float>()[0] = -1;
  EXPECT_EQ(FloatsAt(store, ".head.bias"), (std::vector<float>{30, 31}));
  EXPECT_EQ(FloatsAt(head, ".head.bias"), (std::vector<float>{-1, 31}));
  store.Mutate(".head.weight")->span<float>()[0] = -2;
  EXPECT_EQ(FloatsAt(head, ".head.weight")[0], 30);
}

TEST(GroupingTest, Group_KeepsOnlyItsOwnLeavesAlive) {
  static float numbers[] = {1, 2};
  int released = 0;
  const auto external = [&released] {
    const Buffer buffer =
        Buffer::External(numbers, sizeof(numbers), [&released] { ++released; }).value();
    return Tensor::FromBuffer(DType::kF32, {2}, buffer).value();
  };
  const auto make = [&external] {
    return Flatten(Tree::Struct().With("a", external()).With("b", external())).value().params;
  };
  const Grouping plan = Grouping::Compile(make(), {Glob("a")}).value();
  EXPECT_EQ(released, 2);  // a grouping keeps no leaf alive

  std::vector<ParamStore> groups = plan.Split(make()).value().TakeStores();
  groups.pop_back();  // .b
  EXPECT_EQ(released, 3);
  groups.clear();
  EXPECT_EQ(released, 4);

  auto store = std::make_unique<ParamStore>(make());
  groups = plan.Split(*store).value().TakeStores();
  store.reset();
  EXPECT_EQ(released, 4);
  groups.pop_back();
  EXPECT_EQ(released, 5);
}

TEST(GroupingTest, Group_PathInAnotherGroup_IsNotFoundWithTheReason) {
  std::vector<ParamStore> groups = Partition(SampleParams(), {Glob("**.bias")}).value();
  ParamStore& biases = groups[0];
  EXPECT_EQ(FloatsAt(biases, ".layers[1].bias"), (std::vector<float>{20, 21}));
  EXPECT_EQ(biases.Find(".layers[1].weight"), nullptr);
  EXPECT_THAT(biases.Get(".layers[1].weight"),
              StatusIs(kNotFound, HasSubstr("no leaf at '.layers[1].weight' in this store: its "
                                            "layout has the path, but the leaf was split off")));
  EXPECT_FALSE(biases.complete());
}

TEST(GroupingTest, Grouping_IsSafeFromManyThreads) {
  const ParamStore store = SampleParams();
  const Grouping plan = Grouping::Compile(store, {Glob("**.bias")}).value();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&plan, &store] {
      for (int round = 0; round < 50; ++round) {
        std::vector<ParamStore> groups = plan.Split(store).value().TakeStores();
        groups[0].Mutate(".head.bias")->span<float>()[0] = 0;
        EXPECT_EQ(plan.Explain(".head.bias")->group, 0u);
        EXPECT_THAT(MergeGroups(std::move(groups)), IsOk());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(FloatsAt(store, ".head.bias")[0], 30);
}

}  // namespace
}  // namespace leafstore
