#include "leafstore/treedef/treedef_builder.h"

#include <functional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/core/status_matchers.h"
#include "tests/status_codes.h"
#include "tests/treedef/teller.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// Expects that the last call is an error: it adds no node, later calls change nothing, and Build
// returns it.
void ExpectError(Teller& told, absl::StatusCode code,
                 const testing::Matcher<std::string>& message) {
  TreeDefBuilder& builder = told.builder;
  ASSERT_THAT(builder.status(), StatusIs(code, message));
  const std::string first = builder.status().ToString();
  const NodeId next = builder.next_node();
  told.Attribute("zzz").Leaf().None().Alias(0).Tag("tag").Dict().Custom("").End().End().End();
  EXPECT_EQ(builder.next_node(), next);
  EXPECT_EQ(builder.status().ToString(), first) << "the first error stays";
  EXPECT_EQ(told.Result().status().ToString(), first);
}

void ExpectInvalid(Teller& told, const testing::Matcher<std::string>& message) {
  ExpectError(told, kInvalid, message);
}

TEST(TreeDefBuilderTest, Nodes_AreNumberedInTheOrderOfTheCalls) {
  TreeDefBuilder builder;
  EXPECT_EQ(builder.next_node(), 0u);
  builder.Open(NodeKind::kList);
  EXPECT_EQ(builder.next_node(), 1u);
  builder.Leaf();
  EXPECT_EQ(builder.next_node(), 2u);
  builder.Close();
  EXPECT_EQ(builder.next_node(), 2u);
  EXPECT_EQ(std::move(builder).Build().value().node_count(), 2u);
}

TEST(TreeDefBuilderTest, Keys_AreCopied) {
  TreeDefBuilder builder;
  builder.Open(NodeKind::kDict);
  {
    const std::string name = absl::StrCat("a long name that is gone ", 1);
    builder.SetKey(KeyRef::Item(name));
  }
  builder.Leaf();
  builder.Close();
  EXPECT_EQ(std::move(builder).Build().value().key(1), KeyRef::Item("a long name that is gone 1"));
}

TEST(TreeDefBuilderTest, SetKeyTwice_KeepsTheLastKey) {
  const TreeDef def = Teller().Dict().Item("b").Item("a").Leaf().Item("b").Leaf().End().Def();
  EXPECT_EQ(def.key(1), KeyRef::Item("a"));
  EXPECT_EQ(def.string_count(), 2u);
}

TEST(TreeDefBuilderTest, SetKey_MayUseTheIdOfAnEarlierString) {
  const auto build = [](bool by_number) {
    TreeDefBuilder builder;
    builder.Reserve(7, 2, 3);
    builder.Open(NodeKind::kList);
    for (int i = 0; i < 2; ++i) {
      builder.Open(NodeKind::kDict);
      if (i == 1 && by_number) {
        EXPECT_EQ(builder.string_count(), 2u);
        builder.SetKey(KeyKind::kItem, 0);
      } else {
        builder.SetKey(KeyRef::Item("a"));
      }
      builder.Leaf();
      if (i == 1 && by_number) {
        builder.SetKey(KeyKind::kItem, 1);
      } else {
        builder.SetKey(KeyRef::Item("bc"));
      }
      builder.Leaf();
      builder.Close();
    }
    builder.Close();
    return std::move(builder).Build().value();
  };
  EXPECT_TRUE(build(true) == build(false));
}

TEST(TreeDefBuilderTest, SetKey_ByStringId_IsCheckedLikeOthers) {
  const auto build = [](KeyKind kind, uint32_t string) {
    TreeDefBuilder builder;
    builder.Open(NodeKind::kDict);
    builder.SetKey(KeyRef::Item("b"));
    builder.Leaf();
    builder.SetKey(kind, string);
    builder.Leaf();
    builder.Close();
    return std::move(builder).Build();
  };
  EXPECT_THAT(build(KeyKind::kItem, 0),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("found it again")));
  EXPECT_THAT(build(KeyKind::kAttribute, 0),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("found attribute .b")));
  EXPECT_THAT(build(KeyKind::kItem, 1), StatusIs(absl::StatusCode::kInvalidArgument,
                                                 HasSubstr("the id of one of 1 strings, found 1")));
  EXPECT_THAT(build(KeyKind::kIndex, 0),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("found that of an index")));
}

TEST(TreeDefBuilderTest, Builder_MayBeMovedBetweenCalls) {
  TreeDefBuilder first;
  first.Open(NodeKind::kDict);
  first.SetKey(KeyRef::Item("a"));
  TreeDefBuilder second(std::move(first));
  second.Leaf();
  second.SetKey(KeyRef::Item("b"));
  TreeDefBuilder third;
  third = std::move(second);
  third.Leaf();
  third.Close();
  EXPECT_EQ(std::move(third).Build().value(),
            Teller().Dict().Item("a").Leaf().Item("b").Leaf().End().Def());
}

TEST(TreeDefBuilderTest, Tags_BelongToTheNodeAddedLast) {
  Teller t;
  t.List().Tag("list").Leaf().Tag("leaf").End().Tag("still the leaf");
  const TreeDef def = t.Def();
  EXPECT_TRUE(def.has_tag(0, "list"));
  EXPECT_TRUE(def.has_tag(1, "leaf"));
  EXPECT_TRUE(def.has_tag(1, "still the leaf"));
}

TEST(TreeDefBuilderTest, EmptyNamesAndNuls_AreNames) {
  const std::string nul(1, '\0');
  Teller t;
  t.Dict().Item("").Leaf().Item(nul).Struct(nul).Attribute("").Leaf().End().End();
  const TreeDef def = t.Def();
  EXPECT_EQ(def.PathText(1).value(), "['']");
  EXPECT_EQ(def.PathText(3).value(), "['\\x00'].''");
  EXPECT_EQ(def.type_name(2), nul);
}

// Keys.

TEST(TreeDefBuilderTest, Keys_MustAscend) {
  ExpectInvalid(Teller().Struct().Attribute("w").Leaf().Attribute("b").Leaf(),
                "at .b: expected a key greater than .w, found attribute .b");
  ExpectInvalid(Teller().Dict().Item("a").Dict().Item("w").Leaf().Item("v").None(),
                "at ['a']['v']: expected a key greater than ['w'], found item ['v']");
  ExpectInvalid(Teller().Dict().Index(10).Leaf().Index(2).Leaf(),
                "at [2]: expected a key greater than [10], found index [2]");
}

TEST(TreeDefBuilderTest, Keys_AreOrderedAsBytesOrIntegers) {
  EXPECT_THAT(Teller().Dict().Item("Z").Leaf().Item("a").Leaf().Item("é").Leaf().End().Result(),
              IsOk());
  EXPECT_THAT(Teller().Dict().Index(-3).Leaf().Index(2).Leaf().Index(10).Leaf().End().Result(),
              IsOk());
  EXPECT_THAT(Teller().Dict().Item("").Leaf().Item("a").Leaf().Item("aa").Leaf().End().Result(),
              IsOk());
}

TEST(TreeDefBuilderTest, RepeatedKey_IsAnError) {
  ExpectInvalid(Teller().Struct().Attribute("w").Leaf().Attribute("w").Leaf(),
                "at .w: expected a key greater than .w, found it again");
  ExpectInvalid(Teller().Dict().Index(1).List().Leaf().End().Index(1).Leaf(),
                "at [1]: expected a key greater than [1], found it again");
}

TEST(TreeDefBuilderTest, Struct_AcceptsOnlyAttributes) {
  ExpectInvalid(Teller().Struct().Item("a").Leaf(),
                "at (root): expected an attribute for a child of a struct, found item ['a']");
  ExpectInvalid(Teller().List().Struct().Index(0).Leaf(),
                "at [0]: expected an attribute for a child of a struct, found index [0]");
  ExpectInvalid(Teller().Struct().Leaf(),
                "at (root): expected an attribute for a child of a struct, found no key");
}

TEST(TreeDefBuilderTest, Dict_AcceptsItemsOrIndicesButNotBoth) {
  ExpectInvalid(
      Teller().Dict().Attribute("a").Leaf(),
      "at (root): expected an item or an index for a child of a dict, found attribute .a");
  ExpectInvalid(Teller().Dict().Leaf(),
                "at (root): expected an item or an index for a child of a dict, found no key");
  ExpectInvalid(
      Teller().Dict().Index(1).Leaf().Item("a").Leaf(),
      "at (root): expected an index, as for the other children of this dict, found item ['a']");
  ExpectInvalid(
      Teller().Dict().Item("a").Leaf().Index(1).Leaf(),
      "at (root): expected an item, as for the other children of this dict, found index [1]");
}

TEST(TreeDefBuilderTest, Sequence_AcceptsOnlyItsPositions) {
  for (NodeKind kind : {NodeKind::kList, NodeKind::kTuple, NodeKind::kCustom}) {
    const char* type_name = kind == NodeKind::kCustom ? "C" : "";
    EXPECT_THAT(
        Teller().Open(kind, type_name).Index(0).Leaf().Leaf().Index(2).Leaf().End().Result(),
        IsOk());
    ExpectInvalid(Teller().Open(kind, type_name).Leaf().Index(2).Leaf(),
                  "at (root): expected no key or index [1] for the next child, found index [2]");
    ExpectInvalid(Teller().Open(kind, type_name).Item("0").Leaf(),
                  "at (root): expected no key or index [0] for the next child, found item ['0']");
  }
}

TEST(TreeDefBuilderTest, Root_AcceptsNoKey) {
  ExpectInvalid(Teller().Attribute("a").Leaf(), "at (root): expected no key, found attribute .a");
  ExpectInvalid(Teller().Index(1).Dict(), "at (root): expected no key, found index [1]");
  EXPECT_THAT(Teller().Index(0).Leaf().Result(), IsOk());
}

TEST(TreeDefBuilderTest, Key_WithoutANode_IsAnError) {
  ExpectInvalid(
      Teller().List().Dict().Item("a").End(),
      "at [0]: expected a node after its key, found the end of the dict after item ['a']");
}

TEST(TreeDefBuilderTest, Names_MustBeUtf8) {
  ExpectInvalid(Teller().List().Struct().Attribute("caf\xE9").Leaf(),
                "at [0]: expected an attribute in UTF-8, found 'caf\\xe9'");
  ExpectInvalid(Teller().Dict().Item("\xFF").Leaf(),
                "at (root): expected an item in UTF-8, found '\\xff'");
  ExpectInvalid(Teller().List().Struct("\xC0\x80"),
                "at [0]: expected a type name in UTF-8, found '\\xc0\\x80'");
  ExpectInvalid(Teller().List().Leaf().Tag("\xED\xA0\x80"),
                "at [0]: expected a tag in UTF-8, found '\\xed\\xa0\\x80'");
  ExpectInvalid(Teller().Struct().Item("\xFF").Leaf(),
                HasSubstr("found a key that is not UTF-8: '\\xff'"));
}

TEST(TreeDefBuilderTest, LongNames_AreShortenedInMessages) {
  Teller t;
  t.Dict().Item(std::string(100000, 'b')).Leaf().Item(std::string(100000, 'a')).Leaf();
  EXPECT_LT(t.builder.status().message().size(), 1000u);
  ExpectInvalid(t, AllOf(HasSubstr("bbb...bbb"), HasSubstr("aaa...aaa")));
}

// Containers.

TEST(TreeDefBuilderTest, Open_AcceptsOnlyContainers) {
  for (NodeKind kind : {NodeKind::kLeaf, NodeKind::kNone, NodeKind::kAlias}) {
    ExpectInvalid(Teller().List().Open(kind),
                  absl::StrCat("at [0]: expected a container, found ", NodeKindName(kind)));
  }
  ExpectInvalid(Teller().Open(static_cast<NodeKind>(0)),
                "at (root): expected a container, found unknown");
  ExpectInvalid(Teller().Open(static_cast<NodeKind>(99)),
                "at (root): expected a container, found unknown");
}

TEST(TreeDefBuilderTest, TypeName_OfOtherKinds_IsAnError) {
  ExpectInvalid(Teller().Dict().Item("a").Open(NodeKind::kList, "Linear"),
                "at ['a']: expected no type name for a list, found Linear");
  ExpectInvalid(Teller().List().Leaf().Custom(""),
                "at [1]: expected a type name for a custom, found none");
}

TEST(TreeDefBuilderTest, Containers_AreClosedExactlyOnce) {
  ExpectInvalid(Teller().List().End().End(), "Close: expected an open container, found none");
  EXPECT_THAT(Teller().List().List().End().Result(),
              StatusIs(kInvalid, "at (root): expected a list that is closed, found the end"));
  EXPECT_THAT(Teller().Dict().Item("a").Struct().Result(),
              StatusIs(kInvalid, "at ['a']: expected a struct that is closed, found the end"));
}

TEST(TreeDefBuilderTest, SecondRoot_IsAnError) {
  EXPECT_THAT(Teller().Result(), StatusIs(kInvalid, "Build: expected a root, found no node"));
  ExpectInvalid(Teller().Leaf().Leaf(), "expected one root, found a second node beside it");
  ExpectInvalid(Teller().List().End().Dict(), "expected one root, found a second node beside it");
}

// Aliases.

TEST(TreeDefBuilderTest, Alias_OfANodeThatDoesNotExist_IsAnError) {
  ExpectInvalid(Teller().List().Leaf().Alias(2),
                "at [1]: expected an alias of a node before it, found node 2 of 2");
  ExpectInvalid(Teller().List().Alias(0xffffffff),
                "at [0]: expected an alias of a node before it, found node 4294967295 of 1");
  ExpectInvalid(Teller().Alias(0),
                "at (root): expected an alias of a node before it, found node 0 of 0");
}

TEST(TreeDefBuilderTest, Alias_OfAnAncestor_IsAnError) {
  ExpectInvalid(
      Teller().List().List().Alias(0),
      "at [0][0]: expected an alias of a node that is complete and no alias, found (root), "
      "which contains it (a cycle)");
  ExpectInvalid(Teller().List().List().Leaf().Alias(1), HasSubstr("found [0], which contains it"));
  EXPECT_THAT(Teller().List().List().Leaf().End().Alias(1).End().Result(), IsOk());
}

TEST(TreeDefBuilderTest, Alias_OfAnAlias_IsAnError) {
  ExpectInvalid(
      Teller().List().Leaf().Alias(1).Alias(2),
      "at [2]: expected an alias of a node that is complete and no alias, found [1], which "
      "is an alias");
}

TEST(TreeDefBuilderTest, Alias_MayPointToAnyOtherNode) {
  EXPECT_THAT(Teller().List().None().Alias(1).End().Result(), IsOk());
  EXPECT_THAT(Teller().List().Dict().End().Alias(1).Alias(1).Tag("t").End().Result(), IsOk());
}

// Tags.

TEST(TreeDefBuilderTest, Tag_WithoutANodeOrText_IsAnError) {
  ExpectInvalid(Teller().Tag("decay"), "Tag decay: expected a node before it, found none");
  ExpectInvalid(Teller().List().Leaf().Tag(""),
                "at [0]: expected a tag that is not empty, found ''");
}

// Limits.

TEST(TreeDefBuilderTest, Nodes_HaveALimit) {
  const TreeDefBuilder::Limits limits = {.nodes = 3};
  EXPECT_THAT(Teller(limits).List().Leaf().Leaf().End().Result(), IsOk());
  Teller t(limits);
  ExpectError(t.List().Leaf().Leaf().Leaf(), absl::StatusCode::kResourceExhausted,
              "expected at most 3 nodes, found more");
}

TEST(TreeDefBuilderTest, Strings_HaveALimit) {
  const TreeDefBuilder::Limits limits = {.string_bytes = 5};
  EXPECT_THAT(
      Teller(limits).Struct("ab").Attribute("ab").Leaf().Attribute("cde").Leaf().End().Result(),
      IsOk())
      << "equal strings count once";
  Teller key(limits);
  ExpectError(key.List().Struct("ab").Attribute("cdef").Leaf(),
              absl::StatusCode::kResourceExhausted,
              "at [0]: expected at most 5 bytes of keys, type names and tags, found more");
  Teller type_name(limits);
  ExpectError(type_name.List().Leaf().Struct("abcdef"), absl::StatusCode::kResourceExhausted,
              HasSubstr("at [1]: expected at most 5 bytes"));
  Teller tag(limits);
  EXPECT_THAT(tag.Leaf().Tag("abcdef").Result(),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr("at (root): expected at most 5 bytes")));
}

TEST(TreeDefBuilderTest, Tags_HaveALimit) {
  const TreeDefBuilder::Limits limits = {.tags = 2};
  EXPECT_THAT(Teller(limits).List().Tag("a").Leaf().Tag("a").Tag("a").End().Result(), IsOk());
  EXPECT_THAT(Teller(limits).List().Tag("a").Leaf().Tag("a").Tag("b").End().Result(),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       "at [0]: expected at most 2 tags of all nodes, found more"));
}

TEST(TreeDefBuilderTest, DefaultLimits_AreThe32BitsOfTheFormat) {
  const TreeDefBuilder::Limits limits;
  EXPECT_EQ(limits.nodes, 0xfffffffe);
  EXPECT_EQ(limits.string_bytes, 0xfffffffe);
  EXPECT_EQ(limits.tags, 0xfffffffe);
}

TEST(TreeDefBuilderTest, ErrorAMillionLevelsDeep_HasAShortMessage) {
  TreeDefBuilder builder;
  for (int i = 0; i < 1000000; ++i) builder.Open(NodeKind::kList);
  builder.Open(NodeKind::kLeaf);
  EXPECT_THAT(builder.status(), StatusIs(kInvalid, HasSubstr("[0][0][0]: expected a container")));
  EXPECT_LT(builder.status().message().size(), 1000u);
}

}  // namespace
}  // namespace leafstore
