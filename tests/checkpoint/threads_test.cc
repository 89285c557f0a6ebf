// Saves during training and reading, and concurrent loads. They check values, so they are useful in
// every build; ThreadSanitizer also finds values that are correct by chance. See also
// ReaderTest.Reader_IsSafeFromManyThreads and WriterTest.WritersOfOnePath_AreIndependent.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/manager.h"
#include "leafstore/checkpoint/reader.h"
#include "leafstore/checkpoint/writer.h"
#include "leafstore/select/filter.h"
#include "leafstore/store/param_store.h"

#include "tests/checkpoint/models.h"
#include "tests/core/in_threads.h"
#include "tests/core/status_matchers.h"
#include "tests/io/temp_dir.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using ::testing::ElementsAre;

constexpr int kThreads = 4;
constexpr int64_t kSize = 5000;  // large enough that saving a leaf takes a while

// All elements of `.a` and `.b` have one value, the same in both; `.frozen` is never written.
ParamStore NewParams() {
  return StoreAt({{".a", Filled(0, kSize)},
                  {".b", Filled(0, kSize)},
                  {".frozen", Filled(7, kSize)},
                  {".name", Value("x")}});
}

void Write(ParamStore* params, float number) {
  {
    MutableTensor a = params->Mutate(".a").value();
    const absl::Span<float> numbers = a.span<float>();
    std::fill(numbers.begin(), numbers.end(), number);
  }
  MutableLeaves all = params->MutateAll().value();
  const absl::Span<float> numbers = all.GetSpan<float>(1).value();
  std::fill(numbers.begin(), numbers.end(), number);
}

// Checks that the values are those between two calls of Write.
void ExpectWhole(const ParamStore& params) {
  const float number = FloatsAt(params, ".a")[0];
  EXPECT_EQ(*params.Find(".a"), Leaf(Filled(number, kSize)));
  EXPECT_EQ(*params.Find(".b"), Leaf(Filled(number, kSize)));
  EXPECT_EQ(*params.Find(".frozen"), Leaf(Filled(7, kSize)));
  EXPECT_EQ(*params.Find(".name"), Leaf(Value("x")));
}

std::vector<CheckpointItem> ItemsOf(const ParamStore& params) {
  std::vector<CheckpointItem> items;
  items.emplace_back("params", params);
  return items;
}

TEST(SaveThreadsTest, Snapshot_IsSavedWhileTheStoreIsWritten) {
  const TempDir dir;
  const std::string path = dir.File("a.leaf");
  ParamStore params = NewParams();
  for (int round = 0; round < 20; ++round) {
    const auto number = static_cast<float>(round);
    Write(&params, number);
    std::atomic<bool> saved{false};
    std::thread saver([&path, &saved, snapshot = params.Snapshot().value()]() mutable {
      EXPECT_THAT(
          SaveCheckpoint(path, {{"params", std::move(snapshot)}}, {.io = {.durable = false}}),
          IsOk());
      saved = true;
    });
    for (float other = -1; other > -3 || !saved; --other) Write(&params, other);
    saver.join();
    const ParamStore found = CheckpointReader::Open(path)->Load("params").value();
    ExpectWhole(found);
    EXPECT_EQ(FloatsAt(found, ".a")[0], number);
  }
}

TEST(SaveThreadsTest, OneStore_IsSavedByManyThreads) {
  const TempDir dir;
  for (int round = 0; round < 5; ++round) {
    const ParamStore params = NewParams();
    const auto path_of = [&](int i) { return dir.File(absl::StrCat(i, ".leaf")); };
    InThreads(kThreads, [&](int i) {
      EXPECT_THAT(SaveCheckpoint(path_of(i), {{"params", params}}, {.io = {.durable = false}}),
                  IsOk());
    });
    for (int i = 1; i < kThreads; ++i) EXPECT_EQ(ReadFile(path_of(i)), ReadFile(path_of(0)));
    ExpectWhole(CheckpointReader::Open(path_of(0))->Load("params").value());
  }
}

class ManagerThreadsTest : public testing::TestWithParam<bool> {
 protected:
  CheckpointManager Open() {
    return CheckpointManager::Open(
               dir_.File("run"),
               {.io = {.durable = false}, .retention = {.last = 100}, .incremental = GetParam()})
        .value();
  }

  TempDir dir_;
};

// Training, saving, and reading of earlier checkpoints and of a snapshot, at the same time.
TEST_P(ManagerThreadsTest, SaveAsync_IsSafeWithConcurrentUpdatesAndReaders) {
  constexpr int64_t kSteps = 25;
  CheckpointManager manager = Open();
  ParamStore params = NewParams();
  const ParamStore first = params.Snapshot().value();
  std::atomic<int64_t> newest{-1};  // saved for sure
  std::atomic<bool> done{false};

  std::thread of_snapshots([&] {
    while (!done) ExpectWhole(first);
  });
  std::vector<std::string> paths;
  for (int64_t step = 0; step < kSteps; ++step) paths.push_back(manager.PathOf(step));
  std::thread of_files([&] {
    while (!done) {
      const int64_t step = newest;
      if (step < 0) continue;
      const auto reader = CheckpointReader::Open(paths[static_cast<size_t>(step)]).value();
      const ParamStore found = reader.Load("params").value();
      ExpectWhole(found);
      EXPECT_EQ(FloatsAt(found, ".a")[0], static_cast<float>(step));
    }
  });

  for (int64_t step = 0; step < kSteps; ++step) {
    Write(&params, static_cast<float>(step));
    EXPECT_TRUE(manager.SaveAsync(step, ItemsOf(params)).value());  // waits for the one before
    newest = step - 1;
    Write(&params, -1);
    EXPECT_THAT(params.Set(".a", Filled(-2, kSize)), IsOk());
  }
  EXPECT_THAT(manager.Wait(), IsOk());
  newest = kSteps - 1;
  done = true;
  of_snapshots.join();
  of_files.join();

  for (int64_t step = 0; step < kSteps; ++step) {
    const ParamStore found = manager.Restore({.step = step})->reader.Load("params").value();
    ExpectWhole(found);
    EXPECT_EQ(FloatsAt(found, ".a")[0], static_cast<float>(step));
  }
}

TEST_P(ManagerThreadsTest, TwoManagers_SaveOneStoreConcurrently) {
  ParamStore params = NewParams();
  CheckpointManager one = CheckpointManager::Open(dir_.File("one"), {.io = {.durable = false},
                                                                     .incremental = GetParam()})
                              .value();
  CheckpointManager two = CheckpointManager::Open(dir_.File("two"), {.io = {.durable = false},
                                                                     .incremental = GetParam()})
                              .value();
  for (int64_t step = 0; step < 10; ++step) {
    Write(&params, static_cast<float>(step));
    EXPECT_TRUE(one.SaveAsync(step, ItemsOf(params)).value());
    EXPECT_TRUE(two.SaveAsync(step, ItemsOf(params)).value());
  }
  for (CheckpointManager* manager : {&one, &two}) {
    EXPECT_THAT(manager->Wait(), IsOk());
    const RestoredCheckpoint restored = manager->Restore().value();
    EXPECT_EQ(restored.step, 9);
    EXPECT_EQ(EntriesOf(restored.reader.Load("params").value()), EntriesOf(params));
  }
}

INSTANTIATE_TEST_SUITE_P(, ManagerThreadsTest, testing::Bool(),
                         [](const auto& tested) { return tested.param ? "Incremental" : "Whole"; });

class ReaderThreadsTest : public testing::TestWithParam<ReadMode> {};

// A reader opens the bases when the first of their tensors is loaded, and only then.
TEST_P(ReaderThreadsTest, ConcurrentLoads_OpenBasesOnce) {
  const TempDir dir;
  SaveHistory history;
  const SaveOptions options{.io = {.durable = false}, .history = &history};
  ParamStore params = NewParams();
  ASSERT_THAT(SaveCheckpoint(dir.File("1.leaf"), {{"params", params}}, options), IsOk());
  ASSERT_THAT(params.Set(".b", Filled(1, kSize)), IsOk());
  ASSERT_THAT(SaveCheckpoint(dir.File("2.leaf"), {{"params", params}}, options), IsOk());
  ASSERT_THAT(params.Set(".a", Filled(1, kSize)), IsOk());
  ASSERT_THAT(SaveCheckpoint(dir.File("3.leaf"), {{"params", params}}, options), IsOk());

  for (int round = 0; round < 10; ++round) {
    const CheckpointReader reader =
        CheckpointReader::Open(dir.File("3.leaf"), {.io = {.mode = GetParam()}}).value();
    ASSERT_EQ(reader.bases().size(), 2u);
    const std::vector<std::function<void()>> loads = {
        [&] { ExpectWhole(reader.Load("params").value()); },
        [&] { EXPECT_EQ(*reader.LoadLeaf("params", ".b"), Leaf(Filled(1, kSize))); },
        [&] {
          const ParamStore found = reader.Load("params", {.filter = Glob("frozen")}).value();
          EXPECT_EQ(found.size(), 1u);
          EXPECT_EQ(*found.Find(".frozen"), Leaf(Filled(7, kSize)));
        },
        [&] {
          ParamStore into = NewParams();
          EXPECT_THAT(reader.LoadInto("params", &into), IsOk());
          ExpectWhole(into);
          Write(&into, 5);  // its own bytes, even if the file is mapped
          EXPECT_EQ(*into.Find(".b"), Leaf(Filled(5, kSize)));
        },
        [&] { EXPECT_THAT(reader.Verify(), IsOk()); },
        [&] {
          EXPECT_THAT(reader.items(), ElementsAre("params"));
          EXPECT_EQ(reader.GetItem("params")->slots().size(), 4u);
        },
    };
    InThreads(kThreads, [&loads](int i) {
      for (size_t next = 0; next < loads.size(); ++next) {
        loads[(next + static_cast<size_t>(i)) % loads.size()]();
      }
    });
  }
}

INSTANTIATE_TEST_SUITE_P(, ReaderThreadsTest, testing::Values(ReadMode::kMap, ReadMode::kRead),
                         [](const auto& tested) {
                           return tested.param == ReadMode::kMap ? "Mapped" : "Read";
                         });

}  // namespace
}  // namespace leafstore
