// A crash at any moment of a run: in every possible state of the disk, the newest checkpoint that
// was reported as saved exists bit for bit, or a newer one that was being saved.
#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/manager.h"
#include "leafstore/store/param_store.h"

#include "tests/checkpoint/crash_disk.h"
#include "tests/core/status_matchers.h"
#include "tests/dose.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

constexpr int64_t kSteps = Dose(24, 60);
constexpr int64_t kStepsWithFailures = 8;

// The parameters at a step: `.moving` changes at each step, `.seldom` at each third, `.frozen`
// never.
Tensor NumbersOf(const std::vector<float>& values) {
  return Tensor::From<float>({static_cast<int64_t>(values.size())}, values).value();
}
Tensor Moving(int64_t step) {
  std::vector<float> values(300);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(step * 1000) + static_cast<float>(i);
  }
  return NumbersOf(values);
}
Tensor Seldom(int64_t step) {
  return NumbersOf(std::vector<float>(40, static_cast<float>(step / 3)));
}
Tensor Frozen() { return NumbersOf(std::vector<float>(64, 0.5f)); }

ParamStore FirstParams() {
  return StoreAt({{".moving", Moving(0)},
                  {".seldom", Seldom(0)},
                  {".frozen", Frozen()},
                  {".name", Value("digits")}});
}

void Advance(int64_t step, ParamStore* params) {
  ASSERT_THAT(params->Set(".moving", Moving(step)), IsOk());
  if (step % 3 != 0) return;
  ASSERT_THAT(params->Set(".seldom", Seldom(step)), IsOk());
}

bool IsParamsOf(int64_t step, const ParamStore& params) {
  return params.Get(".moving").value()->tensor() == Moving(step) &&
         params.Get(".seldom").value()->tensor() == Seldom(step) &&
         params.Get(".frozen").value()->tensor() == Frozen();
}

enum class How { kFull, kIncremental, kAsync, kAsyncIncremental };

ManagerOptions OptionsFor(How how, FileSystem* disk) {
  ManagerOptions options;
  options.retention.last = 2;
  options.retention.every = 4;
  options.incremental = how == How::kIncremental || how == How::kAsyncIncremental;
  options.io.file_system = disk;
  return options;
}

bool IsAsync(How how) { return how == How::kAsync || how == How::kAsyncIncremental; }

// Checks a disk after a crash, when `committed` (or 0) was the last step reported as saved.
void CheckDisk(CrashDisk* disk, int64_t committed, How how) {
  CheckpointManager manager = CheckpointManager::Open("run", OptionsFor(how, disk)).value();
  const absl::StatusOr<RestoredCheckpoint> restored = manager.Restore();
  if (committed == 0 && !restored.ok()) {
    ASSERT_EQ(restored.status().code(), absl::StatusCode::kNotFound) << restored.status();
    return;
  }
  ASSERT_THAT(restored, IsOk());
  ASSERT_GE(restored->step, committed);
  ASSERT_LE(restored->step, committed + 1);
  ASSERT_THAT(restored->skipped, testing::IsEmpty()) << restored->skipped[0].second;
  ASSERT_TRUE(IsParamsOf(restored->step, restored->reader.Load("params").value()));
  // No file is incomplete.
  const std::vector<int64_t> steps = manager.Steps().value();
  for (const int64_t step : steps) {
    const absl::StatusOr<RestoredCheckpoint> one = manager.Restore({.step = step});
    ASSERT_THAT(one, IsOk());
    ASSERT_TRUE(IsParamsOf(step, one->reader.Load("params").value())) << step;
  }
}

class CrashTest : public testing::TestWithParam<How> {};

TEST_P(CrashTest, Crash_KeepsTheNewestCommittedCheckpoint) {
  constexpr int kStatesACall = Dose(60, 300, 15);
  constexpr int kStatesASync = Dose(800, 4000, 200);  // where something is written and not synced
  CrashDisk disk;
  std::mt19937 random(20261122);
  int64_t committed = 0;
  int states = 0;
  std::set<uint64_t> different;
  const auto check = [&](std::unique_ptr<CrashDisk> after, const std::string& call) {
    SCOPED_TRACE(absl::StrCat("crash before call ", disk.calls, " (", call, ") after step ",
                              committed, ", state ", states));
    ++states;
    if (!different.insert(after->Fingerprint()).second) return;
    ASSERT_NO_FATAL_FAILURE(CheckDisk(after.get(), committed, GetParam()));
  };
  disk.before_each_call = [&](const std::string& call) {
    if (testing::Test::HasFatalFailure()) return;
    check(disk.AfterLosingAll(), call);
    check(disk.AfterKeepingAll(), call);
    const int more = call == "sync" ? kStatesASync : kStatesACall;
    for (int i = 0; i < more; ++i) check(disk.AfterCrash(&random), call);
  };
  {
    CheckpointManager manager =
        CheckpointManager::Open("run", OptionsFor(GetParam(), &disk)).value();
    ParamStore params = FirstParams();
    for (int64_t step = 1; step <= kSteps; ++step) {
      ASSERT_NO_FATAL_FAILURE(Advance(step, &params));
      std::vector<CheckpointItem> items;
      items.emplace_back("params", params);
      if (IsAsync(GetParam())) {
        ASSERT_THAT(manager.SaveAsync(step, std::move(items)), IsOk());
        // This write must not affect the snapshot.
        ASSERT_THAT(params.Set(".moving", Moving(-step)), IsOk());
        ASSERT_THAT(manager.Wait(), IsOk());
      } else {
        ASSERT_THAT(manager.Save(step, std::move(items)), IsOk());
      }
      if (HasFatalFailure()) return;
      committed = step;
    }
  }
  disk.before_each_call("end");
  RecordProperty("crash_states", states);
  std::printf("%d crash states, %zu of them different\n", states, different.size());
  EXPECT_GT(different.size(), kSanitized ? 600u : 2500u);
}

// Every call that changes something fails once, with every error of a disk.
TEST_P(CrashTest, FailureOfAnyCall_LosesNothing) {
  const std::vector<absl::Status> failures = {absl::InternalError("Input/output error"),
                                              absl::ResourceExhaustedError("No space left"),
                                              absl::UnavailableError("Interrupted")};
  int failed = 0;
  bool more = true;
  for (int call = 0; more; ++call) {
    more = false;
    for (const absl::Status& failure : failures) {
      CrashDisk disk;
      disk.fail_at = call;
      disk.failure = failure;
      SCOPED_TRACE(absl::StrCat("call ", call, ": ", failure.message()));
      auto opened = CheckpointManager::Open("run", OptionsFor(GetParam(), &disk));
      if (!opened.ok()) {
        EXPECT_EQ(opened.status(), failure);
        opened = CheckpointManager::Open("run", OptionsFor(GetParam(), &disk));
        more = true;
      }
      CheckpointManager manager = std::move(opened).value();
      ParamStore params = FirstParams();
      int64_t saved = 0;
      for (int64_t step = 1; step <= kStepsWithFailures; ++step) {
        ASSERT_NO_FATAL_FAILURE(Advance(step, &params));
        std::vector<CheckpointItem> items;
        items.emplace_back("params", params);
        absl::Status status;
        if (IsAsync(GetParam())) {
          ASSERT_THAT(manager.SaveAsync(step, std::move(items)), IsOk());
          status = manager.Wait();
        } else {
          status = manager.Save(step, std::move(items));
        }
        if (status.ok()) {
          saved = step;
        } else {
          more = true;
          ++failed;
          EXPECT_EQ(status.code(), failure.code()) << status;
        }
        if (saved == 0) continue;
        const auto restored = manager.Restore();
        ASSERT_THAT(restored, IsOk());
        ASSERT_GE(restored->step, saved);
        ASSERT_TRUE(IsParamsOf(restored->step, restored->reader.Load("params").value()));
      }
      ASSERT_GE(saved, kStepsWithFailures - 1);  // the very last call may be the one that failed
    }
  }
  EXPECT_GT(failed, 50);
}

std::string NameOf(const testing::TestParamInfo<How>& how) {
  switch (how.param) {
    case How::kFull:
      return "Whole";
    case How::kIncremental:
      return "Incremental";
    case How::kAsync:
      return "Async";
    case How::kAsyncIncremental:
      return "AsyncIncremental";
  }
  return "";
}

INSTANTIATE_TEST_SUITE_P(All, CrashTest,
                         testing::Values(How::kFull, How::kIncremental, How::kAsync,
                                         How::kAsyncIncremental),
                         NameOf);

}  // namespace
}  // namespace leafstore
