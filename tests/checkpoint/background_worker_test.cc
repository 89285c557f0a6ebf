#include "leafstore/checkpoint/background_worker.h"

#include <new>
#include <stdexcept>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/core/status_matchers.h"

namespace leafstore {
namespace {

TEST(BackgroundWorkerTest, AFailureIsToldOnce) {
  BackgroundWorker worker;
  worker.Start([] { return absl::UnavailableError("busy"); });
  EXPECT_THAT(worker.Wait(), StatusIs(absl::StatusCode::kUnavailable, "busy"));
  EXPECT_THAT(worker.Wait(), IsOk());
}

TEST(BackgroundWorkerTest, AnExceptionIsAFailureAndNotTheEnd) {
  BackgroundWorker worker;
  worker.Start([]() -> absl::Status { throw std::bad_alloc(); });
  EXPECT_THAT(worker.Wait(),
              StatusIs(absl::StatusCode::kResourceExhausted, testing::HasSubstr("no memory")));
  worker.Start([]() -> absl::Status { throw std::runtime_error("odd"); });
  EXPECT_THAT(worker.Wait(), StatusIs(absl::StatusCode::kInternal, "odd"));
  worker.Start([] { return absl::OkStatus(); });
  EXPECT_THAT(worker.Wait(), IsOk());
}

}  // namespace
}  // namespace leafstore
