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
#include "tests/status_codes.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

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
  for (const std::string size : {"-8", "8.0", "\"8\"", "null", "18446744073709551615",
                                 "100000000000000000000", "[8]", "-0", "{\"total_size\":8}"}) {
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

}  // namespace
}  // namespace leafstore
