// Reads that are rare: with little memory, of rows that do not exist, of damaged frames.
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/internal/zstd_codec.h"
#include "leafstore/checkpoint/manager.h"
#include "leafstore/checkpoint/reader.h"

#include "tests/checkpoint/forge.h"
#include "tests/checkpoint/models.h"
#include "tests/core/status_matchers.h"
#include "tests/io/temp_dir.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using absl::StatusCode;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr ReadMode kEveryMode[] = {ReadMode::kAuto, ReadMode::kMap, ReadMode::kRead,
                                   ReadMode::kDirect};
constexpr int64_t kLittle = 1 << 20;

ReadOptions WithLittleMemory(ReadMode mode) {
  return {.io = {.mode = mode, .threads = 1, .max_bytes_in_flight = kLittle}};
}

// Returns bytes that zstd can halve.
Tensor HalfRandom(int64_t size) {
  std::vector<uint8_t> bytes(static_cast<size_t>(size));
  uint32_t state = 1;
  for (uint8_t& byte : bytes) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<uint8_t>(state >> 28);
  }
  return Tensor::From<uint8_t>({size}, bytes).value();
}

// A segment that is larger than the memory is verified in steps. Old files have no blocks.
TEST(RareReadsTest, LargeTensors_AreReadWithLittleMemory) {
  const TempDir dir;
  const std::string path = dir.File("a.leaf");
  const Tensor large = HalfRandom(6 << 20);
  for (const bool compressed : {false, true}) {
    SaveOptions save = {.io = {.durable = false}};
    if (compressed) save.zstd_level = 1;
    std::vector<CheckpointItem> items;
    items.emplace_back("params", StoreAt({{".a", Filled(1, 9)}, {".large", large}}));
    ASSERT_THAT(SaveCheckpoint(path, std::move(items), std::move(save)), IsOk());
    // Without the checksums of blocks, as before they existed.
    Manifest manifest = ManifestOf(ReadFile(path));
    manifest.items[0].segments.block_checksums.clear();
    const std::string old =
        WithVersions(WithManifest(ReadFile(path), manifest), {.producer = 1, .min_reader = 1});
    for (const std::string& bytes : {ReadFile(path), old}) {
      WriteFile(path, bytes);
      std::string damaged = bytes;
      damaged[static_cast<size_t>(manifest.items[0].segments.offsets[1]) + (2 << 20)] ^= 1;
      WriteFile(dir.File("damaged.leaf"), damaged);
      for (const ReadMode mode : kEveryMode) {
        const auto reader = CheckpointReader::Open(path, WithLittleMemory(mode));
        ASSERT_THAT(reader, IsOk());
        EXPECT_THAT(reader->Verify(), IsOk());
        EXPECT_EQ(reader->LoadLeaf("params", ".large").value(), Leaf(large));
        const auto bad = CheckpointReader::Open(dir.File("damaged.leaf"), WithLittleMemory(mode));
        ASSERT_THAT(bad, IsOk());
        EXPECT_THAT(bad->Verify(), StatusIs(StatusCode::kDataLoss, HasSubstr("'.large'")));
        EXPECT_THAT(bad->LoadLeaf("params", ".large"),
                    StatusIs(StatusCode::kDataLoss, HasSubstr("'.large'")));
      }
    }
  }
}

TEST(RareReadsTest, RowsOfWhatHasNone) {
  const TempDir dir;
  const std::string path = dir.File("a.leaf");
  std::vector<CheckpointItem> items;
  items.emplace_back("params", StoreAt({{".none", Tensor::Zeros(DType::kF32, {0, 4}).value()},
                                        {".scalar", Tensor::Scalar<int64_t>(1)},
                                        {".text", Value("x")}}));
  ASSERT_THAT(SaveCheckpoint(path, std::move(items), {.io = {.durable = false}}), IsOk());
  for (const ReadMode mode : kEveryMode) {
    const auto reader = CheckpointReader::Open(path, WithLittleMemory(mode));
    ASSERT_THAT(reader, IsOk());
    EXPECT_EQ(reader->LoadRows("params", ".none", {0, 0})->shape()[1], 4);
    for (const char* leaf : {".scalar", ".text"}) {
      EXPECT_THAT(reader->LoadRows("params", leaf, {0, 1}),
                  StatusIs(StatusCode::kInvalidArgument, HasSubstr("a tensor with rows")));
    }
  }
}

TEST(RareReadsTest, LongNamesOfItems_AreNotListed) {
  const TempDir dir;
  const std::string path = dir.File("a.leaf");
  std::vector<CheckpointItem> items;
  items.emplace_back("short", EveryKindStore());
  items.emplace_back(std::string(5000, 'x'), EveryKindStore());
  ASSERT_THAT(SaveCheckpoint(path, std::move(items), {.io = {.durable = false}}), IsOk());
  EXPECT_THAT(CheckpointReader::Open(path)->LoadItems("y"),
              StatusIs(StatusCode::kNotFound,
                       AllOf(HasSubstr("'short', and 1 more"), Not(HasSubstr("xxxxx")))));
}

TEST(RareReadsTest, ItemThatCannotBeEncoded_FailsTheSaveOfAManager) {
  const TempDir dir;
  CheckpointManager manager =
      CheckpointManager::Open(dir.File("run"), {.io = {.durable = false}}).value();
  std::vector<CheckpointItem> items;
  items.emplace_back("params", StoreAt({{".text", Value(std::string("\xff"))}}));
  EXPECT_THAT(manager.Save(1, std::move(items)),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("cannot save step 1")));
  EXPECT_TRUE(manager.Steps()->empty());
}

TEST(RareReadsTest, FramesOfOtherWriters_AreRefused) {
  // A frame without the size of its content, of one empty block.
  const std::string unsized_frame("\x28\xb5\x2f\xfd\x00\x58\x01\x00\x00", 9);
  EXPECT_THAT(internal::CheckZstdFrames(BytesOf(unsized_frame), 100),
              StatusIs(StatusCode::kDataLoss, HasSubstr("none with its size")));
  internal::ZstdCompressor compressor = internal::ZstdCompressor::Create(1).value();
  const std::string content(300, 'x');
  const auto frame = compressor.Compress(BytesOf(content));
  ASSERT_THAT(frame, IsOk());
  std::string out(400, '\0');
  EXPECT_THAT(internal::ZstdDecompressor::Create()->Decompress(
                  *frame, absl::MakeSpan(reinterpret_cast<std::byte*>(out.data()), out.size())),
              StatusIs(StatusCode::kDataLoss, HasSubstr("found 300")));
}

}  // namespace
}  // namespace leafstore
