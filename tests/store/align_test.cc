#include "leafstore/store/align.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/select/partition.h"

#include "tests/store/random_model.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<uint32_t> PlacesIn(const LeafSpecs& to, const LeafSpecs& from) {
  return Align(from, to).TakePlaces();
}

TEST(AlignTest, EqualLayouts_MatchBySlot) {
  const std::vector<ParamStore> groups = Partition(SampleParams(), {Glob("layers")}).value();
  EXPECT_THAT(PlacesIn(groups[1].layout(), groups[0]), ElementsAre(3, 4, 5, 6));
  EXPECT_THAT(PlacesIn(groups[1].layout(), groups[1]), ElementsAre(0, 1, 2, 7));
  EXPECT_THAT(PlacesIn(groups[1], groups[1].layout()),
              ElementsAre(0, 1, 2, kNoPlace, kNoPlace, kNoPlace, kNoPlace, 3));
}

TEST(AlignTest, PartsOfLayouts_MatchWithoutStores) {
  const Layout layout = SampleParams().layout();
  const Layout other = StoreAt({{".head.bias", Value(1)}, {".steps", Value(1)}}).layout();
  EXPECT_THAT(PlacesIn(layout, other), ElementsAre(1, 7));
  EXPECT_THAT(PlacesIn(other, {layout, SlotSet::Create(8, {0, 7}).value()}),
              ElementsAre(kNoPlace, 1));
}

TEST(AlignTest, DifferentTrees_MatchByKeys) {
  const Layout layout = SampleParams().layout();
  EXPECT_THAT(PlacesIn(layout, StoreAt({{".head", Value(1)},  // a container there
                                        {".layers[1].bias", Value(1)},
                                        {".layers[10].bias", Value(1)},  // beyond the list
                                        {".nothing", Value(1)},          // none there
                                        {".steps", Value(1)},
                                        {".zero", Value(1)}})),
              ElementsAre(kNoPlace, 5, kNoPlace, kNoPlace, 7, kNoPlace));
  EXPECT_THAT(PlacesIn(layout, StoreAt({{"['steps']", Value(1)}})), ElementsAre(kNoPlace));
  EXPECT_THAT(PlacesIn(layout, StoreAt({{".layers['1'].bias", Value(1)}})), ElementsAre(kNoPlace));
  EXPECT_THAT(PlacesIn(layout, StoreAt({{"", Value(1)}})), ElementsAre(kNoPlace));
}

TEST(AlignTest, ListAndDictWithIntKeys_MatchByIndex) {
  const ParamStore list = StoreAt({{"[0]", Value(1)}, {"[1]", Value(1)}});
  const ParamStore dict = StoreAt({{"[1]", Value(1)}, {"[5]", Value(1)}});
  EXPECT_THAT(PlacesIn(list.layout(), dict), ElementsAre(1, kNoPlace));
  EXPECT_THAT(PlacesIn(dict.layout(), list), ElementsAre(kNoPlace, 0));
}

TEST(AlignTest, Alias_MatchesTheOwner) {
  const Layout tied = TiedParams().layout();
  EXPECT_THAT(PlacesIn(tied, StoreAt({{".output.table", Value(1)}, {".scale", Value(1)}})),
              ElementsAre(0, 1));
  EXPECT_THAT(PlacesIn(StoreAt({{".output.table", Value(1)}}).layout(), TiedParams()),
              ElementsAre(kNoPlace, kNoPlace));  // the owner is .embedding.table
}

TEST(AlignTest, PathsThatFormNoTree_MatchByText) {
  const ParamStore loose = StoreAt({{"", Value(1)}, {".steps", Value(1)}, {".steps.x", Value(1)}});
  EXPECT_THAT(PlacesIn(SampleParams().layout(), loose), ElementsAre(kNoPlace, 7, kNoPlace));
  EXPECT_THAT(PlacesIn(loose.layout(), SampleParams()),
              ElementsAre(kNoPlace, kNoPlace, kNoPlace, kNoPlace, kNoPlace, kNoPlace, kNoPlace, 1));
}

TEST(AlignTest, RandomModels_AgreeWithLookupByText) {
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
        const Alignment places = Align(*store, layout);
        ASSERT_EQ(places.places().size(), store->size());
        for (uint32_t place = 0; place < store->size(); ++place) {
          const Slot expected = layout.Find(store->PathText(place)).value_or(kNoPlace);
          ASSERT_EQ(places[place], expected) << store->PathText(place);
          met += expected != kNoPlace && !(layout == store->layout());
        }
      }
    }
  }
  EXPECT_GT(met, 200u);
}

// ---- what does not meet ----

TEST(AlignTest, UnexpectedAndMissing_AreAscending) {
  const ParamStore from = StoreAt({{".a", Value(1)}, {".steps", Value(1)}, {".z", Value(1)}});
  const Alignment where = Align(from, SampleParams());
  EXPECT_THAT(where.Unexpected(), ElementsAre(0, 2));
  EXPECT_THAT(where.Missing(), ElementsAre(0, 1, 2, 3, 4, 5, 6));
  EXPECT_THAT(where.Collisions(), IsEmpty());
  EXPECT_THAT(Align(SampleParams(), from).Sources(), ElementsAre(kNoPlace, 7, kNoPlace));
}

TEST(AlignTest, PathAndItsAlias_Collide) {
  const Alignment where = Align(
      StoreAt({{".embedding.table", Value(1)}, {".output.table", Value(1)}, {".scale", Value(1)}}),
      TiedParams());
  ASSERT_EQ(where.Collisions().size(), 1u);
  EXPECT_EQ(where.Collisions()[0].place, 0u);
  EXPECT_EQ(where.Collisions()[0].first, 0u);
  EXPECT_EQ(where.Collisions()[0].second, 1u);
  EXPECT_THAT(where.Sources(), ElementsAre(0, 2));
}

// ---- by name ----

TEST(AlignTest, Names_ReplaceThePaths) {
  const ParamStore from = StoreAt({{".a", Value(1)}, {".b", Value(1)}});
  const std::vector<std::string> names = {".steps", ".a"};
  EXPECT_THAT(Align(from, SampleParams(), AlignBy::kPath, names).places(),
              ElementsAre(7, kNoPlace));
  EXPECT_THAT(Align(from, from, AlignBy::kPath, names).places(), ElementsAre(kNoPlace, 0));
  const std::vector<std::string> items = {"['steps']", "['head']['bias']"};
  EXPECT_THAT(Align(from, SampleParams(), AlignBy::kDotted, items).places(), ElementsAre(7, 1));
}

// ---- by dotted form ----

TEST(AlignByDottedTest, DifferentPaths_MatchByDottedForm) {
  // As in a PyTorch file: one flat dict, or nested dicts.
  const ParamStore file = StoreAt({{"['layers']['1']['bias']", Value(1)},
                                   {"['head.bias']", Value(1)},
                                   {"['head.bais']", Value(1)},
                                   {"['layers.0.bias']", Value(1)}});
  const Alignment where = Align(file, SampleParams(), AlignBy::kDotted);
  EXPECT_THAT(PathsOf(file), ElementsAre("['head.bais']", "['head.bias']",
                                         "['layers']['1']['bias']", "['layers.0.bias']"));
  EXPECT_THAT(where.places(), ElementsAre(kNoPlace, 1, 5, 3));
  EXPECT_THAT(where.Missing(), ElementsAre(0, 2, 4, 6, 7));
}

TEST(AlignByDottedTest, Alias_MatchesTheOwner) {
  EXPECT_THAT(
      Align(StoreAt({{"['output.table']", Value(1)}}), TiedParams(), AlignBy::kDotted).places(),
      ElementsAre(0));
}

TEST(AlignByDottedTest, LayoutOfPaths_MatchesByDottedForm) {
  const ParamStore loose = StoreAt({{".w", Value(1)}, {".a.b", Value(2)}});
  EXPECT_THAT(Align(StoreAt({{"['a.b']", Value(3)}}), loose, AlignBy::kDotted).places(),
              ElementsAre(0));
}

TEST(AlignByDottedTest, TwoLeavesWithOneForm_AreAmbiguous) {
  const ParamStore from = StoreAt({{"['a']['b']", Value(3)}});
  const ParamStore loose = StoreAt({{".a.b", Value(1)}, {".'a.b'", Value(2)}});
  const ParamStore tree =
      Flatten(Tree::Struct().With("a", Tree::Struct().With("b", Value(1))).With("a.b", Value(2)))
          .value()
          .params;
  for (const ParamStore* to : {&loose, &tree}) {
    const Alignment where = Align(from, *to, AlignBy::kDotted);
    EXPECT_THAT(where.places(), ElementsAre(kNoPlace));
    ASSERT_EQ(where.ambiguous().size(), 1u);
    EXPECT_EQ(where.ambiguous()[0].place, 0u);
    EXPECT_EQ(where.ambiguous()[0].first + where.ambiguous()[0].second, 1u);
    EXPECT_THAT(where.Unexpected(), IsEmpty());
    // If a group has only one of the two, that one matches.
    const LeafSpecs second(to->layout(), SlotSet::Create(2, {1}).value());
    EXPECT_THAT(Align(from, second, AlignBy::kDotted).places(), ElementsAre(0));
  }
  // If one of them has the same path, that one matches.
  const ParamStore exact = StoreAt({{"['a']['b']", Value(1)}, {".a.b", Value(2)}});
  EXPECT_THAT(Align(from, exact, AlignBy::kDotted).places(),
              ElementsAre(exact.layout().SlotOf("['a']['b']")));
}

}  // namespace
}  // namespace leafstore
