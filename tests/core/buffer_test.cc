#include "leafstore/core/buffer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <limits>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/core/status_matchers.h"

namespace leafstore {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

static_assert(sizeof(Buffer) == sizeof(void*));
static_assert(std::is_nothrow_move_constructible_v<Buffer>);

std::string Text(const Buffer& buffer) {
  return std::string(reinterpret_cast<const char*>(buffer.data()),
                     static_cast<size_t>(buffer.size()));
}

TEST(BufferTest, Default_IsNullAndEmpty) {
  const Buffer buffer;
  EXPECT_TRUE(buffer.null());
  EXPECT_EQ(buffer.size(), 0);
  EXPECT_EQ(buffer.data(), nullptr);
  EXPECT_TRUE(buffer.bytes().empty());
  EXPECT_FALSE(buffer.IsWritable());
  const Buffer copy = buffer;
  EXPECT_TRUE(copy.null());
}

TEST(BufferTest, Allocate_ReturnsAlignedZeroedBytes) {
  for (const int64_t size : {1, 7, 63, 64, 65, 4096, 100000}) {
    const Buffer buffer = Buffer::Allocate(size).value();
    EXPECT_EQ(buffer.size(), size);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % kBufferAlignment, 0) << size;
    EXPECT_THAT(buffer.bytes(), Each(std::byte{0}));
    EXPECT_TRUE(buffer.IsWritable());
  }
}

TEST(BufferTest, Allocate_AcceptsSizeZero) {
  const Buffer buffer = Buffer::Allocate(0).value();
  EXPECT_FALSE(buffer.null());
  EXPECT_EQ(buffer.size(), 0);
  EXPECT_TRUE(buffer.bytes().empty());
}

TEST(BufferTest, NegativeSize_IsAnError) {
  EXPECT_THAT(Buffer::Allocate(-1),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("found -1")));
}

TEST(BufferTest, NoMemory_IsResourceExhausted) {
  for (const int64_t size : {int64_t{1} << 60, std::numeric_limits<int64_t>::max()}) {
    EXPECT_THAT(Buffer::AllocateUninitialized(size),
                StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr(absl::StrCat(size))));
  }
}

TEST(BufferTest, Copies_ShareAndOnlyASoleHolderMayWrite) {
  Buffer first = Buffer::Allocate(8).value();
  {
    const Buffer second = first;
    EXPECT_EQ(second.data(), first.data());
    EXPECT_FALSE(first.IsWritable());
    EXPECT_FALSE(second.IsWritable());
  }
  ASSERT_TRUE(first.IsWritable());
  first.mutable_data()[3] = std::byte{9};
  EXPECT_EQ(first.bytes()[3], std::byte{9});
}

TEST(BufferTest, Move_TransfersTheHandle) {
  Buffer from = Buffer::Allocate(8).value();
  const std::byte* const data = from.data();
  Buffer to = std::move(from);
  EXPECT_TRUE(from.null());  // NOLINT(bugprone-use-after-move): that is what is tested
  EXPECT_EQ(to.data(), data);
  EXPECT_TRUE(to.IsWritable());
  Buffer& alias = to;
  to = alias;
  EXPECT_EQ(to.data(), data);
  EXPECT_TRUE(to.IsWritable());
}

TEST(BufferTest, Bytes_LiveUntilTheLastHandle) {
  Buffer last;
  {
    Buffer first = Buffer::Allocate(4).value();
    std::memcpy(first.mutable_data(), "abcd", 4);
    last = first;
  }
  EXPECT_EQ(Text(last), "abcd");
}

// ---- memory of the caller's ----

TEST(BufferExternalTest, Release_IsCalledOnceWithTheLastHandle) {
  const char memory[] = "abcd";
  int released = 0;
  {
    Buffer first = Buffer::External(memory, 4, [&released] { ++released; }).value();
    EXPECT_EQ(static_cast<const void*>(first.data()), memory);
    EXPECT_EQ(Text(first), "abcd");
    Buffer second = first;
    first = Buffer();
    EXPECT_EQ(released, 0);
    Buffer third = std::move(second);
    EXPECT_EQ(released, 0);
  }
  EXPECT_EQ(released, 1);
}

TEST(BufferExternalTest, Assignment_ReleasesThePreviousMemory) {
  int released = 0;
  Buffer buffer = Buffer::External("x", 1, [&released] { ++released; }).value();
  buffer = Buffer::Allocate(1).value();
  EXPECT_EQ(released, 1);
}

TEST(BufferExternalTest, Release_MayBeNull) {
  const Buffer buffer = Buffer::External("x", 1, nullptr).value();
  EXPECT_EQ(Text(buffer), "x");
}

TEST(BufferExternalTest, Release_MayDropAnotherBuffer) {
  int released = 0;
  Buffer inner = Buffer::External("x", 1, [&released] { ++released; }).value();
  {
    Buffer outer = Buffer::External("y", 1, [held = std::move(inner)] {}).value();
  }
  EXPECT_EQ(released, 1);
}

TEST(BufferExternalTest, External_IsNeverWritable) {
  EXPECT_FALSE(Buffer::External("x", 1, nullptr).value().IsWritable());
}

TEST(BufferExternalTest, ExternalWritable_IsWrittenInPlaceByASoleHolder) {
  char memory[] = "abcd";
  Buffer buffer = Buffer::ExternalWritable(memory, 4, nullptr).value();
  ASSERT_TRUE(buffer.IsWritable());
  EXPECT_EQ(static_cast<void*>(buffer.mutable_data()), memory);
  const Buffer copy = buffer;
  EXPECT_FALSE(buffer.IsWritable());
}

TEST(BufferExternalTest, Release_IsCalledOnceFromTheLastThread) {
  std::atomic<int> released{0};
  for (int round = 0; round < 100; ++round) {
    std::vector<Buffer> handles(4, Buffer::External("x", 1, [&released] { ++released; }).value());
    std::vector<std::thread> threads;
    for (Buffer& handle : handles) {
      threads.emplace_back([mine = std::move(handle)]() mutable {
        const Buffer copy = mine;
        mine = Buffer();
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(released, 100);
}

// ---- mapped files ----

TEST(BufferTest, ExternalWithNegativeSize_IsAnErrorWithoutRelease) {
  int released = 0;
  char memory[4] = {};
  const auto negative =
      StatusIs(absl::StatusCode::kInvalidArgument, "buffer size: expected >= 0, found -1");
  EXPECT_THAT(Buffer::External(memory, -1, [&released] { ++released; }), negative);
  EXPECT_THAT(Buffer::ExternalWritable(memory, -1, [&released] { ++released; }), negative);
  EXPECT_EQ(released, 0);
}

class BufferMapTest : public ::testing::Test {
 protected:
  ~BufferMapTest() override {
    for (const std::string& path : made_) std::remove(path.c_str());
  }

  // Returns a path that is unique to this test and process.
  std::string PathOf(absl::string_view name) {
    made_.push_back(absl::StrCat(testing::TempDir(), "/leafstore_buffer_test.", getpid(), ".",
                                 testing::UnitTest::GetInstance()->current_test_info()->name(), ".",
                                 name));
    return made_.back();
  }
  // Maps all of a file.
  static Buffer Map(const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY);
    Buffer buffer = Buffer::MapOpenFile(fd, lseek(fd, 0, SEEK_END), path).value();
    close(fd);
    return buffer;
  }
  std::string WriteFile(absl::string_view name, const std::string& content) {
    const std::string path = PathOf(name);
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }

 private:
  std::vector<std::string> made_;
};

TEST_F(BufferMapTest, Map_HasTheContentsOfTheFile) {
  std::string content(10000, 'x');
  content[0] = 'a';
  content[9999] = 'z';
  const Buffer buffer = Map(WriteFile("file", content));
  EXPECT_EQ(Text(buffer), content);
  EXPECT_FALSE(buffer.IsWritable());
}

TEST_F(BufferMapTest, EmptyFile_IsAnEmptyBuffer) {
  const Buffer buffer = Map(WriteFile("file", ""));
  EXPECT_FALSE(buffer.null());
  EXPECT_EQ(buffer.size(), 0);
  EXPECT_TRUE(buffer.bytes().empty());
  EXPECT_FALSE(buffer.IsWritable());
}

TEST_F(BufferMapTest, MapOpenFile_MapsTheRequestedSize) {
  const int fd = open(WriteFile("file", "content").c_str(), O_RDONLY);
  ASSERT_GE(fd, 0);
  const Buffer some = Buffer::MapOpenFile(fd, 4, "file").value();
  EXPECT_THAT(Buffer::MapOpenFile(fd, -1, "file"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("found -1")));
  close(fd);
  EXPECT_EQ(Text(some), "cont") << "also when the file is closed";
  EXPECT_THAT(Buffer::MapOpenFile(fd, 4, "a name").status().message(), HasSubstr("map a name"));
}

TEST_F(BufferMapTest, FileReplacedByRename_KeepsTheMapping) {
  const std::string path = WriteFile("file", "old content");
  const Buffer old = Map(path);
  ASSERT_EQ(std::rename(WriteFile("new", "new").c_str(), path.c_str()), 0);
  EXPECT_EQ(Text(old), "old content");
  EXPECT_EQ(Text(Map(path)), "new");
}

TEST_F(BufferMapTest, RemovedFile_KeepsTheMapping) {
  const std::string path = WriteFile("file", "content");
  const Buffer buffer = Map(path);
  ASSERT_EQ(std::remove(path.c_str()), 0);
  EXPECT_EQ(Text(buffer), "content");
}

}  // namespace
}  // namespace leafstore
