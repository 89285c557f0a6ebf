// What is opened and listed to find out what a path reads as, and what errors of that say.
#include <cerrno>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/interop/internal/notes.h"
#include "leafstore/interop/safetensors/internal/place.h"
#include "leafstore/interop/safetensors/reader.h"

#include "tests/core/status_matchers.h"
#include "tests/interop/safetensors_files.h"
#include "tests/io/faulty_file_system.h"
#include "tests/io/temp_dir.h"
#include "tests/status_codes.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;

constexpr char kIndexOfSet[] = "model.safetensors.index.json";

// Counts what is opened and listed, and fails to open a file with an error.
class CountingFileSystem : public FaultyFileSystem {
 public:
  absl::StatusOr<std::unique_ptr<ReadableFile>> Open(const std::string& path) override {
    opened.push_back(FileNameOf(path));
    if (opened.back() == unreadable) return absl::ErrnoToStatus(error, path);
    return FaultyFileSystem::Open(path);
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& path) override {
    ++lists;
    return FaultyFileSystem::List(path);
  }

  std::vector<std::string> opened;
  int lists = 0;
  std::string unreadable;
  int error = 0;
};

class PlacesReadTest : public testing::Test {
 protected:
  std::string File(const std::string& name) const { return dir_.File(name); }
  void Write(const std::string& name, const std::string& bytes) const {
    WriteFile(File(name), bytes);
  }

  TempDir dir_;
};

TEST_F(PlacesReadTest, OneShard_IsAdvisedOnlyWhereItMayHelp) {
  WriteTwoShards(dir_.path());
  Write(kIndexOfSet, IndexOfTwo());
  const auto advised = [&](const std::string& unreadable, int error) {
    CountingFileSystem files;
    files.unreadable = unreadable;
    files.error = error;
    const absl::Status status =
        SafetensorsReader::Open(File(ShardNameOf(1, 2)), {.io = {.file_system = &files}}).status();
    EXPECT_FALSE(status.ok());
    return absl::StrContains(status.message(), "--one-shard");
  };
  EXPECT_FALSE(advised(kIndexOfSet, EIO));
  EXPECT_FALSE(advised(kIndexOfSet, EMFILE));
  EXPECT_TRUE(advised(kIndexOfSet, EACCES));
  EXPECT_FALSE(advised(ShardNameOf(2, 2), EIO));
  EXPECT_TRUE(advised(ShardNameOf(2, 2), ENOENT));
  Write(ShardNameOf(2, 2), "damaged");
  EXPECT_FALSE(advised("", 0));
  Write(ShardNameOf(2, 2), SmallFile({{"c", 2}}));  // contradicts the index
  EXPECT_TRUE(advised("", 0));
  Write(kIndexOfSet, "{");
  EXPECT_TRUE(advised("", 0));
}

TEST_F(PlacesReadTest, PlainFile_ReadsOnlyIndexesThatMayListIt) {
  Write("model.safetensors", SmallFile({{"a", 4}}));
  Write("model.fp16.safetensors", SmallFile({{"a", 4}}));
  for (const std::string name : {"x", "y", "model", "model.fp16"}) {
    Write(name + ".safetensors.index.json", IndexOf({{"x", name + ".1.safetensors"}}));
  }
  const auto opened = [&](const std::string& name) {
    CountingFileSystem files;
    EXPECT_THAT(SafetensorsReader::Open(File(name), {.io = {.file_system = &files}}), IsOk());
    return files.opened;
  };
  EXPECT_THAT(opened("model.safetensors"), ElementsAre(kIndexOfSet, "model.safetensors"));
  EXPECT_THAT(opened("model.fp16.safetensors"), ElementsAre("model.fp16.safetensors.index.json",
                                                            kIndexOfSet, "model.fp16.safetensors"));
  std::filesystem::remove(File(kIndexOfSet));
  EXPECT_THAT(opened("model.safetensors"), ElementsAre("model.safetensors"));
}

TEST_F(PlacesReadTest, FileOfTheOnlyIndex_MeansItsSetWhateverTheirNames) {
  Write("layers-0.safetensors", SmallFile({{"a", 4}}));
  Write("layers-1.safetensors", SmallFile({{"b", 2}}));
  Write("x.safetensors.index.json",
        IndexOf({{"a", "layers-0.safetensors"}, {"b", "layers-1.safetensors"}}));
  const SafetensorsReader reader = SafetensorsReader::Open(File("layers-0.safetensors")).value();
  EXPECT_EQ(reader.size(), 2u);
  EXPECT_THAT(reader.notes(), ElementsAre(HasSubstr("one of its shards")));
}

TEST_F(PlacesReadTest, ManyMissingShards_AreCountedAndListedOnce) {
  std::vector<std::string> names;
  for (int i = 1; i <= 5000; ++i) names.push_back(ShardNameOf(2 * i, 10000));
  internal::Notes notes;
  EXPECT_THAT(internal::FindInDirectory("d", names, &notes),
              StatusIs(kNotFound, AllOf(HasSubstr("expected 10000 shards, found 5000: "),
                                        HasSubstr("missing: " + ShardNameOf(1, 10000)),
                                        EndsWith(" and 4900 more"))));
  std::vector<std::pair<std::string, std::string>> tensors;
  for (int i = 0; i < 50; ++i) {
    tensors.emplace_back(absl::StrCat("t", i), absl::StrCat("t", i, ".safetensors"));
  }
  Write(kIndexOfSet, IndexOf(tensors));
  CountingFileSystem files;
  EXPECT_THAT(SafetensorsReader::Open(dir_.path(), {.io = {.file_system = &files}}),
              StatusIs(kNotFound, HasSubstr("expected the 50 shards that it names, found 0")));
  EXPECT_LE(files.lists, 2);
}

}  // namespace
}  // namespace leafstore
