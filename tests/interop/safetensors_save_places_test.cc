// What is saved is what its place reads as afterwards; or saving is an error, and changes nothing.
#include <filesystem>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/internal/run_files.h"
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
  EXPECT_THAT(SaveSafetensors(dir.File("third2.safetensors"), StoreOf("y")), IsOk());
  EXPECT_THAT(SaveSafetensors(dir.File("plain"), StoreOf("z")), IsOk());
  EXPECT_THAT(ModelIn(dir), HasSubstr("model.safetensors.index.json, which is read, and other."));
  const size_t files = dir.List().size();
  EXPECT_THAT(SaveSafetensors(dir.File("other.safetensors"), StoreOf("x"), {.replace_set = true}),
              IsOk());
  EXPECT_EQ(dir.List().size(), files);
}

// Saves with replace_set, too, are an error that names `other`, and change nothing.
void ExpectOtherModel(const TempDir& dir, const std::string& other,
                      absl::FunctionRef<absl::Status(const SafetensorsSaveOptions&)> save) {
  const std::vector<std::string> before = dir.List();
  for (const bool replace : {false, true}) {
    const absl::Status status = save({.replace_set = replace});
    EXPECT_THAT(status, StatusIs(kExists, AllOf(HasSubstr(other + ": already exists; with "),
                                                HasSubstr("move it, or write to"))));
    EXPECT_EQ(ReasonOf(status), ErrorReason::kNone) << "replace_set does not help";
    EXPECT_EQ(dir.List(), before);
  }
}

TEST(SavePlacesTest, ModelWithAnotherName_IsNeverReplaced) {
  const TempDir dir;
  const std::string other = "other.safetensors.index.json";
  ASSERT_THAT(SaveSafetensorsShards(dir.File("other.safetensors"), StoreOf("old"), 4), IsOk());
  const auto save_file = [&](const auto& options) { return SaveFile(dir, "new", options); };
  ExpectOtherModel(dir, other, save_file);
  // Also where the directory has two models already.
  WriteFile(dir.File(kFile), SmallFile({{"a", 4}}));
  ExpectOtherModel(dir, other, save_file);
  std::filesystem::rename(dir.File(other), dir.File("kept"));
  for (const std::string& name : {ShardNameOf(1, 2), ShardNameOf(2, 2)}) {
    std::filesystem::remove(dir.File("other" + name.substr(5)));
  }
  ExpectOtherModel(dir, kFile, [&](const auto& options) {
    return SaveSafetensorsShards(dir.File("other.safetensors"), StoreOf("new"), 4, options)
        .status();
  });
}

TEST(SavePlacesTest, ShardsThatTheIndexDoesNotName_AreNotRemoved) {
  const TempDir dir;
  ASSERT_THAT(SaveSet(dir, "old"), IsOk());
  WriteFile(dir.File(ShardNameOf(1, 3)), SmallFile({{"a", 4}}));
  const std::vector<std::string> before = dir.List();
  EXPECT_THAT(SaveFile(dir, "new", {.replace_set = true}),
              StatusIs(kExists, HasSubstr(ShardNameOf(1, 3) + ": already exists")));
  EXPECT_EQ(dir.List(), before);
  // A new index does not name it either.
  ASSERT_THAT(SaveSet(dir, "new", {.replace_set = true}), IsOk());
  EXPECT_EQ(dir.List().size(), 4u);
  EXPECT_EQ(ReadFile(dir.File(ShardNameOf(1, 3))), SmallFile({{"a", 4}}));
  EXPECT_EQ(SafetensorsReader::Open(dir.path())->name(0), "new1");
}

TEST(SavePlacesTest, AllFilesThatTheIndexNames_AreRemoved) {
  for (const bool to_set : {false, true}) {
    const TempDir dir;
    std::filesystem::create_directory(dir.File("sub"));
    WriteFile(dir.File("sub/x1.safetensors"), SmallFile({{"a", 4}}));
    WriteFile(dir.File("x2.safetensors"), SmallFile({{"b", 4}}));
    WriteFile(dir.File("x3.safetensors"), SmallFile({{"c", 4}}));  // that of another index, too
    WriteFile(dir.File(kIndex), R"({"weight_map": {"a": "sub/x1.safetensors",)"
                                R"( "b": "x2.safetensors", "c": "x3.safetensors"}})");
    WriteFile(dir.File("model.safetensors.index.fp16.json"),
              R"({"weight_map": {"c": "x3.safetensors"}})");
    if (!to_set) {
      // The variant would be read instead.
      EXPECT_THAT(SaveFile(dir, "new", {.replace_set = true}),
                  StatusIs(kExists, HasSubstr("index.fp16.json: already exists")));
      EXPECT_TRUE(std::filesystem::exists(dir.File("x2.safetensors")));
      continue;
    }
    ASSERT_THAT(SaveSet(dir, "new", {.replace_set = true}), IsOk());
    EXPECT_FALSE(std::filesystem::exists(dir.File("sub/x1.safetensors")));
    EXPECT_FALSE(std::filesystem::exists(dir.File("x2.safetensors")));
    EXPECT_TRUE(std::filesystem::exists(dir.File("x3.safetensors")));
    EXPECT_EQ(SafetensorsReader::Open(dir.path())->name(0), "new1");
  }
}

TEST(SavePlacesTest, DamagedIndex_IsNotReplaced) {
  const TempDir dir;
  ASSERT_THAT(SaveSet(dir, "old"), IsOk());
  WriteFile(dir.File(kIndex), "{");
  const std::vector<std::string> before = dir.List();
  EXPECT_THAT(SaveFile(dir, "new", {.replace_set = true}),
              StatusIs(kDamage, HasSubstr("which shards it replaces is not known")));
  EXPECT_EQ(dir.List(), before);
}

TEST(SavePlacesTest, ShardsWithoutIndex_AreReplacedIfTheyAreOneSet) {
  const TempDir dir;
  WriteTwoShards(dir.path());
  WriteFile(dir.File(ShardNameOf(1, 3)), SmallFile({{"a", 4}}));
  ExpectOtherModel(dir, ShardNameOf(1, 2),
                   [&](const auto& options) { return SaveFile(dir, "new", options); });
  std::filesystem::remove(dir.File(ShardNameOf(1, 3)));
  // A set of three shards does not write over them.
  const auto save = [&](const SafetensorsSaveOptions& options) {
    return SaveSafetensorsShards(dir.File(kFile), StoreOf("a_longer_"), 3, options).status();
  };
  const absl::Status status =
      SaveSafetensorsShards(dir.File(kFile),
                            NamedStoreOf({{"new1", PatternTensor(DType::kU8, {1})},
                                          {"new2", PatternTensor(DType::kU8, {1})},
                                          {"new3", PatternTensor(DType::kU8, {1})}}),
                            1)
          .status();
  EXPECT_THAT(status, StatusIs(kExists, HasSubstr(ShardNameOf(1, 2) + ": already exists; with ")));
  EXPECT_EQ(ReasonOf(status), ErrorReason::kExists);
  ASSERT_THAT(save({.replace_set = true}), IsOk());
  EXPECT_EQ(ModelIn(dir), "a_longer_1");
  EXPECT_EQ(dir.List().size(), 3u);
}

TEST(SavePlacesTest, SetWithoutIndex_StaysReadable) {
  const TempDir dir;
  WriteTwoShards(dir.path());
  ExpectOtherModel(dir, ShardNameOf(1, 2), [&](const auto& options) {
    return SaveSafetensors(dir.File("all.safetensors"), StoreOf("x"), options);
  });
}

TEST(SavePlacesTest, Run_IsNotHidden) {
  const TempDir dir;
  const std::string step = "step-00000000000000000005.leaf";
  WriteFile(dir.File(step), "");
  ExpectOtherModel(dir, step, [&](const auto& options) { return SaveFile(dir, "new", options); });
  ExpectOtherModel(dir, step, [&](const auto& options) { return SaveSet(dir, "new", options); });
  EXPECT_THAT(SaveSafetensors(dir.File("other.safetensors"), StoreOf("x")), IsOk());
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
      EXPECT_EQ(ModelIn(dir), "old1");
      EXPECT_EQ(dir.List(), before);
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
  EXPECT_EQ(FindOtherModel({ShardNameOf(1, 2)}, {kFile}, {ShardNameOf(1, 2)}), "");
  EXPECT_EQ(FindOtherModel({ShardNameOf(1, 2), ShardNameOf(2, 2)}, {"b.safetensors"}),
            ShardNameOf(1, 2));
  EXPECT_EQ(FindOtherModel({"a.safetensors"}, {"b.safetensors"}), "");
  EXPECT_EQ(FindOtherModel({"a.safetensors.index.json"}, {"b.safetensors.index.json"}),
            "a.safetensors.index.json");
  const std::string step = internal::StepFileName(3);
  EXPECT_EQ(FindOtherModel({step}, {kFile}), step);
  EXPECT_EQ(FindOtherModel({kFile}, {step}), kFile);
  EXPECT_EQ(FindOtherModel({step, kFile}, {internal::StepFileName(4)}), "");
  EXPECT_EQ(FindOtherModel({step}, {"b.safetensors"}), "");
  EXPECT_EQ(FindOtherModel({internal::AbandonedName(step, 1)}, {kFile}), "");
  EXPECT_EQ(FindOtherModel({kIndex}, {"b.safetensors"}), "");
  EXPECT_EQ(FindOtherModel({kIndex, kFile}, {"b.safetensors"}), "");
}

}  // namespace
}  // namespace leafstore
