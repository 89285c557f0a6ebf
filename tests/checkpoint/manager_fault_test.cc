// Faults of directories, disks and processes.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/manager.h"

#include "tests/checkpoint/hooked_files.h"
#include "tests/checkpoint/manager_fixtures.h"
#include "tests/checkpoint/models.h"
#include "tests/core/status_matchers.h"
#include "tests/exit_child.h"
#include "tests/io/temp_dir.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ManagerFaultTest : public RunDirectoryTest {
 protected:
  static std::vector<CheckpointItem> Items(float value) {
    std::vector<CheckpointItem> items;
    items.emplace_back("params", StoreAt({{".w", Filled(value, 100)}}));
    return items;
  }
  absl::Status Save(CheckpointManager* manager, int64_t step) {
    return manager->Save(step, Items(static_cast<float>(step)));
  }
  static float Loaded(const RestoredCheckpoint& restored) {
    return restored.reader.LoadLeaf("params", ".w")->tensor().span<float>()[0];
  }
};

TEST_F(ManagerFaultTest, FailedSyncOfTheDirectory_CanBeRetried) {
  for (const bool async : {false, true}) {
    const int64_t step = async ? 3 : 2;
    CheckpointManager manager = Open({.incremental = true});
    ASSERT_THAT(async ? manager.Restore().status() : Save(&manager, 1), IsOk());
    const auto save = [&](float value) -> absl::Status {
      if (!async) return manager.Save(step, Items(value));
      const absl::Status started = manager.SaveAsync(step, Items(value)).status();
      return started.ok() ? manager.Wait() : started;
    };
    files_.before_sync = [](const std::string&) { return absl::UnknownError("bad disk"); };
    EXPECT_THAT(save(20), StatusIs(absl::StatusCode::kUnknown, HasSubstr("bad disk")));
    EXPECT_EQ(save(21).code(), absl::StatusCode::kUnknown);
    files_.before_sync = nullptr;
    EXPECT_THAT(save(22), IsOk());
    EXPECT_EQ(Loaded(manager.Restore().value()), 22);
    EXPECT_EQ(save(23).code(), absl::StatusCode::kAlreadyExists) << "it was saved";
    EXPECT_EQ(manager.Restore()->reader.run()->parent->name, FileNameOf(manager.PathOf(step - 1)));
  }
}

TEST_F(ManagerFaultTest, FailedRemovalOfAnOldOne_CanBeRetried) {
  CheckpointManager manager = Open({.retention = {.last = 1}});
  ASSERT_THAT(Save(&manager, 1), IsOk());
  int syncs = 0;
  files_.before_sync = [&syncs](const std::string&) {
    return ++syncs == 2 ? absl::UnknownError("bad disk") : absl::OkStatus();
  };
  EXPECT_THAT(Save(&manager, 2),
              StatusIs(absl::StatusCode::kUnknown,
                       HasSubstr(absl::StrCat("saved ", manager.PathOf(2),
                                              ", but cannot remove an older checkpoint: "))));
  EXPECT_THAT(Save(&manager, 2), IsOk());
  EXPECT_EQ(Loaded(manager.Restore().value()), 2);
  EXPECT_THAT(manager.Steps().value(), ElementsAre(2));
}

// Syncing the directory after files were set aside is repeated, too.
TEST_F(ManagerFaultTest, FailedAndContinue_CanBeRetried) {
  CheckpointManager manager = Open();
  for (const int64_t step : {1, 2, 3}) ASSERT_THAT(Save(&manager, step), IsOk());
  int syncs = 0;
  files_.before_sync = [&syncs](const std::string&) {
    return ++syncs == 1 ? absl::UnknownError("bad disk") : absl::OkStatus();
  };
  const RestoreQuery query = {.step = 1, .and_continue = true};
  EXPECT_EQ(manager.Restore(query).status().code(), absl::StatusCode::kUnknown);
  EXPECT_EQ(manager.Restore(query)->step, 1);
  EXPECT_EQ(syncs, 2);
  EXPECT_THAT(manager.Steps().value(), ElementsAre(1));
}

TEST_F(ManagerFaultTest, UnreadableBlock_IsSkippedLikeDamage) {
  for (const ReadMode mode : {ReadMode::kMap, ReadMode::kRead}) {
    for (const int64_t byte : {int64_t{3}, int64_t{70}, int64_t{-5}}) {
      SCOPED_TRACE(absl::StrCat("byte ", byte));
      std::filesystem::remove_all(dir_.File("run"));
      CheckpointManager manager = Open({.retention = {.last = 2}});
      for (const int64_t step : {1, 2, 3}) ASSERT_THAT(Save(&manager, step), IsOk());
      const auto size = static_cast<int64_t>(std::filesystem::file_size(manager.PathOf(3)));
      files_.bad_file = manager.PathOf(3);
      files_.bad_byte = byte < 0 ? size + byte : byte;
      const auto restored = manager.Restore({.read = {.io = {.mode = mode}}});
      ASSERT_THAT(restored, IsOk());
      EXPECT_EQ(restored->step, 2);
      ASSERT_THAT(restored->skipped, SizeIs(1));
      EXPECT_THAT(restored->skipped[0].second.message(),
                  AllOf(HasSubstr(manager.PathOf(3)), HasSubstr("Input/output error")));
      EXPECT_EQ(manager.Restore({.step = 3, .read = {.io = {.mode = mode}}}).status().code(),
                absl::StatusCode::kDataLoss);
      // The run continues, and its file is not lost.
      files_.bad_file = "";
      ASSERT_THAT(Save(&manager, 3), IsOk());
      EXPECT_EQ(manager.Restore()->step, 3);
      EXPECT_THAT(Names(), Contains(HasSubstr("abandoned-")));
    }
  }
}

// Such an error says nothing about the file.
TEST_F(ManagerFaultTest, ErrorOfTheProcess_StopsRestore) {
  CheckpointManager manager = Open();
  for (const int64_t step : {1, 2}) ASSERT_THAT(Save(&manager, step), IsOk());
  for (const int error : {EMFILE, ENFILE, ENOMEM, EACCES}) {
    files_.before_open = [&](const std::string& path) {
      return path == manager.PathOf(2) ? absl::ErrnoToStatus(error, path) : absl::OkStatus();
    };
    const auto restored = manager.Restore();
    EXPECT_EQ(restored.status().code(), absl::ErrnoToStatus(error, "").code()) << error;
  }
  files_.before_open = nullptr;
  EXPECT_EQ(manager.Restore()->step, 2);
}

TEST_F(ManagerFaultTest, LinkToNothing_IsSkippedAndReported) {
  CheckpointManager manager = Open({.retention = {.last = 1}});
  ASSERT_THAT(Save(&manager, 1), IsOk());
  std::filesystem::create_symlink("/nowhere", manager.PathOf(2));
  EXPECT_THAT(Save(&manager, 10),
              StatusIs(absl::StatusCode::kUnknown,
                       AllOf(HasSubstr("but kept all checkpoints below one that cannot be read"),
                             HasSubstr(manager.PathOf(2)))));
  for (const int64_t step : {20, 30}) ASSERT_THAT(Save(&manager, step), IsOk());
  EXPECT_THAT(manager.Steps().value(), ElementsAre(1, 2, 30))
      << "retention goes on, but the target of the link may come back and need 1";
  EXPECT_EQ(manager.ListRun()->size(), 3);
  EXPECT_EQ(manager.Restore()->step, 30);
  EXPECT_THAT(manager.Remove(30), IsOk());
}

TEST_F(ManagerFaultTest, DirectoryOrPipe_IsSkippedAndReported) {
  for (const bool pipe : {false, true}) {
    std::filesystem::remove_all(dir_.File("run"));
    CheckpointManager manager = Open({.retention = {.last = 1}});
    const std::string odd = manager.PathOf(3);
    ASSERT_EQ(pipe ? mkfifo(odd.c_str(), 0600) : mkdir(odd.c_str(), 0700), 0);
    {
      CheckpointManager other = Open({.read_only = true});
      EXPECT_EQ(other.Restore().status().code(), absl::StatusCode::kDataLoss);
    }
    ASSERT_THAT(manager.Restore(),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("not a regular file")));
    ASSERT_THAT(Save(&manager, 1), IsOk()) << "it is set aside, as it is not below 1";
    EXPECT_TRUE(std::filesystem::exists(dir_.File("run/abandoned-" + FileNameOf(odd))));
    ASSERT_EQ(pipe ? mkfifo(odd.c_str(), 0600) : mkdir(odd.c_str(), 0700), 0);
    const RestoredCheckpoint restored = manager.Restore().value();
    EXPECT_EQ(restored.step, 1);
    EXPECT_EQ(restored.skipped[0].first, 3);
    ASSERT_THAT(Save(&manager, 2), IsOk());
    EXPECT_THAT(manager.Steps().value(), ElementsAre(2)) << "retention goes on";
    ASSERT_THAT(Save(&manager, 3), IsOk());
    // Where Restore has not found it, Save reports it once.
    ASSERT_EQ(mkdir(manager.PathOf(0).c_str(), 0700), 0);
    EXPECT_THAT(
        Save(&manager, 4),
        StatusIs(absl::StatusCode::kFailedPrecondition,
                 AllOf(HasSubstr(absl::StrCat("saved ", manager.PathOf(4), ", but ignored ",
                                              manager.PathOf(0), ", which is not a checkpoint: ")),
                       HasSubstr("; move it away"))));
    EXPECT_THAT(manager.Steps().value(), ElementsAre(0, 4));
    EXPECT_THAT(Save(&manager, 5), IsOk());
    EXPECT_THAT(manager.Steps().value(), ElementsAre(0, 5));
  }
}

TEST_F(ManagerFaultTest, RetentionThatCannotReadAFile_IsReported) {
  {
    CheckpointManager manager = Open();
    for (const int64_t step : {1, 2}) ASSERT_THAT(Save(&manager, step), IsOk());
  }
  CheckpointManager manager = Open({.retention = {.last = 1}});
  files_.before_open = [&](const std::string& path) {
    return path == manager.PathOf(2) ? absl::ErrnoToStatus(EACCES, path) : absl::OkStatus();
  };
  EXPECT_THAT(Save(&manager, 3), StatusIs(absl::StatusCode::kPermissionDenied,
                                          AllOf(HasSubstr("saved "), HasSubstr(", but kept all"))));
  EXPECT_THAT(manager.Steps().value(), ElementsAre(1, 2, 3)) << "2 may need 1";
  files_.before_open = nullptr;
  EXPECT_THAT(Save(&manager, 4), IsOk());
  EXPECT_THAT(manager.Steps().value(), ElementsAre(4));
}

// A trainer saves and removes while another process restores.
TEST_F(ManagerFaultTest, FilesThatVanish_AreListedAgain) {
  for (const bool incremental : {false, true}) {
    std::filesystem::remove_all(dir_.File("run"));
    CheckpointManager trainer =
        CheckpointManager::Open(dir_.File("run"), {.io = {.durable = false},
                                                   .retention = {.last = 1},
                                                   .incremental = incremental,
                                                   .full_every = incremental ? size_t{2} : 0})
            .value();
    ParamStore params = StoreAt({{".w", Filled(1, 100)}, {".frozen", Filled(7, 5000)}});
    int64_t step = 0;
    const auto save = [&] {
      std::vector<CheckpointItem> items;
      items.emplace_back("params", params);
      ASSERT_THAT(trainer.Save(++step, std::move(items)), IsOk());
    };
    save();
    save();
    CheckpointManager reader = Open({.read_only = true});
    int opened = 0;
    files_.before_open = [&](const std::string&) {
      if (++opened <= 6) {
        save();
        save();
      }
      return absl::OkStatus();
    };
    const auto restored = reader.Restore();
    ASSERT_THAT(restored, IsOk());
    EXPECT_THAT(restored->skipped, IsEmpty());
    EXPECT_EQ(restored->step, step);
    files_.before_open = nullptr;
  }
}

TEST_F(ManagerFaultTest, NewDirectory_IsSyncedInTheOneAbove) {
  std::vector<std::string> synced;
  files_.before_sync = [&synced](const std::string& path) {
    synced.push_back(path);
    return synced.size() == 1 ? absl::UnknownError("bad disk") : absl::OkStatus();
  };
  const auto open = [&](const std::string& path, bool durable) {
    return CheckpointManager::Open(path, {.io = {.durable = durable, .file_system = &files_}})
        .status();
  };
  EXPECT_EQ(open(dir_.File("run"), true).code(), absl::StatusCode::kUnknown);
  EXPECT_THAT(open(dir_.File("run//"), true), IsOk()) << "it is synced again";
  EXPECT_THAT(synced, ElementsAre(dir_.path(), dir_.path()));
  EXPECT_THAT(open(dir_.File("run"), true), IsOk());
  EXPECT_THAT(open(dir_.File("other"), false), IsOk());
  EXPECT_THAT(synced, SizeIs(2));
}

TEST_F(ManagerFaultTest, LockThatIsALink_IsRefused) {
  ASSERT_EQ(mkdir(dir_.File("run").c_str(), 0700), 0);
  const std::string target = dir_.File("target");
  ASSERT_EQ(symlink(target.c_str(), dir_.File("run/LOCK").c_str()), 0);
  EXPECT_THAT(CheckpointManager::Open(dir_.File("run")).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("run/LOCK"), HasSubstr("symbolic link"))));
  EXPECT_FALSE(std::filesystem::exists(target));
}

TEST_F(ManagerFaultTest, Open_RemovesOnlyNamesThatLeafstoreMakes) {
  { const CheckpointManager manager = Open(); }
  const std::string step = "step-00000000000000000007.leaf";
  const std::vector<std::string> mine = {
      step + ".tmp-",      step + ".tmp-backup", step + ".tmp-1",      step + ".tmp-1-",
      step + ".tmp-1-2-3", step + ".tmp-1-x",    "step-7.leaf.tmp-1-2"};
  for (const std::string& name : mine) WriteFile(dir_.File("run/" + name), "mine");
  WriteFile(dir_.File("run/" + step + ".tmp-123-0"), "half");
  const std::string directory = step + ".tmp-123-1";
  ASSERT_EQ(mkdir(dir_.File("run/" + directory).c_str(), 0700), 0);
  { const CheckpointManager manager = Open(); }
  std::vector<std::string> names = Names();
  std::erase(names, "LOCK");
  std::erase(names, directory);
  EXPECT_THAT(names, testing::UnorderedElementsAreArray(mine));
  EXPECT_TRUE(std::filesystem::exists(dir_.File("run/" + directory)));
}

// Runs `work` in a forked process, and returns whether it returned true, in time.
bool InChild(const std::function<bool()>& work) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);  // ends a process that waits for ever
    ExitChild(work() ? 0 : 1);
  }
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_F(ManagerFaultTest, ForkedProcess_IsRefused) {
  auto manager = std::make_unique<CheckpointManager>(Open());
  ASSERT_THAT(Save(manager.get(), 1), IsOk());
  const auto refused = [](const absl::Status& status) {
    return absl::IsFailedPrecondition(status) && absl::StrContains(status.message(), "fork");
  };
  EXPECT_TRUE(InChild([&] {
    return refused(Save(manager.get(), 2)) && refused(manager->SaveAsync(2, Items(2)).status()) &&
           refused(manager->Wait()) && refused(manager->Remove(1)) &&
           refused(manager->Restore().status()) && manager->Latest().value() == 1;
  }));
  // Destroying it there waits for nothing and releases nothing.
  EXPECT_TRUE(InChild([&] {
    manager.reset();
    return absl::IsFailedPrecondition(CheckpointManager::Open(dir_.File("run")).status());
  }));
  EXPECT_EQ(CheckpointManager::Open(dir_.File("run")).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Save(manager.get(), 2), IsOk());
}

TEST_F(ManagerFaultTest, Lock_EndsWithTheManagerAlthoughAChildLives) {
  auto manager = std::make_unique<CheckpointManager>(Open());
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    char byte = 0;
    close(pipe_ends[1]);
    _exit(read(pipe_ends[0], &byte, 1) == 0 ? 0 : 1);  // until the parent closes its end
  }
  manager.reset();
  EXPECT_THAT(CheckpointManager::Open(dir_.File("run")), IsOk());
  close(pipe_ends[1]);
  close(pipe_ends[0]);
  EXPECT_EQ(waitpid(child, nullptr, 0), child);
}

}  // namespace
}  // namespace leafstore
