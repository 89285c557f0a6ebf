// Groupings: names, indices, errors. See compiled_grouping_test.cc for splits.
#include "leafstore/select/grouping.h"

#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/select/groups.h"

#include "tests/core/status_matchers.h"
#include "tests/status_codes.h"
#include "tests/store/sample_stores.h"

namespace leafstore {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Indices = std::vector<uint32_t>;

Layout LayoutOfSize(uint32_t size) {
  std::vector<Path> paths;
  for (uint32_t i = 0; i < size; ++i) paths.push_back(Path().Attribute("p").Index(i));
  return Layout::Create(std::move(paths)).value();
}

std::vector<Slot> EverySlotOf(const SlotSet& set) {
  std::vector<Slot> slots;
  for (uint32_t place = 0; place < set.size(); ++place) slots.push_back(set.SlotAt(place));
  return slots;
}

TEST(GroupingTest, GroupOf_ReturnsTheGroupOfEachSlot) {
  const Layout layout = LayoutOfSize(5);
  const Grouping grouping =
      Grouping::Create(layout, Indices{1, 0, kNoGroup, 1, 1}, {"bias", "rest"}).value();
  EXPECT_EQ(grouping.layout(), layout);
  EXPECT_EQ(grouping.group_count(), 2u);
  EXPECT_THAT(grouping.names(), ElementsAre("bias", "rest"));
  EXPECT_EQ(grouping.GroupOf(0), 1u);
  EXPECT_EQ(grouping.GroupOf(1), 0u);
  EXPECT_EQ(grouping.GroupOf(2), kNoGroup);
  EXPECT_EQ(grouping.GroupOf(5), kNoGroup);  // not a slot
  EXPECT_THAT(EverySlotOf(grouping.SlotsOf(0)), ElementsAre(1));
  EXPECT_THAT(EverySlotOf(grouping.SlotsOf(1)), ElementsAre(0, 3, 4));
  EXPECT_EQ(grouping.SlotsOf(1).universe(), 5u);
}

TEST(GroupingTest, EmptyGroup_IsAllowed) {
  const Grouping grouping = Grouping::Create(LayoutOfSize(1), Indices{1}, {"none", "all"}).value();
  EXPECT_TRUE(grouping.SlotsOf(0).empty());
}

TEST(GroupingTest, NoGroups_ContainNoSlot) {
  const Grouping none;
  EXPECT_EQ(none.group_count(), 0u);
  EXPECT_EQ(none.GroupOf(0), kNoGroup);
  const Grouping unlabelled =
      Grouping::Create(LayoutOfSize(2), Indices{kNoGroup, kNoGroup}, {}).value();
  EXPECT_EQ(unlabelled.GroupOf(1), kNoGroup);
  EXPECT_EQ(unlabelled.ToString(), "in no group: 2");
}

TEST(GroupingTest, CompiledFromNamedFilters_HasTheirGroups) {
  const ParamStore store =
      StoreOf({{"bias", Floats({1})}, {"gain", Floats({1})}, {"w", Ints({1})}});
  const Grouping grouping = Grouping::Compile(store, {{"biases", Glob("bias")},
                                                      {"ints", LeavesOnly(DTypeIs(DType::kI32))},
                                                      {"rest", Rest()}})
                                .value();
  EXPECT_EQ(grouping.layout(), store.layout());
  EXPECT_EQ(grouping.name(grouping.GroupOf(0)), "biases");
  EXPECT_EQ(grouping.name(grouping.GroupOf(1)), "rest");
  EXPECT_EQ(grouping.name(grouping.GroupOf(2)), "ints");
  EXPECT_EQ(grouping.ToString(), "biases: 1 leaf, ints: 1 leaf, rest: 1 leaf");
  EXPECT_EQ(grouping,
            Grouping::Create(store.layout(), Indices{0, 2, 1}, {"biases", "ints", "rest"}).value());
  EXPECT_EQ(grouping.Explain(".bias")->text,
            "'.bias' is in group 'biases': its filter (bias) matched '.bias'");
  EXPECT_EQ(grouping.Explain(".gain")->text,
            "'.gain' is in group 'rest', the rest: no filter matched it or a node above it");
}

TEST(GroupingTest, CompiledFromUnnamedFilters_NamesGroupsByIndex) {
  const ParamStore store = StoreOf({{"a", Floats({1})}, {"b", Floats({1})}});
  const Grouping grouping =
      Grouping::Compile(store, std::vector<Filter>{Glob("b"), Glob("nowhere")}).value();
  EXPECT_THAT(grouping.names(), ElementsAre("0", "1", "2"));
  EXPECT_EQ(grouping.ToString(), "0: 1 leaf, 1: 0 leaves, 2: 1 leaf");
}

TEST(GroupingTest, CompiledForSomeLeaves_HasOnlyThese) {
  const ParamStore store = StoreOf({{"a", Floats({1})}, {"b", Floats({1})}, {"c", Ints({1})}});
  const Grouping grouping =
      Grouping::Compile(GroupOf(store, {0, 2}), {{"a", Glob("a")}, {"rest", Rest()}}).value();
  EXPECT_EQ(grouping.GroupOf(1), kNoGroup);
  EXPECT_EQ(grouping.ToString(), "a: 1 leaf, rest: 1 leaf, in no group: 1");
}

TEST(GroupingTest, WithoutRest_EveryLeafMustMatch) {
  const ParamStore store = StoreOf({{"a", Floats({1})}, {"b", Floats({1})}, {"c", Ints({1})}});
  EXPECT_THAT(Grouping::Compile(store, {{"a", Glob("a")}, {"ints", Glob("c")}}),
              StatusIs(kInvalid,
                       "partition: expected every leaf in a group, found 1 that no filter matches: "
                       "'.b'"));
  EXPECT_THAT(Grouping::Compile(store, {{"a", Glob("a")}, {"others", Glob("*")}}), IsOk());
}

TEST(GroupingTest, EmptyNamedGroup_IsAnErrorUnlessAllowed) {
  const ParamStore store = StoreOf({{"bias", Floats({1})}, {"w", Floats({1})}});
  const std::vector<NamedFilter> filters = {{"biases", Glob("bais")}, {"weights", Rest()}};
  EXPECT_THAT(Grouping::Compile(store, filters),
              StatusIs(kInvalid,
                       "partition: expected a leaf in the group of every filter, found 1 empty:\n"
                       "  filter of group 'biases' (bais) matches nothing; no key is 'bais'; did "
                       "you mean bias?"));
  EXPECT_EQ(Grouping::Compile(store, filters, {.allow_empty = true})->SizeOf(0), 0u);
  EXPECT_THAT(Grouping::Compile(store, {{"all", Glob("*")}, {"weights", Rest()}}), IsOk())
      << "the rest may be empty";
}

TEST(GroupingTest, BadNamedFilters_AreErrors) {
  const ParamStore store = StoreOf({{"a", Floats({1})}});
  EXPECT_THAT(Grouping::Compile(store, {{"rest", Rest()}, {"a", Glob("a")}}),
              StatusIs(kInvalid, "partition: expected Rest() last, found it before group 'a'"));
  EXPECT_THAT(Grouping::Compile(store, {{"a", Glob("a")}, {"a", Rest()}}),
              StatusIs(kInvalid, HasSubstr("found \"a\" twice")));
  EXPECT_THAT(Grouping::Compile(store, {{"a", Glob("a..b")}}),
              StatusIs(kInvalid, HasSubstr("column 3")));
  EXPECT_THAT(Grouping::Compile(store, {{"a", Glob("a")}}, {.expected_counts = {2}}),
              StatusIs(kInvalid, "partition: group 'a': expected 2 leaves, found 1: '.a'"));
}

TEST(GroupingTest, CreatedFromIndices_SplitsAStoreWithTheseLeaves) {
  const ParamStore store = StoreOf({{"a", Floats({1})}, {"b", Floats({1})}, {"c", Ints({1})}});
  const Grouping grouping =
      Grouping::Create(store.layout(), Indices{1, kNoGroup, 0}, {"x", "y"}).value();
  EXPECT_THAT(grouping.Split(store),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("found others (3 of 3)")));
  EXPECT_THAT(grouping.Split(GroupOf(store, {0, 1})),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("found others (2 of 3)")));
  const Groups groups = grouping.Split(GroupOf(store, {0, 2})).value();
  EXPECT_NE(groups["x"].Find(".c"), nullptr);
  EXPECT_NE(groups["y"].Find(".a"), nullptr);
  EXPECT_EQ(grouping.Explain(".a")->text, "'.a' is in group 'y'");
  EXPECT_EQ(grouping.Explain(".b")->text, "'.b' is in no group");
  EXPECT_EQ(grouping.root_group(), std::nullopt);
}

TEST(GroupingTest, Find_ReturnsAGroupByName) {
  const Grouping grouping =
      Grouping::Create(LayoutOfSize(1), Indices{0}, {"frozen", "bias"}).value();
  EXPECT_EQ(grouping.Find("bias"), 1u);
  EXPECT_EQ(grouping.Find("head"), std::nullopt);
  EXPECT_EQ(grouping.Get("frozen").value(), 0u);
  EXPECT_THAT(grouping.Get("forzen"),
              StatusIs(absl::StatusCode::kNotFound,
                       "no group has the name \"forzen\"; did you mean frozen?"));
  EXPECT_THAT(grouping.Get("weights"),
              StatusIs(absl::StatusCode::kNotFound,
                       "no group has the name \"weights\"; the groups are frozen, bias"));
  EXPECT_EQ(Grouping().Get("bias").status().message(), "no group has the name \"bias\"");
}

TEST(GroupingTest, BadNames_AreErrors) {
  const Layout layout = LayoutOfSize(1);
  EXPECT_THAT(Grouping::Create(layout, Indices{0}, {"a", ""}),
              StatusIs(kInvalid, HasSubstr("an empty one")));
  EXPECT_THAT(Grouping::Create(layout, Indices{0}, {"a", "b", "a"}),
              StatusIs(kInvalid, HasSubstr("found \"a\" twice")));
  EXPECT_THAT(Grouping::Create(layout, Indices{0}, {"\xff"}),
              StatusIs(kInvalid, HasSubstr("expected UTF-8, found \"\\xff\"")));
}

TEST(GroupingTest, BadIndices_AreErrorsThatNameThePath) {
  const Layout layout = LayoutOfSize(2);
  EXPECT_THAT(Grouping::Create(layout, Indices{0, 2}, {"a", "b"}),
              StatusIs(kInvalid, HasSubstr("at .p[1]: expected a group index below 2, found 2")));
  EXPECT_THAT(Grouping::Create(layout, Indices{0}, {"a"}),
              StatusIs(kInvalid, HasSubstr("groups: expected one for each of 2 slots, found 1")));
}

TEST(GroupingTest, Equality_ComparesLayoutNamesAndGroups) {
  const Layout layout = LayoutOfSize(2);
  const Grouping grouping = Grouping::Create(layout, Indices{0, 1}, {"a", "b"}).value();
  const Grouping copy = grouping;
  EXPECT_EQ(grouping, copy);
  EXPECT_EQ(grouping, Grouping::Create(layout, Indices{0, 1}, {"a", "b"}).value());
  EXPECT_FALSE(grouping == Grouping::Create(layout, Indices{0, 0}, {"a", "b"}).value());
  EXPECT_FALSE(grouping == Grouping::Create(layout, Indices{0, 1}, {"a", "c"}).value());
  EXPECT_FALSE(grouping == Grouping::Create(LayoutOfSize(2), Indices{0, 1}, {"a", "b"}).value());
  EXPECT_EQ(Grouping(), Grouping());
}

// Checks that results do not depend on the group count: few groups use one byte per slot, many
// four.
TEST(GroupingTest, ManyGroups_AreSupported) {
  for (const uint32_t groups : {1u, 254u, 255u, 256u, 1000u}) {
    std::mt19937 random(groups);
    SCOPED_TRACE(absl::StrCat("seed and groups ", groups));
    std::vector<std::string> names;
    for (uint32_t i = 0; i < groups; ++i) names.push_back(absl::StrCat("g", i));
    std::vector<uint32_t> group_of_slot(2000);
    for (uint32_t& group : group_of_slot) {
      group = random() % (groups + 1);
      if (group == groups) group = kNoGroup;
    }
    group_of_slot[7] = groups - 1;
    const Grouping grouping = Grouping::Create(LayoutOfSize(2000), group_of_slot, names).value();
    for (Slot slot = 0; slot < 2000; ++slot) {
      ASSERT_EQ(grouping.GroupOf(slot), group_of_slot[slot]);
      if (group_of_slot[slot] != kNoGroup) {
        ASSERT_TRUE(grouping.SlotsOf(group_of_slot[slot]).Contains(slot));
      }
    }
  }
}

}  // namespace
}  // namespace leafstore
