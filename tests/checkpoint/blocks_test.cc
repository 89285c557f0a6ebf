// Checksums of blocks: what the file has, what whole loads and loads of rows check, and files
// without them.
#include <xxhash.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/reader.h"
#include "leafstore/checkpoint/writer.h"

#include "tests/checkpoint/forge.h"
#include "tests/checkpoint/models.h"
#include "tests/core/status_matchers.h"
#include "tests/io/temp_dir.h"
#include "tests/io/watched_files.h"
#include "tests/source_dir.h"

namespace leafstore {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::HasSubstr;

constexpr ReadMode kModes[] = {ReadMode::kAuto, ReadMode::kMap, ReadMode::kRead, ReadMode::kDirect};
constexpr int64_t kRows = 2800;
constexpr size_t kBlock = 1 << 20;
constexpr size_t kBlocks = 3;  // of 2,800,000 bytes

// Returns a tensor of kRows rows of 1,000 bytes.
Tensor Large() {
  std::vector<uint8_t> values(kRows * 1000);
  std::mt19937 random(1);
  for (uint8_t& value : values) value = static_cast<uint8_t>(random());
  return Tensor::From<uint8_t>({kRows, 1000}, values).value();
}

// One large tensor, ['large'], one of just a block, ['one'], and small leaves.
ParamStore Store(Tensor large) {
  return ParamStore::FromEntries(
             {{Path().Item("large"), std::move(large)},
              {Path().Item("one"), Tensor::Zeros(DType::kU8, {1 << 20}).value()},
              {Path().Item("small"), Tensor::From<float>({2}, {1.0f, -2.0f}).value()},
              {Path().Item("steps"), Value(7)}})
      .value();
}

absl::Span<const std::byte> RowsOf(const Tensor& tensor, int64_t begin, int64_t end) {
  return tensor.bytes().subspan(static_cast<size_t>(begin * 1000),
                                static_cast<size_t>((end - begin) * 1000));
}

class BlocksTest : public testing::Test {
 protected:
  BlocksTest() { Save({}); }

  void Save(SaveOptions options) {
    options.io.durable = false;
    ASSERT_THAT(SaveCheckpoint(path_, {{"params", Store(large_)}}, options), IsOk());
    good_ = ReadFile(path_);
    const CheckpointReader reader = CheckpointReader::Open(path_).value();
    const EntryInfo entry = reader.GetItem("params")->entry(0);
    offset_ = entry.offset;
    blocks_.assign(entry.block_checksums.begin(), entry.block_checksums.end());
  }
  absl::StatusOr<CheckpointReader> Open(const std::string& bytes, ReadMode mode) {
    WriteFile(path_, bytes);
    return CheckpointReader::Open(path_, {.io = {.mode = mode}});
  }
  std::string Damaged(int64_t stored_byte) const {
    std::string bytes = good_;
    bytes[static_cast<size_t>(offset_ + stored_byte)] ^= 1;
    return bytes;
  }
  template <typename Change>
  std::string Forged(Change change) const {
    Manifest manifest = ManifestOf(good_);
    change(&manifest.items[0].segments);
    return WithManifest(good_, manifest);
  }

  TempDir dir_;
  const std::string path_ = dir_.File("a.leaf");
  const Tensor large_ = Large();
  std::string good_;
  int64_t offset_ = 0;  // of ['large']
  std::vector<uint64_t> blocks_;
};

// A reader of protobuf messages that knows only the wire format.
struct Fields {
  explicit Fields(const std::string& message) {
    for (size_t at = 0; at < message.size();) {
      const uint64_t tag = Varint(message, &at);
      EXPECT_THAT(tag & 7, testing::AnyOf(0, 2));
      const uint64_t value = Varint(message, &at);
      if ((tag & 7) == 0) continue;
      bytes[tag >> 3].push_back(message.substr(at, value));
      at += value;
    }
  }
  static uint64_t Varint(const std::string& message, size_t* at) {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(message.at((*at)++));
      value |= static_cast<uint64_t>(byte & 127) << shift;
      if (byte < 128) return value;
    }
  }
  std::map<uint64_t, std::vector<std::string>> bytes;
};

TEST_F(BlocksTest, File_HasTheChecksumOfEachMiBOfLargeTensors) {
  EXPECT_EQ(CheckpointReader::Open(path_)->producer_version(), 3u);
  EXPECT_EQ(FooterOf(good_).versions.min_reader, 1u);
  const Fields segments(Fields(Fields(ManifestBytesOf(good_)).bytes[2].at(0)).bytes[5].at(0));
  const std::string offsets = segments.bytes.at(1).at(0);
  const std::string column = segments.bytes.at(6).at(0);
  ASSERT_EQ(column.size(), kBlocks * 8);
  size_t read = 0;
  const size_t offset = Fields::Varint(offsets, &read) * 64;
  for (size_t block = 0; block < kBlocks; ++block) {
    const size_t size = std::min(kBlock, 2'800'000 - block * kBlock);
    uint64_t found = 0;
    std::memcpy(&found, column.data() + block * 8, 8);
    EXPECT_EQ(found, XXH3_64bits(good_.data() + offset + block * kBlock, size));
  }
}

TEST_F(BlocksTest, FileWithoutLargeTensors_StaysVersion1) {
  const std::string path = dir_.File("small.leaf");
  ASSERT_THAT(SaveCheckpoint(path, {{"params", EveryKindStore()}}), IsOk());
  EXPECT_EQ(CheckpointReader::Open(path)->producer_version(), 1u);
}

TEST_F(BlocksTest, LargeTensorInALaterItem_RaisesTheVersionOfTheFile) {
  CheckpointWriter writer = CheckpointWriter::Create(path_).value();
  ASSERT_THAT(writer.AddItem({"first", EveryKindStore()}), IsOk());
  ASSERT_THAT(writer.AddItem({"params", Store(large_)}), IsOk());
  ASSERT_THAT(writer.Finish(), IsOk());
  const CheckpointReader reader = CheckpointReader::Open(path_).value();
  EXPECT_EQ(reader.producer_version(), 3u);
  EXPECT_THAT(reader.Verify(), IsOk());
}

TEST_F(BlocksTest, DamageInAnyBlock_IsFoundByWholeLoadsAndByRowsThatTouchIt) {
  for (const ReadMode mode : kModes) {
    for (size_t block = 0; block < kBlocks; ++block) {
      const auto begin = static_cast<int64_t>(block * kBlock);
      const int64_t end = std::min<int64_t>(begin + (1 << 20), 2'800'000);
      for (const int64_t at : {begin, end - 1}) {
        SCOPED_TRACE(absl::StrCat(ReadModeName(mode), ", byte ", at));
        const CheckpointReader reader = Open(Damaged(at), mode).value();
        const auto damaged = StatusIs(
            StatusCode::kDataLoss,
            AllOf(
                HasSubstr("a.leaf: item 'params', '['large']': expected checksum"),
                HasSubstr(absl::StrCat(end - begin, " bytes from byte ", offset_ + begin, " on"))));
        EXPECT_THAT(reader.Load("params"), damaged);
        EXPECT_THAT(reader.LoadLeaf("params", "['large']"), damaged);
        EXPECT_THAT(reader.Verify(), damaged);
        EXPECT_THAT(reader.LoadLeaf("params", "['one']"), IsOk());
        for (int64_t row = 0; row < kRows; row += 100) {
          const bool touches = row * 1000 < end && (row + 100) * 1000 > begin;
          const auto rows = reader.LoadRows("params", "['large']", {row, row + 100});
          ASSERT_EQ(rows.ok(), !touches) << row << ": " << rows.status();
          if (touches) {
            EXPECT_THAT(rows, damaged);
          } else {
            EXPECT_TRUE(rows->bytes() == RowsOf(large_, row, row + 100));
          }
        }
      }
    }
  }
}

TEST_F(BlocksTest, Rows_AreThoseOfTheTensor) {
  for (const ReadMode mode : kModes) {
    for (const bool verify : {true, false}) {
      const CheckpointReader reader =
          CheckpointReader::Open(path_, {.io = {.mode = mode}, .verify = verify}).value();
      for (const auto& [begin, end] : std::vector<std::pair<int64_t, int64_t>>{
               {0, kRows}, {0, 0}, {kRows, kRows}, {1, 2}, {1048, 1049}, {1040, 2100}}) {
        const Tensor rows = reader.LoadRows("params", "['large']", {begin, end}).value();
        EXPECT_EQ(rows.shape(), ShapeRef({end - begin, 1000}));
        EXPECT_TRUE(rows.bytes() == RowsOf(large_, begin, end)) << begin;
      }
      EXPECT_EQ(reader.LoadRows("params", "['small']", {1, 2})->span<float>()[0], -2.0f);
    }
  }
}

TEST_F(BlocksTest, RowsThatDoNotExist_AreInvalid) {
  const CheckpointReader reader = CheckpointReader::Open(path_).value();
  for (const RowRange rows : {RowRange{-1, 2}, RowRange{2, 1}, RowRange{0, kRows + 1}}) {
    EXPECT_THAT(reader.LoadRows("params", "['large']", rows),
                StatusIs(StatusCode::kInvalidArgument,
                         AllOf(HasSubstr("a.leaf: item 'params', '['large']': expected rows "
                                         "between 0 and 2800, found"))));
  }
  EXPECT_THAT(reader.LoadRows("params", "['steps']", {0, 1}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("expected a tensor with rows")));
  EXPECT_THAT(reader.LoadRows("params", "['larg']", {0, 1}),
              StatusIs(StatusCode::kNotFound, HasSubstr("did you mean ['large']?")));
}

TEST_F(BlocksTest, RowsThatBeginInsideAByte_AreInvalid) {
  const Tensor half = Tensor::Zeros(DType::kF4, {2, 3}).value();
  ASSERT_THAT(SaveCheckpoint(
                  path_, {{"params", ParamStore::FromEntries({{Path().Item("w"), half}}).value()}}),
              IsOk());
  EXPECT_THAT(CheckpointReader::Open(path_)->LoadRows("params", "['w']", {1, 2}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("rows of whole bytes")));
}

TEST_F(BlocksTest, Rows_ReadOnlyTheBlocksThatHaveThem) {
  for (const ReadMode mode : {ReadMode::kRead, ReadMode::kDirect}) {
    WatchedFiles files;
    const CheckpointReader reader =
        CheckpointReader::Open(path_, {.io = {.mode = mode, .file_system = &files}}).value();
    files.bytes = 0;
    ASSERT_THAT(reader.LoadRows("params", "['large']", {10, 38}), IsOk());  // a hundredth
    EXPECT_LE(files.bytes, 28'000 * 105 / 100 + (1 << 20));
  }
}

TEST_F(BlocksTest, UnverifiedRows_ReadOnlyTheirBytes) {
  WatchedFiles files;
  const CheckpointReader reader =
      CheckpointReader::Open(
          path_, {.io = {.mode = ReadMode::kRead, .file_system = &files}, .verify = false})
          .value();
  files.bytes = 0;
  ASSERT_THAT(reader.LoadRows("params", "['large']", {10, 38}), IsOk());
  EXPECT_EQ(files.bytes, 28'000);
}

TEST_F(BlocksTest, TableOfAnotherLength_IsDataLoss) {
  const auto expect = [&](const std::string& bytes, const std::string& words) {
    EXPECT_THAT(Open(bytes, ReadMode::kMap),
                StatusIs(StatusCode::kDataLoss,
                         HasSubstr("item 'params', column block_checksums: expected " + words)));
  };
  expect(Forged([](auto* segments) { segments->block_checksums.push_back(1); }),
         "3 entries, one per block, found 4");
  expect(Forged([](auto* segments) { segments->block_checksums.pop_back(); }),
         "an entry per block, found 2");
  expect(Forged([](auto* segments) { segments->block_checksums.assign(1'000'000, 1); }),
         "3 entries, one per block, found 1000000");
}

TEST_F(BlocksTest, TableThatIsAbsent_LeavesTheChecksumOfTheTensor) {
  good_ = Forged([](auto* segments) { segments->block_checksums.clear(); });
  for (const ReadMode mode : kModes) {
    const CheckpointReader reader = Open(good_, mode).value();
    EXPECT_TRUE(reader.Load("params")->leaf(0) == Leaf(large_));
    EXPECT_TRUE(reader.LoadRows("params", "['large']", {5, 9})->bytes() == RowsOf(large_, 5, 9));
    EXPECT_THAT(reader.Verify(), IsOk());
    const CheckpointReader damaged = Open(Damaged(2'799'999), mode).value();
    const auto data_loss = StatusIs(StatusCode::kDataLoss, HasSubstr("of 2800000 bytes"));
    EXPECT_THAT(damaged.Load("params"), data_loss);
    EXPECT_THAT(damaged.LoadRows("params", "['large']", {5, 9}), data_loss);
    EXPECT_THAT(damaged.Verify(), data_loss);
  }
}

TEST_F(BlocksTest, WrongEntry_IsDataLossOfItsBlockOnly) {
  const CheckpointReader reader =
      Open(Forged([](auto* segments) { ++segments->block_checksums[1]; }), ReadMode::kMap).value();
  EXPECT_THAT(reader.Load("params"),
              StatusIs(StatusCode::kDataLoss, HasSubstr("expected checksum")));
  EXPECT_THAT(reader.LoadRows("params", "['large']", {0, 1000}), IsOk());
  EXPECT_THAT(reader.LoadRows("params", "['large']", {0, 1100}),
              StatusIs(StatusCode::kDataLoss, HasSubstr("expected checksum")));
}

TEST_F(BlocksTest, CompressedTensor_HasBlocksOfItsStoredBytes) {
  // Compressible at the beginning only.
  Tensor half = Tensor::Zeros(DType::kU8, {12'000, 1000}).value();
  std::memcpy(TensorAccess::data(&half) + 9'200'000, large_.bytes().data(), 2'800'000);
  ASSERT_THAT(SaveCheckpoint(path_, {{"params", Store(half)}}, {.zstd_level = 1}), IsOk());
  good_ = ReadFile(path_);
  const CheckpointReader written = CheckpointReader::Open(path_).value();
  const EntryInfo entry = written.GetItem("params")->entry(0);
  offset_ = entry.offset;
  ASSERT_EQ(entry.codec, 1);
  ASSERT_EQ(entry.block_checksums.size(), 3u);
  for (size_t block = 0; block < 3; ++block) {
    const size_t begin = block * kBlock;
    EXPECT_EQ(entry.block_checksums[block],
              XXH3_64bits(good_.data() + entry.offset + begin,
                          std::min(kBlock, static_cast<size_t>(entry.stored_size) - begin)));
  }
  for (const ReadMode mode : kModes) {
    const CheckpointReader reader = Open(good_, mode).value();
    EXPECT_TRUE(reader.Load("params")->leaf(0) == Leaf(half));
    EXPECT_TRUE(reader.LoadRows("params", "['large']", {9'199, 9'300})->bytes() ==
                RowsOf(half, 9'199, 9'300));
    EXPECT_THAT(Open(Damaged(1 << 20), mode)->Load("params"),
                StatusIs(StatusCode::kDataLoss, HasSubstr("expected checksum")));
  }
}

TEST_F(BlocksTest, Increment_HasTheBlocksOfItsBases) {
  SaveHistory history;
  SaveOptions options{.io = {.durable = false}, .history = &history};
  const ParamStore store = Store(large_);
  ASSERT_THAT(SaveCheckpoint(dir_.File("1.leaf"), {{"params", store}}, options), IsOk());
  ASSERT_THAT(SaveCheckpoint(dir_.File("2.leaf"), {{"params", store}}, options), IsOk());
  const CheckpointReader reader = CheckpointReader::Open(dir_.File("2.leaf")).value();
  ASSERT_EQ(reader.bases().size(), 1u);
  EXPECT_EQ(reader.producer_version(), 3u);
  EXPECT_THAT(reader.GetItem("params")->entry(0).block_checksums,
              testing::ElementsAreArray(blocks_));
  EXPECT_TRUE(reader.LoadRows("params", "['large']", {5, 9})->bytes() == RowsOf(large_, 5, 9));
  EXPECT_THAT(reader.Verify(), IsOk());
}

TEST_F(BlocksTest, InvalidBools_AreFoundInRowsThatHaveThem) {
  const Tensor bools = Tensor::Zeros(DType::kBool, {2000, 1000}).value();
  ASSERT_THAT(
      SaveCheckpoint(
          path_, {{"params", ParamStore::FromEntries({{Path().Item("large"), bools}}).value()}}),
      IsOk());
  std::string bytes = ReadFile(path_);
  offset_ = CheckpointReader::Open(path_)->GetItem("params")->entry(0).offset;
  bytes[static_cast<size_t>(offset_) + 1'500'000] = 2;
  for (const ReadMode mode : kModes) {
    WriteFile(path_, bytes);
    const CheckpointReader reader =
        CheckpointReader::Open(path_, {.io = {.mode = mode}, .verify = false}).value();
    EXPECT_THAT(reader.LoadRows("params", "['large']", {0, 1500}), IsOk());
    const auto no_bools = StatusIs(StatusCode::kDataLoss, HasSubstr("expected bools to be 0 or 1"));
    EXPECT_THAT(reader.LoadRows("params", "['large']", {1500, 1501}), no_bools);
    EXPECT_THAT(reader.Load("params"), no_bools);
  }
}

// Files of both kinds that were checked in: version 1 by leafstore 0.2.
class LargeGoldenTest : public testing::TestWithParam<ReadMode> {
 protected:
  static Tensor Expected() {
    std::vector<float> values(270'000);
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 251);
    return Tensor::From<float>({270, 1000}, values).value();
  }
  static ParamStore ExpectedStore() {
    return ParamStore::FromEntries(
               {{Path().Item("large"), Expected()},
                {Path().Item("small"), Tensor::From<float>({2}, {1.0f, -2.0f}).value()},
                {Path().Item("steps"), Value(7)}})
        .value();
  }
};

INSTANTIATE_TEST_SUITE_P(Modes, LargeGoldenTest, testing::ValuesIn(kModes), [](const auto& tested) {
  return std::string(ReadModeName(tested.param));
});

TEST_P(LargeGoldenTest, FilesOfEveryVersion_LoadTheSame) {
  for (const uint32_t version : {1u, 3u}) {
    const std::string path = SourcePath(absl::StrCat("tests/testdata/large_v", version, ".leaf"));
    const CheckpointReader reader =
        CheckpointReader::Open(path, {.io = {.mode = GetParam()}}).value();
    EXPECT_EQ(reader.producer_version(), version);
    EXPECT_EQ(reader.GetItem("params")->entry(0).block_checksums.size(), version == 1 ? 0u : 2u);
    EXPECT_THAT(reader.Verify(), IsOk());
    EXPECT_TRUE(EntriesOf(reader.Load("params").value()) == EntriesOf(ExpectedStore()));
    const Tensor rows = reader.LoadRows("params", "['large']", {260, 270}).value();
    const Tensor expected = Expected();
    EXPECT_TRUE(rows.bytes() == expected.bytes().subspan(260 * 4000));
  }
}

TEST(LargeGoldenFileTest, SavingAgain_ProducesTheSameBytes) {
  const std::string golden = SourcePath("tests/testdata/large_v3.leaf");
  const CheckpointReader reader =
      CheckpointReader::Open(SourcePath("tests/testdata/large_v1.leaf")).value();
  const TempDir dir;
  const std::string path =
      std::getenv("LEAFSTORE_UPDATE_GOLDEN") != nullptr ? golden : dir.File("again.leaf");
  ASSERT_THAT(SaveCheckpoint(path, {{"params", reader.Load("params").value()}}), IsOk());
  EXPECT_TRUE(ReadFile(path) == ReadFile(golden));
}

}  // namespace
}  // namespace leafstore
