// The errors of damaged files (the table in docs/format.md), section by section. Every changed bit
// and every truncation of a small file is found.
#include <filesystem>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/internal/format.h"
#include "leafstore/checkpoint/reader.h"
#include "leafstore/io/internal/checksum.h"

#include "tests/checkpoint/forge.h"
#include "tests/checkpoint/models.h"
#include "tests/core/status_matchers.h"
#include "tests/io/memory_file.h"
#include "tests/io/temp_dir.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::ContainsRegex;
using testing::ElementsAre;
using testing::HasSubstr;

class CorruptionTest : public testing::Test {
 protected:
  CorruptionTest() {
    const ParamStore store = EveryKindStore();
    EXPECT_THAT(SaveCheckpoint(path_, {{"params", store, {.metadata = {{"k", "v"}}}}},
                               {.io = {.durable = false}}),
                IsOk());
    good_ = ReadFile(path_);
  }

  absl::StatusOr<CheckpointReader> Open(const std::string& bytes, ReadOptions options = {}) {
    MemoryFile file(bytes);
    options.io.file_system = &file;
    return CheckpointReader::Open(path_, options);
  }
  // Returns `good_` with one byte changed.
  std::string Damaged(int64_t at) const {
    std::string bytes = good_;
    bytes[static_cast<size_t>(at)] = static_cast<char>(bytes[static_cast<size_t>(at)] ^ 0x20);
    return bytes;
  }
  // Returns `good_` after `change` of its only item, with correct checksums.
  template <typename Change>
  std::string Forged(Change change) const {
    Manifest manifest = ManifestOf(good_);
    change(manifest.items[0]);
    return WithManifest(good_, manifest);
  }
  void ExpectDataLossThat(const std::string& bytes, const testing::Matcher<std::string>& words) {
    for (const ReadMode mode : {ReadMode::kMap, ReadMode::kRead}) {
      EXPECT_THAT(Open(bytes, {.io = {.mode = mode}}),
                  StatusIs(StatusCode::kDataLoss, AllOf(HasSubstr(path_), words)));
    }
  }
  void ExpectDataLoss(const std::string& bytes, const std::string& words) {
    ExpectDataLossThat(bytes, HasSubstr(words));
  }
  // The message has both checksums.
  void ExpectBadChecksum(const std::string& bytes, const std::string& section) {
    ExpectDataLossThat(
        bytes, ContainsRegex(section + ": expected checksum [0-9a-f]{16}, found [0-9a-f]{16}"));
  }
  // Checks that neither the file nor a store that it is loaded into changes.
  void ExpectNothingChanges(const std::string& bytes, StatusCode code, const std::string& words) {
    SCOPED_TRACE(words);
    for (const ReadMode mode : {ReadMode::kMap, ReadMode::kRead}) {
      WriteFile(path_, bytes);
      ParamStore store = EveryKindStore();
      const StoreState before(store);
      const auto reader = CheckpointReader::Open(path_, {.io = {.mode = mode}});
      EXPECT_THAT(reader.ok() ? reader->LoadInto("params", &store) : reader.status(),
                  StatusIs(code, AllOf(HasSubstr(path_), HasSubstr(words))));
      EXPECT_EQ(StoreState(store), before);
      EXPECT_EQ(ReadFile(path_), bytes);
      EXPECT_THAT(dir_.List(), ElementsAre("a.leaf"));
    }
  }

  TempDir dir_;
  const std::string path_ = dir_.File("a.leaf");
  std::string good_;
};

TEST_F(CorruptionTest, WrongMagic_IsNotACheckpoint) {
  ExpectDataLoss(Damaged(0), "preamble: expected '\\x89LEAF\\r\\n\\x1a', found '\\xa9LEAF");
}

TEST_F(CorruptionTest, ChangedVersionField_IsDamageNotANewerVersion) {
  ExpectBadChecksum(Damaged(8), "preamble");
  ExpectBadChecksum(Damaged(12), "preamble");
}

TEST_F(CorruptionTest, DamagedReserveOrChecksumOfPreamble_IsFound) {
  ExpectBadChecksum(Damaged(20), "preamble");
  ExpectBadChecksum(Damaged(63), "preamble");
}

TEST_F(CorruptionTest, NewerProducer_WithOldMinReader_IsRead) {
  const auto reader = Open(WithVersions(good_, {.producer = 9, .min_reader = 1}));
  ASSERT_THAT(reader, IsOk());
  EXPECT_EQ(reader->producer_version(), 9u);
  EXPECT_THAT(reader->Verify(), IsOk());
}

TEST_F(CorruptionTest, NewerMinReader_IsUnimplemented) {
  EXPECT_THAT(
      Open(WithVersions(good_, {.producer = 9, .min_reader = 4})),
      StatusIs(StatusCode::kUnimplemented,
               AllOf(HasSubstr(path_), HasSubstr("has format version 9 and requires a reader "
                                                 "of version 4; this reader has version "
                                                 "3"))));
}

TEST_F(CorruptionTest, DamagedFooter_IsDataLoss) {
  const auto size = static_cast<int64_t>(good_.size());
  ExpectDataLoss(Damaged(size - 64), "footer: expected 'leafend\\n', found 'Leafend\\n'");
  for (const int64_t field : {8, 16, 24, 32, 40, 44, 48, 56}) {
    ExpectBadChecksum(Damaged(size - 64 + field), "footer");
  }
}

TEST_F(CorruptionTest, FooterOfAnotherFile_IsDataLoss) {
  internal::Footer footer = FooterOf(good_);
  footer.versions.producer = 7;
  ExpectDataLoss(WithFooter(good_, footer),
                 "footer: expected the preamble's versions 1 and 1, "
                 "found 7 and 1");
  footer = FooterOf(good_);
  footer.file_size += 64;
  const std::string size = std::to_string(good_.size());
  ExpectDataLoss(WithFooter(good_, footer),
                 "footer: expected a file of " + std::to_string(footer.file_size) +
                     " bytes, found " + size + "; the file is truncated");
}

TEST_F(CorruptionTest, FooterWithWrongManifestPosition_IsDataLoss) {
  const internal::Footer good = FooterOf(good_);
  for (const int64_t offset : {int64_t{-64}, int64_t{0}, good.manifest_offset + 1,
                               good.manifest_offset + 64, int64_t{1} << 62}) {
    internal::Footer footer = good;
    footer.manifest_offset = offset;
    ExpectDataLoss(WithFooter(good_, footer),
                   "footer: expected a manifest that ends at the footer");
  }
  for (const int64_t size : {int64_t{-1}, int64_t{0}, good.file_size, int64_t{1} << 62}) {
    internal::Footer footer = good;
    footer.manifest_size = size;
    ExpectDataLoss(WithFooter(good_, footer),
                   "footer: expected a manifest that ends at the footer");
  }
}

TEST_F(CorruptionTest, DamagedManifest_IsDataLoss) {
  ExpectBadChecksum(Damaged(FooterOf(good_).manifest_offset + 5), "manifest");
}

TEST_F(CorruptionTest, ManifestThatIsNotAMessage_IsDataLoss) {
  ExpectDataLoss(WithManifest(good_, std::string(100, '\xff')), "are not a protobuf message");
}

TEST_F(CorruptionTest, PaddingAfterManifest_MustBeZero) {
  const internal::Footer footer = FooterOf(good_);
  const int64_t end = footer.manifest_offset + footer.manifest_size;
  ASSERT_LT(end, footer.file_size - 64) << "the manifest fills its last 64 bytes: change the model";
  ExpectDataLoss(Damaged(end), "padding before the footer: expected zeros, found 20 at byte ");
}

TEST_F(CorruptionTest, DamagedTensor_IsNamedByItsPath) {
  const std::string bytes = Damaged(64 + 3);  // .embed, the first
  for (const ReadMode mode : {ReadMode::kMap, ReadMode::kRead}) {
    const auto reader = Open(bytes, {.io = {.mode = mode}});
    ASSERT_THAT(reader, IsOk());
    const auto damage =
        StatusIs(StatusCode::kDataLoss,
                 AllOf(HasSubstr(path_),
                       ContainsRegex("item 'params', '.embed': expected checksum [0-9a-f]{16}, "
                                     "found [0-9a-f]{16} of 24 bytes from byte 64 on")));
    EXPECT_THAT(reader->LoadLeaf("params", ".embed"), damage);
    EXPECT_THAT(reader->Load("params"), damage);
    EXPECT_THAT(reader->Verify(), damage);
    EXPECT_THAT(reader->LoadLeaf("params", ".named['a b']"), IsOk()) << "which is not damaged";
  }
}

TEST_F(CorruptionTest, WithoutVerify_DamagedTensorsLoad) {
  const auto reader = Open(Damaged(64 + 3), {.verify = false});
  ASSERT_THAT(reader, IsOk());
  EXPECT_THAT(reader->Load("params"), IsOk());
  EXPECT_THAT(reader->Verify(), StatusIs(StatusCode::kDataLoss, HasSubstr("'.embed'")));
}

TEST_F(CorruptionTest, LoadInto_DamageInAnySection_ChangesNothing) {
  const auto size = static_cast<int64_t>(good_.size());
  const int64_t manifest = FooterOf(good_).manifest_offset;
  const struct {
    int64_t byte;
    const char* words;
  } kDamages[] = {
      {0, "preamble: expected '\\x89LEAF"},
      {9, "preamble: expected checksum "},
      {64 + 3, "item 'params', '.embed': expected checksum "},
      {128, "item 'params', '.named['a b']': expected checksum "},
      {manifest, "manifest: expected checksum "},
      {manifest + FooterOf(good_).manifest_size, "padding before the footer: expected zeros"},
      {size - 64, "footer: expected 'leafend\\n'"},
      {size - 1, "footer: expected checksum "},
  };
  for (const auto& damage : kDamages) {
    ExpectNothingChanges(Damaged(damage.byte), StatusCode::kDataLoss, damage.words);
  }
}

TEST_F(CorruptionTest, LoadInto_TruncationInAnySection_ChangesNothing) {
  const size_t manifest = static_cast<size_t>(FooterOf(good_).manifest_offset);
  const struct {
    size_t size;
    const char* words;
  } kCuts[] = {
      {0, "preamble: expected 64 bytes, found the end of the file after 0; the file is truncated"},
      {63,
       "preamble: expected 64 bytes, found the end of the file after 63; the file is "
       "truncated, or is not a checkpoint"},
      {64, "footer: expected a file of at least 128 bytes, found 64; the file is truncated"},
      {127, "footer: expected a file of at least 128 bytes, found 127; the file is truncated"},
      {64 + 70, "footer: expected 'leafend\\n', found '"},            // in a segment
      {manifest, "footer: expected 'leafend\\n', found '"},           // after the segments
      {manifest + 70, "footer: expected 'leafend\\n', found '"},      // in the manifest
      {good_.size() - 64, "footer: expected 'leafend\\n', found '"},  // before the footer
      {good_.size() - 1, "footer: expected 'leafend\\n', found '"},   // in it
  };
  for (const auto& cut : kCuts) {
    ExpectNothingChanges(good_.substr(0, cut.size), StatusCode::kDataLoss, cut.words);
    ExpectNothingChanges(good_.substr(0, cut.size), StatusCode::kDataLoss, "the file is truncated");
  }
}

TEST_F(CorruptionTest, LoadInto_NewerFile_ChangesNothing) {
  ExpectNothingChanges(WithVersions(good_, {.producer = 9, .min_reader = 4}),
                       StatusCode::kUnimplemented,
                       "preamble: the file has format version 9 and requires a reader of version "
                       "4; this reader has version 3");
  ExpectNothingChanges(Forged([](auto& item) {
                         item.segments.codecs = {0, 3, 0};
                         item.segments.stored_sizes = {24, 5, 0};
                       }),
                       StatusCode::kUnimplemented,
                       "item 'params', '.named['a b']': its bytes are stored with codec 3, which "
                       "this reader of format version 3 does not support");
}

TEST_F(CorruptionTest, TruncationAfterOpen_PlainReads_IsDataLoss) {
  const auto reader = CheckpointReader::Open(path_, {.io = {.mode = ReadMode::kRead}});
  ASSERT_THAT(reader, IsOk());
  std::filesystem::resize_file(path_, 64 + 10);
  ParamStore store = EveryKindStore();
  const StoreState before(store);
  EXPECT_THAT(reader->LoadInto("params", &store),
              StatusIs(StatusCode::kDataLoss,
                       "item 'params', '.embed': " + path_ +
                           ": expected 14 more bytes at byte 74, found the end of the file"));
  EXPECT_THAT(
      reader->Verify(),
      StatusIs(StatusCode::kDataLoss, AllOf(HasSubstr(path_ + ": expected 64 more bytes at byte "),
                                            HasSubstr(", found the end of the file"))));
  EXPECT_EQ(StoreState(store), before);
}

// A verifying reader brings pages into memory before it touches them. Touching tensors that were
// loaded before the truncation would still raise SIGBUS.
TEST_F(CorruptionTest, TruncationAfterMapping_IsDataLoss) {
  const auto reader = CheckpointReader::Open(path_);
  ASSERT_THAT(reader, IsOk());
  const auto size = static_cast<int64_t>(std::filesystem::file_size(path_));
  std::filesystem::resize_file(path_, 64 + 10);
  ParamStore store = EveryKindStore();
  const StoreState before(store);
  EXPECT_THAT(reader->LoadInto("params", &store),
              StatusIs(StatusCode::kDataLoss,
                       AllOf(HasSubstr("item 'params', '.embed': "), HasSubstr(path_),
                             HasSubstr(", found 74: the file was shortened"))));
  EXPECT_THAT(reader->Verify(),
              StatusIs(StatusCode::kDataLoss,
                       HasSubstr(absl::StrCat(path_, ": expected at least ", size,
                                              " bytes, found 74: the file was shortened"))));
  EXPECT_EQ(StoreState(store), before);
}

TEST_F(CorruptionTest, Verify_ChecksPaddingBetweenSegments) {
  for (const ReadMode mode : {ReadMode::kMap, ReadMode::kRead}) {
    const auto reader = Open(Damaged(64 + 24), {.io = {.mode = mode}});
    ASSERT_THAT(reader, IsOk());
    EXPECT_THAT(reader->Verify(),
                StatusIs(StatusCode::kDataLoss,
                         AllOf(HasSubstr("padding before item 'params', '.named['a b']'"),
                               HasSubstr("expected zeros, found 20 at byte 88"))));
  }
}

TEST_F(CorruptionTest, Verify_FindsPreambleAndFooterChangedAfterOpen) {
  for (const ReadMode mode : {ReadMode::kMap, ReadMode::kRead}) {
    WriteFile(path_, good_);
    const auto reader = CheckpointReader::Open(path_, {.io = {.mode = mode}});
    ASSERT_THAT(reader, IsOk());
    ASSERT_THAT(reader->Verify(), IsOk());
    WriteFile(path_, WithVersions(good_, {.producer = 9}));
    EXPECT_THAT(reader->Verify(),
                StatusIs(StatusCode::kDataLoss, HasSubstr("footer: expected no change since")));
  }
}

TEST_F(CorruptionTest, Verify_ChecksPaddingBeforeManifest) {
  const auto reader = Open(Damaged(FooterOf(good_).manifest_offset - 1));
  ASSERT_THAT(reader, IsOk());
  EXPECT_THAT(reader->Verify(),
              StatusIs(StatusCode::kDataLoss, HasSubstr("padding before the manifest")));
}

TEST_F(CorruptionTest, Verify_NamesAllDamagedTensors) {
  std::string bytes = Damaged(64 + 3);
  bytes[128] ^= 1;
  const auto reader = Open(bytes);
  ASSERT_THAT(reader, IsOk());
  EXPECT_THAT(reader->Verify(),
              StatusIs(StatusCode::kDataLoss,
                       AllOf(HasSubstr("'.embed': expected"), HasSubstr("'.named['a b']'"))));
}

TEST_F(CorruptionTest, SegmentOutOfBounds_IsDataLoss) {
  const std::string words = "item 'params', '.embed': expected bytes from 64 to ";
  ExpectDataLoss(Forged([](auto& item) { item.segments.offsets[0] = 0; }), words);
  ExpectDataLoss(Forged([](auto& item) { item.segments.offsets[0] = uint64_t{1} << 40; }), words);
  ExpectDataLoss(Forged([](auto& item) { item.segments.offsets[0] = uint64_t{1} << 62; }), words);
}

TEST_F(CorruptionTest, OverlappingSegments_AreDataLoss) {
  ExpectDataLoss(Forged([](auto& item) { item.segments.offsets[1] = 64; }),
                 "expected bytes of its own, found byte 64 also in item 'params', '.");
}

TEST_F(CorruptionTest, SegmentsInAnyOrder_AreRead) {
  Manifest manifest = ManifestOf(good_);
  ManifestItem::Segments& segments = manifest.items[0].segments;
  std::string bytes = good_;
  // Swaps two segments of different sizes.
  const std::string first = bytes.substr(64, 24);
  bytes.replace(64, 64, bytes.substr(128, 64));
  bytes.replace(128, 64, first + std::string(40, '\0'));
  std::swap(segments.offsets[0], segments.offsets[1]);
  const auto reader = Open(WithManifest(bytes, manifest));
  ASSERT_THAT(reader, IsOk());
  EXPECT_THAT(reader->Verify(), IsOk());
  EXPECT_TRUE(reader->Load("params")->leaf(2) == LeafOf(EveryKindStore(), 2));
}

TEST_F(CorruptionTest, EmptyTensorWithASegment_IsDataLoss) {
  ExpectDataLoss(Forged([](auto& item) { item.segments.offsets[2] = 64; }),
                 "'.named['\xc3\xa9'][1][0]': expected no offset without stored bytes, found 64");
  ExpectDataLoss(Forged([](auto& item) { item.segments.checksums[2] = 5; }),
                 "expected the checksum of no bytes, found 0000000000000005");
}

TEST_F(CorruptionTest, LargeSegment_MustBePageAligned) {
  const ParamStore store =
      ParamStore::FromEntries({{Path().Item("w"), Tensor::Zeros(DType::kU8, {65536}).value()}})
          .value();
  ASSERT_THAT(SaveCheckpoint(path_, {{"params", store}}), IsOk());
  const std::string file = ReadFile(path_);
  Manifest manifest = ManifestOf(file);
  EXPECT_EQ(manifest.items[0].segments.offsets[0], 4096u);
  manifest.items[0].segments.offsets[0] = 64;
  ExpectDataLoss(WithManifest(file, manifest), "expected an offset that is a multiple of 4096");
}

TEST_F(CorruptionTest, StoredSize_MustMatchDtypeAndShape) {
  ExpectDataLoss(Forged([](auto& item) {
                   item.segments.stored_sizes = {23, 8, 0};
                 }),
                 "'.embed': expected 24 stored bytes, found 23");
}

TEST_F(CorruptionTest, UnknownCodec_IsUnimplemented) {
  const auto reader = Open(Forged([](auto& item) {
    item.segments.codecs = {0, 3, 0};
    item.segments.stored_sizes = {24, 5, 0};
  }));
  ASSERT_THAT(reader, IsOk());
  const auto unknown = StatusIs(
      StatusCode::kUnimplemented,
      AllOf(HasSubstr(path_), HasSubstr("item 'params', '.named['a b']'"), HasSubstr("codec 3")));
  EXPECT_THAT(reader->LoadLeaf("params", ".named['a b']"), unknown);
  EXPECT_THAT(reader->Load("params"), unknown);
  EXPECT_THAT(reader->LoadLeaf("params", ".embed"), IsOk());
  EXPECT_EQ(reader->GetItem("params")->entry(3).codec, 3);
}

TEST_F(CorruptionTest, SegmentInABase_MustBeInsideIt) {
  const auto with_base = [&](int64_t base_size, uint64_t offset) {
    Manifest manifest = ManifestOf(good_);
    manifest.bases = {{"base.leaf", base_size, 1}};
    manifest.items[0].segments.bases = {1, 0, 0};
    manifest.items[0].segments.offsets[0] = offset;
    return WithManifest(good_, manifest);
  };
  ExpectDataLoss(with_base(4096, 4096 - 64),
                 "item 'params', '.embed': expected bytes from 64 to 4032, found 24 bytes");
  ExpectDataLoss(with_base(0, 64), "'.embed': expected no bytes, as the file is too small");
  ExpectDataLoss(with_base(1, 64), "'.embed': expected no bytes, as the file is too small");
  ExpectDataLoss(with_base(4096, 0), "'.embed': expected bytes from 64 to 4032");
  ExpectDataLoss(Forged([](auto& item) {
                   item.segments.bases = {1, 0, 0};
                 }),
                 "item 'params', column bases: expected at most 0, the number of bases, found 1");
}

TEST_F(CorruptionTest, InvalidBools_AreDataLoss) {
  const ParamStore store =
      ParamStore::FromEntries(
          {{Path().Item("mask"), Tensor::From<bool>({2}, {true, false}).value()}})
          .value();
  ASSERT_THAT(SaveCheckpoint(path_, {{"params", store}}), IsOk());
  std::string file = ReadFile(path_);
  Manifest manifest = ManifestOf(file);
  file[64] = 2;
  manifest.items[0].segments.checksums[0] = internal::Checksum(BytesOf(file.substr(64, 2)));
  const auto reader = Open(WithManifest(file, manifest));
  ASSERT_THAT(reader, IsOk());
  EXPECT_THAT(reader->Load("params"),
              StatusIs(StatusCode::kDataLoss,
                       AllOf(HasSubstr("['mask']"), HasSubstr("expected bools to be 0 or 1"))));
}

TEST_F(CorruptionTest, EveryTruncation_IsDataLoss) {
  for (size_t length = 0; length < good_.size(); ++length) {
    for (const ReadMode mode : {ReadMode::kMap, ReadMode::kRead}) {
      ASSERT_THAT(Open(good_.substr(0, length), {.io = {.mode = mode}}),
                  StatusIs(StatusCode::kDataLoss, HasSubstr(path_)))
          << length;
    }
  }
}

TEST_F(CorruptionTest, BytesAfterTheEnd_AreDataLoss) {
  ExpectDataLoss(good_ + std::string(1, '\0'), "footer: ");
  ExpectDataLoss(good_ + std::string(64, '\0'), "footer: ");
  ExpectDataLoss(good_ + good_.substr(good_.size() - 64),
                 "footer: expected a file of " + std::to_string(good_.size()) + " bytes, found " +
                     std::to_string(good_.size() + 64) + "; bytes were appended to it");
}

TEST_F(CorruptionTest, EverySingleBitFlip_IsDataLoss) {
  for (size_t bit = 0; bit < good_.size() * 8; ++bit) {
    std::string bytes = good_;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    const auto reader = Open(bytes);
    ASSERT_THAT(reader.ok() ? reader->Verify() : reader.status(),
                StatusIs(StatusCode::kDataLoss, HasSubstr(path_)))
        << "bit " << bit % 8 << " of byte " << bit / 8;
  }
}

// A file made on purpose has correct checksums, so the other checks must hold.
TEST_F(CorruptionTest, ForgedManifests_NeverCrash) {
  std::mt19937_64 random(20240607);
  const std::string manifest = ManifestBytesOf(good_);
  int opened = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string forged = manifest;
    for (uint64_t changes = 1 + random() % 4; changes > 0; --changes) {
      forged[random() % forged.size()] = static_cast<char>(random());
    }
    if (random() % 8 == 0) forged.resize(random() % forged.size());
    const auto reader = Open(WithManifest(good_, forged));
    if (!reader.ok()) {
      EXPECT_NE(reader.status().code(), StatusCode::kInvalidArgument) << reader.status();
      continue;
    }
    ++opened;
    for (const std::string& item : reader->items()) reader->Load(item).status().IgnoreError();
    reader->Verify().IgnoreError();
  }
  EXPECT_GT(opened, 0);
}

}  // namespace
}  // namespace leafstore
