#include "leafstore/io/internal/checksum.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

#include "leafstore/checkpoint/internal/format.h"

namespace leafstore {
namespace {

using ByteSpan = absl::Span<const std::byte>;

std::vector<std::byte> SomeBytes(size_t count) {
  std::vector<std::byte> bytes(count);
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(i * i % 251);
  return bytes;
}

TEST(ChecksumStreamTest, ValueWithoutBytes_IsTheChecksumOfNothing) {
  EXPECT_EQ(internal::ChecksumStream::Create()->Value(), internal::kChecksumOfNothing);
}

TEST(ChecksumStreamTest, ValueOfPieces_IsTheChecksumOfAllBytes) {
  const std::vector<std::byte> bytes = SomeBytes(100000);
  internal::ChecksumStream stream = internal::ChecksumStream::Create().value();
  for (const size_t piece : {1, 7, 240, 241, 4096, 99999, 100000}) {
    stream.Reset();
    ByteSpan rest = bytes;
    while (!rest.empty()) {
      const ByteSpan next = rest.subspan(0, piece);  // the last piece may be shorter
      stream.Append(next);
      rest.remove_prefix(next.size());
    }
    EXPECT_EQ(stream.Value(), internal::Checksum(bytes)) << "in pieces of " << piece;
  }
}

TEST(ChecksumStreamTest, Value_MayBeReadBetweenPieces) {
  const std::vector<std::byte> bytes = SomeBytes(1000);
  internal::ChecksumStream stream = internal::ChecksumStream::Create().value();
  stream.Append(ByteSpan(bytes).subspan(0, 600));
  EXPECT_EQ(stream.Value(), internal::Checksum(ByteSpan(bytes).subspan(0, 600)));
  stream.Append(ByteSpan(bytes).subspan(600));
  EXPECT_EQ(stream.Value(), internal::Checksum(bytes));
}

TEST(ChecksumStreamTest, Reset_ForgetsAllBytes) {
  const std::vector<std::byte> bytes = SomeBytes(1000);
  internal::ChecksumStream stream = internal::ChecksumStream::Create().value();
  stream.Append(bytes);
  stream.Reset();
  EXPECT_EQ(stream.Value(), internal::kChecksumOfNothing);
}

}  // namespace
}  // namespace leafstore
