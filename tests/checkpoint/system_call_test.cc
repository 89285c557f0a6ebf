// Every system call of saves, restores and cleanups fails once: no checkpoint that was reported as
// saved is lost, no file is incomplete, and interruptions (EINTR, short writes) have no effect.
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/manager.h"
#include "leafstore/checkpoint/reader.h"

#include "tests/checkpoint/system_calls.h"
#include "tests/core/status_matchers.h"
#include "tests/dose.h"
#include "tests/io/temp_dir.h"

namespace leafstore {
namespace {

constexpr int64_t kSteps = 5;

ParamStore ParamsOf(int64_t step) {
  const auto value = static_cast<float>(step);
  return ParamStore::FromEntries(
             {{Path::Parse(".moving").value(),
               Tensor::From<float>({3}, {value, value, value}).value()},
              {Path::Parse(".still").value(), Tensor::Zeros(DType::kF32, {5'000}).value()}})
      .value();
}

bool IsParamsOf(int64_t step, const ParamStore& params) {
  const ParamStore expected = ParamsOf(step);
  return params.size() == 2 && params.leaf(0) == expected.leaf(0) &&
         params.leaf(1) == expected.leaf(1);
}

ManagerOptions Options(bool incremental) {
  ManagerOptions options;
  options.retention.last = 2;
  options.incremental = incremental;
  return options;
}

// Saves several steps and continues after failures, as training would. Returns the last step that
// was reported as saved.
int64_t Train(const std::string& directory, bool async, bool incremental) {
  absl::StatusOr<CheckpointManager> manager =
      CheckpointManager::Open(directory, Options(incremental));
  // If one call fails, the second attempt opens; if all fail, none does.
  if (!manager.ok()) manager = CheckpointManager::Open(directory, Options(incremental));
  if (!manager.ok()) return 0;
  int64_t saved = 0;
  ParamStore params = ParamsOf(0);
  for (int64_t step = 1; step <= kSteps; ++step) {
    const ParamStore next = ParamsOf(step);
    EXPECT_THAT(params.Set(".moving", next.leaf(0)), IsOk());
    std::vector<CheckpointItem> items;
    items.emplace_back("params", params);
    absl::Status status;
    if (async) {
      status = manager->SaveAsync(step, std::move(items)).status();
      if (status.ok()) status = manager->Wait();
    } else {
      status = manager->Save(step, std::move(items));
    }
    if (status.ok()) saved = step;
    EXPECT_TRUE(status.ok() || absl::StrContains(status.message(), "run")) << status;
  }
  return saved;
}

void CheckDirectory(const std::string& directory, int64_t saved) {
  CheckpointManager manager = CheckpointManager::Open(directory, {.read_only = true}).value();
  const std::vector<int64_t> steps = manager.Steps().value();
  for (const int64_t step : steps) {
    const absl::StatusOr<RestoredCheckpoint> one = manager.Restore({.step = step});
    ASSERT_THAT(one, IsOk());
    ASSERT_TRUE(IsParamsOf(step, one->reader.Load("params").value())) << step;
  }
  const absl::StatusOr<RestoredCheckpoint> newest = manager.Restore();
  if (saved == 0 && !newest.ok()) return;
  ASSERT_THAT(newest, IsOk());
  ASSERT_GE(newest->step, saved);
}

struct Case {
  bool async;
  bool incremental;
};

class SystemCallTest : public testing::TestWithParam<Case> {
 protected:
  int64_t TrainIn(const std::string& directory) {
    return Train(directory, GetParam().async, GetParam().incremental);
  }
};

TEST_P(SystemCallTest, FailureOfAnyCall_LosesNoCheckpoint) {
  const std::vector<int> errors =
      kSanitized ? std::vector<int>{EIO} : std::vector<int>{EIO, ENOSPC, EINTR};
  int failed = 0;
  for (const std::string& call : FaultableCalls()) {
    for (const int error : errors) {
      bool more = true;
      for (int at = 0; more; ++at) {
        SCOPED_TRACE(absl::StrCat(call, " number ", at, " fails with errno ", error));
        const TempDir dir;
        SystemCallFault fault(call, at, error);
        int64_t saved = 0;
        {
          const WithFault with(&fault);
          saved = TrainIn(dir.File("run"));
        }
        more = fault.seen > at;
        if (more) ++failed;
        ASSERT_NO_FATAL_FAILURE(CheckDirectory(dir.File("run"), saved));
        // A failure makes at most one save fail; an interruption none.
        const bool is_continued = error == EINTR && (call == "pwrite" || call == "open" ||
                                                     call == "flock" || call == "close");
        ASSERT_GE(saved, is_continued ? kSteps : kSteps - 1);
      }
    }
  }
  std::printf("%d system calls failed\n", failed);
  EXPECT_GT(failed, 130 * static_cast<int>(errors.size()));
}

TEST_P(SystemCallTest, ShortWrites_AreContinued) {
  for (const long most : {1L, 7L, 4096L, 5000L}) {
    const TempDir dir;
    SystemCallFault fault("pwrite", 0, 0, most);
    int64_t saved = 0;
    {
      const WithFault with(&fault);
      saved = TrainIn(dir.File("run"));
    }
    EXPECT_EQ(saved, kSteps);
    EXPECT_GT(fault.seen, kSteps);
    CheckDirectory(dir.File("run"), saved);
  }
}

TEST_P(SystemCallTest, FullDisk_KeepsTheOldCheckpoints) {
  const TempDir dir;
  ASSERT_EQ(TrainIn(dir.File("run")), kSteps);
  SystemCallFault fault("pwrite", -1, ENOSPC);
  {
    const WithFault with(&fault);
    CheckpointManager manager =
        CheckpointManager::Open(dir.File("run"), Options(GetParam().incremental)).value();
    std::vector<CheckpointItem> items;
    items.emplace_back("params", ParamsOf(kSteps + 1));
    EXPECT_THAT(manager.Save(kSteps + 1, std::move(items)),
                StatusIs(absl::StatusCode::kResourceExhausted,
                         testing::HasSubstr("No space left on device")));
  }
  CheckDirectory(dir.File("run"), kSteps);
}

// An error of this process is not damage: no older checkpoint is restored instead.
TEST(RestoreCallTest, Restore_WithoutDescriptors_SkipsNothing) {
  const TempDir dir;
  ASSERT_EQ(Train(dir.File("run"), /*async=*/false, /*incremental=*/false), kSteps);
  CheckpointManager manager = CheckpointManager::Open(dir.File("run"), {.read_only = true}).value();
  for (const int error : {EMFILE, ENFILE, ENOMEM, EACCES}) {
    SystemCallFault fault("open", 0, error);
    const WithFault with(&fault);
    EXPECT_FALSE(manager.Restore().ok()) << error;
  }
  EXPECT_EQ(manager.Restore()->step, kSteps);
}

// A block that cannot be read is damage, wherever it is.
TEST(RestoreCallTest, Restore_WithAnUnreadableBlock_SkipsTheCheckpoint) {
  const TempDir dir;
  ASSERT_EQ(Train(dir.File("run"), /*async=*/false, /*incremental=*/false), kSteps);
  CheckpointManager manager = CheckpointManager::Open(dir.File("run"), {.read_only = true}).value();
  const RestoreQuery query = {.read = {.io = {.mode = ReadMode::kRead, .threads = 1}}};
  int reads = 0;
  for (bool more = true; more; ++reads) {
    SystemCallFault fault("pread", reads, EIO);
    // Read 1 brings the end of the file; if it fails, the footer in it is read alone.
    fault.count = reads == 1 ? 2 : 1;
    const WithFault with(&fault);
    const absl::StatusOr<RestoredCheckpoint> restored = manager.Restore(query);
    ASSERT_THAT(restored, IsOk()) << "read " << reads;
    more = !restored->skipped.empty();
    EXPECT_EQ(restored->step, more ? kSteps - 1 : kSteps) << "read " << reads;
  }
  EXPECT_GT(reads, 5);
}

// More than the buffers hold, so that a thread writes, past the page cache if the system allows it.
TEST(LargeSaveCallTest, EveryFailure_IsReportedOrHandled) {
  const TempDir dir;
  const std::string path = dir.File("a.leaf");
  const ParamStore params =
      ParamStore::FromEntries(
          {{Path::Parse(".large").value(), Tensor::Zeros(DType::kF32, {(5 << 20) + 77}).value()}})
          .value();
  int failed = 0, saved_after_all = 0;
  for (const std::string call : {"pwrite", "fcntl", "fsync", "close"}) {
    for (const int error : {EIO, ENOSPC, EINTR, EINVAL}) {
      bool more = true;
      for (int at = 0; more; ++at) {
        SCOPED_TRACE(absl::StrCat(call, " number ", at, " fails with errno ", error));
        SystemCallFault fault(call, at, error);
        absl::Status status;
        {
          const WithFault with(&fault);
          status = SaveCheckpoint(path, {{"params", params}});
        }
        more = fault.seen > at;
        if (more) ++failed;
        if (more && status.ok()) ++saved_after_all;
        if (status.ok()) {
          const auto reader = CheckpointReader::Open(path);
          ASSERT_THAT(reader, IsOk());
          ASSERT_EQ(reader->Load("params")->leaf(0), params.leaf(0));
          ASSERT_THAT(FileSystem::Posix().Remove(path), IsOk());
        } else {
          ASSERT_THAT(std::string(status.message()), testing::HasSubstr(dir.path()));
          // The directory is synced after the commit: the file exists then, and is complete.
          const bool committed = call == "fsync" && at == 1;
          ASSERT_EQ(CheckpointReader::Open(path).ok(), committed);
          if (committed) {
            ASSERT_THAT(FileSystem::Posix().Remove(path), IsOk());
          }
          ASSERT_THAT(dir.List(), testing::IsEmpty()) << "nothing is left behind";
        }
      }
    }
  }
  EXPECT_GT(failed, 20);
  EXPECT_GT(saved_after_all, 3) << "EINTR is continued, and direct writes are left where refused";
}

TEST(ReadCallTest, FailureOfAnyCall_ReturnsNoWrongValue) {
  const TempDir dir;
  const std::string path = dir.File("a.leaf");
  ASSERT_THAT(SaveCheckpoint(path, {{"params", ParamsOf(3)}}), IsOk());
  int failed = 0;
  for (const ReadMode mode : {ReadMode::kMap, ReadMode::kRead}) {
    for (const std::string& call : FaultableCalls()) {
      for (const int error : {EIO, EINTR, EFAULT}) {
        bool more = true;
        for (int at = 0; more; ++at) {
          SCOPED_TRACE(absl::StrCat(call, " number ", at, " fails with errno ", error));
          SystemCallFault fault(call, at, error);
          const WithFault with(&fault);
          const auto reader = CheckpointReader::Open(path, {.io = {.mode = mode}});
          const absl::StatusOr<ParamStore> params =
              reader.ok() ? reader->Load("params") : reader.status();
          more = fault.seen > at;
          if (more) ++failed;
          if (params.ok()) {
            EXPECT_TRUE(IsParamsOf(3, *params));
          } else {
            EXPECT_THAT(std::string(params.status().message()), testing::HasSubstr(path));
          }
        }
      }
    }
    SystemCallFault fault("pread", 0, 0, 10);
    const WithFault with(&fault);
    const auto reader = CheckpointReader::Open(path, {.io = {.mode = mode}});
    EXPECT_TRUE(IsParamsOf(3, reader->Load("params").value())) << "short reads are continued";
  }
  EXPECT_GT(failed, 20);
}

// Without renameat2, RenameNew creates a link, and without links it checks and renames.
TEST(RenameNewCallTest, UnsupportedCalls_AreReplaced) {
  FileSystem& files = FileSystem::Posix();
  for (const int no_renameat2 : {EINVAL, ENOSYS}) {
    for (const int no_link : {0, EPERM, ENOTSUP, ENOSYS}) {
      const TempDir dir;
      WriteFile(dir.File("a"), "new");
      WriteFile(dir.File("b"), "old");
      SystemCallFault rename_fault("renameat2", -1, no_renameat2);
      SystemCallFault link_fault("link", -1, no_link);
      const WithFault without_renameat2(&rename_fault);
      const WithFault without_link(&link_fault);
      EXPECT_EQ(files.RenameNew(dir.File("a"), dir.File("b")).code(),
                absl::StatusCode::kAlreadyExists);
      EXPECT_EQ(ReadFile(dir.File("b")), "old");
      EXPECT_THAT(files.RenameNew(dir.File("a"), dir.File("c")), IsOk());
      EXPECT_THAT(dir.List(), testing::UnorderedElementsAre("b", "c"));
      EXPECT_EQ(ReadFile(dir.File("c")), "new");
      EXPECT_EQ(rename_fault.seen, 2);
      EXPECT_EQ(link_fault.seen, 2);
    }
  }
}

TEST(RenameNewCallTest, FailedRemovalAfterALink_LeavesTheOldName) {
  const TempDir dir;
  WriteFile(dir.File("a"), "new");
  SystemCallFault rename_fault("renameat2", -1, EINVAL);
  SystemCallFault unlink_fault("unlink", 0, EIO);
  const WithFault without_renameat2(&rename_fault);
  const WithFault failing_unlink(&unlink_fault);
  EXPECT_FALSE(FileSystem::Posix().RenameNew(dir.File("a"), dir.File("b")).ok());
  EXPECT_THAT(dir.List(), testing::ElementsAre("a"));
}

TEST(RenameNewCallTest, OtherErrors_AreReported) {
  for (const int error : {ENOSPC, EIO, EACCES, EMLINK}) {
    const TempDir dir;
    WriteFile(dir.File("a"), "new");
    SystemCallFault rename_fault("renameat2", -1, EINVAL);
    SystemCallFault link_fault("link", -1, error);
    const WithFault without_renameat2(&rename_fault);
    const WithFault without_link(&link_fault);
    const absl::Status status = FileSystem::Posix().RenameNew(dir.File("a"), dir.File("b"));
    EXPECT_EQ(status.code(), absl::ErrnoToStatusCode(error));
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(dir.File("b")));
    EXPECT_THAT(dir.List(), testing::ElementsAre("a")) << "it is not renamed by other means";
  }
}

INSTANTIATE_TEST_SUITE_P(, SystemCallTest,
                         testing::Values(Case{false, false}, Case{false, true}, Case{true, false},
                                         Case{true, true}),
                         [](const auto& one) {
                           return absl::StrCat(one.param.async ? "Async" : "Sync",
                                               one.param.incremental ? "Incremental" : "Whole");
                         });

}  // namespace
}  // namespace leafstore
