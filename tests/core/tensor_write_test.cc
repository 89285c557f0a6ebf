// Writing tensors: copy on write, borrows, generations, several threads.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/core/tensor.h"

#include "tests/core/status_matchers.h"
#include "tests/core/tensor_testing.h"
#include "tests/status_codes.h"

namespace leafstore {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// ---- copy on write ----

TEST(TensorCopyOnWriteTest, Copy_SharesTheBytes) {
  const Tensor tensor = Numbers();
  const Tensor copy = tensor;
  EXPECT_EQ(copy.raw_data(), tensor.raw_data());
  EXPECT_TRUE(copy.SharesBytesWith(tensor));
  EXPECT_EQ(copy.generation(), tensor.generation());
}

TEST(TensorCopyOnWriteTest, SoleHolder_WritesInPlace) {
  Tensor tensor = Numbers();
  EXPECT_TRUE(WritesInPlace(tensor));
}

TEST(TensorCopyOnWriteTest, Write_SeparatesFromALiveCopy) {
  Tensor tensor = Numbers();
  const Tensor copy = tensor;
  Write(tensor, 7);
  EXPECT_THAT(FloatsOf(tensor), ElementsAre(7, 2, 3, 4));
  EXPECT_THAT(FloatsOf(copy), ElementsAre(1, 2, 3, 4));
  EXPECT_FALSE(tensor.SharesBytesWith(copy));
}

TEST(TensorCopyOnWriteTest, WriteToTheCopy_DoesNotChangeTheOriginal) {
  const Tensor tensor = Numbers();
  Tensor copy = tensor;
  Write(copy, 7);
  EXPECT_THAT(FloatsOf(tensor), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(FloatsOf(copy), ElementsAre(7, 2, 3, 4));
}

TEST(TensorCopyOnWriteTest, AfterACopyIsDropped_WritesAreInPlace) {
  Tensor tensor = Numbers();
  { const Tensor copy = tensor; }
  EXPECT_TRUE(WritesInPlace(tensor));
}

TEST(TensorCopyOnWriteTest, AfterSeparation_BothWriteInPlace) {
  Tensor tensor = Numbers();
  Tensor copy = tensor;
  EXPECT_FALSE(WritesInPlace(tensor));
  EXPECT_TRUE(WritesInPlace(tensor));
  EXPECT_TRUE(WritesInPlace(copy));
}

TEST(TensorCopyOnWriteTest, LiveBufferHandle_KeepsItsBytes) {
  Buffer buffer = Buffer::Allocate(16).value();
  Tensor view = Tensor::FromBuffer(DType::kF32, {4}, buffer).value();
  EXPECT_EQ(view.raw_data(), buffer.data());
  Write(view, 7);
  EXPECT_THAT(FloatsOf(view), ElementsAre(7, 0, 0, 0));
  EXPECT_THAT(buffer.bytes(), Each(std::byte{0}));
}

TEST(TensorCopyOnWriteTest, ViewOfADroppedBuffer_IsWrittenInPlace) {
  Tensor view = Tensor::FromBuffer(DType::kF32, {4}, Buffer::Allocate(16).value()).value();
  EXPECT_TRUE(WritesInPlace(view));
}

TEST(TensorCopyOnWriteTest, TwoViewsOfOneBuffer_DoNotSeeEachOthersWrites) {
  Tensor first, second;
  {
    const Buffer buffer = Buffer::Allocate(32).value();
    first = Tensor::FromBuffer(DType::kF32, {8}, buffer).value();
    second = Tensor::FromBuffer(DType::kF32, {4}, buffer, 16).value();
  }
  EXPECT_TRUE(first.SharesBytesWith(second));
  Write(first, 7, 4);
  EXPECT_THAT(FloatsOf(second), ElementsAre(0, 0, 0, 0));
  EXPECT_TRUE(WritesInPlace(second));  // now the only holder of the buffer
}

TEST(TensorCopyOnWriteTest, Reshaped_IsSeparatedByAWrite) {
  Tensor tensor = Numbers();
  Tensor square = tensor.Reshape({2, 2}).value();
  Write(tensor, 7);
  EXPECT_THAT(FloatsOf(square), ElementsAre(1, 2, 3, 4));
  Write(square, 9);
  EXPECT_THAT(FloatsOf(tensor), ElementsAre(7, 2, 3, 4));
}

TEST(TensorCopyOnWriteTest, Reshaped_WritesInPlaceAfterTheOriginalIsDropped) {
  Tensor square;
  {
    const Tensor tensor = Numbers();
    square = tensor.Reshape({2, 2}).value();
  }
  EXPECT_THAT(FloatsOf(square), ElementsAre(1, 2, 3, 4));
  EXPECT_TRUE(WritesInPlace(square));
}

TEST(TensorCopyOnWriteTest, ReadOnlyUserMemory_IsClonedByAWrite) {
  UserMemory memory;
  {
    Tensor tensor = Tensor::FromBuffer(DType::kF32, {4}, memory.ReadOnly()).value();
    EXPECT_EQ(static_cast<const void*>(tensor.raw_data()), memory.values);
    Write(tensor, 7);
    EXPECT_THAT(FloatsOf(tensor), ElementsAre(7, 2, 3, 4));
    EXPECT_THAT(memory.values, ElementsAre(1, 2, 3, 4));
    EXPECT_EQ(memory.released, 1);  // nothing reads it any more
  }
  EXPECT_EQ(memory.released, 1);
}

TEST(TensorCopyOnWriteTest, WritableUserMemory_IsWrittenInPlaceByASoleHolder) {
  UserMemory memory;
  Tensor tensor = Tensor::FromBuffer(DType::kF32, {4}, memory.Writable()).value();
  Write(tensor, 7);
  EXPECT_THAT(memory.values, ElementsAre(7, 2, 3, 4));
  const Tensor copy = tensor;
  Write(tensor, 8);
  EXPECT_THAT(memory.values, ElementsAre(7, 2, 3, 4));
  EXPECT_THAT(FloatsOf(copy), ElementsAre(7, 2, 3, 4));
  EXPECT_EQ(memory.released, 0);
}

TEST(TensorCopyOnWriteTest, UserMemory_IsReleasedOnceAfterTheLastView) {
  UserMemory memory;
  {
    Tensor copy;
    {
      const Tensor tensor = Tensor::FromBuffer(DType::kF32, {4}, memory.ReadOnly()).value();
      const Tensor reshaped = tensor.Reshape({2, 2}).value();
      copy = reshaped;
    }
    EXPECT_EQ(memory.released, 0);
  }
  EXPECT_EQ(memory.released, 1);
}

TEST(TensorCopyOnWriteTest, Clone_DoesNotShareMemory) {
  Tensor tensor = Numbers();
  const Tensor clone = tensor.Clone().value();
  EXPECT_EQ(clone, tensor);
  EXPECT_FALSE(clone.SharesBytesWith(tensor));
  EXPECT_TRUE(WritesInPlace(tensor));
}

// ---- borrows ----

TEST(TensorBorrowTest, CopyDuringABorrow_DoesNotSeeLaterWrites) {
  Tensor tensor = Numbers();
  MutableTensor writing = tensor.Mutate().value();
  writing.span<float>()[0] = 7;
  const Tensor copy = tensor;
  const Tensor copy_of_borrowed = writing.tensor();
  const Tensor reshaped = tensor.Reshape({2, 2}).value();
  Tensor assigned;
  assigned = tensor;
  writing.span<float>()[1] = 8;
  writing.Close();
  for (const Tensor* early : {&copy, &copy_of_borrowed, &reshaped, &std::as_const(assigned)}) {
    EXPECT_THAT(FloatsOf(*early), ElementsAre(7, 2, 3, 4));
    EXPECT_FALSE(early->SharesBytesWith(tensor));
    EXPECT_NE(early->generation(), tensor.generation());
  }
  EXPECT_THAT(FloatsOf(tensor), ElementsAre(7, 8, 3, 4));
}

TEST(TensorBorrowTest, CopyDuringABorrow_IsNotBorrowed) {
  Tensor tensor = Numbers();
  MutableTensor writing = tensor.Mutate().value();
  Tensor copy = tensor;
  EXPECT_TRUE(WritesInPlace(copy));
}

TEST(TensorBorrowTest, SecondBorrow_IsAnErrorAndChangesNothing) {
  Tensor tensor = Numbers();
  MutableTensor writing = tensor.Mutate().value();
  const std::byte* const data = tensor.raw_data();
  const uint64_t generation = tensor.generation();
  EXPECT_THAT(tensor.Mutate(), StatusIs(kPrecondition, HasSubstr("already being written")));
  EXPECT_EQ(tensor.raw_data(), data);
  EXPECT_EQ(tensor.generation(), generation);
  EXPECT_THAT(FloatsOf(tensor), ElementsAre(1, 2, 3, 4));
  writing.span<float>()[0] = 7;  // the first one still writes
  writing.Close();
  EXPECT_THAT(FloatsOf(tensor), ElementsAre(7, 2, 3, 4));
  EXPECT_THAT(tensor.Mutate(), IsOk());
}

TEST(TensorBorrowTest, Borrow_HasDTypeShapeAndBytesOfTheTensor) {
  Tensor tensor = Numbers();
  MutableTensor writing = tensor.Mutate().value();
  EXPECT_EQ(writing.dtype(), DType::kF32);
  EXPECT_THAT(writing.shape(), ElementsAre(4));
  EXPECT_EQ(writing.bytes().size(), 16);
  EXPECT_EQ(writing.raw_data(), tensor.raw_data());
  EXPECT_EQ(writing.tensor().raw_data(), tensor.raw_data());
}

TEST(TensorBorrowTest, ClosingTwice_HasNoFurtherEffect) {
  Tensor tensor = Numbers();
  MutableTensor writing = tensor.Mutate().value();
  writing.Close();
  const uint64_t generation = tensor.generation();
  writing.Close();
  EXPECT_EQ(tensor.generation(), generation);
  EXPECT_TRUE(writing.tensor().null());
}

TEST(TensorDeathTest, SpanOfAClosedBorrow_Terminates) {
  Tensor tensor = Numbers();
  MutableTensor writing = tensor.Mutate().value();
  writing.Close();
  EXPECT_DEATH((void)writing.span<float>(), "its borrow is closed");
  EXPECT_DEATH((void)writing.at<float>({0}), "its borrow is closed");
}

TEST(TensorBorrowTest, MovedBorrow_ClosesOnce) {
  Tensor tensor = Numbers();
  uint64_t closed;
  {
    MutableTensor first = tensor.Mutate().value();
    {
      MutableTensor second = std::move(first);
      EXPECT_THAT(tensor.Mutate(), StatusIs(kPrecondition, HasSubstr("already being written")));
    }
    closed = tensor.generation();
    EXPECT_THAT(tensor.Mutate(), IsOk());
    closed = tensor.generation();
  }
  EXPECT_EQ(tensor.generation(), closed);  // `first` did not close it again
}

TEST(TensorBorrowTest, AssignmentToABorrow_ClosesItFirst) {
  Tensor one = Numbers();
  Tensor other = Numbers();
  MutableTensor writing = one.Mutate().value();
  writing = other.Mutate().value();
  EXPECT_THAT(one.Mutate(), IsOk());
  EXPECT_THAT(other.Mutate(), StatusIs(kPrecondition, HasSubstr("already being written")));
  EXPECT_EQ(writing.raw_data(), other.raw_data());
}

TEST(TensorBorrowTest, Borrow_FollowsAMovedTensor) {
  Tensor first = Numbers();
  MutableTensor writing = first.Mutate().value();
  Tensor second = std::move(first);
  writing.span<float>()[0] = 7;
  EXPECT_THAT(second.Mutate(), StatusIs(kPrecondition, HasSubstr("already being written")));
  writing.Close();
  EXPECT_THAT(FloatsOf(second), ElementsAre(7, 2, 3, 4));
  EXPECT_TRUE(WritesInPlace(second));
}

TEST(TensorBorrowTest, Borrow_MayOutliveTheTensor) {
  auto tensor = std::make_unique<Tensor>(Numbers());
  MutableTensor writing = tensor->Mutate().value();
  tensor.reset();
  writing.span<float>()[0] = 7;
  EXPECT_THAT(FloatsOf(writing.tensor()), ElementsAre(7, 2, 3, 4));
}

TEST(TensorBorrowTest, Borrow_DoesNotWriteATensorThatWasReassigned) {
  Tensor tensor = Numbers();
  const Tensor other = Tensor::Scalar(5.0f);
  MutableTensor writing = tensor.Mutate().value();
  tensor = other;
  writing.span<float>()[0] = 7;
  writing.Close();
  EXPECT_EQ(tensor.generation(), other.generation());
  EXPECT_THAT(FloatsOf(other), ElementsAre(5));
}

// ---- generations ----

TEST(TensorGenerationTest, EveryNewTensor_HasAUniqueGeneration) {
  const Tensor first = Numbers();
  const Tensor second = Numbers();
  EXPECT_GT(first.generation(), 0);
  EXPECT_LT(first.generation(), second.generation());
}

TEST(TensorGenerationTest, ClosingABorrow_IncreasesTheGeneration) {
  Tensor tensor = Numbers();
  const uint64_t before = tensor.generation();
  MutableTensor writing = tensor.Mutate().value();
  EXPECT_EQ(tensor.generation(), before);
  writing.Close();
  const uint64_t after = tensor.generation();
  EXPECT_LT(before, after);
  Write(tensor, 7);
  EXPECT_LT(after, tensor.generation());
}

TEST(TensorGenerationTest, BorrowOfAClone_KeepsTheGenerationUntilItCloses) {
  Tensor tensor = Numbers();
  const Tensor copy = tensor;
  MutableTensor writing = tensor.Mutate().value();
  EXPECT_FALSE(tensor.SharesBytesWith(copy));
  EXPECT_EQ(tensor.generation(), copy.generation());
  writing.Close();
  EXPECT_GT(tensor.generation(), copy.generation());
}

TEST(TensorGenerationTest, WriteToASharedTensor_KeepsTheGenerationOfTheOthers) {
  Tensor tensor = Numbers();
  const Tensor copy = tensor;
  const uint64_t before = copy.generation();
  Write(tensor, 7);
  EXPECT_EQ(copy.generation(), before);
}

TEST(TensorGenerationTest, Reshape_ChangesTheGeneration) {
  const Tensor tensor = Numbers();
  EXPECT_NE(tensor.Reshape({2, 2}).value().generation(), tensor.generation());
}

// ---- what store/ uses ----

TEST(TensorAccessTest, Mutate_CountsTheOpenBorrow) {
  Tensor tensor = Numbers();
  std::atomic<int64_t> open{0};
  {
    MutableTensor first = TensorAccess::Mutate(&tensor, &open).value();
    EXPECT_EQ(open, 1);
    EXPECT_FALSE(TensorAccess::Mutate(&tensor, &open).ok());
    EXPECT_EQ(open, 1);
    MutableTensor second = std::move(first);
    EXPECT_EQ(open, 1);
    first = std::move(second);
    EXPECT_EQ(open, 1);
  }
  EXPECT_EQ(open, 0);
}

TEST(TensorAccessTest, MakeWritable_SeparatesAndSetsTheGeneration) {
  Tensor tensor = Numbers();
  const Tensor copy = tensor;
  const uint64_t generation = NextGeneration();
  ASSERT_THAT(TensorAccess::MakeWritable(&tensor, generation), IsOk());
  EXPECT_EQ(tensor.generation(), generation);
  EXPECT_FALSE(tensor.SharesBytesWith(copy));
  const std::byte* const data = tensor.raw_data();
  ASSERT_THAT(TensorAccess::MakeWritable(&tensor, NextGeneration()), IsOk());
  EXPECT_EQ(TensorAccess::bytes(&tensor).data(), data);
}

TEST(TensorAccessTest, Restamp_ChangesTheGenerationAndNotTheBytes) {
  Tensor tensor = Numbers();
  const uint64_t before = tensor.generation();
  ASSERT_THAT(TensorAccess::Restamp(&tensor), IsOk());
  EXPECT_LT(before, tensor.generation());
  const Tensor copy = tensor;
  const uint64_t shared = copy.generation();
  ASSERT_THAT(TensorAccess::Restamp(&tensor), IsOk());
  EXPECT_LT(shared, tensor.generation());
  EXPECT_EQ(copy.generation(), shared);
  EXPECT_TRUE(tensor.SharesBytesWith(copy));
  EXPECT_EQ(tensor, copy);
  Write(tensor, 7);
  EXPECT_THAT(FloatsOf(copy), ElementsAre(1, 2, 3, 4));
}

TEST(TensorAccessTest, DuringABorrow_MakeWritableAndRestampAreErrors) {
  Tensor tensor = Numbers();
  MutableTensor writing = tensor.Mutate().value();
  const uint64_t before = tensor.generation();
  EXPECT_THAT(TensorAccess::MakeWritable(&tensor, NextGeneration()),
              StatusIs(kPrecondition, HasSubstr("already being written")));
  EXPECT_THAT(TensorAccess::Restamp(&tensor),
              StatusIs(kPrecondition, HasSubstr("already being written")));
  EXPECT_EQ(tensor.generation(), before);
  EXPECT_EQ(tensor.raw_data(), writing.raw_data());
}

// ---- threads (meaningful under the thread sanitizer) ----

// Returns whether all elements are equal, as in every version that a reader may see.
bool IsUniform(const Tensor& tensor) {
  const absl::Span<const float> values = tensor.span<float>();
  return std::all_of(values.begin(), values.end(), [&](float v) { return v == values[0]; });
}

void Fill(Tensor& tensor, float value) {
  MutableTensor writing = tensor.Mutate().value();
  const absl::Span<float> elements = writing.span<float>();
  std::fill(elements.begin(), elements.end(), value);
}

TEST(TensorThreadTest, Snapshots_AreReadDuringWrites) {
  Tensor tensor = Tensor::Zeros(DType::kF32, {256}).value();
  std::atomic<int> torn{0};
  std::vector<std::thread> readers;
  for (int step = 1; step <= 64; ++step) {
    readers.emplace_back([snapshot = tensor, step, &torn] {
      for (int i = 0; i < 20; ++i) {
        const Tensor copy = snapshot;
        if (!IsUniform(copy) || copy.span<float>()[0] != static_cast<float>(step - 1)) {
          ++torn;
        }
      }
    });  // and drops it there, perhaps as the last
    Fill(tensor, static_cast<float>(step));
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(torn, 0);
  EXPECT_EQ(tensor.span<float>()[0], 64);
}

TEST(TensorThreadTest, EachThread_WritesItsOwnCopy) {
  const Tensor tensor = Tensor::Zeros(DType::kF32, {256}).value();
  std::vector<Tensor> copies(8, tensor);
  std::vector<std::thread> writers;
  for (size_t i = 0; i < copies.size(); ++i) {
    writers.emplace_back([&copy = copies[i], i] {
      for (int step = 0; step < 20; ++step) Fill(copy, static_cast<float>(i));
    });
  }
  for (std::thread& writer : writers) writer.join();
  for (size_t i = 0; i < copies.size(); ++i) {
    EXPECT_TRUE(IsUniform(copies[i]));
    EXPECT_EQ(copies[i].span<float>()[0], static_cast<float>(i));
  }
  EXPECT_THAT(FloatsOf(tensor), Each(0));
}

// When a reader drops its copy, the writer writes the memory in place again: the reference count
// alone must order the reads before the writes.
TEST(TensorThreadTest, AfterAReaderThreadEnds_WritesAreInPlace) {
  Tensor tensor = Tensor::Zeros(DType::kF32, {256}).value();
  std::atomic<int> torn{0};
  std::atomic<int> dropped{0};
  std::vector<std::thread> readers;
  for (int round = 1; round <= 50; ++round) {
    readers.emplace_back([copy = tensor, &torn, &dropped]() mutable {
      if (!IsUniform(copy)) ++torn;
      copy = Tensor();
      dropped.fetch_add(1, std::memory_order_relaxed);  // relaxed: orders nothing itself
    });
    while (dropped.load(std::memory_order_relaxed) < round) std::this_thread::yield();
    EXPECT_TRUE(WritesInPlace(tensor));
    Fill(tensor, static_cast<float>(round));
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(torn, 0);
}

TEST(TensorThreadTest, Generations_AreUniqueAcrossThreads) {
  std::vector<std::vector<uint64_t>> numbers(4, std::vector<uint64_t>(1000));
  std::vector<std::thread> threads;
  for (std::vector<uint64_t>& mine : numbers) {
    threads.emplace_back([&mine] { std::generate(mine.begin(), mine.end(), NextGeneration); });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<uint64_t> all;
  for (const std::vector<uint64_t>& mine : numbers) {
    EXPECT_TRUE(std::is_sorted(mine.begin(), mine.end()));
    all.insert(all.end(), mine.begin(), mine.end());
  }
  std::sort(all.begin(), all.end());
  EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end());
}

}  // namespace
}  // namespace leafstore
