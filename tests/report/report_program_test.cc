// The program `leafstore report`: its output files and its errors.
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/treedef/treedef_builder.h"

#include "tests/report/sample_reports.h"

namespace leafstore {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class ReportProgramTest : public testing::Test {
 protected:
  void SetUp() override { SaveSample(path_); }

  // Runs it in the directory, with relative names.
  Ran Report(std::vector<std::string> args) const {
    args.insert(args.begin(), "report");
    return RunLeafstore(std::move(args), {.directory = dir_.path()});
  }

  TempDir dir_;
  const std::string path_ = dir_.File("a.leaf");
};

TEST_F(ReportProgramTest, DefaultName_IsThatOfTheFile) {
  const Ran ran = Report({"a.leaf"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.out, "a.leaf.html\n");
  EXPECT_THAT(ran.err, IsEmpty());
  EXPECT_THAT(dir_.List(), ElementsAre("a.leaf", "a.leaf.html"));
  EXPECT_THAT(ReadFile(dir_.File("a.leaf.html")), StartsWith("<!DOCTYPE html>"));
}

TEST_F(ReportProgramTest, TooManyNodes_AreAnError) {
  constexpr int kNodes = 1'000'010;
  TreeDefBuilder builder;
  for (int i = 0; i < kNodes; ++i) builder.Open(NodeKind::kList);
  builder.Leaf();
  for (int i = 0; i < kNodes; ++i) builder.Close();
  const ParamStore chain =
      ParamStore::Create(std::move(builder).Build().value(), {Value(1)}).value();
  ASSERT_TRUE(SaveCheckpoint(dir_.File("chain.leaf"), {{"params", chain}}).ok());
  const Ran ran = Report({"chain.leaf"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, HasSubstr("chain.leaf: item 'params': expected at most 1000000 nodes"));
  EXPECT_THAT(dir_.List(), ElementsAre("a.leaf", "chain.leaf"));
}

TEST_F(ReportProgramTest, Output_ChoosesTheFile) {
  EXPECT_EQ(Report({"a.leaf", "-o", "page.html"}).exit_code, 0);
  const Ran ran = Report({"a.leaf", "-o", "-"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.out, ReadFile(dir_.File("page.html")));
}

TEST_F(ReportProgramTest, TwoFilesAndADirectory_HaveDefaultNames) {
  SaveSample(dir_.File("b.leaf"));
  SaveSteps(dir_.File("run"), {1}, GrowingStores(1, 1, 4));
  EXPECT_EQ(Report({"a.leaf", "b.leaf"}).out, "a.leaf-b.leaf.html\n");
  EXPECT_EQ(Report({"run/"}).out, "run.html\n");
}

TEST_F(ReportProgramTest, ExistingFile_IsReplacedOnlyWithForce) {
  WriteFile(dir_.File("page.html"), "mine");
  const Ran ran = Report({"a.leaf", "-o", "page.html"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, HasSubstr("page.html"));
  EXPECT_THAT(ran.err, HasSubstr("--force"));
  EXPECT_EQ(ReadFile(dir_.File("page.html")), "mine");
  EXPECT_EQ(Report({"a.leaf", "-o", "page.html", "--force"}).exit_code, 0);
  EXPECT_THAT(ReadFile(dir_.File("page.html")), StartsWith("<!DOCTYPE html>"));
}

TEST_F(ReportProgramTest, Json_WritesTheData) {
  const Ran ran = Report({"a.leaf", "--json"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(nlohmann::json::parse(ran.out)["schema"], 2);
  EXPECT_THAT(dir_.List(), ElementsAre("a.leaf"));
  EXPECT_EQ(Report({"a.leaf", "--json", "-o", "data.json"}).exit_code, 0);
  EXPECT_EQ(ReadFile(dir_.File("data.json")), ran.out);
}

TEST_F(ReportProgramTest, InvalidArguments_AreUsageErrors) {
  SaveSample(dir_.File("b.leaf"));
  struct Case {
    std::vector<std::string> args;
    std::string words;
  };
  for (const Case& wrong :
       {Case{{}, "FILE"}, Case{{"a.leaf", "b.leaf", "c.leaf"}, "c.leaf"},
        Case{{"a.leaf", "b.leaf", "--step", "1"},
             "--step: expected one file, found two; name a step as DIRECTORY@STEP"},
        Case{{"a.leaf", "--steps", "1"}, "--steps"},
        Case{{"a.leaf", "--group", "nothing"}, "nothing"},
        Case{{"a.leaf", "--match", "a..b"}, "a..b"},
        Case{{"a.leaf", "--match", "nothing.**"}, "--match 'nothing.**' matches no leaf"},
        Case{{"a.leaf", "--group", "b=**.bais"}, "has no leaves: b=**.bais; no key is 'bais'"},
        Case{{"a.leaf", "--item", "parms"}, "did you mean params?"}}) {
    const Ran ran = Report(wrong.args);
    EXPECT_EQ(ran.exit_code, 2) << ran.err;
    EXPECT_THAT(ran.err, StartsWith("leafstore: "));
    EXPECT_THAT(ran.err, HasSubstr(wrong.words));
  }
  EXPECT_THAT(dir_.List(), ElementsAre("a.leaf", "b.leaf"));
}

TEST_F(ReportProgramTest, MissingOrInvalidFile_IsNamed) {
  const Ran missing = Report({"c.leaf"});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_THAT(missing.err, HasSubstr("c.leaf"));
  WriteFile(dir_.File("text"), "no checkpoint at all, but long enough to be looked at: 0123456789");
  const Ran text = Report({"text"});
  EXPECT_EQ(text.exit_code, 1);
  EXPECT_THAT(text.err, HasSubstr("text"));
  EXPECT_THAT(dir_.List(), ElementsAre("a.leaf", "text"));
}

TEST_F(ReportProgramTest, DamagedTensor_IsAnErrorWithoutNoVerify) {
  std::string bytes = ReadFile(path_);
  bytes[64] ^= 1;
  WriteFile(path_, bytes);
  const Ran ran = Report({"a.leaf"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, HasSubstr("expected checksum"));
  EXPECT_THAT(dir_.List(), ElementsAre("a.leaf"));
  EXPECT_EQ(Report({"a.leaf", "--no-verify"}).exit_code, 0);
}

TEST_F(ReportProgramTest, TwoFiles_DamagedFileIsNamed) {
  std::string bytes = ReadFile(path_);
  bytes[64] ^= 1;
  SaveSample(dir_.File("good.leaf"));
  WriteFile(dir_.File("bad.leaf"), bytes);
  const auto words =
      testing::AllOf(StartsWith("leafstore: bad.leaf: "), HasSubstr("expected checksum"),
                     testing::Not(HasSubstr("good.leaf")));
  for (const auto& files :
       {std::pair<const char*, const char*>{"bad.leaf", "good.leaf"}, {"good.leaf", "bad.leaf"}}) {
    const Ran ran = Report({files.first, files.second, "-o", "page.html"});
    EXPECT_EQ(ran.exit_code, 1);
    EXPECT_THAT(ran.err, words);
  }
  // Also if the two have no common leaf.
  SaveSteps(dir_.File("run"), {1}, GrowingStores(1, 1, 4));
  EXPECT_THAT(Report({"bad.leaf", "run", "-o", "page.html"}).err, words);
  EXPECT_THAT(Report({"run", "bad.leaf", "-o", "page.html"}).err, words);
  EXPECT_THAT(dir_.List(), ElementsAre("a.leaf", "bad.leaf", "good.leaf", "run"));
}

TEST_F(ReportProgramTest, ManySteps_NeedFewOpenFiles) {
  std::vector<int64_t> steps;
  for (int64_t i = 0; i < 60; ++i) steps.push_back(i);
  SaveSteps(dir_.File("run"), steps, GrowingStores(60, 1, 4));
  const Ran ran = RunShell(absl::StrCat(
      "cd ", dir_.path(), " && ulimit -n 32 && \"$LEAFSTORE\" report run --steps 100 --json"));
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  const nlohmann::json report = nlohmann::json::parse(ran.out);
  EXPECT_EQ(report["steps"], nlohmann::json(steps));
  EXPECT_TRUE(report["skipped"].empty());
  EXPECT_EQ(report["items"][0]["series"]["l2"][0].size(), 60u);
}

TEST_F(ReportProgramTest, FilesOfAnotherProcess_DoNotInterfere) {
  const Ran ran = RunShell(absl::StrCat(
      "cd ", dir_.path(),
      " && touch page.html.tmp-$$-0 && exec \"$LEAFSTORE\" report a.leaf -o page.html"));
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ReadFile(dir_.File("page.html")), StartsWith("<!DOCTYPE html>"));
}

TEST_F(ReportProgramTest, WriteError_LeavesNoFile) {
  const Ran nowhere = Report({"a.leaf", "-o", "no/such/page.html"});
  EXPECT_EQ(nowhere.exit_code, 1);
  EXPECT_THAT(nowhere.err, HasSubstr("no/such"));
  EXPECT_EQ(Report({"a.leaf", "-o", "."}).exit_code, 1);
  EXPECT_THAT(dir_.List(), ElementsAre("a.leaf"));
}

TEST_F(ReportProgramTest, FullDiskAndClosedPipe_AreReported) {
  const Ran full = RunLeafstore({"report", path_, "-o", "-"}, {.stdout_to = "/dev/full"});
  EXPECT_EQ(full.exit_code, 1);
  EXPECT_THAT(full.err, HasSubstr("No space left"));
  const Ran closed = RunShell(absl::StrCat("\"$LEAFSTORE\" report ", path_, " -o - | head -c 10"));
  EXPECT_EQ(closed.out, "<!DOCTYPE ");
  EXPECT_THAT(closed.err, IsEmpty());
}

TEST_F(ReportProgramTest, Signal_LeavesNoFile) {
  // Enough data for several times the waiting time.
  const Tensor numbers = Tensor::Zeros(DType::kF32, {1 << 20}).value();
  std::vector<std::pair<Path, Leaf>> entries;
  for (int i = 0; i < 64; ++i) entries.emplace_back(Path().Index(i), numbers);
  Save(dir_.File("large.leaf"), ParamStore::FromEntries(std::move(entries)).value());
  const Ran ran = RunShell(absl::StrCat(
      "cd ", dir_.path(), " && timeout -s INT 0.05 \"$LEAFSTORE\" report large.leaf; echo $?"));
  EXPECT_EQ(ran.out, "124\n") << ran.err;
  EXPECT_THAT(dir_.List(), ElementsAre("a.leaf", "large.leaf"));
}

TEST_F(ReportProgramTest, EqualInput_ProducesEqualPages) {
  EXPECT_EQ(Report({"a.leaf", "-o", "-"}).out, Report({"a.leaf", "-o", "-"}).out);
}

TEST_F(ReportProgramTest, Help_HasExamples) {
  const Ran ran = Report({"--help"});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.out, HasSubstr("leafstore report run@100 run@200"));
}

}  // namespace
}  // namespace leafstore
