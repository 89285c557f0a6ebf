// Branches of a run: what continues what, and what is set aside when training goes back.
#include <atomic>
#include <filesystem>
#include <latch>
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

#include "tests/checkpoint/models.h"
#include "tests/core/status_matchers.h"
#include "tests/io/temp_dir.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using internal::CheckpointAccess;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string NameOfStep(int64_t step) {
  return absl::StrCat("step-", absl::Dec(step, absl::kZeroPad20), ".leaf");
}

std::vector<CheckpointItem> ItemsWith(const ParamStore& params) {
  std::vector<CheckpointItem> items;
  items.emplace_back("params", params);
  return items;
}

class RunTest : public testing::Test {
 protected:
  CheckpointManager Open(ManagerOptions options = {}) {
    options.io.durable = false;
    return CheckpointManager::Open(dir_.File("run"), std::move(options)).value();
  }
  // Sets `.w` to `value`, and leaves `.frozen` as it is.
  void SetW(float value) { ASSERT_THAT(params_.Set(".w", Filled(value, 100)), IsOk()); }
  absl::Status Save(CheckpointManager* manager, int64_t step, std::optional<float> value = {}) {
    SetW(value.value_or(static_cast<float>(step)));
    return manager->Save(step, ItemsWith(params_));
  }
  float LoadedW(const CheckpointReader& reader) {
    const ParamStore loaded = reader.Load("params").value();
    EXPECT_EQ(loaded.Get(".frozen").value()->tensor(), Filled(7, 5000));
    return loaded.Get(".w").value()->tensor().span<float>()[0];
  }
  // Returns the names in the directory except LOCK.
  std::vector<std::string> Names() {
    std::vector<std::string> names = FileSystem::Posix().List(dir_.File("run")).value();
    std::erase(names, "LOCK");
    return names;
  }
  CheckpointReader Abandoned(const std::string& name) {
    return CheckpointReader::Open(dir_.File("run/" + name)).value();
  }

  TempDir dir_;
  ParamStore params_ = StoreAt({{".w", Filled(0, 100)}, {".frozen", Filled(7, 5000)}});
};

TEST_F(RunTest, Save_NotAboveTheNewest_IsAnErrorThatChangesNothing) {
  CheckpointManager manager = Open({.retention = {.last = 2}});
  for (const int64_t step : {100, 200, 300}) ASSERT_THAT(Save(&manager, step), IsOk());
  ASSERT_EQ(manager.Restore({.step = 200})->step, 200);
  const std::vector<std::string> before = Names();
  const absl::Status behind = Save(&manager, 220);
  EXPECT_THAT(behind, StatusIs(absl::StatusCode::kFailedPrecondition,
                               AllOf(HasSubstr("cannot save step 220: expected a step above 300, "
                                               "the newest in "),
                                     HasSubstr("Restore with and_continue"))));
  EXPECT_EQ(ReasonOf(behind), ErrorReason::kBehindNewest);
  EXPECT_EQ(ReasonOf(Save(&manager, 300)), ErrorReason::kExists);
  EXPECT_EQ(ReasonOf(manager.SaveAsync(250, ItemsWith(params_)).status()),
            ErrorReason::kBehindNewest);
  EXPECT_THAT(manager.Wait(), IsOk());
  EXPECT_EQ(Names(), before);
  EXPECT_THAT(Save(&manager, 400), IsOk());
}

// A new run in an old directory would lose against the old checkpoints.
TEST_F(RunTest, Save_OfANewRunInAnOldDirectory_IsAnError) {
  {
    CheckpointManager old = Open();
    ASSERT_THAT(Save(&old, 5000), IsOk());
  }
  CheckpointManager manager = Open();
  EXPECT_THAT(Save(&manager, 1), StatusIs(absl::StatusCode::kFailedPrecondition,
                                          AllOf(HasSubstr("expected a step above 5000"),
                                                HasSubstr("use another directory"))));
}

TEST_F(RunTest, AndContinue_SetsAsideWhatCameLater) {
  CheckpointManager manager = Open({.retention = {.last = 2}});
  for (const int64_t step : {100, 200, 300}) ASSERT_THAT(Save(&manager, step), IsOk());
  const RestoredCheckpoint restored = manager.Restore({.step = 200, .and_continue = true}).value();
  EXPECT_EQ(restored.step, 200);
  EXPECT_THAT(manager.Steps().value(), ElementsAre(200));
  ASSERT_THAT(Save(&manager, 220), IsOk());
  EXPECT_THAT(manager.Steps().value(), ElementsAre(200, 220));
  EXPECT_EQ(manager.Restore()->step, 220);
  EXPECT_EQ(LoadedW(Abandoned("abandoned-" + NameOfStep(300))), 300);
  // The step is reached again, and left again.
  ASSERT_THAT(Save(&manager, 300, 301), IsOk());
  ASSERT_THAT(manager.Restore({.step = 220, .and_continue = true}), IsOk());
  EXPECT_THAT(Names(), ElementsAre("abandoned-2-" + NameOfStep(300), "abandoned-" + NameOfStep(300),
                                   NameOfStep(220)));
  EXPECT_EQ(LoadedW(Abandoned("abandoned-" + NameOfStep(300))), 300);
  EXPECT_EQ(LoadedW(Abandoned("abandoned-2-" + NameOfStep(300))), 301);
  // Also in the next process.
  manager = CheckpointManager(Open({.read_only = true}));
  EXPECT_EQ(manager.Restore()->step, 220);
}

TEST_F(RunTest, AndContinue_OfTheBestOrTheNewest) {
  CheckpointManager manager = Open({.retention = {.metric = "loss", .higher_is_better = false}});
  for (const int64_t step : {1, 2, 3, 4}) {
    ASSERT_THAT(manager.Save(step, ItemsWith(params_), {{"loss", step == 2 ? 0.1 : 0.5}}), IsOk());
  }
  EXPECT_EQ(manager.Restore({.and_continue = true})->step, 4);
  EXPECT_THAT(manager.Steps().value(), ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(manager.Restore({.best = true, .and_continue = true})->step, 2);
  EXPECT_THAT(manager.Steps().value(), ElementsAre(1, 2));
}

TEST_F(RunTest, AndContinue_OfWhatCannotBeRestored_ChangesNothing) {
  CheckpointManager manager = Open();
  for (const int64_t step : {1, 2}) ASSERT_THAT(Save(&manager, step), IsOk());
  const std::string whole = ReadFile(manager.PathOf(1));
  WriteFile(manager.PathOf(1), whole.substr(0, 200));
  EXPECT_EQ(manager.Restore({.step = 1, .and_continue = true}).status().code(),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(manager.Restore({.step = 7, .and_continue = true}).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_THAT(manager.Steps().value(), ElementsAre(1, 2));
  CheckpointManager reader = Open({.read_only = true});
  EXPECT_EQ(reader.Restore({.step = 2, .and_continue = true}).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

// Damaged ones are later, too.
TEST_F(RunTest, AndContinue_SetsAsideDamagedCheckpoints) {
  CheckpointManager manager = Open();
  for (const int64_t step : {1, 2, 3}) ASSERT_THAT(Save(&manager, step), IsOk());
  WriteFile(manager.PathOf(3), "");
  const RestoredCheckpoint restored = manager.Restore({.and_continue = true}).value();
  EXPECT_EQ(restored.step, 2);
  EXPECT_THAT(restored.skipped, SizeIs(1));
  EXPECT_THAT(Names(), ElementsAre("abandoned-" + NameOfStep(3), NameOfStep(1), NameOfStep(2)));
  EXPECT_THAT(Save(&manager, 3), IsOk());
}

TEST_F(RunTest, AbandonedIncrements_KeepTheirBases) {
  CheckpointManager manager = Open({.retention = {.last = 1}, .incremental = true});
  for (const int64_t step : {1, 2, 3}) ASSERT_THAT(Save(&manager, step), IsOk());
  EXPECT_THAT(manager.Steps().value(), ElementsAre(1, 3));
  ASSERT_THAT(manager.Restore({.step = 1, .and_continue = true}), IsOk());
  for (const int64_t step : {2, 3, 4}) ASSERT_THAT(Save(&manager, step, 10), IsOk());
  // The first full save of this branch is 2; 1 is the base of what was set aside.
  EXPECT_THAT(manager.Steps().value(), ElementsAre(1, 2, 4));
  const CheckpointReader abandoned = Abandoned("abandoned-" + NameOfStep(3));
  EXPECT_EQ(LoadedW(abandoned), 3);
  EXPECT_THAT(abandoned.Verify(), IsOk());
  EXPECT_THAT(manager.Remove(1), StatusIs(absl::StatusCode::kFailedPrecondition,
                                          HasSubstr("abandoned-" + NameOfStep(3) + " needs it")));
  // Once it is deleted, its base is not needed.
  ASSERT_TRUE(std::filesystem::remove(dir_.File("run/abandoned-" + NameOfStep(3))));
  ASSERT_THAT(Save(&manager, 5), IsOk());
  EXPECT_THAT(manager.Steps().value(), ElementsAre(2, 5));
}

// The base of an abandoned checkpoint is abandoned itself, and its name is used again.
TEST_F(RunTest, AbandonedBases_AreFoundUnderTheirNewNames) {
  CheckpointManager manager = Open({.incremental = true});
  ASSERT_THAT(Save(&manager, 1), IsOk());
  ASSERT_THAT(params_.Set(".frozen", Filled(7, 5000)), IsOk());  // written again, by step 2
  for (const int64_t step : {2, 3}) ASSERT_THAT(Save(&manager, step), IsOk());
  ASSERT_THAT(manager.Restore({.step = 1, .and_continue = true}), IsOk());
  const CheckpointReader before = Abandoned("abandoned-" + NameOfStep(3));
  EXPECT_THAT(before.bases(), ElementsAre(testing::Field(&FileIdentity::name, NameOfStep(2))));
  EXPECT_EQ(LoadedW(before), 3);
  ASSERT_THAT(Save(&manager, 2, 10), IsOk());
  const CheckpointReader after = Abandoned("abandoned-" + NameOfStep(3));
  EXPECT_EQ(LoadedW(after), 3);
  EXPECT_THAT(after.Verify(), IsOk());
}

TEST_F(RunTest, SaveAfterAndContinue_IsFull) {
  CheckpointManager manager = Open({.incremental = true});
  for (const int64_t step : {1, 2}) ASSERT_THAT(Save(&manager, step), IsOk());
  ASSERT_THAT(manager.Restore({.step = 1, .and_continue = true}), IsOk());
  ASSERT_THAT(Save(&manager, 2), IsOk());
  EXPECT_THAT(manager.Restore()->reader.bases(), IsEmpty());
}

TEST_F(RunTest, Reader_KeepsTheBasesOpen) {
  CheckpointManager manager = Open({.retention = {.last = 1}, .incremental = true});
  for (const int64_t step : {1, 2}) ASSERT_THAT(Save(&manager, step), IsOk());
  const CheckpointReader reader = CheckpointReader::Open(manager.PathOf(2)).value();
  ASSERT_THAT(reader.bases(), SizeIs(1));
  ASSERT_THAT(manager.Remove(2), IsOk());
  ASSERT_THAT(manager.Remove(1), IsOk());
  EXPECT_EQ(LoadedW(reader), 2);
  EXPECT_THAT(reader.Verify(), IsOk());
}

TEST_F(RunTest, RestoredCheckpoint_IsKeptUntilALaterOneIsSaved) {
  std::latch reached(1);
  std::latch open(1);
  std::atomic<bool> waits = false;
  ManagerOptions options = {.retention = {.last = 1}};
  options.io.progress = [&](int64_t, int64_t) {
    if (!waits.exchange(false)) return;
    reached.count_down();
    open.wait();
  };
  CheckpointManager manager = Open(std::move(options));
  ASSERT_THAT(Save(&manager, 1), IsOk());
  waits = true;
  ASSERT_TRUE(manager.SaveAsync(2, ItemsWith(params_)).value());
  reached.wait();
  ASSERT_EQ(manager.Restore({.step = 1})->step, 1);
  open.count_down();
  ASSERT_THAT(manager.Wait(), IsOk());
  EXPECT_THAT(manager.Steps().value(), ElementsAre(1, 2));
  ASSERT_THAT(Save(&manager, 3), IsOk());
  EXPECT_THAT(manager.Steps().value(), ElementsAre(3));
}

TEST_F(RunTest, Checkpoints_RecordTheirRunAndParent) {
  std::string id;
  {
    CheckpointManager manager = Open();
    for (const int64_t step : {1, 2, 3}) ASSERT_THAT(Save(&manager, step), IsOk());
    const CheckpointReader first = manager.Restore({.step = 1})->reader;
    ASSERT_TRUE(first.run().has_value());
    id = first.run()->id;
    EXPECT_THAT(id, SizeIs(16));
    EXPECT_EQ(first.run()->parent, std::nullopt);
    EXPECT_EQ(first.producer_version(), 2u);
    const CheckpointReader second = manager.Restore({.step = 2})->reader;
    EXPECT_EQ(second.run(),
              (RunInfo{.id = id, .parent = CheckpointAccess::FileOf(first).identity()}));
  }
  {
    CheckpointManager manager = Open();
    ASSERT_THAT(manager.Restore({.step = 2, .and_continue = true}), IsOk());
    ASSERT_THAT(Save(&manager, 4), IsOk());
    // A look at another checkpoint does not change what the next one continues.
    ASSERT_THAT(manager.Restore({.step = 1}), IsOk());
    ASSERT_THAT(Save(&manager, 5), IsOk());
  }
  CheckpointManager manager = Open();  // restores nothing
  ASSERT_THAT(Save(&manager, 6), IsOk());
  const std::vector<RunCheckpoint> run = manager.ListRun().value();
  std::vector<std::string> lines;
  for (const RunCheckpoint& one : run) {
    lines.push_back(absl::StrCat(one.step, one.abandoned ? " abandoned" : "", " after ",
                                 one.parent ? absl::StrCat(run[*one.parent].step) : "none",
                                 one.run_id == id ? "" : ", another run"));
  }
  EXPECT_THAT(lines, ElementsAre("1 after none", "2 after 1", "3 abandoned after 2", "4 after 2",
                                 "5 after 4", "6 after none, another run"));
}

// A step that was left and reached again has two files; what continued the first does not continue
// the second.
TEST_F(RunTest, Parent_IsFoundByItsIdentity) {
  CheckpointManager manager = Open();
  for (const int64_t step : {1, 2, 3}) ASSERT_THAT(Save(&manager, step), IsOk());
  ASSERT_THAT(manager.Restore({.step = 1, .and_continue = true}), IsOk());
  for (const int64_t step : {2, 3}) ASSERT_THAT(Save(&manager, step, 10), IsOk());
  const std::vector<RunCheckpoint> run = manager.ListRun().value();
  ASSERT_THAT(run, SizeIs(5));
  for (const RunCheckpoint& one : run) {
    if (one.step == 1) continue;
    ASSERT_TRUE(one.parent.has_value());
    EXPECT_EQ(run[*one.parent].step, one.step - 1);
    if (one.step == 2) continue;  // both continue 1
    EXPECT_EQ(run[*one.parent].abandoned, one.abandoned);
  }
}

TEST_F(RunTest, ListRun_NamesDamagedFiles) {
  CheckpointManager manager = Open();
  for (const int64_t step : {1, 2}) ASSERT_THAT(Save(&manager, step), IsOk());
  WriteFile(manager.PathOf(1), "");
  const std::vector<RunCheckpoint> run = manager.ListRun().value();
  ASSERT_THAT(run, SizeIs(2));
  EXPECT_EQ(run[0].status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(run[1].parent, std::nullopt);
  EXPECT_EQ(run[1].parent_name, NameOfStep(1));
}

TEST_F(RunTest, NoCheckpoint_IsToldApartFromDamage) {
  CheckpointManager manager = Open();
  EXPECT_EQ(ReasonOf(manager.Restore().status()), ErrorReason::kNoCheckpoint);
  EXPECT_EQ(ReasonOf(manager.Latest().status()), ErrorReason::kNoCheckpoint);
  ASSERT_THAT(Save(&manager, 1), IsOk());
  WriteFile(manager.PathOf(1), "");
  const absl::Status damaged = manager.Restore().status();
  EXPECT_EQ(damaged.code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(ReasonOf(damaged), ErrorReason::kNoCheckpoint);
}

TEST_F(RunTest, FilesWithOtherNames_AreNamed) {
  CheckpointManager manager = Open();
  WriteFile(dir_.File("run/initial.leaf"), "mine");
  EXPECT_EQ(ReasonOf(manager.Restore().status()), ErrorReason::kNoCheckpoint);
  ASSERT_THAT(SaveCheckpoint(dir_.File("run/step-100.leaf"), ItemsWith(params_)), IsOk());
  const absl::Status status = manager.Restore().status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kNotFound,
                               AllOf(HasSubstr("expected names like " + NameOfStep(100)),
                                     HasSubstr("found step-100.leaf"))));
  EXPECT_NE(ReasonOf(status), ErrorReason::kNoCheckpoint);
}

TEST_F(RunTest, ItemsOfOneName_AreFoundAtTheCall) {
  CheckpointManager manager = Open();
  std::vector<CheckpointItem> items = ItemsWith(params_);
  items.emplace_back("params", params_);
  EXPECT_THAT(manager.SaveAsync(1, std::move(items)).status(),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("two called 'params'")));
  std::vector<NamedStore> stores;
  stores.push_back({"a", params_.Snapshot().value()});
  items.clear();
  items.emplace_back("adamw", stores);
  items.emplace_back("adamw/a", params_);
  EXPECT_THAT(manager.SaveAsync(1, std::move(items)).status(),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("two called 'adamw/a'")));
  EXPECT_EQ(manager.SaveAsync(1, {{"", params_}}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(manager.Wait(), IsOk());
  EXPECT_THAT(Names(), IsEmpty());
}

}  // namespace
}  // namespace leafstore
