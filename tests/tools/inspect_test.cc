// `leafstore inspect` for people: its tables.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/writer.h"
#include "leafstore/select/partition.h"
#include "leafstore/treedef/treedef_builder.h"

#include "tests/source_dir.h"
#include "tests/tools/run_program.h"
#include "tests/tools/sample_checkpoints.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

class InspectTest : public testing::Test {
 protected:
  // Returns the output; it must succeed and print nothing on standard error.
  std::string Inspect(std::vector<std::string> args) {
    args.insert(args.begin(), {"inspect", path_});
    const Ran ran = RunLeafstore(std::move(args));
    EXPECT_EQ(ran.exit_code, 0);
    EXPECT_THAT(ran.err, IsEmpty());
    return ran.out;
  }
  static size_t CountLines(const std::string& text) {
    return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
  }

  TempDir dir_;
  const std::string path_ = dir_.File("a.leaf");
};

// The layout is part of the interface: a change of it changes this file.
TEST_F(InspectTest, Output_EqualsTheRecordedText) {
  SaveSample(path_);
  const std::string golden = SourcePath("tests/testdata/inspect_golden.txt");
  std::string found;
  for (const std::vector<std::string>& args : std::vector<std::vector<std::string>>{
           {},
           {"--stats", "--item", "params"},
           {"--depth", "1", "--item", "params"},
           {"--match", "layers.*.bias", "--group", "b=**.bias", "--item", "params"}}) {
    std::vector<std::string> all = {"inspect", "a.leaf"};
    all.insert(all.end(), args.begin(), args.end());
    absl::StrAppend(&found, "$ leafstore ", absl::StrJoin(all, " "), "\n",
                    RunLeafstore(all, {.directory = dir_.path()}).out, "\n");
  }
  if (found != ReadFile(golden)) WriteFile(testing::TempDir() + "/inspect_golden.txt", found);
  EXPECT_EQ(found, ReadFile(golden))
      << "if that is meant, take " << testing::TempDir() << "/inspect_golden.txt";
}

TEST_F(InspectTest, TiesTagsAndStaticLeaves_AreShown) {
  SaveSample(path_);
  const std::string out = Inspect({});
  EXPECT_THAT(out, ContainsRegex("  head +alias +tied to embed\n"));
  EXPECT_THAT(out, ContainsRegex("  activation +str +other +'gelu'\n"));
  EXPECT_THAT(out, ContainsRegex("  heads +int +other +8\n"));
  EXPECT_THAT(out, ContainsRegex("  layers.0.bias +f32 +\\[3\\] +12 B +first +tag no_decay\n"));
  EXPECT_THAT(out,
              ContainsRegex("params: 8 leaves \\(6 tensors, 2 static\\), 28 parameters, 104 B"));
}

TEST_F(InspectTest, Item_ChoosesByName) {
  SaveSample(path_);
  EXPECT_THAT(Inspect({"--item", "progress"}),
              AllOf(HasSubstr("progress: 1 leaf"), Not(HasSubstr("params:"))));
  EXPECT_THAT(Inspect({"--item=progress", "--item", "params"}),
              AllOf(HasSubstr("progress: 1 leaf"), HasSubstr("params: 8 leaves")));
}

TEST_F(InspectTest, Match_ListsMatchesAndLeavesBelowThem) {
  SaveSample(path_);
  const std::string out = Inspect({"--match", "layers.1", "--match", "head", "--item", "params"});
  EXPECT_THAT(out, AllOf(HasSubstr("listed: 2 leaves"), HasSubstr("  layers.1.bias"),
                         HasSubstr("  layers.1.weight"), HasSubstr("  head ")));
  EXPECT_THAT(out, AllOf(Not(HasSubstr("  layers.0")), Not(HasSubstr("  embed"))));
}

TEST_F(InspectTest, GroupsByFilter_HaveTotalsAndARest) {
  SaveSample(path_);
  const std::string out =
      Inspect({"--group", "bias=**.bias", "--group", "text=kind:str", "--item", "params"});
  EXPECT_THAT(out, ContainsRegex("  bias +2 +6 +24 B\n"));
  EXPECT_THAT(out, ContainsRegex("  text +1 +0 +0 B\n"));
  EXPECT_THAT(out, ContainsRegex("  rest +5 +22 +80 B\n"));
  EXPECT_THAT(out, Not(HasSubstr("(saved)")));
}

TEST_F(InspectTest, FilterThatMatchedTheRoot_IsNoted) {
  SaveSample(path_);
  const std::string out = Inspect({"--group", "odd=not dtype:f32", "--item", "params"});
  EXPECT_THAT(out, ContainsRegex("  odd +8 +28 +104 B\n"));
  EXPECT_THAT(out, HasSubstr("the filter of group 'odd' matched the root"));
  EXPECT_THAT(Inspect({"--group", "odd=leaf and not dtype:f32", "--item", "params"}),
              Not(HasSubstr("matched the root")));
}

TEST_F(InspectTest, Depth_PrintsSubtreesAsOneRow) {
  SaveSample(path_);
  const std::string one = Inspect({"--depth", "1", "--item", "params"});
  EXPECT_THAT(one, ContainsRegex("  layers +4 +72 B +\\(several\\)\n"));
  EXPECT_THAT(one, ContainsRegex("  embed +1 +bf16 +\\[4, 2\\] +16 B +other\n"));
  EXPECT_THAT(one, Not(HasSubstr("layers.0")));
  EXPECT_THAT(Inspect({"--depth", "0", "--item", "params"}), ContainsRegex("  \\(root\\) +8 "));
  EXPECT_THAT(Inspect({"--depth", "2", "--item", "params"}), ContainsRegex("  layers.1 +2 "));
  EXPECT_EQ(Inspect({"--depth", "99"}), Inspect({}));
}

TEST_F(InspectTest, Stats_CountNan) {
  SaveSample(path_);
  const std::string out = Inspect({"--stats", "--item", "params"});
  EXPECT_THAT(out, HasSubstr("; checksums verified\n"));
  EXPECT_THAT(out, ContainsRegex("  scale +f64 +\\[2\\] +16 B +other +2 +2 +2 +0 +2 +1 +0\n"));
  EXPECT_THAT(out, ContainsRegex("  layers.0.weight .* -6 +5 +-0.5 +3.862 +9.539 +0 +0\n"));
  EXPECT_THAT(out, ContainsRegex("  bias +1 +3 +12 B +0 +1 +0.5 +0.4082 +1.118 +0 +0\n"));
  EXPECT_THAT(Inspect({"--stats", "--no-verify"}), Not(HasSubstr("verified")));
}

// Leaves that were not read are not called verified.
TEST_F(InspectTest, Stats_VerifyOnlyListedLeaves) {
  SaveSample(path_);
  const std::string some = Inspect({"--stats", "--item", "params", "--match", "scale"});
  EXPECT_THAT(some, ContainsRegex("params: .* B\n"));
  EXPECT_THAT(some, ContainsRegex("  listed: 1 leaf, .*; checksums verified\n"));
  const std::string none = Inspect({"--stats", "--item", "params", "--match", "heads"});
  EXPECT_THAT(none, Not(HasSubstr("verified")));
}

TEST_F(InspectTest, MetricsAndBases_AreShown) {
  SaveHistory history;
  const ParamStore params =
      ParamStore::FromEntries({{Path().Attribute("w"), Tensor::Zeros(DType::kF32, {4}).value()}})
          .value();
  SaveOptions options;
  options.history = &history;
  ASSERT_TRUE(SaveCheckpoint(dir_.File("first.leaf"), {{"params", params}}, options).ok());
  options.metrics = {{"accuracy", 0.5}};
  ASSERT_TRUE(SaveCheckpoint(path_, {{"params", params}}, options).ok());
  const std::string out = Inspect({});
  EXPECT_THAT(out, HasSubstr("\n  accuracy: 0.5\n"));
  EXPECT_THAT(out, HasSubstr("\n  base: first.leaf, which holds some of the tensors\n"));
  const std::string as_json = Inspect({"--json"});
  EXPECT_THAT(as_json, HasSubstr("\"metrics\":{\"accuracy\":0.5},\"bases\":[\"first.leaf\"]"));
}

TEST_F(InspectTest, CompressedTensors_ShowTheirStoredSize) {
  SaveOptions options;
  options.zstd_level = 3;
  ParamStore store =
      ParamStore::FromEntries(
          {{Path::Parse("['zeros']").value(), Tensor::Zeros(DType::kF32, {100'000}).value()},
           {Path::Parse("['few']").value(), Tensor::Zeros(DType::kF32, {2}).value()}})
          .value();
  ASSERT_TRUE(SaveCheckpoint(path_, {{"params", store}}, options).ok());
  const std::string out = Inspect({});
  EXPECT_THAT(out, ContainsRegex("params: 2 leaves, 100,002 parameters, 390.6 KiB stored in [0-9]+ "
                                 "B \\(0.0%\\)\n"));
  EXPECT_THAT(out, ContainsRegex("PATH +DTYPE +SHAPE +BYTES +STORED\n"));
  EXPECT_THAT(out, ContainsRegex("zeros +f32 +\\[100000\\] +390.6 KiB +[0-9]+ B \\(0.0%\\)\n"));
  EXPECT_THAT(out, ContainsRegex("few +f32 +\\[2\\] +8 B\n"));
  ASSERT_TRUE(SaveCheckpoint(path_, {{"params", store}}).ok());
  EXPECT_THAT(Inspect({}), Not(HasSubstr("STORED")));
}

TEST_F(InspectTest, PartialItem_ShowsTheSizeOfItsStructure) {
  const Flattened model = SampleParams();
  const ParamStore group = std::move(Partition(model.params, {Glob("layers.0")}).value()[0]);
  Save(path_, group);
  const std::string out = Inspect({});
  EXPECT_THAT(out, HasSubstr("2 leaves, 9 parameters, 36 B; part of a structure of 8 leaves"));
  // It shows neither leaves that it does not hold, nor their ties.
  EXPECT_THAT(out, AllOf(Not(HasSubstr("embed")), Not(HasSubstr("head"))));
}

TEST_F(InspectTest, LeafAtTheRoot_HasAName) {
  TreeDefBuilder builder;
  builder.Leaf();
  const TreeDef def = std::move(builder).Build().value();
  Save(path_, ParamStore::Create(def, {Tensor::Scalar(1.5f)}).value());
  EXPECT_THAT(Inspect({}), ContainsRegex("  \\(root\\) +f32 +\\[\\] +4 B\n"));
  EXPECT_THAT(Inspect({"--match", "**", "--depth", "3"}), HasSubstr("(root)"));
}

TEST_F(InspectTest, EmptyCheckpoint_IsShown) {
  ASSERT_TRUE(SaveCheckpoint(path_, std::vector<CheckpointItem>{}).ok());
  EXPECT_THAT(Inspect({}), AllOf(StartsWith(path_), HasSubstr("0 items\n")));
  Save(path_, ParamStore());
  EXPECT_THAT(Inspect({"--stats"}), HasSubstr("params: 0 leaves, 0 parameters"));
}

TEST_F(InspectTest, PathsThatDoNotFormATree_AreListed) {
  Save(path_, ParamStore::FromEntries({{Path().Item("a"), Tensor::Scalar(1.0f)},
                                       {Path().Item("a").Item("b"), Value(2)}})
                  .value());
  EXPECT_THAT(Inspect({}), AllOf(ContainsRegex("  a +f32"), ContainsRegex("  a\\.b +int")));
  EXPECT_THAT(Inspect({"--match", "a.*"}), HasSubstr("listed: 1 leaf "));
  const Ran ran = RunLeafstore({"inspect", path_, "--depth", "1"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, HasSubstr("--depth: item 'params' has paths that do not form a tree"));
}

TEST_F(InspectTest, TenThousandLeaves_HaveALineEach) {
  Save(path_, ManyLeaves(10'000));
  const std::string out = Inspect({});
  EXPECT_EQ(CountLines(out), 3u + 1 + 10'000);
  EXPECT_THAT(out, HasSubstr("10,000 leaves, 40,000 parameters, 156.2 KiB"));
  EXPECT_THAT(out, HasSubstr("  layers.999.w9"));
  EXPECT_EQ(CountLines(Inspect({"--depth", "2"})), 3u + 1 + 1'000);
}

TEST_F(InspectTest, Columns_AlignInEveryScript) {
  Save(path_, ParamStore::FromEntries({{Path().Item("\xe6\xa8\xa1\xe5\x9e\x8b"), Value(1)},
                                       {Path().Item("e\xcc\x81t\xc3\xa9"), Value(2)},
                                       {Path().Item("wide"), Value(3)}})
                  .value());
  // Four columns, two wide characters; three, an accent combined and one precomposed; four.
  EXPECT_THAT(Inspect({}),
              AllOf(HasSubstr("  \xe6\xa8\xa1\xe5\x9e\x8b  int"),
                    HasSubstr("  e\xcc\x81t\xc3\xa9   int"), HasSubstr("  wide  int")));
}

TEST_F(InspectTest, Lines_HaveNoTrailingSpacesAndAreNotWrapped) {
  Save(path_, ParamStore::FromEntries({{Path().Item(std::string(3000, 'x')), Value(1)},
                                       {Path().Item("short"), Tensor::Scalar(1.0f)}})
                  .value());
  const std::string out = Inspect({});
  EXPECT_THAT(out, HasSubstr(std::string(3000, 'x') + "  int"));
  EXPECT_THAT(out, Not(HasSubstr(" \n")));
}

TEST_F(InspectTest, HostileNames_AreEscaped) {
  const std::string escape =
      "\x1b[31m\x1b]0;owned\x07\n\r\t\xc2\x9b"
      "31m";
  const std::string backwards =
      "\xe2\x80\xae"
      "gnp.exe";
  ParamStore store =
      ParamStore::FromEntries({{Path().Item(escape).Attribute("w"), Tensor::Scalar(1.0f)},
                               {Path().Item(backwards).Attribute("w"), Value(escape)},
                               {Path().Item("").Attribute("w"), Value(Bytes{escape})}})
          .value();
  const Grouping grouping =
      Grouping::Create(store.layout(), std::vector<uint32_t>{0, 0, 0}, {escape}).value();
  SaveOptions options;
  options.metadata = {{escape, escape}};
  ASSERT_TRUE(
      SaveCheckpoint(
          path_, {{escape, store, {.grouping = grouping, .metadata = {{escape, escape}}}}}, options)
          .ok());
  for (const std::vector<std::string>& args :
       std::vector<std::vector<std::string>>{{}, {"--json"}, {"--depth", "1"}, {"--stats"}}) {
    const std::string out = Inspect(args);
    for (const char c : out) ASSERT_TRUE(c == '\n' || (c >= 0x20 && c < 0x7f)) << out;
  }
  EXPECT_THAT(Inspect({}), AllOf(HasSubstr("  '\\x1b[31m\\x1b]0;owned\\x07\\n\\r\\t\\x9b31m'.w"),
                                 HasSubstr("  '\\u202egnp.exe'.w"), HasSubstr("  ''.w")));
}

}  // namespace
}  // namespace leafstore
