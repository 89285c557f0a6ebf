#include "leafstore/core/internal/buffer_pool.h"

#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/core/buffer.h"
#include "leafstore/core/tensor.h"

#include "tests/core/status_matchers.h"

namespace leafstore {
namespace {

constexpr int64_t kLarge = 1 << 20;

TEST(BufferPoolTest, WithoutReservation_KeepsNothing) {
  { const Buffer buffer = Buffer::Allocate(kLarge).value(); }
  EXPECT_EQ(internal::BufferPool::held_bytes(), 0);
}

TEST(BufferPoolTest, Reservation_KeepsLargeBuffersForReuseAtTheSameSize) {
  const internal::BufferPool::Reservation keep = internal::BufferPool::Keep(2 * kLarge);
  EXPECT_EQ(keep.bytes(), 2 * kLarge);
  const std::byte* address = nullptr;
  {
    const Tensor tensor = Tensor::Zeros(DType::kF32, {1000, 100}).value();
    address = tensor.raw_data();
  }
  EXPECT_GE(internal::BufferPool::held_bytes(), 400'000);
  const Tensor other = Tensor::Zeros(DType::kF32, {1000, 101}).value();
  EXPECT_NE(other.raw_data(), address) << "of another size";
  const Tensor same = Tensor::Zeros(DType::kF32, {100, 1000}).value();
  EXPECT_EQ(same.raw_data(), address);
  EXPECT_EQ(internal::BufferPool::held_bytes(), 0);
  EXPECT_THAT(same.span<float>(), testing::Each(0.0f));
}

TEST(BufferPoolTest, SmallBuffer_IsNotKept) {
  const internal::BufferPool::Reservation keep = internal::BufferPool::Keep(kLarge);
  { const Tensor tensor = Tensor::Zeros(DType::kF32, {100}).value(); }
  EXPECT_EQ(internal::BufferPool::held_bytes(), 0);
}

TEST(BufferPoolTest, Reservation_LimitsWhatIsKeptUntilItEnds) {
  {
    internal::BufferPool::Reservation keep = internal::BufferPool::Keep(3 * kLarge);
    {
      std::vector<Buffer> buffers;
      for (int i = 0; i < 10; ++i) buffers.push_back(Buffer::Allocate(kLarge).value());
    }
    EXPECT_GE(internal::BufferPool::held_bytes(), 2 * kLarge);
    EXPECT_LE(internal::BufferPool::held_bytes(), 3 * kLarge);
    keep = internal::BufferPool::Keep(kLarge + 1000);
    EXPECT_LE(internal::BufferPool::held_bytes(), kLarge + 1000) << "the old reservation is gone";
  }
  EXPECT_EQ(internal::BufferPool::held_bytes(), 0);
}

TEST(BufferPoolTest, ReplacedReservation_ReleasesTheExcess) {
  internal::BufferPool::Reservation keep = internal::BufferPool::Keep(3 * kLarge);
  {
    std::vector<Buffer> buffers;
    for (int i = 0; i < 3; ++i) buffers.push_back(Buffer::Allocate(kLarge - 1000).value());
  }
  EXPECT_GE(internal::BufferPool::held_bytes(), 2 * kLarge);
  keep = internal::BufferPool::Reservation();
  EXPECT_EQ(internal::BufferPool::held_bytes(), 0);
}

TEST(BufferPoolTest, FullPool_ReleasesOtherSizesFirst) {
  const internal::BufferPool::Reservation keep = internal::BufferPool::Keep(4 * kLarge);
  {
    std::vector<Buffer> buffers;
    for (int i = 0; i < 3; ++i) buffers.push_back(Buffer::Allocate(kLarge).value());
  }
  const std::byte* address = nullptr;
  {
    const Buffer other = Buffer::Allocate(3 * kLarge).value();
    address = other.data();
  }
  EXPECT_EQ(Buffer::AllocateUninitialized(3 * kLarge)->data(), address);
  EXPECT_LE(internal::BufferPool::held_bytes(), 4 * kLarge);
}

TEST(BufferPoolTest, ManyThreads_AllocateAndFree) {
  const internal::BufferPool::Reservation keep = internal::BufferPool::Keep(16 * kLarge);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < 500; ++i) {
        Buffer buffer = Buffer::AllocateUninitialized(20'000 + 1000 * (i % 7)).value();
        std::memset(buffer.mutable_data(), t, static_cast<size_t>(buffer.size()));
        for (const std::byte byte : buffer.bytes()) ASSERT_EQ(byte, static_cast<std::byte>(t));
      }
    });
  }
  threads.clear();
  EXPECT_LE(internal::BufferPool::held_bytes(), 16 * kLarge);
}

}  // namespace
}  // namespace leafstore
