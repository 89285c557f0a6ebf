// The text form of filters.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/select/filter.h"
#include "leafstore/select/partition.h"

#include "tests/core/random_keys.h"
#include "tests/core/status_matchers.h"
#include "tests/status_codes.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string Reprint(const std::string& text) {
  const absl::StatusOr<Filter> filter = Filter::Parse(text);
  return filter.ok() ? filter->ToString() : std::string(filter.status().message());
}

// Returns the leaves of the sample that a filter matches.
std::vector<std::string> TakenByText(const std::string& text) {
  return PathsOf(Partition(SampleParams(), {Filter::Parse(text).value()}).value()[0]);
}

TEST(FilterTextTest, Parse_AcceptsEveryAtom) {
  for (const char* text :
       {"static",     "tensor",     "leaf",          "all",         "**.bias",     "layers.0.w",
        "re:.*bias",  "dtype:f32",  "dtype:f8_e4m3", "rank:0",      "rank:2",      "bytes:<64",
        "bytes:<=64", "bytes:=0",   "bytes:>=1",     "bytes:>4096", "kind:leaf",   "kind:bool",
        "kind:int",   "kind:float", "kind:str",      "kind:bytes",  "kind:none",   "kind:dict",
        "kind:list",  "kind:tuple", "kind:struct",   "kind:custom", "type:Linear", "tag:frozen",
        "has:bias"}) {
    EXPECT_EQ(Reprint(text), text);
  }
  EXPECT_EQ(Reprint("kind:tensor"), "tensor");
  EXPECT_EQ(Reprint("glob:a.b"), "a.b");
}

TEST(FilterTextTest, Parse_BytesMayEndInKMOrG) {
  EXPECT_EQ(Reprint("bytes:<4k"), "bytes:<4096");
  EXPECT_EQ(Reprint("bytes:>=2M"), "bytes:>=2097152");
  EXPECT_EQ(Reprint("bytes:=1G"), "bytes:=1073741824");
}

TEST(FilterTextTest, ParsedAtoms_MatchLikeTheirFunctions) {
  EXPECT_THAT(TakenByText("static"), ElementsAre(".activation", ".steps"));
  EXPECT_THAT(TakenByText("kind:str"), ElementsAre(".activation"));
  EXPECT_THAT(TakenByText("kind:int"), ElementsAre(".steps"));
  EXPECT_THAT(TakenByText("tag:frozen"), ElementsAre(".head.bias", ".head.weight"));
  EXPECT_THAT(
      TakenByText("has:bias and not tag:frozen"),
      ElementsAre(".layers[0].bias", ".layers[0].weight", ".layers[1].bias", ".layers[1].weight"));
  EXPECT_THAT(TakenByText("bytes:<16"),
              ElementsAre(".head.bias", ".layers[0].bias", ".layers[1].bias"));
  EXPECT_THAT(TakenByText("rank:1 and layers.**"),
              ElementsAre(".layers[0].bias", ".layers[1].bias"));
  EXPECT_THAT(TakenByText("re:.*\\[1\\].*"), ElementsAre(".layers[1].bias", ".layers[1].weight"));
  EXPECT_THAT(TakenByText("dtype:f64"), IsEmpty());
}

TEST(FilterTextTest, Precedence_IsNotThenAndThenOr) {
  EXPECT_EQ(Reprint("a or b and not c"), "a or (b and not c)");
  EXPECT_EQ(Reprint("a and b or c"), "(a and b) or c");
  EXPECT_EQ(Reprint("not a or b"), "not a or b");
  EXPECT_EQ(Reprint("not (a or b)"), "not (a or b)");
  EXPECT_EQ(Reprint("(a or b) and c"), "(a or b) and c");
  EXPECT_EQ(Reprint("not not a"), "not not a");
  EXPECT_EQ(Reprint("((a))"), "a");
  EXPECT_EQ(Reprint("a or b or c"), "a or b or c");
  EXPECT_EQ(Reprint("a or (b or c)"), "a or (b or c)");
  EXPECT_EQ(Reprint("(a or b) or c"), "a or b or c");
}

TEST(FilterTextTest, SpacesAndParentheses_EndAWord) {
  EXPECT_EQ(Reprint(" \t(a)and\n(not(b))  "), "a and not b");
  EXPECT_EQ(Reprint("not(a)or(b)"), "not a or b");
  EXPECT_EQ(Reprint("(a)"), "a");
}

TEST(FilterTextTest, Keywords_AreCompleteWords) {
  EXPECT_EQ(Reprint("order"), "order");
  EXPECT_EQ(Reprint("nothing and android"), "nothing and android");
  EXPECT_EQ(Reprint("not.a"), "not.a");
  EXPECT_EQ(Reprint("statics"), "statics");
}

TEST(FilterTextTest, Quotes_MayContainSpacesParenthesesAndKeywords) {
  EXPECT_EQ(Reprint("\"a b\""), "\"a b\"");
  EXPECT_EQ(Reprint("\"static\""), "glob:static");  // a key, not the word
  EXPECT_EQ(Reprint("\"not\" or \"or\""), "glob:not or glob:or");
  EXPECT_EQ(Reprint("\"a\"\"b\""), "\"a\"\"b\"");  // two quotes stand for one
  EXPECT_EQ(Reprint("tag:\"no decay\""), "tag:\"no decay\"");
  EXPECT_EQ(Reprint("type:\"Linear(2)\""), "type:\"Linear(2)\"");
  EXPECT_EQ(Reprint("has:\"\""), "has:\"\"");  // a child whose name is empty
  EXPECT_EQ(Reprint("\"w:0\""), "glob:w:0");
  EXPECT_EQ(Reprint("\"(\""), "\"(\"");
}

TEST(FilterTextTest, Regex_BalancedParenthesesNeedNoQuotes) {
  EXPECT_EQ(Reprint("re:.*(bias|norm)"), "re:\".*(bias|norm)\"");
  EXPECT_EQ(Reprint("(re:(a|(b))c)"), "re:\"(a|(b))c\"");
  EXPECT_EQ(Reprint("re:a\\)b"), "re:\"a\\)b\"");
  EXPECT_EQ(Reprint("re:a\\ b"), "re:\"a\\ b\"");  // a backslash escapes the space
  EXPECT_EQ(Reprint("re:\"a (b|c)\""), "re:\"a (b|c)\"");
  EXPECT_EQ(Reprint("re:a:b"), "re:a:b");
}

struct BadText {
  std::string text;
  int column;
  std::string words;
};

TEST(FilterTextTest, SyntaxError_NamesTheColumnAndWhatWasExpected) {
  const BadText kCases[] = {
      {"", 1, "expected a filter, found the end"},
      {"   ", 4, "expected a filter, found the end"},
      {"a and", 6, "expected a filter, found the end"},
      {"a or ", 6, "expected a filter, found the end"},
      {"not", 4, "expected a filter, found the end"},
      {"a and or b", 7, "expected a filter, found 'or'"},
      {"and a", 1, "expected a filter, found 'and'"},
      {")", 1, "expected a filter, found ')'"},
      {"()", 2, "expected a filter, found ')'"},
      {"a b", 3, "expected 'and', 'or' or the end"},
      {"a)", 2, "expected 'and', 'or' or the end"},
      {"a (b)", 3, "expected 'and', 'or' or the end"},
      {"(a b)", 4, "expected 'and', 'or' or ')'"},
      {"x and (a", 7, "expected a ')' for this '('"},
      {"x or \"a", 6, "expected a closing quote for this one"},
      {"tag:\"a", 5, "expected a closing quote for this one"},
      {"\"a\"b", 4, "expected a space after the closing quote"},
      {"rank:", 6, "expected text after 'rank:'"},
      {"re:", 4, "expected text after 're:'"},
      {"glob: a", 6, "expected text after 'glob:'"},
      {"tag:(a)", 5, "expected text after 'tag:'"},
      {"rank:two", 6, "expected a rank, found 'two'"},
      {"rank:-1", 6, "expected a rank, found '-1'"},
      {"x and bytes:64", 13, "expected <, <=, =, >= or > and a number of bytes"},
      {"bytes:<", 7, "found '<'"},
      {"bytes:<-1", 7, "found '<-1'"},
      {"bytes:<1T", 7, "found '<1T'"},
      {"bytes:>9000000000000G", 7, "found '>9000000000000G'"},
      {"kind:alias", 6, "expected one of leaf, tensor, bool, int"},
      {"kind:\"\"", 6, "found ''"},
      {"dtype:f99", 7, "f99"},
      {"x or a..b", 6, "glob 'a..b', column 3: expected a key"},
      {"x or \"\"", 6, "glob '', column 1: expected a key, found no pattern"},
      {"head.{w,b}", 1, "glob 'head.{w,b}', column 6: found a brace; expected a glob for each"},
      {"re:a[", 4, "regular expression 'a[', column 2: missing ]"},
      {"x or re:(b", 9, "regular expression '(b', column 1: missing )"},
      {"dytpe:f32", 1, "found 'dytpe:'; did you mean dtype?"},
      {"x or weights:0", 6, "a glob with a colon is written glob:weights:0"},
  };
  for (const BadText& c : kCases) {
    EXPECT_THAT(Filter::Parse(c.text),
                StatusIs(kInvalid, AllOf(HasSubstr("filter '" + c.text + "', column " +
                                                   std::to_string(c.column) + ":"),
                                         HasSubstr(c.words))))
        << c.text;
  }
}

std::string Repeat(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

TEST(FilterTextTest, Nesting_IsLimitedTo200Levels) {
  EXPECT_THAT(Filter::Parse(Repeat("(", 199) + "a" + Repeat(")", 199)), IsOk());
  EXPECT_THAT(Filter::Parse(Repeat("(", 200) + "a" + Repeat(")", 200)),
              StatusIs(kInvalid, HasSubstr("column 201: expected at most 200 levels")));
  EXPECT_THAT(Filter::Parse(Repeat("not ", 199) + "a"), IsOk());
  EXPECT_THAT(Filter::Parse(Repeat("not ", 200) + "a"),
              StatusIs(kInvalid, HasSubstr("expected at most 200 levels")));
  // Parentheses and `not` are counted together, and only nested ones count.
  EXPECT_THAT(Filter::Parse(Repeat("not (", 100) + "a" + Repeat(")", 100)),
              StatusIs(kInvalid, HasSubstr("expected at most 200 levels")));
  EXPECT_THAT(Filter::Parse("a" + Repeat(" or not (not (b))", 1000)), IsOk());
}

TEST(FilterTextTest, Text_IsLimitedTo64KiB) {
  EXPECT_THAT(Filter::Parse("a" + Repeat(" or b", 13000)), IsOk());
  EXPECT_THAT(Filter::Parse(std::string(65537, 'a')),
              StatusIs(kInvalid, "filter of 65537 bytes: expected at most 65536"));
}

// ---- random expressions ----

Filter RandomAtom(Random& random) {
  static const char* const kWords[] = {"",    "a",   "**.b", "a b",  "static", "not", "or", "tag:a",
                                       "w:0", "(",   "a)b",  "\"",   "a\"\"",  "all", "\t", "\\.a",
                                       "*.?", "and", "re",   "leaf", "été",    "x\ny"};
  const std::string word = kWords[RandomBelow(random, std::size(kWords))];
  switch (RandomBelow(random, 12)) {
    case 0:
      return Glob(word);
    case 1:
      return Regex(RandomBelow(random, 2) == 0 ? "(" + word + ")?[(].*\\)" : ".*" + word);
    case 2:
      return DTypeIs(RandomBelow(random, 2) == 0 ? DType::kF32 : DType::kI8);
    case 3:
      return RankIs(static_cast<int>(RandomBelow(random, 4)));
    case 4:
      return ByteSizeIs(static_cast<SizeCompare>(RandomBelow(random, 5)),
                        static_cast<int64_t>(random() >> (1 + RandomBelow(random, 60))));
    case 5:
      return KindIs(RandomBelow(random, 2) == 0 ? NodeKind::kLeaf : NodeKind::kCustom);
    case 6:
      return ValueIs(static_cast<ValueKind>(1 + RandomBelow(random, 5)));
    case 7:
      return TypeIs(word);
    case 8:
      return HasTag(word);
    case 9:
      return HasChild(word);
    case 10:
      return RandomBelow(random, 2) == 0 ? IsStatic() : IsTensor();
    default:
      return RandomBelow(random, 2) == 0 ? IsLeaf() : filters::All();
  }
}

Filter RandomFilter(Random& random, int depth) {
  if (depth == 0 || RandomBelow(random, 4) == 0) return RandomAtom(random);
  Filter a = RandomFilter(random, depth - 1);
  if (RandomBelow(random, 4) == 0) return filters::Not(std::move(a));
  Filter b = RandomFilter(random, depth - 1);
  return RandomBelow(random, 2) == 0 ? filters::And(std::move(a), std::move(b))
                                     : filters::Or(std::move(a), std::move(b));
}

TEST(FilterTextTest, RandomFilters_ParseBackFromTheirText) {
  int good = 0;
  for (uint64_t seed = 0; seed < 5000; ++seed) {
    Random random(seed);
    const Filter filter = RandomFilter(random, 4);
    const std::string text = filter.ToString();
    const absl::StatusOr<Filter> read = Filter::Parse(text);
    ASSERT_EQ(read.ok(), filter.status().ok())
        << "seed " << seed << ": " << text << ": " << read.status() << filter.status();
    if (!read.ok()) continue;
    ++good;
    ASSERT_EQ(read->ToString(), text) << "seed " << seed;
  }
  EXPECT_GT(good, 1000);
}

TEST(FilterTextTest, RandomBytes_ParseOrAreAnError) {
  static const std::string kPieces[] = {
      "(",  ")", "\"", " ", "and",    "or", "not", "re:",   "tag:", "rank:", "a",
      "**", ".", "\\", ":", "bytes:", "<",  "1",   "kind:", "[",    "\xff",  "leaf"};
  for (uint64_t seed = 0; seed < 20000; ++seed) {
    Random random(seed);
    std::string text;
    for (size_t left = RandomBelow(random, 12); left > 0; --left) {
      text += kPieces[RandomBelow(random, std::size(kPieces))];
    }
    const absl::StatusOr<Filter> filter = Filter::Parse(text);
    if (!filter.ok()) {
      ASSERT_THAT(filter, StatusIs(kInvalid, HasSubstr("column "))) << "seed " << seed;
      continue;
    }
    const std::string printed = filter->ToString();
    ASSERT_EQ(Reprint(printed), printed) << "seed " << seed << ": " << text;
  }
}

}  // namespace
}  // namespace leafstore
