#include "leafstore/select/internal/glob_walk.h"

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"

#include "leafstore/store/flatten.h"

namespace leafstore {
namespace {

using internal::GlobWalk;

std::vector<internal::GlobPattern> Parse(const std::vector<std::string>& texts) {
  std::vector<internal::GlobPattern> patterns;
  for (const std::string& text : texts)
    patterns.push_back(internal::GlobPattern::Parse(text).value());
  return patterns;
}

// Walks the entire tree and compares each result with that of matching the full path. Returns the
// size of the cache.
size_t CheckWalk(const TreeDef& def, const std::vector<internal::GlobPattern>& patterns,
                 size_t max_cached = GlobWalk::kMaxCached) {
  GlobWalk walk(def, max_cached);
  for (const internal::GlobPattern& pattern : patterns) walk.Add(pattern);
  std::vector<size_t> depths(def.node_count());
  for (NodeId node = 0; node < def.node_count(); ++node) {
    depths[node] = node == kRootNode ? 0 : depths[def.parent(node)] + 1;
    walk.Enter(node, depths[node]);
    for (size_t i = 0; i < patterns.size(); ++i) {
      EXPECT_EQ(walk.Accepts(i), patterns[i].Matches(def.PathOf(node)))
          << patterns[i].text() << " at " << def.PathForMessage(node) << ", of " << max_cached;
    }
  }
  EXPECT_LE(walk.cached(), max_cached);
  return walk.cached();
}

Tree Numbers(int count) {
  Tree list = Tree::List();
  for (int i = 0; i < count; ++i) list.Add(Value(i));
  return list;
}

// {"a": [0, ..., 99], "b": [0, ..., 99]}
TreeDef TwoLists() {
  return Flatten(Tree::Dict().With("a", Numbers(100)).With("b", Numbers(100))).value().def;
}

TEST(GlobWalkTest, AnyCacheSize_HasTheSameResults) {
  const std::vector<internal::GlobPattern> patterns =
      Parse({"a.7*", "*.99", "b", "**.?", "a.*", "**"});
  for (const size_t most : {GlobWalk::kMaxCached, size_t{20}, size_t{6}, size_t{5}, size_t{0}})
    CheckWalk(TwoLists(), patterns, most);
}

TEST(GlobWalkTest, EquivalentNumbers_AreOneKey) {
  const TreeDef def = Flatten(Numbers(20000)).value().def;
  EXPECT_EQ(CheckWalk(def, Parse({"*", "a.7"})), 2 * 2u) << "the root, and all below it";
}

TEST(GlobWalkTest, Numbers_OfAnySizeAndSign_Match) {
  Tree dict = Tree::Dict();
  for (const int64_t key : {int64_t{-7}, int64_t{0}, int64_t{7}, int64_t{1} << 32,
                            (int64_t{1} << 32) + 7, INT64_MAX, INT64_MIN}) {
    dict.With(key, Tree::Dict().With("7", Value(1)).With("x", Value(2)));
  }
  const TreeDef def = Flatten(std::move(dict)).value().def;
  CheckWalk(def, Parse({"7.*", "-7", "42*", "**.7", "*.x"}));
  CheckWalk(def, Parse({"-*"}));
}

TEST(GlobWalkTest, MoreNamesThanEdges_StillMatch) {
  const auto names = [](int count) {
    Tree dict = Tree::Dict();
    for (int i = 0; i < count; ++i) dict.With(absl::StrCat("name", i), Value(i));
    return dict;
  };
  const TreeDef def =
      Flatten(Tree::Dict().With("a", names(20000)).With("b", names(20000))).value().def;
  CheckWalk(def, Parse({"a.*7", "b.name1*", "**.name77"}));
}

// A state records which of the last twelve keys were "a", so the states do not fit into the cache.
TEST(GlobWalkTest, MoreStatesThanTheCacheHolds_StillMatch) {
  std::mt19937 random(1);
  Tree tree = Tree(Value(1));
  for (int depth = 0; depth < 3000; ++depth) {
    tree = Tree::Dict().With(random() % 2 == 0 ? "a" : "b", std::move(tree));
  }
  const TreeDef def = Flatten(std::move(tree)).value().def;
  const std::vector<internal::GlobPattern> patterns = Parse({"**.a.*.*.*.*.*.*.*.*.*.*.*", "**.b"});
  EXPECT_GT(CheckWalk(def, patterns), 1000u);
  EXPECT_EQ(CheckWalk(def, patterns, 100), 100u);
}

Tree RandomTree(int depth, std::mt19937& random) {
  if (depth == 0 || random() % 8 == 0) return Tree(Value(1));
  const bool is_list = random() % 3 == 0;
  Tree tree = is_list ? Tree::List() : Tree::Dict();
  const int children = static_cast<int>(random() % 5);
  for (int i = 0; i < children; ++i) {
    if (is_list) {
      tree.Add(RandomTree(depth - 1, random));
    } else {
      tree.With(absl::StrCat("k", i), RandomTree(depth - 1, random));
    }
  }
  return tree;
}

TEST(GlobWalkTest, RandomGlobsAndTrees_AgreeWithMatches) {
  std::mt19937 random(7);
  const std::vector<std::string> segments = {"k0", "k1", "k*", "*", "**", "0", "?", "*2", "k?"};
  for (int round = 0; round < 200; ++round) {
    std::vector<std::string> texts;
    for (size_t i = 0; i < 1 + random() % 5; ++i) {
      std::vector<std::string> chosen;
      for (size_t j = 0; j < 1 + random() % 5; ++j) chosen.push_back(segments[random() % 9]);
      texts.push_back(absl::StrJoin(chosen, "."));
    }
    const TreeDef def = Flatten(RandomTree(6, random)).value().def;
    CheckWalk(def, Parse(texts), round % 2 == 0 ? GlobWalk::kMaxCached : round / 4);
  }
}

}  // namespace
}  // namespace leafstore
