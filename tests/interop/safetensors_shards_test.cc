#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/interop/safetensors/internal/structure.h"
#include "leafstore/interop/safetensors/writer.h"

#include "tests/core/status_matchers.h"
#include "tests/interop/safetensors_attacks.h"
#include "tests/interop/safetensors_models.h"
#include "tests/io/faulty_file_system.h"
#include "tests/status_codes.h"

namespace leafstore {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(SafetensorsShardsTest, Shards_AreFilledInOrderUpToTheirSize) {
  const TempDir dir;
  const ParamStore store = StoreOfSizes({4, 4, 3, 20, 0, 1, 9});
  const std::vector<std::string> saved =
      SaveSafetensorsShards(dir.File("m.safetensors"), store, 10).value();
  EXPECT_THAT(saved, ElementsAre("m-00001-of-00004.safetensors", "m-00002-of-00004.safetensors",
                                 "m-00003-of-00004.safetensors", "m-00004-of-00004.safetensors",
                                 "m.safetensors.index.json"));
  const SafetensorsReader reader = SafetensorsReader::Open(dir.File(saved.back())).value();
  EXPECT_TRUE(reader.is_set());
  EXPECT_EQ(reader.shards(), std::vector<std::string>(saved.begin(), saved.end() - 1));
  std::vector<uint32_t> counts(4);
  for (uint32_t tensor = 0; tensor < reader.size(); ++tensor) {
    ++counts[reader.entry(tensor).base - 1];
  }
  EXPECT_THAT(counts, ElementsAre(2, 1, 2, 2));  // a b, c, d and e, which has no bytes, f g
  EXPECT_EQ(EntriesOf(reader.Load().value()), EntriesOf(store));
  EXPECT_EQ(reader.entry(reader.GetIndex("g").value()).base, 4u);
}

TEST(SafetensorsShardsTest, Index_MatchesHuggingFace) {
  const TempDir dir;
  const ParamStore store = NamedStoreOf(
      {{"b", PatternTensor(DType::kU8, {2})}, {"\xc3\xa9\"", PatternTensor(DType::kU8, {3})}});
  const std::vector<std::string> saved =
      SaveSafetensorsShards(dir.File("m.safetensors"), store, 2).value();
  EXPECT_EQ(ReadFile(dir.File(saved.back())),
            "{\n"
            "  \"metadata\": {\n"
            "    \"total_size\": 5\n"
            "  },\n"
            "  \"weight_map\": {\n"
            "    \"b\": \"m-00001-of-00002.safetensors\",\n"
            "    \"\\u00e9\\\"\": \"m-00002-of-00002.safetensors\"\n"
            "  }\n"
            "}\n");
}

TEST(SafetensorsShardsTest, OneShard_IsAFileWithoutAnIndex) {
  const TempDir dir;
  const std::vector<std::string> saved =
      SaveSafetensorsShards(dir.File("model.safetensors"), SmallNamedStore(), 1000).value();
  EXPECT_THAT(saved, ElementsAre("model.safetensors"));
  EXPECT_THAT(dir.List(), ElementsAre("model.safetensors"));
  EXPECT_FALSE(SafetensorsReader::Open(dir.path())->is_set());
}

TEST(SafetensorsShardsTest, OneFile_IsRefusedBesideAnIndex) {
  const TempDir dir;
  const std::string path = dir.File("model.safetensors");
  const ParamStore old = StoreOfSizes({4, 4});
  const ParamStore store = StoreOfSizes({4});
  ASSERT_THAT(SaveSafetensorsShards(path, old, 4), IsOk());
  EXPECT_THAT(SaveSafetensorsShards(path, store, 1000),
              StatusIs(kExists, HasSubstr("model.safetensors.index.json: already exists")));
  EXPECT_EQ(EntriesOf(SafetensorsReader::Open(dir.path())->Load().value()), EntriesOf(old));
  ASSERT_THAT(SaveSafetensorsShards(path, store, 1000, {.replace_set = true}), IsOk());
  EXPECT_EQ(EntriesOf(SafetensorsReader::Open(path)->Load().value()), EntriesOf(store));
  EXPECT_FALSE(std::filesystem::exists(path + ".index.json"));
}

TEST(SafetensorsShardsTest, Directory_IsOpenedByItsIndex) {
  const TempDir dir;
  const ParamStore store = StoreOfSizes({4, 4});
  ASSERT_THAT(SaveSafetensorsShards(dir.File("model.safetensors"), store, 4), IsOk());
  EXPECT_TRUE(SafetensorsReader::Open(dir.path())->is_set());
  EXPECT_TRUE(SafetensorsReader::Open(dir.path() + "/")->is_set());
  EXPECT_EQ(EntriesOf(SafetensorsReader::Open(dir.path())->Load().value()), EntriesOf(store));
}

TEST(SafetensorsShardsTest, StructureAndMetadata_AreInEveryShard) {
  const TempDir dir;
  const ParamStore store = EveryKindStore();
  const std::vector<std::string> saved =
      SaveSafetensorsShards(dir.File("model.safetensors"), store, 8,
                            {.metadata = Metadata{{"format", "pt"}}})
          .value();
  ASSERT_GE(saved.size(), 3u);
  const SafetensorsReader reader = SafetensorsReader::Open(dir.path()).value();
  EXPECT_EQ(reader.GetDef().value(), store.layout().def().value());
  EXPECT_EQ(EntriesOf(reader.Load().value()), EntriesOf(store));
  for (const std::string& shard : reader.shards()) {
    const auto alone =
        SafetensorsReader::Open(dir.File(shard), {.ignore_structure = true, .one_shard = true});
    EXPECT_EQ(alone->metadata()->size(), 2u);
  }
  // The structure does not match the tensors of a single shard.
  EXPECT_THAT(SafetensorsReader::Open(dir.File(saved[0]), {.one_shard = true}),
              StatusIs(kDamage, HasSubstr("none in the file")));
  EXPECT_THAT(
      SafetensorsReader::Open(dir.File(saved[0]), {.ignore_structure = true, .one_shard = true}),
      IsOk());
}

TEST(SafetensorsShardsTest, ExistingSet_IsNotReplacedByDefault) {
  const TempDir dir;
  const std::string path = dir.File("model.safetensors");
  const ParamStore old = StoreOfSizes({4, 4});
  ASSERT_THAT(SaveSafetensorsShards(path, old, 4), IsOk());
  const ParamStore next = StoreOfSizes({5, 5});
  EXPECT_THAT(SaveSafetensorsShards(path, next, 5),
              StatusIs(kExists, HasSubstr("model.safetensors.index.json: already exists")));
  EXPECT_EQ(EntriesOf(SafetensorsReader::Open(dir.path())->Load().value()), EntriesOf(old));
  ASSERT_THAT(SaveSafetensorsShards(path, next, 5, {.replace_set = true}), IsOk());
  EXPECT_EQ(EntriesOf(SafetensorsReader::Open(dir.path())->Load().value()), EntriesOf(next));
  // Shards without an index are not replaced either.
  ASSERT_THAT(SaveSafetensorsShards(path, next, 5, {.replace_set = true}), IsOk());
  FileSystem::Posix().Remove(path + ".index.json").IgnoreError();
  EXPECT_THAT(SaveSafetensorsShards(path, next, 5),
              StatusIs(kExists, HasSubstr("model-00001-of-00002.safetensors: already exists")));
}

TEST(SafetensorsShardsTest, InvalidArguments_LeaveNoFile) {
  const TempDir dir;
  const ParamStore store = StoreOfSizes({4, 4});
  EXPECT_THAT(SaveSafetensorsShards(dir.File("model"), store, 4),
              StatusIs(kInvalid, HasSubstr("ends in .safetensors")));
  EXPECT_THAT(SaveSafetensorsShards(dir.File("model.safetensors"), store, 0),
              StatusIs(kInvalid, HasSubstr("at least 1 byte, found 0")));
  EXPECT_THAT(SaveSafetensorsShards(dir.File("m\xff.safetensors"), store, 4),
              StatusIs(kInvalid, HasSubstr("a file's name")));
  EXPECT_THAT(dir.List(), IsEmpty());
}

TEST(SafetensorsShardsTest, FailureOfAnyCall_LeavesNoSetAndNoFile) {
  FaultyFileSystem counting;
  const ParamStore store = StoreOfSizes({4, 4, 4});
  {
    const TempDir dir;
    ASSERT_THAT(SaveSafetensorsShards(dir.File("model.safetensors"), store, 4,
                                      {.io = {.file_system = &counting}}),
                IsOk());
  }
  ASSERT_GT(counting.calls, 15);
  for (int call = 0; call < counting.calls; ++call) {
    const TempDir dir;
    FaultyFileSystem files;
    files.fail_at = call;
    EXPECT_THAT(SaveSafetensorsShards(dir.File("model.safetensors"), store, 4,
                                      {.io = {.file_system = &files}}),
                StatusIs(absl::StatusCode::kUnavailable, HasSubstr("fault in")));
    EXPECT_THAT(dir.List(), IsEmpty()) << "call " << call;
  }
}

TEST(SafetensorsShardsTest, FailedReplace_KeepsTheOldSet) {
  for (const size_t shards : {1u, 2u, 3u}) {
    const ParamStore store = StoreOfSizes({4, 4});
    const ParamStore next = StoreOfSizes(std::vector<int64_t>(shards, 3));
    FaultyFileSystem counting;
    {
      const TempDir dir;
      const std::string path = dir.File("model.safetensors");
      ASSERT_THAT(SaveSafetensorsShards(path, store, 4), IsOk());
      ASSERT_THAT(SaveSafetensorsShards(path, next, 3,
                                        {.io = {.file_system = &counting}, .replace_set = true}),
                  IsOk());
    }
    ASSERT_GT(counting.calls, 5);
    for (int call = 0; call < counting.calls; ++call) {
      SCOPED_TRACE(absl::StrCat(shards, " shards, call ", call));
      const TempDir dir;
      const std::string path = dir.File("model.safetensors");
      ASSERT_THAT(SaveSafetensorsShards(path, store, 4), IsOk());
      const std::vector<std::string> before = dir.List();
      FaultyFileSystem files;
      files.fail_at = call;
      EXPECT_THAT(SaveSafetensorsShards(path, next, 3,
                                        {.io = {.file_system = &files}, .replace_set = true}),
                  StatusIs(absl::StatusCode::kUnavailable, HasSubstr("fault in")));
      const auto found = EntriesOf(SafetensorsReader::Open(dir.path())->Load().value());
      // The sync of the directory after the new index has replaced the old one cannot be undone.
      if (shards > 1 && call + 1 == counting.calls) {
        EXPECT_EQ(found, EntriesOf(next));
        for (const std::string& name : before) EXPECT_TRUE(std::filesystem::exists(dir.File(name)));
        continue;
      }
      EXPECT_EQ(found, EntriesOf(store));
      EXPECT_EQ(dir.List(), before);
    }
  }
}

TEST(SafetensorsShardsTest, Replace_RemovesOldShards) {
  const TempDir dir;
  const std::string path = dir.File("model.safetensors");
  WriteFile(dir.File("model-a-00001-of-00003.safetensors"), "another's");
  WriteFile(dir.File("model-00001-of-0003.safetensors"), "another's");
  WriteFile(dir.File("models-00001-of-00003.safetensors"), "another's");
  const std::vector<std::string> others = dir.List();
  const auto names = [&] {
    std::vector<std::string> left;
    for (const std::string& name : dir.List()) {
      if (std::find(others.begin(), others.end(), name) == others.end()) left.push_back(name);
    }
    return left;
  };
  ASSERT_THAT(SaveSafetensorsShards(path, StoreOfSizes({4, 4, 4}), 4), IsOk());
  const ParamStore old = SafetensorsReader::Open(dir.path())->Load().value();
  ASSERT_THAT(SaveSafetensorsShards(path, StoreOfSizes({5, 5}), 5, {.replace_set = true}), IsOk());
  EXPECT_THAT(names(),
              ElementsAre("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
                          "model.safetensors.index.json"));
  // If the usual names exist, other names are used; the next save uses the usual names again.
  const std::vector<std::string> saved =
      SaveSafetensorsShards(path, StoreOfSizes({6, 6}), 6, {.replace_set = true}).value();
  EXPECT_THAT(saved,
              ElementsAre("model-00001-of-00002-r1.safetensors",
                          "model-00002-of-00002-r1.safetensors", "model.safetensors.index.json"));
  EXPECT_THAT(names(),
              ElementsAre("model-00001-of-00002-r1.safetensors",
                          "model-00002-of-00002-r1.safetensors", "model.safetensors.index.json"));
  EXPECT_EQ(EntriesOf(SafetensorsReader::Open(dir.path())->Load().value()),
            EntriesOf(StoreOfSizes({6, 6})));
  ASSERT_THAT(SaveSafetensorsShards(path, old, 4, {.replace_set = true}), IsOk());
  EXPECT_THAT(names(),
              ElementsAre("model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
                          "model-00003-of-00003.safetensors", "model.safetensors.index.json"));
  EXPECT_EQ(EntriesOf(old), EntriesOf(StoreOfSizes({4, 4, 4})));
}

// Creates a file at `path` just before the first rename.
class MeddlingFileSystem : public FaultyFileSystem {
 public:
  explicit MeddlingFileSystem(std::string path) : path_(std::move(path)) {}
  absl::Status RenameNew(const std::string& from, const std::string& to) override {
    if (!std::exchange(done_, true)) WriteFile(path_, "another's");
    return FileSystem::Posix().RenameNew(from, to);
  }

 private:
  const std::string path_;
  bool done_ = false;
};

TEST(SafetensorsShardsTest, ConcurrentlyCreatedFile_IsKept) {
  for (const std::string name : {"m-00001-of-00003.safetensors", "m-00003-of-00003.safetensors",
                                 "m.safetensors.index.json"}) {
    for (const bool replace : {false, true}) {
      const TempDir dir;
      MeddlingFileSystem files(dir.File(name));
      EXPECT_THAT(SaveSafetensorsShards(dir.File("m.safetensors"), StoreOfSizes({4, 4, 4}), 4,
                                        {.io = {.file_system = &files}, .replace_set = replace}),
                  StatusIs(kExists, HasSubstr(name)));
      EXPECT_THAT(dir.List(), ElementsAre(name));
      EXPECT_EQ(ReadFile(dir.File(name)), "another's");
    }
  }
}

// ---- hostile indices ----

}  // namespace
}  // namespace leafstore
