#include "leafstore/io/internal/atomic_file.h"

#include <new>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/core/status_matchers.h"
#include "tests/io/faulty_file_system.h"
#include "tests/io/temp_dir.h"
#include "tests/refusing_new.h"

namespace leafstore::internal {
namespace {

absl::Span<const std::byte> BytesOf(absl::string_view text) {
  return absl::MakeConstSpan(reinterpret_cast<const std::byte*>(text.data()), text.size());
}

absl::Status Save(const std::string& path, absl::string_view text, const IoOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path, options));
  LEAFSTORE_RETURN_IF_ERROR(file.stream().Append(BytesOf(text)));
  LEAFSTORE_RETURN_IF_ERROR(file.Close());
  return file.Commit();
}

size_t FilesIn(const TempDir& dir) { return FileSystem::Posix().List(dir.File(""))->size(); }

TEST(AtomicFileTest, Commit_ReplacesTheFileAndSyncsBothInOrder) {
  const TempDir dir;
  WriteFile(dir.File("x"), "old");
  FaultyFileSystem files;
  ASSERT_THAT(Save(dir.File("x"), "new", {.file_system = &files}), IsOk());
  EXPECT_EQ(ReadFile(dir.File("x")), "new");
  EXPECT_THAT(files.log, testing::ElementsAre("create", "write 3", "sync", "close", "rename",
                                              "sync directory"));
  EXPECT_EQ(FilesIn(dir), 1u);
}

TEST(AtomicFileTest, EveryFailure_LeavesTheOldFileOrTheNewOneAndNoOther) {
  const TempDir dir;
  FaultyFileSystem counting;
  ASSERT_THAT(Save(dir.File("y"), "new", {.file_system = &counting}), IsOk());
  for (int i = 0; i < counting.calls; ++i) {
    WriteFile(dir.File("x"), "old");
    FaultyFileSystem files;
    files.fail_at = i;
    EXPECT_FALSE(Save(dir.File("x"), "new", {.file_system = &files}).ok()) << i;
    const bool only_sync_of_directory_failed = i + 1 == counting.calls;
    EXPECT_EQ(ReadFile(dir.File("x")), only_sync_of_directory_failed ? "new" : "old") << i;
    EXPECT_EQ(FilesIn(dir), 2u) << i;
  }
}

TEST(AtomicFileTest, DestroyedBeforeCommit_RemovesTheTemporaryFile) {
  const TempDir dir;
  {
    AtomicFile file = AtomicFile::Create(dir.File("x"), {}).value();
    const AtomicFile moved = std::move(file);
    EXPECT_EQ(FilesIn(dir), 1u);
  }
  EXPECT_EQ(FilesIn(dir), 0u);
}

TEST(AtomicFileTest, FailedSyncOfTheDirectory_SaysThatTheFileIsInPlace) {
  const TempDir dir;
  FaultyFileSystem files;
  files.fail_at = 5;
  const absl::Status status = Save(dir.File("x"), "new", {.file_system = &files});
  EXPECT_THAT(std::string(status.message()),
              testing::EndsWith("/x is in place, but may not survive a power failure"));
  EXPECT_EQ(ReadFile(dir.File("x")), "new");
}

TEST(AtomicFileTest, NoMemory_LeavesNoTemporaryFile) {
  const TempDir dir;
  const std::string path = dir.File("a name that is long enough to be allocated");
  bool refused = true;
  for (int allowed = 0; refused; ++allowed) {
    memory_was_refused = false;
    allocations_left = allowed;
    try {
      (void)AtomicFile::Create(path, {}).ok();
    } catch (const std::bad_alloc&) {
    }
    allocations_left = -1;
    refused = memory_was_refused;
    EXPECT_EQ(FilesIn(dir), 0u) << allowed;
  }
}

// A file system in which every name exists.
class FullFileSystem : public FaultyFileSystem {
 public:
  int tried = 0;
  int free_after = -1;

  absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) override {
    if (tried++ != free_after) return absl::AlreadyExistsError("cannot create");
    return FaultyFileSystem::Create(path);
  }
};

TEST(AtomicFileTest, Create_TriesOtherNamesButNotForEver) {
  const TempDir dir;
  FullFileSystem files;
  files.free_after = 3;
  EXPECT_THAT(Save(dir.File("x"), "new", {.file_system = &files}), IsOk());
  FullFileSystem full;
  EXPECT_EQ(Save(dir.File("y"), "new", {.file_system = &full}).code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(full.tried, AtomicFile::kMaxNames);
}

}  // namespace
}  // namespace leafstore::internal
