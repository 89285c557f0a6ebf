#include "leafstore/store/internal/slot_match.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/select/partition.h"

#include "tests/store/random_model.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using ::leafstore::internal::SlotsIn;
using ::testing::ElementsAre;

TEST(SlotMatchTest, InItsOwnLayoutALeafIsWhereItIs) {
  const std::vector<ParamStore> groups = Partition(SampleParams(), {Glob("layers")}).value();
  EXPECT_THAT(SlotsIn(groups[1].layout(), groups[0]), ElementsAre(3, 4, 5, 6));
  EXPECT_THAT(SlotsIn(groups[1].layout(), groups[1]), ElementsAre(0, 1, 2, 7));
}

TEST(SlotMatchTest, SlotsNeedNoStore) {
  const Layout layout = SampleParams().layout();
  const Layout other = StoreAt({{".head.bias", Value(1)}, {".steps", Value(1)}}).layout();
  EXPECT_THAT(SlotsIn(layout, other, SlotSet::All(2)), ElementsAre(1, 7));
  EXPECT_THAT(SlotsIn(other, layout, SlotSet::Create(8, {0, 7}).value()), ElementsAre(kNoSlot, 1));
}

TEST(SlotMatchTest, OtherTreesMeetByKeys) {
  const Layout layout = SampleParams().layout();
  EXPECT_THAT(SlotsIn(layout, StoreAt({{".head", Value(1)},  // a container there
                                       {".layers[1].bias", Value(1)},
                                       {".layers[10].bias", Value(1)},  // beyond the list
                                       {".nothing", Value(1)},          // none there
                                       {".steps", Value(1)},
                                       {".zero", Value(1)}})),
              ElementsAre(kNoSlot, 5, kNoSlot, kNoSlot, 7, kNoSlot));
  EXPECT_THAT(SlotsIn(layout, StoreAt({{"['steps']", Value(1)}})), ElementsAre(kNoSlot));
  EXPECT_THAT(SlotsIn(layout, StoreAt({{".layers['1'].bias", Value(1)}})), ElementsAre(kNoSlot));
  EXPECT_THAT(SlotsIn(layout, StoreAt({{"", Value(1)}})), ElementsAre(kNoSlot));
}

TEST(SlotMatchTest, AListMeetsADictWithIntKeys) {
  const ParamStore list = StoreAt({{"[0]", Value(1)}, {"[1]", Value(1)}});
  const ParamStore dict = StoreAt({{"[1]", Value(1)}, {"[5]", Value(1)}});
  EXPECT_THAT(SlotsIn(list.layout(), dict), ElementsAre(1, kNoSlot));
  EXPECT_THAT(SlotsIn(dict.layout(), list), ElementsAre(kNoSlot, 0));
}

TEST(SlotMatchTest, AliasesLeadToTheOwner) {
  const Layout tied = TiedParams().layout();
  EXPECT_THAT(SlotsIn(tied, StoreAt({{".output.table", Value(1)}, {".scale", Value(1)}})),
              ElementsAre(0, 1));
  EXPECT_THAT(SlotsIn(StoreAt({{".output.table", Value(1)}}).layout(), TiedParams()),
              ElementsAre(kNoSlot, kNoSlot));  // the owner is .embedding.table
}

TEST(SlotMatchTest, WhatIsNoTreeMeetsByText) {
  const ParamStore loose = StoreAt({{"", Value(1)}, {".steps", Value(1)}, {".steps.x", Value(1)}});
  EXPECT_THAT(SlotsIn(SampleParams().layout(), loose), ElementsAre(kNoSlot, 7, kNoSlot));
  EXPECT_THAT(SlotsIn(loose.layout(), SampleParams()),
              ElementsAre(kNoSlot, kNoSlot, kNoSlot, kNoSlot, kNoSlot, kNoSlot, kNoSlot, 1));
}

TEST(SlotMatchTest, AgreesWithALookupByText) {
  size_t met = 0;
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const ParamStore a = Flatten(RandomModel(random).Make()).value().params;
    const ParamStore b = Flatten(RandomModel(random).Make()).value().params;
    const std::vector<ParamStore> part =
        Partition(a, {RandomFilterAndMeaning(random).filter}).value();
    for (const Layout& layout : {b.layout(), a.layout()}) {
      for (const ParamStore* store : {&a, &part[0], &part[1], &b}) {
        const std::vector<Slot> slots = SlotsIn(layout, *store);
        ASSERT_EQ(slots.size(), store->size());
        for (uint32_t place = 0; place < store->size(); ++place) {
          const Slot expected = layout.Find(store->PathText(place)).value_or(kNoSlot);
          ASSERT_EQ(slots[place], expected) << store->PathText(place);
          met += expected != kNoSlot && !(layout == store->layout());
        }
      }
    }
  }
  EXPECT_GT(met, 200u);
}

}  // namespace
}  // namespace leafstore
