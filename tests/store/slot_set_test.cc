#include "leafstore/store/slot_set.h"

#include <cstdint>
#include <random>
#include <set>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/core/status_matchers.h"

namespace leafstore {
namespace {

TEST(SlotSetTest, DefaultSet_IsEmpty) {
  const SlotSet none;
  EXPECT_EQ(none.universe(), 0u);
  EXPECT_TRUE(none.empty());
  EXPECT_TRUE(none.is_all());
  EXPECT_EQ(none.PlaceOf(0), kNoPlace);
  EXPECT_EQ(none, SlotSet::All(0));
}

TEST(SlotSetTest, All_PlaceEqualsSlot) {
  const SlotSet all = SlotSet::All(70);
  EXPECT_EQ(all.size(), 70u);
  EXPECT_EQ(all.SlotAt(69), 69u);
  EXPECT_EQ(all.PlaceOf(69), 69u);
  EXPECT_EQ(all.PlaceOf(70), kNoPlace);
  EXPECT_EQ(all.PlaceOf(kNoPlace), kNoPlace);
}

TEST(SlotSetTest, PlaceOf_CountsTheSlotsBefore) {
  const SlotSet set = SlotSet::Create(200, {0, 63, 64, 127, 199}).value();
  EXPECT_EQ(set.size(), 5u);
  EXPECT_EQ(set.universe(), 200u);
  EXPECT_FALSE(set.is_all());
  EXPECT_EQ(set.PlaceOf(0), 0u);
  EXPECT_EQ(set.PlaceOf(63), 1u);
  EXPECT_EQ(set.PlaceOf(64), 2u);
  EXPECT_EQ(set.PlaceOf(127), 3u);
  EXPECT_EQ(set.PlaceOf(199), 4u);
  EXPECT_EQ(set.PlaceOf(1), kNoPlace);
  EXPECT_EQ(set.PlaceOf(198), kNoPlace);
  EXPECT_EQ(set.SlotAt(3), 127u);
}

TEST(SlotSetTest, PlaceOf_AcceptsAnySlot) {
  const SlotSet set = SlotSet::Create(65, {64}).value();
  EXPECT_EQ(set.PlaceOf(64), 0u);
  EXPECT_EQ(set.PlaceOf(65), kNoPlace);
  EXPECT_EQ(set.PlaceOf(127), kNoPlace);  // in the last word of the bitmap
  EXPECT_EQ(set.PlaceOf(128), kNoPlace);
  EXPECT_EQ(set.PlaceOf(0xffffffff), kNoPlace);
}

TEST(SlotSetTest, Create_OfEverySlot_EqualsAll) {
  EXPECT_TRUE(SlotSet::Create(3, {0, 1, 2}).value().is_all());
  EXPECT_EQ(SlotSet::Create(3, {0, 1, 2}).value(), SlotSet::All(3));
  EXPECT_TRUE(SlotSet::Create(0, {}).value().is_all());
}

TEST(SlotSetTest, Equality_ComparesUniverseAndSlots) {
  const SlotSet set = SlotSet::Create(10, {1, 2}).value();
  EXPECT_EQ(set, SlotSet(set));
  EXPECT_EQ(set, SlotSet::Create(10, {1, 2}).value());
  EXPECT_NE(set, SlotSet::Create(10, {1, 3}).value());
  EXPECT_NE(set, SlotSet::Create(11, {1, 2}).value());
  EXPECT_NE(set, SlotSet::All(10));
  EXPECT_NE(SlotSet::All(9), SlotSet::All(10));
  EXPECT_NE(SlotSet::Create(1, {}).value(), SlotSet::All(1));
  EXPECT_EQ(SlotSet::Create(1, {}).value(), SlotSet::Create(1, {}).value());
}

TEST(SlotSetTest, EmptySet_ContainsNothing) {
  const SlotSet none = SlotSet::Create(1'000'000, {}).value();
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.universe(), 1'000'000u);
  for (const Slot slot : {0u, 63u, 64u, 999'999u, 1'000'000u, kNoSlot}) {
    EXPECT_EQ(none.PlaceOf(slot), kNoPlace) << slot;
  }
}

TEST(SlotSetTest, Create_UnsortedOrTooLargeSlots_AreErrors) {
  const auto refused = [](std::vector<Slot> slots, const char* words) {
    EXPECT_THAT(SlotSet::Create(5, std::move(slots)),
                StatusIs(absl::StatusCode::kInvalidArgument, words));
  };
  refused({1, 5}, "slots: at place 1: expected one below 5, found 5");
  refused({kNoSlot}, "slots: at place 0: expected one below 5, found 4294967295");
  refused({1, 3, 2}, "slots: at place 2: expected one above 3, the one before, found 2");
  refused({1, 1}, "slots: at place 1: expected one above 1, the one before, found 1");
  refused({4, 3, 2, 1, 0}, "slots: at place 1: expected one above 4, the one before, found 3");
  refused({0, 0, 0, 0, 0, 0}, "slots: at place 1: expected one above 0, the one before, found 0");
}

TEST(SlotSetTest, AtPlaces_ReturnsTheSlotsThere) {
  const SlotSet set = SlotSet::FromSorted(200, {0, 63, 64, 127, 199});
  EXPECT_EQ(set.AtPlaces({1, 3}), SlotSet::Create(200, {63, 127}).value());
  EXPECT_EQ(set.AtPlaces({0, 1, 2, 3, 4}), set);
  EXPECT_TRUE(set.AtPlaces({}).empty());
  EXPECT_EQ(set.AtPlaces({}).universe(), 200u);
}

TEST(SlotSetTest, RandomSets_AgreeWithStdSet) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    const auto universe = static_cast<uint32_t>(random() % 400);
    const uint64_t one_in = 1 + random() % 20;
    std::set<Slot> expected;
    for (Slot slot = 0; slot < universe; ++slot) {
      if (random() % one_in == 0) expected.insert(slot);
    }
    const SlotSet set = SlotSet::Create(universe, {expected.begin(), expected.end()}).value();
    ASSERT_EQ(set.size(), expected.size());
    uint32_t place = 0;
    for (Slot slot = 0; slot < universe + 130; ++slot) {
      ASSERT_EQ(set.Contains(slot), expected.count(slot) == 1) << slot;
      if (!set.Contains(slot)) continue;
      ASSERT_EQ(set.PlaceOf(slot), place);
      ASSERT_EQ(set.SlotAt(place), slot);
      ++place;
    }
  }
}

}  // namespace
}  // namespace leafstore
