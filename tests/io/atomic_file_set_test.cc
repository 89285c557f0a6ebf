#include "leafstore/io/internal/atomic_file_set.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <new>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/core/error_reason.h"

#include "tests/core/status_matchers.h"
#include "tests/io/faulty_file_system.h"
#include "tests/io/temp_dir.h"
#include "tests/refusing_new.h"

namespace leafstore::internal {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

using Contents = std::map<std::string, std::string>;

Contents ContentsOf(const TempDir& dir) {
  Contents contents;
  for (const std::string& name : dir.List()) contents[name] = ReadFile(dir.File(name));
  return contents;
}

void Write(const TempDir& dir, const Contents& contents) {
  for (const auto& [name, bytes] : contents) WriteFile(dir.File(name), bytes);
}

absl::Status Add(const std::string& path, const IoOptions& options, bool replace,
                 AtomicFileSet* set) {
  LEAFSTORE_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path, options));
  const std::string text = "new";
  LEAFSTORE_RETURN_IF_ERROR(file.stream().Append(
      absl::MakeConstSpan(reinterpret_cast<const std::byte*>(text.data()), text.size())));
  LEAFSTORE_RETURN_IF_ERROR(file.Close());
  set->Add(std::move(file), replace);
  return absl::OkStatus();
}

// Replaces a and b, removes c, adds d, and replaces e.
absl::Status ChangeAll(const TempDir& dir, FileSystem* files) {
  const IoOptions options = {.file_system = files};
  AtomicFileSet set(options);
  LEAFSTORE_RETURN_IF_ERROR(Add(dir.File("a"), options, true, &set));
  LEAFSTORE_RETURN_IF_ERROR(Add(dir.File("b"), options, true, &set));
  set.Remove(dir.File("c"));
  LEAFSTORE_RETURN_IF_ERROR(Add(dir.File("d"), options, false, &set));
  LEAFSTORE_RETURN_IF_ERROR(Add(dir.File("e"), options, true, &set));
  set.Discard(dir.File("f"));
  return set.Commit();
}

const Contents kOld = {{"a", "A"}, {"b", "B"}, {"c", "C"}, {"e", "E"}, {"f", "F"}};
const Contents kNew = {{"a", "new"}, {"b", "new"}, {"d", "new"}, {"e", "new"}};

TEST(AtomicFileSetTest, Commit_MakesAllChangesAndLeavesNoOtherFile) {
  const TempDir dir;
  Write(dir, kOld);
  ASSERT_THAT(ChangeAll(dir, &FileSystem::Posix()), IsOk());
  EXPECT_EQ(ContentsOf(dir), kNew);
}

TEST(AtomicFileSetTest, EveryFailure_LeavesAllOldFilesOrAllNewOnes) {
  FaultyFileSystem counting;
  {
    const TempDir dir;
    Write(dir, kOld);
    ASSERT_THAT(ChangeAll(dir, &counting), IsOk());
  }
  for (int call = 0; call < counting.calls; ++call) {
    const TempDir dir;
    Write(dir, kOld);
    FaultyFileSystem files;
    files.fail_at = call;
    const absl::Status status = ChangeAll(dir, &files);
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("fault in")));
    if (call + 1 < counting.calls) {
      EXPECT_EQ(ContentsOf(dir), kOld) << call;
      continue;
    }
    // The last call syncs the directory, after e was replaced. The new files are in place, and no
    // old one is removed.
    std::string kept;
    Contents found = ContentsOf(dir);
    for (const auto& [name, bytes] : found) {
      if (!kNew.contains(name)) kept += bytes;
    }
    EXPECT_EQ(kept, "ABCF");
    std::erase_if(found, [](const auto& one) { return !kNew.contains(one.first); });
    EXPECT_EQ(found, kNew);
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("/e, like the other files, is in place, but may not"),
                      HasSubstr("the old files are kept: " + dir.File("a.old-")),
                      testing::EndsWith(dir.File("f"))));
  }
}

TEST(AtomicFileSetTest, Failure_IsOnDiskWhenItIsUndone) {
  const TempDir dir;
  Write(dir, kOld);
  FaultyFileSystem counting;
  ASSERT_THAT(ChangeAll(dir, &counting), IsOk());
  const TempDir again;
  Write(again, kOld);
  FaultyFileSystem files;
  files.fail_at = counting.calls - 2;  // the rename of e
  EXPECT_FALSE(ChangeAll(again, &files).ok());
  EXPECT_EQ(ContentsOf(again), kOld);
  const auto last = std::find(files.log.rbegin(), files.log.rend(), "rename");
  EXPECT_EQ(std::count(files.log.rbegin(), last, "sync directory"), 1);
}

TEST(AtomicFileSetTest, RemovalAsTheLastChange_IsUndoneToo) {
  const auto replace = [](const TempDir& dir, FileSystem* files) -> absl::Status {
    const IoOptions options = {.file_system = files};
    AtomicFileSet set(options);
    LEAFSTORE_RETURN_IF_ERROR(Add(dir.File("a"), options, true, &set));
    set.Remove(dir.File("c"));
    set.Discard(dir.File("f"));
    return set.Commit();
  };
  const Contents old = {{"c", "C"}, {"f", "F"}};
  FaultyFileSystem counting;
  {
    const TempDir dir;
    Write(dir, old);
    ASSERT_THAT(replace(dir, &counting), IsOk());
    EXPECT_THAT(dir.List(), ElementsAre("a"));
  }
  for (int call = 0; call < counting.calls; ++call) {
    const TempDir dir;
    Write(dir, old);
    FaultyFileSystem files;
    files.fail_at = call;
    EXPECT_FALSE(replace(dir, &files).ok());
    EXPECT_EQ(ContentsOf(dir), old) << call;
  }
}

TEST(AtomicFileSetTest, DiscardedFileThatAChangeMakes_IsKept) {
  const TempDir dir;
  AtomicFileSet set({});
  ASSERT_THAT(Add(dir.File("a"), {}, true, &set), IsOk());
  set.Discard(dir.File("a"));
  ASSERT_THAT(set.Commit(), IsOk());
  EXPECT_EQ(ReadFile(dir.File("a")), "new");
}

TEST(AtomicFileSetTest, NoMemory_LeavesAllOldFilesOrAllNewOnes) {
  // Abseil makes a table of messages at its first use, which leaks without memory.
  EXPECT_FALSE(absl::ErrnoToStatus(ENOENT, "").ok());
  bool refused = true;
  for (int allowed = 0; refused; ++allowed) {
    const TempDir dir;
    Write(dir, kOld);
    memory_was_refused = false;
    allocations_left = allowed;
    try {
      (void)ChangeAll(dir, &FileSystem::Posix()).ok();
    } catch (const std::bad_alloc&) {
    }
    allocations_left = -1;
    refused = memory_was_refused;
    const Contents found = ContentsOf(dir);
    EXPECT_TRUE(found == kOld || found == kNew) << allowed;
  }
}

TEST(AtomicFileSetTest, FailureOfNewFiles_LeavesNone) {
  const auto save = [](const TempDir& dir, FileSystem* files) -> absl::Status {
    const IoOptions options = {.file_system = files};
    AtomicFileSet set(options);
    LEAFSTORE_RETURN_IF_ERROR(Add(dir.File("a"), options, true, &set));
    LEAFSTORE_RETURN_IF_ERROR(Add(dir.File("b"), options, true, &set));
    return set.Commit();
  };
  FaultyFileSystem counting;
  {
    const TempDir dir;
    ASSERT_THAT(save(dir, &counting), IsOk());
  }
  for (int call = 0; call < counting.calls; ++call) {
    const TempDir dir;
    FaultyFileSystem files;
    files.fail_at = call;
    EXPECT_FALSE(save(dir, &files).ok());
    EXPECT_THAT(dir.List(), ElementsAre()) << call;
  }
}

TEST(AtomicFileSetTest, FileThatMustNotBeReplaced_UndoesTheOthers) {
  const TempDir dir;
  Write(dir, {{"a", "A"}, {"b", "B"}});
  AtomicFileSet set({});
  ASSERT_THAT(Add(dir.File("a"), {}, true, &set), IsOk());
  ASSERT_THAT(Add(dir.File("b"), {}, false, &set), IsOk());
  const absl::Status status = set.Commit();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("/b")));
  EXPECT_EQ(ReasonOf(status), ErrorReason::kExists);
  EXPECT_EQ(ReadFile(dir.File("a")), "A");
  EXPECT_EQ(ReadFile(dir.File("b")), "B");
}

TEST(AtomicFileSetTest, Directory_IsNotKeptAside) {
  const TempDir dir;
  std::filesystem::create_directory(dir.File("a"));
  AtomicFileSet set({});
  ASSERT_THAT(Add(dir.File("a"), {}, true, &set), IsOk());
  ASSERT_THAT(Add(dir.File("b"), {}, true, &set), IsOk());
  EXPECT_FALSE(set.Commit().ok());
  EXPECT_TRUE(std::filesystem::is_directory(dir.File("a")));
}

TEST(AtomicFileSetTest, DestroyedBeforeCommit_RemovesTheTemporaryFiles) {
  const TempDir dir;
  {
    AtomicFileSet set({});
    ASSERT_THAT(Add(dir.File("a"), {}, true, &set), IsOk());
    EXPECT_EQ(dir.List().size(), 1u);
  }
  EXPECT_THAT(dir.List(), ElementsAre());
}

// From the call `stop_at` on, nothing happens any more, as if the process had been killed.
class StoppedFileSystem : public FaultyFileSystem {
 public:
  int stop_at = -1;
  int done = 0;

  absl::Status Rename(const std::string& from, const std::string& to) override {
    return Stopped() ? absl::UnavailableError("stopped") : Posix().Rename(from, to);
  }
  absl::Status Remove(const std::string& path) override {
    return Stopped() ? absl::UnavailableError("stopped") : Posix().Remove(path);
  }

 private:
  bool Stopped() { return stop_at >= 0 && done++ >= stop_at; }
};

TEST(AtomicFileSetTest, Crash_LosesNoFileAndReadersLearnWhereItIs) {
  int missing = 0;
  for (int stop_at = 0; stop_at < 9; ++stop_at) {
    const TempDir dir;
    Write(dir, kOld);
    StoppedFileSystem files;
    files.stop_at = stop_at;
    const bool ok = ChangeAll(dir, &files).ok();
    const Contents found = ContentsOf(dir);
    for (const auto& [name, bytes] : kOld) {
      if (ok || found.contains(name)) continue;
      const std::string path = dir.File(name);
      const absl::Status status =
          NameKeptAside(files, path, FileSystem::Posix().Open(path).status());
      EXPECT_THAT(status, StatusIs(absl::StatusCode::kNotFound,
                                   AllOf(HasSubstr("the old file is " + path + ".old-"),
                                         HasSubstr("rename it to " + path))));
      ++missing;
    }
    std::string all;
    for (const auto& [name, bytes] : found) all += bytes;
    for (const char* old : {"A", "B", "C", "E"}) {
      EXPECT_TRUE(ok || absl::StrContains(all, old)) << stop_at;
    }
  }
  EXPECT_GT(missing, 0);
}

TEST(AtomicFileSetTest, FailedUndo_NamesTheFileKeptAside) {
  const TempDir dir;
  Write(dir, {{"a", "A"}, {"b", "B"}});
  StoppedFileSystem files;
  files.stop_at = 2;  // a is kept aside and replaced
  const IoOptions options = {.file_system = &files};
  AtomicFileSet set(options);
  ASSERT_THAT(Add(dir.File("a"), options, true, &set), IsOk());
  ASSERT_THAT(Add(dir.File("b"), options, true, &set), IsOk());
  EXPECT_THAT(set.Commit(), StatusIs(absl::StatusCode::kUnavailable,
                                     AllOf(HasSubstr("stopped; the old file is "),
                                           HasSubstr("/a.old-"), HasSubstr("to have it back"))));
}

}  // namespace
}  // namespace leafstore::internal
