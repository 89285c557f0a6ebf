#include "leafstore/core/internal/list_for_message.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace leafstore::internal {
namespace {

TEST(ListForMessageTest, NamesTheFirstAndCountsTheRest) {
  const std::vector<std::string> names = {"a", "b", "c", "d"};
  EXPECT_EQ(ListForMessage(names), "a, b, c, d");
  EXPECT_EQ(ListForMessage(names, 4), "a, b, c, d");
  EXPECT_EQ(ListForMessage(names, 2), "a, b and 2 more");
  EXPECT_EQ(ListForMessage(names, 0), "4 more");
  EXPECT_EQ(ListForMessage(names, 3, 100), "a, b, c and 97 more");
  EXPECT_EQ(ListForMessage(std::vector<std::string>()), "");
  EXPECT_EQ(ListForMessage<int64_t>({3, 2, 1}, 2), "3, 2 and 1 more");
}

TEST(ListForMessageTest, NamesAtMostTenByDefault) {
  EXPECT_EQ(ListForMessage(std::vector<std::string>(12, "x")),
            "x, x, x, x, x, x, x, x, x, x and 2 more");
}

}  // namespace
}  // namespace leafstore::internal
