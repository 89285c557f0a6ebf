#include "leafstore/treedef/internal/path_cursor.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/core/path.h"
#include "leafstore/treedef/treedef_builder.h"

#include "tests/treedef/teller.h"

namespace leafstore::internal {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::StartsWith;

TEST(PathCursorTest, PushAndPop_KeepTheCanonicalText) {
  PathCursor cursor(PathForm::kCanonical);
  EXPECT_EQ(cursor.text(), "");
  EXPECT_TRUE(cursor.Push(KeyRef::Attribute("layers")));
  EXPECT_TRUE(cursor.Push(KeyRef::Index(12)));
  EXPECT_TRUE(cursor.Push(KeyRef::Item("w")));
  EXPECT_EQ(cursor.text(), ".layers[12]['w']");
  EXPECT_EQ(cursor.depth(), 3u);
  cursor.Pop();
  EXPECT_EQ(cursor.text(), ".layers[12]");
  cursor.Pop();
  cursor.Pop();
  EXPECT_EQ(cursor.text(), "");
  EXPECT_EQ(cursor.depth(), 0u);
}

TEST(PathCursorTest, PushAndPop_DottedForm_SeparatesEmptyKeysToo) {
  PathCursor cursor(PathForm::kDotted);
  cursor.Push(KeyRef::Item(""));
  EXPECT_EQ(cursor.text(), "");
  cursor.Push(KeyRef::Item(""));
  EXPECT_EQ(cursor.text(), ".");
  cursor.Push(KeyRef::Index(-3));
  EXPECT_EQ(cursor.text(), ".." + std::string("-3"));
  EXPECT_EQ(cursor.text(), Path().Item("").Item("").Index(-3).Dotted());
}

TEST(PathCursorTest, Push_OverTheLimit_ChangesNothing) {
  PathCursor cursor(PathForm::kDotted, 5);
  EXPECT_TRUE(cursor.Push(KeyRef::Item("abc")));
  EXPECT_FALSE(cursor.Push(KeyRef::Item("de")));
  EXPECT_EQ(cursor.text(), "abc");
  EXPECT_EQ(cursor.depth(), 1u);
  EXPECT_TRUE(cursor.Push(KeyRef::Item("d")));
  EXPECT_EQ(cursor.text(), "abc.d");
}

TEST(PathCursorTest, Enter_MayFollowPreorderAndSkipSubtrees) {
  // [0]: list of a leaf; [1]: list of two leaves; [2]: leaf
  const TreeDef def =
      Teller().List().List().Leaf().End().List().Leaf().Leaf().End().Leaf().End().Def();
  PathCursor cursor(PathForm::kCanonical);
  std::vector<std::string> texts;
  for (const NodeId node : {0u, 3u, 4u, 5u, 6u}) {
    ASSERT_TRUE(cursor.Enter(def, node));
    texts.push_back(cursor.text());
  }
  EXPECT_THAT(texts, ElementsAre("", "[1]", "[1][0]", "[1][1]", "[2]"));
}

TEST(PathTextSizesTest, Sizes_AreTheLengthsOfTheCanonicalTexts) {
  const TreeDef def = Teller().List().List().Leaf().End().Leaf().End().Def();
  EXPECT_THAT(PathTextSizes(def), ElementsAre(0, 3, 6, 3));
}

TEST(PathForMessageTest, LongPath_ShowsBothEnds) {
  Path path;
  EXPECT_EQ(PathForMessage(path), "(root)");
  path.Attribute("a").Index(1);
  EXPECT_EQ(PathForMessage(path), ".a[1]");
  for (int i = 0; i < 1000; ++i) path.Item("key");
  path.Attribute("z");
  const std::string text = PathForMessage(path);
  EXPECT_LT(text.size(), 400u);
  EXPECT_THAT(text, StartsWith(".a[1]['key']"));
  EXPECT_THAT(text, EndsWith("['key'].z"));
}

TEST(PathForMessageTest, VeryDeepPath_ShowsItsEnd) {
  Path path;
  path.Attribute("a");
  for (int i = 0; i < 5000; ++i) path.Index(1);
  path.Attribute("z");
  EXPECT_THAT(PathForMessage(path), StartsWith("...[1]"));
  EXPECT_THAT(PathForMessage(path), EndsWith("[1].z"));
}

}  // namespace
}  // namespace leafstore::internal
