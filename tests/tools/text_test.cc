// Text for people: escaping, widths, cutting, units.
#include "leafstore/tools/present/text.h"

#include <clocale>
#include <limits>
#include <string>

#include "gtest/gtest.h"

namespace leafstore::tools {
namespace {

TEST(TextTest, SafeText_IsUnchanged) {
  for (const std::string text : {"", "plain ~", "\xc3\xa9", "\xe6\xa8\xa1", "\xf0\x9f\x8d\x83",
                                 "\xd9\x86\xd9\x85\xe2\x80\x8c\xd9\x88"}) {
    EXPECT_EQ(Printable(text), text);
  }
}

TEST(TextTest, ControlCharacters_AreEscaped) {
  EXPECT_EQ(Printable("a\n\r\t\x1b[31m\x7f"), "a\\n\\r\\t\\x1b[31m\\x7f");
  EXPECT_EQ(Printable(std::string("\0", 1)), "\\x00");
  EXPECT_EQ(Printable("\xc2\x9b"
                      "31m"),
            "\\x9b31m");
}

TEST(TextTest, DirectionMarks_AreEscaped) {
  EXPECT_EQ(Printable("\xe2\x80\xae"
                      "abc"),
            "\\u202eabc");
  EXPECT_EQ(Printable("\xe2\x81\xa6"), "\\u2066");
  EXPECT_EQ(Printable("\xef\xbb\xbf"), "\\ufeff");
  EXPECT_EQ(Printable("\xf3\xa0\x81\x81"), "\\U000e0041");
}

TEST(TextTest, BytesThatAreNotUtf8_AreEscaped) {
  EXPECT_EQ(Printable("a\xff\xfe"
                      "b\xc3"),
            "a\\xff\\xfeb\\xc3");
  EXPECT_EQ(Printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");
}

TEST(TextTest, Keys_AreQuotedOnlyWhereNeeded) {
  EXPECT_EQ(PrintableKey(KeyRef::Attribute("weight")), "weight");
  EXPECT_EQ(PrintableKey(KeyRef::Index(-3)), "-3");
  EXPECT_EQ(PrintableKey(KeyRef::Item("a b")), "a b");
  EXPECT_EQ(PrintableKey(KeyRef::Item("")), "''");
  EXPECT_EQ(PrintableKey(KeyRef::Item("\x1b'")), "\"\\x1b'\"");
}

TEST(TextTest, DisplayWidth_CountsColumns) {
  EXPECT_EQ(DisplayWidth("abc"), 3u);
  EXPECT_EQ(DisplayWidth("\xc3\xa9"), 1u);
  EXPECT_EQ(DisplayWidth("e\xcc\x81"), 1u);
  EXPECT_EQ(DisplayWidth("\xe6\xa8\xa1\xe5\x9e\x8b"), 4u);
  EXPECT_EQ(DisplayWidth("\xf0\x9f\x8d\x83"), 2u);
  EXPECT_EQ(DisplayWidth("\xed\x95\x9c\xef\xbc\xa1"), 4u);      // Hangul, a fullwidth letter
  EXPECT_EQ(DisplayWidth("\xe0\xb8\x81\xe0\xb8\xb4"), 1u);      // Thai, with a vowel above
  EXPECT_EQ(DisplayWidth("\xe2\x86\x92\xf0\x9d\x91\x80"), 2u);  // an arrow, a mathematical M
}

TEST(TextTest, DisplayWidth_DoesNotDependOnTheLocale) {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  for (const char* locale : {"C", "C.UTF-8"}) {
    std::setlocale(LC_ALL, locale);
    EXPECT_EQ(DisplayWidth("\xe6\xa8\xa1\xe5\x9e\x8b"), 4u);
  }
  std::setlocale(LC_ALL, before.c_str());
}

TEST(TextTest, Cut_CountsColumnsAndKeepsCharacters) {
  EXPECT_EQ(CutEnd("abcdef", 6), "abcdef");
  EXPECT_EQ(CutEnd("abcdefg", 6), "abc...");
  EXPECT_EQ(CutEnd("abcdefg", 2), "ab");
  EXPECT_EQ(CutEnd("\xe6\xa8\xa1\xe6\xa8\xa1\xe6\xa8\xa1", 5), "\xe6\xa8\xa1...");
  EXPECT_EQ(CutMiddle("layers.0.attention.weight", 12), "lay...weight");
  EXPECT_EQ(CutMiddle("\xe6\xa8\xa1\xe6\xa8\xa1\xe6\xa8\xa1\xe6\xa8\xa1", 7), "...\xe6\xa8\xa1");
}

TEST(TextTest, HumanBytes_UsesUnitsOf1024) {
  EXPECT_EQ(HumanBytes(0), "0 B");
  EXPECT_EQ(HumanBytes(1023), "1023 B");
  EXPECT_EQ(HumanBytes(1024), "1.0 KiB");
  EXPECT_EQ(HumanBytes(1024 * 1024 - 1), "1.0 MiB");
  EXPECT_EQ(HumanBytes(std::numeric_limits<int64_t>::max()), "8.0 EiB");
}

TEST(TextTest, Counts_HaveCommasAndPlurals) {
  EXPECT_EQ(WithCommas(0), "0");
  EXPECT_EQ(WithCommas(999), "999");
  EXPECT_EQ(WithCommas(1000), "1,000");
  EXPECT_EQ(WithCommas(-123456), "-123,456");
  EXPECT_EQ(WithCommas(1234567), "1,234,567");
  EXPECT_EQ(CountOf(1, "leaf", "leaves"), "1 leaf");
  EXPECT_EQ(CountOf(1000, "leaf", "leaves"), "1,000 leaves");
}

}  // namespace
}  // namespace leafstore::tools
