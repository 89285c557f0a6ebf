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

// The parameters at a step: `.moving` changes at each step and differs between branches, `.seldom`
// at each third, `.frozen` never.
Tensor NumbersOf(const std::vector<float>& values) {
  return Tensor::From<float>({static_cast<int64_t>(values.size())}, values).value();
}
Tensor Moving(int64_t step, int branch = 0) {
  std::vector<float> values(300);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(step * 1000 + branch * 500'000) + static_cast<float>(i);
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

void Advance(int64_t step, ParamStore* params, int branch = 0) {
  ASSERT_THAT(params->Set(".moving", Moving(step, branch)), IsOk());
  if (step % 3 != 0) return;
  ASSERT_THAT(params->Set(".seldom", Seldom(step)), IsOk());
}

bool IsParamsOf(int64_t step, const ParamStore& params, int branch = 0) {
  return params.Get(".moving").value()->tensor() == Moving(step, branch) &&
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

// Training goes back: a crash while later checkpoints are set aside leaves each of them complete,
// under one of its names, and the run can go back again. Nor does a crash while the same steps are
// saved again lose one of either branch.
TEST_P(CrashTest, CrashWhileSettingAside_LosesNothing) {
  constexpr int kStatesACall = Dose(60, 300, 15);
  constexpr int64_t kNewest = 9;
  CrashDisk disk;
  std::mt19937 random(20261130);
  constexpr int64_t kTip = 4;
  int states = 0;
  int branch = 0;            // of the steps after kTip that were not set aside
  int64_t committed = kTip;  // the last step of this branch that was reported as saved
  std::set<uint64_t> different;
  std::vector<int64_t> before;  // the steps that existed when training went back
  const auto check = [&](std::unique_ptr<CrashDisk> after) {
    ++states;
    if (!different.insert(after->Fingerprint()).second) return;
    SCOPED_TRACE(absl::StrCat("crash before call ", disk.calls, ", state ", states));
    CheckpointManager manager =
        CheckpointManager::Open("run", OptionsFor(GetParam(), after.get())).value();
    const std::vector<RunCheckpoint> run = manager.ListRun().value();
    std::set<int64_t> first;  // the steps of the first branch that were found
    for (const RunCheckpoint& one : run) {
      ASSERT_THAT(one.status, IsOk());
      const int of_branch = one.abandoned || one.step <= kTip ? 0 : branch;
      ASSERT_TRUE(of_branch > 0 || first.insert(one.step).second) << one.step << " has two files";
      ASSERT_TRUE(branch == 0 || one.abandoned || one.step <= committed + 1) << one.file_name;
      const CheckpointReader reader =
          CheckpointReader::Open("run/" + one.file_name, {.io = {.file_system = after.get()}})
              .value();
      ASSERT_THAT(reader.Verify(), IsOk());
      ASSERT_TRUE(IsParamsOf(one.step, reader.Load("params").value(), of_branch)) << one.file_name;
    }
    for (const int64_t step : before) ASSERT_TRUE(first.contains(step)) << step;
    const RestoredCheckpoint newest = manager.Restore().value();
    ASSERT_THAT(newest.skipped, testing::IsEmpty()) << newest.skipped[0].second;
    ASSERT_GE(newest.step, committed);
    ASSERT_EQ(manager.Restore({.step = kTip, .and_continue = true})->step, kTip);
    ASSERT_THAT(manager.Steps().value(), testing::Contains(kTip).Times(1));
    ASSERT_EQ(manager.Latest().value(), kTip);
    ASSERT_THAT(manager.Save(5, {{"params", FirstParams()}}), IsOk());
    ASSERT_EQ(manager.Restore()->step, 5);
  };
  disk.before_each_call = [&](const std::string&) {
    if (testing::Test::HasFatalFailure() || before.empty()) return;
    check(disk.AfterLosingAll());
    check(disk.AfterKeepingAll());
    for (int i = 0; i < kStatesACall; ++i) check(disk.AfterCrash(&random));
  };
  ManagerOptions options = OptionsFor(GetParam(), &disk);
  options.retention.last = 5;
  CheckpointManager manager = CheckpointManager::Open("run", std::move(options)).value();
  ParamStore params = FirstParams();
  const auto save = [&](int64_t step) {
    ASSERT_NO_FATAL_FAILURE(Advance(step, &params, branch));
    ASSERT_THAT(manager.SaveAsync(step, {{"params", params}}), IsOk());
    ASSERT_THAT(manager.Wait(), IsOk());
    if (branch > 0) committed = step;
  };
  for (int64_t step = 1; step <= kNewest; ++step) ASSERT_NO_FATAL_FAILURE(save(step));
  before = manager.Steps().value();
  ASSERT_EQ(manager.Restore({.step = kTip, .and_continue = true})->step, kTip);
  if (HasFatalFailure()) return;
  // The steps are saved again with other values, beside those that were set aside.
  branch = 1;
  params = FirstParams();
  for (int64_t step = 1; step <= kTip; ++step) ASSERT_NO_FATAL_FAILURE(Advance(step, &params));
  for (int64_t step = kTip + 1; step <= 7; ++step) ASSERT_NO_FATAL_FAILURE(save(step));
  disk.before_each_call("end");
  std::printf("%d crash states, %zu of them different\n", states, different.size());
  EXPECT_GT(different.size(), kSanitized ? 20u : 40u);
}

// Each call while training goes back fails once: it can be repeated, and nothing is lost.
TEST(AndContinueTest, FailureOfAnyCall_LosesNothing) {
  for (int call = 0;; ++call) {
    SCOPED_TRACE(absl::StrCat("call ", call));
    CrashDisk disk;
    disk.failure = absl::UnknownError("Input/output error");
    ManagerOptions options = OptionsFor(How::kIncremental, &disk);
    options.retention = {};
    CheckpointManager manager = CheckpointManager::Open("run", std::move(options)).value();
    ParamStore params = FirstParams();
    for (int64_t step = 1; step <= 5; ++step) {
      ASSERT_NO_FATAL_FAILURE(Advance(step, &params));
      ASSERT_THAT(manager.Save(step, {{"params", params}}), IsOk());
    }
    disk.fail_at = disk.calls + call;
    const RestoreQuery query = {.step = 2, .and_continue = true};
    const absl::StatusOr<RestoredCheckpoint> restored = manager.Restore(query);
    if (!restored.ok()) {
      EXPECT_EQ(restored.status(), disk.failure);
      ASSERT_THAT(manager.Restore(query), IsOk());
    }
    const std::vector<RunCheckpoint> run = manager.ListRun().value();
    ASSERT_EQ(run.size(), 5u);
    for (const RunCheckpoint& one : run) {
      EXPECT_EQ(one.abandoned, one.step > 2);
      const CheckpointReader reader =
          CheckpointReader::Open("run/" + one.file_name, {.io = {.file_system = &disk}}).value();
      EXPECT_THAT(reader.Verify(), IsOk());
      EXPECT_TRUE(IsParamsOf(one.step, reader.Load("params").value()));
    }
    if (restored.ok()) {
      EXPECT_EQ(call, 4) << "three renames and a sync";
      return;
    }
  }
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
          // The step can be saved again, whether its file exists or not.
          if (call % 2 == 0) {
            ASSERT_THAT(manager.Save(step, {{"params", params}}), IsOk());
            saved = step;
          }
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
