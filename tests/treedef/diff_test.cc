#include "leafstore/treedef/diff.h"

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/treedef/reference_tree.h"
#include "tests/treedef/teller.h"

namespace leafstore {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using What = TreeDefDifference::What;

// Returns the differences as lines.
std::string Diff(const TreeDef& a, const TreeDef& b) {
  std::string out;
  for (const TreeDefDifference& difference : DiffTreeDefs(a, b)) {
    absl::StrAppend(&out, ToString(difference, a, b), "\n");
  }
  return out;
}

TEST(DiffTreeDefsTest, EqualStructures_HaveNoDifferences) {
  const TreeDef def = Teller().List().Leaf().Alias(1).End().Def();
  EXPECT_THAT(DiffTreeDefs(def, def), IsEmpty());
  EXPECT_EQ(Diff(def, def), "");
}

TEST(DiffTreeDefsTest, Difference_NamesTheNodes) {
  const TreeDef a = Teller().Dict().Item("a").Leaf().Item("c").Leaf().End().Def();
  const TreeDef b = Teller().Dict().Item("b").Leaf().Item("c").None().End().Def();
  EXPECT_THAT(DiffTreeDefs(a, b),
              testing::ElementsAre(TreeDefDifference{What::kOnlyInA, 1, kNoNode},
                                   TreeDefDifference{What::kOnlyInB, kNoNode, 1},
                                   TreeDefDifference{What::kKind, 2, 2}));
}

TEST(DiffTreeDefsTest, Keys_AreMergedInOrder) {
  const TreeDef a = Teller().Dict().Item("a").Leaf().Item("b").Leaf().Item("d").Leaf().End().Def();
  const TreeDef b = Teller().Dict().Item("b").Leaf().Item("c").Leaf().Item("e").Leaf().End().Def();
  EXPECT_EQ(Diff(a, b),
            "at ['a']: only in the first: leaf\n"
            "at ['c']: only in the second: leaf\n"
            "at ['d']: only in the first: leaf\n"
            "at ['e']: only in the second: leaf\n");
}

TEST(DiffTreeDefsTest, SubtreeInOneOnly_IsOneDifference) {
  const TreeDef a = Teller()
                        .List()
                        .Struct("Linear")
                        .Attribute("b")
                        .Leaf()
                        .Attribute("w")
                        .Leaf()
                        .End()
                        .End()
                        .Def();
  const TreeDef b = Teller().List().End().Def();
  EXPECT_EQ(Diff(a, b), "at [0]: only in the first: struct Linear with 2 leaves\n");
  EXPECT_EQ(Diff(b, a), "at [0]: only in the second: struct Linear with 2 leaves\n");
}

TEST(DiffTreeDefsTest, OtherKinds_AreADifference) {
  EXPECT_EQ(Diff(Teller().Leaf().Def(), TreeDef()), "at (root): leaf and none\n");
  EXPECT_EQ(Diff(Teller().Struct("S").Attribute("a").Leaf().End().Def(),
                 Teller().Dict().Item("a").Leaf().End().Def()),
            "at (root): struct S with 1 leaf and dict with 1 leaf\n");
}

TEST(DiffTreeDefsTest, SequencesOfDifferentKinds_AreComparedByPosition) {
  const TreeDef a = Teller().List().Leaf().Leaf().End().Def();
  const TreeDef b = Teller().Tuple().Leaf().None().Leaf().End().Def();
  EXPECT_EQ(Diff(a, b),
            "at (root): list with 2 leaves and tuple with 2 leaves\n"
            "at [1]: leaf and none\n"
            "at [2]: only in the second: leaf\n");
}

TEST(DiffTreeDefsTest, ListAndDictWithIntKeys_AreCompared) {
  const TreeDef a = Teller().List().Leaf().Leaf().End().Def();
  const TreeDef b = Teller().Dict().Index(-1).Leaf().Index(1).None().End().Def();
  EXPECT_EQ(Diff(a, b),
            "at (root): list with 2 leaves and dict with 1 leaf\n"
            "at [-1]: only in the second: leaf\n"
            "at [0]: only in the first: leaf\n"
            "at [1]: leaf and none\n");
}

TEST(DiffTreeDefsTest, OtherTypeNames_AreADifferenceAndChildrenAreCompared) {
  const TreeDef a = Teller().Struct("S").Attribute("a").Leaf().End().Def();
  const TreeDef b = Teller().Struct().Attribute("a").None().End().Def();
  EXPECT_EQ(Diff(a, b),
            "at (root): type name S and none\n"
            "at .a: leaf and none\n");
}

TEST(DiffTreeDefsTest, OtherTags_AreADifference) {
  const TreeDef a = Teller().List().Leaf().Tag("decay").Tag("a b").Leaf().End().Def();
  const TreeDef b = Teller().List().Leaf().Tag("decay").Leaf().Tag("x").End().Def();
  EXPECT_EQ(Diff(a, b),
            "at [0]: tags 'a b', decay and decay\n"
            "at [1]: tags none and x\n");
}

TEST(DiffTreeDefsTest, OtherOwnersOfAliases_AreADifference) {
  const TreeDef a = Teller().List().Leaf().Leaf().Alias(1).End().Def();
  const TreeDef b = Teller().List().Leaf().Leaf().Alias(2).End().Def();
  EXPECT_EQ(Diff(a, b), "at [2]: alias of [0] and of [1]\n");
}

TEST(DiffTreeDefsTest, OwnersOfAliases_AreComparedByPathNotById) {
  // The owner is [1] in both, though node 2 in one and node 3 in the other.
  const TreeDef a = Teller().List().Leaf().Leaf().Alias(2).End().Def();
  const TreeDef b = Teller().List().List().Leaf().End().Leaf().Alias(3).End().Def();
  EXPECT_EQ(Diff(a, b), "at [0]: leaf and list with 1 leaf\n");
}

TEST(DiffTreeDefsTest, AliasAndLeaf_AreADifference) {
  EXPECT_EQ(
      Diff(Teller().List().Leaf().Alias(1).End().Def(), Teller().List().Leaf().Leaf().End().Def()),
      "at [1]: alias and leaf\n");
}

TEST(DiffTreeDefsTest, OtherKeyTypes_AreADifferenceAndChildrenAreNotCompared) {
  const TreeDef a = Teller().Dict().Item("1").Leaf().End().Def();
  const TreeDef b = Teller().Dict().Index(1).Leaf().End().Def();
  EXPECT_EQ(Diff(a, b), "at (root): string keys and int64 keys\n");
  EXPECT_EQ(Diff(b, a), "at (root): int64 keys and string keys\n");
  EXPECT_EQ(Diff(Teller().Dict().End().Def(), b), "at [1]: only in the second: leaf\n");
}

TEST(DiffTreeDefsTest, ManyTagsAndOddNames_MakeOneShortLine) {
  Teller t;
  t.Struct(std::string(100000, 'x') + "\n");
  for (int i = 0; i < 1000; ++i) t.Tag(absl::StrCat("tag\n", i));
  const std::string text = Diff(t.End().Def(), Teller().Struct().End().Def());
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2) << text;
  EXPECT_LT(text.size(), 1000u);
  EXPECT_THAT(text, HasSubstr("... 992 more"));
}

// What DiffTreeDefs compares of a node.
struct Seen {
  std::string kind, type_name, target;
  std::set<std::string> tags;
};
std::map<std::string, Seen> NodesByPath(const ReferenceTree& tree) {
  std::map<std::string, Seen> out;
  for (const ReferenceNode* node : tree.nodes()) {
    out[node->path.ToString()] = {std::string(NodeKindName(node->kind)), node->type_name,
                                  node->owner == nullptr ? "" : node->owner->path.ToString(),
                                  node->tags};
  }
  return out;
}

TEST(DiffTreeDefsTest, RandomTrees_MatchComparingAllPaths) {
  for (uint64_t seed = 1; seed <= 1000; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    const ReferenceTree tree_a(random, 20);
    const ReferenceTree tree_b(random, 20);
    const TreeDef a = tree_a.Tell(random);
    const TreeDef b = tree_b.Tell(random);
    const auto in_a = NodesByPath(tree_a);
    const auto in_b = NodesByPath(tree_b);
    for (const TreeDefDifference& difference : DiffTreeDefs(a, b)) {
      const std::string path = difference.a == kNoNode ? b.PathText(difference.b).value()
                                                       : a.PathText(difference.a).value();
      if (difference.what == What::kOnlyInA) {
        EXPECT_EQ(in_b.count(path), 0u) << path;
        continue;
      }
      if (difference.what == What::kOnlyInB) {
        EXPECT_EQ(in_a.count(path), 0u) << path;
        continue;
      }
      ASSERT_EQ(path, b.PathText(difference.b).value());
      const Seen& x = in_a.at(path);
      const Seen& y = in_b.at(path);
      if (difference.what == What::kKind) {
        EXPECT_NE(x.kind, y.kind);
      }
      if (difference.what == What::kTypeName) {
        EXPECT_NE(x.type_name, y.type_name);
      }
      if (difference.what == What::kTags) {
        EXPECT_NE(x.tags, y.tags);
      }
      if (difference.what == What::kAliasTarget) {
        EXPECT_NE(x.target, y.target);
      }
    }
    std::set<std::pair<What, NodeId>> found;
    for (const TreeDefDifference& difference : DiffTreeDefs(a, b)) {
      found.insert({difference.what, difference.a});
    }
    for (const ReferenceNode* node : tree_a.nodes()) {
      const auto same_path = in_b.find(node->path.ToString());
      if (same_path == in_b.end()) continue;
      const Seen& x = in_a.at(same_path->first);
      const Seen& y = same_path->second;
      EXPECT_EQ(found.count({What::kKind, node->node}) > 0, x.kind != y.kind);
      EXPECT_EQ(found.count({What::kTags, node->node}) > 0, x.tags != y.tags);
      EXPECT_EQ(found.count({What::kTypeName, node->node}) > 0,
                x.kind == y.kind && x.type_name != y.type_name);
      EXPECT_EQ(found.count({What::kAliasTarget, node->node}) > 0,
                x.kind == y.kind && x.target != y.target);
    }
    if (HasFailure()) return;
  }
}

TEST(DiffTreeDefsTest, AMillionLevels_AreCompared) {
  constexpr uint32_t kLevels = 1000000;
  const TreeDef a = DeepLists(kLevels);
  const TreeDef b = DeepLists(kLevels - 1);
  ASSERT_EQ(DiffTreeDefs(a, b).size(), 1u);
  const std::string text = Diff(a, b);
  EXPECT_THAT(text, HasSubstr("[0][0]: list with 1 leaf and leaf"));
  EXPECT_LT(text.size(), 500u);
}

}  // namespace
}  // namespace leafstore
