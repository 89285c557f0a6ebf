#include "leafstore/core/internal/hash_tables.h"

#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "tests/refusing_new.h"

namespace leafstore::internal {
namespace {

std::vector<std::string> ManyNames() {
  std::vector<std::string> names;
  for (int i = 0; i < 1000; ++i) names.push_back(absl::StrCat("a name of some length ", i));
  return names;
}

TEST(HashTablesTest, EachRefusal_LeavesTheTableAsItWas) {
  const std::vector<std::string> names = ManyNames();
  int refused = 0;
  for (int at = 0;; ++at) {
    HashSet<absl::string_view> set;
    size_t before = 0;
    memory_was_refused = false;
    allocations_left = at;
    try {
      for (const std::string& name : names) {
        before = set.size();
        set.insert(name);
      }
    } catch (const std::bad_alloc&) {
      ++refused;
    }
    allocations_left = -1;
    if (!memory_was_refused) break;
    ASSERT_EQ(set.size(), before);
    for (size_t i = 0; i < names.size(); ++i) ASSERT_EQ(set.contains(names[i]), i < before);
    EXPECT_TRUE(set.insert("another").second) << "it can be used";
  }
  EXPECT_GT(refused, 5);
}

TEST(HashTablesTest, Map_HasTheCallsOfAbseils) {
  HashMap<std::pair<int, int>, std::shared_ptr<int>> map;
  EXPECT_TRUE(map.try_emplace({1, 2}, std::make_shared<int>(3)).second);
  EXPECT_FALSE(map.try_emplace({1, 2}).second);
  map[{4, 5}] = std::make_shared<int>(6);
  EXPECT_TRUE(map.emplace(std::pair(7, 8), nullptr).second);
  EXPECT_EQ(*map.at({1, 2}), 3);
  const HashMap<std::pair<int, int>, std::shared_ptr<int>> copy = map;
  EXPECT_EQ(copy.size(), 3u);
  HashMap<std::pair<int, int>, std::shared_ptr<int>> moved = std::move(map);
  EXPECT_EQ(*moved.find({4, 5})->second, 6);
  moved = copy;
  EXPECT_EQ(moved.size(), 3u);
}

TEST(HashTablesTest, ReservedTable_DoesNotAllocate) {
  for (const size_t count : {1u, 2u, 3u, 6u, 8u, 14u, 15u, 100u, 1000u}) {
    HashMap<size_t, size_t> map;
    map.reserve(count);
    bool refused = false;
    memory_was_refused = false;
    allocations_left = 0;
    try {
      for (size_t i = 0; i < count; ++i) map.try_emplace(i, i);
    } catch (const std::bad_alloc&) {
      refused = true;
    }
    allocations_left = -1;
    EXPECT_FALSE(refused) << count;
  }
}

}  // namespace
}  // namespace leafstore::internal
