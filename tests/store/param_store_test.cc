// The calls of ParamStore, one by one. See param_store_borrow_test.cc for calls during a borrow,
// param_store_model_test.cc for random sequences and threads, and update_test.cc for updates from a
// group.
#include "leafstore/store/param_store.h"

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
using ::testing::ElementsAre;
using ::testing::HasSubstr;

uint64_t GenerationAt(const ParamStore& store, absl::string_view path) {
  return (*store.Get(path))->generation();
}

// ---- making one ----

template <typename T>
concept GivesLeaves = requires(T store) {
  std::forward<T>(store).leaf(0);
  std::forward<T>(store).FindSlot(0);
  std::forward<T>(store).GetDotted("a");
};
template <typename T>
concept GivesAnyLeaf = requires(T store) {
  std::forward<T>(store).leaf(0);
}
|| requires(T store) { std::forward<T>(store).FindSlot(0); }
|| requires(T store) { std::forward<T>(store).GetDotted("a"); };
// References into a temporary would dangle.
static_assert(GivesLeaves<const ParamStore&> && !GivesAnyLeaf<ParamStore>);

TEST(ParamStoreTest, DefaultStore_IsEmpty) {
  const ParamStore store;
  EXPECT_TRUE(store.empty());
  EXPECT_TRUE(store.complete());
  EXPECT_EQ(store.Find(""), nullptr);
  EXPECT_FALSE(store.borrowed());
  EXPECT_THAT(store.Snapshot(), IsOk());
}

TEST(ParamStoreTest, Create_HoldsTheLeavesInTreedefOrder) {
  const ParamStore store = SampleParams();
  EXPECT_EQ(store.size(), 8u);
  EXPECT_TRUE(store.complete());
  EXPECT_EQ(store.leaves().data(), &store.leaf(0));
  EXPECT_EQ(store.Find(".layers[1].weight"), &store.leaf(6));
  EXPECT_EQ(store.FindSlot(6), &store.leaf(6));
  EXPECT_EQ(store.FindSlot(8), nullptr);
  EXPECT_EQ(store.Get(".layers[1].weight").value(), &store.leaf(6));
  EXPECT_EQ(store.GetDotted("layers.1.weight").value(), &store.leaf(6));
  EXPECT_EQ(store.GetPlace(".layers[1].weight").value(), 6u);
  EXPECT_EQ(store.PathText(6), ".layers[1].weight");
}

TEST(ParamStoreTest, Create_RequiresALeafForEachSlot) {
  const TreeDef def = SampleModel().def;
  EXPECT_THAT(ParamStore::Create(def, {}), StatusIs(kInvalid, "leaves: expected 8, found 0"));
  EXPECT_THAT(ParamStore::Create(def, std::vector<Leaf>(8)),
              StatusIs(kInvalid, "at .activation: expected a leaf, found null"));
  EXPECT_THAT(ParamStore::Create(Layout(def), SlotSet::All(7), std::vector<Leaf>(7, Value(1))),
              StatusIs(kInvalid, "slots: expected those of a layout of 8 paths, found 7"));
  EXPECT_THAT(ParamStore::Create(Layout(def), SlotSet::Create(8, {3}).value(),
                                 std::vector<Leaf>(8, Value(1))),
              StatusIs(kInvalid, "leaves: expected 1, found 8"));
  EXPECT_THAT(
      ParamStore::Create(Layout(def), SlotSet::Create(8, {3}).value(), std::vector<Leaf>(1)),
      StatusIs(kInvalid, "at .layers[0].bias: expected a leaf, found null"));
}

TEST(ParamStoreTest, FromEntries_SortsThePaths) {
  const ParamStore store = StoreAt({{".b", Value(1)}, {".a[10]", Value(2)}, {".a[2]", Value(3)}});
  EXPECT_THAT(PathsOf(store), ElementsAre(".a[2]", ".a[10]", ".b"));
  EXPECT_EQ((*store.Get(".a[2]"))->value(), Value(3));
  EXPECT_FALSE(store.layout().has_def());
}

TEST(ParamStoreTest, FromEntries_DuplicatePathOrNullLeaf_IsAnError) {
  std::vector<std::pair<Path, Leaf>> entries;
  entries.emplace_back(PathFrom(".a"), Value(1));
  entries.emplace_back(PathFrom(".a"), Value(1));
  EXPECT_THAT(ParamStore::FromEntries(entries),
              StatusIs(kExists, "path .a: expected it once, found it at indices 0 and 1"));
  entries[1] = {PathFrom(".b"), Leaf()};
  EXPECT_THAT(ParamStore::FromEntries(entries),
              StatusIs(kInvalid, "at .b: expected a leaf, found null"));
  entries[1] = {Path().Item("\xff"), Value(1)};
  EXPECT_THAT(ParamStore::FromEntries(entries),
              StatusIs(kInvalid, "at (root): expected an item in UTF-8, found '\\xff'"));
  EXPECT_TRUE(ParamStore::FromEntries({})->empty());
}

// ---- finding ----

TEST(ParamStoreTest, UnknownPath_IsNotFoundWithSuggestions) {
  ParamStore store = SampleParams();
  const StoreState before(store);
  const auto not_found = StatusIs(
      kNotFound,
      "at .head: expected a child .wieght, found a struct of 2 without it; did you mean .weight?");
  EXPECT_EQ(store.Find(".head.wieght"), nullptr);
  EXPECT_THAT(store.Get(".head.wieght"), not_found);
  EXPECT_THAT(store.GetDotted("head.wieght"),
              StatusIs(kNotFound,
                       "dotted name head.wieght: at .head: expected a child wieght, found a struct "
                       "of 2 without it; did you mean weight?"));
  EXPECT_THAT(store.GetPlace(".head.wieght"), not_found);
  EXPECT_THAT(store.Set(".head.wieght", Value(1)), not_found);
  EXPECT_THAT(store.Erase(".head.wieght"), not_found);
  EXPECT_THAT(store.Mutate(".head.wieght"), not_found);
  EXPECT_EQ(StoreState(store), before);
}

TEST(ParamStoreTest, ContainerOrInvalidPath_IsInvalidArgument) {
  ParamStore store = SampleParams();
  const StoreState before(store);
  const auto no_leaf = StatusIs(kInvalid, "at '.layers': expected a leaf, found list");
  EXPECT_EQ(store.Find(".layers"), nullptr);
  EXPECT_THAT(store.Get(".layers"), no_leaf);
  EXPECT_THAT(store.GetPlace(".layers"), no_leaf);
  EXPECT_THAT(store.Set(".layers", Value(1)), no_leaf);
  EXPECT_THAT(store.Erase(".layers"), no_leaf);
  EXPECT_THAT(store.Mutate(".layers"), no_leaf);
  const auto no_path = StatusIs(kInvalid,
                                "not the text of a path: column 10: expected ']', found '.': "
                                "'.layers[0.weight'");
  EXPECT_EQ(store.Find(".layers[0.weight"), nullptr);
  EXPECT_THAT(store.Get(".layers[0.weight"), no_path);
  EXPECT_THAT(store.GetPlace(".layers[0.weight"), no_path);
  EXPECT_THAT(store.Set(".layers[0.weight", Value(1)), no_path);
  EXPECT_THAT(store.Erase(".layers[0.weight"), no_path);
  EXPECT_THAT(store.Mutate(".layers[0.weight"), no_path);
  EXPECT_EQ(StoreState(store), before);
}

TEST(ParamStoreTest, PathInAnotherGroup_IsNotFoundWithTheReason) {
  std::vector<ParamStore> groups = Partition(SampleParams(), {Glob("head")}).value();
  ParamStore& head = groups[0];
  const StoreState before(head);
  const auto elsewhere =
      StatusIs(kNotFound, AllOf(HasSubstr("steps' in this store"), HasSubstr("another group")));
  EXPECT_EQ(head.Find(".steps"), nullptr);
  EXPECT_EQ(head.FindSlot(7), nullptr);
  EXPECT_THAT(head.Get(".steps"), elsewhere);
  EXPECT_THAT(head.GetDotted("steps"), elsewhere);
  EXPECT_THAT(head.Set(".steps", Value(1)), elsewhere);
  EXPECT_THAT(head.Erase(".steps"), elsewhere);
  EXPECT_THAT(head.Mutate(".steps"), elsewhere);
  EXPECT_EQ(StoreState(head), before);
}

TEST(ParamStoreTest, Select_ReturnsTheLeavesOfSomeSlots) {
  ParamStore store = SampleParams();
  const ParamStore shared = store.Select(SlotSet::FromSorted(8, {1, 7})).value();
  EXPECT_EQ(shared.layout(), store.layout());
  EXPECT_EQ(shared.size(), 2u);
  EXPECT_TRUE(shared.leaf(0).tensor().SharesBytesWith(store.leaf(1).tensor()));
  EXPECT_EQ(shared.Find(".activation"), nullptr);
  const void* const bytes = store.leaf(1).tensor().raw_data();
  const ParamStore moved = std::move(store).Select(shared.slots()).value();
  EXPECT_EQ(moved.leaf(0).tensor().raw_data(), bytes);
  EXPECT_TRUE(store.empty());  // NOLINT: specified
}

TEST(ParamStoreTest, Select_MissingSlots_AreAnError) {
  ParamStore head = std::move(Partition(SampleParams(), {Glob("head")}).value()[0]);
  const StoreState before(head);
  EXPECT_THAT(std::move(head).Select(SlotSet::FromSorted(8, {1, 7})),
              StatusIs(kNotFound, HasSubstr("no leaf at '.steps' in this store")));
  EXPECT_THAT(head.Select(SlotSet::All(9)),
              StatusIs(kInvalid, HasSubstr("expected slots of the store's layout of 8 paths, found "
                                           "slots of a layout of 9")));
  EXPECT_EQ(StoreState(head), before);
  const MutableLeaves open = head.MutateAll().value();
  EXPECT_THAT(head.Select(head.slots()), StatusIs(kPrecondition, HasSubstr("select leaves")));
}

TEST(ParamStoreTest, AmbiguousDottedName_NamesBothPaths) {
  const ParamStore store = StoreAt({{".a.b", Value(1)}, {".'a.b'", Value(2)}});
  EXPECT_THAT(store.GetDotted("a.b"),
              StatusIs(kInvalid, AllOf(HasSubstr("'.a.b'"), HasSubstr(" or .'a.b'; "))));
}

TEST(ParamStoreTest, Alias_ReachesTheOwner) {
  ParamStore store = TiedParams();
  EXPECT_EQ(store.Find(".output.table"), store.Find(".embedding.table"));
  EXPECT_EQ(store.GetDotted("output.table").value(), store.Find(".embedding.table"));
  ASSERT_THAT(store.Set(".output.table", Floats({7, 8, 9})), IsOk());
  EXPECT_EQ(FloatsAt(store, ".embedding.table"), (std::vector<float>{7, 8, 9}));
  store.Mutate(".output.table")->span<float>()[0] = 1;
  EXPECT_EQ(FloatsAt(store, ".embedding.table"), (std::vector<float>{1, 8, 9}));
  const StoreState before(store);
  EXPECT_THAT(store.Insert(PathFrom(".output.table"), Value(1)),
              StatusIs(kExists, "at '.output.table': a leaf exists already"));
  EXPECT_EQ(StoreState(store), before);
  ASSERT_THAT(store.Erase(".output.table"), IsOk());
  EXPECT_THAT(PathsOf(store), ElementsAre(".scale"));
  ASSERT_THAT(store.Insert(PathFrom(".output.table"), Floats({5})), IsOk());
  EXPECT_THAT(PathsOf(store), ElementsAre(".embedding.table", ".scale"));
}

// ---- Set ----

TEST(ParamStoreTest, Set_ReplacesALeafOfTheSameSpec) {
  ParamStore store = SampleParams();
  ASSERT_THAT(store.Set(".head.bias", Floats({1, 2})), IsOk());
  EXPECT_EQ(FloatsAt(store, ".head.bias"), (std::vector<float>{1, 2}));
  ASSERT_THAT(store.SetAt(7, Value(13)), IsOk());
  EXPECT_EQ((*store.Get(".steps"))->value(), Value(13));
}

TEST(ParamStoreTest, Set_OtherSpec_NamesPathExpectedAndFound) {
  ParamStore store = SampleParams();
  const StoreState before(store);
  EXPECT_THAT(store.Set(".head.bias", Floats({1, 2, 3})),
              StatusIs(kInvalid, "at .head.bias: expected f32[2], found f32[3]"));
  EXPECT_THAT(store.Set(".head.bias", Ints({1, 2})),
              StatusIs(kInvalid, "at .head.bias: expected f32[2], found i32[2]"));
  EXPECT_THAT(store.Set(".head.bias", Value(1)),
              StatusIs(kInvalid, "at .head.bias: expected f32[2], found static int"));
  EXPECT_THAT(store.Set(".steps", Value("12")),
              StatusIs(kInvalid, "at .steps: expected static int, found static str"));
  EXPECT_THAT(store.Set(".steps", Leaf()),
              StatusIs(kInvalid, "at .steps: expected a leaf, found null"));
  EXPECT_THAT(store.Upsert(PathFrom(".steps"), Leaf()),
              StatusIs(kInvalid, "at .steps: expected a leaf, found null"));
  EXPECT_THAT(store.SetAt(7, Value(1.5)),
              StatusIs(kInvalid, "at .steps: expected static int, found static float"));
  EXPECT_EQ(StoreState(store), before);
  ASSERT_THAT(store.Upsert(PathFrom(".head.bias"), Value(1)), IsOk());
  EXPECT_EQ((*store.Get(".head.bias"))->value(), Value(1));
}

TEST(ParamStoreTest, Set_TensorBeingWritten_IsAnError) {
  ParamStore store = SampleParams();
  const StoreState before(store);
  Tensor tensor = Floats({1, 2});
  MutableTensor open = tensor.Mutate().value();
  EXPECT_THAT(store.Set(".head.bias", std::move(tensor)),
              StatusIs(kPrecondition, AllOf(HasSubstr("at .head.bias: "), HasSubstr("borrow"))));
  EXPECT_EQ(StoreState(store), before);
}

TEST(ParamStoreTest, Set_LeafIsIndependentOfItsSource) {
  ParamStore store = SampleParams();
  Tensor mine = Floats({1, 2});
  ASSERT_THAT(store.Set(".head.bias", mine), IsOk());
  mine.Mutate()->span<float>()[0] = 9;
  EXPECT_EQ(FloatsAt(store, ".head.bias")[0], 1);
}

// ---- generations ----

TEST(ParamStoreTest, Generation_IncreasesOnSetAndWhenABorrowCloses) {
  ParamStore store = SampleParams();
  uint64_t last = GenerationAt(store, ".head.bias");
  const Leaf same = **store.Get(".head.bias");
  const auto grew = [&store, &last] {
    const uint64_t now = GenerationAt(store, ".head.bias");
    const bool larger = now > last;
    last = now;
    return larger;
  };
  ASSERT_THAT(store.Set(".head.bias", same), IsOk());
  EXPECT_TRUE(grew());
  ASSERT_THAT(store.Set(".head.bias", Floats({1, 2})), IsOk());
  EXPECT_TRUE(grew());
  { const MutableTensor open = store.Mutate(".head.bias").value(); }
  EXPECT_TRUE(grew());
  { EXPECT_THAT(store.MutateAll()->raw_data(1), IsOk()); }
  EXPECT_TRUE(grew());
  EXPECT_FALSE(grew());

  const Leaf value = **store.Get(".steps");
  const uint64_t before = GenerationAt(store, ".steps");
  ASSERT_THAT(store.Set(".steps", value), IsOk());
  EXPECT_GT(GenerationAt(store, ".steps"), before);
}

TEST(ParamStoreTest, Generation_OfOtherLeavesIsUnchanged) {
  ParamStore store = SampleParams();
  std::vector<uint64_t> before = GenerationsOf(store);
  ASSERT_THAT(store.Set(".head.bias", Floats({1, 2})), IsOk());
  { EXPECT_THAT(store.MutateAll()->raw_data(4), IsOk()); }
  std::vector<uint64_t> after = GenerationsOf(store);
  before[1] = after[1] = before[4] = after[4] = 0;
  EXPECT_EQ(before, after);
}

TEST(ParamStoreTest, Generation_IsKeptBySnapshotPartitionMergeAndErase) {
  ParamStore store = SampleParams();
  const std::vector<uint64_t> before = GenerationsOf(store);
  EXPECT_EQ(GenerationsOf(store.Snapshot().value()), before);
  std::vector<ParamStore> groups = Partition(std::move(store), {Glob("head")}).value();
  ParamStore merged = MergeGroups(std::move(groups)).value();
  EXPECT_EQ(GenerationsOf(merged), before);
  ASSERT_THAT(merged.Erase(".activation"), IsOk());
  EXPECT_EQ(GenerationsOf(merged), std::vector<uint64_t>(before.begin() + 1, before.end()));
}

TEST(ParamStoreTest, Generation_DiffersForLeavesWrittenTogether) {
  // Equal generations mean equal bytes, so each leaf of a bulk write needs a different one.
  ParamStore store = SampleParams();
  {
    MutableLeaves open = store.MutateAll().value();
    open.GetSpan<float>(1).value()[0] = 1;
    open.GetSpan<float>(3).value()[0] = 2;
  }
  EXPECT_NE(store.leaf(1).generation(), store.leaf(3).generation());
  EXPECT_FALSE(store.leaf(1) == store.leaf(3));
}

// ---- Insert, Upsert, Erase ----

TEST(ParamStoreTest, Insert_KnownPath_KeepsTheLayout) {
  std::vector<ParamStore> groups = Partition(SampleParams(), {Glob("head")}).value();
  ParamStore& head = groups[0];
  ASSERT_THAT(head.Insert(PathFrom(".activation"), Value("relu")), IsOk());
  ASSERT_THAT(head.Insert(PathFrom(".steps"), Value(1)), IsOk());
  EXPECT_THAT(PathsOf(head), ElementsAre(".activation", ".head.bias", ".head.weight", ".steps"));
  EXPECT_EQ(head.layout(), groups[1].layout());
  EXPECT_EQ(FloatsAt(head, ".head.bias")[0], 30);
}

TEST(ParamStoreTest, Insert_NewPath_MakesALayoutOfPaths) {
  ParamStore store = SampleParams();
  const std::vector<uint64_t> before = GenerationsOf(store);
  ASSERT_THAT(store.Insert(PathFrom(".gate"), Value(true)), IsOk());
  EXPECT_FALSE(store.layout().has_def());
  EXPECT_EQ(store.size(), 9u);
  EXPECT_EQ((*store.Get(".gate"))->value(), Value(true));
  EXPECT_EQ(FloatsAt(store, ".layers[1].bias")[0], 20);
  EXPECT_EQ(GenerationAt(store, ".activation"), before[0]);
}

TEST(ParamStoreTest, Insert_ExistingPathOrNullLeaf_IsAnError) {
  ParamStore store = SampleParams();
  const StoreState before(store);
  EXPECT_THAT(store.Insert(PathFrom(".steps"), Value(1)),
              StatusIs(kExists, "at '.steps': a leaf exists already"));
  EXPECT_THAT(store.Insert(PathFrom(".new"), Leaf()),
              StatusIs(kInvalid, "at '.new': expected a leaf, found null"));
  EXPECT_THAT(store.Insert(Path().Attribute("\xff"), Value(1)),
              StatusIs(kInvalid, "at (root): expected an attribute in UTF-8, found '\\xff'"));
  Tensor tensor = Floats({1});
  MutableTensor open = tensor.Mutate().value();
  EXPECT_THAT(store.Insert(PathFrom(".new"), std::move(tensor)),
              StatusIs(kPrecondition, HasSubstr("at '.new': the tensor is being written")));
  EXPECT_EQ(StoreState(store), before);
}

TEST(ParamStoreTest, Upsert_ReplacesAnySpecOrInserts) {
  ParamStore store = SampleParams();
  ASSERT_THAT(store.Upsert(PathFrom(".steps"), Value("many")), IsOk());
  EXPECT_EQ((*store.Get(".steps"))->value(), Value("many"));
  EXPECT_TRUE(store.layout().has_def());
  ASSERT_THAT(store.Upsert(PathFrom(".gate"), Value(1)), IsOk());
  EXPECT_EQ(store.size(), 9u);
  const StoreState before(store);
  EXPECT_THAT(store.Upsert(PathFrom(".gate"), Leaf()),
              StatusIs(kInvalid, "at .gate: expected a leaf, found null"));
  EXPECT_THAT(store.Upsert(PathFrom(".other"), Leaf()),
              StatusIs(kInvalid, "at '.other': expected a leaf, found null"));
  EXPECT_EQ(StoreState(store), before);
}

TEST(ParamStoreTest, Erase_KeepsTheLayout) {
  ParamStore store = SampleParams();
  ASSERT_THAT(store.Erase(".head.bias"), IsOk());
  EXPECT_EQ(store.size(), 7u);
  EXPECT_EQ(store.layout().size(), 8u);
  EXPECT_FALSE(store.complete());
  EXPECT_EQ(store.Find(".head.bias"), nullptr);
  const StoreState before(store);
  EXPECT_THAT(store.Erase(".head.bias"),
              StatusIs(kNotFound, AllOf(HasSubstr("no leaf at '.head.bias' in this store"),
                                        HasSubstr("or erased"))));
  EXPECT_EQ(StoreState(store), before);
  ASSERT_THAT(store.Insert(PathFrom(".head.bias"), Value(1)), IsOk());
  EXPECT_TRUE(store.complete());
  EXPECT_THAT(PathsOf(store), testing::ElementsAreArray(PathsOf(SampleParams())));
}

TEST(ParamStoreTest, Insert_RefillsAnEmptiedStore) {
  ParamStore store;
  ASSERT_THAT(store.Insert(Path(), Value(1)), IsOk());
  EXPECT_EQ((*store.Get(""))->value(), Value(1));
  ASSERT_THAT(store.Erase(""), IsOk());
  EXPECT_TRUE(store.empty());
  ASSERT_THAT(store.Insert(PathFrom(".a"), Value(2)), IsOk());
  EXPECT_THAT(PathsOf(store), ElementsAre(".a"));
}

// ---- fingerprints ----

TEST(ParamStoreTest, SpecFingerprint_DependsOnTheSpecs) {
  ParamStore store = SampleParams();
  EXPECT_EQ(store.known_spec_fingerprint(), 0u);
  const uint64_t fingerprint = store.spec_fingerprint();
  EXPECT_EQ(store.known_spec_fingerprint(), fingerprint);
  EXPECT_EQ(SampleParams().spec_fingerprint(), fingerprint);

  ASSERT_THAT(store.Set(".head.bias", Floats({5, 5})), IsOk());
  EXPECT_EQ(store.spec_fingerprint(), fingerprint);
  for (const Leaf& other : {Leaf(Floats({1})), Leaf(Ints({1, 2})), Leaf(Value(1)),
                            Leaf(Tensor::Zeros(DType::kF32, {2, 1}).value())}) {
    ASSERT_THAT(store.Upsert(PathFrom(".head.bias"), other), IsOk());
    EXPECT_NE(store.spec_fingerprint(), fingerprint);
  }
  ASSERT_THAT(store.Upsert(PathFrom(".head.bias"), Floats({6, 6})), IsOk());
  EXPECT_EQ(store.spec_fingerprint(), fingerprint);
  // The same specs in other slots must have another fingerprint.
  const ParamStore swapped = StoreAt({{".a", Value(1)}, {".b", Value("1")}});
  const ParamStore straight = StoreAt({{".a", Value("1")}, {".b", Value(1)}});
  EXPECT_NE(swapped.spec_fingerprint(), straight.spec_fingerprint());
}

}  // namespace
}  // namespace leafstore
