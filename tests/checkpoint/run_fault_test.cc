// Damage and read errors in a run with branches: nothing that is needed is lost, no branch that
// training has left comes back, and training is never blocked.
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/internal/checkpoint_access.h"
#include "leafstore/checkpoint/manager.h"
#include "leafstore/core/error_reason.h"

#include "tests/checkpoint/forge.h"
#include "tests/checkpoint/hooked_files.h"
#include "tests/checkpoint/manager_fixtures.h"
#include "tests/checkpoint/models.h"
#include "tests/core/status_matchers.h"
#include "tests/io/temp_dir.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using internal::CheckpointAccess;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class RunFaultTest : public RunDirectoryTest {
 protected:
  CheckpointManager Open(ManagerOptions options = {}) {
    options.io.durable = false;
    return RunDirectoryTest::Open(std::move(options));
  }
  std::vector<CheckpointItem> Items() {
    std::vector<CheckpointItem> items;
    items.emplace_back("params", params_);
    return items;
  }
  // Changes `.w`, and with `frozen` also `.frozen`, and saves.
  absl::Status Save(CheckpointManager* manager, int64_t step, bool frozen = false) {
    EXPECT_THAT(params_.Set(".w", Filled(static_cast<float>(step), 100)), IsOk());
    if (frozen) {
      EXPECT_THAT(params_.Set(".frozen", Filled(7, 5000)), IsOk());
    }
    return manager->Save(step, Items());
  }
  void SaveAll(CheckpointManager* manager, const std::vector<int64_t>& steps) {
    for (const int64_t step : steps) ASSERT_THAT(Save(manager, step), IsOk());
  }
  std::string NameOf(int64_t step) {
    return absl::StrCat("step-", absl::Dec(step, absl::kZeroPad20), ".leaf");
  }
  absl::Status Verified(const std::string& name) {
    const auto reader = CheckpointReader::Open(PathOf(name));
    return reader.ok() ? reader->Verify() : reader.status();
  }

  ParamStore params_ = StoreAt({{".w", Filled(0, 100)}, {".frozen", Filled(7, 5000)}});
};

// The disk cannot read the newest checkpoint, and later it can.
TEST_F(RunFaultTest, SaveBelowADamagedNewest_SetsItAside) {
  {
    CheckpointManager manager = Open();
    SaveAll(&manager, {200, 300});
    files_.bad_file = manager.PathOf(300);
    files_.bad_byte = 70;
  }
  {
    CheckpointManager manager = Open();
    ASSERT_EQ(manager.Restore()->step, 200);
    files_.bad_file = "";
    ASSERT_THAT(Save(&manager, 250), IsOk());
  }
  CheckpointManager manager = Open();
  EXPECT_EQ(manager.Restore()->step, 250);
  EXPECT_THAT(manager.Steps().value(), ElementsAre(200, 250));
  EXPECT_THAT(Verified("abandoned-" + NameOf(300)), IsOk()) << "it is not lost";
}

TEST_F(RunFaultTest, SaveBelowADamagedNewest_ThatRestoreHasNotFound_IsAnError) {
  {
    CheckpointManager manager = Open();
    SaveAll(&manager, {200, 300});
  }
  WriteFile(PathOf(NameOf(300)), "");
  CheckpointManager manager = Open();
  const absl::Status status = Save(&manager, 250);
  EXPECT_THAT(status,
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("expected a step above 300, the newest in "),
                             HasSubstr(", which cannot be opened ("), HasSubstr("call Restore"))));
  EXPECT_EQ(ReasonOf(status), ErrorReason::kBehindNewest);
  EXPECT_EQ(ReasonOf(Save(&manager, 300)), ErrorReason::kExists);
  ASSERT_EQ(manager.Restore()->step, 200);
  EXPECT_THAT(Save(&manager, 250), IsOk());
  EXPECT_THAT(Names(), Contains("abandoned-" + NameOf(300)));
}

TEST_F(RunFaultTest, FirstSaveAfterAnEarlierOneWasRestored_IsAnError) {
  {
    CheckpointManager manager = Open();
    SaveAll(&manager, {100, 200, 300});
  }
  CheckpointManager manager = Open();
  ASSERT_EQ(manager.Restore({.step = 200})->step, 200);
  const absl::Status status = Save(&manager, 400);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition,
                               HasSubstr("cannot save step 400: step 200 was restored, but step "
                                         "300 exists; restore step 200 with and_continue, or the "
                                         "newest")));
  EXPECT_EQ(ReasonOf(status), ErrorReason::kBehindNewest);
  EXPECT_THAT(manager.Steps().value(), ElementsAre(100, 200, 300));
  ASSERT_EQ(manager.Restore()->step, 300);
  EXPECT_THAT(Save(&manager, 400), IsOk());
}

// What Restore has skipped does not stop the next save.
TEST_F(RunFaultTest, FirstSaveAfterRestoreSkippedTheNewest_Continues) {
  {
    CheckpointManager manager = Open();
    SaveAll(&manager, {200, 300});
  }
  WriteFile(PathOf(NameOf(300)),
            WithVersions(ReadFile(PathOf(NameOf(300))), {.producer = 9, .min_reader = 9}));
  CheckpointManager manager = Open();
  ASSERT_EQ(manager.Restore()->step, 200);
  EXPECT_EQ(ReasonOf(Save(&manager, 250)), ErrorReason::kBehindNewest) << "it may be intact";
  EXPECT_THAT(Save(&manager, 400), IsOk());
}

TEST_F(RunFaultTest, TransientReadError_DoesNotRemoveBases) {
  {
    CheckpointManager manager = Open({.incremental = true});
    SaveAll(&manager, {1, 2});
  }
  CheckpointManager manager = Open({.retention = {.last = 1, .every = 2}});
  files_.before_open = [&](const std::string& path) {
    return path == PathOf(NameOf(2)) ? absl::ErrnoToStatus(EIO, path) : absl::OkStatus();
  };
  EXPECT_THAT(Save(&manager, 5),
              StatusIs(absl::StatusCode::kUnknown,
                       AllOf(HasSubstr("saved "), HasSubstr("kept all checkpoints below"),
                             HasSubstr(NameOf(2)))));
  EXPECT_THAT(Save(&manager, 7), IsOk()) << "it is reported once";
  EXPECT_THAT(manager.Steps().value(), ElementsAre(1, 2, 7)) << "2 cannot need 5";
  files_.before_open = nullptr;
  EXPECT_THAT(Save(&manager, 9), IsOk());
  EXPECT_THAT(manager.Steps().value(), ElementsAre(1, 2, 9));
  EXPECT_THAT(Verified(NameOf(2)), IsOk());
}

// What cannot be read at all may need any file below it, but does not stop retention.
TEST_F(RunFaultTest, FileOfANewerVersion_KeepsOnlyWhatIsBelowIt) {
  {
    CheckpointManager manager = Open();
    SaveAll(&manager, {1, 2});
  }
  WriteFile(PathOf(NameOf(2)),
            WithVersions(ReadFile(PathOf(NameOf(2))), {.producer = 9, .min_reader = 9}));
  CheckpointManager manager = Open({.retention = {.last = 1}});
  SaveAll(&manager, {3, 4, 5});
  EXPECT_THAT(manager.Steps().value(), ElementsAre(1, 2, 5));
  EXPECT_THAT(manager.Remove(1), StatusIs(absl::StatusCode::kFailedPrecondition,
                                          HasSubstr("the checkpoint of step 2 may need it: ")));
  SaveAll(&manager, {6});
  EXPECT_THAT(manager.Remove(6), IsOk());
}

// On NFS, a file that another process has removed is ESTALE.
TEST_F(RunFaultTest, FileThatVanishesFromANetworkDisk_IsNotAnError) {
  CheckpointManager manager = Open();
  SaveAll(&manager, {1, 2});
  bool removes = false;
  files_.before_open = [&](const std::string& path) {
    if (path != PathOf(NameOf(2))) return absl::OkStatus();
    if (removes) std::filesystem::remove(path);
    return absl::ErrnoToStatus(ESTALE, path);
  };
  EXPECT_THAT(manager.Restore(), StatusIs(absl::StatusCode::kAborted, HasSubstr(NameOf(2))));
  removes = true;
  const RestoredCheckpoint restored = manager.Restore().value();
  EXPECT_EQ(restored.step, 1);
  EXPECT_TRUE(restored.skipped.empty());
}

TEST_F(RunFaultTest, RestoreAfterTheFirstSaveFailed_SetsTheParent) {
  {
    CheckpointManager manager = Open();
    SaveAll(&manager, {300});
  }
  CheckpointManager manager = Open();
  files_.fail_at = files_.calls;
  ASSERT_FALSE(Save(&manager, 350).ok());
  ASSERT_EQ(manager.Restore()->step, 300);
  ASSERT_THAT(Save(&manager, 400), IsOk());
  EXPECT_EQ(CheckpointReader::Open(PathOf(NameOf(400)))->run()->parent->name, NameOf(300));
}

// Its other leaves can still be read.
TEST_F(RunFaultTest, DamagedCheckpoint_KeepsItsBases) {
  CheckpointManager manager = Open({.retention = {.last = 1}, .incremental = true});
  SaveAll(&manager, {1, 2});
  Damage(manager.PathOf(2));
  ASSERT_EQ(manager.Restore({.step = 2}).status().code(), absl::StatusCode::kDataLoss);
  SaveAll(&manager, {3});
  EXPECT_THAT(manager.Steps().value(), ElementsAre(1, 2, 3));
  EXPECT_THAT(CheckpointReader::Open(manager.PathOf(2))->LoadLeaf("params", ".frozen"), IsOk());
  EXPECT_THAT(manager.Remove(1), IsOk()) << "no checkpoint that is not damaged needs it";
}

// A file that is set aside gets a name that another one had.
TEST_F(RunFaultTest, AbandonedName_UsedAgain_KeepsTheBasesOfTheNewFile) {
  CheckpointManager manager = Open({.retention = {.last = 1}, .incremental = true});
  SaveAll(&manager, {1, 3});
  ASSERT_THAT(manager.Restore({.step = 1, .and_continue = true}), IsOk());
  SaveAll(&manager, {2, 3});
  ASSERT_TRUE(std::filesystem::remove(PathOf("abandoned-" + NameOf(3))));
  ASSERT_THAT(manager.Restore({.step = 2, .and_continue = true}), IsOk());
  SaveAll(&manager, {4, 5});
  EXPECT_THAT(Verified("abandoned-" + NameOf(3)), IsOk());
}

// 400 of the left branch needs 300 of that branch, and not the damaged 300 of this one.
TEST_F(RunFaultTest, DamagedStep_IsSavedAgainBesideAnAbandonedIncrement) {
  {
    CheckpointManager manager = Open({.incremental = true});
    ASSERT_THAT(Save(&manager, 200), IsOk());
    ASSERT_THAT(Save(&manager, 300, /*frozen=*/true), IsOk());
    ASSERT_THAT(Save(&manager, 400), IsOk());
    ASSERT_THAT(manager.Restore({.step = 200, .and_continue = true}), IsOk());
    ASSERT_THAT(Save(&manager, 300), IsOk());  // even an equal file
    Damage(manager.PathOf(300));
    ASSERT_EQ(manager.Restore()->step, 200);
    EXPECT_THAT(Save(&manager, 300), IsOk());
    EXPECT_THAT(Verified("abandoned-" + NameOf(400)), IsOk());
    EXPECT_THAT(Verified(NameOf(300)), IsOk());
    EXPECT_THAT(manager.Remove(300), IsOk()) << "400 has another one";
  }
  // Also where it is not known what the damaged one was.
  WriteFile(PathOf(NameOf(300)), "");
  CheckpointManager manager = Open({.incremental = true});
  ASSERT_EQ(manager.Restore()->step, 200);
  EXPECT_THAT(manager.Remove(300), IsOk());
}

// The parent is what the writer wrote, also where retention ends early.
TEST_F(RunFaultTest, Parent_IsRecordedBesideAFileOfANewerVersion) {
  CheckpointManager manager = Open({.retention = {.last = 9}});
  SaveAll(&manager, {5});
  WriteFile(manager.PathOf(0),
            WithVersions(ReadFile(manager.PathOf(5)), {.producer = 9, .min_reader = 9}));
  SaveAll(&manager, {6, 7});
  const CheckpointReader reader = CheckpointReader::Open(manager.PathOf(6)).value();
  const FileIdentity sixth = CheckpointAccess::FileOf(reader).identity();
  EXPECT_EQ(CheckpointReader::Open(manager.PathOf(7))->run()->parent, sixth);
}

TEST_F(RunFaultTest, Save_WithAnInvalidRun_IsRefused) {
  const std::string id(RunInfo::kIdSize, 'x');
  const std::string path = dir_.File("a.leaf");
  for (const RunInfo& run :
       {RunInfo{.id = "x", .parent = {}}, RunInfo{.id = id, .parent = FileIdentity{"a/b", 1, 1}},
        RunInfo{.id = id, .parent = FileIdentity{"", 1, 1}},
        RunInfo{.id = id, .parent = FileIdentity{"\xff", 1, 1}},
        RunInfo{.id = id, .parent = FileIdentity{"a", -1, 1}}}) {
    EXPECT_THAT(CheckpointAccess::Save(path, Items(), {}, run),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("run")));
    EXPECT_FALSE(std::filesystem::exists(path));
  }
  const RunInfo valid = {.id = id, .parent = FileIdentity{"a", 1, 1}};
  ASSERT_THAT(CheckpointAccess::Save(path, Items(), {}, valid), IsOk());
  EXPECT_EQ(CheckpointReader::Open(path)->run(), valid);
}

// Restore with and_continue reports the save before it, once.
TEST_F(RunFaultTest, AndContinue_AfterAFailedSave_ReturnsItsErrorAndChangesNothing) {
  CheckpointManager manager = Open();
  SaveAll(&manager, {1, 2});
  files_.fail_at = files_.calls;
  ASSERT_THAT(manager.SaveAsync(3, Items()), IsOk());
  EXPECT_THAT(manager.Restore({.step = 1, .and_continue = true}).status().message(),
              AllOf(HasSubstr("before going back to step 1: cannot save step 3: "),
                    HasSubstr("; nothing was set aside: call Restore again")));
  EXPECT_THAT(manager.Steps().value(), ElementsAre(1, 2));
  EXPECT_THAT(manager.Restore({.step = 1, .and_continue = true}), IsOk());
  EXPECT_THAT(manager.Steps().value(), ElementsAre(1));
}

TEST_F(RunFaultTest, RemoveAbandoned_KeepsWhatAnotherCheckpointNeeds) {
  CheckpointManager manager = Open({.incremental = true});
  SaveAll(&manager, {1, 2});
  ASSERT_THAT(Save(&manager, 3, /*frozen=*/true), IsOk());
  SaveAll(&manager, {4, 5});
  ASSERT_THAT(manager.Restore({.step = 2, .and_continue = true}), IsOk());
  // Somebody renames an abandoned increment back: 4 needs 3.
  std::filesystem::rename(PathOf("abandoned-" + NameOf(4)), PathOf(NameOf(4)));
  ASSERT_THAT(manager.RemoveAbandoned(), IsOk());
  EXPECT_THAT(Names(),
              ElementsAre("LOCK", "abandoned-" + NameOf(3), NameOf(1), NameOf(2), NameOf(4)));
  EXPECT_THAT(Verified(NameOf(4)), IsOk());
  ASSERT_THAT(manager.Remove(4), IsOk());
  ASSERT_THAT(manager.RemoveAbandoned(), IsOk());
  EXPECT_THAT(Names(), ElementsAre("LOCK", NameOf(1), NameOf(2)));
  EXPECT_EQ(Open({.read_only = true}).RemoveAbandoned().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(RunFaultTest, RemoveAbandoned_BesideAFileThatCannotBeRead_RemovesNothing) {
  CheckpointManager manager = Open();
  SaveAll(&manager, {1, 2});
  ASSERT_THAT(manager.Restore({.step = 1, .and_continue = true}), IsOk());
  files_.before_open = [&](const std::string& path) {
    return path == PathOf(NameOf(1)) ? absl::ErrnoToStatus(EIO, path) : absl::OkStatus();
  };
  EXPECT_THAT(manager.RemoveAbandoned(),
              StatusIs(absl::StatusCode::kUnknown,
                       HasSubstr("no checkpoint was removed, as this file may need any of them")));
  EXPECT_THAT(Names(), Contains("abandoned-" + NameOf(2)));
}

// The base is set aside after the reader was opened without it.
TEST_F(RunFaultTest, BaseThatIsSetAsideLater_IsFound) {
  CheckpointManager manager = Open({.incremental = true});
  SaveAll(&manager, {1, 2});
  const std::string away = dir_.File("away");
  std::filesystem::rename(PathOf(NameOf(1)), away);
  const CheckpointReader reader = CheckpointReader::Open(PathOf(NameOf(2))).value();
  EXPECT_EQ(ReasonOf(CheckpointAccess::FileOf(reader).OpenBases()), ErrorReason::kMissingBase);
  EXPECT_FALSE(reader.LoadLeaf("params", ".frozen").ok());
  std::filesystem::rename(away, PathOf("abandoned-" + NameOf(1)));
  EXPECT_THAT(reader.LoadLeaf("params", ".frozen"), IsOk());
  EXPECT_THAT(CheckpointAccess::FileOf(reader).OpenBases(), IsOk());
}

// No descriptor is left for the base: such a reader could not load the rest later.
TEST_F(RunFaultTest, OpenWithoutADescriptorForTheBase_IsAnError) {
  CheckpointManager manager = Open({.incremental = true});
  SaveAll(&manager, {1, 2});
  files_.before_open = [&](const std::string& path) {
    return path == PathOf(NameOf(1)) ? absl::ErrnoToStatus(EMFILE, path) : absl::OkStatus();
  };
  EXPECT_EQ(
      CheckpointReader::Open(PathOf(NameOf(2)), {.io = {.file_system = &files_}}).status().code(),
      absl::StatusCode::kResourceExhausted);
  files_.before_open = nullptr;
  EXPECT_EQ(manager.Restore()->step, 2);
}

// Restore beside a trainer that removes the newest and its base, without verification.
TEST_F(RunFaultTest, UnverifiedRestore_BesideRetention_ListsAgain) {
  CheckpointManager trainer =
      CheckpointManager::Open(dir_.File("run"), {.retention = {.last = 1}, .incremental = true})
          .value();
  SaveAll(&trainer, {1, 2});
  CheckpointManager reader = Open({.read_only = true});
  bool removed = false;
  files_.before_open = [&](const std::string& path) {
    if (path == PathOf(NameOf(1)) && !removed) {
      removed = true;
      EXPECT_THAT(trainer.Remove(2), IsOk());
      EXPECT_THAT(trainer.Remove(1), IsOk());
      SaveAll(&trainer, {3, 4});
    }
    return absl::OkStatus();
  };
  const auto restored = reader.Restore({.verify = false});
  ASSERT_THAT(restored, IsOk());
  EXPECT_EQ(restored->step, 4);
  EXPECT_THAT(restored->skipped, SizeIs(0));
  EXPECT_THAT(restored->reader.Load("params"), IsOk());
}

TEST_F(RunFaultTest, UnverifiedRestore_SkipsACheckpointWithoutItsBase) {
  CheckpointManager manager = Open({.incremental = true});
  ASSERT_THAT(Save(&manager, 1), IsOk());
  ASSERT_THAT(Save(&manager, 2, /*frozen=*/true), IsOk());
  ASSERT_THAT(Save(&manager, 3), IsOk());
  ASSERT_TRUE(std::filesystem::remove(PathOf(NameOf(2))));
  const RestoredCheckpoint restored = manager.Restore({.verify = false}).value();
  EXPECT_EQ(restored.step, 1);
  ASSERT_THAT(restored.skipped, SizeIs(1));
  EXPECT_EQ(ReasonOf(restored.skipped[0].second), ErrorReason::kMissingBase);
}

TEST_F(RunFaultTest, ListRun_OmitsFilesThatVanish) {
  CheckpointManager manager = Open();
  SaveAll(&manager, {1, 2, 3});
  files_.before_open = [&](const std::string& path) {
    if (path == PathOf(NameOf(2))) std::filesystem::remove(path);
    return absl::OkStatus();
  };
  const std::vector<RunCheckpoint> run = manager.ListRun().value();
  ASSERT_THAT(run, SizeIs(2));
  EXPECT_EQ(run[1].step, 3);
  EXPECT_EQ(run[1].parent, std::nullopt);
  EXPECT_EQ(run[1].parent_name, NameOf(2));
}

TEST_F(RunFaultTest, ListRun_OpensNoBases) {
  CheckpointManager manager = Open({.incremental = true});
  SaveAll(&manager, {1, 2, 3});
  int opened = 0;
  files_.before_open = [&](const std::string&) {
    ++opened;
    return absl::OkStatus();
  };
  EXPECT_THAT(manager.ListRun().value(), SizeIs(3));
  EXPECT_EQ(opened, 3);
}

}  // namespace
}  // namespace leafstore
