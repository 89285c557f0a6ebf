// How files are read: which mode is chosen, how many reads a load takes, and how much it has in
// memory.
#include "leafstore/checkpoint/internal/read_plan.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/reader.h"
#include "leafstore/checkpoint/writer.h"
#include "leafstore/io/internal/checksum.h"

#include "tests/checkpoint/models.h"
#include "tests/core/status_matchers.h"
#include "tests/io/temp_dir.h"
#include "tests/io/watched_files.h"

namespace leafstore {
namespace {

using absl::StatusCode;
using internal::FileBytes;
using internal::ReadPlan;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr int64_t kMiB = 1 << 20;

// A store of `count` tensors of `size` bytes, all different.
ParamStore StoreOf(int count, int64_t size) {
  std::vector<std::pair<Path, Leaf>> entries;
  for (int i = 0; i < count; ++i) {
    entries.emplace_back(Path().Index(i), Filled(static_cast<float>(i), size / 4));
  }
  return ParamStore::FromEntries(std::move(entries)).value();
}

absl::Span<const std::byte> BytesOf(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

class ReadPlanTest : public testing::Test {
 protected:
  void Save(const ParamStore& store, SaveOptions options = {}) {
    options.io.durable = false;
    ASSERT_THAT(SaveCheckpoint(path_, {{"params", store}}, options), IsOk());
  }
  CheckpointReader Open(IoOptions io, bool verify = true) {
    io.file_system = &files_;
    CheckpointReader reader =
        CheckpointReader::Open(path_, {.io = std::move(io), .verify = verify}).value();
    files_.reads = 0;
    files_.bytes = 0;
    files_.largest = 0;
    return reader;
  }
  // Opens the file for a plan of its own.
  std::unique_ptr<FileBytes> File(const std::string& bytes, ReadMode mode) {
    WriteFile(path_, bytes);
    return FileBytes::Open(path_, {.mode = mode, .file_system = &files_}).value();
  }

  TempDir dir_;
  const std::string path_ = dir_.File("a.leaf");
  WatchedFiles files_;
};

TEST_F(ReadPlanTest, SmallTensors_AreReadTogether) {
  Save(StoreOf(3000, 1024));
  const CheckpointReader reader = Open({.mode = ReadMode::kRead, .threads = 1});
  ASSERT_THAT(reader.Load("params"), IsOk());
  EXPECT_EQ(files_.reads, 1);
  EXPECT_EQ(files_.bytes, 3000 * 1024);
  ASSERT_THAT(reader.Verify(), IsOk());
  EXPECT_LE(files_.reads, 1 + 6);  // the ends and the manifest again
}

TEST_F(ReadPlanTest, DistantTensors_AreReadAlone) {
  Save(StoreOf(300, 16 * 1024));
  const CheckpointReader reader = Open({.mode = ReadMode::kRead, .threads = 1});
  ASSERT_THAT(reader.Load("params", {.places = std::vector<uint32_t>{0, 2, 100, 101, 299}}),
              IsOk());
  EXPECT_EQ(files_.reads, 3);
  EXPECT_EQ(files_.bytes, 6 * 16 * 1024);  // and the gap between the first two
}

// Reads of all sizes take no more calls than reading the file in steps of 8 MiB, and a few.
TEST_F(ReadPlanTest, Load_TakesAsFewReadsAsReadingTheFileInOrder) {
  for (const int64_t size : {1024 * 64, 1500 * 1024, 5 * 1024 * 1024, 20 * 1024 * 1024}) {
    const int64_t total = 120 * kMiB;
    Save(StoreOf(static_cast<int>(total / size), size));
    for (const ReadMode mode : {ReadMode::kRead, ReadMode::kDirect}) {
      const CheckpointReader reader = Open({.mode = mode, .threads = 4});
      ASSERT_THAT(reader.Load("params"), IsOk());
      // Tensors of 5 MiB are not divided evenly; several threads make up for it.
      EXPECT_LE(files_.reads, 24) << size;
      EXPECT_LE(files_.largest, 8 * kMiB + 4096);
      EXPECT_LE(files_.bytes, total + total / 100);
    }
  }
}

TEST_F(ReadPlanTest, BytesInFlight_AreLimited) {
  Save(StoreOf(60, 700 * 1024));
  const CheckpointReader reader =
      Open({.mode = ReadMode::kRead, .threads = 2, .max_bytes_in_flight = 4 * kMiB});
  ASSERT_THAT(reader.Load("params"), IsOk());
  EXPECT_LE(files_.largest, 2 * kMiB);
  ASSERT_THAT(reader.Verify(), IsOk());
  EXPECT_LE(files_.largest, 2 * kMiB);
}

// Each read waits. Four threads read, so a load takes less time than reading in order.
TEST_F(ReadPlanTest, SlowDisk_IsReadByThreads) {
  Save(StoreOf(48, kMiB + 4096));
  files_.is_local = false;
  const CheckpointReader reader = Open({});
  files_.wait = std::chrono::milliseconds(20);
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_THAT(reader.Load("params"), IsOk());
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_LE(files_.reads, 12);  // four tensors each
  // Two rounds of 20 ms, and what a busy machine adds.
  EXPECT_LT(took, std::chrono::milliseconds(20 * 6 + 2000));
}

TEST_F(ReadPlanTest, Open_ReadsThePreambleAndTheTail) {
  Save(StoreOf(1000, 64));
  files_.is_local = false;
  ASSERT_THAT(CheckpointReader::Open(path_, {.io = {.file_system = &files_}}), IsOk());
  EXPECT_EQ(files_.reads, 2);
}

TEST_F(ReadPlanTest, Auto_MapsALocalFile) {
  Save(StoreOf(10, 1024));
  const CheckpointReader reader = Open({});
  EXPECT_EQ(reader.read_mode(), ReadMode::kMap);
  ASSERT_THAT(reader.Load("params"), IsOk());
  EXPECT_EQ(files_.maps, 1);
  EXPECT_EQ(files_.reads, 0);
}

TEST_F(ReadPlanTest, Auto_NeverMapsAFileOfAnotherMachine) {
  Save(StoreOf(10, 1024));
  files_.is_local = false;
  const CheckpointReader reader = Open({});
  EXPECT_EQ(reader.read_mode(), ReadMode::kRead);
  ASSERT_THAT(reader.Load("params"), IsOk());
  ASSERT_THAT(reader.Verify(), IsOk());
  EXPECT_EQ(files_.maps, 0);
}

TEST_F(ReadPlanTest, Auto_ReadsAColdFilePastThePageCache) {
  const ParamStore store = StoreOf(9, 8 * kMiB);
  Save(store);
  files_.is_cached = false;
  const CheckpointReader reader = Open({});
  EXPECT_EQ(reader.read_mode(), ReadMode::kDirect);
  const ParamStore loaded = reader.Load("params").value();
  EXPECT_TRUE(EntriesOf(loaded) == EntriesOf(store));
  EXPECT_EQ(files_.direct_reads, files_.reads);
  EXPECT_GE(files_.bytes, 72 * kMiB);
  // What is verified is mostly loaded next: it goes through the page cache.
  ASSERT_THAT(reader.Verify(), IsOk());
  EXPECT_GE(files_.bytes, 144 * kMiB);
  EXPECT_LT(files_.direct_reads, files_.reads);
  files_.direct_reads = 0;
  ASSERT_THAT(Open({}).Verify(), IsOk());
  EXPECT_EQ(files_.direct_reads, 0);
}

// One tensor has checksums of its blocks, another with the same bytes has none.
TEST_F(ReadPlanTest, SharedBytes_WithAndWithoutBlocks_AreCheckedEach) {
  std::string bytes(10 * kMiB + 5, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * i >> 7);
  const auto file = File(bytes, ReadMode::kMap);
  std::vector<uint64_t> blocks;
  for (size_t at = 0; at < bytes.size(); at += kMiB) {
    blocks.push_back(internal::Checksum(BytesOf(bytes).subspan(at, kMiB)));
  }
  const uint64_t all = internal::Checksum(BytesOf(bytes));
  const IoOptions io;
  ReadPlan plan(io);
  ReadPlan::Range range = {.file = file.get(), .size = 10 * kMiB + 5, .verify = true};
  range.checksum = all;
  range.blocks = blocks;
  plan.Add(range);
  range.blocks = {};
  plan.Add(range);
  EXPECT_THAT(
      plan.Run([](size_t, int64_t, absl::Span<const std::byte>) { return absl::OkStatus(); },
               [](size_t, int64_t, const absl::Status& error) { return error; }),
      IsOk());
}

TEST_F(ReadPlanTest, MaxShared_IsTheShareOfAThread) {
  EXPECT_EQ(ReadPlan::MaxShared({.threads = 16}), 2 * kMiB);
  EXPECT_EQ(ReadPlan::MaxShared({.threads = 1}), 4 * kMiB);
  EXPECT_EQ(ReadPlan::MaxShared({.threads = 64}), kMiB) << "at least 1 MiB a thread";
}

TEST_F(ReadPlanTest, Auto_MapsPartsOfAColdFile) {
  Save(StoreOf(9, 8 * kMiB));
  files_.is_cached = false;
  const CheckpointReader reader = Open({});
  ASSERT_THAT(reader.LoadLeaf("params", "[3]"), IsOk());
  ASSERT_THAT(reader.LoadRows("params", "[3]", {5, 10}), IsOk());
  EXPECT_EQ(files_.reads, 0);
  // Nothing of an unverified load is needed now.
  ASSERT_THAT(Open({}, /*verify=*/false).Load("params"), IsOk());
  EXPECT_EQ(files_.direct_reads, 0);
}

TEST_F(ReadPlanTest, Auto_ReadsAFileThatCannotBeMapped) {
  const ParamStore store = StoreOf(10, 1024);
  Save(store);
  class Unmapped : public WatchedFiles {
   public:
    absl::StatusOr<std::unique_ptr<ReadableFile>> Open(const std::string& path) override {
      class Plain : public ReadableFile {
       public:
        explicit Plain(std::unique_ptr<ReadableFile> file) : file_(std::move(file)) {}
        int64_t size() const override { return file_->size(); }
        absl::Status ReadAt(int64_t offset, absl::Span<std::byte> out) const override {
          return file_->ReadAt(offset, out);
        }
        absl::StatusOr<Buffer> Map() const override { return absl::UnimplementedError("no maps"); }

       private:
        std::unique_ptr<ReadableFile> file_;
      };
      return std::make_unique<Plain>(Posix().Open(path).value());
    }
  } files;
  const CheckpointReader reader =
      CheckpointReader::Open(path_, {.io = {.file_system = &files}}).value();
  EXPECT_EQ(reader.read_mode(), ReadMode::kRead);
  EXPECT_TRUE(EntriesOf(reader.Load("params").value()) == EntriesOf(store));
}

TEST_F(ReadPlanTest, DirectTensors_AreWritableWithoutACopy) {
  Save(StoreOf(1, 5 * kMiB));
  ParamStore store = Open({.mode = ReadMode::kDirect}).Load("params").value();
  const std::byte* before = store.leaf(0).tensor().raw_data();
  ASSERT_THAT(store.Mutate("[0]"), IsOk());
  EXPECT_EQ(store.leaf(0).tensor().raw_data(), before);
}

TEST_F(ReadPlanTest, Ranges_InAnyOrderAndOverlapping_AreDelivered) {
  std::string bytes(300'000, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 + i / 256);
  const std::vector<std::pair<int64_t, int64_t>> ranges = {
      {200'000, 100'000}, {5, 10}, {0, 100}, {50, 1}, {5, 10}, {299'999, 1}, {4096, 4096}};
  for (const ReadMode mode : {ReadMode::kMap, ReadMode::kRead, ReadMode::kDirect}) {
    const auto file = File(bytes, mode);
    const IoOptions io;
    ReadPlan plan(io);
    for (const auto& [offset, size] : ranges) {
      plan.Add({.file = file.get(), .mode = mode, .offset = offset, .size = size});
    }
    std::mutex mutex;
    std::vector<std::string> got(ranges.size());
    const auto visit = [&](size_t index, int64_t position, absl::Span<const std::byte> part) {
      const std::lock_guard<std::mutex> lock(mutex);
      EXPECT_EQ(position, static_cast<int64_t>(got[index].size()));
      got[index].append(reinterpret_cast<const char*>(part.data()), part.size());
      return absl::OkStatus();
    };
    EXPECT_THAT(plan.Run(visit, [](size_t, int64_t, const absl::Status& error) { return error; }),
                IsOk());
    for (size_t i = 0; i < ranges.size(); ++i) {
      EXPECT_TRUE(got[i] == bytes.substr(static_cast<size_t>(ranges[i].first),
                                         static_cast<size_t>(ranges[i].second)))
          << i;
    }
  }
}

// A disk that cannot read one sector.
class BadSector : public WatchedFiles {
 public:
  int64_t bad = -1;
  absl::StatusOr<std::unique_ptr<ReadableFile>> Open(const std::string& path) override {
    class Damaged : public ReadableFile {
     public:
      Damaged(const BadSector* disk, std::unique_ptr<ReadableFile> file)
          : disk_(disk), file_(std::move(file)) {}
      int64_t size() const override { return file_->size(); }
      absl::Status ReadAt(int64_t offset, absl::Span<std::byte> out) const override {
        if (offset <= disk_->bad && disk_->bad < offset + static_cast<int64_t>(out.size())) {
          return absl::DataLossError("bad sector");
        }
        return file_->ReadAt(offset, out);
      }
      absl::StatusOr<Buffer> Map() const override { return file_->Map(); }

     private:
      const BadSector* disk_;
      std::unique_ptr<ReadableFile> file_;
    };
    return std::make_unique<Damaged>(this, Posix().Open(path).value());
  }
};

TEST_F(ReadPlanTest, UnreadableSector_ConcernsOnlyTheTensorThatHasIt) {
  Save(StoreOf(20, 1024));
  BadSector disk;
  const CheckpointReader reader =
      CheckpointReader::Open(path_,
                             {.io = {.mode = ReadMode::kRead, .threads = 1, .file_system = &disk}})
          .value();
  disk.bad = reader.GetItem("params")->entry(7).offset + 3;
  EXPECT_THAT(reader.Load("params"),
              StatusIs(StatusCode::kDataLoss, HasSubstr("item 'params', '[7]': bad sector")));
  EXPECT_THAT(reader.Verify(), StatusIs(StatusCode::kDataLoss,
                                        HasSubstr("a.leaf: item 'params', '[7]': bad sector")));
}

TEST_F(ReadPlanTest, FirstErrorInTheFile_IsReported) {
  Save(StoreOf(30, kMiB));
  std::string bytes = ReadFile(path_);
  const CheckpointReader good = Open({});
  for (const uint32_t place : {29u, 13u, 4u}) {
    bytes[static_cast<size_t>(good.GetItem("params")->entry(place).offset) + 9] ^= 1;
  }
  WriteFile(path_, bytes);
  for (const ReadMode mode : {ReadMode::kMap, ReadMode::kRead, ReadMode::kDirect}) {
    const CheckpointReader reader = Open({.mode = mode, .threads = 8});
    EXPECT_THAT(reader.Load("params"), StatusIs(StatusCode::kDataLoss, HasSubstr("'[4]'")));
  }
}

}  // namespace
}  // namespace leafstore
