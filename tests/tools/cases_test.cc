// The files of tests/cases, which are as people have them: each folder gives what its EXPECT says,
// by the command and through the library.
#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/interop/numpy/npz.h"
#include "leafstore/interop/safetensors/reader.h"
#include "leafstore/numeric/diff.h"

#include "tests/source_dir.h"
#include "tests/tools/tool_test.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

using Args = std::vector<std::string>;

const std::string kCases = SourcePath("tests/cases");

// The folders whose files are read with a note, the path that is read, and the count of its leaves.
struct Readable {
  const char* folder;
  const char* path;
  uint32_t leaves;
  const char* note;
};
constexpr Readable kReadable[] = {
    {"shards-without-index", "", 2,
     "all 2 shards are read as one set; `leafstore merge` writes one file"},
    {"index-uses-part-of-a-shard", "", 2, "'old.weight'"},
    {"index-total-size-wrong", "", 2, "a total_size of 32, the bytes of what it lists, found 48"},
    {"index-total-size-float", "", 2, "found 32.0"},
    {"index-metadata-null", "", 2, "found null"},
    {"index-third-field", "", 2, "'format'"},
    {"header-metadata-null", "/m.safetensors", 1, "found null"},
    {"header-newline", "/m.safetensors", 1, "found '\\n'"},
    {"header-tab", "/m.safetensors", 1, "found '\\t'"},
    {"header-leading-space", "/m.safetensors", 1, "found ' '"},
    {"header-fourth-field", "/m.safetensors", 1, "'note'"}};

class CasesTest : public ToolTest {
 protected:
  static std::string Case(const std::string& name) { return kCases + "/" + name; }
  // Returns a copy that may be changed.
  std::string Copy(const std::string& name) const {
    std::filesystem::copy(Case(name), File(name), std::filesystem::copy_options::recursive);
    return File(name);
  }
};

TEST_F(CasesTest, EveryFolder_IsTested) {
  std::set<std::string> expected = {"one-shard-of-three",
                                    "foreign",
                                    "one-unknown-dtype",
                                    "npz-with-strings",
                                    "write-over-a-set",
                                    "same-weights-two-spellings",
                                    "slashes"};
  for (const Readable& one : kReadable) expected.insert(one.folder);
  std::set<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(kCases)) {
    if (entry.is_directory()) found.insert(entry.path().filename().string());
  }
  EXPECT_EQ(found, expected);
}

TEST_F(CasesTest, UnusualFiles_AreReadWithANote) {
  for (const auto& [folder, path, leaves, note] : kReadable) {
    SCOPED_TRACE(folder);
    for (const std::string& file : std::set<std::string>{Case(folder), Case(folder) + path}) {
      const Ran ran = RunLeafstore({"inspect", file, "--json"});
      EXPECT_EQ(ran.exit_code, 0);
      EXPECT_THAT(ran.err, AllOf(HasSubstr(note), Not(HasSubstr("damaged"))));
      const auto json = nlohmann::json::parse(ran.out);
      EXPECT_EQ(json["items"][0]["rows"].size(), leaves);
      EXPECT_THAT(json["notes"], SizeIs(1));
      EXPECT_EQ(RunLeafstore({"inspect", file, "--strict"}).exit_code, 1);

      const SafetensorsReader reader = SafetensorsReader::Open(file).value();
      EXPECT_THAT(reader.notes(), ElementsAre(HasSubstr(note)));
      EXPECT_EQ(reader.Load().value().size(), leaves);
      EXPECT_TRUE(reader.Verify().ok());
      const absl::Status strict = SafetensorsReader::Open(file, {.strict = true}).status();
      EXPECT_EQ(ReasonOf(strict), ErrorReason::kUnusual) << strict;
    }
  }
}

TEST_F(CasesTest, OneShardOfThree_IsNeverTheModel) {
  constexpr char kMissing[] =
      "missing: model-00002-of-00003.safetensors, model-00003-of-00003.safetensors";
  const std::string shard = "model-00001-of-00003.safetensors";
  for (const std::string& file :
       {Case("one-shard-of-three"), Case("one-shard-of-three") + "/" + shard}) {
    for (const Args& args : {Args{"inspect", file}, Args{"cat", file}, Args{"diff", file, file},
                             Args{"convert", file, File("out.leaf")}}) {
      const Ran ran = RunLeafstore(args);
      EXPECT_EQ(ran.exit_code, args[0] == "diff" ? 2 : 1);
      EXPECT_THAT(ran.err, AllOf(HasSubstr("found 1: " + shard), HasSubstr(kMissing)));
    }
    EXPECT_EQ(ReasonOf(SafetensorsReader::Open(file).status()), ErrorReason::kIncomplete);
  }
  EXPECT_THAT(
      Error({"merge", Case("one-shard-of-three") + "/" + shard, "--out", File("out.leaf")}, 2),
      HasSubstr(kMissing));
  EXPECT_EQ(Files(), "");
}

TEST_F(CasesTest, ForeignFiles_AreNamed) {
  const std::pair<const char*, const char*> cases[] = {
      {"pointer.safetensors", "a Git LFS pointer.*git lfs pull"},
      {"page.safetensors", "a web page.*Access denied.*download the file again"},
      {"config.json", "with a field weight_map, found JSON.*name the file with the tensors"},
      {"model.gguf", "a GGUF file"},
      {"weights.h5", "an HDF5 file.*h5py"},
      {"old.pth", "PyTorch.*torch.load"}};
  for (const auto& [name, words] : cases) {
    const std::string file = Case("foreign") + "/" + name;
    EXPECT_THAT(Error({"inspect", file}, 1),
                AllOf(ContainsRegex(words), Not(HasSubstr("damaged"))));
    const absl::Status status = SafetensorsReader::Open(file).status();
    EXPECT_EQ(ReasonOf(status), ErrorReason::kForeign) << status;
  }
}

TEST_F(CasesTest, OneUnknownDType_DoesNotAffectTheOther) {
  const std::string file = Case("one-unknown-dtype") + "/m.safetensors";
  const Ran inspect = RunLeafstore({"inspect", file});
  EXPECT_EQ(inspect.exit_code, 0);
  EXPECT_THAT(inspect.out, AllOf(HasSubstr("w "), HasSubstr("not readable: q: dtype 'NF4'")));
  EXPECT_EQ(RunLeafstore({"cat", file, "w"}).out, "[0. 1.]\n");
  EXPECT_EQ(RunLeafstore({"convert", file, File("a.leaf")}).exit_code, 2);
  EXPECT_EQ(RunLeafstore({"convert", file, File("a.leaf"), "--skip-unreadable"}).exit_code, 0);
  EXPECT_EQ(Out({"cat", File("a.leaf")}), "[0. 1.]\n");

  const SafetensorsReader reader = SafetensorsReader::Open(file).value();
  EXPECT_THAT(reader.unreadable(), SizeIs(1));
  EXPECT_TRUE(reader.LoadTensor("w").ok());
  EXPECT_TRUE(absl::IsUnimplemented(reader.Load().status()));
  EXPECT_EQ(LoadSafetensors(file, {.skip_unreadable = true}).value().size(), 1u);
}

TEST_F(CasesTest, NpzWithStrings_IsReadWithoutThem) {
  const std::pair<std::string, std::vector<const char*>> cases[] = {
      {"params.npz", {"vocab", "version"}}, {"w.npz", {"config.json"}}};
  for (const auto& [name, others] : cases) {
    const std::string file = Case("npz-with-strings") + "/" + name;
    EXPECT_EQ(RunLeafstore({"cat", file, "w"}).out, "[1. 1.]\n");
    for (const char* other : others) {
      EXPECT_THAT(RunLeafstore({"inspect", file}).out,
                  HasSubstr(std::string("not readable: ") + other));
    }
    EXPECT_EQ(RunLeafstore({"convert", file, File("a.leaf"), "--force"}).exit_code, 2);
    EXPECT_EQ(
        RunLeafstore({"convert", file, File("a.leaf"), "--skip-unreadable", "--force"}).exit_code,
        0);
    EXPECT_EQ(Out({"cat", File("a.leaf")}), "[1. 1.]\n");

    EXPECT_EQ(LoadNpz(file, {.skip_unreadable = true}).value().size(), 1u);
    EXPECT_THAT(LoadNpzTensors(file, {.skip_unreadable = true}).value().unreadable,
                SizeIs(others.size()));
  }
}

TEST_F(CasesTest, TwoSpellings_AreComparedByRenameAndWithinATolerance) {
  const std::string dir = Case("same-weights-two-spellings");
  const std::string a = dir + "/a.safetensors";
  const std::string b = dir + "/b.safetensors";
  const std::string c = dir + "/c.safetensors";
  Out({"diff", a, b}, 1);
  EXPECT_EQ(Out({"diff", a, b, "--rename", "model.**=**"}), "");
  Out({"diff", b, c}, 1);
  const Ran ran = RunLeafstore({"diff", b, c, "--rtol", "0.01"});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, HasSubstr("w (f32[4] and bf16[4])"));
  EXPECT_EQ(RunLeafstore({"diff", a, c, "--rename", "model.**=**", "--rtol", "0.01"}).exit_code, 0);

  const ParamStore before = LoadSafetensors(b).value();
  const ParamStore after = LoadSafetensors(c).value();
  EXPECT_FALSE(DiffStores(before, after)->same());
  EXPECT_TRUE(DiffStores(before, after, {.rtol = 0.01, .across_dtypes = true})->same());
}

TEST_F(CasesTest, FileOverASet_NeedsForce) {
  const std::string dir = Copy("write-over-a-set");
  const std::string out = dir + "/out";
  const Args args = {"convert", dir + "/small.safetensors", out + "/model.safetensors"};
  EXPECT_THAT(Error(args, 1), HasSubstr("--force"));
  EXPECT_EQ(SafetensorsReader::Open(out).value().size(), 2u);
  Args force = args;
  force.push_back("--force");
  Out(force);
  EXPECT_EQ(Out({"cat", out}), "[0.]\n");
  EXPECT_EQ(SafetensorsReader::Open(out).value().size(), 1u);
  // The other way round: a set over a file.
  const Args set = {"convert", Case("write-over-a-set") + "/out", out + "/model.safetensors",
                    "--shard-size", "16"};
  EXPECT_THAT(Error(set, 1), HasSubstr("--force"));
  Args force_set = set;
  force_set.push_back("--force");
  Out(force_set);
  EXPECT_EQ(SafetensorsReader::Open(out).value().size(), 2u);
  const SafetensorsReader reader = SafetensorsReader::Open(out).value();
  EXPECT_THAT(reader.notes(), SizeIs(0));
}

TEST_F(CasesTest, Slashes_AreAHierarchy) {
  const std::string file = Case("slashes") + "/vit.npz";
  EXPECT_THAT(Out({"tree", file, "--names", "slash"}),
              ContainsRegex("Transformer .*\n    *encoderblock_0 .*\n    *MlpBlock_3 .*\n    "
                            "*Dense_0 .*\n    *kernel"));
  EXPECT_THAT(Out({"inspect", file, "--names", "slash", "--match", "Transformer.*.*.**.kernel"}),
              HasSubstr("Transformer.encoderblock_0.MlpBlock_3.Dense_0.kernel"));
  const ParamStore store = LoadNpz(file, {.names = NameStyle::kSlash}).value();
  EXPECT_NE(store.Find("['Transformer']['encoderblock_0']['MlpBlock_3']['Dense_0']['kernel']"),
            nullptr);
}

}  // namespace
}  // namespace leafstore
