// ParamStore while it is being written, and its snapshots.
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/select/groups.h"
#include "leafstore/select/partition.h"
#include "leafstore/store/merge.h"
#include "leafstore/store/param_store.h"

#include "tests/core/status_matchers.h"
#include "tests/status_codes.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using ::testing::HasSubstr;

TEST(ParamStoreBorrowTest, Mutate_WritesInPlace) {
  ParamStore store = SampleParams();
  const std::vector<const void*> before = AddressesOf(store);
  {
    MutableTensor open = store.Mutate(".head.bias").value();
    EXPECT_TRUE(store.borrowed());
    open.span<float>()[0] = 5;
  }
  EXPECT_FALSE(store.borrowed());
  EXPECT_EQ(FloatsAt(store, ".head.bias"), (std::vector<float>{5, 31}));
  EXPECT_EQ(AddressesOf(store), before);
}

TEST(ParamStoreBorrowTest, MutateOfAStaticLeaf_IsAnError) {
  ParamStore store = SampleParams();
  EXPECT_THAT(store.Mutate(".steps"),
              StatusIs(kInvalid, "at .steps: expected a tensor, found static int"));
  EXPECT_FALSE(store.borrowed());
  MutableLeaves open = store.MutateAll().value();
  EXPECT_THAT(open.raw_data(7), StatusIs(kInvalid, "leaf 7: expected a tensor, found static int"));
  EXPECT_THAT(open.GetSpan<float>(7), StatusIs(kInvalid, HasSubstr("leaf 7: expected a tensor")));
  EXPECT_THAT(open.GetSpan<int32_t>(1),
              StatusIs(kInvalid, HasSubstr("expected a tensor of i32, found f32")));
}

// Expects errors from all calls that would read or move the store during a borrow.
void ExpectRefusedWhileBorrowed(ParamStore& store) {
  const StoreState before(store);
  const Grouping plan = Grouping::Compile(SampleParams(), {filters::All()}).value();
  const auto refused = [](const std::string& what) {
    return StatusIs(
        kPrecondition,
        "cannot " + what + " while a mutable borrow of this store is open: close it first");
  };
  ParamStore other = SampleParams();
  const StoreState other_before(other);
  EXPECT_THAT(store.Snapshot(), refused("take a snapshot"));
  EXPECT_THAT(store.Set(".steps", Value(1)), refused("set a leaf"));
  EXPECT_THAT(store.SetAt(0, Value("x")), refused("set a leaf"));
  EXPECT_THAT(store.Insert(PathFrom(".new"), Value(1)), refused("insert a leaf"));
  EXPECT_THAT(store.Upsert(PathFrom(".new"), Value(1)), refused("insert a leaf"));
  EXPECT_THAT(store.Upsert(PathFrom(".steps"), Value(1)), refused("set a leaf"));
  EXPECT_THAT(store.Erase(".steps"), refused("erase a leaf"));
  EXPECT_THAT(store.MutateAll(), refused("open all leaves for writing"));
  EXPECT_THAT(Update(&store, other), refused("update from a group"));
  EXPECT_THAT(Update(&store, SampleParams()), refused("update from a group"));
  EXPECT_THAT(Update(&other, store), refused("update a store from this one"));
  EXPECT_THAT(Update(&other, std::move(store)), refused("update a store from this one"));
  EXPECT_THAT(plan.Split(store), refused("partition"));
  EXPECT_THAT(plan.Split(std::move(store)), refused("partition"));
  EXPECT_THAT(Grouping::Compile(store, std::vector<Filter>{}), refused("partition"));
  EXPECT_THAT(Merge(store), refused("merge"));
  EXPECT_THAT(Merge(std::move(store)), refused("merge"));
  EXPECT_THAT(store.CheckNoBorrow("dance"), refused("dance"));
  EXPECT_EQ(StoreState(store), before);
  EXPECT_TRUE(store.borrowed());
  EXPECT_EQ(StoreState(other), other_before);
}

TEST(ParamStoreBorrowTest, OpenLeaf_MakesOtherCallsErrors) {
  ParamStore store = SampleParams();
  MutableTensor open = store.Mutate(".head.bias").value();
  open.span<float>()[0] = 8;
  ExpectRefusedWhileBorrowed(store);
  EXPECT_THAT(
      store.Mutate(".head.bias"),
      StatusIs(kPrecondition, HasSubstr("at .head.bias: the tensor is already being written")));
  {
    MutableTensor another = store.Mutate(".head.weight").value();  // another leaf may be
    another.span<float>()[0] = 9;
  }
  EXPECT_TRUE(store.borrowed());
  open.Close();
  EXPECT_FALSE(store.borrowed());
  EXPECT_EQ(FloatsAt(store, ".head.bias")[0], 8);
  EXPECT_EQ(FloatsAt(store, ".head.weight")[0], 9);
  EXPECT_THAT(store.Snapshot(), IsOk());
}

TEST(ParamStoreBorrowTest, OpenStore_MakesOtherCallsErrors) {
  ParamStore store = SampleParams();
  {
    MutableLeaves open = store.MutateAll().value();
    EXPECT_EQ(open.size(), 8u);
    open.GetSpan<float>(1).value()[0] = 8;
    EXPECT_EQ(open.leaf(1).tensor().span<float>()[0], 8);
    ExpectRefusedWhileBorrowed(store);
    EXPECT_THAT(store.MutateAt(1),
                StatusIs(kPrecondition, HasSubstr("cannot open a leaf for writing")));
    const MutableLeaves moved = std::move(open);
    EXPECT_TRUE(store.borrowed());
  }
  EXPECT_FALSE(store.borrowed());
  EXPECT_THAT(store.MutateAt(1), IsOk());
}

TEST(ParamStoreBorrowTest, Borrow_StaysOpenWhenTheStoreMoves) {
  ParamStore store = SampleParams();
  MutableTensor open = store.Mutate(".head.bias").value();
  ParamStore moved = std::move(store);
  EXPECT_TRUE(moved.borrowed());
  EXPECT_THAT(moved.Snapshot(), StatusIs(kPrecondition, HasSubstr("cannot take a snapshot while")));
  open.span<float>()[0] = 8;
  open.Close();
  EXPECT_FALSE(moved.borrowed());
  EXPECT_EQ(FloatsAt(moved, ".head.bias")[0], 8);
  store = SampleParams();  // what was moved from takes a new one
  EXPECT_EQ(store.size(), 8u);
}

// ---- snapshots ----

TEST(ParamStoreSnapshotTest, SnapshotAndStore_AreIndependent) {
  ParamStore store = SampleParams();
  ParamStore snapshot = store.Snapshot().value();
  const StoreState before(store);
  store.Mutate(".head.bias")->span<float>()[0] = -1;
  ASSERT_THAT(store.Set(".steps", Value(13)), IsOk());
  { store.MutateAll()->GetSpan<float>(2).value()[0] = -3; }
  ASSERT_THAT(store.Erase(".activation"), IsOk());
  EXPECT_EQ(StoreState(snapshot), before);

  const StoreState changed(store);
  snapshot.Mutate(".head.bias")->span<float>()[0] = -2;
  ASSERT_THAT(snapshot.Set(".steps", Value(14)), IsOk());
  ASSERT_THAT(snapshot.Insert(PathFrom(".new"), Value(1)), IsOk());
  EXPECT_EQ(StoreState(store), changed);
}

TEST(ParamStoreSnapshotTest, Write_ClonesOnlyTheWrittenLeaves) {
  ParamStore store = SampleParams();
  const ParamStore snapshot = store.Snapshot().value();
  EXPECT_EQ(AddressesOf(snapshot), AddressesOf(store));
  EXPECT_EQ(snapshot.leaves().data(), store.leaves().data());  // not even the handles are copied
  { EXPECT_THAT(store.MutateAll()->raw_data(3), IsOk()); }
  for (uint32_t place = 0; place < store.size(); ++place) {
    if (!store.leaf(place).is_tensor()) continue;
    EXPECT_EQ(store.leaf(place).tensor().SharesBytesWith(snapshot.leaf(place).tensor()),
              place != 3);
  }
}

TEST(ParamStoreSnapshotTest, Overwrite_CopiesNothingAndKeepsTheSnapshot) {
  ParamStore store =
      ParamStore::FromEntries({{Path::Parse(".a").value(), Tensor::From<int>({2}, {1, 2}).value()},
                               {Path::Parse(".n").value(), Value(1)}})
          .value();
  const ParamStore held = store.Snapshot().value();
  {
    MutableLeaves open = store.MutateAll().value();
    const MutableLeaves::Overwrite a = open.overwrite(0).value();
    EXPECT_EQ(a.from, held.leaf(0).tensor().raw_data());
    EXPECT_NE(a.to, a.from);
    const int next[] = {7, 8};
    std::memcpy(a.to, next, sizeof(next));
    EXPECT_THAT(open.overwrite(1), StatusIs(absl::StatusCode::kInvalidArgument,
                                            testing::HasSubstr("expected a tensor")));
  }
  EXPECT_THAT(store.leaf(0).tensor().span<int>(), testing::ElementsAre(7, 8));
  EXPECT_THAT(held.leaf(0).tensor().span<int>(), testing::ElementsAre(1, 2));
  MutableLeaves open = store.MutateAll().value();
  const MutableLeaves::Overwrite alone = open.overwrite(0).value();
  EXPECT_EQ(alone.from, alone.to) << "nothing else sees these bytes";
}

TEST(ParamStoreSnapshotTest, RevertOverwrites_RestoresTheLeaves) {
  ParamStore store =
      ParamStore::FromEntries({{Path::Parse(".a").value(), Tensor::From<int>({2}, {1, 2}).value()}})
          .value();
  const ParamStore held = store.Snapshot().value();
  MutableLeaves open = store.MutateAll().value();
  ASSERT_THAT(open.overwrite(0), IsOk());
  open.RevertOverwrites();
  EXPECT_EQ(open.leaf(0).tensor().raw_data(), held.leaf(0).tensor().raw_data());
  EXPECT_EQ(open.leaf(0).tensor().generation(), held.leaf(0).tensor().generation());
}

TEST(ParamStoreSnapshotTest, WriteAfterTheSnapshotIsGone_IsInPlace) {
  ParamStore store = SampleParams();
  { const ParamStore snapshot = store.Snapshot().value(); }
  const std::vector<const void*> before = AddressesOf(store);
  const Leaf* leaves = store.leaves().data();
  store.Mutate(".head.bias")->span<float>()[0] = -1;
  EXPECT_EQ(AddressesOf(store), before);
  EXPECT_EQ(store.leaves().data(), leaves);
}

TEST(ParamStoreSnapshotTest, TakeLeaves_KeepsTheSnapshot) {
  ParamStore store = SampleParams();
  const ParamStore snapshot = store.Snapshot().value();
  const StoreState before(snapshot);
  const std::vector<Leaf> leaves = std::move(store).TakeLeaves();
  EXPECT_EQ(leaves.size(), 8u);
  EXPECT_TRUE(store.empty());  // NOLINT: it says so
  EXPECT_EQ(StoreState(snapshot), before);
}

TEST(ParamStoreBorrowTest, FromEntries_LeafBeingWritten_IsAnError) {
  Tensor tensor = Floats({1, 2});
  MutableTensor writing = tensor.Mutate().value();
  std::vector<std::pair<Path, Leaf>> entries;
  entries.emplace_back(PathFrom(".a"), Value(1));
  entries.emplace_back(PathFrom(".b"), Leaf(std::move(tensor)));  // moved: a copy would be its own
  EXPECT_THAT(ParamStore::FromEntries(std::move(entries)),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       "at '.b': the tensor is being written: a borrow of it is open"));
}

}  // namespace
}  // namespace leafstore
