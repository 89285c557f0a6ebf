#include "leafstore/io/internal/progress.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace leafstore::internal {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

constexpr int64_t kMiB = int64_t{1} << 20;

class ProgressTest : public testing::Test {
 protected:
  std::vector<std::pair<int64_t, int64_t>> told_;
  Progress::Function tell_ = [this](int64_t done, int64_t total) {
    told_.emplace_back(done, total);
  };
};

TEST_F(ProgressTest, Add_ReportsEveryFewMiB) {
  Progress progress(tell_, 6 * kMiB);
  for (int i = 0; i < 6; ++i) progress.Add(kMiB);
  EXPECT_THAT(told_, ElementsAre(Pair(4 * kMiB, 6 * kMiB)));
}

TEST_F(ProgressTest, Finish_ReportsTheRestOnce) {
  Progress progress(tell_, 10);
  progress.Add(10);
  progress.Finish();
  progress.Finish();
  EXPECT_THAT(told_, ElementsAre(Pair(10, 10)));
}

TEST_F(ProgressTest, WrongTotal_ChangesNoReport) {
  Progress large(tell_, 100);
  large.Add(10);
  large.Finish();
  Progress small(tell_, 1);
  for (int i = 0; i < 10; ++i) small.Add(1);
  small.Finish();
  EXPECT_THAT(told_, ElementsAre(Pair(10, 100), Pair(10, 1)));
}

TEST_F(ProgressTest, NoBytes_AreNotReported) {
  Progress(tell_, 0).Finish();
  EXPECT_THAT(told_, IsEmpty());
}

}  // namespace
}  // namespace leafstore::internal
