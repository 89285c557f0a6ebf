// Checks which calls read tensors, and which read only the manifest.
#include "leafstore/checkpoint/internal/checkpoint_file.h"

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/internal/format.h"
#include "leafstore/checkpoint/reader.h"

#include "tests/checkpoint/forge.h"
#include "tests/checkpoint/models.h"
#include "tests/core/status_matchers.h"
#include "tests/io/memory_file.h"
#include "tests/io/temp_dir.h"

namespace leafstore {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::HasSubstr;

// A file that counts its mappings and reads.
class CountingFile : public MemoryFile {
 public:
  struct Counts {
    std::atomic<int> maps{0};
    std::atomic<int> reads{0};
  };

  using MemoryFile::MemoryFile;
  absl::StatusOr<std::unique_ptr<ReadableFile>> Open(const std::string& path) override {
    auto file = MemoryFile::Open(path);
    if (!file.ok()) return file.status();
    return std::make_unique<Counted>(*std::move(file), counts_);
  }
  const Counts& counts() const { return *counts_; }

 private:
  class Counted : public ReadableFile {
   public:
    Counted(std::unique_ptr<ReadableFile> file, std::shared_ptr<Counts> counts)
        : file_(std::move(file)), counts_(std::move(counts)) {}
    int64_t size() const override { return file_->size(); }
    absl::Status ReadAt(int64_t offset, absl::Span<std::byte> out) const override {
      ++counts_->reads;
      return file_->ReadAt(offset, out);
    }
    absl::StatusOr<Buffer> Map() const override {
      ++counts_->maps;
      return file_->Map();
    }

   private:
    std::unique_ptr<ReadableFile> file_;
    std::shared_ptr<Counts> counts_;
  };

  std::shared_ptr<Counts> counts_ = std::make_shared<Counts>();
};

std::string BytesOfCheckpoint(const ParamStore& store) {
  TempDir dir;
  const std::string path = dir.File("a.leaf");
  EXPECT_THAT(SaveCheckpoint(path, {{"params", store}}, {.io = {.durable = false}}), IsOk());
  return ReadFile(path);
}

// Returns a file of EveryKindStore in which .embed (f32[2, 3]) has an unknown codec.
std::string WithAnUnknownCodec() {
  const std::string file = BytesOfCheckpoint(EveryKindStore());
  Manifest manifest = ManifestOf(file);
  manifest.items[0].segments.codecs = {3, 0, 0};
  return WithManifest(file, manifest);
}

class CheckpointFileTest : public testing::TestWithParam<ReadMode> {
 protected:
  CheckpointReader Open(const std::string& bytes, bool verify = true) {
    file_ = std::make_unique<CountingFile>(bytes);
    return CheckpointReader::Open(
               "a.leaf", {.io = {.mode = GetParam(), .file_system = file_.get()}, .verify = verify})
        .value();
  }
  int Asked() const { return file_->counts().maps + file_->counts().reads; }

  std::unique_ptr<CountingFile> file_;
};

INSTANTIATE_TEST_SUITE_P(Modes, CheckpointFileTest,
                         testing::Values(ReadMode::kMap, ReadMode::kRead), [](const auto& tested) {
                           return tested.param == ReadMode::kMap ? "Mapped" : "Read";
                         });

TEST_P(CheckpointFileTest, Filter_WorksWithUnreadableTensors) {
  const CheckpointReader reader = Open(WithAnUnknownCodec());
  EXPECT_EQ(reader.Load("params", {.filter = Glob("named.**")}).value().size(), 3u);
  EXPECT_EQ(reader
                .Load("params",
                      {.filter = filters::Not(filters::Or(KindIs(NodeKind::kStruct), RankIs(2)))})
                .value()
                .size(),
            5u);
  EXPECT_THAT(reader.Load("params", {.filter = DTypeIs(DType::kF32)}),
              StatusIs(StatusCode::kUnimplemented,
                       AllOf(HasSubstr("a.leaf: item 'params', '.embed'"), HasSubstr("codec 3"))));
}

TEST_P(CheckpointFileTest, Grouping_KnowsTheSpecOfAnUnreadableTensor) {
  const CheckpointReader reader = Open(WithAnUnknownCodec());
  const Grouping plan =
      reader
          .CompileGrouping("params", {{"f32", DTypeIs(DType::kF32)},
                                      {"small", ByteSizeIs(SizeCompare::kEqual, 8)},
                                      {"rest", Rest()}})
          .value();
  EXPECT_EQ(plan.group_count(), 3u);
  EXPECT_EQ(plan.GroupOf(2), 0u);
  EXPECT_EQ(plan.GroupOf(3), 1u);
  EXPECT_EQ(plan.GroupOf(0), 2u);
}

TEST_P(CheckpointFileTest, Grouping_ReadsNoTensor) {
  const CheckpointReader reader = Open(BytesOfCheckpoint(EveryKindStore()));
  const int before = Asked();
  ASSERT_THAT(reader.CompileGrouping(
                  "params",
                  {{"a", RankIs(2)}, {"b", Glob("named.**")}, {"c", IsStatic()}, {"rest", Rest()}},
                  {.allow_empty = true}),
              IsOk());
  EXPECT_EQ(Asked(), before);
}

TEST_P(CheckpointFileTest, Grouping_SplitsTheLoadedStore) {
  const CheckpointReader reader = Open(BytesOfCheckpoint(EveryKindStore()));
  const Grouping plan =
      reader
          .CompileGrouping("params",
                           {{"matrices", RankIs(2)}, {"static", IsStatic()}, {"rest", Rest()}})
          .value();
  const Groups groups = plan.Split(reader.Load("params").value()).value();
  EXPECT_EQ(groups["matrices"].size(), 2u);
  EXPECT_EQ(groups["static"].size(), 3u);
}

TEST_P(CheckpointFileTest, CompileGrouping_InvalidArguments_AreErrors) {
  const CheckpointReader reader = Open(BytesOfCheckpoint(EveryKindStore()));
  EXPECT_THAT(reader.CompileGrouping("param", {{"all", Rest()}}),
              StatusIs(StatusCode::kNotFound, HasSubstr("params")));
  EXPECT_THAT(reader.CompileGrouping("params", {{"a", RankIs(-1)}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("rank")));
  EXPECT_THAT(reader.CompileGrouping("params", {{"a", RankIs(2)}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("no filter matches")));
}

TEST_P(CheckpointFileTest, Callable_MayReadBytes) {
  const CheckpointReader reader = Open(BytesOfCheckpoint(EveryKindStore()));
  const Filter holds_six = filters::Callable([](const NodeView& node) {
    if (node.tensor() == nullptr || node.tensor()->dtype() != DType::kF32) return false;
    const absl::Span<const float> values = node.tensor()->span<float>();
    return values.back() == 6;
  });
  const ParamStore taken =
      reader.Load("params", {.filter = filters::Or(RankIs(5), holds_six)}).value();
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_EQ(taken.PathText(0), ".embed");
}

TEST_P(CheckpointFileTest, PlainReads_MapNothing) {
  const CheckpointReader reader = Open(BytesOfCheckpoint(EveryKindStore()));
  const Filter any = filters::Callable([](const NodeView&) { return true; });
  ASSERT_THAT(reader.Load("params", {.filter = any}), IsOk());
  ASSERT_THAT(reader.Load("params", {.filter = filters::All()}), IsOk());
  EXPECT_EQ(file_->counts().maps, GetParam() == ReadMode::kMap ? 1 : 0);
}

TEST_P(CheckpointFileTest, Callable_RequiresAllTensorsToBeReadable) {
  const CheckpointReader reader = Open(WithAnUnknownCodec());
  EXPECT_THAT(
      reader.Load("params", {.filter = filters::Callable([](const NodeView&) { return false; })}),
      StatusIs(StatusCode::kUnimplemented, HasSubstr("a.leaf: item 'params', '.embed'")));
}

// Reading a byte of 2 as a bool would be undefined behavior, so it is checked in any case.
TEST_P(CheckpointFileTest, UnverifiedLoad_StillChecksBools) {
  const Tensor mask = Tensor::From<bool>({3}, {true, false, true}).value();
  const ParamStore store =
      ParamStore::FromEntries({{Path().Item("mask"), mask}, {Path().Item("n"), Value(1)}}).value();
  std::string bytes = BytesOfCheckpoint(store);
  bytes[64 + 1] = 2;
  const CheckpointReader reader = Open(bytes, /*verify=*/false);
  const auto no_bools = StatusIs(StatusCode::kDataLoss,
                                 HasSubstr("a.leaf: item 'params', '['mask']': expected bools"));
  EXPECT_THAT(reader.Load("params"), no_bools);
  EXPECT_THAT(reader.LoadLeaf("params", "['mask']"), no_bools);
  EXPECT_THAT(
      reader.Load("params", {.filter = filters::Callable([](const NodeView&) { return false; })}),
      no_bools);
  EXPECT_EQ(reader.Load("params", {.filter = IsStatic()}).value().size(), 1u);
}

}  // namespace
}  // namespace leafstore
