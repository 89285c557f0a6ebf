// States of a run's directory and of its files that are rare: made by other programs, by another
// process meanwhile, by a failed call, or by a forged manifest.
#include <cerrno>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/internal/checkpoint_file.h"
#include "leafstore/checkpoint/internal/retention.h"
#include "leafstore/checkpoint/manager.h"
#include "leafstore/core/error_reason.h"

#include "tests/checkpoint/forge.h"
#include "tests/checkpoint/hooked_files.h"
#include "tests/checkpoint/models.h"
#include "tests/core/status_matchers.h"
#include "tests/io/temp_dir.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using absl::StatusCode;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// Also lists as a test wants.
class ListedFiles : public HookedFiles {
 public:
  std::function<absl::Status(const std::string& path)> before_list;
  absl::StatusOr<std::vector<std::string>> List(const std::string& path) override {
    if (before_list) LEAFSTORE_RETURN_IF_ERROR(before_list(path));
    return HookedFiles::List(path);
  }
};

class RareStatesTest : public testing::Test {
 protected:
  CheckpointManager Open(ManagerOptions options = {}) {
    options.io.durable = false;
    options.io.file_system = &files_;
    return CheckpointManager::Open(run_, std::move(options)).value();
  }
  std::vector<CheckpointItem> Items() {
    std::vector<CheckpointItem> items;
    items.emplace_back("params", params_);
    return items;
  }
  absl::Status Save(CheckpointManager* manager, int64_t step) {
    EXPECT_THAT(params_.Set(".w", Filled(static_cast<float>(step), 100)), IsOk());
    return manager->Save(step, Items());
  }
  std::string PathOf(int64_t step) { return run_ + "/" + internal::StepFileName(step); }
  // Changes a byte of the first tensor.
  static void Damage(const std::string& path) {
    std::string bytes = ReadFile(path);
    bytes[70] = static_cast<char>(bytes[70] ^ 1);
    WriteFile(path, bytes);
  }
  // Makes the next call that writes fail.
  void FailNextCall() { files_.fail_at = files_.calls; }

  TempDir dir_;
  const std::string run_ = dir_.File("run");
  ListedFiles files_;
  ParamStore params_ = StoreAt({{".w", Filled(0, 100)}, {".frozen", Filled(7, 1000)}});
};

TEST_F(RareStatesTest, ErrorsOfTheProcess_AreNotDamage) {
  for (const StatusCode code :
       {StatusCode::kPermissionDenied, StatusCode::kResourceExhausted, StatusCode::kUnavailable,
        StatusCode::kAborted, StatusCode::kCancelled, StatusCode::kDeadlineExceeded}) {
    EXPECT_TRUE(internal::IsOfProcess(absl::Status(code, "")));
  }
  for (const StatusCode code : {StatusCode::kDataLoss, StatusCode::kUnknown, StatusCode::kNotFound,
                                StatusCode::kInvalidArgument, StatusCode::kOk}) {
    EXPECT_FALSE(internal::IsOfProcess(absl::Status(code, "")));
  }
}

TEST_F(RareStatesTest, NamesThatAreAlmostThoseOfSteps_AreIgnored) {
  for (const char* name :
       {"step-.leaf", "step-x.leaf", "step--0000000000000000001.leaf", "step-00000000000000000001",
        "abandoned-x", "abandoned-", "abandoned-step-1.leaf", "step-99999999999999999999.leaf"}) {
    EXPECT_EQ(internal::ParseRunFile(name), std::nullopt) << name;
  }
  const std::string name = internal::StepFileName(1);
  EXPECT_TRUE(internal::ParseRunFile(absl::StrCat("abandoned-", name))->abandoned);
  EXPECT_TRUE(internal::ParseRunFile(absl::StrCat("abandoned-2-", name))->abandoned);
}

TEST_F(RareStatesTest, TemporaryFileOfAnAbandonedName_IsKept) {
  { Open(); }
  const std::string name = absl::StrCat("abandoned-", internal::StepFileName(1), ".tmp-1-0");
  WriteFile(run_ + "/" + name, "mine");
  { Open(); }
  EXPECT_THAT(files_.List(run_).value(), Contains(name));
}

TEST_F(RareStatesTest, DirectoryWithSlashesAtItsEnd_IsSyncedInTheOneAbove) {
  std::vector<std::string> synced;
  files_.before_sync = [&synced](const std::string& path) {
    synced.push_back(path);
    return absl::PermissionDeniedError("only a search is allowed");
  };
  EXPECT_THAT(CheckpointManager::Open(run_ + "//", {.io = {.file_system = &files_}}), IsOk());
  EXPECT_THAT(synced, ElementsAre(dir_.path()));
}

TEST_F(RareStatesTest, UnknownStep_AmongMany_NamesTheNewest) {
  CheckpointManager manager = Open();
  for (int64_t step = 1; step <= 23; ++step) ASSERT_THAT(Save(&manager, step), IsOk());
  EXPECT_THAT(
      manager.Restore({.step = 50}),
      StatusIs(StatusCode::kNotFound, AllOf(HasSubstr("23"), HasSubstr("and 3 earlier ones"))));
}

TEST_F(RareStatesTest, BestOfDamagedCheckpoints_IsDataLoss) {
  CheckpointManager manager = Open({.retention = {.metric = "loss"}});
  ASSERT_THAT(manager.Save(1, Items(), {{"loss", 1}}), IsOk());
  WriteFile(PathOf(1), "");
  EXPECT_EQ(manager.Restore({.best = true}).status().code(), StatusCode::kDataLoss);
}

TEST_F(RareStatesTest, ManifestThatIsNone_IsListedAsDamaged) {
  CheckpointManager manager = Open();
  ASSERT_THAT(Save(&manager, 1), IsOk());
  WriteFile(PathOf(1), WithManifest(ReadFile(PathOf(1)), std::string("\xff\xff\xff")));
  const std::vector<RunCheckpoint> listed = manager.ListRun().value();
  ASSERT_THAT(listed, SizeIs(1));
  EXPECT_THAT(listed[0].status, StatusIs(StatusCode::kDataLoss, HasSubstr(PathOf(1))));
}

TEST_F(RareStatesTest, FileThatVanishesDuringRetention_IsNoError) {
  {
    CheckpointManager manager = Open();
    ASSERT_THAT(Save(&manager, 1), IsOk());
  }
  CheckpointManager manager = Open({.retention = {.last = 2}});
  files_.before_open = [&](const std::string& path) {
    if (path == PathOf(1)) std::filesystem::remove(path);
    return absl::OkStatus();
  };
  EXPECT_THAT(Save(&manager, 2), IsOk());
  EXPECT_THAT(manager.Steps().value(), ElementsAre(2));
}

TEST_F(RareStatesTest, RetentionThatCannotReadTheDisk_IsReportedOnce) {
  {
    CheckpointManager manager = Open();
    ASSERT_THAT(Save(&manager, 1), IsOk());
  }
  CheckpointManager manager = Open({.retention = {.last = 1}});
  files_.before_open = [&](const std::string& path) {
    return path == PathOf(1) ? absl::ErrnoToStatus(EIO, path) : absl::OkStatus();
  };
  EXPECT_THAT(Save(&manager, 2),
              StatusIs(StatusCode::kUnknown, HasSubstr("kept all checkpoints below")));
  EXPECT_THAT(Save(&manager, 3), IsOk());
  EXPECT_THAT(manager.Steps().value(), ElementsAre(1, 3));
}

TEST_F(RareStatesTest, Remove_OfAFileThatCannotBeRead_RemovesIt) {
  {
    CheckpointManager manager = Open();
    ASSERT_THAT(Save(&manager, 1), IsOk());
  }
  CheckpointManager manager = Open();
  files_.before_open = [](const std::string& path) { return absl::ErrnoToStatus(EIO, path); };
  EXPECT_THAT(manager.Remove(1), IsOk());
  EXPECT_THAT(manager.Steps().value(), ElementsAre());
}

TEST_F(RareStatesTest, FailedSaveInTheBackground_IsReportedByTheCallsThatWait) {
  CheckpointManager manager = Open({.keep_memory = false});
  ASSERT_THAT(Save(&manager, 1), IsOk());
  const auto fail = [&](int64_t step) {
    FailNextCall();
    EXPECT_THAT(manager.SaveAsync(step, Items()), IsOk());
  };
  fail(2);
  EXPECT_THAT(manager.Remove(1), StatusIs(StatusCode::kUnavailable, HasSubstr("step 2")));
  fail(3);
  EXPECT_THAT(manager.RemoveAbandoned(), StatusIs(StatusCode::kUnavailable, HasSubstr("step 3")));
  fail(4);
  EXPECT_THAT(manager.Restore({.and_continue = true}),
              StatusIs(StatusCode::kUnavailable, HasSubstr("before going back: cannot save step")));
  EXPECT_THAT(manager.Steps().value(), ElementsAre(1));
}

TEST_F(RareStatesTest, StepWhoseSaveFailed_IsSavedAgainWhateverExists) {
  CheckpointManager manager = Open();
  FailNextCall();
  EXPECT_EQ(Save(&manager, 1).code(), StatusCode::kUnavailable);
  EXPECT_THAT(Save(&manager, 1), IsOk()) << "in an empty directory";
  FailNextCall();
  EXPECT_EQ(Save(&manager, 2).code(), StatusCode::kUnavailable);
  EXPECT_THAT(Save(&manager, 2), IsOk()) << "behind another";
}

TEST_F(RareStatesTest, DamagedStepBehindAnIntactOne_IsNotSavedAgain) {
  CheckpointManager manager = Open();
  for (const int64_t step : {100, 200}) ASSERT_THAT(Save(&manager, step), IsOk());
  Damage(PathOf(100));
  EXPECT_EQ(manager.Restore({.step = 100}).status().code(), StatusCode::kDataLoss);
  const absl::Status status = Save(&manager, 100);
  EXPECT_THAT(status, StatusIs(StatusCode::kFailedPrecondition, HasSubstr("a step above 200")));
  EXPECT_EQ(ReasonOf(status), ErrorReason::kBehindNewest);
}

TEST_F(RareStatesTest, RemoveAbandoned_KeepsWhatIsNotAFile) {
  CheckpointManager manager = Open();
  const std::string name = internal::AbandonedName(internal::StepFileName(1), 1);
  std::filesystem::create_directory(run_ + "/" + name);
  EXPECT_THAT(manager.RemoveAbandoned(), IsOk());
  EXPECT_THAT(files_.List(run_).value(), Contains(name));
}

// No save makes two checkpoints that need each other. Neither can be removed before the other.
TEST_F(RareStatesTest, CheckpointsThatNeedEachOther_AreKept) {
  {
    CheckpointManager manager = Open();
    for (const int64_t step : {1, 2}) ASSERT_THAT(Save(&manager, step), IsOk());
  }
  for (const int64_t step : {1, 2}) {
    std::string bytes = ReadFile(PathOf(step));
    Manifest manifest = ManifestOf(bytes);
    manifest.bases = {{internal::StepFileName(3 - step), 1000, 1}};
    WriteFile(PathOf(step), WithManifest(bytes, manifest));
  }
  CheckpointManager manager = Open({.retention = {.last = 1}});
  ASSERT_THAT(Save(&manager, 3), IsOk());
  EXPECT_THAT(manager.Steps().value(), ElementsAre(1, 2, 3));
}

// Where a base is missing, the directory is searched for the name that it got when it was set aside.
class MissingBaseTest : public RareStatesTest {
 protected:
  MissingBaseTest() {
    CheckpointManager manager = Open({.incremental = true});
    EXPECT_THAT(Save(&manager, 1), IsOk());
    EXPECT_THAT(Save(&manager, 2), IsOk());
    std::filesystem::rename(PathOf(1), aside_);
  }
  absl::Status Loaded() {
    const auto reader = CheckpointReader::Open(PathOf(2), {.io = {.file_system = &files_}});
    return reader.ok() ? reader->Load("params").status() : reader.status();
  }

  const std::string aside_ = run_ + "/abandoned-" + internal::StepFileName(1);
};

TEST_F(MissingBaseTest, IsFoundAside) { EXPECT_THAT(Loaded(), IsOk()); }

TEST_F(MissingBaseTest, WhereTheDirectoryCannotBeListed_IsNamed) {
  files_.before_list = [](const std::string& path) { return absl::ErrnoToStatus(EIO, path); };
  EXPECT_THAT(Loaded(), StatusIs(StatusCode::kNotFound, HasSubstr(PathOf(1))));
  files_.before_list = [](const std::string& path) { return absl::ErrnoToStatus(EMFILE, path); };
  EXPECT_EQ(Loaded().code(), StatusCode::kResourceExhausted);
}

TEST_F(MissingBaseTest, BesideADamagedFileOfItsName_IsNamed) {
  WriteFile(aside_, "damaged");
  EXPECT_THAT(Loaded(), StatusIs(StatusCode::kNotFound, HasSubstr(PathOf(1))));
}

TEST_F(MissingBaseTest, ThatCannotBeRead_StopsVerification) {
  std::filesystem::rename(aside_, PathOf(1));
  files_.before_open = [&](const std::string& path) {
    return path == PathOf(1) ? absl::ErrnoToStatus(EIO, path) : absl::OkStatus();
  };
  const auto reader = CheckpointReader::Open(PathOf(2), {.io = {.file_system = &files_}});
  ASSERT_THAT(reader, IsOk());
  EXPECT_THAT(reader->Verify(),
              StatusIs(StatusCode::kUnknown, HasSubstr("tensors that are in it")));
}

TEST_F(RareStatesTest, BaseThatIsNotThere_HasNoUser) {
  internal::StepRecord record{.file = {2, internal::StepFileName(2)}};
  record.bases = {{internal::StepFileName(1), 100, 1}};
  record.identity = {internal::StepFileName(2), 100, 2};
  EXPECT_EQ(internal::FindUser({record}, 0), std::nullopt);
}

TEST_F(RareStatesTest, DamagedTensors_FailEveryKindOfLoad) {
  const std::string path = dir_.File("a.leaf");
  const Grouping grouping =
      Grouping::Compile(params_, {{"w", Glob("w")}, {"rest", Rest()}}).value();
  std::vector<CheckpointItem> items;
  items.emplace_back("a/x", params_, ItemOptions{.grouping = grouping});
  ASSERT_THAT(SaveCheckpoint(path, std::move(items), {.io = {.durable = false}}), IsOk());
  Damage(path);
  const CheckpointReader reader = CheckpointReader::Open(path).value();
  EXPECT_EQ(reader.LoadItems("a").status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(reader.LoadGroups("a/x").status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(LoadCheckpoint(path).status().code(), StatusCode::kDataLoss);
  for (const absl::Status& unknown :
       {reader.LoadGroups("b").status(), reader.LoadRows("b", ".w", {0, 1}).status(),
        reader.CompileGrouping("b", {}).status(), reader.GetDef("b").status(),
        reader.LoadLeaf("b", ".w").status()}) {
    EXPECT_THAT(unknown, StatusIs(StatusCode::kNotFound, HasSubstr("no item 'b'")));
  }
}

TEST_F(RareStatesTest, Verify_OfManyDamagedTensors_NamesTenAndCountsTheRest) {
  const std::string path = dir_.File("a.leaf");
  std::vector<std::pair<std::string, Leaf>> entries;
  for (int i = 0; i < 13; ++i) entries.emplace_back(absl::StrCat("[", i, "]"), Filled(1, 256));
  std::vector<CheckpointItem> items;
  items.emplace_back("params", StoreAt(std::move(entries)));
  ASSERT_THAT(SaveCheckpoint(path, std::move(items), {.io = {.durable = false}}), IsOk());
  std::string bytes = ReadFile(path);
  const Manifest manifest = ManifestOf(bytes);
  for (const uint64_t offset : manifest.items[0].segments.offsets) bytes[offset] ^= 1;
  WriteFile(path, bytes);
  EXPECT_THAT(CheckpointReader::Open(path)->Verify(),
              StatusIs(StatusCode::kDataLoss, AllOf(HasSubstr("[9]"), HasSubstr("; and 3 more"))));
}

TEST_F(RareStatesTest, InvalidSaveOptions_LeaveNoFile) {
  const std::string path = dir_.File("a.leaf");
  const auto save = [&](SaveOptions options) {
    return SaveCheckpoint(path, Items(), std::move(options));
  };
  EXPECT_EQ(save({.metrics = {{"\xff", 1}}}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(save({.zstd_level = 1000}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(save({.zstd_level = -1'000'000}).code(), StatusCode::kInvalidArgument);
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace leafstore
