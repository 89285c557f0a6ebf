#include "leafstore/checkpoint/manager.h"

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/internal/checkpoint_access.h"

#include "tests/checkpoint/forge.h"
#include "tests/checkpoint/manager_fixtures.h"
#include "tests/checkpoint/models.h"
#include "tests/core/status_matchers.h"
#include "tests/io/temp_dir.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(ManagerTest, Restore_ReturnsTheLatest) {
  CheckpointManager manager = Open({.retention = {.last = 3}});
  EXPECT_EQ(manager.Latest().status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(manager.Restore().status().code(), absl::StatusCode::kNotFound);
  ASSERT_THAT(manager.Save(5, Items(Params(5))), IsOk());
  ASSERT_THAT(manager.Save(12, Items(Params(12)), {{"loss", 0.5}}, {{"by", "me"}}), IsOk());
  EXPECT_THAT(manager.Steps().value(), ElementsAre(5, 12));
  EXPECT_EQ(manager.Latest().value(), 12);
  const RestoredCheckpoint restored = manager.Restore().value();
  EXPECT_EQ(restored.step, 12);
  EXPECT_THAT(restored.skipped, IsEmpty());
  EXPECT_EQ(Loaded(restored), 12);
  EXPECT_THAT(restored.reader.metrics(), ElementsAre(testing::Pair("loss", 0.5)));
  EXPECT_THAT(restored.reader.metadata(), ElementsAre(testing::Pair("by", "me")));
  EXPECT_EQ(Loaded(manager.Restore({.step = 5}).value()), 5);
  EXPECT_THAT(
      manager.Restore({.step = 6}),
      StatusIs(absl::StatusCode::kNotFound, HasSubstr("no checkpoint of step 6; existing: 5, 12")));
}

TEST_F(ManagerTest, Save_AcceptsItemsInBraces) {
  CheckpointManager manager = Open();
  const ParamStore params = Params(3);
  ASSERT_THAT(manager.Save(1, {{"params", params}, {"again", params}}), IsOk());
  ASSERT_TRUE(manager.SaveAsync(2, {{"params", params}}, {{"accuracy", 0.5}}).value());
  ASSERT_THAT(manager.Wait(), IsOk());
  EXPECT_EQ(EntriesOf(manager.Restore({.step = 1}).value().reader.Load("again").value()),
            EntriesOf(params));
  EXPECT_EQ(Loaded(manager.Restore().value()), 3);
}

TEST_F(ManagerTest, WithoutRules_AllAreKept) {
  CheckpointManager manager = Open();
  for (const int64_t step : {1, 2, 3, 4}) ASSERT_THAT(manager.Save(step, Items(Params(1))), IsOk());
  EXPECT_THAT(manager.Steps().value(), ElementsAre(1, 2, 3, 4));
}

TEST_F(ManagerTest, Save_OfAnExistingStep_IsAnError) {
  CheckpointManager manager = Open();
  ASSERT_THAT(manager.Save(5, Items(Params(5))), IsOk());
  EXPECT_THAT(
      manager.Save(5, Items(Params(6))),
      StatusIs(absl::StatusCode::kAlreadyExists,
               absl::StrCat("cannot save step 5, which exists: expected a step above 5, the newest "
                            "in ",
                            dir_.File("run"),
                            "; to continue from an earlier one, call Restore with and_continue; "
                            "for a new run, use another directory")));
  // The error is returned by the call, not found in the background.
  EXPECT_EQ(manager.SaveAsync(5, Items(Params(6))).status().code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(manager.SaveAsync(6, Items(Params(6))).value());
  EXPECT_THAT(manager.Wait(), IsOk());
  EXPECT_EQ(Loaded(manager.Restore({.step = 5}).value()), 5);
  EXPECT_EQ(manager.Save(-1, Items(Params(6))).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ManagerTest, Restore_SkipsDamagedCheckpointsAndReportsWhy) {
  CheckpointManager manager = Open({.retention = {.last = 9}});
  for (const int64_t step : {1, 2, 3}) {
    ASSERT_THAT(manager.Save(step, Items(Params(static_cast<float>(step)))), IsOk());
  }
  Damage(manager.PathOf(3));
  WriteFile(manager.PathOf(2), "");
  const RestoredCheckpoint restored = manager.Restore().value();
  EXPECT_EQ(restored.step, 1);
  ASSERT_THAT(restored.skipped, testing::SizeIs(2));
  EXPECT_EQ(restored.skipped[0].first, 3);
  EXPECT_THAT(restored.skipped[0].second.message(),
              testing::AllOf(HasSubstr(manager.PathOf(3)), HasSubstr("item 'params', '.w'")));
  EXPECT_EQ(restored.skipped[1].first, 2);
  EXPECT_EQ(manager.Restore({.step = 3}).status().code(), absl::StatusCode::kDataLoss);
  Damage(manager.PathOf(1));
  const absl::Status none = manager.Restore().status();
  EXPECT_EQ(none.code(), absl::StatusCode::kDataLoss);
  for (const int64_t step : {1, 2, 3}) EXPECT_THAT(none.message(), HasSubstr(manager.PathOf(step)));
  EXPECT_THAT(manager.Steps().value(), ElementsAre(1, 2, 3));  // nothing is removed
}

TEST_F(ManagerTest, Save_OfADamagedStep_SetsTheDamagedFileAside) {
  const ManagerOptions options = {.retention = {.last = 3}, .incremental = true};
  std::string damaged;
  {
    CheckpointManager manager = Open(options);
    for (const int64_t step : {1, 2, 3}) {
      ASSERT_THAT(manager.Save(step, Items(Params(static_cast<float>(step)))), IsOk());
    }
    Damage(manager.PathOf(3));
    damaged = ReadFile(manager.PathOf(3));
  }
  for (const std::string aside : {"abandoned-", "abandoned-2-"}) {
    CheckpointManager manager = Open(options);
    ASSERT_EQ(manager.Restore().value().step, 2);
    for (const int64_t step : {3, 4}) {
      EXPECT_TRUE(manager.SaveAsync(step, Items(Params(static_cast<float>(10 * step)))).value());
      ASSERT_THAT(manager.Wait(), IsOk());
    }
    EXPECT_EQ(Loaded(manager.Restore().value()), 40);
    EXPECT_EQ(Loaded(manager.Restore({.step = 3}).value()), 30);
    EXPECT_THAT(manager.Steps().value(), ElementsAre(2, 3, 4));
    EXPECT_EQ(ReadFile(dir_.File("run/" + aside + FileNameOf(manager.PathOf(3)))), damaged);
    // Repeats everything from the start.
    ASSERT_THAT(manager.Remove(4), IsOk());
    WriteFile(manager.PathOf(3), damaged);
  }
}

TEST_F(ManagerTest, RepairedStep_IsTreatedAsIntact) {
  CheckpointManager manager = Open({.retention = {.last = 2}});
  for (const int64_t step : {1, 2}) ASSERT_THAT(manager.Save(step, Items(Params(2))), IsOk());
  const std::string whole = ReadFile(manager.PathOf(2));
  // The file is removed, and the step saved again.
  Damage(manager.PathOf(2));
  ASSERT_EQ(manager.Restore().value().step, 1);
  ASSERT_TRUE(std::filesystem::remove(manager.PathOf(2)));
  ASSERT_THAT(manager.Save(2, Items(Params(2))), IsOk());
  EXPECT_EQ(manager.Save(2, Items(Params(3))).code(), absl::StatusCode::kAlreadyExists);
  // The file is replaced by an intact copy.
  Damage(manager.PathOf(2));
  ASSERT_EQ(manager.Restore().value().step, 1);
  WriteFile(manager.PathOf(2), whole);
  ASSERT_EQ(manager.Restore().value().step, 2);
  EXPECT_EQ(manager.Save(2, Items(Params(3))).code(), absl::StatusCode::kAlreadyExists);
  // Both count for retention.
  ASSERT_THAT(manager.Save(3, Items(Params(3))), IsOk());
  EXPECT_THAT(manager.Steps().value(), ElementsAre(2, 3));
}

// Where steps were once saved out of order, an earlier one may need a later one, and finds it under
// its new name.
TEST_F(ManagerTest, Save_OfADamagedStepThatIsABase_SetsItAside) {
  CheckpointManager manager = Open({.incremental = true});
  ParamStore params = StoreAt({{".a", Filled(1, 100)}, {".b", Filled(1, 100)}});
  SaveHistory history;
  const auto save = [&](int64_t step) {
    return SaveCheckpoint(manager.PathOf(step), Items(params), {.history = &history});
  };
  ASSERT_THAT(save(2), IsOk());
  ASSERT_THAT(params.Set(".a", Filled(2, 100)), IsOk());
  ASSERT_THAT(save(1), IsOk());
  std::string bytes = ReadFile(manager.PathOf(2));
  const int64_t place =
      static_cast<int64_t>(bytes.find(std::string("\0\0\x80\x3f", 4)));  // 1.0f of the first, .a
  bytes[static_cast<size_t>(place)] ^= 1;
  WriteFile(manager.PathOf(2), bytes);
  ASSERT_EQ(manager.Restore({.step = 2}).status().code(), absl::StatusCode::kDataLoss);
  ASSERT_EQ(manager.Restore().value().step, 1);
  ASSERT_THAT(manager.Save(2, Items(params)), IsOk());
  EXPECT_EQ(ReadFile(dir_.File("run/abandoned-" + FileNameOf(manager.PathOf(2)))), bytes);
  EXPECT_THAT(manager.Restore({.step = 1})->reader.Load("params"), IsOk());
}

TEST_F(ManagerTest, Increment_DoesNotBuildOnADamagedBase) {
  CheckpointManager manager = Open({.incremental = true});
  const ParamStore params = StoreAt({{".w", Filled(7, 5000)}});
  ASSERT_THAT(manager.Save(1, Items(params)), IsOk());
  ASSERT_THAT(manager.Save(2, Items(params)), IsOk());
  Damage(manager.PathOf(1));
  ASSERT_EQ(manager.Restore().status().code(), absl::StatusCode::kDataLoss);
  ASSERT_THAT(manager.Save(3, Items(params)), IsOk());
  EXPECT_THAT(manager.Restore().value().reader.bases(), IsEmpty());
  ASSERT_THAT(manager.Save(4, Items(params)), IsOk());
  EXPECT_THAT(manager.Restore().value().reader.bases(), testing::SizeIs(1));
}

TEST_F(ManagerTest, Increment_DoesNotBuildOnAMissingBase) {
  CheckpointManager manager = Open({.incremental = true});
  const ParamStore params = StoreAt({{".w", Filled(7, 5000)}});
  ASSERT_THAT(manager.Save(1, Items(params)), IsOk());
  ASSERT_THAT(manager.Save(2, Items(params)), IsOk());
  ASSERT_TRUE(std::filesystem::remove(manager.PathOf(1)));
  ASSERT_THAT(manager.Save(3, Items(params)), IsOk());
  EXPECT_EQ(manager.Restore().value().step, 3);
  WriteFile(manager.PathOf(3), "");  // nor on what is another file now
  ASSERT_THAT(manager.Save(4, Items(params)), IsOk());
  EXPECT_EQ(manager.Restore().value().step, 4);
  const std::string before = ReadFile(manager.PathOf(4));
  const std::optional<RunInfo> run = CheckpointReader::Open(manager.PathOf(4))->run();
  ASSERT_THAT(internal::CheckpointAccess::Save(
                  manager.PathOf(4), {{"params", StoreAt({{".w", Filled(8, 5000)}})}}, {}, run),
              IsOk());
  ASSERT_EQ(ReadFile(manager.PathOf(4)).size(), before.size()) << "of the same size, too";
  ASSERT_THAT(manager.Save(5, Items(params)), IsOk());
  EXPECT_EQ(manager.Restore().value().step, 5);
}

TEST_F(ManagerTest, Restore_OfNewerFiles_IsUnimplemented) {
  CheckpointManager manager = Open();
  for (const int64_t step : {1, 2}) {
    ASSERT_THAT(manager.Save(step, Items(Params(1))), IsOk());
    WriteFile(manager.PathOf(step),
              WithVersions(ReadFile(manager.PathOf(step)), {.producer = 9, .min_reader = 9}));
  }
  EXPECT_EQ(manager.Restore().status().code(), absl::StatusCode::kUnimplemented);
  WriteFile(manager.PathOf(2), "");
  EXPECT_EQ(manager.Restore().status().code(), absl::StatusCode::kUnimplemented);
}

TEST_F(ManagerTest, FullEvery_MakesEveryNthSaveFull) {
  CheckpointManager manager = Open({.incremental = true, .full_every = 3});
  const ParamStore params = Params(1);
  std::vector<size_t> bases;
  for (int64_t step = 0; step < 7; ++step) {
    ASSERT_THAT(manager.Save(step, Items(params)), IsOk());
    bases.push_back(manager.Restore().value().reader.bases().size());
  }
  EXPECT_THAT(bases, ElementsAre(0, 1, 1, 0, 1, 1, 0));
}

TEST_F(ManagerTest, Retention_IgnoresDamagedCheckpoints) {
  CheckpointManager manager = Open({.retention = {.last = 2}});
  for (const int64_t step : {2, 3}) ASSERT_THAT(manager.Save(step, Items(Params(2))), IsOk());
  Damage(manager.PathOf(3));
  ASSERT_EQ(manager.Restore().value().step, 2);
  ASSERT_THAT(manager.Save(4, Items(Params(4))), IsOk());
  EXPECT_THAT(manager.Steps().value(), ElementsAre(2, 3, 4));
  ASSERT_THAT(manager.Save(5, Items(Params(5))), IsOk());
  EXPECT_THAT(manager.Steps().value(), ElementsAre(3, 4, 5));
}

TEST_F(ManagerTest, Retention_WithUnreadableFiles_Continues) {
  {
    CheckpointManager manager = Open();
    for (const int64_t step : {1, 2, 3}) {
      ASSERT_THAT(manager.Save(step, Items(Params(1))), IsOk());
    }
    WriteFile(manager.PathOf(2), ReadFile(manager.PathOf(2)).substr(0, 200));
  }
  CheckpointManager manager = Open({.retention = {.last = 2}});
  ASSERT_THAT(manager.Save(4, Items(Params(1))), IsOk());
  EXPECT_THAT(manager.Steps().value(), ElementsAre(2, 3, 4));
}

TEST_F(ManagerTest, Retention_KeepsByAllRules) {
  CheckpointManager manager =
      Open({.retention = {.last = 2, .every = 10, .best = 1, .metric = "accuracy"}});
  const std::vector<double> accuracies = {0.1, 0.9, 0.3, 0.2, 0.1, 0.4};
  int64_t step = 7;
  for (const double accuracy : accuracies) {
    ASSERT_THAT(manager.Save(step++, Items(Params(1)), {{"accuracy", accuracy}}), IsOk());
  }
  EXPECT_THAT(manager.Steps().value(), ElementsAre(8, 10, 11, 12));
  EXPECT_EQ(manager.Restore({.best = true}).value().step, 8);
  Damage(manager.PathOf(8));
  const RestoredCheckpoint second = manager.Restore({.best = true}).value();
  EXPECT_EQ(second.step, 12);
  EXPECT_EQ(second.skipped[0].first, 8);
}

TEST_F(ManagerTest, RestoreBest_WithoutAMetric_IsAnError) {
  EXPECT_EQ(Open().Restore({.best = true}).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(ManagerTest, MisspeltMetric_RemovesNothingAndIsReported) {
  CheckpointManager manager = Open({.retention = {.best = 1, .metric = "accuracy"}});
  for (const int64_t step : {1, 2, 3}) {
    ASSERT_THAT(manager.Save(step, Items(Params(1)), {{"acuracy", 1.0 / step}}), IsOk());
  }
  EXPECT_THAT(manager.Steps().value(), ElementsAre(1, 2, 3));
  EXPECT_THAT(
      manager.Restore({.best = true}).status(),
      StatusIs(absl::StatusCode::kNotFound,
               HasSubstr("no checkpoint has the metric 'accuracy'; did you mean acuracy?")));
}

TEST_F(ManagerTest, Remove_MakesTheNextSaveFull) {
  CheckpointManager manager = Open({.incremental = true});
  const ParamStore params = Params(1);
  const auto bases_of = [&](int64_t step) {
    return manager.Restore({.step = step}).value().reader.bases().size();
  };
  ASSERT_THAT(manager.Save(1, Items(params)), IsOk());
  EXPECT_EQ(manager.Remove(1).code(), absl::StatusCode::kOk);
  ASSERT_THAT(manager.Save(2, Items(params)), IsOk());
  EXPECT_EQ(bases_of(2), 0u) << "what it would build on is gone";
  ASSERT_THAT(manager.Save(3, Items(params)), IsOk());
  ASSERT_EQ(manager.Remove(99).code(), absl::StatusCode::kNotFound);
  ASSERT_THAT(manager.Save(4, Items(params)), IsOk());
  EXPECT_EQ(bases_of(4), 1u) << "nothing was removed";
}

TEST_F(ManagerTest, FullEvery_RequiresIncremental) {
  EXPECT_THAT(CheckpointManager::Open(dir_.File("run"), {.full_every = 3}).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("incremental")));
}

TEST_F(ManagerTest, SecondManager_IsRefusedUnlessReadOnly) {
  {
    CheckpointManager first = Open();
    EXPECT_EQ(CheckpointManager::Open(dir_.File("run")).status().code(),
              absl::StatusCode::kFailedPrecondition);
    ASSERT_THAT(first.Save(1, Items(Params(1))), IsOk());
    CheckpointManager reader = Open({.read_only = true});
    EXPECT_EQ(Loaded(reader.Restore().value()), 1);
    EXPECT_EQ(reader.Save(2, Items(Params(2))).code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(reader.Remove(1).code(), absl::StatusCode::kFailedPrecondition);
  }
  EXPECT_EQ(Open().Latest().value(), 1);
}

TEST_F(ManagerTest, ReadOnly_CreatesNothing) {
  EXPECT_EQ(CheckpointManager::Open(dir_.File("none"), {.read_only = true}).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_THAT(dir_.List(), IsEmpty());
}

TEST_F(ManagerTest, Open_RemovesOnlyUnfinishedFiles) {
  { const CheckpointManager manager = Open(); }
  const std::string unfinished = dir_.File("run/step-00000000000000000007.leaf.tmp-123-0");
  WriteFile(unfinished, "half");
  WriteFile(dir_.File("run/notes.tmp-1"), "mine");
  WriteFile(dir_.File("run/model.leaf"), "mine");
  const CheckpointManager manager = Open();
  std::vector<std::string> names = FileSystem::Posix().List(dir_.File("run")).value();
  EXPECT_THAT(names, ElementsAre("LOCK", "model.leaf", "notes.tmp-1"));
  EXPECT_THAT(manager.Steps().value(), IsEmpty());
}

TEST_F(ManagerTest, Retention_KeepsBases) {
  CheckpointManager manager = Open({.retention = {.last = 1}, .incremental = true});
  ParamStore params = StoreAt({{".w", Filled(0, 100)}, {".frozen", Filled(7, 5000)}});
  for (int64_t step = 1; step <= 5; ++step) {
    ASSERT_THAT(params.Set(".w", Filled(static_cast<float>(step), 100)), IsOk());
    ASSERT_THAT(manager.Save(step, Items(params)), IsOk());
  }
  EXPECT_THAT(manager.Steps().value(), ElementsAre(1, 5));
  EXPECT_EQ(EntriesOf(manager.Restore().value().reader.Load("params").value()), EntriesOf(params));
  EXPECT_THAT(manager.Remove(1), StatusIs(absl::StatusCode::kFailedPrecondition,
                                          absl::StrCat("cannot remove ", manager.PathOf(1),
                                                       ": the checkpoint of step 5 needs it")));
  // After a full save, the base is no longer needed.
  ASSERT_THAT(manager.Remove(5), IsOk());
  ASSERT_THAT(manager.Save(6, Items(params)), IsOk());
  EXPECT_THAT(manager.Steps().value(), ElementsAre(6));
  EXPECT_EQ(EntriesOf(manager.Restore().value().reader.Load("params").value()), EntriesOf(params));
}

TEST_F(ManagerTest, Restore_WithAMissingBase_NamesItOnce) {
  CheckpointManager manager = Open({.incremental = true});
  std::vector<std::pair<std::string, Leaf>> entries;
  for (int i = 0; i < 20; ++i) entries.emplace_back(absl::StrCat(".w", i), Filled(i, 100));
  const ParamStore params = StoreAt(entries);
  ASSERT_THAT(manager.Save(1, Items(params)), IsOk());
  ASSERT_THAT(manager.Save(2, Items(params)), IsOk());
  std::filesystem::remove(manager.PathOf(1));
  EXPECT_THAT(manager.Restore({.step = 2}).status(),
              StatusIs(absl::StatusCode::kDataLoss,
                       absl::StrCat(manager.PathOf(2), ": base: cannot open ", manager.PathOf(1),
                                    ": No such file or directory; tensors that are in it: 20")));
}

TEST_F(ManagerTest, DamagedBase_DamagesAllThatNeedIt) {
  CheckpointManager manager = Open({.retention = {.last = 9}, .incremental = true});
  ParamStore params = StoreAt({{".w", Filled(0, 100)}, {".frozen", Filled(7, 5000)}});
  for (int64_t step = 1; step <= 3; ++step) {
    ASSERT_THAT(params.Set(".w", Filled(static_cast<float>(step), 100)), IsOk());
    ASSERT_THAT(manager.Save(step, Items(params)), IsOk());
  }
  Damage(manager.PathOf(1));
  // The message names the damaged file and the requested one.
  const std::string words =
      absl::StrCat("item 'params', '.frozen': base ", manager.PathOf(1), ": expected checksum ");
  EXPECT_THAT(manager.Restore(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr(words)));
  const CheckpointReader reader = CheckpointReader::Open(manager.PathOf(3)).value();
  EXPECT_THAT(reader.Verify(),
              StatusIs(absl::StatusCode::kDataLoss,
                       testing::StartsWith(absl::StrCat(manager.PathOf(3), ": ", words))));
  EXPECT_THAT(reader.LoadLeaf("params", ".frozen"),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr(words)));
}

TEST_F(ManagerTest, Open_WithInconsistentOptions_IsAnError) {
  const auto code = [&](ManagerOptions options) {
    return CheckpointManager::Open(dir_.File("run"), std::move(options)).status().code();
  };
  EXPECT_EQ(code({.retention = {.every = -1}}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.retention = {.best = 1}}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CheckpointManager::Open("").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace leafstore
