#include "leafstore/interop/numpy/internal/zip_source.h"

#include <string>

#include "gtest/gtest.h"

namespace leafstore {

using internal::ZipBytesSource;

namespace {

// Whatever pieces are asked for, one that ends within the first run too.
TEST(ZipBytesSourceTest, Source_ReadsBothRangesInOrder) {
  const std::string first = "header";
  const std::string rest = "the bytes";
  for (const size_t piece : {1u, 2u, 4u, 5u, 6u, 7u, 100u}) {
    ZipBytesSource source(
        first, absl::MakeConstSpan(reinterpret_cast<const std::byte*>(rest.data()), rest.size()));
    for (int round = 0; round < 2; ++round) {  // and again when it is opened again
      ASSERT_EQ(source.Do(nullptr, 0, ZIP_SOURCE_OPEN), 0);
      std::string found;
      for (;;) {
        std::string out(piece, '?');
        const zip_int64_t read = source.Do(out.data(), out.size(), ZIP_SOURCE_READ);
        ASSERT_GE(read, 0);
        ASSERT_LE(read, static_cast<zip_int64_t>(piece));
        if (read == 0) break;
        found += out.substr(0, static_cast<size_t>(read));
      }
      EXPECT_EQ(found, first + rest) << "in pieces of " << piece;
    }
    zip_stat_t stat;
    EXPECT_GT(source.Do(&stat, sizeof(stat), ZIP_SOURCE_STAT), 0);
    EXPECT_EQ(stat.size, first.size() + rest.size());
  }
}

TEST(ZipBytesSourceTest, Source_AcceptsEmptyRanges) {
  std::byte out[4];
  ZipBytesSource nothing("", {});
  ASSERT_EQ(nothing.Do(nullptr, 0, ZIP_SOURCE_OPEN), 0);
  EXPECT_EQ(nothing.Do(out, sizeof(out), ZIP_SOURCE_READ), 0);
  ZipBytesSource header("ab", {});
  ASSERT_EQ(header.Do(nullptr, 0, ZIP_SOURCE_OPEN), 0);
  EXPECT_EQ(header.Do(out, 1, ZIP_SOURCE_READ), 1);
  EXPECT_EQ(header.Do(out, sizeof(out), ZIP_SOURCE_READ), 1);
  EXPECT_EQ(header.Do(out, sizeof(out), ZIP_SOURCE_READ), 0);
}

}  // namespace
}  // namespace leafstore
