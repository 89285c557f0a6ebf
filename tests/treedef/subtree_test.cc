// TreeDef::Subtree.
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/treedef/treedef.h"

#include "tests/treedef/reference_tree.h"
#include "tests/treedef/teller.h"

namespace leafstore {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(SubtreeTest, Subtree_IsAnIndependentStructure) {
  Teller t;
  t.Dict().Item("a").Leaf();
  t.Item("b").Struct("S").Tag("s").Attribute("x").Leaf().Tag("t").Attribute("y").List().Leaf();
  t.None().End().End();
  const TreeDef def = t.Item("c").Leaf().End().Def();
  const TreeDef::Cut cut = def.Subtree(def.Find("['b']").value());
  Teller want;
  want.Struct("S").Tag("s").Attribute("x").Leaf().Tag("t").Attribute("y").List().Leaf().None();
  EXPECT_EQ(cut.def, want.End().End().Def());
  EXPECT_THAT(cut.leaves, ElementsAre(1, 2));
}

TEST(SubtreeTest, SubtreeOfTheRoot_IsTheFullStructure) {
  const TreeDef def = Teller().List().Leaf().Alias(1).Leaf().End().Def();
  const TreeDef::Cut cut = def.Subtree(kRootNode);
  EXPECT_EQ(cut.def, def);
  EXPECT_THAT(cut.leaves, ElementsAre(0, 1));
}

TEST(SubtreeTest, SubtreeOfALeafOrNone_IsThatNode) {
  const TreeDef def = Teller().List().Leaf().None().Leaf().End().Def();
  EXPECT_EQ(def.Subtree(3).def, Teller().Leaf().Def());
  EXPECT_THAT(def.Subtree(3).leaves, ElementsAre(1));
  EXPECT_EQ(def.Subtree(2).def, TreeDef());
  EXPECT_THAT(def.Subtree(2).leaves, IsEmpty());
}

TEST(SubtreeTest, AliasWithItsOwnerInside_StaysAnAlias) {
  const TreeDef def =
      Teller().List().Leaf().List().List().Leaf().End().Alias(3).Alias(4).End().End().Def();
  const TreeDef::Cut cut = def.Subtree(2);
  EXPECT_EQ(cut.def, Teller().List().List().Leaf().End().Alias(1).Alias(2).End().Def());
  EXPECT_THAT(cut.leaves, ElementsAre(1));
}

TEST(SubtreeTest, FirstAliasOfAnOwnerOutside_OwnsACopy) {
  // [0]: list of two leaves; [1]: list of two aliases of it
  const TreeDef def =
      Teller().List().List().Leaf().Leaf().End().List().Alias(1).Alias(1).End().End().Def();
  const TreeDef::Cut cut = def.Subtree(4);
  EXPECT_EQ(cut.def, Teller().List().List().Leaf().Leaf().End().Alias(1).End().Def());
  EXPECT_THAT(cut.leaves, ElementsAre(0, 1));
}

TEST(SubtreeTest, SubtreeOfAnAlias_IsACopyOfItsOwner) {
  const TreeDef def = Teller().List().List().Leaf().End().Alias(1).Tag("here").End().Def();
  const TreeDef::Cut cut = def.Subtree(3);
  EXPECT_EQ(cut.def, Teller().List().Tag("here").Leaf().End().Def());
  EXPECT_THAT(cut.leaves, ElementsAre(0));
}

TEST(SubtreeTest, Copy_HasTheTagsOfOwnerAndAlias) {
  const TreeDef def =
      Teller().List().Leaf().Tag("owner").List().Alias(1).Tag("alias").End().End().Def();
  EXPECT_EQ(def.Subtree(2).def, Teller().List().Leaf().Tag("alias").Tag("owner").End().Def());
}

// A part of an owner that was already copied is not copied again with the owner.
TEST(SubtreeTest, SharedParts_StayShared) {
  // 1 [0]: list of 2 [0][0]: leaf and 3 [0][1]: leaf; 4 [1]: list of aliases of 3 and of 1
  const TreeDef def =
      Teller().List().List().Leaf().Leaf().End().List().Alias(3).Alias(1).End().End().Def();
  const TreeDef::Cut cut = def.Subtree(4);
  EXPECT_EQ(cut.def, Teller().List().Leaf().List().Leaf().Alias(1).End().End().Def());
  EXPECT_THAT(cut.leaves, ElementsAre(1, 0));
}

TEST(SubtreeTest, AliasBelowAnOwnerOutside_IsResolved) {
  // 1 [0]: leaf; 2 [1]: list of 3 alias of 1; 4 [2]: list of 5 alias of 2, 6 alias of 1
  const TreeDef def =
      Teller().List().Leaf().List().Alias(1).End().List().Alias(2).Alias(1).End().End().Def();
  const TreeDef::Cut cut = def.Subtree(4);
  EXPECT_EQ(cut.def, Teller().List().List().Leaf().End().Alias(2).End().Def());
  EXPECT_THAT(cut.leaves, ElementsAre(0));
}

// Returns all nodes of a structure by path, with aliases followed, and the leaf (of the full
// structure) at each.
void Expand(const TreeDef& def, NodeId node, const std::vector<uint32_t>* leaves,
            const std::string& path, std::map<std::string, std::string>* out) {
  node = def.Resolve(node);
  std::string what(NodeKindName(def.kind(node)));
  absl::StrAppend(&what, " ", def.type_name(node));
  if (def.kind(node) == NodeKind::kLeaf) {
    const uint32_t leaf = def.leaf_begin(node);
    absl::StrAppend(&what, leaves == nullptr ? leaf : (*leaves)[leaf]);
  }
  (*out)[path] = what;
  if (out->size() > 3000) return;
  for (NodeId child = node + 1; child < def.end(node); child = def.end(child)) {
    std::string below = path;
    AppendKeyText(def.key(child), &below);
    Expand(def, child, leaves, below, out);
  }
}

TEST(SubtreeTest, RandomTrees_SubtreeEqualsTheOriginalPart) {
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    Random random(seed);
    const ReferenceTree tree(random, 50);
    const TreeDef def = tree.Tell(random);
    for (NodeId node = 0; node < def.node_count(); ++node) {
      SCOPED_TRACE(absl::StrCat("seed ", seed, " node ", node));
      const TreeDef::Cut cut = def.Subtree(node);
      EXPECT_EQ(cut.leaves.size(), cut.def.leaf_count());
      EXPECT_LE(cut.def.node_count(), def.node_count());
      std::map<std::string, std::string> want, got;
      Expand(def, node, nullptr, "", &want);
      Expand(cut.def, kRootNode, &cut.leaves, "", &got);
      ASSERT_EQ(got, want);
    }
  }
}

TEST(SubtreeTest, AMillionLevels_AreCut) {
  constexpr uint32_t kLevels = 1000000;
  const TreeDef::Cut cut = DeepLists(kLevels).Subtree(1);
  EXPECT_EQ(cut.def, DeepLists(kLevels - 1));
  EXPECT_THAT(cut.leaves, ElementsAre(0));
}

}  // namespace
}  // namespace leafstore
