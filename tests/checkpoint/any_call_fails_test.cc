// Each call of the file system fails once, in long pieces of work with a manager and with a reader:
// the work ends with the error or does not need the call, and nothing that was saved is lost.
#include "tests/io/any_call_fails.h"

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/internal/checkpoint_access.h"
#include "leafstore/checkpoint/manager.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/select/filter.h"

#include "tests/checkpoint/models.h"
#include "tests/core/status_matchers.h"
#include "tests/io/temp_dir.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

// How calls fail: with an error of the process, one of the disk, and as if files had vanished, once
// or from then on.
constexpr AnyCallFails::Fault kFaults[] = {{.code = absl::StatusCode::kUnavailable},
                                           {.code = absl::StatusCode::kUnknown},
                                           {.code = absl::StatusCode::kNotFound},
                                           {.code = absl::StatusCode::kNotFound, .for_ever = true}};

class AnyCallFailsTest : public testing::Test {
 protected:
  // Does the work with each call failing in turn, in each way, from a new copy of `start`.
  // `check` is called after each, with the result.
  void Sweep(const std::function<absl::Status(FileSystem*)>& work,
             const std::function<void(const absl::Status&)>& check) {
    for (AnyCallFails::Fault fault : kFaults) {
      for (fault.fail_at = 0;; ++fault.fail_at) {
        SCOPED_TRACE(absl::StrCat("call ", fault.fail_at, ", code ", static_cast<int>(fault.code)));
        std::filesystem::remove_all(run_);
        if (std::filesystem::exists(start_)) {
          std::filesystem::copy(start_, run_, std::filesystem::copy_options::recursive);
        }
        AnyCallFails files(fault);
        const absl::Status status = work(&files);
        if (!files.has_failed()) {
          EXPECT_THAT(status, IsOk());
          break;
        }
        check(status);
        if (HasFailure()) return;
      }
    }
  }

  TempDir dir_;
  const std::string run_ = dir_.File("run");
  const std::string start_ = dir_.File("start");
};

std::vector<CheckpointItem> ItemsOf(const ParamStore& params) {
  std::vector<CheckpointItem> items;
  items.emplace_back("params", params);
  return items;
}

// What is known of a run while it is worked with.
struct Known {
  int64_t newest = -1;  // was reported as saved, or as restored with and_continue
  int64_t maybe = -1;   // is what the last call may have made the newest
};

absl::Status SaveStep(CheckpointManager* manager, int64_t step, ParamStore* params, Known* known) {
  LEAFSTORE_RETURN_IF_ERROR(params->Set(".w", Filled(static_cast<float>(step), 100)));
  known->maybe = step;
  const Metrics metrics = {{"loss", 1.0 / static_cast<double>(step)}};
  if (step % 2 == 0) {
    LEAFSTORE_RETURN_IF_ERROR(manager->SaveAsync(step, ItemsOf(*params), metrics).status());
    LEAFSTORE_RETURN_IF_ERROR(manager->Wait());
  } else {
    LEAFSTORE_RETURN_IF_ERROR(manager->Save(step, ItemsOf(*params), metrics));
  }
  known->newest = step;
  return absl::OkStatus();
}

absl::Status Train(const std::string& run, FileSystem* files, Known* known) {
  ParamStore params = StoreAt({{".w", Filled(0, 100)}, {".frozen", Filled(7, 1000)}});
  const Retention retention = {.last = 2, .best = 1, .metric = "loss", .higher_is_better = false};
  LEAFSTORE_ASSIGN_OR_RETURN(
      CheckpointManager manager,
      CheckpointManager::Open(run, {.io = {.mode = ReadMode::kRead, .file_system = files},
                                    .retention = retention,
                                    .incremental = true}));
  for (const int64_t step : {1, 2, 3, 4}) {
    LEAFSTORE_RETURN_IF_ERROR(SaveStep(&manager, step, &params, known));
  }
  LEAFSTORE_RETURN_IF_ERROR(manager.Restore({.best = true}).status());
  known->maybe = 3;
  LEAFSTORE_RETURN_IF_ERROR(manager.Restore({.step = 3, .and_continue = true}).status());
  known->newest = 3;
  LEAFSTORE_RETURN_IF_ERROR(SaveStep(&manager, 5, &params, known));
  LEAFSTORE_RETURN_IF_ERROR(SaveStep(&manager, 6, &params, known));
  LEAFSTORE_RETURN_IF_ERROR(manager.ListRun().status());
  LEAFSTORE_RETURN_IF_ERROR(manager.Latest().status());
  LEAFSTORE_RETURN_IF_ERROR(manager.RemoveAbandoned());
  known->maybe = 5;
  LEAFSTORE_RETURN_IF_ERROR(manager.Remove(6));
  known->newest = 5;
  return absl::OkStatus();
}

TEST_F(AnyCallFailsTest, Training_LosesNothingThatWasSaved) {
  Known known;
  const auto work = [&](FileSystem* files) {
    known = {};
    return Train(run_, files, &known);
  };
  Sweep(work, [&](const absl::Status& status) {
    if (!status.ok()) {
      EXPECT_THAT(status.message(), HasSubstr(dir_.path()));
    }
    absl::StatusOr<CheckpointManager> manager =
        CheckpointManager::Open(run_, {.io = {.durable = false}});
    ASSERT_THAT(manager, IsOk());
    const absl::StatusOr<RestoredCheckpoint> restored = manager->Restore();
    if (known.newest < 0 && absl::IsNotFound(restored.status())) return;
    ASSERT_THAT(restored, IsOk()) << status;
    EXPECT_THAT(restored->step, AnyOf(known.newest, known.maybe)) << status;
    EXPECT_EQ(restored->reader.LoadLeaf("params", ".w")->tensor().span<float>()[0],
              static_cast<float>(restored->step));
  });
}

TEST_F(AnyCallFailsTest, OpeningARun_ChangesNothing) {
  {
    Known known;
    ASSERT_THAT(Train(start_, &FileSystem::Posix(), &known), IsOk());
  }
  const auto work = [&](FileSystem* files) -> absl::Status {
    LEAFSTORE_ASSIGN_OR_RETURN(
        CheckpointManager manager,
        CheckpointManager::Open(run_, {.io = {.file_system = files}, .read_only = true}));
    LEAFSTORE_RETURN_IF_ERROR(manager.Steps().status());
    LEAFSTORE_RETURN_IF_ERROR(manager.Restore({.verify = false}).status());
    LEAFSTORE_ASSIGN_OR_RETURN(const RestoredCheckpoint restored, manager.Restore());
    // One that cannot be read is skipped.
    return restored.skipped.empty() ? absl::OkStatus() : restored.skipped[0].second;
  };
  const auto names = FileSystem::Posix().List(start_).value();
  Sweep(work, [&](const absl::Status& status) {
    if (!status.ok()) {
      EXPECT_THAT(status.message(), HasSubstr(dir_.path()));
    }
    EXPECT_EQ(FileSystem::Posix().List(run_).value(), names);
  });
}

TEST_F(AnyCallFailsTest, NoCheckpoint_IsNotReportedWhereTheDirectoryCannotBeListed) {
  std::filesystem::create_directory(start_);
  WriteFile(start_ + "/step-00000000000000000007.leaf.tmp-1-0", "unfinished");
  const auto work = [&](FileSystem* files) -> absl::Status {
    LEAFSTORE_ASSIGN_OR_RETURN(
        CheckpointManager manager,
        CheckpointManager::Open(run_, {.io = {.durable = false, .file_system = files}}));
    for (const absl::Status& none : {manager.Latest().status(), manager.Restore().status(),
                                     manager.Restore({.step = 1}).status()}) {
      if (!absl::IsNotFound(none) || absl::StrContains(none.message(), "injected")) return none;
    }
    return absl::OkStatus();
  };
  Sweep(work, [&](const absl::Status& status) {
    if (!status.ok()) {
      EXPECT_THAT(status.message(), HasSubstr("injected"));
    }
  });
}

// Every call of a reader, on a checkpoint whose base is another file.
absl::Status ReadAll(const std::string& path, const ReadOptions& options, ParamStore* into) {
  LEAFSTORE_ASSIGN_OR_RETURN(const CheckpointReader reader, CheckpointReader::Open(path, options));
  LEAFSTORE_RETURN_IF_ERROR(internal::CheckpointAccess::FileOf(reader).OpenBases());
  static_cast<void>(reader.read_mode());
  LEAFSTORE_RETURN_IF_ERROR(reader.Load("params").status());
  LEAFSTORE_RETURN_IF_ERROR(reader.Load("params", {.filter = Glob("w")}).status());
  LEAFSTORE_RETURN_IF_ERROR(reader.LoadLeaf("params", ".frozen").status());
  LEAFSTORE_RETURN_IF_ERROR(reader.LoadRows("params", ".frozen", {3, 5}).status());
  LEAFSTORE_RETURN_IF_ERROR(reader.LoadItems("groups").status());
  LEAFSTORE_RETURN_IF_ERROR(reader.LoadGroups("groups/a").status());
  LEAFSTORE_RETURN_IF_ERROR(reader.LoadInto("params", into).status());
  const Filter callable =
      filters::Callable([](const NodeView& node) { return node.kind() == NodeKind::kLeaf; });
  LEAFSTORE_RETURN_IF_ERROR(reader
                                .CompileGrouping("params",
                                                 {{"tensors", callable}, {"rest", Rest()}},
                                                 {.allow_empty = true})
                                .status());
  LEAFSTORE_RETURN_IF_ERROR(reader.Verify());
  LEAFSTORE_RETURN_IF_ERROR(LoadCheckpoint(path, "params", options).status());
  return LoadCheckpoint(path, options).status();
}

TEST_F(AnyCallFailsTest, Reading_ReturnsTheErrorWithThePath) {
  std::filesystem::create_directory(start_);
  SaveHistory history;
  const ParamStore params = StoreAt({{".w", Filled(0, 100)}, {".frozen", Filled(7, 1000)}});
  const Grouping grouping = Grouping::Compile(params, {{"w", Glob("w")}, {"rest", Rest()}}).value();
  for (const char* name : {"/base.leaf", "/a.leaf"}) {
    std::vector<CheckpointItem> items;
    items.emplace_back("params", params);
    items.emplace_back("groups/a", params, ItemOptions{.grouping = grouping});
    ASSERT_THAT(SaveCheckpoint(start_ + name, std::move(items),
                               {.io = {.durable = false}, .history = &history}),
                IsOk());
  }
  for (const ReadMode mode :
       {ReadMode::kAuto, ReadMode::kMap, ReadMode::kRead, ReadMode::kDirect}) {
    const auto work = [&](FileSystem* files) {
      ParamStore into = StoreAt({{".w", Filled(1, 100)}, {".frozen", Filled(1, 1000)}});
      return ReadAll(run_ + "/a.leaf", {.io = {.mode = mode, .threads = 1, .file_system = files}},
                     &into);
    };
    Sweep(work, [&](const absl::Status& status) {
      if (!status.ok()) {
        EXPECT_THAT(status.message(), HasSubstr(run_));
      }
    });
  }
}

}  // namespace
}  // namespace leafstore
