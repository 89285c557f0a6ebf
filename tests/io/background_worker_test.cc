#include "leafstore/io/internal/background_worker.h"

#include <atomic>
#include <latch>
#include <new>
#include <stdexcept>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/core/status_matchers.h"

namespace leafstore {
namespace {

TEST(BackgroundWorkerTest, Failure_IsReportedOnce) {
  internal::BackgroundWorker worker;
  worker.Start([] { return absl::UnavailableError("busy"); });
  EXPECT_THAT(worker.Wait(), StatusIs(absl::StatusCode::kUnavailable, "busy"));
  EXPECT_THAT(worker.Wait(), IsOk());
}

TEST(BackgroundWorkerTest, Exception_IsReportedAsAFailure) {
  internal::BackgroundWorker worker;
  worker.Start([]() -> absl::Status { throw std::bad_alloc(); });
  EXPECT_THAT(worker.Wait(),
              StatusIs(absl::StatusCode::kResourceExhausted, testing::HasSubstr("no memory")));
  worker.Start([]() -> absl::Status { throw std::runtime_error("odd"); });
  EXPECT_THAT(worker.Wait(), StatusIs(absl::StatusCode::kInternal, "odd"));
  worker.Start([]() -> absl::Status { throw 7; });
  EXPECT_THAT(worker.Wait(),
              StatusIs(absl::StatusCode::kInternal, testing::HasSubstr("not a std::exception")));
  worker.Start([] { return absl::OkStatus(); });
  EXPECT_THAT(worker.Wait(), IsOk());
}

TEST(BackgroundWorkerTest, Tasks_RunInOrder) {
  std::latch open(1);
  std::vector<int> done;
  internal::BackgroundWorker worker;
  for (int i = 0; i < 5; ++i) {
    worker.Start([&open, &done, i] {
      open.wait();
      done.push_back(i);
      return absl::OkStatus();
    });
  }
  EXPECT_TRUE(worker.busy());
  EXPECT_THAT(worker.Wait(/*left=*/5), IsOk());
  open.count_down();
  EXPECT_THAT(worker.Wait(), IsOk());
  EXPECT_FALSE(worker.busy());
  EXPECT_THAT(done, testing::ElementsAre(0, 1, 2, 3, 4));
}

TEST(BackgroundWorkerTest, TasksAfterAFailure_AreDropped) {
  std::latch open(1);
  std::atomic<bool> done = false;
  internal::BackgroundWorker worker;
  worker.Start([&open] {
    open.wait();
    return absl::UnavailableError("first");
  });
  worker.Start([&done] {
    done = true;
    return absl::OkStatus();
  });
  open.count_down();
  EXPECT_THAT(worker.Wait(/*left=*/1), StatusIs(absl::StatusCode::kUnavailable, "first"));
  EXPECT_THAT(worker.Wait(), IsOk());
  EXPECT_FALSE(done);
  worker.Start([&done] {
    done = true;
    return absl::OkStatus();
  });
  EXPECT_THAT(worker.Wait(), IsOk());
  EXPECT_TRUE(done);
}

TEST(BackgroundWorkerTest, Destructor_WaitsForAllTasks) {
  int done = 0;
  {
    internal::BackgroundWorker worker;
    for (int i = 0; i < 100; ++i) {
      worker.Start([&done] {
        ++done;
        return absl::OkStatus();
      });
    }
  }
  EXPECT_EQ(done, 100);
}

}  // namespace
}  // namespace leafstore
