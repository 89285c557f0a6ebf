#include "leafstore/io/internal/parallel.h"

#include <atomic>
#include <new>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace leafstore {
namespace {

TEST(ParallelTest, EachIndex_RunsOnce) {
  for (const int threads : {1, 2, 7, 100}) {
    for (const size_t count : {size_t{0}, size_t{1}, size_t{6}, size_t{1000}}) {
      std::vector<std::atomic<int>> calls(count);
      internal::ParallelFor(count, threads, [&calls](size_t i) { ++calls[i]; });
      for (const std::atomic<int>& of : calls) EXPECT_EQ(of, 1);
    }
  }
}

TEST(ParallelTest, Exception_ReachesTheCaller) {
  for (const int threads : {1, 4}) {
    EXPECT_THROW(internal::ParallelFor(1000, threads,
                                       [](size_t i) {
                                         if (i == 7) throw std::bad_alloc();
                                       }),
                 std::bad_alloc);
  }
}

TEST(ParallelTest, ThreadCount_IsLimitedByOptionMachineAndWork) {
  constexpr int64_t kMuch = int64_t{1} << 40;
  EXPECT_EQ(internal::ThreadsFor(3, kMuch), 3);
  EXPECT_GE(internal::ThreadsFor(0, kMuch), 1);
  EXPECT_LE(internal::ThreadsFor(0, kMuch), 8);
  EXPECT_EQ(internal::ThreadsFor(3, 1000), 1);
  EXPECT_EQ(internal::ThreadsFor(100, 2 * internal::kBytesPerThread), 2);
}

}  // namespace
}  // namespace leafstore
