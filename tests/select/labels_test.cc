#include "leafstore/select/labels.h"

#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/core/status_matchers.h"
#include "tests/status_codes.h"
#include "tests/store/sample_stores.h"

namespace leafstore {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Groups = std::vector<uint32_t>;

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

TEST(LabelsTest, NameTheGroupOfEachSlot) {
  const Layout layout = LayoutOfSize(5);
  const Labels labels =
      Labels::Create(layout, Groups{1, 0, kNoGroup, 1, 1}, {"bias", "rest"}).value();
  EXPECT_EQ(labels.layout(), layout);
  EXPECT_EQ(labels.group_count(), 2u);
  EXPECT_THAT(labels.names(), ElementsAre("bias", "rest"));
  EXPECT_EQ(labels.GroupOf(0), 1u);
  EXPECT_EQ(labels.GroupOf(1), 0u);
  EXPECT_EQ(labels.GroupOf(2), kNoGroup);
  EXPECT_EQ(labels.GroupOf(5), kNoGroup);  // no slot at all
  EXPECT_THAT(EverySlotOf(labels.SlotsOf(0)), ElementsAre(1));
  EXPECT_THAT(EverySlotOf(labels.SlotsOf(1)), ElementsAre(0, 3, 4));
  EXPECT_EQ(labels.SlotsOf(1).universe(), 5u);
}

TEST(LabelsTest, AGroupMayBeEmpty) {
  const Labels labels = Labels::Create(LayoutOfSize(1), Groups{1}, {"none", "all"}).value();
  EXPECT_TRUE(labels.SlotsOf(0).empty());
}

TEST(LabelsTest, WithoutGroupsNothingIsLabelled) {
  const Labels none;
  EXPECT_EQ(none.group_count(), 0u);
  EXPECT_EQ(none.GroupOf(0), kNoGroup);
  const Labels unlabelled = Labels::Create(LayoutOfSize(2), Groups{kNoGroup, kNoGroup}, {}).value();
  EXPECT_EQ(unlabelled.GroupOf(1), kNoGroup);
  EXPECT_EQ(unlabelled.ToString(), "in no group: 2");
}

TEST(LabelsTest, OfAPlanAreItsGroups) {
  const ParamStore store =
      StoreOf({{"bias", Floats({1})}, {"gain", Floats({1})}, {"w", Ints({1})}});
  const PartitionPlan plan =
      PartitionPlan::Compile(store, {Glob("bias"), LeavesOnly(DTypeIs(DType::kI32))}).value();
  const Labels labels = Labels::Create(store.layout(), plan, {"biases", "ints", "rest"}).value();
  EXPECT_EQ(labels.name(labels.GroupOf(0)), "biases");
  EXPECT_EQ(labels.name(labels.GroupOf(1)), "rest");
  EXPECT_EQ(labels.name(labels.GroupOf(2)), "ints");
  EXPECT_EQ(labels.ToString(), "biases: 1 leaf, ints: 1 leaf, rest: 1 leaf");
}

TEST(LabelsTest, OfAPlanForSomeLeavesLabelTheseAlone) {
  const ParamStore store = StoreOf({{"a", Floats({1})}, {"b", Floats({1})}, {"c", Ints({1})}});
  const PartitionPlan plan = PartitionPlan::Compile(GroupOf(store, {0, 2}), {Glob("a")}).value();
  const Labels labels = Labels::Create(store.layout(), plan, {"a", "rest"}).value();
  EXPECT_EQ(labels.GroupOf(1), kNoGroup);
  EXPECT_EQ(labels.ToString(), "a: 1 leaf, rest: 1 leaf, in no group: 1");
}

TEST(LabelsTest, APlanOfAnotherLayoutIsAnError) {
  const ParamStore store = StoreOf({{"a", Floats({1})}});
  const PartitionPlan plan = PartitionPlan::Compile(store, {}).value();
  EXPECT_THAT(Labels::Create(LayoutOfSize(2), plan, {"rest"}),
              StatusIs(kInvalid,
                       "labels of a plan: expected the layout of the plan, of 1 paths, "
                       "found another one, of 2"));
  EXPECT_THAT(Labels::Create(LayoutOfSize(1), plan, {"rest"}),  // other paths, equally many
              StatusIs(kInvalid, HasSubstr("found another one, of 1")));
  EXPECT_EQ(plan.layout(), store.layout());
  EXPECT_THAT(Labels::Create(store.layout(), plan, {"a", "rest"}),
              StatusIs(kInvalid, HasSubstr("expected 1, the rest last, found 2")));
}

TEST(LabelsTest, FindsAGroupByName) {
  const Labels labels = Labels::Create(LayoutOfSize(1), Groups{0}, {"frozen", "bias"}).value();
  EXPECT_EQ(labels.Find("bias"), 1u);
  EXPECT_EQ(labels.Find("head"), std::nullopt);
  EXPECT_EQ(labels.Get("frozen").value(), 0u);
  EXPECT_THAT(
      labels.Get("forzen"),
      StatusIs(absl::StatusCode::kNotFound, "no group is called \"forzen\"; did you mean frozen?"));
}

TEST(LabelsTest, BadNamesAreErrors) {
  const Layout layout = LayoutOfSize(1);
  EXPECT_THAT(Labels::Create(layout, Groups{0}, {"a", ""}),
              StatusIs(kInvalid, HasSubstr("an empty one")));
  EXPECT_THAT(Labels::Create(layout, Groups{0}, {"a", "b", "a"}),
              StatusIs(kInvalid, HasSubstr("found \"a\" twice")));
  EXPECT_THAT(Labels::Create(layout, Groups{0}, {"\xff"}),
              StatusIs(kInvalid, HasSubstr("expected UTF-8, found \"\\xff\"")));
}

TEST(LabelsTest, BadGroupsAreErrorsThatNameThePath) {
  const Layout layout = LayoutOfSize(2);
  EXPECT_THAT(Labels::Create(layout, Groups{0, 2}, {"a", "b"}),
              StatusIs(kInvalid, HasSubstr("at .p[1]: expected a group below 2, found 2")));
  EXPECT_THAT(Labels::Create(layout, Groups{0}, {"a"}),
              StatusIs(kInvalid, HasSubstr("expected the groups of 2 slots, found 1")));
}

TEST(LabelsTest, EqualWhenLayoutNamesAndGroupsAre) {
  const Layout layout = LayoutOfSize(2);
  const Labels labels = Labels::Create(layout, Groups{0, 1}, {"a", "b"}).value();
  const Labels copy = labels;
  EXPECT_EQ(labels, copy);
  EXPECT_EQ(labels, Labels::Create(layout, Groups{0, 1}, {"a", "b"}).value());
  EXPECT_FALSE(labels == Labels::Create(layout, Groups{0, 0}, {"a", "b"}).value());
  EXPECT_FALSE(labels == Labels::Create(layout, Groups{0, 1}, {"a", "c"}).value());
  EXPECT_FALSE(labels == Labels::Create(LayoutOfSize(2), Groups{0, 1}, {"a", "b"}).value());
  EXPECT_EQ(Labels(), Labels());
}

// Few groups take a byte a slot, many take four: the same answers.
TEST(LabelsTest, AnyNumberOfGroups) {
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
    const Labels labels = Labels::Create(LayoutOfSize(2000), group_of_slot, names).value();
    for (Slot slot = 0; slot < 2000; ++slot) {
      ASSERT_EQ(labels.GroupOf(slot), group_of_slot[slot]);
      if (group_of_slot[slot] != kNoGroup) {
        ASSERT_TRUE(labels.SlotsOf(group_of_slot[slot]).Contains(slot));
      }
    }
  }
}

}  // namespace
}  // namespace leafstore
