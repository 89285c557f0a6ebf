#include "leafstore/core/internal/lazy.h"

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/core/in_threads.h"
#include "tests/core/status_matchers.h"

namespace leafstore::internal {
namespace {

TEST(LazyTest, FirstCall_MakesTheValueThatLaterCallsReturn) {
  Lazy<std::string> name;
  const std::string& made = name.Get([] { return "first"; });
  EXPECT_EQ(made, "first");
  EXPECT_EQ(&name.Get([] { return "second"; }), &made);
  EXPECT_EQ(made, "first");
}

TEST(LazyTest, MoveOnlyValue_IsSupported) {
  Lazy<std::unique_ptr<int>> number;
  EXPECT_EQ(*number.Get([] { return std::make_unique<int>(7); }), 7);
}

TEST(LazyTest, AfterAnException_TheNextCallTriesAgain) {
  Lazy<std::string> name;
  const auto fail = []() -> std::string { throw std::runtime_error("no memory"); };
  EXPECT_THROW(name.Get(fail), std::runtime_error);
  EXPECT_THROW(name.Get(fail), std::runtime_error);
  EXPECT_EQ(name.Get([] { return "third"; }), "third");
}

TEST(LazyTest, AfterAnError_TheNextCallTriesAgain) {
  Lazy<std::string> name;
  using Made = absl::StatusOr<std::string>;
  EXPECT_THAT(name.TryGet([] { return Made(absl::UnavailableError("busy")); }),
              StatusIs(absl::StatusCode::kUnavailable, testing::StrEq("busy")));
  const absl::StatusOr<const std::string*> made = name.TryGet([] { return Made("second"); });
  EXPECT_EQ(**made, "second");
  EXPECT_EQ(name.TryGet([] { return Made("third"); }).value(), *made);
  EXPECT_EQ(&name.Get([] { return "fourth"; }), *made);
}

TEST(LazyTest, ConcurrentCalls_ReturnOneValue) {
  for (int round = 0; round < 200; ++round) {
    Lazy<std::vector<int>> numbers;
    std::atomic<int> calls{0};
    InThreads(4, [&](int i) {
      const std::vector<int>& made = numbers.Get([&] {
        ++calls;
        return std::vector<int>(100, i);
      });
      EXPECT_EQ(made, std::vector<int>(100, made[0]));
    });
    EXPECT_EQ(calls, 1);
  }
}

}  // namespace
}  // namespace leafstore::internal
