// Saves in the background.
#include <atomic>
#include <cstdint>
#include <functional>
#include <latch>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/manager.h"

#include "tests/checkpoint/crash_disk.h"
#include "tests/checkpoint/manager_fixtures.h"
#include "tests/checkpoint/models.h"
#include "tests/core/status_matchers.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Makes a save wait at its first progress report until `open` is counted down.
struct Gate {
  std::latch reached{1};
  std::latch open{1};
  std::atomic<bool> used{false};
  std::function<void(int64_t, int64_t)> Progress() {
    return [this](int64_t, int64_t) {
      if (used.exchange(true)) return;
      reached.count_down();
      open.wait();
    };
  }
};

TEST_F(ManagerTest, SaveAsync_IsNotAffectedByLaterWrites) {
  Gate gate;
  CheckpointManager manager = Open({.io = {.progress = gate.Progress()}});
  ParamStore params = StoreAt({{".a", Filled(1, 1 << 21)}, {".z", Filled(1, 1 << 21)}});
  const ParamStore before = params.Snapshot().value();
  ASSERT_TRUE(manager.SaveAsync(1, Items(params)).value());
  gate.reached.wait();
  // One leaf is in the file already, the other is not.
  for (const char* path : {".a", ".z"}) {
    params.Mutate(path)->span<float>()[0] = 99;
  }
  gate.open.count_down();
  ASSERT_THAT(manager.Wait(), IsOk());
  EXPECT_EQ(EntriesOf(manager.Restore().value().reader.Load("params").value()), EntriesOf(before));
}

TEST_F(ManagerTest, SaveAsync_WhileBusy_SkipsOrWaits) {
  for (const bool skip : {true, false}) {
    const std::string directory = absl::StrCat(dir_.path(), "/", skip);
    Gate gate;
    CheckpointManager manager =
        CheckpointManager::Open(
            directory,
            {.io = {.progress = gate.Progress()}, .retention = {.last = 9}, .skip_if_busy = skip})
            .value();
    ASSERT_TRUE(manager.SaveAsync(1, Items(Params(1))).value());
    gate.reached.wait();
    std::thread opener;
    if (!skip) {
      opener = std::thread([&gate] { gate.open.count_down(); });
    }
    const absl::StatusOr<bool> second = manager.SaveAsync(2, Items(Params(2)));
    if (opener.joinable()) {
      opener.join();
    } else {
      gate.open.count_down();
    }
    ASSERT_THAT(manager.Wait(), IsOk());
    EXPECT_EQ(second.value(), !skip);
    EXPECT_EQ(manager.Latest().value(), skip ? 1 : 2);
  }
}

TEST_F(ManagerTest, BackgroundFailure_IsReportedOnceByTheNextCall) {
  CrashDisk disk;
  CheckpointManager manager =
      CheckpointManager::Open("run", {.io = {.file_system = &disk}}).value();
  const auto fail_next = [&disk] {
    disk.fail_at = disk.calls;
    disk.failure = absl::ResourceExhaustedError("No space left on device");
  };
  fail_next();
  ASSERT_TRUE(manager.SaveAsync(1, Items(Params(1))).value());
  EXPECT_EQ(manager.Wait().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(manager.Wait(), IsOk());
  fail_next();
  ASSERT_TRUE(manager.SaveAsync(2, Items(Params(2))).value());
  absl::Status status;
  while (status.ok()) status = manager.SaveAsync(3, Items(Params(3))).status();
  EXPECT_THAT(
      status,
      StatusIs(absl::StatusCode::kResourceExhausted,
               testing::AllOf(HasSubstr("cannot save step 2: "),
                              HasSubstr("; the save of step 3 was not started: call it again"))));
  EXPECT_THAT(manager.Wait(), IsOk());
  EXPECT_THAT(manager.Steps().value(), IsEmpty());
}

TEST_F(ManagerTest, SaveAsync_WithAnOpenBorrow_FailsAtOnce) {
  CheckpointManager manager = Open();
  ParamStore params = Params(1);
  {
    const auto borrow = params.Mutate(".w").value();
    EXPECT_EQ(manager.SaveAsync(1, Items(params)).status().code(),
              absl::StatusCode::kFailedPrecondition);
  }
  EXPECT_THAT(manager.Wait(), IsOk());
}

TEST_F(ManagerTest, SaveAsync_ReleasesSavedLeaves) {
  CheckpointManager manager = Open();
  ParamStore params = Params(1);
  ASSERT_TRUE(manager.SaveAsync(1, Items(params)).value());
  ASSERT_THAT(manager.Wait(), IsOk());
  const void* before = params.Get(".w").value()->tensor().raw_data();
  params.Mutate(".w")->span<float>()[0] = 2;
  EXPECT_EQ(params.Get(".w").value()->tensor().raw_data(), before);  // not copied
}

}  // namespace
}  // namespace leafstore
