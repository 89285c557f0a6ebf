#include "leafstore/select/internal/glob.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/core/random_keys.h"
#include "tests/core/status_matchers.h"
#include "tests/status_codes.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using Texts = std::vector<std::string>;
using ::testing::AllOf;
using ::testing::HasSubstr;

bool Matches(const std::string& pattern, const std::string& path) {
  return internal::GlobPattern::Parse(pattern).value().Matches(PathFrom(path));
}

struct MatchCase {
  const char* pattern;
  std::vector<std::string> yes;
  std::vector<std::string> no;
};

TEST(GlobTest, Matches_ComparesKeyByKey) {
  const MatchCase kCases[] = {
      {"a", {".a", "['a']"}, {"", ".b", ".a.a", ".aa"}},
      {"a.b", {".a.b", ".a['b']", "['a'].b"}, {".'a.b'", ".a", ".b"}},
      {"0", {"[0]", "['0']"}, {"[1]", "[10]"}},
      {"layers.10.w", {".layers[10].w", ".layers['10'].w"}, {".layers[1].w"}},
      {"-1", {"[-1]"}, {"[1]"}},
      // Exactly one key.
      {"*", {".a", "[0]", "[-7]", "['']", "['a b']", ".'a.b'", "['*']"}, {"", ".a.b"}},
      {"*.*", {".a.b", "[0][1]"}, {".a", ".'a.b'", ".a.b.c"}},
      // Any number of keys.
      {"**", {"", ".a", ".a.b[0]['']"}, {}},
      {"**.b", {".b", ".a.b", ".a[0].b", ".b.b"}, {"", ".a", ".b.a", ".'a.b'"}},
      {"a.**", {".a", ".a.b", ".a.b.c"}, {"", ".b", ".b.a"}},
      {"a.**.b", {".a.b", ".a.x.b", ".a.x.y.b", ".a.b.b"}, {".a", ".b", ".a.b.x"}},
      {"**.a.**", {".a", ".x.a", ".a.x", ".x.a.y"}, {"", ".x", ".x.y"}},
      {"**.**", {"", ".a", ".a.b"}, {}},
      {"**.*", {".a", ".a.b"}, {""}},
      {"*.**", {".a", ".a.b"}, {""}},
      {"**.a.**.a", {".a.a", ".a.x.a", ".x.a.a.y.a"}, {".a", ".a.x"}},
      // Inside a key.
      {"w*", {".w", ".weight"}, {".v", ".vw", "", ".w.a"}},
      {"*w", {".w", ".vw"}, {".wv"}},
      {"*w*", {".w", ".awb"}, {".ab"}},
      {"a*b*c", {".abc", ".aXbYc", ".abbcc"}, {".acb", ".ab"}},
      {"block_?", {".block_1", ".block_a"}, {".block_", ".block_12"}},
      {"?", {".a", "[7]", "['.']"}, {"[10]", "['']", "", "[-1]"}},
      {"???", {"[100]", "['abc']"}, {"[10]"}},
      {"1*", {"[1]", "[10]", "['1a']"}, {"[0]", "[21]"}},
      // A backslash makes the next character literal.
      {R"(a\.b)", {".'a.b'", "['a.b']"}, {".a.b"}},
      {R"(\*)", {"['*']"}, {".a", "['\\\\*']"}},
      {R"(\*\*)", {"['**']"}, {"", ".a"}},
      {R"(\?)", {"['?']"}, {".a"}},
      {R"(a\[0\])", {"['a[0]']"}, {".a[0]"}},
      {R"(\{a,b\})", {"['{a,b}']"}, {".a", ".b"}},
      {R"(\\)", {R"(['\\'])"}, {".a"}},
      {R"(\a)", {".a"}, {R"(['\\a'])"}},
  };
  for (const MatchCase& c : kCases) {
    for (const std::string& path : c.yes) {
      EXPECT_TRUE(Matches(c.pattern, path)) << c.pattern << " on " << path;
    }
    for (const std::string& path : c.no) {
      EXPECT_FALSE(Matches(c.pattern, path)) << c.pattern << " on " << path;
    }
  }
}

TEST(GlobTest, QuestionMark_MatchesOneCharacterOfSeveralBytes) {
  EXPECT_TRUE(Matches("?t?", "['été']"));
  EXPECT_TRUE(Matches("???", "['été']"));
  EXPECT_FALSE(Matches("?????", "['été']"));  // five bytes
  EXPECT_TRUE(Matches("?", "['😀']"));
  EXPECT_TRUE(Matches("?\?", "['层a']"));
  EXPECT_TRUE(Matches("*?", "['é']"));
  EXPECT_FALSE(Matches("*?\?", "['é']"));
  EXPECT_TRUE(Matches("é*", "['été']"));
  EXPECT_TRUE(Matches("\\é", "['é']"));
}

TEST(GlobTest, ManyStars_MatchInPolynomialTime) {
  std::string stars, segments;
  for (int i = 0; i < 30; ++i) {
    stars += "a*";
    segments += "**.a.";
  }
  const std::string as(20000, 'a');
  EXPECT_FALSE(Matches(stars + "b", "['" + as + "']"));
  Path deep;
  for (int i = 0; i < 20000; ++i) deep.Attribute("a");
  EXPECT_FALSE(internal::GlobPattern::Parse(segments + "b").value().Matches(deep));
}

TEST(GlobTest, Step_AdvancesByOneKey) {
  const internal::GlobPattern glob = internal::GlobPattern::Parse("layers.*.w").value();
  internal::GlobPattern::States states = glob.start();
  for (const char* key : {"layers", "0"}) {
    EXPECT_FALSE(glob.Accepts(states));
    states = glob.Step(states, glob.MatchingSegments(key));
  }
  EXPECT_EQ(glob.Step(states, glob.MatchingSegments("v")), 0u);  // dead: nothing below can match
  EXPECT_TRUE(glob.Accepts(glob.Step(states, glob.MatchingSegments("w"))));
  EXPECT_EQ(glob.text(), "layers.*.w");
}

TEST(GlobTest, DistinguishesIntegers_IfOneMatchesOtherSegments) {
  for (const char* pattern : {"a.7", "a.?", "1*.b", "*0", "-?"}) {
    EXPECT_TRUE(internal::GlobPattern::Parse(pattern)->DistinguishesIntegers()) << pattern;
  }
  for (const char* pattern : {"layers.*.w", "**.w1", "x*.*.**", "*x*", "\\*"}) {
    const internal::GlobPattern glob = internal::GlobPattern::Parse(pattern).value();
    EXPECT_FALSE(glob.DistinguishesIntegers()) << pattern;
    for (const char* number : {"7", "10000", "-5", "9223372036854775807"}) {
      EXPECT_EQ(glob.MatchingSegments(number), glob.MatchingSegments("0"))
          << pattern << " of " << number;
    }
  }
}

TEST(GlobTest, BadPattern_NamesTheColumn) {
  const struct {
    const char* pattern;
    int column;
    const char* words;
  } kCases[] = {
      {"", 1, "expected a key, found no pattern; `**` matches every node"},
      {".", 1, "expected a key, found an empty one"},
      {".a", 1, "expected a key, found an empty one"},
      {"a..b", 3, "expected a key, found an empty one"},
      {"a.", 3, "expected a key, found the end"},
      {"a.**.", 6, "expected a key, found the end"},
      {"a**", 2, "expected `**` alone between dots"},
      {"**a", 1, "expected `**` alone between dots"},
      {"***", 1, "expected `**` alone between dots"},
      {"x.a**.b", 4, "expected `**` alone between dots"},
      {"layers[0]", 7, "found a bracket; expected the dotted form"},
      {"a]", 2, "found a bracket; expected the dotted form"},
      {"head.{w,b}", 6,
       "found a brace; expected a glob for each alternative, or a backslash before"},
      {"a}", 2, "found a brace; expected a glob for each alternative, or a backslash before"},
      {"a\\", 2, "expected a character after the backslash, found the end"},
      {"ab.\\", 4, "expected a character after the backslash, found the end"},
  };
  for (const auto& c : kCases) {
    EXPECT_THAT(internal::GlobPattern::Parse(c.pattern),
                StatusIs(kInvalid, AllOf(HasSubstr(std::string("glob '") + c.pattern + "'"),
                                         HasSubstr("column " + std::to_string(c.column) + ":"),
                                         HasSubstr(c.words))))
        << c.pattern;
  }
}

TEST(GlobTest, Pattern_HasAtMost63Segments) {
  std::string pattern = "a";
  std::string path = ".a";
  for (int i = 1; i < 63; ++i) {
    pattern += ".a";
    path += ".a";
  }
  EXPECT_TRUE(Matches(pattern, path));
  EXPECT_FALSE(Matches(pattern, path + ".a"));
  EXPECT_THAT(internal::GlobPattern::Parse(pattern + ".b"),
              StatusIs(kInvalid,
                       AllOf(HasSubstr("column 127:"), HasSubstr("expected at most 63 segments"))));
  // `**` after `**` adds nothing and does not count.
  std::string many = "**";
  for (int i = 0; i < 200; ++i) many += ".**";
  EXPECT_THAT(internal::GlobPattern::Parse(many), IsOk());
}

// Returns the text that each wildcard matches; for `**` the keys, joined by slashes.
std::vector<std::string> Captured(const std::string& pattern,
                                  const std::vector<std::string>& keys) {
  const internal::GlobPattern glob = internal::GlobPattern::Parse(pattern).value();
  uint64_t budget = 10'000;
  const auto captures = glob.Captures(keys, &budget);
  if (!captures) return {"no match"};
  EXPECT_EQ(captures->size(), glob.wildcards().size());
  std::vector<std::string> texts;
  for (size_t i = 0; i < captures->size(); ++i) {
    const internal::GlobPattern::Capture& capture = (*captures)[i];
    if (glob.wildcards()[i] != internal::GlobPattern::Wildcard::kKeys) {
      EXPECT_EQ(capture.key_count, 1u);
      texts.emplace_back(capture.text);
      continue;
    }
    std::string& text = texts.emplace_back();
    for (size_t k = 0; k < capture.key_count; ++k) text += keys[capture.first_key + k] + "/";
  }
  return texts;
}

TEST(GlobTest, Captures_ReturnsWhatWildcardsMatch) {
  EXPECT_EQ(Captured("a.b", {"a", "b"}), Texts());
  EXPECT_EQ(Captured("layers.*.w", {"layers", "0", "w"}), Texts({"0"}));
  EXPECT_EQ(Captured("**.attn.*", {"x", "y", "attn", "w"}), Texts({"x/y/", "w"}));
  EXPECT_EQ(Captured("a.**", {"a"}), Texts({""}));
  EXPECT_EQ(Captured("**", {}), Texts({""}));
  EXPECT_EQ(Captured("block_?.*_w", {"block_é", "q_w"}), Texts({"é", "q"}));
  EXPECT_EQ(Captured("l*_*", {"l1_2_3"}), Texts({"1", "2_3"}));
  EXPECT_EQ(Captured("*", {""}), Texts({""}));
  EXPECT_EQ(Captured("w*", {"w"}), Texts({""}));
  EXPECT_EQ(Captured("a.b", {"a"}), Texts({"no match"}));
  EXPECT_EQ(Captured("a", {"a", "b"}), Texts({"no match"}));
}

TEST(GlobTest, Captures_AreLazy) {
  EXPECT_EQ(Captured("**.a.**", {"a", "a", "a"}), Texts({"", "a/a/"}));
  EXPECT_EQ(Captured("**.a", {"a", "a", "a"}), Texts({"a/a/"}));
  EXPECT_EQ(Captured("**.a.*.**", {"b", "a", "a", "c"}), Texts({"b/", "a", "c/"}));
  EXPECT_EQ(Captured("*a*", {"aaa"}), Texts({"", "aa"}));
  EXPECT_EQ(Captured("*a", {"aaa"}), Texts({"aa"}));
}

TEST(GlobTest, Wildcards_HaveKinds) {
  using Wildcard = internal::GlobPattern::Wildcard;
  EXPECT_THAT(
      internal::GlobPattern::Parse("*.a.**.**.b*?.\\*").value().wildcards(),
      testing::ElementsAre(Wildcard::kKey, Wildcard::kKeys, Wildcard::kText, Wildcard::kCharacter));
  EXPECT_THAT(internal::GlobPattern::Parse("*.a.**.b*.c\\.d").value().LiteralKeys(),
              testing::ElementsAre("a", "c.d"));
}

TEST(GlobTest, Captures_StopAtTheLimitOfSteps) {
  std::string pattern = "*";
  for (int i = 0; i < 100; ++i) pattern += "a*";
  const std::vector<std::string> keys = {std::string(100'000, 'a')};
  uint64_t budget = 1'000'000;
  EXPECT_FALSE(internal::GlobPattern::Parse(pattern + "b").value().Captures(keys, &budget));
  EXPECT_FALSE(internal::GlobPattern::Parse("**.b").value().Captures(keys, &budget));
  EXPECT_GT(budget, 0u);
  budget = 100;
  EXPECT_FALSE(internal::GlobPattern::Parse(pattern).value().Captures(keys, &budget));
  EXPECT_EQ(budget, 0u);
}

// Returns whether a pattern, split at dots, matches dotted keys, by a naive recursion.
class ReferenceGlob {
 public:
  explicit ReferenceGlob(const std::string& pattern) {
    segments_.emplace_back();
    for (size_t i = 0; i < pattern.size(); ++i) {
      if (pattern[i] == '.') {
        segments_.emplace_back();
        continue;
      }
      segments_.back() += pattern[i];
      if (pattern[i] == '\\') segments_.back() += pattern[++i];
    }
  }

  bool Matches(const std::vector<std::string>& keys) const { return Rest(0, keys, 0); }

 private:
  bool Rest(size_t segment, const std::vector<std::string>& keys, size_t key) const {
    if (segment == segments_.size()) return key == keys.size();
    if (segments_[segment] == "**") {
      return Rest(segment + 1, keys, key) || (key < keys.size() && Rest(segment, keys, key + 1));
    }
    return key < keys.size() && One(segments_[segment], keys[key]) &&
           Rest(segment + 1, keys, key + 1);
  }

  static bool One(absl::string_view segment, absl::string_view key) {
    if (segment.empty()) return key.empty();
    if (segment[0] == '*') {
      return One(segment.substr(1), key) || (!key.empty() && One(segment, key.substr(1)));
    }
    if (key.empty()) return false;
    if (segment[0] == '?') return One(segment.substr(1), key.substr(1));
    if (segment[0] == '\\') segment.remove_prefix(1);
    return segment[0] == key[0] && One(segment.substr(1), key.substr(1));
  }

  std::vector<std::string> segments_;
};

std::string RandomSegment(Random& random) {
  static const char* const kPieces[] = {"a", "b", "a", "*", "?", "\\.", "\\*", "0", "1"};
  if (RandomBelow(random, 4) == 0) return "**";
  std::string segment;
  for (size_t left = 1 + RandomBelow(random, 3); left > 0; --left) {
    const char* piece = kPieces[RandomBelow(random, std::size(kPieces))];
    if (*piece == '*' && !segment.empty() && segment.back() == '*') continue;
    segment += piece;
  }
  return segment;
}

TEST(GlobTest, RandomPatterns_AgreeWithANaiveMatcher) {
  int matches = 0;
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    Random random(seed);
    std::string pattern;
    for (size_t left = 1 + RandomBelow(random, 4); left > 0; --left) {
      pattern += (pattern.empty() ? "" : ".") + RandomSegment(random);
    }
    const absl::StatusOr<internal::GlobPattern> glob = internal::GlobPattern::Parse(pattern);
    ASSERT_THAT(glob, IsOk()) << "seed " << seed;
    const ReferenceGlob reference(pattern);
    for (int round = 0; round < 20; ++round) {
      Path path;
      std::vector<std::string> keys;
      for (size_t left = RandomBelow(random, 5); left > 0; --left) {
        if (RandomBelow(random, 4) == 0) {
          const auto index = static_cast<int64_t>(RandomBelow(random, 12));
          path.Index(index);
          keys.push_back(std::to_string(index));
          continue;
        }
        std::string name;
        for (size_t size = RandomBelow(random, 4); size > 0; --size) {
          name += "aab.*0"[RandomBelow(random, 6)];
        }
        path.Item(name);
        keys.push_back(name);
      }
      const bool expected = reference.Matches(keys);
      uint64_t budget = 1'000'000;
      ASSERT_EQ(glob->Captures(keys, &budget).has_value(), expected)
          << "seed " << seed << ": " << pattern << " on " << path.ToString();
      matches += expected;
      ASSERT_EQ(glob->Matches(path), expected)
          << "seed " << seed << ": " << pattern << " on " << path.ToString();
    }
  }
  EXPECT_GT(matches, 3000);
}

TEST(GlobTest, TwoQuotes_MatchTheEmptyKey) {
  const auto matches = [](const char* glob, const Path& path) {
    return internal::GlobPattern::Parse(glob)->Matches(path);
  };
  const Path path = Path().Item("a").Item("").Item("b");
  EXPECT_TRUE(matches("a.''.b", path));
  EXPECT_TRUE(matches("**.''.**", path));
  EXPECT_TRUE(matches("''", Path().Item("")));
  EXPECT_FALSE(matches("''", Path()));
  EXPECT_FALSE(matches("''", Path().Item("x")));
  EXPECT_FALSE(matches("a.''", path));
  // With a backslash, and beside other characters, they are quotes.
  EXPECT_TRUE(matches("\\'\\'", Path().Item("''")));
  EXPECT_TRUE(matches("x''", Path().Item("x''")));
}

}  // namespace
}  // namespace leafstore
