#include "leafstore/core/internal/suggest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

#include "tests/core/random_keys.h"

namespace leafstore {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Names = std::vector<std::string>;

// Calls Suggest with an initializer list.
Names Near(absl::string_view name, const Names& candidates, size_t max = 3) {
  return internal::Suggest(
      name, std::vector<absl::string_view>(candidates.begin(), candidates.end()), max);
}

TEST(SuggestTest, EveryKindOfTypo_IsFound) {
  EXPECT_THAT(Near("weigt", {"weight", "bias"}), ElementsAre("weight")) << "dropped";
  EXPECT_THAT(Near("weigghht", {"weight", "bias"}), ElementsAre("weight")) << "added";
  EXPECT_THAT(Near("wejght", {"weight", "bias"}), ElementsAre("weight")) << "replaced";
  EXPECT_THAT(Near("wieght", {"weight", "bias"}), ElementsAre("weight")) << "exchanged";
  EXPECT_THAT(Near("WEIGHT", {"weight", "bias"}), ElementsAre("weight")) << "wrong case";
}

TEST(SuggestTest, DottedName_SuggestsTheCanonicalText) {
  EXPECT_THAT(Near("layers.0.weight", {".layers[0].weight", ".layers[0].bias", ".head.weight"}),
              ElementsAre(".layers[0].weight"));
}

TEST(SuggestTest, NearestCandidates_ComeFirst) {
  EXPECT_THAT(Near("abcdefghi", {"abcdefXXX", "abcdefghX", "abcdefgXX"}),
              ElementsAre("abcdefghX", "abcdefgXX", "abcdefXXX"));
}

TEST(SuggestTest, WrongCase_IsNearerThanAnotherLetter) {
  EXPECT_THAT(Near("bias", {"biax", "biaS", "bia"}), ElementsAre("biaS", "bia", "biax"));
}

TEST(SuggestTest, EqualDistances_AreInByteOrder) {
  EXPECT_THAT(Near("w0", {"w3", "w1", "w2", "w4"}), ElementsAre("w1", "w2", "w3"));
}

TEST(SuggestTest, Max_LimitsTheSuggestions) {
  const Names candidates = {"wa", "wb", "wc", "wd"};
  EXPECT_THAT(Near("w", candidates, 0), IsEmpty());
  EXPECT_THAT(Near("w", candidates, 1), ElementsAre("wa"));
  EXPECT_THAT(Near("w", candidates, 9), ElementsAre("wa", "wb", "wc", "wd"));
}

TEST(SuggestTest, DistantCandidates_AreNotSuggested) {
  EXPECT_THAT(Near("weight", {"bias", "scale", "height_of_it", ""}), IsEmpty());
  EXPECT_THAT(Near("w", {"b"}), IsEmpty()) << "nothing in common";
  EXPECT_THAT(Near("", {"a", "b"}), IsEmpty());
  EXPECT_THAT(Near("abcdefghi", {"abcdeXXXX"}), IsEmpty()) << "more than a third";
  EXPECT_THAT(Near(std::string(60, 'a'), {std::string(60, 'a') + "123456789"}), IsEmpty())
      << "more than eight";
  EXPECT_THAT(Near(std::string(60, 'a'), {std::string(60, 'a') + "12345678"}),
              ElementsAre(std::string(60, 'a') + "12345678"));
}

TEST(SuggestTest, NameItselfAndDuplicates_AreNotSuggested) {
  EXPECT_THAT(Near("weight", {"weight", "weights", "weights"}), ElementsAre("weights"));
}

TEST(SuggestTest, StringViews_AreAccepted) {
  const std::vector<absl::string_view> views = {"weight", "bias"};
  EXPECT_THAT(internal::Suggest("weigth", views), ElementsAre("weight"));
  EXPECT_EQ(internal::DidYouMean("weigth", views), "; did you mean weight?");
}

TEST(SuggestTest, OrderOfCandidates_DoesNotMatter) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    Names candidates;
    for (int i = 0; i < 30; ++i) {
      candidates.push_back(absl::StrCat("w", RandomBelow(random, 40), i % 3 == 0 ? "W" : "w"));
    }
    const std::string name = absl::StrCat("w", RandomBelow(random, 40), "w");
    const Names near = Near(name, candidates);
    std::shuffle(candidates.begin(), candidates.end(), random);
    ASSERT_EQ(Near(name, candidates), near) << "seed " << seed;
  }
}

// Computes the distance of suggest.h by its definition, in quarters, with the complete table.
int Distance(const std::string& a, const std::string& b) {
  std::vector<std::vector<int>> d(a.size() + 1, std::vector<int>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = static_cast<int>(4 * (i + j));
        continue;
      }
      const char x = a[i - 1];
      const char y = b[j - 1];
      const int replace = x == y ? 0 : absl::ascii_tolower(x) == absl::ascii_tolower(y) ? 1 : 4;
      d[i][j] = std::min({d[i - 1][j] + 4, d[i][j - 1] + 4, d[i - 1][j - 1] + replace});
      if (i > 1 && j > 1 && x == b[j - 2] && y == a[i - 2]) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 4);
      }
    }
  }
  return d[a.size()][b.size()];
}

// Computes the suggestions as the header defines them, without any optimization.
Names SlowNearNames(const std::string& name, const Names& candidates, size_t max) {
  const int limit = 4 * std::clamp(static_cast<int>(name.size() / 3), 1, 8);
  std::set<std::pair<int, std::string>> near;
  for (const std::string& candidate : candidates) {
    const int distance = Distance(name, candidate);
    const auto longer = static_cast<int>(std::max(name.size(), candidate.size()));
    if (candidate != name && distance <= limit && distance < 4 * longer) {
      near.emplace(distance, candidate);
    }
  }
  Names names;
  for (const auto& [distance, candidate] : near) {
    if (names.size() < max) names.push_back(candidate);
  }
  return names;
}

TEST(SuggestTest, RandomNames_AgreeWithTheDefinition) {
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    Random random(seed);
    const size_t letters = 2 + RandomBelow(random, 3);
    const auto word = [&random, letters](size_t size) {
      std::string out;
      while (out.size() < size) out.push_back("abAB."[RandomBelow(random, letters)]);
      return out;
    };
    const std::string name = word(RandomBelow(random, 40));
    Names candidates;
    for (int i = 0; i < 20; ++i) {
      std::string candidate = i % 4 == 0 ? word(RandomBelow(random, 40)) : name;
      for (size_t left = RandomBelow(random, 10); left > 0; --left) {
        const size_t at = RandomBelow(random, candidate.size() + 1);
        candidate.replace(at, RandomBelow(random, 3), word(RandomBelow(random, 3)));
      }
      candidates.push_back(candidate);
    }
    const size_t max = 1 + RandomBelow(random, 6);
    ASSERT_EQ(Near(name, candidates, max), SlowNearNames(name, candidates, max))
        << "seed " << seed << ", name " << name;
  }
}

TEST(SuggestTest, LongNames_AreSkipped) {
  const std::string longest(internal::kMaxSuggestionSize, 'a');
  EXPECT_THAT(Near(longest + "b", {longest}), IsEmpty());
  EXPECT_THAT(Near(longest, {longest + "b"}), IsEmpty());
  EXPECT_THAT(Near(longest, {longest.substr(1)}), ElementsAre(longest.substr(1)));
  EXPECT_THAT(Near(longest.substr(1), {longest}), ElementsAre(longest));
}

// Names chosen to make every table long: the last candidate is out of reach.
TEST(SuggestTest, Work_IsBounded) {
  std::string name;
  while (name.size() < internal::kMaxSuggestionSize) name += "ab";
  std::string hard = name;
  for (size_t at : {0, 40, 80, 120, 160, 200, 240, 250, 255}) hard[at] = 'x';
  std::string near = name;
  near[100] = 'x';
  Names candidates = {near};
  EXPECT_THAT(Near(name, candidates), ElementsAre(near));
  candidates.insert(candidates.begin(), 200000, hard);
  EXPECT_THAT(Near(name, candidates), IsEmpty());
}

TEST(DidYouMeanTest, Suggestions_AreListedAsAQuestion) {
  EXPECT_EQ(internal::DidYouMean("x", Names{}), "");
  EXPECT_EQ(internal::DidYouMean("weigth", Names{"weight", "bias"}), "; did you mean weight?");
  EXPECT_EQ(internal::DidYouMean("w0", Names{"w1", "w2"}), "; did you mean w1 or w2?");
  EXPECT_EQ(internal::DidYouMean("w0", Names{"w1", "w2", "w3", "w4"}),
            "; did you mean w1, w2 or w3?");
}

}  // namespace
}  // namespace leafstore
