// ParamStore::Update: a group goes back into its parent.
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/select/partition.h"

#include "tests/core/status_matchers.h"
#include "tests/status_codes.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using ::testing::HasSubstr;

ParamStore HeadOf(const ParamStore& store) {
  return std::move(Partition(store, {Glob("head")}).value()[0]);
}

TEST(UpdateTest, WhatWasDoneToAGroupGoesBack) {
  ParamStore store = SampleParams();
  const std::vector<const void*> before = AddressesOf(store);
  ParamStore head = HeadOf(store);
  head.Mutate(".head.bias")->span<float>()[0] = -1;
  ASSERT_THAT(store.Update(head), IsOk());
  EXPECT_EQ(FloatsAt(store, ".head.bias"), (std::vector<float>{-1, 31}));
  EXPECT_EQ(head.size(), 2u);
  // Nothing else was touched.
  std::vector<const void*> after = AddressesOf(store);
  EXPECT_NE(after[1], before[1]);
  after[1] = before[1];
  EXPECT_EQ(after, before);
}

TEST(UpdateTest, AGroupThatIsGivenIsMovedIn) {
  ParamStore store = SampleParams();
  ParamStore head = HeadOf(store);
  head.Mutate(".head.bias")->span<float>()[0] = -1;
  const std::vector<const void*> addresses = AddressesOf(head);
  const std::vector<uint64_t> generations = GenerationsOf(head);
  ASSERT_THAT(store.Update(std::move(head)), IsOk());
  EXPECT_TRUE(head.empty());  // NOLINT: it says so
  EXPECT_EQ(store.leaf(1).tensor().raw_data(), addresses[0]);
  EXPECT_EQ(store.leaf(1).generation(), generations[0]);
  EXPECT_EQ(store.MutateAt(1)->raw_data(), addresses[0]);  // it is the only holder now
}

TEST(UpdateTest, ASnapshotOfTheParentDoesNotChange) {
  ParamStore store = SampleParams();
  const ParamStore snapshot = store.Snapshot().value();
  const StoreState before(snapshot);
  ParamStore head = HeadOf(store);
  ASSERT_THAT(head.Set(".head.bias", Floats({0, 0})), IsOk());
  ASSERT_THAT(store.Update(std::move(head)), IsOk());
  EXPECT_EQ(StoreState(snapshot), before);
  EXPECT_EQ(FloatsAt(store, ".head.bias")[0], 0);
}

TEST(UpdateTest, ByPathFromAnotherLayout) {
  ParamStore store = SampleParams();
  ASSERT_THAT(store.Update(StoreAt({{".steps", Value(1)}, {".layers[1].bias", Floats({0, 0})}})),
              IsOk());
  EXPECT_EQ((*store.Get(".steps"))->value(), Value(1));
  EXPECT_EQ(FloatsAt(store, ".layers[1].bias")[0], 0);
  ParamStore tied = TiedParams();
  ASSERT_THAT(tied.Update(StoreAt({{".output.table", Floats({0, 0, 0})}})), IsOk());
  EXPECT_EQ(FloatsAt(tied, ".embedding.table")[0], 0);
}

TEST(UpdateTest, AGroupIsUpdatedFromItsParent) {
  ParamStore store = SampleParams();
  ParamStore head = HeadOf(store);
  ASSERT_THAT(store.Set(".head.bias", Floats({0, 0})), IsOk());
  const StoreState before(head);
  EXPECT_THAT(head.Update(store), StatusIs(kNotFound,
                                           "the group has 6 path(s) that are not in this store: "
                                           ".activation, .layers[0].bias, .layers[0].weight, "
                                           ".layers[1].bias, .layers[1].weight, .steps"));
  EXPECT_EQ(StoreState(head), before);
}

TEST(UpdateTest, ListsAllThatIsNotThere) {
  ParamStore store = SampleParams();
  const StoreState before(store);
  ParamStore group = StoreAt({{".x", Value(1)}, {".steps", Value(2)}, {".y", Value(1)}});
  const StoreState group_before(group);
  const auto refused =
      StatusIs(kNotFound, "the group has 2 path(s) that are not in this store: .x, .y");
  EXPECT_THAT(store.Update(group), refused);
  EXPECT_THAT(store.Update(std::move(group)), refused);
  EXPECT_EQ(StoreState(store), before);
  EXPECT_EQ(StoreState(group), group_before);
}

TEST(UpdateTest, ListsAllSpecsThatDiffer) {
  ParamStore store = SampleParams();
  const StoreState before(store);
  ParamStore head = HeadOf(store);
  ASSERT_THAT(head.Set(".head.bias", Floats({1}), SetCheck::kAnything), IsOk());
  ASSERT_THAT(head.Set(".head.weight", Value(1), SetCheck::kAnything), IsOk());
  const StoreState head_before(head);
  const auto refused =
      StatusIs(kInvalid,
               "the group has 2 leaves of another dtype or shape: .head.bias: expected "
               "f32[2], found f32[1]; .head.weight: expected f32[2, 2], found static int");
  EXPECT_THAT(store.Update(head), refused);
  EXPECT_THAT(store.Update(std::move(head)), refused);
  EXPECT_EQ(StoreState(store), before);
  EXPECT_EQ(StoreState(head), head_before);

  const uint64_t fingerprint = store.spec_fingerprint();
  ASSERT_THAT(store.Update(std::move(head), SetCheck::kAnything), IsOk());
  EXPECT_EQ(FloatsAt(store, ".head.bias"), (std::vector<float>{1}));
  EXPECT_NE(store.spec_fingerprint(), fingerprint);
  ASSERT_THAT(store.Update(HeadOf(SampleParams()), SetCheck::kAnything), IsOk());
  EXPECT_EQ(store.spec_fingerprint(), fingerprint);
}

TEST(UpdateTest, APathAndItsAliasTogetherAreAnError) {
  ParamStore store = TiedParams();
  const StoreState before(store);
  EXPECT_THAT(store.Update(StoreAt(
                  {{".embedding.table", Floats({1, 1, 1})}, {".output.table", Floats({2, 2, 2})}})),
              StatusIs(kInvalid,
                       "the group has two paths that both lead to .embedding.table in "
                       "this store"));
  EXPECT_EQ(StoreState(store), before);
}

TEST(UpdateTest, FromItselfChangesNothing) {
  ParamStore store = SampleParams();
  const StoreState before(store);
  EXPECT_THAT(store.Update(store), IsOk());
  EXPECT_EQ(StoreState(store), before);
  ParamStore& same = store;
  EXPECT_THAT(store.Update(std::move(same)), IsOk());
  EXPECT_EQ(StoreState(store), before);
  const ParamStore snapshot = store.Snapshot().value();
  EXPECT_THAT(store.Update(snapshot), IsOk());
  EXPECT_EQ(StoreState(store), before);
}

TEST(UpdateTest, AnEmptyGroupIsFine) {
  ParamStore store = SampleParams();
  const StoreState before(store);
  EXPECT_THAT(store.Update(ParamStore()), IsOk());
  EXPECT_EQ(StoreState(store), before);
  ParamStore empty;
  EXPECT_THAT(empty.Update(ParamStore()), IsOk());
  EXPECT_THAT(empty.Update(store),
              StatusIs(kNotFound, HasSubstr("the group has 8 path(s) that are not in this store")));
  EXPECT_TRUE(empty.empty());
  EXPECT_EQ(StoreState(store), before);
}

}  // namespace
}  // namespace leafstore
