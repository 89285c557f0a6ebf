#include "leafstore/core/path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <map>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/hash/hash_testing.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

#include "tests/core/random_keys.h"
#include "tests/source_dir.h"

namespace leafstore {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Path Parsed(absl::string_view text) {
  absl::StatusOr<Path> path = Path::Parse(text);
  EXPECT_TRUE(path.ok()) << path.status();
  return path.value_or(Path());
}

// Expects that Parse rejects `text` with a message that has the column and these words.
void ExpectError(absl::string_view text, int column, absl::string_view words) {
  const absl::StatusOr<Path> path = Path::Parse(text);
  EXPECT_EQ(path.status().code(), absl::StatusCode::kInvalidArgument) << text;
  EXPECT_THAT(std::string(path.status().message()),
              StartsWith(absl::StrCat("not the text of a path: column ", column, ": expected ")))
      << text;
  EXPECT_THAT(std::string(path.status().message()), HasSubstr(std::string(words))) << text;
}

Path RandomPath(Random& random) {
  Path path;
  for (size_t left = RandomBelow(random, 5); left > 0; --left) path.Append(RandomKey(random));
  return path;
}

TEST(PathTest, Root_IsEmpty) {
  EXPECT_TRUE(Path().empty());
  EXPECT_EQ(Path().size(), 0u);
  EXPECT_EQ(Path().ToString(), "");
  EXPECT_EQ(Path().Dotted(), "");
  EXPECT_EQ(Parsed(""), Path());
}

TEST(PathTest, ToString_MatchesKeystr) {
  const Path path = Path().Attribute("layers").Index(0).Item("w");
  EXPECT_EQ(path.ToString(), ".layers[0]['w']");
  EXPECT_EQ(path.Dotted(), "layers.0.w");
  EXPECT_EQ(Parsed(".layers[0]['w']"), path);
}

TEST(PathTest, Append_AddsAtTheEnd) {
  Path path;
  path.Attribute("a").Append(Key::Item("b")).Index(-1);
  ASSERT_EQ(path.size(), 3u);
  EXPECT_EQ(path.keys()[1], Key::Item("b"));
  EXPECT_EQ(path, Path().Attribute("a").Item("b").Index(-1));
}

template <typename T>
concept GivesKeys = requires(T path) {
  std::forward<T>(path).keys();
};
template <typename T>
concept GivesRef = requires(T key) {
  std::forward<T>(key).ref();
};
// References into a temporary would dangle.
static_assert(GivesKeys<const Path&> && !GivesKeys<Path>);
static_assert(GivesRef<const Key&> && !GivesRef<Key>);

TEST(PathTest, ChainOnATemporary_ReturnsAValue) {
  static_assert(std::is_same_v<decltype(Path().Attribute("a")), Path>);
  static_assert(std::is_same_v<decltype(Path().Item("a").Index(1).Append(Key::Index(2))), Path>);
  const Path& path = Path().Attribute("layers").Item("w");
  EXPECT_EQ(path.ToString(), ".layers['w']");
}

TEST(PathTest, DottedForms_MayCoincideWhileTextsDiffer) {
  const Path one = Path().Attribute("a.b");
  const Path two = Path().Attribute("a").Attribute("b");
  EXPECT_EQ(one.Dotted(), two.Dotted());
  EXPECT_EQ(one.ToString(), ".'a.b'");
  EXPECT_EQ(two.ToString(), ".a.b");
}

TEST(PathTest, Order_IsLexicographicByKey) {
  EXPECT_LT(Path(), Path().Attribute("a"));
  EXPECT_LT(Path().Attribute("a"), Path().Attribute("a").Index(0));
  EXPECT_LT(Path().Attribute("a").Index(9), Path().Attribute("a").Index(10));
  EXPECT_LT(Path().Attribute("a").Index(10), Path().Attribute("b"));
}

TEST(PathTest, Hash_AgreesWithEquality) {
  EXPECT_TRUE(absl::VerifyTypeImplementsAbslHashCorrectly(
      {Path(), Path().Attribute("a"), Path().Item("a"), Path().Attribute("a").Index(0),
       Path().Index(0).Attribute("a"), Path().Item("a").Item("b"), Path().Item("ab")}));
}

TEST(PathTest, Parse_AcceptsEveryEscape) {
  EXPECT_EQ(Parsed(R"(['\\\n\r\t\x00\x7f\x80\x9f'])"),
            Path().Item(absl::string_view("\\\n\r\t\0\x7f\xC2\x80\xC2\x9F", 10)));
  EXPECT_EQ(Parsed(R"(['it\'s "a"'])"), Path().Item("it's \"a\""));
  EXPECT_EQ(Parsed(R"(["it's"])"), Path().Item("it's"));
  EXPECT_EQ(Parsed(R"(.'a\nb')"), Path().Attribute("a\nb"));
}

TEST(PathTest, Parse_AcceptsDelimitersInsideQuotes) {
  EXPECT_EQ(Parsed("['].x[']"), Path().Item("].x["));
  EXPECT_EQ(Parsed(".'a.b'[0]"), Path().Attribute("a.b").Index(0));
}

TEST(PathTest, Parse_AcceptsTheRangeOfInt64) {
  EXPECT_EQ(Parsed("[9223372036854775807]"), Path().Index(std::numeric_limits<int64_t>::max()));
  EXPECT_EQ(Parsed("[-9223372036854775808]"), Path().Index(std::numeric_limits<int64_t>::min()));
}

TEST(PathTest, Parse_RejectsIndicesBeyondInt64) {
  ExpectError("[9223372036854775808]", 2, "a 64-bit integer");
  ExpectError("[-9223372036854775809]", 2, "a 64-bit integer");
  ExpectError(absl::StrCat("[", std::string(100000, '9'), "]"), 2, "a 64-bit integer");
}

TEST(PathTest, Parse_RejectsNonCanonicalIntegers) {
  ExpectError("[-0]", 2, "expected '0' (the canonical spelling), found '-'");
  ExpectError("[01]", 2, "expected '1' (the canonical spelling), found '0'");
  ExpectError("[00]", 3, "expected ']' (the canonical spelling), found '0'");
  ExpectError("[-01]", 3, "expected '1' (the canonical spelling), found '0'");
  ExpectError("[+1]", 2, "expected an integer or a quoted name, found '+'");
  ExpectError("[-]", 3, "expected a digit, found ']'");
  ExpectError("[--1]", 3, "expected a digit, found '-'");
  ExpectError("[ 1]", 2, "expected an integer or a quoted name, found ' '");
  ExpectError("[1 ]", 3, "expected ']', found ' '");
  ExpectError("[1.0]", 3, "expected ']', found '.'");
  ExpectError("[0x1]", 3, "expected ']', found 'x'");
  ExpectError("[]", 2, "expected an integer or a quoted name, found ']'");
}

TEST(PathTest, Parse_RejectsNonCanonicalQuotes) {
  ExpectError("[\"a\"]", 2, "expected \"'\" (the canonical spelling), found '\"'");
  ExpectError(R"(['it\'s'])", 2, "expected '\"' (the canonical spelling), found \"'\"");
  ExpectError(R"(["it's \"a\""])", 9, "after a backslash, found '\"'");
  ExpectError(R"(["it\'s"])", 5, "expected \"'\" (the canonical spelling), found '\\\\'");
}

TEST(PathTest, Parse_RejectsNonCanonicalAttributes) {
  ExpectError(".'a'", 2, "expected 'a' (the canonical spelling), found \"'\"");
  ExpectError(".'été'", 2, "expected 'é' (the canonical spelling), found \"'\"");
  ExpectError(".0", 2, "expected an identifier or a quoted name, found '0'");
  ExpectError("..a", 2, "expected an identifier or a quoted name, found '.'");
  ExpectError(".", 2, "expected an identifier or a quoted name, found end of text");
  ExpectError(".a-b", 3, "expected '.' or '[', found '-'");
  ExpectError(".a ", 3, "expected '.' or '[', found ' '");
  ExpectError(".a\xC2\x85", 3, "expected '.' or '[', found '\\x85'");
}

TEST(PathTest, Parse_RejectsNonCanonicalEscapes) {
  ExpectError(R"(['\x41'])", 3, "expected 'A' (the canonical spelling), found '\\\\'");
  ExpectError(R"(['\x0a'])", 4, "expected 'n' (the canonical spelling), found 'x'");
  ExpectError(R"(['\x1F'])", 6, "expected 'f' (the canonical spelling), found 'F'");
  ExpectError(R"(['\xa0'])", 3, "expected the character itself");
  ExpectError(R"(['\xff'])", 3, "expected the character itself");
  ExpectError(R"(['\x5c'])", 4, "expected '\\\\' (the canonical spelling), found 'x'");
  ExpectError(R"(['\"'])", 4, "after a backslash, found '\"'");
  ExpectError(R"(['\u00e9'])", 4, "after a backslash, found 'u'");
  ExpectError(R"(['\a'])", 4, "after a backslash, found 'a'");
  ExpectError(R"(['\x1'])", 6, "expected a hex digit, found \"'\"");
  ExpectError(R"(['\x-1'])", 5, "expected a hex digit");
  ExpectError(R"(['\x+1'])", 5, "expected a hex digit");
  ExpectError(R"(['\x 1'])", 5, "expected a hex digit");
}

TEST(PathTest, Parse_RejectsUnescapedControlCharacters) {
  ExpectError("['a\n']", 4, "expected '\\\\' (the canonical spelling), found '\\n'");
  ExpectError(absl::string_view("['\0']", 5), 3, "found '\\x00'");
  ExpectError("['\x7f']", 3, "found '\\x7f'");
  ExpectError("['\xC2\x85']", 3, "found '\\x85'");
}

TEST(PathTest, Parse_RejectsInvalidUtf8WithItsColumn) {
  ExpectError(".a\xFF", 3, "expected UTF-8, found byte 0xff");
  ExpectError("['\xC0\x80']", 3, "expected UTF-8, found byte 0xc0");
  ExpectError("['\xED\xA0\x80']", 3, "expected UTF-8, found byte 0xed");
  ExpectError(".a['é\xE5']", 7, "expected UTF-8, found byte 0xe5");
}

TEST(PathTest, Parse_RejectsTruncatedText) {
  const std::string text = R"(.layers[10]['it\'s "a"\x07'].'a b')";
  ASSERT_EQ(Parsed(text).ToString(), text);
  for (size_t size = 0; size < text.size(); ++size) {
    const std::string cut = text.substr(0, size);
    if (const absl::StatusOr<Path> path = Path::Parse(cut); path.ok()) {
      EXPECT_EQ(path->ToString(), cut);
    } else {
      EXPECT_EQ(path.status().code(), absl::StatusCode::kInvalidArgument) << cut;
      EXPECT_THAT(std::string(path.status().message()),
                  HasSubstr(absl::StrCat("column ", size + 1, ": expected ")))
          << cut;
      EXPECT_THAT(std::string(path.status().message()), HasSubstr("found end of text")) << cut;
    }
  }
  ExpectError("[1", 3, "expected ']', found end of text");
  ExpectError("['a'", 5, "expected ']', found end of text");
  ExpectError("['a", 4, "expected the closing quote \"'\", found end of text");
  ExpectError("['a\\", 5, "after a backslash, found end of text");
  ExpectError("['\\x", 5, "expected a hex digit, found end of text");
}

TEST(PathTest, Parse_RejectsTextThatIsNotAKey) {
  ExpectError("layers", 1, "expected '.' or '[', found 'l'");
  ExpectError(" .a", 1, "expected '.' or '[', found ' '");
  ExpectError("[0]]", 4, "expected '.' or '[', found ']'");
  ExpectError("[0]é", 4, "expected '.' or '[', found 'é'");
  ExpectError("[abc]", 2, "expected an integer or a quoted name, found 'a'");
}

TEST(PathTest, ParseError_ShowsAnExcerptAroundTheColumn) {
  ExpectError(".a b", 3, ": '.a b'");
  std::string text;
  for (int i = 0; i < 10000; ++i) absl::StrAppend(&text, "['é", i, "']");
  const size_t column = text.size() + 1;
  for (int i = 0; i < 10000; ++i) absl::StrAppend(&text, " ['é", i, "']");
  const absl::Status status = Path::Parse(text).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrCat("column ", column, ":")));
  EXPECT_THAT(std::string(status.message()), HasSubstr("['é9999'] ['é0']"));
  EXPECT_LT(status.message().size(), 250u);
}

TEST(PathTest, ParseOfDottedText_SuggestsCanonicalForms) {
  const struct {
    const char* text;
    const char* hint;
  } kCases[] = {
      {"layers.0.weight", ".layers[0].weight or ['layers'][0]['weight']"},
      {".layers.0.weight", ".layers[0].weight or ['layers'][0]['weight']"},
      {"layers[0].weight", ".layers[0].weight or ['layers'][0]['weight']"},
      {"head", ".head or ['head']"},
      {"params['a b'].w", ".params['a b'].w or ['params']['a b']['w']"},
      {"block-1.w", ".'block-1'.w or ['block-1']['w']"},
      {"3.-1", "[3][-1]"},
  };
  for (const auto& c : kCases) {
    EXPECT_THAT(std::string(Path::Parse(c.text).status().message()),
                EndsWith(absl::StrCat("; did you mean ", c.hint, "?")))
        << c.text;
  }
  // Text that is not dotted, or too long to be typed by hand, gets no suggestion.
  for (const std::string& text :
       {std::string("layers[0"), std::string("a..b"), std::string("a."), std::string("a[0].b]"),
        std::string("a\\.b"), std::string("['a'"), std::string(".a\xff"), std::string(201, 'a')}) {
    EXPECT_THAT(std::string(Path::Parse(text).status().message()), Not(HasSubstr("did you mean")))
        << text;
  }
}

TEST(PathTest, Parse_RejectsTextOverTheLimit) {
  const std::string quoted(Path::kMaxTextSize - 4, 'a');
  EXPECT_TRUE(Path::Parse(absl::StrCat("['", quoted, "']")).ok());
  const absl::Status status = Path::Parse(absl::StrCat("['", quoted, "a']")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), "the text of a path has 16777217 bytes; the limit is 16777216");
}

TEST(PathTest, Parse_OfAMillionKeysUsesConstantStack) {
  std::string text;
  for (int i = 0; i < 1000000; ++i) text += i % 2 == 0 ? ".a" : "[0]";
  EXPECT_EQ(Parsed(text).size(), 1000000u);
}

TEST(PathTest, Parse_InvertsToString) {
  for (uint64_t seed = 0; seed < 50000; ++seed) {
    Random random(seed);
    const Path path = RandomPath(random);
    const std::string text = path.ToString();
    const absl::StatusOr<Path> parsed = Path::Parse(text);
    ASSERT_TRUE(parsed.ok()) << "seed " << seed << ": " << parsed.status();
    ASSERT_EQ(*parsed, path) << "seed " << seed << ": " << text;
  }
}

TEST(PathTest, DifferentPaths_HaveDifferentTexts) {
  std::map<std::string, Path> paths;
  for (uint64_t seed = 0; seed < 50000; ++seed) {
    Random random(seed);
    const Path path = RandomPath(random);
    const auto [place, inserted] = paths.emplace(path.ToString(), path);
    ASSERT_EQ(place->second, path) << "seed " << seed << ": both are " << place->first;
  }
}

// Checks that damaged text is rejected, or is the canonical text of another path.
TEST(PathTest, Parse_AcceptsOnlyWhatToStringPrints) {
  static constexpr absl::string_view kPieces[] = {".",    "[",    "]",        "'",     "\"",  "\\",
                                                  "\\x",  "a",    "0",        "-",     "\\n", " ",
                                                  "\xC2", "\x85", "\xC3\xA9", "\\x85", "\n"};
  size_t accepted = 0;
  for (uint64_t seed = 0; seed < 100000; ++seed) {
    Random random(seed);
    std::string text = RandomPath(random).ToString();
    for (size_t left = 1 + RandomBelow(random, 2); left > 0; --left) {
      const size_t at = RandomBelow(random, text.size() + 1);
      const size_t dropped = RandomBelow(random, 3);
      const absl::string_view piece = kPieces[RandomBelow(random, std::size(kPieces))];
      text.replace(at, dropped, piece.data(), RandomBelow(random, 4) == 0 ? 0 : piece.size());
    }
    if (const absl::StatusOr<Path> path = Path::Parse(text); path.ok()) {
      ++accepted;
      ASSERT_EQ(path->ToString(), text) << "seed " << seed;
    } else {
      ASSERT_EQ(path.status().code(), absl::StatusCode::kInvalidArgument) << "seed " << seed;
    }
  }
  EXPECT_GT(accepted, 1000u);
}

// The `paths` of every case were printed by jax.tree_util.keystr.
TEST(PathTest, Parse_RoundTripsOutputOfKeystr) {
  std::ifstream cases(SourcePath("tests/testdata/inox_cases.jsonl"));
  size_t count = 0;
  for (std::string line; std::getline(cases, line);) {
    const nlohmann::json entry = nlohmann::json::parse(line);
    for (const std::string text : entry.at("paths")) {
      const absl::StatusOr<Path> path = Path::Parse(text);
      ASSERT_TRUE(path.ok()) << entry.at("id") << ": " << path.status();
      ASSERT_EQ(path->ToString(), text) << entry.at("id");
      ++count;
    }
  }
  EXPECT_GT(count, 2000u);
}

// Checks that flattening visits the leaves of a container in the order of their paths.
TEST(PathTest, Order_IsThatOfFlattening) {
  std::ifstream cases(SourcePath("tests/testdata/inox_cases.jsonl"));
  for (std::string line; std::getline(cases, line);) {
    const nlohmann::json entry = nlohmann::json::parse(line);
    Path last;
    for (const std::string text : entry.at("paths")) {
      const Path path = Parsed(text);
      ASSERT_LE(last, path) << entry.at("id");
      last = path;
    }
  }
}

}  // namespace
}  // namespace leafstore
