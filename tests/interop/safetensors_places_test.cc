// What a path reads as: a file, an index, a directory, shards without an index; and what is unusual
// about it.
#include <filesystem>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/interop/safetensors/internal/place.h"
#include "leafstore/interop/safetensors/reader.h"

#include "tests/core/status_matchers.h"
#include "tests/interop/safetensors_files.h"
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
    return shard ? absl::StrCat(shard->number, "/", shard->count) : "";
  };
  EXPECT_EQ(parsed("model-00001-of-00003.safetensors"), "1/3");
  EXPECT_EQ(parsed("model-00003-of-00003.fp16.safetensors"), "3/3");
  EXPECT_EQ(parsed("model.fp16-00000-of-00003.safetensors"), "0/3");
  EXPECT_EQ(parsed("model-00001-of-00002-r1.safetensors"), "1/2");
  EXPECT_EQ(parsed("model_2_of_12.safetensors"), "2/12");
  EXPECT_EQ(parsed("1of3.safetensors"), "1/3");
  for (const char* other :
       {"model.safetensors", "model-00001-of-00001.safetensors", "model-4-of-3.safetensors",
        "best-of-3.safetensors", "model-00001-of-00003.bin", "model-00001-of-00003.safetensors.bak",
        "out-of-order.safetensors", "1-of-99999999999.safetensors"}) {
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
                         AllOf(HasSubstr("expected all 3 shards of a set, found 1: model-00001-of-"
                                         "00003.safetensors; the others are missing: 2, 3 of 3"),
                               HasSubstr(path + ": "))));
    EXPECT_EQ(ReasonOf(status), ErrorReason::kIncomplete);
  }
  const auto alone = SafetensorsReader::Open(File(ShardNameOf(1, 3)), {.one_shard = true});
  ASSERT_THAT(alone, IsOk());
  EXPECT_THAT(alone->notes(), IsEmpty());
  EXPECT_FALSE(alone->is_set());
  // A huge count costs nothing.
  Write("b/x-1-of-999999999.safetensors", SmallFile({{"a", 4}}));
  EXPECT_THAT(SafetensorsReader::Open(File("b")),
              StatusIs(kNotFound, AllOf(HasSubstr("missing: 2, 3, 4"), HasSubstr("11, ..."))));
}

TEST_F(PlacesTest, ShardsWithoutIndex_AreASet) {
  WriteShards();
  ExpectReads(dir_.path(), {"a", "b"},
              ElementsAre(AllOf(HasSubstr("expected an index"), HasSubstr("merge"))));
  const SafetensorsReader reader = SafetensorsReader::Open(dir_.path()).value();
  EXPECT_TRUE(reader.is_set());
  EXPECT_EQ(reader.file(), dir_.path());
  EXPECT_THAT(reader.shards(), ElementsAre(ShardNameOf(1, 2), ShardNameOf(2, 2)));
  ExpectReads(File(ShardNameOf(2, 2)), {"a", "b"},
              ElementsAre(HasSubstr("expected an index"),
                          HasSubstr("found model-00002-of-00002.safetensors, one of its shards")));
}

TEST_F(PlacesTest, ShardsCountedFromZero_AreASet) {
  Write("m_0_of_2.safetensors", SmallFile({{"a", 4}}));
  Write("m_1_of_2.safetensors", SmallFile({{"b", 2}}));
  ExpectReads(dir_.path(), {"a", "b"}, ElementsAre(HasSubstr("expected an index")));
  Write("m_2_of_2.safetensors", SmallFile({{"c", 1}}));
  EXPECT_THAT(SafetensorsReader::Open(dir_.path()),
              StatusIs(kInvalid, HasSubstr("expected one set of 2 shards")));
  std::filesystem::remove(File("m_1_of_2.safetensors"));
  EXPECT_THAT(SafetensorsReader::Open(dir_.path()),
              StatusIs(kNotFound, HasSubstr("missing: 1 of 2")));
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
