// What is saved is what its place reads as afterwards; or saving is an error, and changes nothing.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/interop/safetensors/internal/place.h"
#include "leafstore/interop/safetensors/reader.h"
#include "leafstore/interop/safetensors/writer.h"

#include "tests/core/status_matchers.h"
#include "tests/interop/safetensors_files.h"
#include "tests/interop/safetensors_models.h"
#include "tests/io/faulty_file_system.h"
#include "tests/io/temp_dir.h"
#include "tests/status_codes.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kFile[] = "model.safetensors";
constexpr char kIndex[] = "model.safetensors.index.json";

ParamStore StoreOf(const std::string& name) {
  return NamedStoreOf(
      {{name + "1", PatternTensor(DType::kU8, {4})}, {name + "2", PatternTensor(DType::kU8, {4})}});
}

absl::Status SaveSet(const TempDir& dir, const std::string& name,
                     const SafetensorsSaveOptions& options = {}) {
  return SaveSafetensorsShards(dir.File(kFile), StoreOf(name), 4, options).status();
}
absl::Status SaveFile(const TempDir& dir, const std::string& name,
                      const SafetensorsSaveOptions& options = {}) {
  return SaveSafetensors(dir.File(kFile), StoreOf(name), options);
}

// Returns the name of the first tensor of the directory's model, which must have no notes.
std::string ModelIn(const TempDir& dir) {
  const absl::StatusOr<SafetensorsReader> reader = SafetensorsReader::Open(dir.path());
  if (!reader.ok()) return reader.status().ToString();
  return reader->notes().empty() ? std::string(reader->name(0)) : reader->notes()[0];
}

TEST(SavePlacesTest, FileBesideASet_IsAnErrorOrReplacesIt) {
  const TempDir dir;
  ASSERT_THAT(SaveSet(dir, "old"), IsOk());
  const std::vector<std::string> before = dir.List();
  const absl::Status status = SaveFile(dir, "new");
  EXPECT_THAT(status, StatusIs(kExists, AllOf(HasSubstr(std::string(kIndex) + ": already exists"),
                                              HasSubstr("two models"))));
  EXPECT_EQ(ReasonOf(status), ErrorReason::kExists);
  EXPECT_EQ(dir.List(), before);
  EXPECT_EQ(ModelIn(dir), "old1");
  ASSERT_THAT(SaveFile(dir, "new", {.replace_set = true}), IsOk());
  EXPECT_THAT(dir.List(), ElementsAre(kFile));
  EXPECT_EQ(ModelIn(dir), "new1");
}

TEST(SavePlacesTest, FileBesideShardsWithoutIndex_IsAnErrorOrReplacesThem) {
  const TempDir dir;
  WriteTwoShards(dir.path());
  EXPECT_THAT(SaveFile(dir, "new"), StatusIs(kExists, HasSubstr(ShardNameOf(1, 2))));
  EXPECT_EQ(dir.List().size(), 2u);
  ASSERT_THAT(SaveFile(dir, "new", {.replace_set = true}), IsOk());
  EXPECT_THAT(dir.List(), ElementsAre(kFile));
}

TEST(SavePlacesTest, SetBesideAFile_IsAnErrorOrReplacesIt) {
  const TempDir dir;
  ASSERT_THAT(SaveFile(dir, "old"), IsOk());
  EXPECT_THAT(
      SaveSet(dir, "new"),
      StatusIs(kExists, HasSubstr(std::string(kFile) + ": already exists; with " + kIndex)));
  EXPECT_THAT(dir.List(), ElementsAre(kFile));
  ASSERT_THAT(SaveSet(dir, "new", {.replace_set = true}), IsOk());
  EXPECT_THAT(dir.List(), ElementsAre(ShardNameOf(1, 2), ShardNameOf(2, 2), kIndex));
  EXPECT_EQ(ModelIn(dir), "new1");
}

TEST(SavePlacesTest, FilesWithOtherNames_AreNotTouched) {
  const TempDir dir;
  ASSERT_THAT(SaveSet(dir, "old"), IsOk());
  EXPECT_THAT(SaveSafetensors(dir.File("other.safetensors"), StoreOf("x")), IsOk());
  EXPECT_THAT(SaveSafetensorsShards(dir.File("third.safetensors"), StoreOf("y"), 4), IsOk());
  EXPECT_THAT(SaveSafetensors(dir.File("plain"), StoreOf("z")), IsOk());
  EXPECT_THAT(ModelIn(dir), HasSubstr("model.safetensors.index.json, which is read, and other."));
  const size_t files = dir.List().size();
  EXPECT_THAT(SaveSafetensors(dir.File("other.safetensors"), StoreOf("x"), {.replace_set = true}),
              IsOk());
  EXPECT_EQ(dir.List().size(), files);
}

TEST(SavePlacesTest, SetWithAnotherName_IsFoundToo) {
  const TempDir dir;
  ASSERT_THAT(SaveSafetensorsShards(dir.File("other.safetensors"), StoreOf("old"), 4), IsOk());
  EXPECT_THAT(SaveFile(dir, "new"),
              StatusIs(kExists, HasSubstr("other.safetensors.index.json: already exists")));
  ASSERT_THAT(SaveFile(dir, "new", {.replace_set = true}), IsOk());
  EXPECT_THAT(dir.List(), ElementsAre(kFile));
}

TEST(SavePlacesTest, FailureOfAnyCall_KeepsTheOldModel) {
  for (const bool to_set : {false, true}) {
    const auto old = [&](const TempDir& dir) {
      return to_set ? SaveFile(dir, "old") : SaveSet(dir, "old");
    };
    const auto replace = [&](const TempDir& dir, FileSystem* files) {
      const SafetensorsSaveOptions options = {.io = {.file_system = files}, .replace_set = true};
      return to_set ? SaveSet(dir, "new", options) : SaveFile(dir, "new", options);
    };
    FaultyFileSystem counting;
    {
      const TempDir dir;
      ASSERT_THAT(old(dir), IsOk());
      ASSERT_THAT(replace(dir, &counting), IsOk());
    }
    for (int call = 0; call < counting.calls; ++call) {
      SCOPED_TRACE(absl::StrCat(to_set ? "set" : "file", ", call ", call));
      const TempDir dir;
      ASSERT_THAT(old(dir), IsOk());
      const std::vector<std::string> before = dir.List();
      FaultyFileSystem files;
      files.fail_at = call;
      EXPECT_THAT(replace(dir, &files),
                  StatusIs(absl::StatusCode::kUnavailable, HasSubstr("fault in")));
      // Only the removal of the old index, the last change, has no way back if the sync after it
      // fails.
      const bool is_done = !to_set && call + 1 == counting.calls;
      EXPECT_EQ(ModelIn(dir), is_done ? "new1" : "old1");
      EXPECT_EQ(dir.List(), is_done ? std::vector<std::string>{kFile} : before);
    }
  }
}

TEST(SavePlacesTest, FolderWithBoth_SaysWhichIsRead) {
  const TempDir dir;
  ASSERT_THAT(SaveSafetensorsShards(dir.File("x.safetensors"), StoreOf("set"), 4), IsOk());
  WriteFile(dir.File(kFile), SmallFile({{"a", 4}}));
  const SafetensorsReader reader = SafetensorsReader::Open(dir.path()).value();
  EXPECT_THAT(reader.notes(),
              ElementsAre(HasSubstr("found x.safetensors.index.json, which is read, "
                                    "and model.safetensors, which is not")));
}

TEST(FindOtherModelTest, Names_DecideAsForReaders) {
  using internal::FindOtherModel;
  EXPECT_EQ(FindOtherModel({}, {kFile}), "");
  EXPECT_EQ(FindOtherModel({kFile}, {kFile}), "");
  EXPECT_EQ(FindOtherModel({kIndex}, {kFile}), kIndex);
  EXPECT_EQ(FindOtherModel({kFile}, {ShardNameOf(1, 2), ShardNameOf(2, 2), kIndex}), kFile);
  EXPECT_EQ(FindOtherModel({ShardNameOf(1, 2)}, {kFile}), ShardNameOf(1, 2));
  EXPECT_EQ(FindOtherModel({"a.safetensors"}, {"b.safetensors"}), "");
  EXPECT_EQ(FindOtherModel({kIndex}, {"b.safetensors"}), "");
  EXPECT_EQ(FindOtherModel({kIndex, kFile}, {"b.safetensors"}), "");
}

}  // namespace
}  // namespace leafstore
