// Damage of tensors with several blocks, or of the checksums of blocks in the manifest: it prevents
// loading the leaf and the rows that it touches, in every read mode, and nothing else.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/reader.h"
#include "leafstore/checkpoint/writer.h"

#include "tests/checkpoint/forge.h"
#include "tests/checkpoint/models.h"
#include "tests/core/status_matchers.h"
#include "tests/io/temp_dir.h"

namespace leafstore {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr int64_t kBlockBytes = 1 << 20;
constexpr int64_t kRowBytes = 1000;
constexpr int64_t kRowsALoad = 350;
constexpr ReadMode kReadModes[] = {ReadMode::kAuto, ReadMode::kMap, ReadMode::kRead,
                                   ReadMode::kDirect};

// Returns rows of random bytes, and then rows of zeros.
Tensor RandomRows(int64_t random_rows, int64_t zero_rows, uint32_t seed) {
  std::vector<uint64_t> words(static_cast<size_t>((random_rows + zero_rows) * kRowBytes / 8));
  std::mt19937_64 random(seed);
  for (int64_t i = 0; i < random_rows * kRowBytes / 8; ++i) {
    words[static_cast<size_t>(i)] = random();
  }
  const auto values =
      absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(words.data()), words.size() * 8);
  return Tensor::From<uint8_t>({random_rows + zero_rows, kRowBytes}, values).value();
}

ParamStore LargeStore() {
  static const auto* const tensors =
      new std::vector<Tensor>{RandomRows(1048, 0, 1),  // a block, with 576 bytes to spare
                              RandomRows(2300, 700, 2), RandomRows(2300, 0, 3), Filled(1, 10)};
  return ParamStore::FromEntries({{Path().Item("one"), (*tensors)[0]},
                                  {Path().Item("packed"), (*tensors)[1]},
                                  {Path().Item("plain"), (*tensors)[2]},
                                  {Path().Item("small"), (*tensors)[3]}})
      .value();
}

// Bytes of a stored tensor that are damaged.
struct Place {
  uint32_t leaf;
  int64_t begin;
  int64_t end;
};

// The file that is opened has the tensors, or is an increment whose base has them.
enum class Tensors { kInFile, kInBase };

class BlockDamageTest : public testing::TestWithParam<Tensors> {
 protected:
  BlockDamageTest() {
    SaveHistory history;
    const SaveOptions options = {.io = {.durable = false}, .zstd_level = 1, .history = &history};
    EXPECT_THAT(SaveCheckpoint(stored_in_, {{"params", store_}}, options), IsOk());
    if (GetParam() == Tensors::kInBase) {
      EXPECT_THAT(store_.Set("['small']", Filled(2, 10)), IsOk());
      EXPECT_THAT(SaveCheckpoint(opened_, {{"params", store_}}, options), IsOk());
    }
    const CheckpointReader reader = CheckpointReader::Open(opened_).value();
    const CheckpointItemInfo item = reader.GetItem("params").value();
    for (uint32_t leaf = 0; leaf < item.size(); ++leaf) entries_.push_back(item.entry(leaf));
    for (EntryInfo& entry : entries_) {
      blocks_.emplace_back(entry.block_checksums.begin(), entry.block_checksums.end());
      entry.block_checksums = {};
    }
  }

  int64_t BlockEnd(uint32_t leaf, int64_t begin) const {
    return std::min(begin + kBlockBytes, entries_[leaf].stored_size);
  }
  std::string TextOf(uint32_t leaf) const { return store_.PathText(leaf); }

  // Checks each way to load, in each mode.
  void ExpectDamageOnlyIn(const Place& place) const {
    for (const ReadMode mode : kReadModes) {
      SCOPED_TRACE(absl::StrCat(ReadModeName(mode), ", ", TextOf(place.leaf), ", bytes ",
                                place.begin, " to ", place.end));
      const CheckpointReader reader =
          CheckpointReader::Open(opened_, {.io = {.mode = mode}}).value();
      const auto damaged = StatusIs(StatusCode::kDataLoss,
                                    AllOf(HasSubstr(absl::StrCat("'", TextOf(place.leaf), "'")),
                                          HasSubstr("expected checksum")));
      EXPECT_THAT(reader.Load("params"), damaged);
      EXPECT_THAT(reader.Load("params", {.places = std::vector<uint32_t>{place.leaf}}), damaged);
      std::vector<uint32_t> others;
      for (uint32_t leaf = 0; leaf < entries_.size(); ++leaf) {
        if (leaf != place.leaf) others.push_back(leaf);
      }
      const ParamStore loaded = reader.Load("params", {.places = others}).value();
      for (uint32_t i = 0; i < others.size(); ++i) {
        EXPECT_TRUE(loaded.leaf(i) == store_.leaf(others[i])) << TextOf(others[i]);
      }
      for (uint32_t leaf = 0; leaf < entries_.size(); ++leaf) {
        const auto one = reader.LoadLeaf("params", TextOf(leaf));
        if (leaf == place.leaf) {
          EXPECT_THAT(one, damaged);
        } else {
          ASSERT_THAT(one, IsOk());
          EXPECT_TRUE(*one == store_.leaf(leaf));
        }
        ExpectRows(reader, leaf, place, damaged);
      }
      const absl::Status verified = reader.Verify();
      EXPECT_THAT(verified, damaged);
      for (const uint32_t other : others) {
        EXPECT_THAT(verified.message(), Not(HasSubstr(TextOf(other))));
      }
    }
  }

  template <typename Matcher>
  void ExpectRows(const CheckpointReader& reader, uint32_t leaf, const Place& place,
                  const Matcher& damaged) const {
    const Tensor& tensor = store_.leaf(leaf).tensor();
    const int64_t rows = tensor.shape()[0];
    const auto row_bytes = static_cast<int64_t>(tensor.bytes().size()) / rows;
    for (int64_t begin = 0; begin < rows; begin += kRowsALoad) {
      const int64_t end = std::min(begin + kRowsALoad, rows);
      const auto loaded = reader.LoadRows("params", TextOf(leaf), {begin, end});
      const bool touches =
          leaf == place.leaf && (entries_[leaf].codec != 0 ||
                                 (begin * row_bytes < place.end && end * row_bytes > place.begin));
      if (touches) {
        EXPECT_THAT(loaded, damaged) << begin;
        continue;
      }
      ASSERT_THAT(loaded, IsOk()) << begin;
      EXPECT_TRUE(loaded->bytes() ==
                  tensor.bytes().subspan(static_cast<size_t>(begin * row_bytes),
                                         static_cast<size_t>((end - begin) * row_bytes)))
          << begin;
    }
  }

  // Rewrites the manifest of the file that is opened, with correct checksums of the file.
  template <typename Change>
  void Forge(Change change) {
    const std::string good = ReadFile(opened_);
    Manifest manifest = ManifestOf(good);
    change(&manifest.items[0].segments);
    WriteFile(opened_, WithManifest(good, manifest));
  }
  // Returns where the checksums of the blocks of a tensor begin in the column.
  size_t ColumnIndex(uint32_t leaf) const {
    size_t index = 0;
    for (uint32_t before = 0; before < leaf; ++before) index += blocks_[before].size();
    return index;
  }

  TempDir dir_;
  const std::string stored_in_ = dir_.File("1.leaf");
  const std::string opened_ = GetParam() == Tensors::kInFile ? stored_in_ : dir_.File("2.leaf");
  ParamStore store_ = LargeStore();
  std::vector<EntryInfo> entries_;
  std::vector<std::vector<uint64_t>> blocks_;  // by leaf
};

TEST_P(BlockDamageTest, Tensors_HaveTheBlocksThatTheseTestsNeed) {
  EXPECT_THAT(blocks_, testing::ElementsAre(testing::IsEmpty(), testing::SizeIs(3),
                                            testing::SizeIs(3), testing::IsEmpty()));
  EXPECT_EQ(entries_[1].codec, 1);
  EXPECT_EQ(entries_[2].codec, 0);
  EXPECT_EQ(entries_[2].base, GetParam() == Tensors::kInBase ? 1u : 0u);
  for (const ReadMode mode : kReadModes) {
    const CheckpointReader reader = CheckpointReader::Open(opened_, {.io = {.mode = mode}}).value();
    EXPECT_TRUE(EntriesOf(reader.Load("params").value()) == EntriesOf(store_));
    EXPECT_THAT(reader.Verify(), IsOk());
  }
}

TEST_P(BlockDamageTest, DamagedByte_PreventsOnlyWhatNeedsItsBlock) {
  const std::string good = ReadFile(stored_in_);
  for (const uint32_t leaf : {0u, 1u, 2u}) {
    for (int64_t begin = 0; begin < entries_[leaf].stored_size; begin += kBlockBytes) {
      const int64_t end = BlockEnd(leaf, begin);
      for (const int64_t at : {begin, end - 1}) {
        std::string bytes = good;
        bytes[static_cast<size_t>(entries_[leaf].offset + at)] ^= 0x10;
        WriteFile(stored_in_, bytes);
        ASSERT_NO_FATAL_FAILURE(ExpectDamageOnlyIn({leaf, begin, end}));
      }
    }
  }
}

// Exchanges two blocks, so that the bytes of the tensor are the same ones in another order.
TEST_P(BlockDamageTest, ExchangedBlocks_AreBothDamaged) {
  std::string bytes = ReadFile(stored_in_);
  const auto first = bytes.begin() + entries_[2].offset;
  std::swap_ranges(first, first + kBlockBytes, first + kBlockBytes);
  WriteFile(stored_in_, bytes);
  ExpectDamageOnlyIn({2, 0, 2 * kBlockBytes});
}

TEST_P(BlockDamageTest, WrongEntryOfTheTable_PreventsOnlyWhatNeedsItsBlock) {
  const std::string good = ReadFile(opened_);
  for (const uint32_t leaf : {1u, 2u}) {
    for (size_t block = 0; block < blocks_[leaf].size(); ++block) {
      WriteFile(opened_, good);
      Forge([&](auto* segments) { segments->block_checksums[ColumnIndex(leaf) + block] ^= 1; });
      const int64_t begin = static_cast<int64_t>(block) * kBlockBytes;
      ASSERT_NO_FATAL_FAILURE(ExpectDamageOnlyIn({leaf, begin, BlockEnd(leaf, begin)}));
    }
  }
}

TEST_P(BlockDamageTest, ExchangedEntriesOfTheTable_DamageBothBlocks) {
  Forge([&](auto* segments) {
    std::swap(segments->block_checksums[ColumnIndex(2) + 1],
              segments->block_checksums[ColumnIndex(2) + 2]);
  });
  ExpectDamageOnlyIn({2, kBlockBytes, entries_[2].stored_size});
}

// Without the correct checksum of the manifest, no leaf can be loaded.
TEST_P(BlockDamageTest, DamagedByteOfTheTable_IsDamageOfTheManifest) {
  std::string table;
  for (const auto& of_leaf : blocks_) {
    table.append(reinterpret_cast<const char*>(of_leaf.data()), of_leaf.size() * 8);
  }
  const std::string good = ReadFile(opened_);
  const size_t begin = good.rfind(table);
  ASSERT_NE(begin, std::string::npos);
  for (size_t at = begin; at < begin + table.size(); at += 5) {
    std::string bytes = good;
    bytes[at] ^= 0x10;
    WriteFile(opened_, bytes);
    EXPECT_THAT(CheckpointReader::Open(opened_),
                StatusIs(StatusCode::kDataLoss, HasSubstr("manifest")))
        << at;
  }
}

// A base that is cut has lost its manifest, too. The leaves of the increment can still be loaded.
TEST_P(BlockDamageTest, TruncatedTensor_PreventsOnlyWhatNeedsTheFile) {
  const std::string good = ReadFile(stored_in_);
  WriteFile(stored_in_, good.substr(0, static_cast<size_t>(entries_[2].offset + kBlockBytes)));
  for (const ReadMode mode : kReadModes) {
    const auto reader = CheckpointReader::Open(opened_, {.io = {.mode = mode}});
    if (GetParam() == Tensors::kInFile) {
      EXPECT_EQ(reader.status().code(), StatusCode::kDataLoss);
      continue;
    }
    EXPECT_TRUE(reader->LoadLeaf("params", "['small']").value() == store_.leaf(3));
    EXPECT_EQ(reader->LoadLeaf("params", "['plain']").status().code(), StatusCode::kDataLoss);
    EXPECT_EQ(reader->LoadRows("params", "['plain']", {2000, 2010}).status().code(),
              StatusCode::kDataLoss);
    EXPECT_EQ(reader->Verify().code(), StatusCode::kDataLoss);
  }
}

INSTANTIATE_TEST_SUITE_P(All, BlockDamageTest, testing::Values(Tensors::kInFile, Tensors::kInBase),
                         [](const auto& tested) {
                           return std::string(tested.param == Tensors::kInFile ? "InFile"
                                                                               : "InBase");
                         });

}  // namespace
}  // namespace leafstore
