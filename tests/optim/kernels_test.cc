#include "leafstore/optim/internal/kernels.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace leafstore::internal {
namespace {

// Sizes that cover every vector width, every remainder, and every distance from alignment.
constexpr size_t kSizes[] = {0, 1, 3, 8, 15, 16, 17, 31, 64, 100, 257};
constexpr size_t kOffsets[] = {0, 1, 5, 15};

template <typename T>
std::vector<T> Draw(size_t n, uint32_t seed, bool positive = false) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> magnitude(-12, 4);
  std::vector<T> numbers(n);
  for (T& x : numbers) {
    const double value = normal(random) * std::pow(10.0, magnitude(random));
    x = static_cast<T>(positive ? std::abs(value) : value);
  }
  // Special values, which a shortcut might treat differently.
  const T special[] = {0, std::numeric_limits<T>::denorm_min(), std::numeric_limits<T>::infinity(),
                       std::numeric_limits<T>::min(), std::numeric_limits<T>::max()};
  for (size_t i = 0; i < std::size(special) && 3 * i + 2 < n; ++i) numbers[3 * i + 2] = special[i];
  return numbers;
}

template <typename T>
AdamNumbers<T> SomeAdamNumbers(double l2) {
  return {T(0.7), T(l2), T(0.99), T(0.9), T(0.1), T(0.999), T(0.001), T(0.03), T(1.7), T(1e-8)};
}
template <typename T>
SgdNumbers<T> SomeSgdNumbers(double l2, double nesterov) {
  return {T(0.7), T(l2), T(0.9), T(0.8), T(nesterov), T(0.03)};
}

template <typename T>
const RuleKernels<T>& Of(const Kernels& kernels) {
  if constexpr (sizeof(T) == sizeof(float)) return kernels.f32;
  if constexpr (sizeof(T) == sizeof(double)) return kernels.f64;
}

// Returns the bytes that a kernel writes, in place or not, for arrays that begin `offset` elements
// after an aligned address.
template <typename T>
struct Adam3 {
  std::vector<T> param, exp_avg, exp_avg_sq;

  bool SameBits(const Adam3& other) const {
    const auto same = [](const std::vector<T>& a, const std::vector<T>& b) {
      return a.size() == b.size() &&
             (a.empty() || !std::memcmp(&a[0], &b[0], a.size() * sizeof(T)));
    };
    return same(param, other.param) && same(exp_avg, other.exp_avg) &&
           same(exp_avg_sq, other.exp_avg_sq);
  }
};

template <typename T>
Adam3<T> RunAdam(Isa isa, size_t n, size_t offset, bool in_place, double l2) {
  const auto at = [&](std::vector<T> numbers) {
    numbers.insert(numbers.begin(), offset, T(0));
    return numbers;
  };
  const auto from = [&](const std::vector<T>& numbers) {
    return std::vector<T>(numbers.begin() + static_cast<ptrdiff_t>(offset), numbers.end());
  };
  const std::vector<T> grad = at(Draw<T>(n, 1));
  std::vector<T> p = at(Draw<T>(n, 2)), m = at(Draw<T>(n, 3)), v = at(Draw<T>(n, 4, true));
  std::vector<T> p_out = p, m_out = m, v_out = v;
  const auto in_out = [&](std::vector<T>& before, std::vector<T>& after) -> InOut<T> {
    return {(in_place ? after : before).data() + offset, after.data() + offset};
  };
  Of<T>(KernelsFor(isa))
      .adam({grad.data() + offset, in_out(p, p_out), in_out(m, m_out), in_out(v, v_out)},
            SomeAdamNumbers<T>(l2), n);
  return {from(p_out), from(m_out), from(v_out)};
}

template <typename T>
Adam3<T> RunSgd(Isa isa, size_t n, bool in_place, double l2, bool momentum, double nesterov) {
  const std::vector<T> grad = Draw<T>(n, 1), p = Draw<T>(n, 2), b = Draw<T>(n, 3);
  std::vector<T> p_out = p, b_out = b;
  StepArrays<T> arrays = {grad.data(),
                          {in_place ? p_out.data() : p.data(), p_out.data()},
                          {in_place ? b_out.data() : b.data(), b_out.data()},
                          {}};
  if (!momentum) arrays.first_moment = {};
  Of<T>(KernelsFor(isa)).sgd(arrays, SomeSgdNumbers<T>(l2, nesterov), n);
  return {p_out, b_out, {}};
}

template <typename T>
class KernelsTest : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(KernelsTest, Types);

TYPED_TEST(KernelsTest, Adam_EveryInstructionSetAndAlignment_ComputesTheSameBits) {
  for (const double l2 : {0.0, 0.1}) {
    for (const size_t n : kSizes) {
      const auto expected = RunAdam<TypeParam>(Isa::kBaseline, n, 0, false, l2);
      for (const Isa isa : kAllIsas) {
        if (!IsaIsSupported(isa)) continue;
        for (const size_t offset : kOffsets) {
          for (const bool in_place : {false, true}) {
            EXPECT_TRUE(expected.SameBits(RunAdam<TypeParam>(isa, n, offset, in_place, l2)))
                << "isa " << static_cast<int>(isa) << ", " << n << " numbers at " << offset
                << (in_place ? ", in place" : "") << ", l2 " << l2;
          }
        }
      }
    }
  }
}

TYPED_TEST(KernelsTest, Sgd_EveryInstructionSet_ComputesTheSameBits) {
  for (const Isa isa : kAllIsas) {
    if (!IsaIsSupported(isa)) continue;
    for (const size_t n : kSizes) {
      for (const double l2 : {0.0, 0.1}) {
        for (const bool momentum : {false, true}) {
          for (const double nesterov : {0.0, 0.9}) {
            const auto expected =
                RunSgd<TypeParam>(Isa::kBaseline, n, false, l2, momentum, nesterov);
            for (const bool in_place : {false, true}) {
              EXPECT_TRUE(
                  expected.SameBits(RunSgd<TypeParam>(isa, n, in_place, l2, momentum, nesterov)))
                  << "isa " << static_cast<int>(isa) << ", " << n << " numbers";
            }
          }
        }
      }
    }
  }
}

// Compares with the formula, computed one element at a time, which defines the expected bits.
TYPED_TEST(KernelsTest, Adam_RoundsEachOperationSeparately) {
  using T = TypeParam;
  const size_t n = 100;
  const AdamNumbers<T> c = SomeAdamNumbers<T>(0.1);
  const std::vector<T> grad = Draw<T>(n, 1), p = Draw<T>(n, 2), m = Draw<T>(n, 3),
                       v = Draw<T>(n, 4, true);
  const Adam3<T> result = RunAdam<T>(Isa::kBaseline, n, 0, false, 0.1);
  for (size_t i = 0; i < n; ++i) {
    // volatile: nothing may be fused or kept wider than T.
    const volatile T scaled = grad[i] * c.grad_scale, l2 = p[i] * c.l2;
    const volatile T g = scaled + l2;
    const volatile T m_kept = m[i] * c.beta1, m_new = g * c.one_minus_beta1;
    const volatile T m_next = m_kept + m_new;
    const volatile T v_kept = v[i] * c.beta2, g_part = g * c.one_minus_beta2;
    const volatile T v_new = g_part * g;
    const volatile T v_next = v_kept + v_new;
    const volatile T root = std::sqrt(T(v_next));
    const volatile T unbiased = root * c.inverse_sqrt_bias;
    const volatile T denominator = unbiased + c.eps;
    const volatile T stride = m_next * c.step_size, decayed = p[i] * c.decay;
    const volatile T move = stride / denominator;
    const volatile T p_next = decayed - move;
    const auto same = [](T a, T b) { return a == b || (std::isnan(a) && std::isnan(b)); };
    EXPECT_TRUE(same(result.exp_avg[i], m_next)) << i;
    EXPECT_TRUE(same(result.exp_avg_sq[i], v_next)) << i;
    EXPECT_TRUE(same(result.param[i], p_next)) << i;
  }
}

TYPED_TEST(KernelsTest, InfiniteParameter_WithoutWeightDecay_StaysInfinite) {
  using T = TypeParam;
  const T infinity = std::numeric_limits<T>::infinity();
  const T grad = 1;
  T param = infinity;
  const StepArrays<T> arrays = {&grad, {&param, &param}, {}, {}};
  Of<T>(KernelsFor(Isa::kBaseline)).sgd(arrays, SomeSgdNumbers<T>(0, 0), 1);
  EXPECT_EQ(param, infinity);
}

TEST(KernelsTest, BaselineKernels_AlwaysExist) {
  EXPECT_TRUE(IsaIsSupported(Isa::kBaseline));
  EXPECT_NE(KernelsFor(Isa::kBaseline).f32.adam, nullptr);
}

TEST(KernelsTest, ScopedIsa_IsUsedWhileItLives) {
  const Kernels* best = &ActiveKernels();
  {
    const ScopedIsa scoped(Isa::kBaseline);
    EXPECT_EQ(&ActiveKernels(), &KernelsFor(Isa::kBaseline));
  }
  EXPECT_EQ(&ActiveKernels(), best);
}

}  // namespace
}  // namespace leafstore::internal
