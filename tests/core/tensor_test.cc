#include "leafstore/core/tensor.h"

#include <complex>
#include <cstring>
#include <limits>
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

using ::testing::HasSubstr;
using ::testing::IsEmpty;

static_assert(sizeof(Tensor) == 8);

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
  std::vector<Tensor> kept;  // so that each tensor has different memory
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

TEST(TensorTest, From_AnotherValueCount_IsAnError) {
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

TEST(TensorTest, ImpossibleShapes_AreErrors) {
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

TEST(TensorTest, Default_IsNull) {
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

// ---- equality ----

TEST(TensorEqualityTest, Equality_ComparesDTypeShapeAndBytes) {
  EXPECT_EQ(Numbers(), Numbers());
  EXPECT_NE(Numbers(), Numbers().Reshape({2, 2}).value());
  EXPECT_NE(Tensor::Zeros(DType::kF32, {2}).value(), Tensor::Zeros(DType::kI32, {2}).value());
  Tensor other = Numbers();
  Write(other, 7, 3);
  EXPECT_NE(other, Numbers());
}

TEST(TensorEqualityTest, Equality_ComparesBits) {
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

TEST(TensorReshapeTest, Reshape_SharesTheBytes) {
  const Tensor tensor = Numbers();
  const Tensor square = tensor.Reshape({2, 2}).value();
  EXPECT_THAT(square.shape(), ElementsAre(2, 2));
  EXPECT_EQ(square.raw_data(), tensor.raw_data());
  EXPECT_TRUE(square.SharesBytesWith(tensor));
}

TEST(TensorReshapeTest, Reshape_ConvertsToAndFromScalars) {
  const Tensor scalar = Tensor::Scalar(2.0f);
  EXPECT_THAT(scalar.Reshape({1, 1})->shape(), ElementsAre(1, 1));
  EXPECT_EQ(scalar.Reshape({1}).value().Reshape({}).value(), scalar);
}

TEST(TensorReshapeTest, AnotherElementCount_IsAnError) {
  EXPECT_THAT(Numbers().Reshape({3}),
              StatusIs(kInvalid, AllOf(HasSubstr("[4]"), HasSubstr("[3]"), HasSubstr("expected 4"),
                                       HasSubstr("found 3"))));
  EXPECT_THAT(Numbers().Reshape({-2, -2}), StatusIs(kInvalid, HasSubstr("-2")));
}

TEST(TensorSharesBytesTest, SharesBytes_ComparesByteRangesAndNotBuffers) {
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

TEST(TensorFromBufferTest, FromBuffer_ViewsTheBytesAtTheOffset) {
  Buffer buffer = Buffer::Allocate(16).value();
  const float value = 5;
  std::memcpy(buffer.mutable_data() + 8, &value, sizeof(value));
  const Tensor view = Tensor::FromBuffer(DType::kF32, {2}, buffer, 8).value();
  EXPECT_EQ(view.raw_data(), buffer.data() + 8);
  EXPECT_THAT(FloatsOf(view), ElementsAre(5, 0));
}

TEST(TensorFromBufferTest, RangeOutsideTheBuffer_IsAnError) {
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

TEST(TensorFromBufferTest, MisalignedElements_AreAnError) {
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

TEST(TensorSizeTest, HeaderAndBytes_AreOneAllocation) {
  // The header, including dims, fits into one aligned block up to rank 2.
  for (const int64_t rank : {1, 2}) {
    const Tensor tensor = Tensor::Zeros(DType::kF32, Shape(static_cast<size_t>(rank), 1)).value();
    const auto* dims = reinterpret_cast<const std::byte*>(tensor.shape().data());
    EXPECT_EQ(tensor.raw_data() - dims, 16) << "rank " << rank;
  }
}

}  // namespace
}  // namespace leafstore
