#include "leafstore/store/merge.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/select/partition.h"

#include "tests/core/status_matchers.h"
#include "tests/status_codes.h"
#include "tests/store/sample_models.h"
#include "tests/store/sample_stores.h"

namespace leafstore {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<ParamStore> SampleGroups() {
  return Partition(SampleParams(), {Glob("**.bias"), Glob("**.weight")}).value();
}

std::vector<StoreState> StatesOf(const std::vector<ParamStore>& groups) {
  return std::vector<StoreState>(groups.begin(), groups.end());
}

std::vector<std::string> PathsOf(const std::vector<FitReport::Conflict>& conflicts) {
  std::vector<std::string> paths;
  for (const FitReport::Conflict& conflict : conflicts) paths.push_back(conflict.path);
  return paths;
}

std::string Describe(const FitReport::Mismatch& m) {
  return m.path + ": " + m.expected + ", " + m.found;
}

// ---- a whole ----

TEST(MergeTest, GroupsInAnyOrder_MergeToTheSameStore) {
  const ParamStore whole = SampleParams();
  std::vector<int> order = {0, 1, 2};
  do {
    std::vector<ParamStore> groups = SampleGroups();
    const ParamStore merged =
        Merge(groups[order[0]], std::move(groups[order[1]]), groups[order[2]]).value();
    EXPECT_THAT(merged.leaves(), testing::ElementsAreArray(whole.leaves()));
    EXPECT_EQ(merged.layout(), whole.layout());
    EXPECT_TRUE(merged.complete());
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(MergeTest, Rvalues_AreMovedWithBytesAndGenerations) {
  ParamStore store = SampleParams();
  const std::vector<const void*> addresses = AddressesOf(store);
  const std::vector<uint64_t> generations = GenerationsOf(store);
  std::vector<ParamStore> groups = Partition(std::move(store), {Glob("**.bias")}).value();
  ParamStore merged = Merge(std::move(groups[0]), std::move(groups[1])).value();
  EXPECT_TRUE(groups[0].empty());
  EXPECT_TRUE(groups[1].empty());
  EXPECT_EQ(AddressesOf(merged), addresses);
  EXPECT_EQ(GenerationsOf(merged), generations);
  { EXPECT_EQ(merged.MutateAll()->raw_data(1).value(), addresses[1]); }  // the only holder
}

TEST(MergeTest, ConstGroups_AreSharedAndUnchanged) {
  std::vector<ParamStore> groups = SampleGroups();
  const std::vector<StoreState> before = StatesOf(groups);
  ParamStore merged = Merge(groups[0], groups[1], groups[2]).value();
  EXPECT_TRUE(merged.leaf(1).tensor().SharesBytesWith(groups[0].leaf(0).tensor()));
  merged.Mutate(".head.bias")->span<float>()[0] = -1;
  EXPECT_EQ(StatesOf(groups), before);
}

TEST(MergeTest, KnownFingerprints_AreKept) {
  std::vector<ParamStore> groups = SampleGroups();
  for (const ParamStore& group : groups) ASSERT_NE(group.spec_fingerprint(), 0u);
  const ParamStore merged = MergeGroups(std::move(groups)).value();
  EXPECT_EQ(merged.known_spec_fingerprint(), SampleParams().spec_fingerprint());
  groups = SampleGroups();
  ASSERT_THAT(groups[0].Upsert(PathFrom(".head.bias"), Floats({1})), IsOk());
  const ParamStore other = MergeGroups(std::move(groups)).value();
  EXPECT_EQ(other.spec_fingerprint(),
            ParamStore::Create(other.layout(), other.slots(),
                               {other.leaves().begin(), other.leaves().end()})
                ->spec_fingerprint());
  EXPECT_NE(other.spec_fingerprint(), merged.spec_fingerprint());
}

TEST(MergeTest, ExpectedLayout_MayBelongToAMovedGroup) {
  std::vector<ParamStore> groups = SampleGroups();
  const absl::StatusOr<ParamStore> merged =
      MergeGroups(groups[0].layout(), std::move(groups), {.like = &groups[0]});
  ASSERT_THAT(merged, IsOk());
  EXPECT_EQ(StoreState(*merged).leaves, StoreState(SampleParams()).leaves);
  EXPECT_EQ(merged->layout(), SampleParams().layout());
}

TEST(MergeTest, NoGroups_FitAnEmptyLayoutOnly) {
  EXPECT_TRUE(MergeGroups(Layout(), std::vector<ParamStore>())->empty());
  EXPECT_THAT(MergeGroups(std::vector<ParamStore>()),
              StatusIs(kInvalid, "merge: expected groups, found none"));
  EXPECT_TRUE(Merge(ParamStore())->empty());
}

TEST(MergeTest, OtherLayouts_MatchByPath) {
  const ParamStore whole = SampleParams();
  std::vector<ParamStore> groups = SampleGroups();
  // The weights, as from a file without structure.
  std::vector<std::pair<Path, Leaf>> entries;
  for (uint32_t i = 0; i < groups[1].size(); ++i) {
    entries.emplace_back(groups[1].layout().PathOf(groups[1].slot(i)), groups[1].leaf(i));
  }
  groups[1] = ParamStore::FromEntries(std::move(entries)).value();
  const std::vector<StoreState> before = StatesOf(groups);
  EXPECT_THAT(MergeGroups(std::move(groups)),
              StatusIs(kInvalid,
                       "merge: expected groups of one layout, found group 1 on another "
                       "one (3 paths, not 8): pass the expected layout"));
  EXPECT_EQ(StatesOf(groups), before);
  const ParamStore merged = MergeGroups(whole.layout(), std::move(groups)).value();
  EXPECT_THAT(merged.leaves(), testing::ElementsAreArray(whole.leaves()));
  EXPECT_EQ(merged.layout(), whole.layout());
  EXPECT_EQ(merged.spec_fingerprint(), whole.spec_fingerprint());
}

TEST(MergeTest, OtherLayouts_MatchByDottedFormOnRequest) {
  std::vector<ParamStore> groups = SampleGroups();
  groups[2] = StoreAt({{"['activation']", Value("relu")}, {"['steps']", Value(3)}});
  const Layout layout = SampleParams().layout();
  EXPECT_THAT(MergeGroups(layout, PointersTo(groups)),
              StatusIs(kInvalid, HasSubstr("unexpected (2):\n  ['activation']\n")));
  const ParamStore merged =
      MergeGroups(layout, PointersTo(groups), {.by = AlignBy::kDotted}).value();
  EXPECT_EQ(*merged.Find(".activation"), Leaf(Value("relu")));
  EXPECT_EQ(FloatsAt(merged, ".head.bias"), (std::vector<float>{30, 31}));
}

TEST(MergeTest, LayoutOfPaths_CanBeExpected) {
  const ParamStore loose = StoreAt({{"", Value(1)}, {".no_such[0]", Value(2)}});
  std::vector<ParamStore> groups;
  groups.push_back(StoreAt({{".no_such[0]", Value(2)}}));
  groups.push_back(StoreAt({{"", Value(1)}}));
  const ParamStore merged = MergeGroups(loose.layout(), std::move(groups)).value();
  EXPECT_THAT(PathsOf(merged), ElementsAre("", ".no_such[0]"));
  EXPECT_EQ(merged.leaf(1).value(), Value(2));
}

// ---- what does not fit ----

TEST(MergeTest, Mismatches_AreAllReported) {
  const ParamStore like = SampleParams();
  std::vector<ParamStore> groups = SampleGroups();
  ASSERT_THAT(groups[0].Erase(".head.bias"), IsOk());
  ASSERT_THAT(groups[0].Erase(".layers[1].bias"), IsOk());
  ASSERT_THAT(groups[1].Upsert(PathFrom(".head.weight"), Floats({1})), IsOk());
  ASSERT_THAT(groups[1].Upsert(PathFrom(".layers[0].weight"), Ints({1})), IsOk());
  ASSERT_THAT(groups[2].Upsert(PathFrom(".steps"), Value("12")), IsOk());
  groups.push_back(StoreAt({{".head.bais", Value(1)},
                            {".steps", Value(1)},
                            {".zero", Value(1)},
                            {".layers[0].weight", Value(1)}}));
  const std::vector<StoreState> before = StatesOf(groups);

  const FitReport report = CheckMerge(like.layout(), PointersTo(groups), {.like = &like});
  EXPECT_FALSE(report.ok());
  EXPECT_THAT(report.missing, ElementsAre(".head.bias", ".layers[1].bias"));
  EXPECT_THAT(report.unexpected, ElementsAre(".head.bais", ".zero"));
  EXPECT_THAT(PathsOf(report.duplicate), ElementsAre(".layers[0].weight", ".steps"));
  ASSERT_EQ(report.dtype_mismatch.size(), 2u);
  EXPECT_EQ(Describe(report.dtype_mismatch[0]), ".layers[0].weight: f32[2, 2], i32[1]");
  EXPECT_EQ(Describe(report.dtype_mismatch[1]), ".steps: static int, static str");
  ASSERT_EQ(report.shape_mismatch.size(), 1u);
  EXPECT_EQ(Describe(report.shape_mismatch[0]), ".head.weight: f32[2, 2], f32[1]");

  const std::string text =
      "missing (2):\n"
      "  '.head.bias'; did you mean .head.bais?\n"
      "  '.layers[1].bias'\n"
      "unexpected (2):\n"
      "  '.head.bais'\n"
      "  '.zero'\n"
      "duplicate (2):\n"
      "  '.layers[0].weight'\n"
      "  '.steps'\n"
      "dtype mismatch (2):\n"
      "  '.layers[0].weight': expected f32[2, 2], found i32[1]\n"
      "  '.steps': expected static int, found static str\n"
      "shape mismatch (1):\n"
      "  '.head.weight': expected f32[2, 2], found f32[1]";
  EXPECT_EQ(report.ToString(), text);
  const auto refused = StatusIs(kInvalid, "the groups together do not fit the structure:\n" + text);
  EXPECT_THAT(report.ToStatus("the groups together do not fit the structure"), refused);
  EXPECT_THAT(MergeGroups(like.layout(), PointersTo(groups), {.like = &like}), refused);
  EXPECT_THAT(MergeGroups(like.layout(), std::move(groups), {.like = &like}), refused);
  EXPECT_EQ(StatesOf(groups), before);
}

// Expects that merging fails with this message and leaves the groups unchanged.
void ExpectRefused(const Layout& expected, std::vector<ParamStore> groups,
                   const std::string& message) {
  const std::vector<StoreState> before = StatesOf(groups);
  const auto refused =
      StatusIs(kInvalid, "the groups together do not fit the structure:\n" + message);
  EXPECT_THAT(MergeGroups(expected, PointersTo(groups)), refused);
  EXPECT_EQ(StatesOf(groups), before);
  EXPECT_THAT(MergeGroups(expected, std::move(groups)), refused);
  EXPECT_EQ(StatesOf(groups), before);
}

TEST(MergeTest, MissingGroup_NamesEachLeaf) {
  std::vector<ParamStore> groups = SampleGroups();
  groups.pop_back();
  const std::vector<StoreState> before = StatesOf(groups);
  const std::string message = "missing (2):\n  '.activation'\n  '.steps'";
  const auto refused =
      StatusIs(kInvalid, "the groups together do not fit the structure:\n" + message);
  EXPECT_THAT(Merge(groups[0], std::move(groups[1])), refused);
  EXPECT_THAT(MergeGroups(std::move(groups)), refused);
  EXPECT_EQ(StatesOf(groups), before);
  ExpectRefused(SampleParams().layout(), std::move(groups), message);
}

TEST(MergeTest, SingleStore_IsCalledAStoreInTheMessage) {
  ParamStore biases = std::move(SampleGroups()[0]);
  const StoreState before(biases);
  const auto refused = StatusIs(
      kInvalid, testing::StartsWith("the store does not fit the structure:\nmissing (5):\n"));
  const Layout layout = SampleParams().layout();
  EXPECT_THAT(MergeGroups(layout, {&biases}), refused);
  EXPECT_THAT(Merge(std::move(biases)), refused);
  EXPECT_EQ(StoreState(biases), before);  // NOLINT: an error takes nothing
}

TEST(MergeTest, DuplicateGroup_NamesEachLeaf) {
  std::vector<ParamStore> groups = SampleGroups();
  groups.push_back(groups[0].Snapshot().value());
  const std::vector<StoreState> before = StatesOf(groups);
  const std::string message =
      "duplicate (3):\n  '.head.bias'\n  '.layers[0].bias'\n  '.layers[1].bias'";
  const auto refused =
      StatusIs(kInvalid, "the groups together do not fit the structure:\n" + message);
  EXPECT_THAT(Merge(groups[0], std::move(groups[1]), groups[2], std::move(groups[3])), refused);
  EXPECT_THAT(MergeGroups(std::move(groups)), refused);
  EXPECT_EQ(StatesOf(groups), before);
  ExpectRefused(SampleParams().layout(), std::move(groups), message);
}

TEST(MergeTest, GroupOfAnotherModel_NamesEachLeaf) {
  std::vector<ParamStore> groups = SampleGroups();
  groups.push_back(TiedParams());
  const std::vector<StoreState> before = StatesOf(groups);
  const auto refused =
      StatusIs(kInvalid,
               "merge: expected groups of one layout, found group 3 on another one (2 paths, not "
               "8): pass the expected layout");
  EXPECT_THAT(Merge(groups[0], std::move(groups[1]), groups[2], std::move(groups[3])), refused);
  EXPECT_THAT(MergeGroups(std::move(groups)), refused);
  EXPECT_EQ(StatesOf(groups), before);
  ExpectRefused(SampleParams().layout(), std::move(groups),
                "unexpected (2):\n  '.embedding.table'\n  '.scale'");
}

TEST(MergeTest, GroupsInAnyOrder_HaveTheSameReport) {
  const Layout layout = SampleParams().layout();
  std::vector<ParamStore> groups = SampleGroups();
  ASSERT_THAT(groups[0].Erase(".head.bias"), IsOk());
  groups.push_back(StoreAt({{".b", Value(1)}, {".steps", Value(1)}}));
  groups.push_back(StoreAt({{".a", Value(1)}, {".b", Value(1)}, {".activation", Value(1)}}));
  const std::string forward = CheckMerge(layout, PointersTo(groups)).ToString();
  std::reverse(groups.begin(), groups.end());
  EXPECT_EQ(CheckMerge(layout, PointersTo(groups)).ToString(), forward);
}

TEST(MergeTest, LeafInThreeGroups_IsNamedOnce) {
  const ParamStore store = SampleParams();
  const StoreState before(store);
  const FitReport report = CheckMerge(store.layout(), {&store, &store, &store});
  EXPECT_EQ(PathsOf(report.duplicate), PathsOf(store));
  EXPECT_THAT(Merge(store, store),
              StatusIs(kInvalid, HasSubstr("duplicate (8):\n  '.activation'\n  '.head.bias'\n")));
  EXPECT_EQ(StoreState(store), before);
}

TEST(MergeTest, SameStoreTwice_IsAnErrorAndKeepsTheStore) {
  ParamStore store = SampleParams();
  const StoreState before(store);
  ParamStore& same = store;
  const auto refused = StatusIs(kInvalid, HasSubstr("duplicate (8):\n  '.activation'\n"));
  EXPECT_THAT(Merge(std::move(store), std::move(same)), refused);
  EXPECT_THAT(Merge(store, std::move(same)), refused);
  EXPECT_EQ(StoreState(store), before);
}

TEST(MergeTest, Duplicates_AreInLayoutOrder) {
  Tree list = Tree::List();
  for (int i = 0; i < 11; ++i) list.Add(Value(i));
  const ParamStore store = Flatten(list).value().params;
  EXPECT_EQ(PathsOf(CheckMerge(store.layout(), {&store, &store}).duplicate), PathsOf(store));
}

TEST(MergeTest, PathAndItsAlias_AreDuplicates) {
  const ParamStore tied = TiedParams();
  const ParamStore loose = StoreAt({{".embedding.table", Floats({1, 2, 3})},
                                    {".output.table", Floats({1, 2, 3})},
                                    {".scale", Floats({4})}});
  EXPECT_THAT(PathsOf(CheckMerge(tied.layout(), {&loose}).duplicate),
              ElementsAre(".embedding.table"));
  const ParamStore by_alias =
      StoreAt({{".output.table", Floats({1, 2, 3})}, {".scale", Floats({4})}});
  EXPECT_TRUE(CheckMerge(tied.layout(), {&by_alias}).ok());
}

TEST(MergeTest, Like_ChecksTheSharedPaths) {
  const ParamStore store = SampleParams();
  const ParamStore other = StoreAt({{".head.bias", Floats({1})}, {".elsewhere", Value(1)}});
  const FitReport report = CheckMerge(store.layout(), {&store}, {.like = &other});
  ASSERT_EQ(report.shape_mismatch.size(), 1u);
  EXPECT_EQ(Describe(report.shape_mismatch[0]), ".head.bias: f32[1], f32[2]");
  EXPECT_THAT(report.dtype_mismatch, IsEmpty());
  const ParamStore group = std::move(Partition(store, {Glob("head")}).value()[0]);
  EXPECT_TRUE(CheckMerge(store.layout(), {&store}, {.like = &group}).ok());
  EXPECT_EQ(CheckMerge(store.layout(), {&group}, {.like = &store}).missing.size(), 6u);
}

TEST(MergeTest, StaticLeafForATensor_IsADTypeMismatch) {
  const ParamStore like = StoreAt({{".a", Floats({1})}});
  const ParamStore store = StoreAt({{".a", Value(1)}});
  const FitReport report = CheckMerge(like.layout(), {&store}, {.like = &like});
  ASSERT_EQ(report.dtype_mismatch.size(), 1u);
  EXPECT_EQ(Describe(report.dtype_mismatch[0]), ".a: f32[1], static int");
}

TEST(MergeTest, OpenBorrow_IsAnErrorAndMovesNothing) {
  std::vector<ParamStore> groups = SampleGroups();
  MutableTensor open = groups[1].Mutate(".head.weight").value();
  const std::vector<StoreState> before = StatesOf(groups);
  const auto refused = StatusIs(absl::StatusCode::kFailedPrecondition,
                                "cannot merge while a mutable borrow of this store is open: close "
                                "it first");
  EXPECT_THAT(MergeGroups(std::move(groups)), refused);
  EXPECT_THAT(Merge(std::move(groups[0]), groups[1], std::move(groups[2])), refused);
  EXPECT_EQ(StatesOf(groups), before);
}

TEST(MergeTest, Report_SuggestsForTheFirstMissingPaths) {
  std::vector<std::pair<std::string, Leaf>> wanted, given;
  for (int i = 0; i < 20; ++i) {
    const std::string name = ".block_" + std::string(1, static_cast<char>('a' + i));
    wanted.push_back({name + "_weight", Value(1)});
    given.push_back({name + "_wieght", Value(1)});
  }
  const ParamStore whole = StoreAt(wanted), group = StoreAt(given);
  const std::string text = CheckMerge(whole.layout(), {&group}).ToString();
  EXPECT_THAT(text, HasSubstr("'.block_a_weight'; did you mean .block_a_wieght"));
  EXPECT_THAT(text, HasSubstr("'.block_t_weight'\n"));
}

TEST(MergeTest, ManyMismatches_AreReportedQuickly) {
  Tree one = Tree::Dict(), other = Tree::Dict();
  for (int i = 0; i < 100'000; ++i) {
    one.With("weight_" + std::to_string(i), Value(i));
    other.With("wieght_" + std::to_string(i), Value(i));
  }
  // With an alias, so that no table of paths knows all.
  const auto node = std::make_shared<Tree>(Value(1));
  other.With("x", Tree::Shared(node)).With("y", Tree::Shared(node));
  const ParamStore a = Flatten(one).value().params, b = Flatten(other).value().params;
  const FitReport report = CheckMerge(b.layout(), {&a});
  EXPECT_EQ(report.missing.size(), 100'001u);
  EXPECT_EQ(report.unexpected.size(), 100'000u);
  const std::string text = report.ToString();
  EXPECT_THAT(text, AllOf(HasSubstr("missing (100001):"), HasSubstr("unexpected (100000):"),
                          HasSubstr(" more")));
  EXPECT_LT(text.size(), 3'000'000u);
}

}  // namespace
}  // namespace leafstore
