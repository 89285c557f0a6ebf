// Compressed tensors: what is stored and loaded, and hostile frames.
#include <zstd.h>

#include <cstring>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/internal/zstd_codec.h"
#include "leafstore/checkpoint/reader.h"
#include "leafstore/checkpoint/writer.h"
#include "leafstore/io/internal/checksum.h"
#include "leafstore/io/internal/file_stream.h"
#include "leafstore/numeric/ops.h"
#include "leafstore/select/partition.h"

#include "tests/checkpoint/forge.h"
#include "tests/core/status_matchers.h"
#include "tests/io/memory_file.h"
#include "tests/io/temp_dir.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using absl::StatusCode;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Returns a tensor in which only every hundredth element is not zero.
Tensor Sparse(int64_t size, float value = 1) {
  std::vector<float> values(static_cast<size_t>(size));
  for (size_t i = 0; i < values.size(); i += 100) values[i] = value * static_cast<float>(i);
  return Tensor::From<float>({size}, values).value();
}

Tensor Noise(int64_t size) {
  std::mt19937 random(5);
  std::vector<uint32_t> values(static_cast<size_t>(size));
  for (uint32_t& value : values) value = random();
  return Tensor::From<uint32_t>({size}, values).value();
}

ParamStore Store(std::vector<std::pair<std::string, Leaf>> leaves) {
  std::vector<std::pair<Path, Leaf>> entries;
  for (auto& [name, leaf] : leaves) {
    entries.emplace_back(Path::Parse(absl::StrCat("['", name, "']")).value(), std::move(leaf));
  }
  return ParamStore::FromEntries(std::move(entries)).value();
}

void ExpectEqual(const ParamStore& a, const ParamStore& b) {
  ASSERT_EQ(a.size(), b.size());
  for (uint32_t place = 0; place < a.size(); ++place) {
    EXPECT_EQ(a.PathText(place), b.PathText(place));
    EXPECT_EQ(a.leaf(place), b.leaf(place)) << a.PathText(place);
  }
}

class ZstdTest : public testing::Test {
 protected:
  std::string Save(const ParamStore& store, SaveOptions options = {}) {
    options.zstd_level = options.zstd_level.value_or(3);
    EXPECT_THAT(SaveCheckpoint(path_, {{"params", store}}, options), IsOk());
    return ReadFile(path_);
  }
  // Returns `file` with other stored bytes of its only tensor and a matching manifest.
  std::string WithStored(const std::string& file, const std::string& stored) {
    Manifest manifest = DecodeManifest(ManifestBytesOf(file)).value();
    manifest.items[0].segments.stored_sizes[0] = static_cast<int64_t>(stored.size());
    manifest.items[0].segments.checksums[0] = internal::Checksum(BytesOf(stored));
    const auto begin = static_cast<size_t>(manifest.items[0].segments.offsets[0]);
    std::string out = file.substr(0, begin) + stored;
    out.resize(static_cast<size_t>(internal::AlignUp(static_cast<int64_t>(out.size()), 64)));
    internal::Footer footer = FooterOf(file);
    footer.manifest_offset = static_cast<int64_t>(out.size());
    out += std::string(internal::kFooterSize, 0);
    footer.file_size = static_cast<int64_t>(out.size());
    footer.manifest_size = 0;
    return WithManifest(WithFooter(out, footer), EncodeManifest(manifest).value());
  }
  static absl::Status LoadOf(const std::string& file) {
    MemoryFile files(file);
    ReadOptions options;
    options.io.file_system = &files;
    absl::StatusOr<CheckpointReader> reader = CheckpointReader::Open("a.leaf", options);
    return reader.ok() ? reader->Load("params").status() : reader.status();
  }

  TempDir dir_;
  std::string path_ = dir_.File("a.leaf");
};

TEST_F(ZstdTest, CompressedItems_RoundTripInBothModesWithAnyThreads) {
  std::vector<std::pair<std::string, Leaf>> leaves = {
      {"big", Sparse(3'000'000)}, {"small", Sparse(100)},        {"noise", Noise(2'000'000)},
      {"one", Sparse(1)},         {"none", Sparse(0)},           {"value", Value(int64_t{7})},
      {"exact", Sparse(1 << 20)}, {"two", Sparse((2 << 20) + 1)}};
  for (int i = 0; i < 300; ++i) leaves.emplace_back(absl::StrCat("w", i), Sparse(10 * i, i));
  leaves.emplace_back("bools", Tensor::From<bool>({3}, {true, false, true}).value());
  const ParamStore store = Store(std::move(leaves));
  const std::string file = Save(store);
  EXPECT_LT(file.size(), 10'000'000u) << "8 MB of noise, and of 30 MB little";
  for (const ReadMode mode : {ReadMode::kMap, ReadMode::kRead}) {
    for (const int threads : {1, 3}) {
      const auto reader = CheckpointReader::Open(path_, {.io = {.mode = mode, .threads = threads}});
      ASSERT_THAT(reader, IsOk());
      EXPECT_THAT(reader->Verify(), IsOk());
      ExpectEqual(reader->Load("params").value(), store);
      EXPECT_EQ(reader->LoadLeaf("params", "['big']").value(), *store.Find("['big']"));
      ExpectEqual(reader->Load("params", {.filter = Glob("w*")}).value(),
                  Partition(store, {Glob("w*")}).value()[0]);
    }
  }
}

TEST_F(ZstdTest, IncompressibleTensor_IsStoredUnchanged) {
  Save(Store({{"noise", Noise(100'000)}, {"sparse", Sparse(100'000)}, {"tiny", Sparse(10)}}));
  const auto reader = CheckpointReader::Open(path_);
  const CheckpointItemInfo item = reader->GetItem("params").value();
  EXPECT_EQ(item.entry(0).codec, 0);
  EXPECT_EQ(item.entry(0).stored_size, 400'000);
  EXPECT_EQ(item.entry(1).codec, 1);
  EXPECT_LT(item.entry(1).stored_size, 40'000);
  EXPECT_EQ(item.entry(1).spec.byte_size(), 400'000);
  EXPECT_EQ(item.entry(2).codec, 0);
  // It is still mapped.
  const Leaf noise = reader->LoadLeaf("params", "['noise']").value();
  EXPECT_TRUE(noise.tensor().SharesBytesWith(reader->LoadLeaf("params", "['noise']")->tensor()));
}

TEST_F(ZstdTest, WithoutCompressibleTensors_TheFileIsTheUncompressedOne) {
  const ParamStore store = Store({{"noise", Noise(1000)}, {"value", Value(2.5)}});
  const std::string compressed = Save(store);
  ASSERT_THAT(SaveCheckpoint(path_, {{"params", store}}), IsOk());
  EXPECT_EQ(ReadFile(path_), compressed);
}

TEST_F(ZstdTest, EqualStores_MakeEqualBytes) {
  const std::string first = Save(Store({{"a", Sparse(5000)}, {"b", Sparse(3'000'000)}}));
  EXPECT_EQ(Save(Store({{"a", Sparse(5000)}, {"b", Sparse(3'000'000)}})), first);
}

TEST_F(ZstdTest, InvalidLevel_IsAnError) {
  const ParamStore store = Store({{"a", Sparse(5000)}});
  SaveOptions options;
  options.zstd_level = 23;
  EXPECT_THAT(SaveCheckpoint(path_, {{"params", store}}, options),
              StatusIs(StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("zstd level"), HasSubstr("to 22, found 23"))));
  EXPECT_THAT(dir_.List(), testing::IsEmpty());
}

TEST_F(ZstdTest, Increment_FindsCompressedTensorsInItsBase) {
  SaveHistory history;
  SaveOptions options;
  options.history = &history;
  ParamStore store = Store({{"a", Sparse(50'000)}, {"b", Sparse(60'000)}});
  Save(store, options);
  ASSERT_THAT(store.Set("['b']", Sparse(60'000, 2)), IsOk());
  path_ = dir_.File("b.leaf");
  Save(store, options);
  for (const ReadMode mode : {ReadMode::kMap, ReadMode::kRead}) {
    const auto reader = CheckpointReader::Open(path_, {.io = {.mode = mode}});
    const CheckpointItemInfo item = reader->GetItem("params").value();
    EXPECT_EQ(item.entry(0).base, 1u);
    EXPECT_EQ(item.entry(0).codec, 1);
    EXPECT_EQ(item.entry(1).base, 0u);
    EXPECT_THAT(reader->Verify(), IsOk());
    ExpectEqual(reader->Load("params").value(), store);
  }
}

TEST_F(ZstdTest, FramesThatContradictTheManifest_AreDataLoss) {
  const std::string file = Save(Store({{"a", Sparse(10'000)}}));
  ASSERT_THAT(LoadOf(file), IsOk());
  const auto frame_of = [](const std::string& content) {
    std::string out(ZSTD_compressBound(content.size()), 0);
    out.resize(ZSTD_compress(out.data(), out.size(), content.data(), content.size(), 3));
    return out;
  };
  const std::string good = frame_of(std::string(40'000, 'x'));
  ASSERT_THAT(LoadOf(WithStored(file, good)), IsOk());
  std::string damaged = good;
  damaged[damaged.size() / 2] ^= 0x55;
  const std::pair<std::string, std::string> kBad[] = {
      {frame_of(std::string(39'999, 'x')), "one of 40000 bytes, found one of 39999"},
      {frame_of(std::string(40'001, 'x')), "one of 40000 bytes, found one of 40001"},
      {good + good, "bytes after the last"},
      {good.substr(0, good.size() - 1), "expected zstd frames"},
      {good.substr(0, 4), "none with its size for 40000 bytes"},
      {"not a frame at all", "none for 40000 bytes"},
      {damaged, "expected"},
  };
  for (const auto& [stored, words] : kBad) {
    EXPECT_THAT(LoadOf(WithStored(file, stored)),
                StatusIs(StatusCode::kDataLoss,
                         AllOf(HasSubstr("a.leaf: item 'params', '['a']': "), HasSubstr(words))));
  }
}

// The file claims a terabyte, in one frame or without one: no memory is allocated for it.
TEST_F(ZstdTest, OversizedTensor_IsRejectedBeforeAllocation) {
  constexpr int64_t kHuge = int64_t{1} << 40;
  // A frame that declares 4 MiB and has one empty block.
  const std::string liar("\x28\xb5\x2f\xfd\xa0\x00\x00\x40\x00\x01\x00\x00", 12);
  std::string liars;
  for (int i = 0; i < 100; ++i) liars += liar;
  for (const std::string& stored : {std::string(64, 'x'), std::string(), liars}) {
    EXPECT_THAT(internal::CheckZstdFrames(BytesOf(stored), kHuge),
                StatusIs(StatusCode::kDataLoss, HasSubstr("expected")));
  }
}

TEST_F(ZstdTest, AnyDamageOfTheStoredBytes_IsFound) {
  const std::string file = Save(Store({{"a", Sparse(2'000)}}));
  const auto end = static_cast<size_t>(FooterOf(file).manifest_offset);
  for (size_t at = 64; at < end; ++at) {
    std::string bytes = file;
    bytes[at] ^= 4;
    MemoryFile files(bytes);
    ReadOptions options;
    options.io.file_system = &files;
    EXPECT_THAT(CheckpointReader::Open("a.leaf", options)->Verify(),
                StatusIs(StatusCode::kDataLoss, HasSubstr("expected")));
  }
}

}  // namespace
}  // namespace leafstore
