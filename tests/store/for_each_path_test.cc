#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/store/flatten.h"
#include "leafstore/store/layout.h"
#include "leafstore/treedef/treedef_builder.h"

#include "tests/core/status_matchers.h"
#include "tests/treedef/random_tree.h"

namespace leafstore {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Returns the texts that ForEachPath visits. Expects ascending places.
absl::StatusOr<std::vector<std::string>> Walked(const Layout& layout, const SlotSet& slots,
                                                PathForm form = PathForm::kCanonical) {
  std::vector<std::string> paths;
  const absl::Status status =
      layout.ForEachPath(slots, form, [&paths](uint32_t place, absl::string_view path) {
        EXPECT_EQ(place, paths.size());
        paths.emplace_back(path);
      });
  if (!status.ok()) return status;
  return paths;
}

TEST(ForEachPathTest, LayoutOfPathsAlone_VisitsEachSlot) {
  const Layout layout =
      Layout::Create({Path().Attribute("a"), Path().Attribute("b").Index(7), Path().Item("c")})
          .value();
  EXPECT_THAT(Walked(layout, SlotSet::All(3)).value(),
              ElementsAre(layout.PathText(0), layout.PathText(1), layout.PathText(2)));
  EXPECT_THAT(Walked(layout, SlotSet::Create(3, {1}).value()).value(),
              ElementsAre(layout.PathText(1)));
  EXPECT_THAT(Walked(layout, SlotSet::All(3), PathForm::kDotted).value(),
              ElementsAre("a", "b.7", "c"));
}

TEST(ForEachPathTest, LeafAtTheRoot_HasNoText) {
  TreeDefBuilder builder;
  builder.Leaf();
  EXPECT_THAT(Walked(Layout(std::move(builder).Build().value()), SlotSet::All(1)).value(),
              ElementsAre(""));
  EXPECT_THAT(Walked(Layout(), SlotSet()).value(), ElementsAre());
}

TEST(ForEachPathTest, AnyTree_VisitsTheTextOfEachSlotInBothForms) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    const Layout layout = Flatten(RandomTree(random, 60).Make()).value().params.layout();
    std::vector<Slot> slots;
    std::vector<std::string> expected;
    std::vector<std::string> dotted;
    for (Slot slot = 0; slot < layout.size(); ++slot) {
      if (RandomBelow(random, 3) == 0) continue;
      slots.push_back(slot);
      expected.push_back(layout.PathOf(slot).ToString());
      dotted.push_back(layout.PathOf(slot).Dotted());
      EXPECT_EQ(layout.PathText(slot), expected.back());
      EXPECT_EQ(layout.Dotted(slot), dotted.back());
    }
    const SlotSet set = SlotSet::Create(layout.size(), slots).value();
    EXPECT_EQ(Walked(layout, set).value(), expected);
    EXPECT_EQ(Walked(layout, set, PathForm::kDotted).value(), dotted);
  }
}

// A path of three thousand keys of a megabyte each; all are one string in the table.
TEST(ForEachPathTest, PathTooLong_IsAnError) {
  const std::string key(1 << 20, 'k');
  TreeDefBuilder builder;
  for (int i = 0; i < 3'000; ++i) {
    builder.Open(NodeKind::kDict);
    builder.SetKey(KeyRef::Item(key));
  }
  builder.Leaf();
  for (int i = 0; i < 3'000; ++i) builder.Close();
  EXPECT_THAT(Walked(Layout(std::move(builder).Build().value()), SlotSet::All(1)),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr("expected a path of at most 16777216 bytes")));
}

// Fifteen leaves, each under one more key of a megabyte.
TEST(ForEachPathTest, TooMuchText_IsAnError) {
  const std::string key(1 << 20, 'k');
  TreeDefBuilder builder;
  for (int i = 0; i < 15; ++i) {
    if (i > 0) builder.SetKey(KeyRef::Item(key));
    builder.Open(NodeKind::kDict);
    builder.SetKey(KeyRef::Item("a"));
    builder.Leaf();
  }
  for (int i = 0; i < 15; ++i) builder.Close();
  const Layout layout(std::move(builder).Build().value());
  for (const PathForm form : {PathForm::kCanonical, PathForm::kDotted}) {
    EXPECT_THAT(Walked(layout, SlotSet::All(15), form),
                StatusIs(absl::StatusCode::kResourceExhausted,
                         HasSubstr("expected paths of at most 67112704 bytes together, for 15 "
                                   "paths, found more")));
  }
  EXPECT_EQ(Walked(layout, SlotSet::Create(15, {0, 10}).value())->size(), 2u) << "a few are fine";
}

}  // namespace
}  // namespace leafstore
