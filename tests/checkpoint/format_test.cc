#include "leafstore/checkpoint/internal/format.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/io/internal/file_stream.h"

#include "tests/checkpoint/forge.h"
#include "tests/core/status_matchers.h"

namespace leafstore {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

TEST(FormatTest, Preamble_NeverChanges) {
  const auto bytes = internal::EncodePreamble({.producer = 1, .min_reader = 1});
  const std::string found(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  EXPECT_EQ(found.substr(0, 16), std::string("\x89LEAF\r\n\x1a\1\0\0\0\1\0\0\0", 16));
  EXPECT_EQ(found.substr(16, 40), std::string(40, '\0'));
  const internal::Preamble back = internal::DecodePreamble(bytes).value();
  EXPECT_EQ(back.producer, 1u);
  EXPECT_EQ(back.min_reader, 1u);
}

TEST(FormatTest, ShortPreamble_IsDataLoss) {
  const auto bytes = internal::EncodePreamble({});
  EXPECT_THAT(internal::DecodePreamble(absl::MakeConstSpan(bytes).subspan(0, 63)),
              StatusIs(StatusCode::kDataLoss, HasSubstr("the end of the file after 63")));
}

TEST(FormatTest, Footer_RoundTrips) {
  internal::Footer footer;
  footer.manifest_offset = 128;
  footer.manifest_size = 70;
  footer.manifest_checksum = 0x1234;
  footer.file_size = 128 + 128 + 64;
  const auto bytes = internal::EncodeFooter(footer);
  const internal::Footer back = internal::DecodeFooter(bytes, {}, footer.file_size).value();
  EXPECT_EQ(back.manifest_offset, 128);
  EXPECT_EQ(back.manifest_size, 70);
  EXPECT_EQ(back.manifest_checksum, 0x1234u);
  EXPECT_THAT(
      internal::DecodeFooter(bytes, {}, 100),
      StatusIs(StatusCode::kDataLoss, HasSubstr("a file of at least 128 bytes, found 100")));
}

TEST(FormatTest, Segments_AlignToCacheLinesOrPages) {
  EXPECT_EQ(internal::SegmentAlignmentFor(1), 64);
  EXPECT_EQ(internal::SegmentAlignmentFor(65535), 64);
  EXPECT_EQ(internal::SegmentAlignmentFor(65536), 4096);
  EXPECT_EQ(internal::AlignUp(0, 64), 0);
  EXPECT_EQ(internal::AlignUp(1, 64), 64);
  EXPECT_EQ(internal::AlignUp(64, 64), 64);
}

TEST(FormatTest, Checksums_AreXxh3) {
  EXPECT_EQ(internal::Checksum({}), internal::kChecksumOfNothing);
  EXPECT_EQ(internal::Checksum(BytesOf("abc")), 0x78af5f94892f3950u);
}

TEST(FormatTest, IsZero_FindsAnyOtherByte) {
  EXPECT_TRUE(internal::IsZero({}));
  for (size_t size : {1, 2, 63, 64, 1000}) {
    std::string bytes(size, '\0');
    EXPECT_TRUE(internal::IsZero(BytesOf(bytes)));
    for (size_t at : {size_t{0}, size / 2, size - 1}) {
      bytes[at] = 1;
      EXPECT_FALSE(internal::IsZero(BytesOf(bytes))) << at << " of " << size;
      bytes[at] = 0;
    }
  }
}

}  // namespace
}  // namespace leafstore
