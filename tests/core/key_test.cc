#include "leafstore/core/key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "absl/hash/hash_testing.h"

#include "tests/core/random_keys.h"

namespace leafstore {
namespace {

using ::testing::ElementsAreArray;

std::string Text(const KeyRef& key) {
  std::string out;
  AppendKeyText(key, &out);
  return out;
}

std::string Dotted(const KeyRef& key) {
  std::string out;
  AppendDottedKey(key, &out);
  return out;
}

TEST(KeyTest, EachKind_HasItsText) {
  EXPECT_EQ(Text(KeyRef::Attribute("weight")), ".weight");
  EXPECT_EQ(Text(KeyRef::Item("a b")), "['a b']");
  EXPECT_EQ(Text(KeyRef::Index(3)), "[3]");
}

TEST(KeyTest, EachKind_HasItsDottedPart) {
  EXPECT_EQ(Dotted(KeyRef::Attribute("weight")), "weight");
  EXPECT_EQ(Dotted(KeyRef::Item("a.b 'c'")), "a.b 'c'");
  EXPECT_EQ(Dotted(KeyRef::Index(-3)), "-3");
}

TEST(KeyTest, AppendKeyText_KeepsTheExistingText) {
  std::string out = "x";
  AppendKeyText(KeyRef::Attribute("a"), &out);
  AppendKeyText(KeyRef::Item("b\n"), &out);
  AppendKeyText(KeyRef::Index(0), &out);
  AppendDottedKey(KeyRef::Index(1), &out);
  EXPECT_EQ(out, "x.a['b\\n'][0]1");
}

TEST(KeyTest, ItemThatLooksLikeAnInteger_IsNotAnIndex) {
  EXPECT_EQ(Text(KeyRef::Item("3")), "['3']");
  EXPECT_NE(KeyRef::Item("3"), KeyRef::Index(3));
}

TEST(KeyTest, Index_CoversTheRangeOfInt64) {
  EXPECT_EQ(Text(KeyRef::Index(std::numeric_limits<int64_t>::max())), "[9223372036854775807]");
  EXPECT_EQ(Text(KeyRef::Index(std::numeric_limits<int64_t>::min())), "[-9223372036854775808]");
}

TEST(KeyTest, IdentifierAttribute_IsNotQuoted) {
  EXPECT_EQ(Text(KeyRef::Attribute("_")), "._");
  EXPECT_EQ(Text(KeyRef::Attribute("w0_Z")), ".w0_Z");
  EXPECT_EQ(Text(KeyRef::Attribute("été")), ".été");
  EXPECT_EQ(Text(KeyRef::Attribute("层")), ".层");
}

TEST(KeyTest, OtherAttribute_IsQuoted) {
  EXPECT_EQ(Text(KeyRef::Attribute("")), ".''");
  EXPECT_EQ(Text(KeyRef::Attribute("0")), ".'0'");
  EXPECT_EQ(Text(KeyRef::Attribute("a.b")), ".'a.b'");
  EXPECT_EQ(Text(KeyRef::Attribute("a b")), ".'a b'");
  EXPECT_EQ(Text(KeyRef::Attribute("a-b")), ".'a-b'");
  EXPECT_EQ(Text(KeyRef::Attribute("a[0]")), ".'a[0]'");
  EXPECT_EQ(Text(KeyRef::Attribute("it's")), ".\"it's\"");
  EXPECT_EQ(Text(KeyRef::Attribute("a\xC2\x85")), ".'a\\x85'") << "a control character";
}

TEST(KeyTest, Quotes_AreChosenAsInPython) {
  EXPECT_EQ(Quoted(""), "''");
  EXPECT_EQ(Quoted("plain"), "'plain'");
  EXPECT_EQ(Quoted("it's"), "\"it's\"");
  EXPECT_EQ(Quoted("say \"a\""), "'say \"a\"'");
  EXPECT_EQ(Quoted("it's \"a\""), "'it\\'s \"a\"'");
  EXPECT_EQ(Quoted("'"), "\"'\"");
  EXPECT_EQ(Quoted("\""), "'\"'");
}

TEST(KeyTest, Escapes_AreWrittenAsInPython) {
  EXPECT_EQ(Quoted("\\"), "'\\\\'");
  EXPECT_EQ(Quoted("a\nb\rc\td"), "'a\\nb\\rc\\td'");
  EXPECT_EQ(Quoted(std::string(1, '\0')), "'\\x00'");
  EXPECT_EQ(Quoted("\x07\x08\x0b\x0c\x1b\x1f\x7f"), "'\\x07\\x08\\x0b\\x0c\\x1b\\x1f\\x7f'");
  EXPECT_EQ(Quoted("\xC2\x80\xC2\x85\xC2\x9F"), "'\\x80\\x85\\x9f'");
  EXPECT_EQ(Quoted("it's\n"), "\"it's\\n\"");
}

TEST(KeyTest, OtherCharacters_AreUnchanged) {
  for (absl::string_view text : {"été", "层", "😀", "\xC2\xA0", "\xC3\x85", "\u2028", "\uFFFD"}) {
    EXPECT_EQ(Quoted(text), "'" + std::string(text) + "'");
  }
}

TEST(KeyTest, InvalidUtf8_IsUnchangedInTextAndInvalid) {
  for (absl::string_view text : {"\xFF", "\x85", "\xC2", "a\xC2z", "\xE0\x80"}) {
    EXPECT_EQ(Quoted(text), "'" + std::string(text) + "'");
    EXPECT_FALSE(KeyRef::Item(text).IsValid());
    EXPECT_FALSE(KeyRef::Attribute(text).IsValid());
  }
  EXPECT_TRUE(KeyRef::Item("été").IsValid());
  EXPECT_TRUE(KeyRef::Item("").IsValid());
  EXPECT_TRUE(KeyRef::Index(-1).IsValid());
}

TEST(KeyTest, Kinds_SortAsAttributeItemIndex) {
  EXPECT_LT(Key::Attribute("z"), Key::Item("a"));
  EXPECT_LT(Key::Item("z"), Key::Index(-1));
}

TEST(KeyTest, Order_IsByBytesForNamesAndByValueForIndices) {
  EXPECT_LT(Key::Item("10"), Key::Item("2"));
  EXPECT_LT(Key::Item("Z"), Key::Item("a"));
  EXPECT_LT(Key::Item("z"), Key::Item("é")) << "bytes are compared without sign";
  EXPECT_LT(Key::Item("a"), Key::Item("ab"));
  EXPECT_LT(Key::Item("a"), Key::Item(absl::string_view("a\0", 2)));
  EXPECT_LT(Key::Index(2), Key::Index(10));
  EXPECT_LT(Key::Index(-1), Key::Index(0));
}

TEST(KeyTest, KeyAndItsRef_AreEquivalent) {
  const Key key = Key::Item("name");
  EXPECT_EQ(key.kind(), KeyKind::kItem);
  EXPECT_EQ(key.name(), "name");
  EXPECT_EQ(key.index(), 0);
  EXPECT_EQ(key.ref(), KeyRef::Item("name"));
  EXPECT_EQ(Key(key.ref()), key);
  EXPECT_EQ(Key::Index(7).index(), 7);
  EXPECT_EQ(Key::Index(7).name(), "");
}

TEST(KeyTest, Hash_AgreesWithEquality) {
  EXPECT_TRUE(absl::VerifyTypeImplementsAbslHashCorrectly(
      {Key::Attribute(""), Key::Attribute("a"), Key::Item("a"), Key::Item(""), Key::Item("0"),
       Key::Index(0), Key::Index(1), Key::Index(-1)}));
}

TEST(KeyTest, IdentifierPrefix_EndsBeforeTheFirstInvalidCharacter) {
  EXPECT_EQ(internal::IdentifierPrefixSize(""), 0u);
  EXPECT_EQ(internal::IdentifierPrefixSize("0a"), 0u);
  EXPECT_EQ(internal::IdentifierPrefixSize("a0.b"), 2u);
  EXPECT_EQ(internal::IdentifierPrefixSize("é[0]"), 2u);
  EXPECT_EQ(internal::IdentifierPrefixSize("a\xC2\x9F"), 1u);
  EXPECT_EQ(internal::IdentifierPrefixSize("a\xC2\xA0"), 3u);
}

TEST(KeyTest, KeyTextSize_IsTheLengthOfTheText) {
  for (uint64_t seed = 0; seed < 20000; ++seed) {
    Random random(seed);
    const Key key = RandomKey(random);
    const std::string text = Text(key.ref());
    ASSERT_EQ(KeyTextSize(key.ref()), text.size()) << "seed " << seed << ": " << text;
  }
}

TEST(KeyTest, Texts_ArePrintable) {
  for (uint64_t seed = 0; seed < 20000; ++seed) {
    Random random(seed);
    const Key key = RandomKey(random);
    const std::string text = Text(key.ref());
    for (size_t i = 0; i < text.size(); ++i) {
      const auto byte = static_cast<uint8_t>(text[i]);
      ASSERT_TRUE(byte >= 0x20 && byte != 0x7F) << "seed " << seed << ": " << text;
      if (byte == 0xC2) {
        ASSERT_GE(static_cast<uint8_t>(text[i + 1]), 0xA0) << "seed " << seed << ": " << text;
      }
    }
  }
}

TEST(KeyTest, DifferentKeys_HaveDifferentTexts) {
  std::map<std::string, Key> keys;
  for (uint64_t seed = 0; seed < 50000; ++seed) {
    Random random(seed);
    const Key key = RandomKey(random);
    const auto [place, inserted] = keys.emplace(Text(key.ref()), key);
    ASSERT_EQ(place->second, key) << "seed " << seed << ": both are " << place->first;
  }
  EXPECT_GT(keys.size(), 10000u);
}

TEST(KeyTest, RandomKeys_SortByKindThenValueOrBytes) {
  const std::vector<Key> sorted = {Key::Attribute(""), Key::Attribute("a"), Key::Attribute("b"),
                                   Key::Item(""),      Key::Item("10"),     Key::Item("9"),
                                   Key::Index(-5),     Key::Index(9),       Key::Index(10)};
  for (uint64_t seed = 0; seed < 100; ++seed) {
    Random random(seed);
    std::vector<Key> keys = sorted;
    std::shuffle(keys.begin(), keys.end(), random);
    std::sort(keys.begin(), keys.end());
    ASSERT_THAT(keys, ElementsAreArray(sorted)) << "seed " << seed;
  }
}

}  // namespace
}  // namespace leafstore
