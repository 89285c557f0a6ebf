#include "leafstore/interop/names.h"

#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/core/status_matchers.h"
#include "tests/status_codes.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> TextsOf(const std::vector<absl::string_view>& names, NameStyle style) {
  std::vector<std::string> texts;
  const std::vector<Path> paths = PathsOfNames(names, style).value();
  for (const Path& path : paths) texts.push_back(path.ToString());
  return texts;
}

TEST(NamesTest, Split_MakesItemsAtDots) {
  EXPECT_THAT(TextsOf({"layers.0.weight", "head", "a b.'"}, NameStyle::kSplit),
              ElementsAre("['layers']['0']['weight']", "['head']", "['a b'][\"'\"]"));
}

TEST(NamesTest, Slash_MakesItemsAtSlashes) {
  EXPECT_THAT(TextsOf({"Transformer/block_0/w", "head", "a.b/0", "/", ""}, NameStyle::kSlash),
              ElementsAre("['Transformer']['block_0']['w']", "['head']", "['a.b']['0']", "['']['']",
                          "['']"));
}

TEST(NamesTest, Flat_MakesOneItem) {
  EXPECT_THAT(TextsOf({"layers.0.weight", ""}, NameStyle::kFlat),
              ElementsAre("['layers.0.weight']", "['']"));
}

TEST(NamesTest, Lists_MakesIndicesOnlyIfAllSiblingsAreIntegers) {
  EXPECT_THAT(TextsOf({"a.0.w", "a.1.w", "b.0", "b.x"}, NameStyle::kSplit),
              ElementsAre("['a']['0']['w']", "['a']['1']['w']", "['b']['0']", "['b']['x']"));
  EXPECT_THAT(TextsOf({"a.0.w", "a.1.w", "b.0", "b.x"}, NameStyle::kLists),
              ElementsAre("['a'][0]['w']", "['a'][1]['w']", "['b']['0']", "['b']['x']"));
  EXPECT_THAT(TextsOf({"0", "7"}, NameStyle::kLists), ElementsAre("[0]", "[7]"));
}

TEST(NamesTest, Lists_AcceptsOnlyCanonicalIntegers) {
  for (const absl::string_view part : {"00", "01", "-1", "+1", " 1", "1 ", "", "1e3", "٣",
                                       "9223372036854775808", "99999999999999999999"}) {
    const std::string name = absl::StrCat("a.", part);
    const Path path = PathsOfNames({name}, NameStyle::kLists).value()[0];
    EXPECT_EQ(path, Path().Item("a").Item(part)) << part;
  }
  EXPECT_EQ(PathsOfNames({"9223372036854775807"}, NameStyle::kLists).value()[0],
            Path().Index(9223372036854775807));
}

TEST(NamesTest, Canonical_ParsesPaths) {
  EXPECT_EQ(PathsOfNames({".a[0]['b']"}, NameStyle::kCanonical).value()[0],
            Path().Attribute("a").Index(0).Item("b"));
  EXPECT_THAT(PathsOfNames({"a.0"}, NameStyle::kCanonical),
              StatusIs(kInvalid, HasSubstr("column 1")));
}

TEST(NamesTest, InvalidUtf8_IsAnError) {
  for (const NameStyle style : {NameStyle::kSplit, NameStyle::kLists, NameStyle::kFlat,
                                NameStyle::kCanonical, NameStyle::kSlash}) {
    EXPECT_THAT(PathsOfNames({"a", "b\xff"}, style),
                StatusIs(kInvalid, AllOf(HasSubstr("in UTF-8"), HasSubstr("b\\xff"))));
  }
}

TEST(NamesTest, TooManyKeys_AreAnError) {
  const std::string dots(size_t{1} << 24, '.');
  EXPECT_THAT(PathsOfNames({dots}, NameStyle::kSplit),
              StatusIs(kExhausted, HasSubstr("at most 16777216 dot-separated parts")));
  EXPECT_THAT(PathsOfNames({dots}, NameStyle::kLists),
              StatusIs(kExhausted, HasSubstr("use NameStyle::kFlat")));
  EXPECT_THAT(PathsOfNames({dots}, NameStyle::kFlat), IsOk());
  EXPECT_THAT(PathsOfNames({std::string(size_t{1} << 24, '/')}, NameStyle::kSlash),
              StatusIs(kExhausted, HasSubstr("slash-separated parts")));
}

// Returns random names of every kind.
std::string RandomName(std::mt19937* random) {
  static constexpr absl::string_view kParts[] = {
      ".", ".",  "/",  "..", "",  "0",    "1",    "10",  "007", "a", "weight", "a b",
      "'", "\"", "\\", "\n", "é", "漢字", "🙂", "[0]", "-1",  "*", "**",     "\x7f"};
  std::string name;
  for (uint32_t parts = (*random)() % 8; parts > 0; --parts) {
    absl::StrAppend(&name, kParts[(*random)() % std::size(kParts)]);
  }
  if ((*random)() % 16 == 0) name.push_back('\0');
  return name;
}

TEST(NamesTest, Names_RoundTripExactly) {
  const uint32_t seed = 7;
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 500; ++round) {
    std::set<std::string> names = {"", ".", "..", ".a", "a.", "a..b", "/", "a/", "a//b"};
    for (int i = 0; i < 20; ++i) names.insert(RandomName(&random));
    const std::vector<absl::string_view> views(names.begin(), names.end());
    for (const NameStyle style :
         {NameStyle::kSplit, NameStyle::kLists, NameStyle::kFlat, NameStyle::kSlash}) {
      const std::vector<Path> paths = PathsOfNames(views, style).value();
      std::set<Path> different;
      for (size_t i = 0; i < paths.size(); ++i) {
        ASSERT_EQ(paths[i].ToText(FormOf(style)), views[i]) << NameStyleName(style);
        different.insert(paths[i]);
      }
      ASSERT_EQ(different.size(), names.size()) << "two names became one path";
    }
  }
}

TEST(NamesTest, OneName_MayBeAPrefixOfAnother) {
  const std::vector<Path> paths = PathsOfNames({"a", "a.b"}, NameStyle::kSplit).value();
  const ParamStore store = ParamStore::FromEntries({{paths[0], Tensor::Scalar<float>(1)},
                                                    {paths[1], Tensor::Scalar<float>(2)}})
                               .value();
  EXPECT_THAT(NamesOf(store, NameStyle::kSplit).value(), ElementsAre("a", "a.b"));
  EXPECT_THAT(store.layout().def(),
              StatusIs(kInvalid, AllOf(HasSubstr("['a']"), HasSubstr("['a']['b']"))));
}

TEST(NamesTest, NamesOf_AreDottedOrCanonical) {
  const ParamStore store = ParamStore::FromEntries({{Path().Attribute("layers").Index(0).Item("w"),
                                                     Tensor::Scalar<float>(1)},
                                                    {Path().Attribute("n"), Value(3)}})
                               .value();
  EXPECT_THAT(NamesOf(store, NameStyle::kSplit).value(), ElementsAre("layers.0.w", "n"));
  EXPECT_THAT(NamesOf(store, NameStyle::kFlat).value(), ElementsAre("layers.0.w", "n"));
  EXPECT_THAT(NamesOf(store, NameStyle::kSlash).value(), ElementsAre("layers/0/w", "n"));
  EXPECT_THAT(NamesOf(store, NameStyle::kCanonical).value(), ElementsAre(".layers[0]['w']", ".n"));
}

TEST(NamesTest, DuplicateNames_NameBothPaths) {
  const ParamStore store =
      ParamStore::FromEntries({{Path().Item("a").Item("b"), Tensor::Scalar<float>(1)},
                               {Path().Item("a.b"), Tensor::Scalar<float>(2)}})
          .value();
  EXPECT_THAT(NamesOf(store, NameStyle::kSplit),
              StatusIs(kInvalid, AllOf(HasSubstr("found ['a']['b'] and ['a.b'],"),
                                       HasSubstr("use canonical names"))));
  EXPECT_THAT(NamesOf(store, NameStyle::kCanonical), IsOk());
}

TEST(NamesTest, NameStyles_HaveNames) {
  EXPECT_EQ(NameStyleName(NameStyle::kSplit), "split");
  EXPECT_EQ(NameStyleName(NameStyle::kLists), "lists");
  EXPECT_EQ(NameStyleName(NameStyle::kFlat), "flat");
  EXPECT_EQ(NameStyleName(NameStyle::kCanonical), "canonical");
  EXPECT_EQ(NameStyleName(NameStyle::kSlash), "slash");
}

}  // namespace
}  // namespace leafstore
