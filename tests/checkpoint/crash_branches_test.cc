// A crash while abandoned checkpoints are removed, and while tensors of several blocks are saved.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/manager.h"
#include "leafstore/store/param_store.h"

#include "tests/checkpoint/crash_disk.h"
#include "tests/checkpoint/models.h"
#include "tests/core/status_matchers.h"
#include "tests/dose.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

// `.each` changes at each step, `.second` at every second one.
ParamStore BranchParams(int64_t step, int branch, int64_t size) {
  return StoreAt({{".each", Filled(static_cast<float>(step * 10 + branch), 50)},
                  {".second", Filled(static_cast<float>(step / 2 * 10), size)}});
}

ManagerOptions IncrementalOn(FileSystem* disk) {
  ManagerOptions options;
  options.incremental = true;
  options.io.file_system = disk;
  return options;
}

// Saves a step, changing only the leaves that differ, so that increments have bases.
void SaveStep(CheckpointManager* manager, int64_t step, int branch, int64_t size,
              ParamStore* params) {
  const ParamStore next = BranchParams(step, branch, size);
  for (uint32_t place = 0; place < next.size(); ++place) {
    if (params->leaf(place) == next.leaf(place)) continue;
    ASSERT_THAT(params->Set(next.PathText(place), next.leaf(place)), IsOk());
  }
  ASSERT_THAT(manager->Save(step, {{"params", *params}}), IsOk());
}

// Saves 1 to 6, goes back to 3 and saves 4 and 5 again; goes back to 4 and saves 5.
void SaveBranches(CheckpointManager* manager) {
  ParamStore params = BranchParams(0, 0, 50);
  for (int64_t step = 1; step <= 6; ++step) {
    ASSERT_NO_FATAL_FAILURE(SaveStep(manager, step, 0, 50, &params));
  }
  ASSERT_THAT(manager->Restore({.step = 3, .and_continue = true}), IsOk());
  for (const int64_t step : {4, 5}) {
    ASSERT_NO_FATAL_FAILURE(SaveStep(manager, step, 1, 50, &params));
  }
  ASSERT_THAT(manager->Restore({.step = 4, .and_continue = true}), IsOk());
  ASSERT_NO_FATAL_FAILURE(SaveStep(manager, 5, 2, 50, &params));
}

// Requires that all files that exist are complete, and the live ones are those of SaveBranches.
// Returns how many were set aside.
int CheckBranches(CheckpointManager* manager, FileSystem* disk) {
  int abandoned = 0;
  std::vector<int64_t> live;
  const std::vector<RunCheckpoint> run = manager->ListRun().value();
  for (const RunCheckpoint& one : run) {
    EXPECT_THAT(one.status, IsOk()) << one.file_name;
    const CheckpointReader reader =
        CheckpointReader::Open("run/" + one.file_name, {.io = {.file_system = disk}}).value();
    EXPECT_THAT(reader.Verify(), IsOk()) << one.file_name;
    const ParamStore loaded = reader.Load("params").value();
    EXPECT_TRUE(LeafOf(loaded, 1) == LeafOf(BranchParams(one.step, 0, 50), 1)) << one.file_name;
    if (one.abandoned) {
      ++abandoned;
      continue;
    }
    live.push_back(one.step);
    const int branch = one.step <= 3 ? 0 : one.step == 4 ? 1 : 2;
    EXPECT_TRUE(LeafOf(loaded, 0) == LeafOf(BranchParams(one.step, branch, 50), 0))
        << one.file_name;
  }
  EXPECT_THAT(live, testing::UnorderedElementsAre(1, 2, 3, 4, 5));
  return abandoned;
}

// Each state after a crash has all live checkpoints, and those that were set aside with the bases
// that they need. The call can be repeated.
TEST(RemoveAbandonedTest, CrashAtAnyCall_LeavesNoIncompleteCheckpoint) {
  constexpr int kStatesACall = Dose(60, 300, 15);
  CrashDisk disk;
  std::mt19937 random(20261201);
  std::set<uint64_t> different;
  std::set<int> left;  // how many abandoned checkpoints were found
  CheckpointManager manager = CheckpointManager::Open("run", IncrementalOn(&disk)).value();
  ASSERT_NO_FATAL_FAILURE(SaveBranches(&manager));
  ASSERT_EQ(CheckBranches(&manager, &disk), 4);
  const auto check = [&](std::unique_ptr<CrashDisk> after) {
    if (!different.insert(after->Fingerprint()).second) return;
    SCOPED_TRACE(absl::StrCat("crash before call ", disk.calls));
    CheckpointManager again = CheckpointManager::Open("run", IncrementalOn(after.get())).value();
    left.insert(CheckBranches(&again, after.get()));
    ASSERT_EQ(again.Restore()->step, 5);
    ASSERT_THAT(again.RemoveAbandoned(), IsOk());
    ASSERT_EQ(CheckBranches(&again, after.get()), 0);
  };
  disk.before_each_call = [&](const std::string&) {
    if (testing::Test::HasFailure()) return;
    check(disk.AfterLosingAll());
    check(disk.AfterKeepingAll());
    for (int i = 0; i < kStatesACall; ++i) check(disk.AfterCrash(&random));
  };
  ASSERT_THAT(manager.RemoveAbandoned(), IsOk());
  disk.before_each_call("end");
  EXPECT_EQ(CheckBranches(&manager, &disk), 0);
  EXPECT_THAT(left, testing::ElementsAre(0, 1, 2, 3, 4));
}

TEST(RemoveAbandonedTest, FailureOfAnyCall_CanBeRetried) {
  for (int call = 0;; ++call) {
    SCOPED_TRACE(absl::StrCat("call ", call));
    CrashDisk disk;
    disk.failure = absl::UnknownError("Input/output error");
    CheckpointManager manager = CheckpointManager::Open("run", IncrementalOn(&disk)).value();
    ASSERT_NO_FATAL_FAILURE(SaveBranches(&manager));
    disk.fail_at = disk.calls + call;
    const absl::Status removed = manager.RemoveAbandoned();
    CheckBranches(&manager, &disk);
    if (!removed.ok()) {
      EXPECT_THAT(removed.message(), testing::HasSubstr(disk.failure.message()));
      ASSERT_THAT(manager.RemoveAbandoned(), IsOk());
    }
    EXPECT_EQ(CheckBranches(&manager, &disk), 0);
    ASSERT_FALSE(HasFailure());
    if (removed.ok() && disk.calls <= disk.fail_at) {
      EXPECT_GE(call, 4) << "four files are removed";
      return;
    }
  }
}

// Like CrashTest, with a tensor of two blocks, of which the last is partial.
TEST(LargeCrashTest, Crash_KeepsTensorsOfSeveralBlocks) {
  constexpr int kStatesACall = Dose(20, 100, 5);
  constexpr int64_t kFloats = 300'000;
  constexpr ReadMode kModes[] = {ReadMode::kMap, ReadMode::kRead, ReadMode::kDirect};
  CrashDisk disk;
  std::mt19937 random(20261201);
  std::set<uint64_t> different;
  int64_t committed = 0;
  size_t checked = 0;
  const auto check = [&](std::unique_ptr<CrashDisk> after) {
    if (!different.insert(after->Fingerprint()).second) return;
    SCOPED_TRACE(absl::StrCat("crash before call ", disk.calls, " after step ", committed));
    ManagerOptions options = IncrementalOn(after.get());
    options.io.mode = kModes[checked++ % std::size(kModes)];
    CheckpointManager manager = CheckpointManager::Open("run", std::move(options)).value();
    const auto restored = manager.Restore();
    if (committed == 0 && !restored.ok()) {
      ASSERT_EQ(restored.status().code(), absl::StatusCode::kNotFound) << restored.status();
      return;
    }
    ASSERT_THAT(restored, IsOk());
    ASSERT_GE(restored->step, committed);
    ASSERT_LE(restored->step, committed + 1);
    ASSERT_THAT(restored->skipped, testing::IsEmpty());
    const ParamStore expected = BranchParams(restored->step, 0, kFloats);
    ASSERT_TRUE(EntriesOf(restored->reader.Load("params").value()) == EntriesOf(expected));
    const Tensor rows =
        restored->reader.LoadRows("params", ".second", {kFloats - 100, kFloats}).value();
    ASSERT_TRUE(rows.bytes() == expected.leaf(1).tensor().bytes().last(400));
    ASSERT_EQ(restored->reader.GetItem("params")->entry(1).block_checksums.size(), 2u);
  };
  disk.before_each_call = [&](const std::string&) {
    if (testing::Test::HasFatalFailure()) return;
    check(disk.AfterLosingAll());
    check(disk.AfterKeepingAll());
    for (int i = 0; i < kStatesACall; ++i) check(disk.AfterCrash(&random));
  };
  CheckpointManager manager = CheckpointManager::Open("run", IncrementalOn(&disk)).value();
  ParamStore params = BranchParams(0, 0, kFloats);
  for (int64_t step = 1; step <= 6; ++step) {
    ASSERT_NO_FATAL_FAILURE(SaveStep(&manager, step, 0, kFloats, &params));
    committed = step;
  }
  disk.before_each_call("end");
  std::printf("%zu different crash states\n", different.size());
  EXPECT_GT(different.size(), 20u);
}

}  // namespace
}  // namespace leafstore
