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

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(SafetensorsWriterTest, Bytes_DoNotDependOnTheOrderOfTensors) {
  const TempDir dir;
  std::vector<NamedTensor> tensors = {{"b", PatternTensor(DType::kF32, {2}, 1)},
                                      {"a", PatternTensor(DType::kF32, {3}, 2)},
                                      {"c", PatternTensor(DType::kI64, {1}, 3)}};
  ASSERT_THAT(SaveSafetensors(dir.File("one"), tensors), IsOk());
  std::swap(tensors[0], tensors[2]);
  ASSERT_THAT(SaveSafetensors(dir.File("two"), tensors), IsOk());
  EXPECT_EQ(ReadFile(dir.File("one")), ReadFile(dir.File("two")));
  EXPECT_THAT(dir.List(), ElementsAre("one", "two"));
}

TEST(SafetensorsWriterTest, InvalidArguments_LeaveNoFile) {
  const TempDir dir;
  const std::string path = dir.File("x");
  const Tensor tensor = PatternTensor(DType::kU8, {1});
  EXPECT_THAT(SaveSafetensors("", SmallNamedStore()), StatusIs(kInvalid, HasSubstr("a path")));
  EXPECT_THAT(SaveSafetensors(path, {{"a", tensor}, {"a", tensor}}),
              StatusIs(kInvalid, HasSubstr("two called 'a'")));
  EXPECT_THAT(SaveSafetensors(path, {{"a", Tensor()}}),
              StatusIs(kInvalid, HasSubstr("called 'a', found null")));
  EXPECT_THAT(SaveSafetensors(path, {{"a\xff", tensor}}), StatusIs(kInvalid, HasSubstr("UTF-8")));
  EXPECT_THAT(SaveSafetensors(path, {{"a", tensor}}, {.metadata = Metadata{{"k", "\xff"}}}),
              StatusIs(kInvalid, HasSubstr("expected metadata in UTF-8, found in 'k'")));
  const ParamStore two =
      ParamStore::FromEntries({{Path().Item("a").Item("b"), tensor}, {Path().Item("a.b"), tensor}})
          .value();
  EXPECT_THAT(SaveSafetensors(path, two), StatusIs(kInvalid, HasSubstr("the same dotted form")));
  ParamStore borrowed = SmallNamedStore();
  const MutableTensor open = borrowed.Mutate("['mask']").value();
  EXPECT_THAT(SaveSafetensors(path, borrowed),
              StatusIs(kPrecondition, HasSubstr("cannot save while a mutable borrow")));
  EXPECT_THAT(dir.List(), IsEmpty());
}

TEST(SafetensorsWriterTest, StaticLeavesWithoutAStructure_AreAnErrorUnlessDropped) {
  const TempDir dir;
  const ParamStore store = EveryKindStore();
  EXPECT_THAT(SaveSafetensors(dir.File("x"), store, {.structure = StructureSave::kNever}),
              StatusIs(kInvalid,
                       AllOf(HasSubstr("found the static leaf 'gelu'"), HasSubstr("drop_static"))));
  EXPECT_THAT(dir.List(), IsEmpty());
  ASSERT_THAT(SaveSafetensors(dir.File("x"), store,
                              {.structure = StructureSave::kNever, .drop_static = true}),
              IsOk());
  const SafetensorsReader reader = SafetensorsReader::Open(dir.File("x")).value();
  EXPECT_EQ(reader.size(), 3u);
  EXPECT_FALSE(reader.metadata().has_value());
}

TEST(SafetensorsWriterTest, Progress_IsReported) {
  const TempDir dir;
  std::vector<int64_t> told;
  int64_t last_total = 0;
  const Tensor large = PatternTensor(DType::kU8, {10 << 20});
  ASSERT_THAT(SaveSafetensors(dir.File("x"), {{"a", large}, {"b", PatternTensor(DType::kU8, {9})}},
                              {.io = {.durable = false,
                                      .progress =
                                          [&](int64_t done, int64_t total) {
                                            told.push_back(done);
                                            last_total = total;
                                          }}}),
              IsOk());
  EXPECT_EQ(last_total, (10 << 20) + 9);
  EXPECT_THAT(told, ElementsAre(4 << 20, 8 << 20, (10 << 20) + 9));
}

TEST(SafetensorsWriterTest, Commit_IsThatOfACheckpoint) {
  const TempDir dir;
  FaultyFileSystem files;
  ASSERT_THAT(SaveSafetensors(dir.File("x"), SmallNamedStore(), {.io = {.file_system = &files}}),
              IsOk());
  ASSERT_EQ(files.log.size(), 6u);
  EXPECT_EQ(files.log[0], "create");
  EXPECT_THAT(files.log[1], HasSubstr("write"));
  EXPECT_THAT(std::vector<std::string>(files.log.begin() + 2, files.log.end()),
              ElementsAre("sync", "close", "rename", "sync directory"));
}

TEST(SafetensorsWriterTest, FailureOfAnyCall_KeepsTheOldFile) {
  const TempDir dir;
  const std::string path = dir.File("x");
  ASSERT_THAT(SaveSafetensors(path, NamedStoreOf({})), IsOk());
  const std::string before = ReadFile(path);
  FaultyFileSystem counting;
  ASSERT_THAT(SaveSafetensors(dir.File("y"), SmallNamedStore(), {.io = {.file_system = &counting}}),
              IsOk());
  FileSystem::Posix().Remove(dir.File("y")).IgnoreError();
  for (int call = 0; call < counting.calls; ++call) {
    FaultyFileSystem files;
    files.fail_at = call;
    EXPECT_THAT(SaveSafetensors(path, SmallNamedStore(), {.io = {.file_system = &files}}),
                StatusIs(absl::StatusCode::kUnavailable, HasSubstr("fault in")));
    EXPECT_THAT(dir.List(), ElementsAre("x"));
    // The last call syncs the directory; the new file already exists then.
    if (call + 1 < counting.calls) {
      EXPECT_EQ(ReadFile(path), before) << "call " << call;
    }
  }
}

// ---- shards ----

ParamStore StoreOfSizes(const std::vector<int64_t>& sizes) {
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (size_t i = 0; i < sizes.size(); ++i) {
    tensors.emplace_back(std::string(1, static_cast<char>('a' + i)),
                         PatternTensor(DType::kU8, {sizes[i]}, static_cast<uint32_t>(i)));
  }
  return NamedStoreOf(std::move(tensors));
}

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

class HostileIndexTest : public testing::Test {
 protected:
  HostileIndexTest() {
    const ParamStore store = StoreOfSizes({4, 4});
    EXPECT_THAT(SaveSafetensorsShards(dir_.File("model.safetensors"), store, 4), IsOk());
  }
  absl::Status Open(const std::string& index, SafetensorsReadOptions options = {}) {
    WriteFile(dir_.File("model.safetensors.index.json"), index);
    return SafetensorsReader::Open(dir_.path(), options).status();
  }
  static std::string Map(const std::string& entries, const std::string& size = "8") {
    return absl::StrCat("{\"metadata\":{\"total_size\":", size, "},\"weight_map\":{", entries,
                        "}}");
  }

  TempDir dir_;
  const std::string a_ = "\"a\":\"model-00001-of-00002.safetensors\"";
  const std::string b_ = "\"b\":\"model-00002-of-00002.safetensors\"";
};

TEST_F(HostileIndexTest, IndexThatDoesNotMatchTheShards_IsDataLoss) {
  ASSERT_THAT(Open(Map(a_ + "," + b_)), IsOk());
  EXPECT_THAT(Open("{\"weight_map\":{" + a_ + "," + b_ + "}}"), IsOk());
  EXPECT_THAT(
      Open(Map(a_ + ",\"b\":\"model-00001-of-00002.safetensors\"")),
      StatusIs(kDamage, HasSubstr("tensor 'b': expected it in "
                                  "model-00001-of-00002.safetensors, found no such tensor there")));
  EXPECT_THAT(Open(Map("\"b\":\"model-00001-of-00002.safetensors\","
                       "\"a\":\"model-00002-of-00002.safetensors\"")),
              StatusIs(kDamage, HasSubstr("tensor 'a': expected it in "
                                          "model-00002-of-00002.safetensors, found it in "
                                          "model-00001-of-00002.safetensors")));
  EXPECT_THAT(Open(Map(a_ + "," + b_ + ",\"c\":\"model-00002-of-00002.safetensors\"")),
              StatusIs(kDamage, HasSubstr("tensor 'c': expected it in")));
  EXPECT_THAT(
      Open(Map(a_ + "," + b_, "9"), {.strict = true}),
      StatusIs(kDamage, HasSubstr("a total_size of 8, the bytes of what it lists, found 9")));
  EXPECT_THAT(
      Open(Map(a_ + ",\"b\":\"model-00003-of-00002.safetensors\",\"c\":\"x\"")),
      StatusIs(kNotFound, HasSubstr("expected the 3 shards that it names, found 1; these do "
                                    "not exist: model-00003-of-00002.safetensors, x")));
}

TEST_F(HostileIndexTest, ShardWithUnlistedTensors_IsUnusual) {
  ASSERT_THAT(SaveSafetensors(
                  dir_.File("model-00002-of-00002.safetensors"),
                  {{"b", PatternTensor(DType::kU8, {2})}, {"c", PatternTensor(DType::kU8, {2})}}),
              IsOk());
  EXPECT_THAT(Open(Map(a_ + "," + b_), {.strict = true}),
              StatusIs(kDamage, HasSubstr("expected all tensors of model-00002-of-00002."
                                          "safetensors, found no entry for 'c'")));
}

TEST_F(HostileIndexTest, ShardInAnotherDirectory_IsRejected) {
  for (const std::string name :
       {"", ".", "..", "a/", "./", "a/..", "a/.", "a/\\u0000", "x\\u0000y"}) {
    EXPECT_THAT(Open(Map(a_ + ",\"b\":\"" + name + "\"")),
                StatusIs(kDamage, HasSubstr("tensor 'b': expected the name of a file, without a "
                                            "directory")))
        << name;
  }
  for (const std::string name : {"../x.safetensors", "/etc/passwd", "//x", "./../x",
                                 "sub/../model-00002-of-00002.safetensors"}) {
    EXPECT_THAT(
        Open(Map(a_ + ",\"b\":\"" + name + "\"")),
        StatusIs(kInvalid, HasSubstr("tensor 'b': expected a file in the index's directory, "
                                     "found '" +
                                     name + "', which is outside of it")));
  }
}

TEST_F(HostileIndexTest, Index_IsCheckedLikeAHeader) {
  EXPECT_THAT(Open(""), StatusIs(kDamage, HasSubstr("index: expected JSON")));
  EXPECT_THAT(Open("[]"), StatusIs(kInvalid, HasSubstr("expected an index of safetensors, found "
                                                       "JSON that begins with '[]'")));
  EXPECT_THAT(Open("{}"), StatusIs(kInvalid, HasSubstr("a field weight_map")));
  EXPECT_THAT(Open("{\"weight_map\":{"), StatusIs(kDamage, HasSubstr("expected JSON")));
  EXPECT_THAT(Open(Map(a_ + "," + a_ + "," + b_)),
              StatusIs(kDamage, HasSubstr("tensor 'a': expected it once, found it twice, in "
                                          "model-00001-of-00002.safetensors and in model-00001")));
  EXPECT_THAT(Open(Map(a_ + ",\"b\":1")), StatusIs(kDamage, HasSubstr("found a number")));
  EXPECT_THAT(Open("{\"weight_map\":{},\"weight_map\":{}}"),
              StatusIs(kDamage, HasSubstr("one weight_map")));
  EXPECT_THAT(Open("{\"weight_map\":[]}"), StatusIs(kDamage, HasSubstr("found a list")));
  EXPECT_THAT(Open("{\"weight_map\":{},\"x\":1}", {.strict = true}),
              StatusIs(kDamage, HasSubstr("another, 'x'")));
  // Not a number that JSON parsers accept.
  EXPECT_THAT(Open(Map(a_ + "," + b_, "08")), StatusIs(kDamage, HasSubstr("expected JSON")));
  EXPECT_THAT(Open(Map(a_ + "," + b_), {.lenient = {.max_header = 20}}),
              StatusIs(kExhausted, HasSubstr("an index of at most 20 bytes")));
}

TEST_F(HostileIndexTest, TotalSizeThatIsNoCount_IsUnusual) {
  for (const std::string size :
       {"-8", "8.0", "\"8\"", "null", "18446744073709551615", "[8]", "-0", "{\"total_size\":8}"}) {
    EXPECT_THAT(Open(Map(a_ + "," + b_, size), {.strict = true}),
                StatusIs(kDamage, HasSubstr("expected")))
        << size;
    EXPECT_THAT(Open(Map(a_ + "," + b_, size)), IsOk()) << size;
  }
  EXPECT_THAT(Open(Map(a_ + "," + b_, "8,\"total_size\":8")),
              StatusIs(kDamage, HasSubstr("one total_size, found two")));
}

TEST_F(HostileIndexTest, UnusedNumbers_MayBeMinusZero) {
  EXPECT_THAT(Open(Map(a_ + "," + b_, "8,\"loss\":-0,\"n\":[1,-0]"), {.strict = true}), IsOk());
  EXPECT_THAT(Open(Map("", "-0"), {.strict = true}),
              StatusIs(kDamage, HasSubstr("2^63 - 1, found -0")));
}

TEST_F(HostileIndexTest, UnreadableTensors_AreListedInTheIndex) {
  // The second shard has a tensor of four bytes with an unknown dtype, and one with a known dtype.
  const std::string second = dir_.File("model-00002-of-00002.safetensors");
  const std::string header = R"({"b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                             R"("q":{"dtype":"I2","shape":[16],"data_offsets":[4,8]}})";
  WriteFile(second, SafetensorsFileOf(header, 8));
  const std::string q = "\"q\":\"model-00002-of-00002.safetensors\"";
  const std::string index = Map(a_ + "," + b_ + "," + q, "12");
  EXPECT_THAT(Open(index, {.strict = true}), StatusIs(kUnknown, HasSubstr("'I2'")));
  ASSERT_THAT(Open(index), IsOk());
  const SafetensorsReader reader = SafetensorsReader::Open(dir_.path()).value();
  EXPECT_EQ(reader.size(), 2u);
  EXPECT_EQ(reader.entry(0).stored_size + reader.entry(1).stored_size, 8);
  ASSERT_EQ(reader.unreadable().size(), 1u);
  EXPECT_EQ(reader.unreadable()[0].name, "q");
  EXPECT_THAT(reader.notes(), IsEmpty());
  EXPECT_THAT(reader.Load(), StatusIs(kUnknown, HasSubstr("tensor 'q' is not readable")));
  EXPECT_THAT(reader.LoadTensor("q"), StatusIs(kUnknown, HasSubstr("dtype 'I2', shape [16]")));
  EXPECT_THAT(reader.LoadTensor("b"), IsOk());
  EXPECT_THAT(reader.Verify(), IsOk());
  EXPECT_EQ(LoadSafetensors(dir_.path(), {.skip_unreadable = true})->size(), 2u);
  // They are checked like others: name, shard and bytes.
  EXPECT_THAT(Open(Map(a_ + "," + b_, "8")), IsOk());
  const SafetensorsReader without = SafetensorsReader::Open(dir_.path()).value();
  EXPECT_THAT(without.unreadable(), IsEmpty());
  EXPECT_THAT(without.notes(), ElementsAre(HasSubstr("found no entry for 'q'")));
  EXPECT_THAT(Open(Map(a_ + "," + b_ + ",\"q\":\"model-00001-of-00002.safetensors\"", "12")),
              StatusIs(kDamage, HasSubstr("tensor 'q': expected it in model-00001")));
  EXPECT_THAT(Open(Map(a_ + "," + b_ + "," + q, "8")), IsOk());
  EXPECT_THAT(SafetensorsReader::Open(dir_.path())->notes(),
              ElementsAre(HasSubstr("a total_size of 12")));
}

TEST_F(HostileIndexTest, OneNameInTwoShards_IsThatOfTheIndex) {
  ASSERT_THAT(SaveSafetensors(
                  dir_.File("model-00002-of-00002.safetensors"),
                  {{"a", PatternTensor(DType::kU8, {2})}, {"b", PatternTensor(DType::kU8, {2})}}),
              IsOk());
  const std::string index = Map(a_ + "," + b_, "6");
  ASSERT_THAT(Open(index), IsOk());
  EXPECT_THAT(Open(index, {.strict = true}),
              StatusIs(kDamage, HasSubstr("tensor 'a': expected it only in model-00001-of-00002."
                                          "safetensors, found another in model-00002-of-00002")));
  const SafetensorsReader reader = SafetensorsReader::Open(dir_.path()).value();
  EXPECT_EQ(reader.size(), 2u);
  EXPECT_EQ(reader.LoadTensor("a")->byte_size(), 4);
  EXPECT_EQ(reader.notes().size(), 1u);
  EXPECT_FALSE(*reader.IsCanonical());
  EXPECT_THAT(reader.Verify(), IsOk());
}

TEST_F(HostileIndexTest, DifferentStructuresInShards_AreDataLoss) {
  const ParamStore store = EveryKindStore();
  const std::string path = dir_.File("s.safetensors");
  const std::vector<std::string> saved = SaveSafetensorsShards(path, store, 8).value();
  ASSERT_GE(saved.size(), 3u);
  const std::string second = dir_.File(saved[1]);
  const SafetensorsReader shard =
      SafetensorsReader::Open(second, {.ignore_structure = true, .one_shard = true}).value();
  std::vector<NamedTensor> tensors;
  for (uint32_t i = 0; i < shard.size(); ++i) {
    tensors.push_back({std::string(shard.name(i)), shard.LoadTensor(i).value()});
  }
  const Metadata other = {{std::string(internal::kSafetensorsStructureKey), "1:dotted:0:"}};
  for (const auto& metadata : {std::optional<Metadata>(), std::optional<Metadata>(other)}) {
    ASSERT_THAT(SaveSafetensors(second, tensors, {.metadata = metadata}), IsOk());
    EXPECT_THAT(SafetensorsReader::Open(path + ".index.json"),
                StatusIs(kDamage,
                         AllOf(HasSubstr("expected the same in all shards"), HasSubstr(saved[1]))));
    EXPECT_THAT(SafetensorsReader::Open(path + ".index.json", {.ignore_structure = true}), IsOk());
  }
}

TEST_F(HostileIndexTest, EmptyIndex_IsAnEmptySet) {
  EXPECT_THAT(Open(Map("", "0")), IsOk());
  EXPECT_EQ(SafetensorsReader::Open(dir_.path())->Load()->size(), 0u);
}

TEST(LoadSafetensorsTest, LoadSafetensors_LoadsAFileOrASet) {
  const TempDir dir;
  const ParamStore store = StoreOfSizes({4, 5});
  ASSERT_THAT(SaveSafetensors(dir.File("one.safetensors"), store), IsOk());
  EXPECT_EQ(EntriesOf(LoadSafetensors(dir.File("one.safetensors")).value()), EntriesOf(store));
  ASSERT_THAT(SaveSafetensorsShards(dir.File("model.safetensors"), store, 5), IsOk());
  EXPECT_EQ(EntriesOf(LoadSafetensors(dir.path()).value()), EntriesOf(store));
  EXPECT_EQ(LoadSafetensors(dir.File("missing.safetensors")).status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace leafstore
