#include "leafstore/treedef/print.h"

#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/treedef/reference_tree.h"
#include "tests/treedef/teller.h"

namespace leafstore {
namespace {

using testing::HasSubstr;

TEST(PrintTreeDefTest, Print_HasOneNodePerLine) {
  Teller t;
  t.Struct("Mlp").Attribute("activation").Leaf();
  t.Attribute("head").Struct("Linear").Attribute("bias").Leaf().Attribute("weight").Leaf();
  t.Tag("large").Tag("decay").End();
  t.Attribute("layers").List().Struct().Attribute("w").Leaf().Tag("x").End().Alias(6).None().End();
  t.Attribute("steps").Dict().Index(-1).Custom("Deque").End().End();
  EXPECT_EQ(PrintTreeDef(t.End().Def()),
            "struct Mlp, 4 leaves\n"
            "  .activation: leaf\n"
            "  .head: struct Linear\n"
            "    .bias: leaf\n"
            "    .weight: leaf, tags decay, large\n"
            "  .layers: list of 3\n"
            "    [0]: struct\n"
            "      .w: leaf, tag x\n"
            "    [1]: alias of .layers[0]\n"
            "    [2]: none\n"
            "  .steps: dict of 1\n"
            "    [-1]: custom Deque of 0\n");
}

TEST(PrintTreeDefTest, Print_OfARootWithoutChildren_IsOneLine) {
  EXPECT_EQ(PrintTreeDef(TreeDef()), "none\n");
  EXPECT_EQ(PrintTreeDef(Teller().Leaf().Def()), "leaf\n");
  EXPECT_EQ(PrintTreeDef(Teller().Dict().Index(1).Leaf().End().Def()),
            "dict of 1, 1 leaf\n  [1]: leaf\n");
}

TEST(PrintTreeDefTest, Print_CountsTheRestOfManyChildren) {
  Teller t;
  t.List().List();
  for (int i = 0; i < 44; ++i) t.Leaf();
  const TreeDef def = t.End().Leaf().End().Def();
  EXPECT_EQ(PrintTreeDef(def, 1000, /*max_children=*/3),
            "list of 2, 45 leaves\n"
            "  [0]: list of 44\n"
            "    [0]: leaf\n"
            "    [1]: leaf\n"
            "    [2]: leaf\n"
            "    ... 41 more nodes\n"
            "  [1]: leaf\n");
}

TEST(PrintTreeDefTest, Print_CountsTheRestOfManyNodes) {
  const TreeDef def = Teller().List().List().Leaf().Leaf().End().Leaf().Leaf().End().Def();
  EXPECT_EQ(PrintTreeDef(def, /*max_nodes=*/3),
            "list of 3, 4 leaves\n"
            "  [0]: list of 2\n"
            "    [0]: leaf\n"
            "    ... 3 more nodes\n");
  EXPECT_EQ(PrintTreeDef(def, /*max_nodes=*/5),
            "list of 3, 4 leaves\n"
            "  [0]: list of 2\n"
            "    [0]: leaf\n"
            "    [1]: leaf\n"
            "  [1]: leaf\n"
            "  ... 1 more node\n");
  EXPECT_EQ(PrintTreeDef(def, /*max_nodes=*/0), "... 6 more nodes\n");
}

TEST(PrintTreeDefTest, DeepLevels_AreNumberedInsteadOfIndented) {
  const std::string text = PrintTreeDef(DeepLists(42));
  const std::string indent(80, ' ');
  EXPECT_THAT(text, testing::EndsWith(absl::StrCat("\n", indent, "[0]: list of 1\n",  //
                                                   indent, "(41) [0]: list of 1\n",   //
                                                   indent, "(42) [0]: leaf\n")));
}

TEST(PrintTreeDefTest, OddNames_DoNotBreakLines) {
  const TreeDef def = Teller()
                          .Struct("Na\nme\x1b[31m")
                          .Tag("a, b")
                          .Attribute("new\nline")
                          .Leaf()
                          .Attribute("ok")
                          .Leaf()
                          .End()
                          .Def();
  EXPECT_EQ(PrintTreeDef(def),
            "struct 'Na\\nme\\x1b[31m', 2 leaves, tag 'a, b'\n"
            "  .'new\\nline': leaf\n"
            "  .ok: leaf\n");
}

TEST(PrintTreeDefTest, LongNamesAndManyTags_AreShortened) {
  Teller t;
  t.Struct(std::string(100000, 'T')).Attribute(std::string(100000, 'a')).Leaf();
  for (int i = 0; i < 1000; ++i) t.Tag(absl::StrCat("tag", i));
  const std::string text = PrintTreeDef(t.End().Def());
  EXPECT_LT(text.size(), 600u);
  EXPECT_THAT(text, HasSubstr("TTT...TTT"));
  EXPECT_THAT(text, HasSubstr(", ... 992 more\n"));
}

TEST(PrintTreeDefTest, AMillionLevels_AreShortened) {
  const std::string text = PrintTreeDef(DeepLists(1000000));
  EXPECT_LT(text.size(), 150000u);
  EXPECT_THAT(text, testing::EndsWith("(1000) ... 999001 more nodes\n"));
}

TEST(PrintTreeDefTest, EveryNode_IsPrintedOrCounted) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    const TreeDef def = ReferenceTree(random, 60).Tell(random);
    const auto max_children = static_cast<uint32_t>(RandomBelow(random, 6));
    const auto max_nodes = static_cast<uint32_t>(RandomBelow(random, 40));
    const std::string text = PrintTreeDef(def, max_nodes, max_children);
    uint32_t nodes = 0;
    for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
      const size_t at = line.find("... ");
      uint32_t omitted = 0;
      const bool counts =
          at != absl::string_view::npos && line.find(" more node") != absl::string_view::npos &&
          absl::SimpleAtoi(line.substr(at + 4, line.find(' ', at + 4) - at - 4), &omitted);
      nodes += counts ? omitted : 1;
    }
    EXPECT_EQ(nodes, def.node_count()) << text;
  }
}

}  // namespace
}  // namespace leafstore
