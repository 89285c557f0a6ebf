#include "leafstore/io/internal/file_stream.h"

#include <algorithm>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/checkpoint/forge.h"
#include "tests/core/status_matchers.h"

namespace leafstore {
namespace {

// Keeps the bytes written, and the begin and end of each write.
class RecordingFile : public WritableFile {
 public:
  absl::Status WriteAt(int64_t offset, absl::Span<const std::byte> bytes) override {
    EXPECT_EQ(offset, static_cast<int64_t>(written.size())) << "one after another";
    EXPECT_EQ(reinterpret_cast<uintptr_t>(bytes.data()) % internal::FileStream::kBlock, 0u);
    if (offset >= fails_from) return absl::UnavailableError("full");
    written.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    writes.emplace_back(offset, offset + static_cast<int64_t>(bytes.size()));
    return absl::OkStatus();
  }
  absl::Status Sync() override { return absl::OkStatus(); }
  absl::Status Close() override { return absl::OkStatus(); }

  int64_t fails_from = std::numeric_limits<int64_t>::max();
  std::string written;
  std::vector<std::pair<int64_t, int64_t>> writes;
};

TEST(FileStreamTest, SmallPieces_AreOneWrite) {
  RecordingFile file;
  internal::FileStream stream(&file);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_THAT(stream.Append(BytesOf("abc")), IsOk());
    ASSERT_THAT(stream.PadTo(64), IsOk());
  }
  EXPECT_EQ(stream.position(), 64'000);
  EXPECT_TRUE(file.writes.empty());
  ASSERT_THAT(stream.Flush(), IsOk());
  EXPECT_EQ(file.writes.size(), 1u);
  EXPECT_EQ(file.written.substr(0, 70),
            "abc" + std::string(61, '\0') + "abc" + std::string(3, '\0'));
}

TEST(FileStreamTest, AnySequence_IsWrittenInFullBlocks) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 10; ++round) {
    RecordingFile file;
    internal::FileStream stream(&file);
    std::string expected;
    for (int piece = 0; piece < 20; ++piece) {
      const size_t most = random() % 3 == 0 ? 12'000'000 : 50'000;
      std::string bytes(random() % most, '\0');
      for (size_t i = 0; i < bytes.size(); i += 101) bytes[i] = static_cast<char>(random());
      ASSERT_THAT(stream.Append(BytesOf(bytes)), IsOk());
      expected += bytes;
      if (random() % 2 == 0) {
        const int64_t alignment = random() % 2 == 0 ? 64 : 4096;
        ASSERT_THAT(stream.PadTo(alignment), IsOk());
        expected.resize(static_cast<size_t>(
            internal::AlignUp(static_cast<int64_t>(expected.size()), alignment)));
      }
      ASSERT_EQ(stream.position(), static_cast<int64_t>(expected.size()));
    }
    ASSERT_THAT(stream.Flush(), IsOk());
    ASSERT_TRUE(file.written == expected) << round;
    for (size_t i = 0; i < file.writes.size(); ++i) {
      EXPECT_EQ(file.writes[i].first % 4096, 0);
      if (i + 1 < file.writes.size()) {
        EXPECT_EQ(file.writes[i].second % 4096, 0);
      }
    }
  }
}

TEST(FileStreamTest, FailedWrite_IsReportedByFlushAtTheLatest) {
  const std::string bytes(internal::FileStream::kBufferSize, 'x');
  for (int buffers = 1; buffers <= 4; ++buffers) {
    for (int failing = 0; failing < buffers; ++failing) {
      RecordingFile file;
      file.fails_from = failing * static_cast<int64_t>(internal::FileStream::kBufferSize);
      internal::FileStream stream(&file);
      absl::Status status;
      for (int i = 0; i < buffers && status.ok(); ++i) status = stream.Append(BytesOf(bytes));
      if (status.ok()) status = stream.Flush();
      EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable, "full"));
      EXPECT_EQ(file.written.size(), static_cast<size_t>(file.fails_from)) << "none after it";
    }
  }
}

TEST(FileStreamTest, Append_CopiesTheSource) {
  RecordingFile file;
  internal::FileStream stream(&file);
  std::string expected;
  for (char c = 'a'; c < 'e'; ++c) {
    std::string bytes(internal::FileStream::kBufferSize - 1, c);
    expected += bytes;
    ASSERT_THAT(stream.Append(BytesOf(bytes)), IsOk());
    std::fill(bytes.begin(), bytes.end(), '?');
  }
  ASSERT_THAT(stream.Flush(), IsOk());
  EXPECT_TRUE(file.written == expected);
}

}  // namespace
}  // namespace leafstore
