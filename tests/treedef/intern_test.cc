#include "leafstore/treedef/internal/intern.h"

#include <atomic>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/treedef/treedef.h"

#include "tests/refusing_new.h"
#include "tests/treedef/teller.h"

namespace leafstore {
namespace {

using internal::TreeDefInterner;
using internal::TreeDefRep;

// Returns a root without children, with any hash.
std::unique_ptr<TreeDefRep> Rep(NodeKind kind, uint64_t hash) {
  auto rep = std::make_unique<TreeDefRep>();
  rep->hash = hash;
  rep->columns.kinds = {kind};
  rep->columns.keys = {0};
  rep->columns.parents = {kNoNode};
  rep->columns.ends = {1};
  rep->columns.child_counts = {0};
  rep->columns.aux = {0};
  rep->columns.leaf_begins = {0, 0};
  rep->columns.string_begins = {0};
  return rep;
}

TEST(TreeDefInternerTest, EqualStructures_BecomeOneObject) {
  TreeDefInterner interner;
  const TreeDef a = interner.Intern(Rep(NodeKind::kDict, 7));
  const TreeDef b = interner.Intern(Rep(NodeKind::kDict, 7));
  EXPECT_EQ(a, b);
  EXPECT_EQ(interner.size(), 1u);
}

TEST(TreeDefInternerTest, StructuresWithEqualHashes_Coexist) {
  TreeDefInterner interner;
  std::optional<TreeDef> dict = interner.Intern(Rep(NodeKind::kDict, 7));
  const TreeDef list = interner.Intern(Rep(NodeKind::kList, 7));
  const TreeDef tuple = interner.Intern(Rep(NodeKind::kTuple, 7));
  EXPECT_EQ(dict->hash(), list.hash());
  EXPECT_FALSE(*dict == list);
  EXPECT_FALSE(list == tuple);
  EXPECT_EQ(interner.Intern(Rep(NodeKind::kDict, 7)), *dict);
  EXPECT_EQ(interner.Intern(Rep(NodeKind::kTuple, 7)), tuple);
  EXPECT_EQ(interner.size(), 3u);

  dict.reset();
  EXPECT_EQ(interner.size(), 2u) << "that one alone is gone";
  EXPECT_EQ(interner.Intern(Rep(NodeKind::kList, 7)), list);
  EXPECT_EQ(list.kind(kRootNode), NodeKind::kList);
}

TEST(TreeDefInternerTest, Structure_LivesAsLongAsItsLastTreeDef) {
  TreeDefInterner interner;
  std::optional<TreeDef> a = interner.Intern(Rep(NodeKind::kDict, 7));
  std::optional<TreeDef> b = a;
  a.reset();
  EXPECT_EQ(interner.size(), 1u);
  b.reset();
  EXPECT_EQ(interner.size(), 0u);
  EXPECT_EQ(interner.Intern(Rep(NodeKind::kDict, 7)).kind(kRootNode), NodeKind::kDict);
}

TEST(TreeDefInternerTest, DestroyedTreeDefs_LeaveTheGlobalTable) {
  const size_t before = TreeDefInterner::Global().size();
  {
    const TreeDef a = Teller().Struct("OnlyInThisTest").End().Def();
    const TreeDef b = Teller().Struct("OnlyInThisTest").End().Def();
    EXPECT_EQ(a, b);
    EXPECT_EQ(TreeDefInterner::Global().size(), before + 1);
  }
  EXPECT_EQ(TreeDefInterner::Global().size(), before);
}

// Destroyed after main(), and after every function-local static of the library.
const TreeDef& OutlivesMain() {
  static const TreeDef def = Teller().Struct("OutlivesMain").End().Def();
  return def;
}

TEST(TreeDefInternerTest, TreeDef_MayOutliveMain) {
  EXPECT_EQ(OutlivesMain().type_name(kRootNode), "OutlivesMain");
}

// Checks that a failure of any allocation adds no entry and leaves no lock held.
TEST(TreeDefInternerTest, OutOfMemory_AddsNoEntry) {
  TreeDefInterner interner;
  const TreeDef list = interner.Intern(Rep(NodeKind::kList, 7));
  for (int room = 0;; ++room) {
    ASSERT_LT(room, 100);
    std::unique_ptr<TreeDefRep> rep = Rep(NodeKind::kDict, 7);
    bool thrown = false;
    try {
      allocations_left = room;
      const TreeDef dict = interner.Intern(std::move(rep));
      allocations_left = -1;
      EXPECT_EQ(interner.size(), 2u);
    } catch (const std::bad_alloc&) {
      allocations_left = -1;
      thrown = true;
    }
    EXPECT_EQ(interner.size(), 1u);
    if (!thrown) break;
  }
}

// For ThreadSanitizer: last references are dropped while equal structures are made.
TEST(TreeDefInternerTest, ManyThreads_MayInternAndRelease) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 2000;
  TreeDefInterner interner;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&interner, &wrong, i] {
      constexpr NodeKind kKinds[] = {NodeKind::kDict, NodeKind::kList, NodeKind::kTuple};
      for (int round = 0; round < kRounds; ++round) {
        const NodeKind kind = kKinds[(round + i) % 3];
        const TreeDef a = interner.Intern(Rep(kind, 7));
        const TreeDef b = interner.Intern(Rep(kind, 7));
        if (!(a == b) || a.kind(kRootNode) != kind) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(interner.size(), 0u);
}

}  // namespace
}  // namespace leafstore
