#include <cmath>
#include <complex>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/core/tensor_eigen.h"
#include "leafstore/numeric/ops.h"

#include "tests/core/status_matchers.h"
#include "tests/status_codes.h"
#include "tests/store/sample_stores.h"

namespace leafstore {
namespace {

using ::testing::AllOf;
using ::testing::DoubleEq;
using ::testing::DoubleNear;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsNan;

// ---- norm ----

TEST(GlobalNormTest, GlobalNorm_IsTheL2NormOfAllFloatingElements) {
  const ParamStore store = StoreOf({{"a", Floats({1, 2})},
                                    {"b", VectorOf<double>({4})},
                                    {"c", Ints({1000})},
                                    {"d", Value(1000.0)},
                                    {"e", VectorOf<std::complex<float>>({{0, 2}})}});
  EXPECT_EQ(GlobalNorm(store).value(), 5);
}

TEST(GlobalNormTest, HalvesAndSmallFloats_Count) {
  EXPECT_EQ(GlobalNorm(StoreOf({{"a", VectorOf<Eigen::half>({Eigen::half(3.f)})},
                                {"b", VectorOf<Eigen::bfloat16>({Eigen::bfloat16(-4.f)})}}))
                .value(),
            5);
  const Tensor f4 = Tensor::Zeros(DType::kF4, {4}).value();
  EXPECT_EQ(GlobalNorm(StoreOf({{"a", f4}})).value(), 0);
}

TEST(GlobalNormTest, EmptyStore_HasNormZero) {
  EXPECT_EQ(GlobalNorm(ParamStore()).value(), 0);
  EXPECT_EQ(GlobalNorm(StoreOf({{"a", Tensor::Zeros(DType::kF32, {0, 3}).value()}})).value(), 0);
}

TEST(GlobalNormTest, Squares_AreSummedInDouble) {
  // In float 2^24 + 1 would be 2^24.
  const ParamStore store =
      StoreOf({{"a", Floats(std::vector<float>(1 << 20, 1.0f))}, {"b", Floats({4096, 1})}});
  EXPECT_EQ(GlobalNorm(store).value(), std::sqrt((1 << 20) + (1 << 24) + 1.0));
  EXPECT_EQ(GlobalNorm(StoreOf({{"a", Floats({3e38f, 3e38f})}})).value(),
            std::sqrt(2 * double{3e38f} * double{3e38f}));
}

TEST(GlobalNormTest, NaNAndInfinity_PropagateToTheNorm) {
  EXPECT_THAT(GlobalNorm(StoreOf({{"a", Floats({1, kNaN})}})).value(), IsNan());
  EXPECT_EQ(GlobalNorm(StoreOf({{"a", Floats({1, -kInf})}})).value(), kInf);
}

TEST(GlobalNormTest, OpenBorrow_IsAnError) {
  ParamStore store = StoreOf({{"a", Floats({1})}});
  const MutableTensor writing = store.Mutate(".a").value();
  EXPECT_THAT(GlobalNorm(store), StatusIs(kPrecondition, HasSubstr("take the norm")));
  Packed packed = Packed::Create(StoreOf({{"a", Floats({1})}}), DType::kF32).value();
  const MutablePack packing = packed.Mutate().value();
  EXPECT_THAT(GlobalNorm(packed), StatusIs(kPrecondition, HasSubstr("read the pack")));
}

// Returns a store of leaves of several dtypes and odd sizes.
ParamStore RandomStore(std::mt19937& random) {
  std::normal_distribution<double> normal(0, 1);
  std::vector<std::pair<std::string, Leaf>> entries;
  for (uint32_t i = 0; i < 12; ++i) {
    const size_t size = random() % 3000;
    if (i % 3 == 0) {
      std::vector<double> values(size);
      for (double& x : values) x = normal(random);
      entries.emplace_back(absl::StrCat("p", i), VectorOf(values));
    } else {
      std::vector<float> values(size);
      for (float& x : values) x = static_cast<float>(normal(random));
      entries.emplace_back(absl::StrCat("p", i), VectorOf(values));
    }
  }
  return StoreOf(std::move(entries));
}

TEST(GlobalNormTest, PackedAndUnpacked_HaveTheSameBits) {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::mt19937 random(seed);
    const ParamStore store = RandomStore(random);
    const double norm = GlobalNorm(store).value();
    for (const DType dtype : {DType::kF32, DType::kF64, DType::kI8}) {
      const Packed packed = Packed::Create(store, dtype).value();
      EXPECT_EQ(GlobalNorm(packed).value(), norm);
      EXPECT_EQ(GlobalNorm(packed.store().value()).value(), norm);
    }
  }
}

// Sums in the order of additions that the contract specifies, in the plainest code.
TEST(GlobalNormTest, Sums_AreInTheDocumentedOrder) {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::mt19937 random(seed);
    const ParamStore store = RandomStore(random);
    double sum = 0;
    for (const Leaf& leaf : store.leaves()) {
      std::vector<double> values;
      if (leaf.tensor().dtype() == DType::kF64) {
        values = ElementsOf<double>(leaf);
      } else {
        for (const float x : ElementsOf<float>(leaf)) values.push_back(x);
      }
      double of_leaf = 0;
      for (size_t begin = 0; begin < values.size(); begin += 1024) {
        volatile double lanes[8] = {};  // volatile: rounded after each step
        for (size_t i = begin; i < std::min(begin + 1024, values.size()); ++i) {
          volatile double square = values[i] * values[i];
          lanes[(i - begin) % 8] = lanes[(i - begin) % 8] + square;
        }
        of_leaf += ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
                   ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
      }
      sum += of_leaf;
    }
    EXPECT_EQ(GlobalNorm(store).value(), std::sqrt(sum));
  }
}

// ---- clip ----

TEST(ClipScaleTest, SmallGradients_AreNotScaled) {
  EXPECT_EQ(*ClipScale(0, 1), 1);
  EXPECT_EQ(*ClipScale(0.5, 1), 1);
  EXPECT_EQ(*ClipScale(1e300, kInf), 1);
}

TEST(ClipScaleTest, LargeGradients_AreScaledToTheLimitWithPyTorchsMargin) {
  EXPECT_EQ(*ClipScale(4, 1), 1 / (4 + 1e-6));
  EXPECT_EQ(*ClipScale(1, 1), 1 / (1 + 1e-6));
}

TEST(ClipScaleTest, NonFiniteNorm_IsAnErrorUnlikeInvalidArguments) {
  const auto words = HasSubstr("norm of the gradients: expected a finite number");
  EXPECT_THAT(ClipScale(static_cast<double>(kNaN), 1), StatusIs(kPrecondition, words));
  EXPECT_THAT(ClipScale(static_cast<double>(kInf), 1), StatusIs(kPrecondition, words));
  EXPECT_THAT(ClipScale(-1.0, 1), StatusIs(kInvalid, words));
}

TEST(ClipScaleTest, NonPositiveLimit_IsAnError) {
  for (const double limit : {0.0, -1.0, static_cast<double>(kNaN)}) {
    EXPECT_THAT(ClipScale(1, limit),
                StatusIs(kInvalid, HasSubstr("max_norm: expected a positive number")));
  }
}

TEST(ClipTest, Clip_ScalesToMaxNormAndReturnsThePreviousNorm) {
  ParamStore store = StoreOf({{"a", Floats({3})}, {"b", VectorOf<double>({4})}, {"c", Ints({9})}});
  EXPECT_EQ(ClipByGlobalNorm(&store, 1).value(), 5);
  const double coefficient = 1 / (5 + 1e-6);  // as torch.nn.utils.clip_grad_norm_
  EXPECT_THAT(FloatsAt(store, ".a"), ElementsAre(3.0f * static_cast<float>(coefficient)));
  EXPECT_THAT(ElementsOf<double>(store.leaf(1)), ElementsAre(4 * coefficient));
  EXPECT_EQ(store.leaf(2), Leaf(Ints({9})));
  EXPECT_THAT(GlobalNorm(store).value(), DoubleNear(1, 1e-6));
}

TEST(ClipTest, HalvesAndComplexElements_AreScaledInFloat) {
  ParamStore store = StoreOf({{"a", VectorOf<Eigen::half>({Eigen::half(3.f)})},
                              {"b", VectorOf<Eigen::bfloat16>({Eigen::bfloat16(4.f)})},
                              {"c", VectorOf<std::complex<float>>({{0, 12}})}});
  EXPECT_EQ(ClipByGlobalNorm(&store, 6.5).value(), 13);
  const auto factor = static_cast<float>(6.5 / (13 + 1e-6));
  EXPECT_EQ(ElementsOf<Eigen::half>(store.leaf(0))[0], Eigen::half(3.f * factor));
  EXPECT_EQ(ElementsOf<Eigen::bfloat16>(store.leaf(1))[0], Eigen::bfloat16(4.f * factor));
  EXPECT_EQ(ElementsOf<std::complex<float>>(store.leaf(2))[0], std::complex<float>(0, 12 * factor));
}

TEST(ClipTest, BelowMaxNorm_WritesNothing) {
  ParamStore store = StoreOf({{"a", Floats({3, 4})}});
  const uint64_t generation = store.leaf(0).generation();
  EXPECT_EQ(ClipByGlobalNorm(&store, 6).value(), 5);
  EXPECT_THAT(FloatsAt(store, ".a"), ElementsAre(3, 4));
  EXPECT_EQ(store.leaf(0).generation(), generation);
}

TEST(ClipTest, Pack_HasTheSameResultAsItsStore) {
  for (uint32_t seed = 0; seed < 10; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::mt19937 random(seed);
    ParamStore store = RandomStore(random);
    Packed packed = Packed::Create(store, DType::kF32).value();
    EXPECT_EQ(ClipByGlobalNorm(&store, 2).value(), ClipByGlobalNorm(&packed, 2).value());
    const ParamStore unpacked = packed.store().value();
    for (uint32_t place = 0; place < store.size(); ++place) {
      EXPECT_EQ(store.leaf(place), unpacked.leaf(place)) << store.PathText(place);
    }
  }
}

TEST(ClipTest, PackBelowMaxNorm_KeepsItsGeneration) {
  Packed packed = Packed::Create(StoreOf({{"a", Floats({3, 4})}}), DType::kF32).value();
  const uint64_t generation = packed.generation();
  EXPECT_EQ(ClipByGlobalNorm(&packed, 6).value(), 5);
  EXPECT_EQ(packed.generation(), generation);
}

TEST(ClipTest, Clip_DoesNotChangeSnapshots) {
  ParamStore store = StoreOf({{"a", Floats({3, 4})}});
  const ParamStore snapshot = store.Snapshot().value();
  EXPECT_THAT(ClipByGlobalNorm(&store, 1), IsOk());
  EXPECT_THAT(FloatsAt(snapshot, ".a"), ElementsAre(3, 4));
}

TEST(ClipTest, NonFiniteNorm_IsAnErrorAndChangesNothing) {
  for (const float bad : {kNaN, kInf}) {
    ParamStore store = StoreOf({{"a", Floats({1, bad})}});
    Packed packed = Packed::Create(store, DType::kF32).value();
    const auto error =
        StatusIs(kPrecondition, HasSubstr("expected a finite number of at least 0, found"));
    EXPECT_THAT(ClipByGlobalNorm(&store, 1), error);
    EXPECT_THAT(ClipByGlobalNorm(&packed, 1), error);
    EXPECT_EQ(FloatsAt(store, ".a")[0], 1);
    EXPECT_EQ(packed.span<float>(0)[0], 1);
  }
}

TEST(ClipTest, InvalidMaxNorm_IsAnErrorAndChangesNothing) {
  ParamStore store = StoreOf({{"a", Floats({3, 4})}});
  EXPECT_THAT(ClipByGlobalNorm(&store, -1),
              StatusIs(kInvalid, HasSubstr("a positive number, found -1")));
  EXPECT_THAT(ClipByGlobalNorm(&store, std::nan("")),
              StatusIs(kInvalid, HasSubstr("a positive number, found nan")));
  EXPECT_THAT(FloatsAt(store, ".a"), ElementsAre(3, 4));
}

TEST(ClipTest, SmallFloats_CannotBeScaled) {
  const Tensor f8 = Tensor::Zeros(DType::kF8E4M3, {1}).value();
  ParamStore store = StoreOf({{"a", Floats({3, 4})}, {"b", f8}});
  EXPECT_THAT(ClipByGlobalNorm(&store, 6), IsOk());  // nothing to scale
  EXPECT_THAT(ClipByGlobalNorm(&store, 1),
              StatusIs(kInvalid, AllOf(HasSubstr("at .b"), HasSubstr("found f8_e4m3"))));
  EXPECT_THAT(FloatsAt(store, ".a"), ElementsAre(3, 4));
  Packed packed = Packed::Create(store, DType::kF32).value();
  EXPECT_THAT(ClipByGlobalNorm(&packed, 1), StatusIs(kInvalid, HasSubstr("at .b")));
  EXPECT_THAT(packed.span<float>(0), ElementsAre(3, 4));
  Packed small = Packed::Create(store, DType::kF8E4M3).value();
  EXPECT_THAT(ClipByGlobalNorm(&small, 1), StatusIs(kInvalid, HasSubstr("at .b")));
  EXPECT_THAT(FloatsAt(small.store().value(), ".a"), ElementsAre(3, 4));
}

}  // namespace
}  // namespace leafstore
