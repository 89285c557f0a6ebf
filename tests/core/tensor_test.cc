#include "leafstore/core/tensor.h"

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <complex>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/core/leaf.h"
#include "leafstore/core/value.h"

#include "tests/core/status_matchers.h"
#include "tests/core/tensor_testing.h"
#include "tests/status_codes.h"

namespace leafstore {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

static_assert(sizeof(Tensor) == 8);
static_assert(std::is_nothrow_move_constructible_v<Tensor>);
static_assert(std::is_nothrow_move_assignable_v<Tensor>);
static_assert(!std::is_copy_constructible_v<MutableTensor>);

Tensor Numbers() { return Tensor::From<float>({4}, {1, 2, 3, 4}).value(); }

// Writes one element through a borrow of its own.
void Write(Tensor& tensor, float value, size_t index = 0) {
  MutableTensor writing = tensor.Mutate().value();
  writing.span<float>()[index] = value;
}

// Returns whether a write is in place and not in a clone.
bool WritesInPlace(Tensor& tensor) {
  const std::byte* const before = tensor.raw_data();
  return tensor.Mutate().value().raw_data() == before;
}

// Four floats of the caller's.
struct UserMemory {
  float values[4] = {1, 2, 3, 4};
  int released = 0;

  Buffer ReadOnly() {
    return Buffer::External(values, sizeof(values), [this] { ++released; }).value();
  }
  Buffer Writable() {
    return Buffer::ExternalWritable(values, sizeof(values), [this] { ++released; }).value();
  }
};

// ---- making one ----

template <typename T>
concept GivesShape = requires(T tensor) {
  std::forward<T>(tensor).shape();
};
template <typename T>
concept GivesBytes = requires(T tensor) {
  std::forward<T>(tensor).bytes();
};
template <typename T>
concept GivesSpan = requires(T tensor) {
  std::forward<T>(tensor).template span<float>();
};
// References into a temporary would dangle.
static_assert(GivesShape<const Tensor&> && !GivesShape<Tensor>);
static_assert(GivesShape<const MutableTensor&> && !GivesShape<MutableTensor>);
static_assert(GivesBytes<MutableTensor&> && !GivesBytes<MutableTensor>);
static_assert(GivesSpan<const Tensor&> && !GivesSpan<Tensor>);
static_assert(GivesSpan<MutableTensor&> && !GivesSpan<MutableTensor>);

TEST(TensorTest, OwnedBytes_AreAlignedForEveryRank) {
  std::vector<Tensor> kept;  // so that each has other memory than the last
  for (size_t rank = 0; rank <= kMaxRank; ++rank) {
    kept.push_back(Tensor::Zeros(DType::kF32, Shape(rank, 1)).value());
    EXPECT_EQ(kept.back().rank(), static_cast<int>(rank));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(kept.back().raw_data()) % 64, 0) << "rank " << rank;
  }
}

TEST(TensorTest, Zeros_AreZeroInEveryDType) {
  for (const DType dtype : AllDTypes()) {
    const Tensor tensor = Tensor::Zeros(dtype, {3, 8}).value();
    EXPECT_EQ(tensor.dtype(), dtype);
    EXPECT_THAT(tensor.shape(), ElementsAre(3, 8));
    EXPECT_EQ(tensor.element_count(), 24);
    EXPECT_EQ(tensor.byte_size(), static_cast<int64_t>(24 * DTypeBits(dtype) / 8));
    EXPECT_THAT(tensor.bytes(), Each(std::byte{0}));
  }
}

TEST(TensorTest, From_KeepsValuesRowMajor) {
  const Tensor tensor = Tensor::From<int32_t>({2, 3}, {1, 2, 3, 4, 5, 6}).value();
  EXPECT_EQ(tensor.dtype(), DType::kI32);
  EXPECT_THAT(tensor.shape(), ElementsAre(2, 3));
  EXPECT_THAT(tensor.span<int32_t>(), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(TensorTest, From_CopiesTheValues) {
  std::vector<double> values = {1, 2};
  const Tensor tensor = Tensor::From<double>({2}, values).value();
  values[0] = 7;
  EXPECT_THAT(tensor.span<double>(), ElementsAre(1, 2));
}

TEST(TensorTest, From_WithAnotherNumberOfValuesIsAnError) {
  EXPECT_THAT(Tensor::From<float>({2, 2}, {1, 2, 3}),
              StatusIs(kInvalid,
                       AllOf(HasSubstr("[2, 2]"), HasSubstr("expected 4"), HasSubstr("found 3"))));
  // Refused before anything of that size is allocated.
  EXPECT_THAT(Tensor::From<float>({int64_t{1} << 50}, {1}),
              StatusIs(kInvalid, HasSubstr("found 1")));
}

TEST(TensorTest, Scalar_HasRankZero) {
  const Tensor scalar = Tensor::Scalar(std::complex<float>(1, -2));
  EXPECT_EQ(scalar.dtype(), DType::kC64);
  EXPECT_EQ(scalar.rank(), 0);
  EXPECT_THAT(scalar.shape(), IsEmpty());
  EXPECT_EQ(scalar.element_count(), 1);
  EXPECT_EQ(scalar.byte_size(), 8);
  EXPECT_EQ(scalar.span<std::complex<float>>()[0], std::complex<float>(1, -2));
}

TEST(TensorTest, ImpossibleShapesAreErrors) {
  const int64_t big = int64_t{1} << 40;
  EXPECT_THAT(Tensor::Zeros(DType::kF32, {2, -1}), StatusIs(kInvalid, HasSubstr("-1")));
  EXPECT_THAT(Tensor::Zeros(DType::kF32, Shape(kMaxRank + 1, 1)),
              StatusIs(kInvalid, HasSubstr("33")));
  EXPECT_THAT(Tensor::Zeros(DType::kF32, {big, big}), StatusIs(kExhausted, HasSubstr("[")));
  EXPECT_THAT(Tensor::Zeros(DType::kF32, {0, big, big}), StatusIs(kExhausted, HasSubstr("[")));
  EXPECT_THAT(Tensor::Zeros(DType::kF64, {int64_t{1} << 61}), StatusIs(kExhausted, HasSubstr("[")));
}

TEST(TensorTest, NoMemory_IsResourceExhausted) {
  EXPECT_THAT(Tensor::Zeros(DType::kU8, {int64_t{1} << 60}),
              StatusIs(kExhausted, AllOf(HasSubstr("no memory"), HasSubstr("u8"))));
}

TEST(TensorTest, SubByteElements_ArePackedAndFillCompleteBytes) {
  EXPECT_EQ(Tensor::Zeros(DType::kF4, {3, 2}).value().byte_size(), 3);
  EXPECT_EQ(Tensor::Zeros(DType::kF6E2M3, {4}).value().byte_size(), 3);
  EXPECT_EQ(Tensor::Zeros(DType::kF6E3M2, {5, 4}).value().byte_size(), 15);
  EXPECT_THAT(Tensor::Zeros(DType::kF4, {3}), StatusIs(kInvalid, HasSubstr("f4")));
  EXPECT_THAT(Tensor::Zeros(DType::kF6E2M3, {6}), StatusIs(kInvalid, HasSubstr("f6_e2m3")));
}

TEST(TensorTest, EmptyTensor_IsSupported) {
  Tensor tensor = Tensor::Zeros(DType::kF32, {3, 0, 2}).value();
  EXPECT_EQ(tensor.element_count(), 0);
  EXPECT_EQ(tensor.byte_size(), 0);
  EXPECT_THAT(tensor.bytes(), IsEmpty());
  EXPECT_THAT(tensor.span<float>(), IsEmpty());
  EXPECT_EQ(tensor, tensor.Clone().value());
  EXPECT_NE(tensor, Tensor::Zeros(DType::kF32, {0, 3, 2}).value());
  EXPECT_THAT(tensor.Reshape({0})->shape(), ElementsAre(0));
  EXPECT_FALSE(tensor.SharesBytesWith(tensor));  // it has no bytes
  EXPECT_THAT(tensor.Mutate()->bytes(), IsEmpty());
}

TEST(TensorTest, Full_FillsEveryElement) {
  const Tensor tensor = Tensor::Full({2, 3}, int16_t{-7}).value();
  EXPECT_EQ(tensor.dtype(), DType::kI16);
  EXPECT_THAT(tensor.shape(), ElementsAre(2, 3));
  EXPECT_THAT(tensor.span<int16_t>(), ElementsAre(-7, -7, -7, -7, -7, -7));
  EXPECT_THAT(Tensor::Full({0}, 1.5)->span<double>(), IsEmpty());
  EXPECT_THAT(Tensor::Full({-1}, 1.5f), StatusIs(kInvalid, HasSubstr("-1")));
}

TEST(TensorTest, Ones_AreOneInEveryDTypeWithACppType) {
  EXPECT_THAT(Tensor::Ones(DType::kBool, {2})->span<bool>(), Each(true));
  EXPECT_THAT(Tensor::Ones(DType::kU8, {3})->span<uint8_t>(), Each(1));
  EXPECT_THAT(Tensor::Ones(DType::kI64, {3, 3})->span<int64_t>(), Each(1));
  EXPECT_THAT(Tensor::Ones(DType::kF32, {5})->span<float>(), Each(1.0f));
  EXPECT_THAT(Tensor::Ones(DType::kF64, {5})->span<double>(), Each(1.0));
  EXPECT_THAT(Tensor::Ones(DType::kC64, {2})->span<std::complex<float>>(),
              Each(std::complex<float>(1, 0)));
  EXPECT_THAT(Tensor::Ones(DType::kF4, {3}), StatusIs(kInvalid, HasSubstr("f4")));
}

// ---- elements ----

TEST(TensorTest, Span_MayBeUsedInARangeBasedFor) {
  Tensor tensor = Numbers();
  float sum = 0;
  for (const float x : tensor.span<float>()) sum += x;
  EXPECT_EQ(sum, 10);
  MutableTensor writing = tensor.Mutate().value();
  for (float& x : writing.span<float>()) x = -x;
  EXPECT_THAT(FloatsOf(writing.tensor()), ElementsAre(-1, -2, -3, -4));
}

TEST(TensorTest, At_FindsElementsInRowMajorOrder) {
  Tensor tensor = Tensor::From<int32_t>({2, 3}, {1, 2, 3, 4, 5, 6}).value();
  EXPECT_EQ(tensor.at<int32_t>({0, 0}), 1);
  EXPECT_EQ(tensor.at<int32_t>({0, 2}), 3);
  EXPECT_EQ(tensor.at<int32_t>({1, 0}), 4);
  EXPECT_EQ(tensor.at<int32_t>({1, 2}), 6);
  EXPECT_EQ(Tensor::Scalar(2.5).at<double>({}), 2.5);
  {
    MutableTensor writing = tensor.Mutate().value();
    writing.at<int32_t>({1, 1}) = 50;
    EXPECT_EQ(writing.at<int32_t>({1, 1}), 50);
  }
  EXPECT_THAT(tensor.span<int32_t>(), ElementsAre(1, 2, 3, 4, 50, 6));
}

TEST(TensorTest, Item_ReturnsTheOnlyElementWhateverTheRank) {
  EXPECT_EQ(Tensor::Scalar(2.5).item<double>(), 2.5);
  EXPECT_EQ(Tensor::From<int8_t>({1, 1, 1}, {-3}).value().item<int8_t>(), -3);
}

TEST(TensorDeathTest, WrongElementType_Terminates) {
  Tensor tensor = Numbers();
  EXPECT_DEATH((void)tensor.span<int32_t>(), "expected a tensor of i32, found f32.4.");
  EXPECT_DEATH((void)tensor.at<int32_t>({0}), "expected a tensor of i32, found f32.4.");
  EXPECT_DEATH((void)tensor.item<double>(), "expected a tensor of f64, found f32.4.");
  MutableTensor writing = tensor.Mutate().value();
  EXPECT_DEATH((void)writing.span<uint32_t>(), "expected a tensor of u32, found f32.4.");
  EXPECT_DEATH((void)writing.at<uint32_t>({0}), "expected a tensor of u32, found f32.4.");
}

TEST(TensorDeathTest, StaticLeafReadAsTensor_Terminates) {
  const Leaf leaf = Value("gelu");
  EXPECT_DEATH((void)leaf.tensor().span<float>(), "expected a tensor of f32, found a static value");
}

TEST(TensorDeathTest, NullTensor_Terminates) {
  const Tensor tensor;
  EXPECT_DEATH((void)tensor.span<float>(), "expected a tensor of f32, found none: .* null");
  EXPECT_DEATH((void)tensor.item<float>(), "null");
  EXPECT_DEATH((void)tensor.at<float>({}), "null");
}

TEST(TensorDeathTest, IndexOutOfBounds_Terminates) {
  Tensor tensor = Tensor::Zeros(DType::kF32, {2, 3}).value();
  EXPECT_DEATH((void)tensor.at<float>({0, 3}),
               "index .0, 3. of f32.2, 3.: expected axis 1 in .0, 3., found 3");
  EXPECT_DEATH((void)tensor.at<float>({-1, 0}), "expected axis 0 in .0, 2., found -1");
  EXPECT_DEATH((void)tensor.at<float>({1}), "expected 2 indices, found 1");
  EXPECT_DEATH((void)tensor.at<float>({0, 0, 0}), "expected 2 indices, found 3");
  EXPECT_DEATH((void)Tensor::Zeros(DType::kF32, {2, 0})->at<float>({0, 0}),
               "expected axis 1 in .0, 0.");
  MutableTensor writing = tensor.Mutate().value();
  EXPECT_DEATH(writing.at<float>({2, 0}) = 1, "expected axis 0 in .0, 2., found 2");
}

TEST(TensorDeathTest, ItemOfSeveralElements_Terminates) {
  EXPECT_DEATH((void)Numbers().item<float>(), "expected a tensor of one element, found f32.4.");
  EXPECT_DEATH((void)Tensor::Zeros(DType::kF32, {0})->item<float>(), "found f32.0.");
}

// ---- null ----

TEST(TensorTest, DefaultIsNull) {
  Tensor tensor;
  EXPECT_TRUE(tensor.null());
  EXPECT_TRUE(Tensor(tensor).null());
  EXPECT_EQ(tensor, Tensor());
  EXPECT_NE(tensor, Numbers());
  EXPECT_NE(Numbers(), tensor);
  EXPECT_FALSE(tensor.SharesBytesWith(tensor));
  EXPECT_THAT(tensor.Mutate(), StatusIs(kPrecondition, HasSubstr("null")));
  tensor = Numbers();
  EXPECT_FALSE(tensor.null());
}

TEST(TensorTest, MovedFrom_IsNull) {
  Tensor from = Numbers();
  Tensor to = std::move(from);
  EXPECT_TRUE(from.null());  // NOLINT(bugprone-use-after-move): that is what is tested
  EXPECT_EQ(to, Numbers());
}

TEST(TensorTest, MoveAssignment_ReleasesTheOldBytesAtOnce) {
  UserMemory memory;
  Tensor to = Tensor::FromBuffer(DType::kF32, {4}, memory.ReadOnly()).value();
  Tensor from = Numbers();
  to = std::move(from);
  EXPECT_EQ(memory.released, 1);
  EXPECT_TRUE(from.null());  // NOLINT(bugprone-use-after-move): that is what is tested
  EXPECT_EQ(to, Numbers());
}

TEST(TensorTest, SelfAssignment_ChangesNothing) {
  Tensor tensor = Numbers();
  Tensor& alias = tensor;
  tensor = alias;
  EXPECT_EQ(tensor, Numbers());
  tensor = std::move(alias);
  EXPECT_EQ(tensor, Numbers());
  EXPECT_TRUE(WritesInPlace(tensor));
}

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
  EXPECT_TRUE(WritesInPlace(second));  // which now holds the buffer alone
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
    EXPECT_EQ(memory.released, 1);  // no one reads it any more
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
  EXPECT_THAT(tensor.Mutate(), StatusIs(kPrecondition, HasSubstr("written already")));
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
      EXPECT_THAT(tensor.Mutate(), StatusIs(kPrecondition, HasSubstr("written already")));
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
  EXPECT_THAT(other.Mutate(), StatusIs(kPrecondition, HasSubstr("written already")));
  EXPECT_EQ(writing.raw_data(), other.raw_data());
}

TEST(TensorBorrowTest, Borrow_FollowsAMovedTensor) {
  Tensor first = Numbers();
  MutableTensor writing = first.Mutate().value();
  Tensor second = std::move(first);
  writing.span<float>()[0] = 7;
  EXPECT_THAT(second.Mutate(), StatusIs(kPrecondition, HasSubstr("written already")));
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

// ---- equality ----

TEST(TensorEqualityTest, ComparesDTypeShapeAndBytes) {
  EXPECT_EQ(Numbers(), Numbers());
  EXPECT_NE(Numbers(), Numbers().Reshape({2, 2}).value());
  EXPECT_NE(Tensor::Zeros(DType::kF32, {2}).value(), Tensor::Zeros(DType::kI32, {2}).value());
  Tensor other = Numbers();
  Write(other, 7, 3);
  EXPECT_NE(other, Numbers());
}

TEST(TensorEqualityTest, ComparesBits) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(Tensor::Scalar(nan), Tensor::Scalar(nan));
  EXPECT_NE(Tensor::Scalar(nan), Tensor::Scalar(-nan));
  EXPECT_NE(Tensor::Scalar(0.0f), Tensor::Scalar(-0.0f));
}

TEST(TensorEqualityTest, DuringABorrow_IgnoresTheGeneration) {
  Tensor tensor = Numbers();
  const Tensor copy = tensor;
  MutableTensor writing = tensor.Mutate().value();
  EXPECT_EQ(tensor, copy);
  writing.span<float>()[0] = 7;
  EXPECT_EQ(tensor.generation(), copy.generation());
  EXPECT_NE(tensor, copy);
  EXPECT_NE(copy, tensor);
}

// ---- shape and sharing ----

TEST(TensorReshapeTest, SharesTheBytes) {
  const Tensor tensor = Numbers();
  const Tensor square = tensor.Reshape({2, 2}).value();
  EXPECT_THAT(square.shape(), ElementsAre(2, 2));
  EXPECT_EQ(square.raw_data(), tensor.raw_data());
  EXPECT_TRUE(square.SharesBytesWith(tensor));
}

TEST(TensorReshapeTest, ConvertsToAndFromScalars) {
  const Tensor scalar = Tensor::Scalar(2.0f);
  EXPECT_THAT(scalar.Reshape({1, 1})->shape(), ElementsAre(1, 1));
  EXPECT_EQ(scalar.Reshape({1}).value().Reshape({}).value(), scalar);
}

TEST(TensorReshapeTest, AnotherElementCountIsAnError) {
  EXPECT_THAT(Numbers().Reshape({3}),
              StatusIs(kInvalid, AllOf(HasSubstr("[4]"), HasSubstr("[3]"), HasSubstr("expected 4"),
                                       HasSubstr("found 3"))));
  EXPECT_THAT(Numbers().Reshape({-2, -2}), StatusIs(kInvalid, HasSubstr("-2")));
}

TEST(TensorSharesBytesTest, ComparesByteRangesAndNotBuffers) {
  const Buffer buffer = Buffer::Allocate(32).value();
  const Tensor all = Tensor::FromBuffer(DType::kU8, {32}, buffer).value();
  const Tensor front = Tensor::FromBuffer(DType::kU8, {16}, buffer).value();
  const Tensor back = Tensor::FromBuffer(DType::kU8, {16}, buffer, 16).value();
  const Tensor middle = Tensor::FromBuffer(DType::kU8, {2}, buffer, 15).value();
  EXPECT_TRUE(all.SharesBytesWith(front));
  EXPECT_TRUE(back.SharesBytesWith(all));
  EXPECT_FALSE(front.SharesBytesWith(back));
  EXPECT_TRUE(middle.SharesBytesWith(front));
  EXPECT_TRUE(middle.SharesBytesWith(back));
  EXPECT_FALSE(Numbers().SharesBytesWith(Numbers()));
}

// ---- views of buffers ----

TEST(TensorFromBufferTest, ViewsTheBytesAtTheOffset) {
  Buffer buffer = Buffer::Allocate(16).value();
  const float value = 5;
  std::memcpy(buffer.mutable_data() + 8, &value, sizeof(value));
  const Tensor view = Tensor::FromBuffer(DType::kF32, {2}, buffer, 8).value();
  EXPECT_EQ(view.raw_data(), buffer.data() + 8);
  EXPECT_THAT(FloatsOf(view), ElementsAre(5, 0));
}

TEST(TensorFromBufferTest, OutsideTheBufferIsAnError) {
  const Buffer buffer = Buffer::Allocate(16).value();
  const auto at = [&buffer](int64_t offset) {
    return Tensor::FromBuffer(DType::kF32, {2}, buffer, offset);
  };
  EXPECT_THAT(at(8), IsOk());
  const int64_t last = std::numeric_limits<int64_t>::max();
  for (const int64_t offset : {int64_t{-4}, int64_t{12}, int64_t{16}, int64_t{20}, last}) {
    EXPECT_THAT(at(offset), StatusIs(kInvalid, AllOf(HasSubstr("expected 8 bytes"),
                                                     HasSubstr("a buffer of 16"))))
        << offset;
  }
  EXPECT_THAT(Tensor::FromBuffer(DType::kF32, {0}, Buffer()), StatusIs(kInvalid, HasSubstr("f32")));
}

TEST(TensorFromBufferTest, EmptyTensor_MayBeginAtTheEnd) {
  const Buffer buffer = Buffer::Allocate(16).value();
  EXPECT_THAT(Tensor::FromBuffer(DType::kF32, {0}, buffer, 16), IsOk());
  EXPECT_THAT(Tensor::FromBuffer(DType::kF32, {0}, Buffer::External(nullptr, 0, nullptr).value()),
              IsOk());
}

TEST(TensorFromBufferTest, MisalignedElementsAreAnError) {
  const Buffer buffer = Buffer::Allocate(64).value();
  for (const DType dtype : AllDTypes()) {
    const size_t bytes = DTypeBits(dtype) / 8;
    const bool may_be_odd = bytes <= 1;
    EXPECT_EQ(Tensor::FromBuffer(dtype, {4}, buffer, 1).ok(), may_be_odd) << DTypeName(dtype);
  }
  EXPECT_THAT(Tensor::FromBuffer(DType::kC64, {1}, buffer, 4), IsOk());  // a pair of f32
  EXPECT_THAT(Tensor::FromBuffer(DType::kF64, {1}, buffer, 4),
              StatusIs(kInvalid, AllOf(HasSubstr("f64 at byte 4"), HasSubstr("aligned to 8"))));
}

TEST(TensorFromBufferTest, Errors_KeepNoHandle) {
  UserMemory memory;
  EXPECT_FALSE(Tensor::FromBuffer(DType::kF32, {5}, memory.ReadOnly()).ok());
  EXPECT_EQ(memory.released, 1);
}

// ---- size ----

TEST(TensorSizeTest, HeaderAndBytesAreOneAllocation) {
  // The header, including dims, fits into one aligned block up to rank 2.
  for (const int64_t rank : {1, 2}) {
    const Tensor tensor = Tensor::Zeros(DType::kF32, Shape(static_cast<size_t>(rank), 1)).value();
    const auto* dims = reinterpret_cast<const std::byte*>(tensor.shape().data());
    EXPECT_EQ(tensor.raw_data() - dims, 16) << "rank " << rank;
  }
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(TensorSizeTest, SmallTensor_HasLittleOverhead) {
  constexpr size_t kCount = 1000;
  std::vector<Tensor> tensors(kCount);
  const size_t before = mallinfo2().uordblks;
  for (Tensor& tensor : tensors) tensor = Numbers();  // 16 bytes each
  const size_t each = (mallinfo2().uordblks - before) / kCount;
  EXPECT_LE(each, 128);  // 64 of header, 16 of bytes, and what the allocator loses
}
#endif

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
  EXPECT_EQ(TensorAccess::data(&tensor), data);
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
              StatusIs(kPrecondition, HasSubstr("written already")));
  EXPECT_THAT(TensorAccess::Restamp(&tensor),
              StatusIs(kPrecondition, HasSubstr("written already")));
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

// A reader that drops its copy hands the memory back to the writer, which then writes it in place:
// the count alone must order the one's reads before the other's writes.
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
