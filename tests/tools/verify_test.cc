// `leafstore verify`.
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/interop/safetensors/reader.h"

#include "tests/dose.h"
#include "tests/tools/tool_test.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class VerifyTest : public ToolTest {};

TEST_F(VerifyTest, IntactFile_IsOk) {
  Sample();
  EXPECT_EQ(Out({"verify", File("a.leaf")}), File("a.leaf") + ": ok, 1.0 KiB, 7 tensors\n");
}

TEST_F(VerifyTest, EveryByte_IsVerified) {
  Save(File("a.leaf"), ParamStore::FromEntries({{Path().Item("w"), Tensor::Scalar(1.0f)}}).value());
  const std::string whole = ReadFile(File("a.leaf"));
  constexpr size_t kStride = kSanitized ? 7 : 1;
  for (size_t at = 0; at < whole.size(); at += kStride) {
    FlipBit(File("a.leaf"), static_cast<int64_t>(at));
    const Ran ran = RunLeafstore({"verify", File("a.leaf")});
    EXPECT_EQ(ran.exit_code, 1) << at;
    EXPECT_THAT(ran.out, HasSubstr("a.leaf: DAMAGED: ")) << at;
    WriteFile(File("a.leaf"), whole);
  }
}

TEST_F(VerifyTest, Directory_HasALineForEachCheckpoint) {
  const std::string run = Run(3);
  const std::string second = run + "/step-00000000000000000002.leaf";
  FlipBit(second, 64);
  const Ran ran = RunLeafstore({"verify", run});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_EQ(ran.err, "leafstore: 1 of 3 files not intact\n");
  EXPECT_EQ(std::count(ran.out.begin(), ran.out.end(), '\n'), 4);
  EXPECT_THAT(
      ran.out,
      AllOf(HasSubstr("step-00000000000000000001.leaf: ok"),
            HasSubstr(second + ": DAMAGED: item 'params', '.w': expected checksum"),
            HasSubstr("step-00000000000000000003.leaf: ok"), HasSubstr("3 files, 1 not intact\n")));
  EXPECT_THAT(Out({"verify", run, "--step", "latest"}), HasSubstr("03.leaf: ok"));
  EXPECT_THAT(Out({"verify", run + "@1"}), HasSubstr("01.leaf: ok"));
  EXPECT_THAT(RunLeafstore({"verify", run + "@2"}).out, HasSubstr("DAMAGED"));
}

TEST_F(VerifyTest, IncrementWithoutItsBase_SaysWhatToDo) {
  SaveHistory history;
  SaveOptions options;
  options.history = &history;
  const ParamStore params =
      ParamStore::FromEntries({{Path().Attribute("w"), Tensor::Zeros(DType::kF32, {4}).value()}})
          .value();
  ASSERT_TRUE(SaveCheckpoint(File("first.leaf"), {{"params", params}}, options).ok());
  ASSERT_TRUE(SaveCheckpoint(File("second.leaf"), {{"params", params}}, options).ok());
  ASSERT_EQ(std::remove(File("first.leaf").c_str()), 0);
  EXPECT_THAT(RunLeafstore({"verify", File("second.leaf")}).out,
              HasSubstr(absl::StrCat("base: cannot open ", File("first.leaf"))));
  const Ran ran = RunLeafstore({"cat", File("second.leaf"), "w"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, HasSubstr("; copy it into the same directory, or use another checkpoint"));
}

TEST_F(VerifyTest, DamagedFile_DoesNotHideTheOthers) {
  Sample();
  const Ran ran = RunLeafstore({"verify", File("none"), File("a.leaf")});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.out, AllOf(HasSubstr("none: ERROR: cannot open: No such file"),
                             HasSubstr("a.leaf: ok"), HasSubstr("2 files, 1 not intact")));
}

TEST_F(VerifyTest, Json_HasEachFile) {
  const std::string run = Run(2);
  FlipBit(run + "/step-00000000000000000002.leaf", 64);
  const Ran ran = RunLeafstore({"verify", run, "--json"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_EQ(ran.err, "leafstore: 1 of 2 files not intact\n");
  const nlohmann::json json = nlohmann::json::parse(ran.out);
  EXPECT_EQ(json["damaged"], 1);
  EXPECT_EQ(json["files"][0]["ok"], true);
  EXPECT_EQ(json["files"][0]["step"], 1);
  EXPECT_EQ(json["files"][0]["error"], nullptr);
  EXPECT_EQ(json["files"][1]["ok"], false);
  EXPECT_THAT(json["files"][1]["error"].get<std::string>(), HasSubstr("expected checksum"));
}

TEST_F(VerifyTest, ShardsOfOneSet_AreVerifiedOnce) {
  Save(File("m.leaf"), ManyLeaves(4));
  Out({"convert", File("m.leaf"), File("m.safetensors"), "--shard-size", "32"});
  const std::string first = File("m-00001-of-00002.safetensors");
  const std::string second = File("m-00002-of-00002.safetensors");
  const Ran ran = RunLeafstore({"verify", first, second});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.out, AllOf(HasSubstr(first + ": ok, "),
                             HasSubstr(second + ": ok, in the set of " + first + "\n"),
                             HasSubstr("2 files, all intact")));
  const nlohmann::json files =
      nlohmann::json::parse(RunLeafstore({"verify", first, second, "--json"}).out)["files"];
  EXPECT_EQ(files[0]["same_as"], nullptr);
  EXPECT_EQ(files[1]["same_as"], first);
}

TEST_F(VerifyTest, ShardThatAlsoMeansAnotherSet_IsVerifiedInThat) {
  Save(File("m.leaf"), ManyLeaves(6));
  Out({"convert", File("m.leaf"), File("m.safetensors"), "--shard-size", "32", "--structure",
       "never"});
  const std::string first = File("m-00001-of-00003.safetensors");
  const std::string second = File("m-00002-of-00003.safetensors");
  const std::string third = File("m-00003-of-00003.safetensors");
  const auto same_as = [&](const std::vector<std::string>& more) {
    std::vector<std::string> args = {"verify", first, second, third, "--json"};
    args.insert(args.end(), more.begin(), more.end());
    const nlohmann::json files = nlohmann::json::parse(RunLeafstore(args).out)["files"];
    return std::vector<nlohmann::json>{files[0]["same_as"], files[1]["same_as"],
                                       files[2]["same_as"]};
  };
  EXPECT_THAT(same_as({}), ElementsAre(nullptr, first, first));
  EXPECT_THAT(same_as({"--one-shard"}), ElementsAre(nullptr, nullptr, nullptr));
  EXPECT_EQ(
      RunLeafstore({"verify", File("m.safetensors.index.json"), second, "--strict"}).exit_code, 1);
  // Another index, which comes before that of the set, lists the second.
  const auto alone = SafetensorsReader::Open(second, {.one_shard = true});
  WriteFile(
      File("a.safetensors.index.json"),
      absl::StrCat(R"({"weight_map":{")", alone->name(0), R"(":"m-00002-of-00003.safetensors"}})"));
  EXPECT_THAT(same_as({}), ElementsAre(nullptr, nullptr, first));
}

}  // namespace
}  // namespace leafstore
