#include "leafstore/io/file_system.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/checkpoint/forge.h"
#include "tests/core/status_matchers.h"
#include "tests/io/temp_dir.h"
#include "tests/io/unprivileged.h"
#include "tests/refusing_new.h"

namespace leafstore {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class FileSystemTest : public testing::Test {
 protected:
  FileSystem& files_ = FileSystem::Posix();
  TempDir dir_;
};

TEST_F(FileSystemTest, WrittenBytes_AreRead) {
  const std::string path = dir_.File("a");
  auto file = files_.Create(path).value();
  ASSERT_THAT(file->WriteAt(3, BytesOf("def")), IsOk());
  ASSERT_THAT(file->WriteAt(0, BytesOf("ab")), IsOk());
  ASSERT_THAT(file->Sync(), IsOk());
  ASSERT_THAT(file->Close(), IsOk());
  EXPECT_EQ(ReadFile(path), std::string("ab\0def", 6));

  const auto reading = files_.Open(path).value();
  EXPECT_EQ(reading->size(), 6);
  std::array<std::byte, 3> out;
  ASSERT_THAT(reading->ReadAt(3, absl::MakeSpan(out)), IsOk());
  EXPECT_EQ(std::memcmp(out.data(), "def", 3), 0);
  EXPECT_THAT(reading->ReadAt(4, absl::MakeSpan(out)),
              StatusIs(StatusCode::kDataLoss,
                       AllOf(HasSubstr(path), HasSubstr("expected 1 more bytes at byte 6"))));
}

// Aligned writes past the page cache and other writes through it, to the same blocks of a file.
TEST_F(FileSystemTest, DirectAndCachedWrites_MayAlternate) {
  constexpr size_t kBlocks = 64;
  for (const std::string& path :
       {dir_.File("a"), absl::StrCat("/dev/shm/leafstore-direct-", getpid())}) {
    files_.Remove(path).IgnoreError();
    auto file = files_.Create(path).value();
    file->PreferDirect();
    std::mt19937_64 random(7);
    std::string expected;
    Buffer memory = Buffer::Allocate((kBlocks + 1) * kDirectAlignment).value();
    std::byte* aligned = memory.mutable_data();
    while (reinterpret_cast<uintptr_t>(aligned) % kDirectAlignment != 0) ++aligned;
    for (int i = 0; i < 200; ++i) {
      const bool direct = random() % 2 == 0;
      const size_t unit = direct ? kDirectAlignment : 1;
      const size_t size = (1 + random() % (kBlocks * kDirectAlignment / unit - 1)) * unit;
      const size_t offset = random() % (100 * kDirectAlignment / unit) * unit;
      std::memset(aligned, i, size);
      ASSERT_THAT(file->WriteAt(static_cast<int64_t>(offset), absl::MakeConstSpan(aligned, size)),
                  IsOk());
      if (expected.size() < offset + size) expected.resize(offset + size);
      expected.replace(offset, size, std::string(size, static_cast<char>(i)));
    }
    ASSERT_THAT(file->Sync(), IsOk());
    ASSERT_THAT(file->Close(), IsOk());
    EXPECT_TRUE(ReadFile(path) == expected);
    EXPECT_THAT(files_.Remove(path), IsOk());
  }
}

TEST_F(FileSystemTest, Mapping_OutlivesTheFile) {
  const std::string path = dir_.File("a");
  WriteFile(path, "hello");
  Buffer map;
  {
    const auto file = files_.Open(path).value();
    map = file->Map().value();
  }
  ASSERT_THAT(files_.Remove(path), IsOk());
  EXPECT_EQ(std::memcmp(map.data(), "hello", 5), 0);
  WriteFile(path, "");
  EXPECT_EQ(files_.Open(path).value()->Map().value().size(), 0);
}

TEST_F(FileSystemTest, Create_RefusesAnExistingFile) {
  WriteFile(dir_.File("a"), "old");
  EXPECT_THAT(files_.Create(dir_.File("a")),
              StatusIs(StatusCode::kAlreadyExists, HasSubstr(dir_.File("a"))));
  EXPECT_EQ(ReadFile(dir_.File("a")), "old");
}

TEST_F(FileSystemTest, Rename_ReplacesTheTarget) {
  WriteFile(dir_.File("a"), "new");
  WriteFile(dir_.File("b"), "old");
  ASSERT_THAT(files_.Rename(dir_.File("a"), dir_.File("b")), IsOk());
  EXPECT_THAT(files_.List(dir_.path()).value(), ElementsAre("b"));
  EXPECT_EQ(ReadFile(dir_.File("b")), "new");
  EXPECT_THAT(files_.SyncDirectory(dir_.path()), IsOk());
}

// A FileSystem that does not override RenameNew.
class OlderFileSystem : public FileSystem {
 public:
  absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) override {
    return Posix().Create(path);
  }
  absl::StatusOr<std::unique_ptr<ReadableFile>> Open(const std::string& path) override {
    return Posix().Open(path);
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    return Posix().Rename(from, to);
  }
  absl::Status Remove(const std::string& path) override { return Posix().Remove(path); }
  absl::Status SyncDirectory(const std::string& path) override {
    return Posix().SyncDirectory(path);
  }
  absl::Status CreateDirectory(const std::string& path) override {
    return Posix().CreateDirectory(path);
  }
  absl::StatusOr<std::shared_ptr<void>> Lock(const std::string& path) override {
    return Posix().Lock(path);
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& path) override {
    return Posix().List(path);
  }
};

TEST_F(FileSystemTest, RenameNew_RefusesAnExistingTarget) {
  OlderFileSystem older;
  for (FileSystem* files : {&files_, static_cast<FileSystem*>(&older)}) {
    WriteFile(dir_.File("a"), "new");
    WriteFile(dir_.File("b"), "old");
    EXPECT_THAT(files->RenameNew(dir_.File("a"), dir_.File("b")),
                StatusIs(StatusCode::kAlreadyExists, HasSubstr(dir_.File("b"))));
    EXPECT_EQ(ReadFile(dir_.File("a")), "new");
    EXPECT_EQ(ReadFile(dir_.File("b")), "old");
    ASSERT_THAT(files->RenameNew(dir_.File("a"), dir_.File("c")), IsOk());
    EXPECT_THAT(files->List(dir_.path()).value(), ElementsAre("b", "c"));
    EXPECT_EQ(ReadFile(dir_.File("c")), "new");
    EXPECT_THAT(files->RenameNew(dir_.File("a"), dir_.File("d")),
                StatusIs(StatusCode::kNotFound, HasSubstr(dir_.File("a"))));
    ASSERT_THAT(files->Remove(dir_.File("c")), IsOk());
  }
}

TEST_F(FileSystemTest, Lock_IsHeldUntilItIsDestroyed) {
  const std::string path = dir_.File("LOCK");
  absl::StatusOr<std::shared_ptr<void>> lock = files_.Lock(path);
  ASSERT_THAT(lock, IsOk());
  ASSERT_NE(*lock, nullptr);
  EXPECT_THAT(files_.Lock(path), StatusIs(StatusCode::kFailedPrecondition, HasSubstr(path)));
  lock->reset();
  EXPECT_THAT(files_.Lock(path), IsOk());
  EXPECT_THAT(files_.Lock(dir_.File("none/LOCK")),
              StatusIs(StatusCode::kNotFound, HasSubstr("none")));
}

TEST_F(FileSystemTest, Exists_IsTrueForRegularFiles) {
  WriteFile(dir_.File("a"), "");
  EXPECT_TRUE(files_.Exists(dir_.File("a")).value());
  EXPECT_FALSE(files_.Exists(dir_.File("b")).value());
  EXPECT_THAT(files_.Exists(dir_.path()),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr(dir_.path())));
}

TEST_F(FileSystemTest, Errors_NameThePath) {
  const std::string none = dir_.File("none");
  EXPECT_THAT(files_.Open(none), StatusIs(StatusCode::kNotFound, HasSubstr(none)));
  EXPECT_THAT(files_.Remove(none), StatusIs(StatusCode::kNotFound, HasSubstr(none)));
  EXPECT_THAT(files_.List(none), StatusIs(StatusCode::kNotFound, HasSubstr(none)));
  EXPECT_THAT(files_.SyncDirectory(none), StatusIs(StatusCode::kNotFound, HasSubstr(none)));
  EXPECT_THAT(files_.Rename(none, dir_.File("b")),
              StatusIs(StatusCode::kNotFound, AllOf(HasSubstr(none), HasSubstr(dir_.File("b")))));
  EXPECT_THAT(files_.Create(none + "/a"), StatusIs(StatusCode::kNotFound, HasSubstr(none)));
  WriteFile(dir_.File("file"), "");
  EXPECT_THAT(files_.Create(dir_.File("file/a")),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("file/a")));
  EXPECT_THAT(files_.List(dir_.File("file")),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("file")));
}

TEST_F(FileSystemTest, UnreadableDirectory_IsNamedAndUnchanged) {
  const std::string closed = dir_.File("closed"), file = closed + "/a";
  ASSERT_EQ(mkdir(closed.c_str(), 0700), 0);
  WriteFile(file, "old");
  WriteFile(dir_.File("b"), "new");
  ASSERT_EQ(chmod(closed.c_str(), 0), 0);
  ASSERT_EQ(chmod(dir_.path().c_str(), 0777), 0);
  {
    const Unprivileged unprivileged;
    if (!unprivileged.May(dir_.path(), W_OK | X_OK)) {
      GTEST_SKIP() << "no user to become who is refused something";
    }
    const auto refused = [](const std::string& what) {
      return StatusIs(StatusCode::kPermissionDenied, "cannot " + what + ": Permission denied");
    };
    EXPECT_THAT(files_.List(closed), refused("list " + closed));
    EXPECT_THAT(files_.SyncDirectory(closed), refused("open directory " + closed));
    EXPECT_THAT(files_.Open(file), refused("open " + file));
    EXPECT_THAT(files_.Create(closed + "/new"), refused("create " + closed + "/new"));
    EXPECT_THAT(files_.Remove(file), refused("remove " + file));
    EXPECT_THAT(files_.Rename(dir_.File("b"), file),
                refused("rename " + dir_.File("b") + " to " + file));
  }
  ASSERT_EQ(chmod(closed.c_str(), 0700), 0);
  EXPECT_THAT(files_.List(closed).value(), ElementsAre("a"));
  EXPECT_EQ(ReadFile(file), "old");
  EXPECT_EQ(ReadFile(dir_.File("b")), "new");
}

TEST_F(FileSystemTest, Open_AcceptsOnlyRegularFiles) {
  EXPECT_THAT(files_.Open(dir_.path()),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("not a regular file")));
  ASSERT_EQ(mkfifo(dir_.File("pipe").c_str(), 0600), 0);
  EXPECT_THAT(files_.Open(dir_.File("pipe")),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("not a regular file")))
      << "and does not wait for a writer";
}

TEST_F(FileSystemTest, PathWithNul_NamesNoFile) {
  WriteFile(dir_.File("a"), "a");
  const std::string cut = dir_.File("a") + std::string("\0.leaf", 6);
  EXPECT_THAT(files_.Create(cut), StatusIs(StatusCode::kNotFound, HasSubstr("cannot ")));
  EXPECT_THAT(files_.Create(dir_.File("b") + std::string("\0.leaf", 6)),
              StatusIs(StatusCode::kNotFound, HasSubstr("cannot ")));
  EXPECT_THAT(files_.Open(cut), StatusIs(StatusCode::kNotFound, HasSubstr("cannot ")));
  EXPECT_THAT(files_.Rename(dir_.File("a"), cut),
              StatusIs(StatusCode::kNotFound, HasSubstr("cannot ")));
  EXPECT_THAT(files_.RenameNew(cut, dir_.File("b")),
              StatusIs(StatusCode::kNotFound, HasSubstr("cannot ")));
  EXPECT_THAT(files_.Remove(cut), StatusIs(StatusCode::kNotFound, HasSubstr("cannot ")));
  EXPECT_THAT(files_.List(dir_.path()).value(), ElementsAre("a"));
}

// Returns the count of open descriptors of this process.
size_t OpenDescriptors() {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    count += entry.path().empty() ? 0 : 1;
  }
  return count;
}

TEST_F(FileSystemTest, NoMemory_LeavesNoDescriptorAndNoFile) {
  const std::string made = dir_.File("a new file with a name that is allocated");
  const std::string read = dir_.File("a file that is read, with such a name, too");
  const std::string lock = dir_.File("a lock, with a name that is allocated, too");
  WriteFile(read, "r");
  WriteFile(lock, "");
  const size_t before = OpenDescriptors();
  int refused = 0;
  for (int allowed = 0; allowed < 8; ++allowed) {
    const auto call = [&](const auto& function) {
      memory_was_refused = false;
      allocations_left = allowed;
      try {
        function();
      } catch (const std::bad_alloc&) {
      }
      allocations_left = -1;
      refused += memory_was_refused ? 1 : 0;
      EXPECT_EQ(OpenDescriptors(), before) << allowed;
    };
    call([&] { (void)files_.Create(made).ok(); });
    EXPECT_EQ(std::filesystem::exists(made), !memory_was_refused) << allowed;
    std::filesystem::remove(made);
    call([&] { (void)files_.Open(read).ok(); });
    call([&] { (void)files_.Lock(lock).ok(); });
  }
  EXPECT_GT(refused, 3);
}

TEST_F(FileSystemTest, ReadDirect_ReadsTheSameBytes) {
  std::string bytes(3 * kDirectAlignment + 100, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 + i / 256);
  // A file system in memory may refuse direct reads.
  for (const std::string& path : {dir_.File("a"), absl::StrCat("/dev/shm/leafstore-", getpid())}) {
    WriteFile(path, bytes);
    const auto file = FileSystem::Posix().Open(path).value();
    Buffer buffer = Buffer::Allocate(8 * kDirectAlignment).value();
    auto* const data = reinterpret_cast<std::byte*>(
        (reinterpret_cast<uintptr_t>(buffer.mutable_data()) + kDirectAlignment - 1) /
        kDirectAlignment * kDirectAlignment);
    for (const size_t from : {size_t{0}, 2 * kDirectAlignment, 3 * kDirectAlignment}) {
      std::memset(data, 1, 4 * kDirectAlignment);
      ASSERT_THAT(
          file->ReadDirect(static_cast<int64_t>(from), absl::MakeSpan(data, 4 * kDirectAlignment)),
          IsOk());
      EXPECT_EQ(std::memcmp(data, bytes.data() + from, bytes.size() - from), 0) << from;
    }
    EXPECT_TRUE(file->IsLocal());
    WriteFile(path, "shorter");
    EXPECT_THAT(file->ReadDirect(0, absl::MakeSpan(data, 2 * kDirectAlignment)),
                StatusIs(StatusCode::kDataLoss, HasSubstr("found the end of the file")));
    unlink(path.c_str());
  }
}

TEST_F(FileSystemTest, DirectoryOf_ReturnsTheParent) {
  EXPECT_EQ(DirectoryOf("a.leaf"), ".");
  EXPECT_EQ(DirectoryOf("run/a.leaf"), "run");
  EXPECT_EQ(DirectoryOf("/a.leaf"), "/");
  EXPECT_EQ(DirectoryOf("/run/x/a.leaf"), "/run/x");
}

}  // namespace
}  // namespace leafstore
