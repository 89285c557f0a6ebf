// What a path reads as: a file, an index, a directory, shards without an index; and what is unusual
// about it.
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/core/error_reason.h"
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
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kIndexName[] = "model.safetensors.index.json";

class PlacesTest : public testing::Test {
 protected:
  std::string File(const std::string& name) const { return dir_.File(name); }
  void Write(const std::string& name, const std::string& bytes) const {
    std::filesystem::create_directories(std::filesystem::path(File(name)).parent_path());
    WriteFile(File(name), bytes);
  }
  void WriteShards() const { WriteTwoShards(dir_.path()); }

  static std::vector<std::string> NamesIn(const SafetensorsReader& reader) {
    std::vector<std::string> names;
    for (uint32_t i = 0; i < reader.size(); ++i) names.emplace_back(reader.name(i));
    return names;
  }

  // Opens a path, which must have these tensors and notes, and be rejected by `strict` if it has
  // notes.
  template <typename Notes>
  void ExpectReads(const std::string& path, const std::vector<std::string>& names,
                   const Notes& notes) const {
    const absl::StatusOr<SafetensorsReader> reader = SafetensorsReader::Open(path);
    ASSERT_TRUE(reader.ok()) << reader.status();
    EXPECT_EQ(NamesIn(*reader), names);
    EXPECT_THAT(reader->notes(), notes);
    EXPECT_THAT(reader->Load(), IsOk());
    EXPECT_THAT(reader->Verify(), IsOk());
    const absl::Status strict = SafetensorsReader::Open(path, {.strict = true}).status();
    EXPECT_EQ(strict.ok(), reader->notes().empty()) << strict;
    if (!strict.ok()) {
      EXPECT_THAT(strict, StatusIs(kDamage, HasSubstr(dir_.path())));
      EXPECT_EQ(ReasonOf(strict), ErrorReason::kUnusual);
    }
  }

  TempDir dir_;
};

TEST(ShardNameTest, Names_SayWhichShardTheyAre) {
  const auto parsed = [](const std::string& name) -> std::string {
    const auto shard = internal::ParseShardName(name);
    return shard ? absl::StrCat(shard->index, "/", shard->count) : "";
  };
  EXPECT_EQ(parsed("model-00001-of-00003.safetensors"), "1/3");
  EXPECT_EQ(parsed("model-00003-of-00003.fp16.safetensors"), "3/3");
  EXPECT_EQ(parsed("model.fp16-00000-of-00003.safetensors"), "0/3");
  EXPECT_EQ(parsed("model-00001-of-00002-r1.safetensors"), "1/2");
  EXPECT_EQ(parsed("model_2_of_12.safetensors"), "2/12");
  EXPECT_EQ(parsed("1of3.safetensors"), "1/3");
  EXPECT_EQ(parsed("MODEL-00001-OF-00002.SAFETENSORS"), "1/2");
  EXPECT_EQ(parsed("best-of-1-of-3.safetensors"), "1/3");
  EXPECT_EQ(parsed("proof-2-of-3.of.safetensors"), "2/3");
  EXPECT_EQ(parsed("model-4-of-3.safetensors"), "4/3");  // a part of something, in any case
  EXPECT_EQ(internal::ParseShardName("m_01_of_12.x.safetensors")->NameOf(3),
            "m_03_of_12.x.safetensors");
  for (const char* other :
       {"model.safetensors", "model-00001-of-00001.safetensors", "best-of-3.safetensors",
        "model-00001-of-00003.bin", "model-00001-of-00003.safetensors.bak",
        "out-of-order.safetensors", "1-of-99999999999.safetensors", "x-1--of-3.safetensors",
        "x-1-of-.safetensors", "of.safetensors", "x-1-of-3"}) {
    EXPECT_EQ(parsed(other), "") << other;
  }
  EXPECT_EQ(internal::ParseShardName("a-1-of-3.safetensors")->set,
            internal::ParseShardName("a-2-of-3.safetensors")->set);
  EXPECT_NE(internal::ParseShardName("a-1-of-3.safetensors")->set,
            internal::ParseShardName("a-1-of-3.x.safetensors")->set);
}

TEST_F(PlacesTest, OneShardOfThree_IsNeverTheModel) {
  Write(ShardNameOf(1, 3), SmallFile({{"a", 4}}));
  for (const std::string& path : {dir_.path(), File(ShardNameOf(1, 3))}) {
    const absl::Status status = SafetensorsReader::Open(path).status();
    EXPECT_THAT(status,
                StatusIs(kNotFound,
                         AllOf(HasSubstr("expected 3 shards, found 1: model-00001-of-00003."
                                         "safetensors; missing: model-00002-of-00003.safetensors, "
                                         "model-00003-of-00003.safetensors"),
                               HasSubstr(path + ": "))));
    EXPECT_EQ(absl::StrContains(status.message(),
                                "; if model-00001-of-00003.safetensors is a complete model, "
                                "one_shard (--one-shard) reads it alone"),
              path != dir_.path());
    EXPECT_EQ(ReasonOf(status), ErrorReason::kIncomplete);
  }
  const auto alone = SafetensorsReader::Open(File(ShardNameOf(1, 3)), {.one_shard = true});
  ASSERT_THAT(alone, IsOk());
  EXPECT_THAT(alone->notes(), IsEmpty());
  EXPECT_FALSE(alone->is_set());
  // A huge count costs nothing.
  Write("b/x-1-of-999999999.safetensors", SmallFile({{"a", 4}}));
  EXPECT_THAT(SafetensorsReader::Open(File("b")),
              StatusIs(kNotFound, AllOf(HasSubstr("missing: x-2-of-999999999.safetensors, x-3-of"),
                                        HasSubstr(" and 999999898 more"))));
}

TEST_F(PlacesTest, ShardWithoutSuffix_IsNeverTheModel) {
  for (const std::string name : {"model.safetensors-00001-of-00003", "model-00001-of-00003",
                                 "model-1-of-3.st", "model-00001-of-00003.safetensors.part"}) {
    Write(name, SmallFile({{"a", 4}}));
    const absl::Status status = SafetensorsReader::Open(File(name)).status();
    EXPECT_THAT(status, StatusIs(kNotFound, AllOf(HasSubstr("found one of 3 shards, by its name"),
                                                  HasSubstr("one_shard (--one-shard)"))))
        << name;
    EXPECT_EQ(ReasonOf(status), ErrorReason::kIncomplete);
    EXPECT_THAT(SafetensorsReader::Open(File(name), {.one_shard = true}), IsOk()) << name;
  }
  Write("blob-of-3", SmallFile({{"a", 4}}));
  EXPECT_THAT(SafetensorsReader::Open(File("blob-of-3")), IsOk());
}

TEST_F(PlacesTest, ShardsWithoutIndex_AreASet) {
  WriteShards();
  ExpectReads(dir_.path(), {"a", "b"},
              ElementsAre(AllOf(HasSubstr("found no index (*.safetensors.index.json); all 2 "
                                          "shards are read as one set"),
                                HasSubstr("merge"))));
  const SafetensorsReader reader = SafetensorsReader::Open(dir_.path()).value();
  EXPECT_TRUE(reader.is_set());
  EXPECT_EQ(reader.file(), dir_.path());
  EXPECT_THAT(reader.shards(), ElementsAre(ShardNameOf(1, 2), ShardNameOf(2, 2)));
  ExpectReads(File(ShardNameOf(2, 2)), {"a", "b"},
              ElementsAre(HasSubstr("found no index"),
                          HasSubstr("found model-00002-of-00002.safetensors, one of its shards")));
}

TEST_F(PlacesTest, ShardsCountedFromZero_AreASet) {
  Write("m_0_of_2.safetensors", SmallFile({{"a", 4}}));
  Write("m_1_of_2.safetensors", SmallFile({{"b", 2}}));
  ExpectReads(dir_.path(), {"a", "b"}, ElementsAre(HasSubstr("found no index")));
  Write("m_2_of_2.safetensors", SmallFile({{"c", 1}}));
  EXPECT_THAT(SafetensorsReader::Open(dir_.path()),
              StatusIs(kInvalid, HasSubstr("expected one set of 2 shards")));
  std::filesystem::remove(File("m_1_of_2.safetensors"));
  EXPECT_THAT(SafetensorsReader::Open(dir_.path()),
              StatusIs(kNotFound, HasSubstr("missing: m_1_of_2.safetensors")));
}

TEST_F(PlacesTest, SetsOfTwoModels_AreAnError) {
  WriteShards();
  WriteTwoShards(dir_.path(), "other");
  EXPECT_THAT(SafetensorsReader::Open(dir_.path()),
              StatusIs(kInvalid, AllOf(HasSubstr("expected one *.safetensors"),
                                       HasSubstr("other-00002-of-00002.safetensors"))));
  // Two files with one number are not a set either.
  Write("b/m-1-of-2.safetensors", SmallFile({{"a", 4}}));
  Write("b/m-01-of-2.safetensors", SmallFile({{"b", 4}}));
  EXPECT_THAT(SafetensorsReader::Open(File("b")), StatusIs(kInvalid, HasSubstr("specify one")));
  const absl::Status named = SafetensorsReader::Open(File("b/m-1-of-2.safetensors")).status();
  EXPECT_THAT(named, StatusIs(kDamage, HasSubstr("expected one shard 1 of 2, found m-01-of-2."
                                                 "safetensors and m-1-of-2.safetensors")));
  EXPECT_EQ(ReasonOf(named), ErrorReason::kAmbiguous);
}

TEST_F(PlacesTest, DuplicatesInShardsWithoutIndex_NameTheirFiles) {
  WriteShards();
  Write(ShardNameOf(2, 2), SmallFile({{"a", 4}, {"b", 2}}));
  const absl::Status status = SafetensorsReader::Open(dir_.path()).status();
  EXPECT_THAT(status,
              StatusIs(kDamage, AllOf(HasSubstr("tensor 'a': expected it in one shard"),
                                      HasSubstr(ShardNameOf(1, 2)), HasSubstr(ShardNameOf(2, 2)))));
  EXPECT_EQ(ReasonOf(status), ErrorReason::kAmbiguous);
}

TEST_F(PlacesTest, ShardOfAnIndex_MeansItsSet) {
  WriteShards();
  Write("model.safetensors.index.json", IndexOfTwo());
  Write("another.safetensors.index.json", IndexOf({{"x", "x.safetensors"}}));
  ExpectReads(File(ShardNameOf(1, 2)), {"a", "b"}, ElementsAre(HasSubstr("the complete set")));
  EXPECT_EQ(SafetensorsReader::Open(File(ShardNameOf(1, 2)))->file(), File(kIndexName));
}

TEST_F(PlacesTest, MissingShards_AreAllNamed) {
  Write(kIndexName,
        IndexOf({{"a", "1.safetensors"}, {"b", "2.safetensors"}, {"c", "3.safetensors"}}));
  Write("2.safetensors", SmallFile({{"b", 2}}));
  const absl::Status status = SafetensorsReader::Open(dir_.path()).status();
  EXPECT_THAT(status, StatusIs(kNotFound, HasSubstr(std::string(kIndexName) +
                                                    ": expected the 3 shards that it names, found "
                                                    "1; these do not exist: 1.safetensors, "
                                                    "3.safetensors")));
  EXPECT_EQ(ReasonOf(status), ErrorReason::kIncomplete);
}

TEST_F(PlacesTest, UnusualIndexes_AreReadWithANote) {
  WriteShards();
  const std::pair<std::string, std::string> cases[] = {
      {"\"metadata\":{\"total_size\":48},", "expected a total_size of 6"},
      {"\"metadata\":{\"total_size\":6.0},", "expected an integer from 0 to 2^63 - 1, found 6.0"},
      {"\"metadata\":{\"total_size\":\"6\"},", "found a string"},
      {"\"metadata\":{\"total_size\":-1},", "found -1"},
      {"\"metadata\":null,", "index, metadata: expected an object, found null"},
      {"\"metadata\":[1],", "index, metadata: expected an object, found a list"},
      {"\"metadata\":\"x\",", "index, metadata: expected an object, found a string"},
      {"\"format\":\"pt\",\"x\":{\"y\":[]},", "another, 'format' (and 1 more)"},
  };
  for (const auto& [fields, note] : cases) {
    Write(kIndexName, IndexOfTwo(fields));
    ExpectReads(dir_.path(), {"a", "b"}, ElementsAre(HasSubstr(note)));
  }
  for (const std::string fields :
       {"", "\"metadata\":{},", "\"metadata\":{\"total_size\":6,\"total_parameters\":6},"}) {
    Write(kIndexName, IndexOfTwo(fields));
    ExpectReads(dir_.path(), {"a", "b"}, IsEmpty());
  }
}

TEST_F(PlacesTest, StrictReading_SaysWhatAPathIs) {
  WriteShards();
  Write(kIndexName, IndexOfTwo("\"metadata\":null,"));
  EXPECT_THAT(SafetensorsReader::Open(File(ShardNameOf(1, 2)), {.strict = true}),
              StatusIs(kDamage, HasSubstr("one of its shards")));
  Write("config.json", "{\"model_type\":\"bert\"}");
  EXPECT_EQ(ReasonOf(SafetensorsReader::Open(File("config.json"), {.strict = true}).status()),
            ErrorReason::kForeign);
}

TEST_F(PlacesTest, NotesOfAShard_NameIt) {
  WriteShards();
  Write(ShardNameOf(2, 2), SafetensorsFileOf("{" + BytesEntry("b", 0, 2) + "}\n", 2));
  Write(kIndexName, IndexOfTwo());
  ExpectReads(dir_.path(), {"a", "b"}, ElementsAre(HasSubstr(ShardNameOf(2, 2) + ": header: ")));
}

TEST_F(PlacesTest, ShardsInASubdirectory_AreUnusual) {
  WriteTwoShards(File("sub/dir"));
  const std::string one = "sub/dir/" + ShardNameOf(1, 2);
  Write(kIndexName, IndexOf({{"a", one}, {"b", "./sub//dir/./" + ShardNameOf(2, 2)}}));
  ExpectReads(dir_.path(), {"a", "b"},
              ElementsAre(AllOf(HasSubstr("without a directory"), HasSubstr("(and 1 more)"))));
  EXPECT_THAT(SafetensorsReader::Open(dir_.path())->shards(),
              ElementsAre(one, "sub/dir/" + ShardNameOf(2, 2)));
  // Two spellings of one file are one file.
  Write("sub/dir/" + ShardNameOf(1, 2), SmallFile({{"a", 4}, {"b", 2}}));
  Write(kIndexName, IndexOf({{"a", one}, {"b", "./" + one}}));
  ExpectReads(dir_.path(), {"a", "b"}, ElementsAre(HasSubstr("without a directory")));
}

TEST_F(PlacesTest, IndexAndFileWithoutSuffix_AreToldByContent) {
  WriteShards();
  Write("5f3a", IndexOfTwo());
  ExpectReads(File("5f3a"), {"a", "b"}, IsEmpty());
  Write("77aa", "\n  " + IndexOfTwo());
  ExpectReads(File("77aa"), {"a", "b"}, IsEmpty());
  Write("09bc", SmallFile({{"c", 1}}));
  ExpectReads(File("09bc"), {"c"}, IsEmpty());
}

TEST_F(PlacesTest, IndexOfAVariant_IsFoundAlone) {
  WriteTwoShards(dir_.path(), "model.fp16");
  const std::string index = "model.safetensors.index.fp16.json";
  Write(index, IndexOfTwo("", "model.fp16"));
  ExpectReads(dir_.path(), {"a", "b"}, IsEmpty());
  EXPECT_EQ(SafetensorsReader::Open(dir_.path())->file(), File(index));
  // The usual index is preferred to those of variants; of two others neither is.
  Write(kIndexName, IndexOfTwo("", "model.fp16"));
  EXPECT_EQ(SafetensorsReader::Open(dir_.path())->file(), File(kIndexName));
  std::filesystem::rename(File(kIndexName), File("x.safetensors.index.json"));
  EXPECT_THAT(SafetensorsReader::Open(dir_.path()),
              StatusIs(kInvalid, AllOf(HasSubstr(index), HasSubstr("x.safetensors.index.json"))));
}

TEST_F(PlacesTest, DirectoryWithTwoModels_SaysWhichIsRead) {
  WriteShards();
  Write("model.safetensors", SmallFile({{"c", 1}}));
  ExpectReads(dir_.path(), {"c"},
              ElementsAre(HasSubstr("found model.safetensors, which is read, and model-00001")));
  Write(kIndexName, IndexOfTwo());
  ExpectReads(dir_.path(), {"a", "b"},
              ElementsAre(HasSubstr("found model.safetensors.index.json, which is read, and "
                                    "model.safetensors, which is not")));
}

TEST_F(PlacesTest, EveryOtherModelOfADirectory_IsNoted) {
  WriteShards();
  Write(kIndexName, IndexOfTwo());
  Write("other.safetensors.index.json", IndexOfTwo());
  ExpectReads(dir_.path(), {"a", "b"},
              ElementsAre(HasSubstr("other.safetensors.index.json, which")));
  std::filesystem::remove(File("other.safetensors.index.json"));
  WriteTwoShards(dir_.path(), "model.fp16");
  ExpectReads(dir_.path(), {"a", "b"},
              ElementsAre(AllOf(HasSubstr("model.fp16-00001-of-00002.safetensors, which is not"),
                                HasSubstr("(and 1 more)"))));
  // A shard that is named is not a directory.
  ExpectReads(File(ShardNameOf(1, 2)), {"a", "b"}, ElementsAre(HasSubstr("the complete set")));
  Write("b/model.safetensors", SmallFile({{"c", 1}}));
  Write("b/model.fp16.safetensors", SmallFile({{"c", 1}}));
  ExpectReads(File("b"), {"c"}, ElementsAre(HasSubstr("model.fp16.safetensors, which is not")));
}

TEST_F(PlacesTest, IndexOfOneFile_IsNoSecondModel) {
  Write("model.safetensors", SmallFile({{"a", 4}, {"b", 2}}));
  Write(kIndexName, IndexOf({{"a", "model.safetensors"}, {"b", "model.safetensors"}}));
  ExpectReads(dir_.path(), {"a", "b"}, IsEmpty());
  ExpectReads(File("model.safetensors"), {"a", "b"}, IsEmpty());
}

TEST_F(PlacesTest, HiddenFiles_AreIgnored) {
  Write("w.safetensors", SmallFile({{"c", 1}}));
  const std::string added("\0\5\x16\7\0\2", 6);
  Write("._w.safetensors", added);
  Write("._model.safetensors.index.json", added);
  ExpectReads(dir_.path(), {"c"}, IsEmpty());
}

TEST_F(PlacesTest, PartOfAnIndex_MeansItsSetWhateverItsName) {
  Write("layers-0.safetensors", SmallFile({{"a", 4}}));
  Write("layers-1.safetensors", SmallFile({{"b", 2}}));
  Write(kIndexName, IndexOf({{"a", "layers-0.safetensors"}, {"b", "layers-1.safetensors"}}));
  ExpectReads(File("layers-0.safetensors"), {"a", "b"},
              ElementsAre(HasSubstr("one of its shards")));
  EXPECT_EQ(SafetensorsReader::Open(File("layers-0.safetensors"), {.one_shard = true})->size(), 1u);
  WriteTwoShards(File("set"));
  std::filesystem::create_symlink("set/" + ShardNameOf(1, 2), File("link.safetensors"));
  ExpectReads(File("link.safetensors"), {"a", "b"},
              ElementsAre(HasSubstr("found no index"), HasSubstr("one of its shards")));
  Write("caps/M-1-OF-2.SAFETENSORS", SmallFile({{"a", 4}}));
  EXPECT_EQ(ReasonOf(SafetensorsReader::Open(File("caps/M-1-OF-2.SAFETENSORS")).status()),
            ErrorReason::kIncomplete);
}

TEST_F(PlacesTest, DamagedIndexOfAShard_IsAnError) {
  WriteShards();
  Write(kIndexName, IndexOfTwo().substr(0, 60));
  EXPECT_THAT(SafetensorsReader::Open(File(ShardNameOf(1, 2))),
              StatusIs(kDamage, HasSubstr(File(kIndexName) + ": index: ")));
  std::filesystem::rename(File(kIndexName), File("another.safetensors.index.json"));
  ExpectReads(File(ShardNameOf(1, 2)), {"a", "b"},
              ElementsAre(HasSubstr("found no index"), HasSubstr("one of its shards")));
}

// A file system whose directories cannot be listed.
class UnlistedFileSystem : public FaultyFileSystem {
 public:
  absl::StatusOr<std::vector<std::string>> List(const std::string& path) override {
    return absl::PermissionDeniedError("cannot list " + path);
  }
};

TEST_F(PlacesTest, ShardInADirectoryThatCannotBeListed_IsAnError) {
  WriteShards();
  Write("model.safetensors", SmallFile({{"c", 1}}));
  UnlistedFileSystem files;
  const IoOptions io = {.file_system = &files};
  EXPECT_THAT(SafetensorsReader::Open(File(ShardNameOf(1, 2)), {.io = io}),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("one_shard (--one-shard)")));
  EXPECT_THAT(SafetensorsReader::Open(File(ShardNameOf(1, 2)), {.io = io, .one_shard = true}),
              IsOk());
  EXPECT_THAT(SafetensorsReader::Open(File("model.safetensors"), {.io = io}), IsOk());
}

TEST_F(PlacesTest, UnlistedTensors_AreListedByTheReader) {
  WriteShards();
  Write(ShardNameOf(2, 2), SmallFile({{"b", 2}, {"c", 3}}));
  Write(kIndexName, IndexOfTwo());
  const SafetensorsReader reader = SafetensorsReader::Open(dir_.path()).value();
  ASSERT_EQ(reader.unlisted().size(), 1u);
  EXPECT_EQ(reader.unlisted()[0].name, "c");
  EXPECT_EQ(reader.unlisted()[0].byte_size, 3);
}

TEST_F(PlacesTest, ShardsWithDifferentMetadata_AreUnusual) {
  Write(ShardNameOf(1, 2),
        SafetensorsFileOf("{\"__metadata__\":{\"k\":\"x\"}," + BytesEntry("a", 0, 4) + "}", 4));
  Write(ShardNameOf(2, 2),
        SafetensorsFileOf("{\"__metadata__\":{\"k\":\"y\"}," + BytesEntry("b", 0, 2) + "}", 2));
  Write(kIndexName, IndexOfTwo());
  ExpectReads(dir_.path(), {"a", "b"},
              ElementsAre(HasSubstr("metadata 'k': expected the same in all shards")));
}

TEST_F(PlacesTest, Strict_ReportsDamageFirst) {
  WriteShards();
  Write(kIndexName, IndexOfTwo("\"metadata\":null,"));
  Write(ShardNameOf(2, 2), SmallFile({{"b", 2}}).substr(0, 20));
  const absl::Status strict = SafetensorsReader::Open(dir_.path(), {.strict = true}).status();
  EXPECT_EQ(strict, SafetensorsReader::Open(dir_.path()).status());
  EXPECT_EQ(ReasonOf(strict), ErrorReason::kTruncated);
}

TEST_F(PlacesTest, IndexesOfOtherKinds) {
  WriteShards();
  Write("bom.json", "\xef\xbb\xbf" + IndexOfTwo());
  ExpectReads(File("bom.json"), {"a", "b"}, ElementsAre(HasSubstr("a byte order mark")));
  Write("tensors.json", SmallFile({{"c", 1}}));
  ExpectReads(File("tensors.json"), {"c"}, IsEmpty());
  Write("pytorch_model.bin.index.json", IndexOf({{"a", "pytorch_model-1-of-2.bin"}}));
  const absl::Status torch = SafetensorsReader::Open(File("pytorch_model.bin.index.json")).status();
  EXPECT_THAT(torch,
              StatusIs(kInvalid, AllOf(HasSubstr("an index of PyTorch"), HasSubstr("torch.load"))));
  EXPECT_EQ(ReasonOf(torch), ErrorReason::kForeign);
}

TEST_F(PlacesTest, OnlyFile_IsTheModel) {
  Write("adapter.safetensors", SmallFile({{"c", 1}}));
  Write("config.json", "{}");
  ExpectReads(dir_.path(), {"c"}, IsEmpty());
  ExpectReads(dir_.path() + "/", {"c"}, IsEmpty());
  Write("z.safetensors", SmallFile({{"c", 1}}));
  EXPECT_THAT(SafetensorsReader::Open(dir_.path()),
              StatusIs(kInvalid, HasSubstr("adapter.safetensors, z.safetensors")));
}

TEST_F(PlacesTest, DirectoryWithoutSafetensors_IsNotFound) {
  Write("config.json", "{}");
  const absl::Status status = SafetensorsReader::Open(dir_.path()).status();
  EXPECT_THAT(status, StatusIs(kNotFound, HasSubstr("found none")));
  EXPECT_EQ(ReasonOf(status), ErrorReason::kNotThisFormat);
}

}  // namespace
}  // namespace leafstore
