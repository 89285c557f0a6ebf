#include "leafstore/store/internal/layout_of_paths.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/store/layout.h"

#include "tests/core/random_keys.h"
#include "tests/core/status_matchers.h"
#include "tests/status_codes.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

absl::StatusOr<TreeDef> DefAt(const std::vector<std::string>& texts) {
  std::vector<Path> paths;
  for (const std::string& text : texts) paths.push_back(PathFrom(text));
  std::sort(paths.begin(), paths.end());
  return internal::TreeDefOfPaths(paths);
}

TreeDef DefOf(const Tree& tree) { return Flatten(tree).value().def; }

TEST(TreeDefOfPathsTest, NoPaths_MakeNone) { EXPECT_EQ(DefAt({}).value(), TreeDef()); }

TEST(TreeDefOfPathsTest, EmptyPath_MakesALeaf) {
  EXPECT_EQ(DefAt({""}).value(), DefOf(Tree(Value(1))));
}

TEST(TreeDefOfPathsTest, KindsOfKeys_MakeStructsDictsAndLists) {
  EXPECT_EQ(DefAt({".b", ".a['x y']", ".a['z']", ".c[1]", ".c[0]"}).value(),
            DefOf(Tree::Struct()
                      .With("a", Tree::Dict().With("x y", Value(1)).With("z", Value(1)))
                      .With("b", Value(1))
                      .With("c", Tree::List().Add(Value(1)).Add(Value(1)))));
}

TEST(TreeDefOfPathsTest, IndicesWithGaps_MakeADictWithIntKeys) {
  const TreeDef gap = DefOf(Tree::Dict().With(0, Value(1)).With(2, Value(1)));
  EXPECT_EQ(DefAt({"[0]", "[2]"}).value(), gap);
  EXPECT_EQ(DefAt({"[1]"}).value(), DefOf(Tree::Dict().With(1, Value(1))));
  EXPECT_EQ(DefAt({"[-1]", "[0]"}).value(),
            DefOf(Tree::Dict().With(-1, Value(1)).With(0, Value(1))));
  EXPECT_EQ(DefAt({"[9223372036854775807]"}).value().leaf_count(), 1u);
}

TEST(TreeDefOfPathsTest, Indices_AreOrderedByValue) {
  std::vector<std::string> texts;
  for (int i = 0; i < 12; ++i) texts.push_back("[" + std::to_string(i) + "]");
  const TreeDef def = DefAt(texts).value();
  EXPECT_EQ(def.kind(kRootNode), NodeKind::kList);
  EXPECT_EQ(def.PathText(def.node_of_leaf(10)).value(), "[10]");
}

TEST(TreeDefOfPathsTest, PathBelowALeaf_IsAnError) {
  EXPECT_THAT(DefAt({".a", ".a.b", ".c"}),
              StatusIs(kInvalid, AllOf(HasSubstr("'.a' and '.a.b'"), HasSubstr("leaf"))));
  EXPECT_THAT(DefAt({"", "[0]"}), StatusIs(kInvalid, HasSubstr("'' and '[0]'")));
}

TEST(TreeDefOfPathsTest, MixedKeysInOneContainer_AreAnError) {
  EXPECT_THAT(DefAt({".x.a", ".x['b']"}),
              StatusIs(kInvalid, AllOf(HasSubstr("'.x.a' and .x['b']: "), HasSubstr("kind"))));
  EXPECT_THAT(DefAt({"['a']", "[0]"}), StatusIs(kInvalid, HasSubstr("['a'] and '[0]'")));
  EXPECT_THAT(DefAt({".a", "[0]"}), StatusIs(kInvalid, HasSubstr("'.a' and '[0]'")));
}

TEST(TreeDefOfPathsTest, OtherKeysInOtherContainers_AreAllowed) {
  EXPECT_THAT(DefAt({".x.a", ".y['b']", ".z[0]"}), IsOk());
}

TEST(TreeDefOfPathsTest, AMillionLevels_AreSupported) {
  Path deep;
  for (int i = 0; i < 1'000'000; ++i) deep.Index(0);
  const TreeDef def = internal::TreeDefOfPaths({deep}).value();
  EXPECT_EQ(def.node_count(), 1'000'001u);
  EXPECT_EQ(def.leaf_count(), 1u);
}

// Compares with naive code for sets of random paths: either a naive search finds the same conflict,
// or the leaves of the structure are the paths, in order.
TEST(TreeDefOfPathsTest, RandomPaths_AgreeWithNaiveSearchForConflicts) {
  int trees = 0;
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    std::set<Path> paths;
    for (size_t left = RandomBelow(random, 6); left > 0; --left) {
      Path path;
      for (size_t keys = RandomBelow(random, 4); keys > 0; --keys) {
        const auto index = static_cast<int64_t>(RandomBelow(random, 3));
        // Mostly one kind of key at one depth, so that half of the sets are trees.
        const size_t kind = RandomBelow(random, 12) == 0 ? RandomBelow(random, 3) : keys % 3;
        if (kind == 0) path.Index(index);
        if (kind == 1) path.Item(std::string(1, static_cast<char>('a' + index)));
        if (kind == 2) path.Attribute(std::string(1, static_cast<char>('a' + index)));
      }
      paths.insert(path);
    }
    bool conflict = false;
    for (const Path& a : paths) {
      for (const Path& b : paths) {
        if (a == b) continue;
        size_t same = 0;
        while (same < a.size() && same < b.size() && a.keys()[same] == b.keys()[same]) ++same;
        conflict |=
            same == a.size() || same == b.size() || a.keys()[same].kind() != b.keys()[same].kind();
      }
    }
    const std::vector<Path> sorted(paths.begin(), paths.end());
    const absl::StatusOr<TreeDef> def = internal::TreeDefOfPaths(sorted);
    ASSERT_EQ(def.ok(), !conflict) << def.status();
    if (!def.ok()) continue;
    ++trees;
    ASSERT_EQ(def->leaf_count(), sorted.size());
    for (uint32_t leaf = 0; leaf < def->leaf_count(); ++leaf) {
      EXPECT_EQ(def->PathOf(def->node_of_leaf(leaf)), sorted[leaf]);
    }
  }
  EXPECT_GT(trees, 300);
  EXPECT_LT(trees, 1900);
}

}  // namespace
}  // namespace leafstore
