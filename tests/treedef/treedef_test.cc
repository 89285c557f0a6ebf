#include "leafstore/treedef/treedef.h"

#include <algorithm>
#include <new>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/treedef/internal/path_table.h"

#include "tests/core/status_matchers.h"
#include "tests/treedef/reference_tree.h"
#include "tests/treedef/teller.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(TreeDefTest, Default_IsNone) {
  TreeDef def;
  EXPECT_EQ(def.node_count(), 1u);
  EXPECT_EQ(def.leaf_count(), 0u);
  EXPECT_EQ(def.kind(kRootNode), NodeKind::kNone);
  EXPECT_EQ(def, Teller().None().Def());
  EXPECT_EQ(internal::PathsOf(def).value()->size(), 0u);
}

TEST(TreeDefTest, Nodes_AreNumberedInPreorder) {
  const TreeDef def = MlpDef();
  ASSERT_EQ(def.node_count(), 13u);
  EXPECT_EQ(def.kind(0), NodeKind::kStruct);
  EXPECT_EQ(def.kind(1), NodeKind::kLeaf);
  EXPECT_EQ(def.kind(5), NodeKind::kList);
  EXPECT_EQ(def.kind(9), NodeKind::kAlias);
  EXPECT_EQ(def.kind(10), NodeKind::kDict);
  EXPECT_EQ(def.kind(12), NodeKind::kNone);
  EXPECT_EQ(def.parent(kRootNode), kNoNode);
  EXPECT_EQ(def.parent(8), 6u);
  EXPECT_EQ(def.end(kRootNode), 13u);
  EXPECT_EQ(def.end(5), 10u);
  EXPECT_EQ(def.end(1), 2u);
  EXPECT_EQ(def.child_count(kRootNode), 4u);
  EXPECT_EQ(def.child_count(5), 2u);
  EXPECT_EQ(def.child_count(9), 0u);
}

TEST(TreeDefTest, Children_AreIteratedByTheirEnds) {
  const TreeDef def = MlpDef();
  std::vector<NodeId> children;
  for (NodeId child = def.first_child(0); child != def.end(0); child = def.end(child)) {
    children.push_back(child);
  }
  EXPECT_THAT(children, ElementsAre(1, 2, 5, 10));
}

TEST(TreeDefTest, LeavesBelowANode_AreContiguous) {
  const TreeDef def = MlpDef();
  ASSERT_EQ(def.leaf_count(), 6u);
  EXPECT_EQ(def.node_of_leaf(0), 1u);
  EXPECT_EQ(def.node_of_leaf(5), 11u);
  EXPECT_EQ(def.leaf_begin(5), 3u);
  EXPECT_EQ(def.leaf_begin(def.end(5)), 5u);
  EXPECT_EQ(def.leaf_begin(def.node_count()), 6u);
}

TEST(TreeDefTest, Key_HasTheKindOfTheParent) {
  const TreeDef def = MlpDef();
  EXPECT_EQ(def.key(kRootNode), KeyRef::Index(0));
  EXPECT_EQ(def.key(1), KeyRef::Attribute("activation"));
  EXPECT_EQ(def.key(9), KeyRef::Index(1));
  EXPECT_EQ(def.key(11), KeyRef::Index(-1));
  EXPECT_TRUE(def.has_int_keys(10));
  EXPECT_FALSE(def.has_int_keys(5));
  EXPECT_FALSE(Teller().Dict().End().Def().has_int_keys(kRootNode));
  EXPECT_EQ(Teller().Dict().Item("a b").Leaf().End().Def().key(1), KeyRef::Item("a b"));
}

TEST(TreeDefTest, TypeNames_BelongToStructsAndCustoms) {
  const TreeDef def = MlpDef();
  EXPECT_EQ(def.type_name(0), "Mlp");
  EXPECT_EQ(def.type_name(2), "Linear");
  EXPECT_EQ(def.type_name(5), "");
  EXPECT_EQ(def.type_name(9), "") << "not what aux holds of an alias";
  EXPECT_EQ(def.type_name_string(6), def.type_name_string(2));
  EXPECT_EQ(def.type_name_string(1), TreeDef::kNoString);
  EXPECT_EQ(Teller().Struct().End().Def().type_name(0), "");
  EXPECT_EQ(Teller().Custom("Deque").End().Def().type_name(0), "Deque");
}

TEST(TreeDefTest, Tags_AreSortedAndFound) {
  const TreeDef def = MlpDef();
  EXPECT_TRUE(def.has_tags());
  EXPECT_THAT(def.tags(4), ElementsAre("decay", "large"));
  EXPECT_THAT(def.tags(3), IsEmpty());
  EXPECT_TRUE(def.has_tag(4, "large"));
  EXPECT_FALSE(def.has_tag(4, "larg"));
  EXPECT_FALSE(def.has_tag(4, "zzz"));
  EXPECT_FALSE(def.has_tag(5, "decay"));
  EXPECT_FALSE(TreeDef().has_tags());
}

TEST(TreeDefTest, Aliases_HaveAnOwner) {
  const TreeDef def = MlpDef();
  EXPECT_TRUE(def.has_aliases());
  EXPECT_EQ(def.alias_target(9), 6u);
  EXPECT_EQ(def.Resolve(9), 6u);
  EXPECT_EQ(def.Resolve(7), 7u);
  EXPECT_FALSE(TreeDef().has_aliases());
}

TEST(TreeDefTest, Strings_AreUniqueInOrderOfFirstUse) {
  const TreeDef def = MlpDef();
  std::vector<std::string> strings;
  for (uint32_t id = 0; id < def.string_count(); ++id) strings.emplace_back(def.string(id));
  EXPECT_THAT(strings, ElementsAre("Mlp", "activation", "head", "Linear", "bias", "weight", "decay",
                                   "large", "layers", "steps"));
  EXPECT_EQ(def.string(def.key_string(8)), "weight");
  EXPECT_EQ(def.key_string(kRootNode), TreeDef::kNoString);
  EXPECT_EQ(def.key_string(6), TreeDef::kNoString) << "a position";
  EXPECT_EQ(def.key_string(11), TreeDef::kNoString) << "an int";
}

TEST(TreeDefTest, MemoryBytes_CountsColumnsAndStrings) {
  const size_t small = MlpDef().memory_bytes();
  EXPECT_LT(small, 2000u);
  TreeDefBuilder builder;
  builder.Open(NodeKind::kList);
  for (int i = 0; i < 100000; ++i) builder.Leaf();
  builder.Close();
  const size_t large = std::move(builder).Build().value().memory_bytes();
  EXPECT_GT(large, 2900000u);
  EXPECT_LT(large, 3000000u) << "29 bytes a leaf, and nothing left over from growing";
}

// Paths.

TEST(TreeDefTest, PathOf_ReturnsTheKeysFromTheRoot) {
  const TreeDef def = MlpDef();
  EXPECT_EQ(def.PathOf(8), Path().Attribute("layers").Index(0).Attribute("weight"));
  EXPECT_EQ(def.PathText(8).value(), ".layers[0].weight");
  EXPECT_EQ(def.Dotted(8).value(), "layers.0.weight");
  EXPECT_EQ(def.PathText(11).value(), ".steps[-1]");
  EXPECT_EQ(def.Dotted(11).value(), "steps.-1");
  EXPECT_EQ(def.PathForMessage(8), ".layers[0].weight");
}

TEST(TreeDefTest, PathOfTheRoot_IsEmpty) {
  const TreeDef def = MlpDef();
  EXPECT_TRUE(def.PathOf(kRootNode).empty());
  EXPECT_EQ(def.PathText(kRootNode).value(), "");
  EXPECT_EQ(def.Dotted(kRootNode).value(), "");
  EXPECT_EQ(def.PathForMessage(kRootNode), "(root)");
}

TEST(TreeDefTest, DottedName_MayBeginWithADot) {
  const TreeDef def = Teller().Dict().Item("").Dict().Item(".a").Leaf().End().End().Def();
  EXPECT_EQ(def.Dotted(2).value(), "..a");
  EXPECT_EQ(def.FindDotted("..a").value(), 2u);
}

TEST(TreeDefTest, PathTextOverTheLimit_IsAnError) {
  const std::string name(1 << 20, 'x');
  Teller t;
  for (int i = 0; i < 17; ++i) t.Dict().Item(name);
  t.Leaf();
  for (int i = 0; i < 17; ++i) t.End();
  const TreeDef def = t.Def();
  const auto too_long =
      StatusIs(absl::StatusCode::kResourceExhausted,
               AllOf(HasSubstr("expected a path of at most 16777216 bytes, found a longer one"),
                     HasSubstr("['xxx")));
  EXPECT_THAT(def.PathText(17), too_long);
  EXPECT_THAT(def.Dotted(17), too_long);
  EXPECT_THAT(def.PathText(15), IsOk());
  EXPECT_LT(def.PathForMessage(17).size(), 1000u);
}

TEST(TreeDefTest, PathForMessage_ShowsBothEnds) {
  Teller t;
  for (int i = 0; i < 200; ++i) t.Struct().Attribute(absl::StrCat("level", i));
  t.Leaf();
  for (int i = 0; i < 200; ++i) t.End();
  const std::string text = t.Def().PathForMessage(200);
  EXPECT_THAT(text, AllOf(testing::StartsWith(".level0.level1."), HasSubstr("..."),
                          testing::EndsWith(".level198.level199")));
  EXPECT_LT(text.size(), 500u);
}

TEST(TreeDefTest, PathForMessage_CutsNamesBetweenCharacters) {
  std::string name;
  for (int i = 0; i < 100; ++i) name += "层";
  const std::string text = Teller().Dict().Item(name).Leaf().End().Def().PathForMessage(1);
  EXPECT_LT(text.size(), 120u);
  EXPECT_THAT(text, HasSubstr("层...层"));
}

// Identity.

TEST(TreeDefTest, EqualStructures_AreEqualHoweverTheyWereBuilt) {
  const TreeDef a = Teller()
                        .Struct("S")
                        .Attribute("x")
                        .Leaf()
                        .Tag("b")
                        .Tag("a")
                        .Attribute("y")
                        .List()
                        .Leaf()
                        .Leaf()
                        .End()
                        .End()
                        .Def();
  const TreeDef b = Teller()
                        .Index(0)
                        .Struct("S")
                        .Attribute("x")
                        .Leaf()
                        .Tag("a")
                        .Tag("b")
                        .Tag("a")
                        .Attribute("y")
                        .List()
                        .Index(0)
                        .Leaf()
                        .Index(1)
                        .Leaf()
                        .End()
                        .End()
                        .Def();
  EXPECT_EQ(a, b);
  EXPECT_EQ(a.hash(), b.hash());
}

TEST(TreeDefTest, EveryDifference_MakesADifferentTreeDef) {
  const std::vector<TreeDef> defs = {
      TreeDef(),
      Teller().Leaf().Def(),
      Teller().Leaf().Tag("a").Def(),
      Teller().Leaf().Tag("b").Def(),
      Teller().Leaf().Tag("a").Tag("b").Def(),
      Teller().Dict().End().Def(),
      Teller().List().End().Def(),
      Teller().Tuple().End().Def(),
      Teller().Struct().End().Def(),
      Teller().Struct("S").End().Def(),
      Teller().Struct("T").End().Def(),
      Teller().Custom("S").End().Def(),
      Teller().List().Leaf().End().Def(),
      Teller().List().Leaf().Leaf().End().Def(),
      Teller().List().Leaf().Alias(1).End().Def(),
      Teller().List().Leaf().Leaf().Alias(1).End().Def(),
      Teller().List().Leaf().Leaf().Alias(2).End().Def(),
      Teller().List().List().Leaf().End().End().Def(),
      Teller().List().List().End().Leaf().End().Def(),
      Teller().List().Leaf().List().End().End().Def(),
      Teller().Dict().Item("a").Leaf().End().Def(),
      Teller().Dict().Item("b").Leaf().End().Def(),
      Teller().Struct().Attribute("a").Leaf().End().Def(),
      Teller().Dict().Index(0).Leaf().End().Def(),
      Teller().Dict().Index(1).Leaf().End().Def(),
      Teller().Dict().Index(-1).Leaf().End().Def(),
      Teller().Dict().Index(int64_t{1} << 32).Leaf().End().Def(),
      Teller().Dict().Item("ab").Leaf().Item("c").Leaf().End().Def(),
      Teller().Dict().Item("a").Leaf().Item("bc").Leaf().End().Def(),
  };
  std::set<uint64_t> hashes;
  for (size_t i = 0; i < defs.size(); ++i) {
    for (size_t j = 0; j < i; ++j) EXPECT_FALSE(defs[i] == defs[j]) << i << " and " << j;
    hashes.insert(defs[i].hash());
  }
  EXPECT_EQ(hashes.size(), defs.size());
}

TEST(TreeDefTest, PathsOf_EqualTreeDefs_IsOneTable) {
  const TreeDef a = MlpDef();
  const TreeDef b = MlpDef();
  const internal::PathTable* paths = internal::PathsOf(a).value();
  EXPECT_EQ(paths, internal::PathsOf(b).value());
  EXPECT_EQ(paths->size(), 6u);
  EXPECT_EQ(paths->text(4), ".layers[0].weight");
  EXPECT_EQ(paths->Find(".layers[1].weight"), internal::PathTable::kNotFound)
      << "aliases have no path here";
}

TEST(TreeDefTest, PathsOf_OverTheLimit_FailsEveryTime) {
  const TreeDef def = DeepLists(20000, /*leaf_at_each_level=*/true);
  const auto over = StatusIs(absl::StatusCode::kResourceExhausted,
                             HasSubstr("the texts of 20001 paths: expected at most"));
  EXPECT_THAT(internal::PathsOf(def), over);
  EXPECT_THAT(internal::PathsOf(def), over);
  EXPECT_THAT(def.PathText(20000), IsOk()) << "one path alone is no trouble";
}

// Comparison with the reference model.

class TreeDefModelTest : public testing::TestWithParam<uint64_t> {};

void ExpectSameNode(const TreeDef& def, const ReferenceNode& want) {
  const NodeId node = want.node;
  EXPECT_EQ(def.kind(node), want.kind);
  EXPECT_EQ(def.parent(node), want.parent);
  EXPECT_EQ(def.end(node), want.end);
  EXPECT_EQ(def.child_count(node), want.children.size());
  EXPECT_EQ(def.leaf_begin(node), want.leaf_begin);
  EXPECT_EQ(def.type_name(node), want.type_name);
  EXPECT_EQ(def.PathOf(node), want.path);
  EXPECT_EQ(def.PathText(node).value(), want.path.ToString());
  EXPECT_EQ(def.Dotted(node).value(), want.path.Dotted());
  EXPECT_EQ(def.PathForMessage(node), node == 0 ? "(root)" : want.path.ToString());
  EXPECT_THAT(def.tags(node), testing::ElementsAreArray(want.tags));
  if (want.kind == NodeKind::kLeaf) {
    EXPECT_EQ(def.node_of_leaf(want.leaf_begin), node);
  }
  if (want.owner != nullptr) {
    EXPECT_EQ(def.alias_target(node), want.owner->node);
  }
  for (size_t i = 0; i < want.children.size(); ++i) {
    EXPECT_EQ(def.FindChild(node, want.keys[i].ref()), want.children[i]->node);
  }
}

TEST_P(TreeDefModelTest, RandomTrees_MatchANaiveTree) {
  Random random(GetParam());
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE(absl::StrCat("seed ", GetParam(), " round ", round));
    const ReferenceTree tree(random, 1 + RandomBelow(random, 60));
    const TreeDef def = tree.Tell(random);
    EXPECT_EQ(def, tree.Tell(random));
    ASSERT_EQ(def.node_count(), tree.nodes().size());
    for (const ReferenceNode* node : tree.nodes()) ExpectSameNode(def, *node);
    EXPECT_EQ(def.leaf_begin(def.node_count()), def.leaf_count());
    if (HasFailure()) return;
  }
}

TEST_P(TreeDefModelTest, Find_RandomTrees_MatchesANaiveTree) {
  Random random(GetParam());
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE(absl::StrCat("seed ", GetParam(), " round ", round));
    const ReferenceTree tree(random, 60);
    const TreeDef def = tree.Tell(random);
    for (const ReferenceNode* node : tree.nodes()) {
      // The path, followed by the key of another node: often below an alias, often not found.
      Path path = node->path;
      const Path& other = tree.nodes()[RandomBelow(random, tree.nodes().size())]->path;
      for (const Key& key : other.keys()) path.Append(key);
      const ReferenceNode* want = tree.Find(path);
      const absl::StatusOr<NodeId> found = def.Find(path);
      ASSERT_EQ(found.ok(), want != nullptr) << path.ToString() << found.status();
      if (want != nullptr) {
        EXPECT_EQ(*found, want->node);
      }
      EXPECT_EQ(def.Find(path.ToString()).ok(), want != nullptr);
    }
  }
}

TEST_P(TreeDefModelTest, FindDotted_RandomTrees_MatchesTryingEveryPath) {
  Random random(GetParam());
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE(absl::StrCat("seed ", GetParam(), " round ", round));
    const ReferenceTree tree(random, 40);
    const TreeDef def = tree.Tell(random);
    for (const ReferenceNode* node : tree.nodes()) {
      std::string name = node->path.Dotted();
      const Path& other = tree.nodes()[RandomBelow(random, tree.nodes().size())]->path;
      if (RandomBelow(random, 2) == 0) name += "." + other.Dotted();
      const std::set<NodeId> want = tree.FindDotted(name);
      const absl::StatusOr<NodeId> found = def.FindDotted(name);
      if (want.size() == 1) {
        ASSERT_THAT(found, IsOk()) << name;
        EXPECT_EQ(*found, *want.begin());
      } else {
        EXPECT_EQ(found.status().code(),
                  want.empty() ? absl::StatusCode::kNotFound : absl::StatusCode::kInvalidArgument)
            << name << " " << found.status();
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, TreeDefModelTest, testing::Range<uint64_t>(1, 9));

// Depth.

TEST(TreeDefDepthTest, AMillionLevels_AreSupported) {
  constexpr uint32_t kLevels = 1000000;
  const TreeDef def = DeepLists(kLevels);
  EXPECT_EQ(def.node_count(), kLevels + 1);
  EXPECT_EQ(def, DeepLists(kLevels));
  EXPECT_FALSE(def == DeepLists(kLevels - 1));
  const std::string text = def.PathText(kLevels).value();
  EXPECT_EQ(text.size(), 3u * kLevels);
  EXPECT_EQ(def.Dotted(kLevels).value().size(), 2u * kLevels - 1);
  EXPECT_EQ(def.PathOf(kLevels).size(), kLevels);
  EXPECT_EQ(def.Find(text).value(), kLevels);
  EXPECT_EQ(def.FindDotted(def.Dotted(kLevels).value()).value(), kLevels);
  EXPECT_LT(def.PathForMessage(kLevels).size(), 500u);
  EXPECT_EQ(internal::PathsOf(def).value()->text(0), text);
}

// Threads: meaningful under ThreadSanitizer.

TEST(TreeDefThreadsTest, ConstCallsAndBuildsOfEqualTrees_MayRunConcurrently) {
  for (int round = 0; round < 20; ++round) {
    const TreeDef def = MlpDef();
    std::vector<std::thread> threads;
    std::vector<const internal::PathTable*> paths(4);
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&def, &paths, i] {
        EXPECT_EQ(MlpDef(), def);
        EXPECT_EQ(def.Find(".layers[1].weight").value(), 8u);
        paths[i] = internal::PathsOf(def).value();
        EXPECT_EQ(paths[i]->Find(".head.bias"), 1u);
        EXPECT_EQ(TreeDef().node_count(), 1u);
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_THAT(paths, testing::Each(internal::PathsOf(def).value()));
  }
}

}  // namespace
}  // namespace leafstore
