// TreeDef's lookups.
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/treedef/treedef.h"

#include "tests/core/status_matchers.h"
#include "tests/treedef/teller.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// Find.

TEST(TreeDefTest, Find_AcceptsPathsAndText) {
  const TreeDef def = MlpDef();
  EXPECT_EQ(def.Find(Path()).value(), kRootNode);
  EXPECT_EQ(def.Find("").value(), kRootNode);
  EXPECT_EQ(def.Find(".layers[0].weight").value(), 8u);
  EXPECT_EQ(def.Find(Path().Attribute("steps").Index(-1)).value(), 11u);
  EXPECT_EQ(def.Find(".layers").value(), 5u) << "containers too";
}

TEST(TreeDefTest, Find_FollowsAnAliasToItsOwner) {
  const TreeDef def = MlpDef();
  EXPECT_EQ(def.Find(".layers[1].weight").value(), 8u);
  EXPECT_EQ(def.Find(".layers[1]").value(), 9u) << "the alias itself, where the path ends";
  EXPECT_EQ(def.FindDotted("layers.1.bias").value(), 7u);
  EXPECT_EQ(def.FindChild(9, KeyRef::Attribute("weight")), kNoNode) << "of the alias itself";
}

TEST(TreeDefTest, Find_FollowsSeveralAliases) {
  // 1 ['a']: dict, 2 ['w'] leaf; 3 ['b']: dict, 4 ['x'] alias of 1; 5 ['c']: dict, 6 ['y'] alias of
  // 3
  Teller t;
  t.Dict().Item("a").Dict().Item("w").Leaf().End();
  t.Item("b").Dict().Item("x").Alias(1).End();
  t.Item("c").Dict().Item("y").Alias(3).End();
  const TreeDef def = t.End().Def();
  EXPECT_EQ(def.Find("['c']['y']['x']['w']").value(), 2u);
  EXPECT_EQ(def.FindDotted("c.y.x.w").value(), 2u);
  EXPECT_EQ(def.Find("['c']['y']['x']").value(), 4u);
}

TEST(TreeDefTest, Find_UnknownPath_ReportsTheDeepestNodeAndSuggestions) {
  const TreeDef def = MlpDef();
  EXPECT_THAT(
      def.Find(".layers[0].wieght"),
      StatusIs(absl::StatusCode::kNotFound,
               "at .layers[0]: expected a child .wieght, found a struct of 2 without it; did you "
               "mean .weight?"));
  EXPECT_THAT(def.Find(".layers[1].wieght"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("at .layers[0]: expected")));
  EXPECT_THAT(def.Find(".layers[2].weight"),
              StatusIs(absl::StatusCode::kNotFound,
                       "at .layers: expected a child [2], found a list of 2 without it"));
  EXPECT_THAT(def.Find(".activation.x"), StatusIs(absl::StatusCode::kNotFound,
                                                  "at .activation: expected a child .x, found a "
                                                  "leaf"));
  EXPECT_THAT(def.Find(".steps[7][0]"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("found none")));
  EXPECT_THAT(def.Find(".haed"),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr("at (root): expected"), HasSubstr("did you mean .head?"))));
}

TEST(TreeDefTest, Find_InvalidText_IsAParseError) {
  EXPECT_THAT(MlpDef().Find("layers"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("column 1")));
}

TEST(TreeDefTest, FindChild_KeyOfAnotherKind_IsNotFound) {
  const TreeDef def = MlpDef();
  EXPECT_EQ(def.FindChild(0, KeyRef::Attribute("head")), 2u);
  EXPECT_EQ(def.FindChild(0, KeyRef::Item("head")), kNoNode);
  EXPECT_EQ(def.FindChild(0, KeyRef::Index(1)), kNoNode);
  EXPECT_EQ(def.FindChild(5, KeyRef::Index(1)), 9u);
  EXPECT_EQ(def.FindChild(5, KeyRef::Index(-1)), kNoNode);
  EXPECT_EQ(def.FindChild(5, KeyRef::Index(2)), kNoNode);
  EXPECT_EQ(def.FindChild(5, KeyRef::Index(int64_t{1} << 32)), kNoNode);
  EXPECT_EQ(def.FindChild(5, KeyRef::Item("0")), kNoNode);
  EXPECT_EQ(def.FindChild(10, KeyRef::Index(7)), 12u);
  EXPECT_EQ(def.FindChild(10, KeyRef::Item("7")), kNoNode);
  EXPECT_EQ(def.FindChild(1, KeyRef::Index(0)), kNoNode) << "a leaf";
  const TreeDef dict = Teller().Dict().Item("a").Leaf().End().Def();
  EXPECT_EQ(dict.FindChild(0, KeyRef::Item("a")), 1u);
  EXPECT_EQ(dict.FindChild(0, KeyRef::Attribute("a")), kNoNode);
  EXPECT_EQ(dict.FindChild(0, KeyRef::Index(0)), kNoNode);
}

// Dotted names.

TEST(TreeDefTest, FindDotted_FindsNodes) {
  const TreeDef def = MlpDef();
  EXPECT_EQ(def.FindDotted("").value(), kRootNode);
  EXPECT_EQ(def.FindDotted("layers.0.weight").value(), 8u);
  EXPECT_EQ(def.FindDotted("steps.-1").value(), 11u);
  EXPECT_EQ(def.FindDotted("head").value(), 2u);
}

TEST(TreeDefTest, FindDotted_AcceptsOnlyCanonicalIndices) {
  const TreeDef def = MlpDef();
  for (const char* name : {"layers.00", "layers.+0", "layers. 0", "layers.-0", "layers.0x0"}) {
    EXPECT_THAT(def.FindDotted(name), StatusIs(absl::StatusCode::kNotFound, HasSubstr(name)));
  }
}

TEST(TreeDefTest, FindDotted_KeysWithDots_AreFound) {
  Teller t;
  t.Dict().Item("a").Dict().Item("b").Leaf().End();
  t.Item("a.b.c").Dict().Item("d").Leaf().End();
  const TreeDef def = t.Item("a.c").Leaf().End().Def();
  EXPECT_EQ(def.FindDotted("a.b").value(), 2u);
  EXPECT_EQ(def.FindDotted("a.b.c.d").value(), 4u);
  EXPECT_EQ(def.FindDotted("a.c").value(), 5u);
}

TEST(TreeDefTest, FindDotted_AmbiguousName_ReportsBothNodes) {
  Teller t;
  t.Struct().Attribute("a").Struct().Attribute("b").Leaf().End().Attribute("a.b").Leaf();
  EXPECT_THAT(t.End().Def().FindDotted("a.b"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("dotted name a.b: expected one node, found "),
                             HasSubstr(".a.b"), HasSubstr(".'a.b'"))));
}

TEST(TreeDefTest, FindDotted_AmbiguousNameBelowAnAlias_ReportsThePathsAsTyped) {
  // 1 .a, 2 .a.x, 3 .a.x.y, 4 .a.'x.y'; 5 .b: alias of 1
  Teller t;
  t.Struct().Attribute("a").Struct().Attribute("x").Struct().Attribute("y").Leaf().End();
  t.Attribute("x.y").Leaf().End().Attribute("b").Alias(1);
  EXPECT_THAT(t.End().Def().FindDotted("b.x.y"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr(".b.x.y"), HasSubstr(".b.'x.y'"), Not(HasSubstr(".a")))));
}

TEST(TreeDefTest, FindDotted_EmptyName_MayMeanTheRootOrAChild) {
  const TreeDef def = Teller().Dict().Item("").Leaf().End().Def();
  EXPECT_THAT(def.FindDotted(""), StatusIs(absl::StatusCode::kInvalidArgument,
                                           AllOf(HasSubstr("(root)"), HasSubstr("['']"))));
}

TEST(TreeDefTest, FindDotted_TwoPathsToOneNode_IsNotAmbiguous) {
  // 1 ['a']: dict, 2 ['b']: dict, 3 ['w']; 4 ['a.b']: alias of 2
  Teller t;
  t.Dict().Item("a").Dict().Item("b").Dict().Item("w").Leaf().End().End();
  t.Item("a.b").Alias(2);
  EXPECT_EQ(t.End().Def().FindDotted("a.b.w").value(), 3u);
}

TEST(TreeDefTest, FindDotted_UnknownName_ReportsTheDeepestNodeAndSuggestions) {
  const TreeDef def = MlpDef();
  EXPECT_THAT(def.FindDotted("head.wieght"),
              StatusIs(absl::StatusCode::kNotFound,
                       "dotted name head.wieght: at .head: expected a child wieght, found a struct "
                       "of 2 without it; did you mean weight?"));
  EXPECT_THAT(def.FindDotted("head.bias.x"),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr("at .head.bias: expected a child x, found a leaf"),
                             Not(HasSubstr("did you mean")))));
}

TEST(TreeDefTest, FindDotted_NameOverTheLimit_IsAnError) {
  EXPECT_THAT(MlpDef().FindDotted(std::string(Path::kMaxTextSize + 1, 'a')),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr("expected at most 16777216 bytes, found 16777217")));
}

TEST(TreeDefTest, FindDotted_ExponentiallyManyPathsThroughAliases_IsFast) {
  Teller t;
  t.Dict().Item("0").Dict().Item("a").Leaf().End();
  NodeId last = 1;
  std::string top = "1";
  std::string name;
  for (int level = 0; level < 60; ++level) {
    const NodeId next = t.builder.next_node();
    top += "0";
    t.Item(top).Dict().Item("a").Alias(last).Item("a.a").Alias(last).End();
    last = next;
    name += ".a";
  }
  const TreeDef def = t.End().Def();
  // Each level advances one or two keys in the name.
  EXPECT_THAT(def.FindDotted(top + name + name + ".b"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("expected a child b")));
}

}  // namespace
}  // namespace leafstore
