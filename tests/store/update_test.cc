#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/select/partition.h"
#include "leafstore/store/merge.h"

#include "tests/core/status_matchers.h"
#include "tests/status_codes.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

ParamStore HeadOf(const ParamStore& store) {
  return std::move(Partition(store, {Glob("head")}).value()[0]);
}

TEST(UpdateTest, ChangedGroup_IsWrittenBack) {
  ParamStore store = SampleParams();
  const std::vector<const void*> before = AddressesOf(store);
  ParamStore head = HeadOf(store);
  head.Mutate(".head.bias")->span<float>()[0] = -1;
  ASSERT_THAT(Update(&store, head), IsOk());
  EXPECT_EQ(FloatsAt(store, ".head.bias"), (std::vector<float>{-1, 31}));
  EXPECT_EQ(head.size(), 2u);
  // Nothing else was touched.
  std::vector<const void*> after = AddressesOf(store);
  EXPECT_NE(after[1], before[1]);
  after[1] = before[1];
  EXPECT_EQ(after, before);
}

TEST(UpdateTest, Rvalue_IsMovedAndEmptied) {
  ParamStore store = SampleParams();
  ParamStore head = HeadOf(store);
  head.Mutate(".head.bias")->span<float>()[0] = -1;
  const std::vector<const void*> addresses = AddressesOf(head);
  const std::vector<uint64_t> generations = GenerationsOf(head);
  ASSERT_THAT(Update(&store, std::move(head)), IsOk());
  EXPECT_TRUE(head.empty());  // NOLINT: it says so
  EXPECT_EQ(store.leaf(1).tensor().raw_data(), addresses[0]);
  EXPECT_EQ(store.leaf(1).generation(), generations[0]);
  EXPECT_EQ(store.MutateAt(1)->raw_data(), addresses[0]);  // it is the only holder now
}

TEST(UpdateTest, SnapshotOfTheStore_IsUnchanged) {
  ParamStore store = SampleParams();
  const ParamStore snapshot = store.Snapshot().value();
  const StoreState before(snapshot);
  ParamStore head = HeadOf(store);
  ASSERT_THAT(head.Set(".head.bias", Floats({0, 0})), IsOk());
  ASSERT_THAT(Update(&store, std::move(head)), IsOk());
  EXPECT_EQ(StoreState(snapshot), before);
  EXPECT_EQ(FloatsAt(store, ".head.bias")[0], 0);
}

TEST(UpdateTest, OtherLayout_MatchesByPath) {
  ParamStore store = SampleParams();
  ASSERT_THAT(Update(&store, StoreAt({{".steps", Value(1)}, {".layers[1].bias", Floats({0, 0})}})),
              IsOk());
  EXPECT_EQ((*store.Get(".steps"))->value(), Value(1));
  EXPECT_EQ(FloatsAt(store, ".layers[1].bias")[0], 0);
  ParamStore tied = TiedParams();
  ASSERT_THAT(Update(&tied, StoreAt({{".output.table", Floats({0, 0, 0})}})), IsOk());
  EXPECT_EQ(FloatsAt(tied, ".embedding.table")[0], 0);
}

TEST(UpdateTest, Group_IsUpdatedFromItsParent) {
  ParamStore store = SampleParams();
  ParamStore head = HeadOf(store);
  ASSERT_THAT(store.Set(".head.bias", Floats({0, 0})), IsOk());
  const StoreState before(head);
  EXPECT_THAT(Update(&head, store),
              StatusIs(kInvalid,
                       "the group does not fit the store:\nunexpected (6):\n"
                       "  '.activation'\n  '.layers[0].bias'\n  '.layers[0].weight'\n"
                       "  '.layers[1].bias'\n  '.layers[1].weight'\n  '.steps'"));
  EXPECT_EQ(StoreState(head), before);
}

TEST(UpdateTest, Mismatches_AreAllReported) {
  ParamStore store = SampleParams();
  const StoreState before(store);
  ParamStore group = StoreAt({{".head.bais", Value(1)}, {".steps", Value("2")}, {".y", Value(1)}});
  const StoreState group_before(group);
  const auto refused =
      StatusIs(kInvalid,
               "the group does not fit the store:\n"
               "unexpected (2):\n  '.head.bais'; did you mean .head.bias?\n  '.y'\n"
               "dtype mismatch (1):\n  '.steps': expected static int, found static str");
  EXPECT_THAT(Update(&store, group), refused);
  EXPECT_THAT(Update(&store, std::move(group)), refused);
  EXPECT_EQ(StoreState(store), before);
  EXPECT_EQ(StoreState(group), group_before);
}

TEST(UpdateTest, OtherSpecs_AreAllReported) {
  ParamStore store = SampleParams();
  const StoreState before(store);
  ParamStore head = HeadOf(store);
  ASSERT_THAT(head.Upsert(PathFrom(".head.bias"), Floats({1})), IsOk());
  ASSERT_THAT(head.Upsert(PathFrom(".head.weight"), Value(1)), IsOk());
  const StoreState head_before(head);
  const auto refused =
      StatusIs(kInvalid,
               "the group does not fit the store:\n"
               "dtype mismatch (1):\n  '.head.weight': expected f32[2, 2], found static int\n"
               "shape mismatch (1):\n  '.head.bias': expected f32[2], found f32[1]");
  EXPECT_THAT(Update(&store, head), refused);
  EXPECT_THAT(Update(&store, std::move(head)), refused);
  EXPECT_EQ(StoreState(store), before);
  EXPECT_EQ(StoreState(head), head_before);
}

TEST(UpdateTest, AnySpec_ReplacesLeavesByOthers) {
  ParamStore store = SampleParams();
  ParamStore head = HeadOf(store);
  ASSERT_THAT(head.Upsert(PathFrom(".head.bias"), Floats({1})), IsOk());
  ASSERT_THAT(head.Upsert(PathFrom(".head.weight"), Value(1)), IsOk());
  const uint64_t fingerprint = store.spec_fingerprint();
  ASSERT_THAT(Update(&store, head, {.any_spec = true}), IsOk());
  EXPECT_EQ(*store.Find(".head.bias"), Leaf(Floats({1})));
  EXPECT_EQ(*store.Find(".head.weight"), Leaf(Value(1)));
  EXPECT_NE(store.spec_fingerprint(), fingerprint);
  ASSERT_THAT(Update(&store, HeadOf(SampleParams()), {.any_spec = true}), IsOk());
  EXPECT_EQ(store.spec_fingerprint(), fingerprint);
  EXPECT_THAT(Update(&store, StoreAt({{".x", Value(1)}}), {.any_spec = true}),
              StatusIs(kInvalid, HasSubstr("unexpected (1):\n  '.x'")));
}

TEST(UpdateTest, PathAndItsAlias_AreAnError) {
  ParamStore store = TiedParams();
  const StoreState before(store);
  EXPECT_THAT(Update(&store, StoreAt({{".embedding.table", Floats({1, 1, 1})},
                                      {".output.table", Floats({2, 2, 2})}})),
              StatusIs(kInvalid,
                       "the group does not fit the store:\nduplicate (1):\n"
                       "  '.embedding.table' would be both '.embedding.table' and "
                       "'.output.table'"));
  EXPECT_EQ(StoreState(store), before);
}

TEST(UpdateTest, UpdateFromItself_ChangesNothing) {
  ParamStore store = SampleParams();
  const StoreState before(store);
  EXPECT_THAT(Update(&store, store), IsOk());
  EXPECT_EQ(StoreState(store), before);
  ParamStore& same = store;
  EXPECT_THAT(Update(&store, std::move(same)), IsOk());
  EXPECT_EQ(StoreState(store), before);
  const ParamStore snapshot = store.Snapshot().value();
  EXPECT_THAT(Update(&store, snapshot), IsOk());
  EXPECT_EQ(StoreState(store), before);
}

TEST(UpdateTest, SourceWithAnOpenBorrow_IsAnErrorAndChangesNothing) {
  ParamStore store = SampleParams();
  ParamStore group = HeadOf(store);
  const StoreState before(store);
  const auto refused = StatusIs(absl::StatusCode::kFailedPrecondition,
                                HasSubstr("cannot update a store from this one while"));
  {
    MutableTensor writing = group.Mutate(".head.bias").value();
    writing.span<float>()[0] = 7;
    EXPECT_THAT(Update(&store, group), refused);
    EXPECT_THAT(Update(&store, std::move(group)), refused);
    EXPECT_EQ(StoreState(store), before);
    EXPECT_EQ(group.size(), 2u);
  }
  {
    const MutableLeaves writing = group.MutateAll().value();
    EXPECT_THAT(Update(&store, group), refused);
    EXPECT_EQ(StoreState(store), before);
  }
  EXPECT_THAT(Update(&store, std::move(group)), IsOk());
  EXPECT_EQ(FloatsAt(store, ".head.bias")[0], 7);
}

TEST(UpdateTest, EmptyGroup_ChangesNothing) {
  ParamStore store = SampleParams();
  const StoreState before(store);
  EXPECT_THAT(Update(&store, ParamStore()), IsOk());
  EXPECT_EQ(StoreState(store), before);
  ParamStore empty;
  EXPECT_THAT(Update(&empty, ParamStore()), IsOk());
  EXPECT_THAT(Update(&empty, store), StatusIs(kInvalid, HasSubstr("unexpected (8):\n")));
  EXPECT_TRUE(empty.empty());
  EXPECT_EQ(StoreState(store), before);
}

// ---- by dotted form ----

TEST(UpdateByDottedTest, Leaves_MatchByDottedForm) {
  ParamStore store = SampleParams();
  // As in a PyTorch file: one flat dict, or nested dicts.
  const ParamStore file = StoreAt({{"['layers']['1']['bias']", Floats({7, 8})},
                                   {"['head.bias']", Floats({5, 6})},
                                   {"['layers.0.bias']", Floats({1, 2})}});
  ASSERT_THAT(Update(&store, file, {.by = AlignBy::kDotted}), IsOk());
  EXPECT_EQ(*store.Find(".head.bias"), Leaf(Floats({5, 6})));
  EXPECT_EQ(*store.Find(".layers[0].bias"), Leaf(Floats({1, 2})));
  EXPECT_EQ(*store.Find(".layers[1].bias"), Leaf(Floats({7, 8})));
  EXPECT_EQ(*store.Find(".activation"), Leaf(Value("gelu")));
}

TEST(UpdateByDottedTest, Mismatches_AreAllReported) {
  ParamStore store = SampleParams();
  const StoreState before(store);
  const ParamStore file = StoreAt({{"['head.bais']", Value(1)},
                                   {"['head.weight']", Value(1)},
                                   {"['head']['weight']", Value(2)},
                                   {"['steps']", Value("1")},
                                   {"['other']", Value(2)}});
  EXPECT_THAT(
      Update(&store, file, {.by = AlignBy::kDotted}),
      StatusIs(kInvalid, AllOf(HasSubstr("unexpected (2):\n  'head.bais'; did you mean head.bias?\n"
                                         "  'other'\n"),
                               HasSubstr("duplicate (1):\n  '.head.weight' would be both "
                                         "['head']['weight'] and ['head.weight']\n"),
                               HasSubstr("  ['steps']: expected static int, found static str"))));
  EXPECT_EQ(StoreState(store), before);
}

TEST(UpdateByDottedTest, AmbiguousDottedForm_IsAnError) {
  ParamStore store = StoreAt({{".a.b", Value(1)}, {"['a.b']", Value(2)}});
  EXPECT_THAT(
      Update(&store, StoreAt({{"['a']['b']", Value(3)}}), {.by = AlignBy::kDotted}),
      StatusIs(kInvalid, HasSubstr("ambiguous (1):\n  ['a']['b'] could be '.a.b' or ['a.b']")));
}

}  // namespace
}  // namespace leafstore
