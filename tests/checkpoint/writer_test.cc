
#include "leafstore/checkpoint/writer.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/reader.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/io/internal/file_stream.h"

#include "tests/checkpoint/models.h"
#include "tests/core/status_matchers.h"
#include "tests/io/faulty_file_system.h"
#include "tests/io/temp_dir.h"
#include "tests/io/unprivileged.h"

namespace leafstore {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::ContainsRegex;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class WriterTest : public testing::Test {
 protected:
  TempDir dir_;
  const std::string path_ = dir_.File("a.leaf");
};

ParamStore OneTensor(int64_t bytes) {
  return ParamStore::FromEntries({{Path().Item("w"), Tensor::Zeros(DType::kU8, {bytes}).value()}})
      .value();
}

TEST_F(WriterTest, File_DoesNotExistBeforeFinish) {
  CheckpointWriter writer = CheckpointWriter::Create(path_).value();
  ASSERT_THAT(writer.AddItem({"params", EveryKindStore()}), IsOk());
  EXPECT_THAT(CheckpointReader::Open(path_), StatusIs(StatusCode::kNotFound, HasSubstr(path_)));
  ASSERT_THAT(writer.Finish(), IsOk());
  EXPECT_THAT(dir_.List(), ElementsAre("a.leaf"));
}

TEST_F(WriterTest, DestroyedWriter_LeavesNothing) {
  {
    CheckpointWriter writer = CheckpointWriter::Create(path_).value();
    ASSERT_THAT(writer.AddItem({"params", OneTensor(3 << 20)}), IsOk());
    EXPECT_EQ(dir_.List().size(), 1u) << "the temporary file";
  }
  EXPECT_THAT(dir_.List(), IsEmpty());
}

TEST_F(WriterTest, CallsAfterFinish_AreErrors) {
  CheckpointWriter writer = CheckpointWriter::Create(path_).value();
  ASSERT_THAT(writer.Finish(), IsOk());
  EXPECT_THAT(writer.Finish(),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("already finished")));
  EXPECT_THAT(writer.AddItem({"late", ParamStore()}),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("already finished")));
  EXPECT_THAT(CheckpointReader::Open(path_), IsOk());
}

TEST_F(WriterTest, InvalidItems_LeaveTheWriterUsable) {
  CheckpointWriter writer = CheckpointWriter::Create(path_).value();
  ASSERT_THAT(writer.AddItem({"params", EveryKindStore()}), IsOk());
  EXPECT_THAT(
      writer.AddItem({"params", EveryKindStore()}),
      StatusIs(StatusCode::kAlreadyExists,
               "expected items with different names, found two called 'params' for " + path_));
  EXPECT_THAT(writer.AddItem({"", EveryKindStore()}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("an item's name")));
  EXPECT_THAT(writer.AddItem({"\xff", EveryKindStore()}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("an item's name in UTF-8")));
  EXPECT_THAT(writer.AddItem({"x", EveryKindStore(), {.metadata = {{"k", "\xff"}}}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("metadata in UTF-8, found in 'k'")));
  const ParamStore bad =
      ParamStore::FromEntries({{Path().Item("s"), Value(std::string("\xff"))}}).value();
  EXPECT_THAT(writer.AddItem({"x", bad}),
              StatusIs(StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("item 'x': ['s']: "), HasSubstr("a str in UTF-8"))));
  ASSERT_THAT(writer.Finish(), IsOk());
  const CheckpointReader reader = CheckpointReader::Open(path_).value();
  EXPECT_THAT(reader.items(), ElementsAre("params"));
  EXPECT_THAT(reader.Verify(), IsOk());
}

TEST_F(WriterTest, PathsOutsideTheStructure_AreNamed) {
  const ParamStore store = ParamStore::FromEntries({{Path().Attribute("act"), Value("x")},
                                                    {Path().Attribute("nope"), Value(1)},
                                                    {Path().Attribute("what"), Value(2)}})
                               .value();
  EXPECT_THAT(SaveCheckpoint(path_, {{"params", EveryKind(), store}}),
              StatusIs(StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("item 'params'"),
                             HasSubstr("unexpected (2):\n  '.nope'\n  '.what'"))));
  EXPECT_THAT(dir_.List(), IsEmpty());
}

TEST_F(WriterTest, TwoPathsOfOneTiedLeaf_AreNamed) {
  const ParamStore store = ParamStore::FromEntries({{Path().Attribute("embed"), Value(1)},
                                                    {Path().Attribute("head"), Value(2)}})
                               .value();
  EXPECT_THAT(SaveCheckpoint(path_, {{"params", EveryKind(), store}}),
              StatusIs(StatusCode::kInvalidArgument,
                       HasSubstr("'.embed' would be both '.embed' and '.head'")));
  EXPECT_THAT(dir_.List(), IsEmpty());
}

TEST_F(WriterTest, StoreOfPaths_MatchesTheStructureByPath) {
  const ParamStore store =
      ParamStore::FromEntries(
          {{Path().Attribute("head"), Tensor::Scalar(1.0f)}, {Path().Attribute("act"), Value("x")}})
          .value();
  ASSERT_THAT(SaveCheckpoint(path_, {{"params", EveryKind(), store}}), IsOk());
  const ParamStore loaded = CheckpointReader::Open(path_)->Load("params").value();
  EXPECT_EQ(loaded.size(), 2u);
  EXPECT_TRUE(*loaded.Find(".embed") == Leaf(Tensor::Scalar(1.0f)));
  EXPECT_TRUE(*loaded.Find(".act") == Leaf(Value("x")));
}

TEST_F(WriterTest, GroupingOfAnotherLayout_IsRefused) {
  const Grouping grouping = Grouping::Create(Layout(), std::vector<uint32_t>{}, {"a"}).value();
  EXPECT_THAT(SaveCheckpoint(path_, {{"params", EveryKindStore(), {.grouping = grouping}}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("a grouping on the Layout")));
  EXPECT_THAT(dir_.List(), IsEmpty());
}

TEST_F(WriterTest, BorrowedStore_IsAnError) {
  ParamStore store = EveryKindStore();
  const MutableTensor borrow = store.Mutate(".embed").value();
  EXPECT_THAT(SaveCheckpoint(path_, {{"params", store}}),
              StatusIs(StatusCode::kFailedPrecondition,
                       "cannot save while a mutable borrow of this store is open: close it first"));
  EXPECT_THAT(dir_.List(), IsEmpty());
}

TEST_F(WriterTest, InvalidPaths_AreErrorsThatNameThem) {
  EXPECT_THAT(SaveCheckpoint("", {{"params", EveryKindStore()}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("a path to save to")));
  EXPECT_THAT(SaveCheckpoint(dir_.File("no/such/dir.leaf"), {{"params", EveryKindStore()}}),
              StatusIs(StatusCode::kNotFound, HasSubstr("no/such/dir.leaf")));
  WriteFile(dir_.File("file"), "x");
  EXPECT_THAT(SaveCheckpoint(dir_.File("file/a.leaf"), {{"params", EveryKindStore()}}),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("file/a.leaf")));
  SaveOptions options;
  options.metadata = {{"\xff", ""}};
  EXPECT_THAT(CheckpointWriter::Create(path_, options),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("metadata in UTF-8")));
  EXPECT_THAT(dir_.List(), ElementsAre("file"));
}

// Each call of the file system fails once.
TEST_F(WriterTest, AnyFailure_KeepsTheOldFileAndNoTemporaryOne) {
  ASSERT_THAT(SaveCheckpoint(path_, {{"old", EveryKindStore()}}), IsOk());
  const std::string old = ReadFile(path_);
  const ParamStore big = OneTensor(9'000'000);
  for (int fail_at = 0;; ++fail_at) {
    FaultyFileSystem files;
    files.fail_at = fail_at;
    SaveOptions options;
    options.io.file_system = &files;
    const absl::Status status = SaveCheckpoint(path_, {{"new", big}}, options);
    EXPECT_THAT(dir_.List(), ElementsAre("a.leaf"));
    if (fail_at >= files.calls) {
      ASSERT_THAT(status, IsOk());
      break;
    }
    ASSERT_THAT(status, StatusIs(StatusCode::kUnavailable, HasSubstr("fault in")));
    // Only the last call follows the commit.
    if (files.log.back() == "sync directory") continue;
    EXPECT_EQ(ReadFile(path_), old) << testing::PrintToString(files.log);
  }
  EXPECT_THAT(CheckpointReader::Open(path_)->items(), ElementsAre("new"));
}

TEST_F(WriterTest, Failure_EndsTheWriter) {
  FaultyFileSystem files;
  files.fail_at = 1;  // the first write
  SaveOptions options;
  options.io.file_system = &files;
  CheckpointWriter writer = CheckpointWriter::Create(path_, options).value();
  const auto fault = StatusIs(StatusCode::kUnavailable, HasSubstr("fault in write"));
  // More than a file stream holds, so that a write was tried and its failure reported.
  EXPECT_THAT(writer.AddItem({"big", OneTensor(internal::FileStream::kBuffers *
                                               internal::FileStream::kBufferSize)}),
              fault);
  EXPECT_THAT(dir_.List(), IsEmpty()) << "removed at once, not when the writer goes";
  EXPECT_THAT(writer.AddItem({"small", OneTensor(1)}), fault);
  EXPECT_THAT(writer.Finish(), fault);
}

TEST_F(WriterTest, Commit_IsWriteSyncCloseRenameSyncDirectory) {
  FaultyFileSystem files;
  SaveOptions options;
  options.io.file_system = &files;
  ASSERT_THAT(SaveCheckpoint(path_, {{"params", OneTensor(10)}}, options), IsOk());
  EXPECT_THAT(files.log, ElementsAre("create", HasSubstr("write"), "sync", "close", "rename",
                                     "sync directory"));
  files.log.clear();
  options.io.durable = false;
  ASSERT_THAT(SaveCheckpoint(path_, {{"params", OneTensor(10)}}, options), IsOk());
  EXPECT_THAT(files.log, ElementsAre("create", HasSubstr("write"), "close", "rename"));
}

TEST_F(WriterTest, ThousandsOfSmallTensors_AreFewWrites) {
  std::vector<std::pair<Path, Leaf>> entries;
  for (int64_t i = 0; i < 9'000; ++i) {
    entries.emplace_back(Path().Index(i), Tensor::Zeros(DType::kF32, {256}).value());
  }
  FaultyFileSystem files;
  SaveOptions options;
  options.io.file_system = &files;
  const ParamStore store = ParamStore::FromEntries(std::move(entries)).value();
  ASSERT_THAT(SaveCheckpoint(path_, {{"params", store}}, options), IsOk());
  EXPECT_LT(files.calls, 10);
}

// A full disk, simulated by the maximum size of a file that this process may write.
TEST_F(WriterTest, NoSpace_IsResourceExhaustedAndKeepsTheOldFile) {
  ASSERT_THAT(SaveCheckpoint(path_, {{"old", EveryKindStore()}}), IsOk());
  const std::string old = ReadFile(path_);
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 1 << 20;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const absl::Status status = SaveCheckpoint(path_, {{"new", OneTensor(9'000'000)}});
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(status,
              StatusIs(StatusCode::kResourceExhausted,
                       AllOf(ContainsRegex("^cannot write [0-9]+ bytes, [0-9]+ of them at byte "
                                           "1048576, to /"),
                             HasSubstr(" to " + path_ + ".tmp-"), EndsWith(": File too large"))));
  EXPECT_EQ(ReadFile(path_), old);
  EXPECT_THAT(dir_.List(), ElementsAre("a.leaf"));
}

// A file system with space for a number of bytes.
class FullFileSystem : public FaultyFileSystem {
 public:
  explicit FullFileSystem(int64_t room) : room_(room) {}

  absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) override {
    LEAFSTORE_ASSIGN_OR_RETURN(auto file, FileSystem::Posix().Create(path));
    return std::make_unique<File>(room_, path, std::move(file));
  }

 private:
  class File : public WritableFile {
   public:
    File(int64_t room, std::string path, std::unique_ptr<WritableFile> file)
        : room_(room), path_(std::move(path)), file_(std::move(file)) {}
    absl::Status WriteAt(int64_t offset, absl::Span<const std::byte> bytes) override {
      if (offset + static_cast<int64_t>(bytes.size()) <= room_) {
        return file_->WriteAt(offset, bytes);
      }
      return absl::ErrnoToStatus(ENOSPC, absl::StrCat("cannot write to ", path_));
    }
    absl::Status Sync() override { return file_->Sync(); }
    absl::Status Close() override { return file_->Close(); }

   private:
    const int64_t room_;
    const std::string path_;
    const std::unique_ptr<WritableFile> file_;
  };

  const int64_t room_;
};

TEST_F(WriterTest, DiskFullAtAnyByte_KeepsTheOldFile) {
  ASSERT_THAT(SaveCheckpoint(path_, {{"old", EveryKindStore()}}), IsOk());
  const std::string old = ReadFile(path_);
  const ParamStore store = OneTensor(9'000'000);
  for (const int64_t room : {0, 1, 63, 64, 5'000'000, 9'000'000, 9'004'096, 9'004'160}) {
    FullFileSystem files(room);
    SaveOptions options;
    options.io.file_system = &files;
    EXPECT_THAT(SaveCheckpoint(path_, {{"new", store}}, options),
                StatusIs(StatusCode::kResourceExhausted,
                         AllOf(HasSubstr("cannot write to " + path_ + ".tmp-"),
                               HasSubstr("No space left on device"))))
        << room;
    EXPECT_EQ(ReadFile(path_), old);
    EXPECT_THAT(dir_.List(), ElementsAre("a.leaf"));
  }
}

class RefusingDirectoryTest : public WriterTest {
 protected:
  RefusingDirectoryTest() {
    chmod(dir_.path().c_str(), 0755);
    mkdir(closed_.c_str(), 0777);
    EXPECT_THAT(SaveCheckpoint(file_, {{"old", EveryKindStore()}}), IsOk());
    old_ = ReadFile(file_);
  }
  ~RefusingDirectoryTest() override { chmod(closed_.c_str(), 0700); }

  // Returns the result of saving to a directory with these permissions; nothing if none is
  // enforced.
  std::optional<absl::Status> Save(mode_t rights) {
    chmod(closed_.c_str(), rights);
    const Unprivileged unprivileged;
    if (!unprivileged.May(dir_.path(), X_OK)) return std::nullopt;
    return SaveCheckpoint(file_, {{"new", OneTensor(10)}});
  }
  std::vector<std::string> Names() {
    chmod(closed_.c_str(), 0700);
    return FileSystem::Posix().List(closed_).value();
  }

  const std::string closed_ = dir_.File("closed");
  const std::string file_ = dir_.File("closed/a.leaf");
  std::string old_;
};

TEST_F(RefusingDirectoryTest, WithoutWritePermission_IsNamedAndUnchanged) {
  for (const mode_t rights : {0, 0111, 0444, 0555}) {
    const std::optional<absl::Status> status = Save(rights);
    if (!status) GTEST_SKIP() << "no user to become who is refused something";
    EXPECT_THAT(*status, StatusIs(StatusCode::kPermissionDenied,
                                  AllOf(StartsWith("cannot create " + file_ + ".tmp-"),
                                        EndsWith(": Permission denied"))));
    EXPECT_THAT(Names(), ElementsAre("a.leaf"));
    EXPECT_EQ(ReadFile(file_), old_);
  }
}

// The directory cannot be synced: see Finish.
TEST_F(RefusingDirectoryTest, WithoutReadPermission_HasTheNewFileAndIsNamed) {
  const std::optional<absl::Status> status = Save(0333);
  if (!status) GTEST_SKIP() << "no user to become who is refused something";
  EXPECT_THAT(*status, StatusIs(StatusCode::kPermissionDenied,
                                "cannot open directory " + closed_ + ": Permission denied; " +
                                    file_ + " is in place, but may not survive a power failure"));
  EXPECT_THAT(Names(), ElementsAre("a.leaf"));
  EXPECT_THAT(CheckpointReader::Open(file_)->items(), ElementsAre("new"));
}

TEST_F(WriterTest, SavingToTheMappedFile_IsSafe) {
  ASSERT_THAT(SaveCheckpoint(path_, {{"params", EveryKindStore()}}), IsOk());
  const ParamStore mapped = CheckpointReader::Open(path_)->Load("params").value();
  ASSERT_THAT(SaveCheckpoint(path_, {{"padding", OneTensor(100'000)}, {"params", mapped}}), IsOk());
  const ParamStore again = CheckpointReader::Open(path_)->Load("params").value();
  const ParamStore expected = EveryKindStore();
  for (uint32_t place = 0; place < expected.size(); ++place) {
    EXPECT_TRUE(mapped.leaf(place) == expected.leaf(place));
    EXPECT_TRUE(again.leaf(place) == expected.leaf(place));
  }
}

TEST_F(WriterTest, Progress_AscendsToTheTotal) {
  std::vector<int64_t> done;
  SaveOptions options;
  options.io.progress = [&](int64_t bytes, int64_t total) {
    EXPECT_EQ(total, 20'000'100);
    done.push_back(bytes);
  };
  ASSERT_THAT(SaveCheckpoint(path_, {{"a", OneTensor(20'000'000)}, {"b", OneTensor(100)}}, options),
              IsOk());
  EXPECT_GT(done.size(), 3u);
  EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
  EXPECT_EQ(done.back(), 20'000'100);
}

TEST_F(WriterTest, Progress_EndsWithAllBytesWhateverTheTotal) {
  for (const int64_t total : {1000, 100, 1}) {
    std::vector<std::pair<int64_t, int64_t>> told;
    SaveOptions options{.total_bytes = total};
    options.io.progress = [&](int64_t done, int64_t of) { told.emplace_back(done, of); };
    ASSERT_THAT(SaveCheckpoint(path_, {{"a", OneTensor(60)}, {"b", OneTensor(40)}}, options),
                IsOk());
    EXPECT_THAT(told, ElementsAre(std::make_pair(int64_t{100}, total)));
  }
}

TEST_F(WriterTest, WritersOfOnePath_AreIndependent) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this, i] {
      const ParamStore store = OneTensor(1000 + i);
      for (int round = 0; round < 10; ++round) {
        EXPECT_THAT(SaveCheckpoint(path_, {{"params", store}}, {.io = {.durable = false}}), IsOk());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(dir_.List(), ElementsAre("a.leaf"));
  EXPECT_THAT(CheckpointReader::Open(path_)->Verify(), IsOk());
}

}  // namespace
}  // namespace leafstore
