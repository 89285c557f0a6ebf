#include "leafstore/optim/internal/rule_runner.h"

#include <cmath>

#include "gtest/gtest.h"

namespace leafstore::internal {
namespace {

TEST(PowerTest, ExactResults_AreExact) {
  EXPECT_EQ(Power(0.5, 0), 1);
  EXPECT_EQ(Power(0.5, 1), 0.5);
  EXPECT_EQ(Power(0.5, 10), 1.0 / 1024);
  EXPECT_EQ(Power(0.75, 3), 27.0 / 64);
  EXPECT_EQ(Power(0, 0), 1);
  EXPECT_EQ(Power(0, 7), 0);
}

// The error of libm's pow is below one unit in the last place, as is that of Power.
TEST(PowerTest, Power_IsWithinOneUnitInTheLastPlaceOfPow) {
  for (const double base : {0.9, 0.99, 0.999, 0.9999, 0.5001, 0.1}) {
    for (const int64_t exponent : {1, 2, 3, 10, 100, 1000, 12'345, 100'000, 10'000'000}) {
      const double expected = std::pow(base, static_cast<double>(exponent));
      if (expected < 1e-280) {  // so small that its second half underflows; 1 - it is 1
        EXPECT_LT(Power(base, exponent), 1e-270);
        continue;
      }
      EXPECT_LE(std::abs(Power(base, exponent) - expected), expected * 0x1p-52)
          << base << "^" << exponent;
    }
  }
}

}  // namespace
}  // namespace leafstore::internal
