// `leafstore convert`.
#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/interop/numpy/npz.h"
#include "leafstore/interop/safetensors/writer.h"

#include "tests/tools/tool_test.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

class ConvertTest : public ToolTest {
 protected:
  std::string Plain(const std::string& name, std::optional<Metadata> metadata) {
    const std::vector<NamedTensor> tensors = {
        {"layers.0.weight", Tensor::From<float>({2, 2}, {1, 2, 3, 4}).value()},
        {"layers.0.bias", Tensor::Zeros(DType::kBF16, {3}).value()},
        {"head", Tensor::Scalar(int64_t{7})}};
    EXPECT_TRUE(SaveSafetensors(File(name), tensors, {.metadata = std::move(metadata)}).ok());
    return File(name);
  }
};

TEST_F(ConvertTest, Safetensors_RoundTripsToTheSameBytes) {
  for (const std::optional<Metadata>& metadata :
       {std::optional<Metadata>(), std::optional<Metadata>(Metadata()),
        std::optional<Metadata>(Metadata{{"format", "pt"}})}) {
    const std::string file = Plain("in.safetensors", metadata);
    EXPECT_THAT(Out({"convert", file, File("m.leaf"), "--force"}),
                StartsWith(File("m.leaf") + ": "));
    Out({"convert", File("m.leaf"), File("out.safetensors"), "--force"});
    EXPECT_EQ(ReadFile(File("out.safetensors")), ReadFile(file));
    Out({"convert", file, File("direct.safetensors"), "--force"});
    EXPECT_EQ(ReadFile(File("direct.safetensors")), ReadFile(file));
  }
}

TEST_F(ConvertTest, Safetensors_KeepsStructureStaticLeavesAndTies) {
  Sample();
  Out({"convert", File("a.leaf"), File("b.safetensors"), "--item", "params"});
  Out({"convert", File("b.safetensors"), File("c.leaf")});
  Out({"diff", File("a.leaf"), File("c.leaf"), "--item", "params"});
  EXPECT_THAT(Out({"tree", File("c.leaf")}),
              AllOf(HasSubstr("struct Model"), HasSubstr("tied to embed"), HasSubstr("'gelu'")));
}

TEST_F(ConvertTest, Checkpoint_KeepsItemsGroupsAndMetadata) {
  Sample();
  Out({"convert", File("a.leaf"), File("b.leaf")});
  EXPECT_EQ(ReadFile(File("b.leaf")), ReadFile(File("a.leaf")));
}

TEST_F(ConvertTest, Zstd_CompressesTensors) {
  Save(File("a.leaf"),
       ParamStore::FromEntries({{Path().Item("w"), Tensor::Zeros(DType::kF32, {100'000}).value()}})
           .value());
  Out({"convert", File("a.leaf"), File("b.leaf"), "--zstd", "--zstd-level", "1"});
  EXPECT_LT(ReadFile(File("b.leaf")).size(), 10'000u);
  Out({"diff", File("a.leaf"), File("b.leaf")});
}

TEST_F(ConvertTest, Shards_RoundTrip) {
  Save(File("a.leaf"), ManyLeaves(20));
  Out({"convert", File("a.leaf"), File("b.safetensors"), "--shard-size", "64"});
  EXPECT_TRUE(std::filesystem::exists(File("b.safetensors.index.json")));
  Out({"convert", File("b.safetensors.index.json"), File("c.leaf")});
  Out({"diff", File("a.leaf"), File("c.leaf")});
  EXPECT_THAT(Error({"convert", File("a.leaf"), File("b.safetensors"), "--shard-size", "64"}, 1),
              AllOf(HasSubstr("b.safetensors.index.json"), HasSubstr("--force replaces it")));
  Out({"convert", File("a.leaf"), File("b.safetensors"), "--shard-size", "128", "--force"});
  Out({"diff", File("a.leaf"), File("b.safetensors.index.json")});
}

TEST_F(ConvertTest, Npz_RoundTrips) {
  Sample();
  EXPECT_THAT(Error({"convert", File("a.leaf"), File("b.npz"), "--item", "params"}, 2),
              AllOf(HasSubstr("b.npz: expected only tensors for .npz, found the static leaf"),
                    HasSubstr("--drop-static")));
  const Ran ran = RunLeafstore({"convert", File("a.leaf"), File("b.npz"), "--item", "params",
                                "--match", "layers", "--deflate"});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.err, HasSubstr("2 entries of the metadata are left out: .npz has no metadata"));
  const ParamStore found = LoadNpz(File("b.npz")).value();
  EXPECT_EQ(found.size(), 4u);
  Out({"convert", File("b.npz"), File("c.leaf")});
  Out({"diff", File("a.leaf"), File("c.leaf"), "--item", "params", "--match", "layers"});
}

TEST_F(ConvertTest, Match_KeepsTheFullStructure) {
  Sample();
  Out({"convert", File("a.leaf"), File("b.leaf"), "--item", "params", "--match", "layers.0"});
  EXPECT_THAT(Out({"inspect", File("b.leaf")}), HasSubstr("part of a structure of 8 leaves"));
  Out({"convert", File("a.leaf"), File("w.npy"), "--item", "params", "--match", "scale"});
  EXPECT_EQ(Out({"cat", File("w.npy")}), "[nan  2.]\n");
}

TEST_F(ConvertTest, InAndOut_MayBeTheSameFile) {
  Sample();
  const std::string whole = ReadFile(File("a.leaf"));
  EXPECT_THAT(Error({"convert", File("a.leaf"), File("a.leaf")}, 1),
              HasSubstr("it already exists"));
  Out({"convert", File("a.leaf"), File("a.leaf"), "--force"});
  EXPECT_EQ(ReadFile(File("a.leaf")), whole);
  Out({"convert", File("a.leaf"), File("a.leaf"), "--force", "--zstd"});
  Out({"verify", File("a.leaf")});
  EXPECT_EQ(Files(), "a.leaf ");
}

TEST_F(ConvertTest, InvalidArguments_AreUsageErrors) {
  Sample();
  const std::string a = File("a.leaf");
  EXPECT_THAT(Error({"convert", a, File("b")}, 2), HasSubstr("a name that ends in .leaf"));
  EXPECT_THAT(Error({"convert", a, File("b"), "--to", "gguf"}, 2), HasSubstr("found 'gguf'"));
  EXPECT_THAT(Error({"convert", a, File("b.npz"), "--zstd"}, 2),
              HasSubstr("--zstd is only for .leaf"));
  EXPECT_THAT(Error({"convert", a, File("b.leaf"), "--shard-size", "5G"}, 2),
              HasSubstr("--shard-size"));
  EXPECT_THAT(
      Error({"convert", a, File("b.safetensors"), "--shard-size", "many", "--item", "params"}, 2),
      HasSubstr("found 'many'"));
  EXPECT_THAT(Error({"convert", a, File("b.safetensors")}, 2), HasSubstr("--item chooses one"));
  EXPECT_THAT(Error({"convert", a, File("b.leaf"), "--zstd", "--zstd-level", "99"}, 2),
              HasSubstr("--zstd-level: expected an integer from 1 to 22, found '99'"));
  EXPECT_THAT(Error({"convert", a, File("b.leaf"), "--zstd-level", "9"}, 2),
              HasSubstr("--zstd-level is only for --zstd"));
  EXPECT_THAT(
      Error({"convert", a, File("b.leaf"), "--match", "laiers"}, 2),
      HasSubstr("--match 'laiers' matches no leaf; no key is 'laiers'; did you mean layers?"));
  EXPECT_THAT(Error({"convert", a, File("none/b.leaf")}, 1),
              AllOf(HasSubstr("none/b.leaf: "), testing::Not(HasSubstr(".tmp-"))));
  EXPECT_EQ(Files(), "a.leaf ");
}

TEST_F(ConvertTest, ReplacedFile_KeepsItsMode) {
  Sample();
  Out({"convert", File("a.leaf"), File("b.leaf")});
  for (const mode_t mode : {0600, 0640, 0400}) {
    ASSERT_EQ(chmod(File("b.leaf").c_str(), mode), 0);
    Out({"convert", File("a.leaf"), File("b.leaf"), "--force"});
    struct stat status = {};
    ASSERT_EQ(stat(File("b.leaf").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, mode);
  }
}

TEST_F(ConvertTest, SymbolicLink_StaysAndItsFileIsReplaced) {
  Sample();
  std::filesystem::create_directory(File("real"));
  WriteFile(File("real/b.leaf"), "old");
  std::filesystem::create_symlink("real/b.leaf", File("link.leaf"));
  EXPECT_THAT(Error({"convert", File("a.leaf"), File("link.leaf")}, 1),
              HasSubstr("link.leaf: it already exists"));
  EXPECT_EQ(ReadFile(File("real/b.leaf")), "old");
  EXPECT_THAT(RunLeafstore({"convert", File("a.leaf"), File("link.leaf"), "--force"}).err,
              HasSubstr("it is a symbolic link"));
  EXPECT_TRUE(std::filesystem::is_symlink(File("link.leaf")));
  EXPECT_EQ(ReadFile(File("real/b.leaf")), ReadFile(File("a.leaf")));
  // The target of a dead link is created.
  std::filesystem::remove(File("real/b.leaf"));
  EXPECT_THAT(RunLeafstore({"convert", File("a.leaf"), File("link.leaf"), "--force"}).err,
              HasSubstr("it is a symbolic link"));
  EXPECT_EQ(ReadFile(File("real/b.leaf")), ReadFile(File("a.leaf")));
  EXPECT_EQ(Files(), "a.leaf link.leaf real ");
}

TEST_F(ConvertTest, LoopOfLinks_IsAnError) {
  Sample();
  std::filesystem::create_symlink("b.leaf", File("c.leaf"));
  std::filesystem::create_symlink("c.leaf", File("b.leaf"));
  EXPECT_THAT(Error({"convert", File("a.leaf"), File("b.leaf"), "--force"}, 1),
              HasSubstr("b.leaf: cannot inspect it: Too many levels of symbolic links"));
  EXPECT_TRUE(std::filesystem::is_symlink(File("b.leaf")));
}

TEST_F(ConvertTest, MatchOfOnlyAnAlias_IsAnError) {
  EXPECT_THAT(Error({"convert", Sample(), File("b.leaf"), "--match", "head"}, 2),
              HasSubstr("--match 'head' matches no leaf, only an alias of one"));
  EXPECT_EQ(Files(), "a.leaf ");
}

TEST_F(ConvertTest, NoVerify_NotesDamagedTensors) {
  Save(File("d.leaf"), ParamStore::FromEntries({{Path().Item("w"), Tensor::Scalar(1.0f)},
                                                {Path().Item("x"), Tensor::Scalar(1.0f)}})
                           .value());
  FlipBit(File("d.leaf"), 64);
  EXPECT_THAT(Error({"convert", File("d.leaf"), File("e.leaf")}, 1),
              HasSubstr("expected checksum"));
  const Ran ran = RunLeafstore({"convert", File("d.leaf"), File("e.leaf"), "--no-verify"});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.err,
              AllOf(HasSubstr("d.leaf: warning: "), HasSubstr("'['w']': expected checksum"),
                    HasSubstr("the copy will look intact")));
  EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  Out({"convert", File("d.leaf"), File("x.leaf"), "--no-verify", "--match", "x"});
}

TEST_F(ConvertTest, Json_ListsTheFiles) {
  Sample();
  const auto json = Json({"convert", File("a.leaf"), File("b.leaf")});
  EXPECT_EQ(json["files"][0]["file"], File("b.leaf"));
  EXPECT_EQ(json["files"][0]["bytes"], ReadFile(File("b.leaf")).size());
}

TEST_F(ConvertTest, DType_ConvertsFloatingLeavesAndCountsLosses) {
  const float small = std::ldexp(1.0f, -20);
  Save(File("a.leaf"),
       ParamStore::FromEntries(
           {{Path().Item("w"), Tensor::From<float>({5}, {1, 0.1f, 1e6f, 1e-10f, small}).value()},
            {Path().Item("norm"), Tensor::From<double>({1}, {0.5}).value()},
            {Path().Item("step"), Tensor::Scalar<int64_t>(7)},
            {Path().Item("name"), Value("x")}})
           .value());
  const Ran ran = RunLeafstore(
      {"convert", File("a.leaf"), File("b.leaf"), "--dtype", "norm=f32", "--dtype", "f16"});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.out, AllOf(HasSubstr("\n  f32: 1 leaf, 1 element: all exact\n"),
                             HasSubstr("\n  f16: 1 leaf, 5 elements: 1 overflowed to infinity, 1 "
                                       "became zero, 1 rounded\n")));
  EXPECT_EQ(ran.err,
            "leafstore: warning: 1 element too large for f16 became infinite; the first is in w\n");
  EXPECT_THAT(Out({"inspect", File("b.leaf")}),
              AllOf(HasSubstr("norm  f32 "), HasSubstr("step  i64 "), HasSubstr("w     f16 ")));
  const Ran json =
      RunLeafstore({"convert", File("a.leaf"), File("c.leaf"), "--dtype", "w=bf16", "--json"});
  EXPECT_EQ(nlohmann::json::parse(json.out)["conversions"].dump(),
            R"([{"dtype":"bf16","elements":5,"leaves":1,"overflowed":0,"rounded":3,)"
            R"("to_subnormal":0,"to_zero":0}])");
  const auto convert = [this](const char* dtype) {
    return Error({"convert", File("a.leaf"), File("d.leaf"), "--dtype", dtype}, 2);
  };
  EXPECT_THAT(convert("i8"), HasSubstr("expected f64, f32, f16 or bf16, found i8"));
  EXPECT_THAT(convert("bf17"), HasSubstr("--dtype 'bf17': "));
  EXPECT_THAT(convert("v=bf16"), HasSubstr("--dtype 'v' matches no leaf"));
}

TEST_F(ConvertTest, Mkdirs_MakesTheDirectory) {
  Save(File("a.leaf"), ManyLeaves(1));
  const std::string out = File("x/y/b.leaf");
  EXPECT_THAT(Error({"convert", File("a.leaf"), out}, 1),
              HasSubstr("expected the directory " + File("x/y") + ", found none; --mkdirs"));
  EXPECT_EQ(Files(), "a.leaf ");
  Out({"convert", File("a.leaf"), out, "--mkdirs"});
  Out({"diff", File("a.leaf"), out});
}

TEST_F(ConvertTest, ForceThroughALink_SaysWhatIsWritten) {
  Save(File("a.leaf"), ManyLeaves(1));
  WriteFile(File("real.leaf"), "old");
  std::filesystem::create_symlink("real.leaf", File("link.leaf"));
  const Ran ran = RunLeafstore({"convert", File("a.leaf"), File("link.leaf"), "--force"});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_EQ(ran.err, "leafstore: " + File("link.leaf") +
                         ": note: it is a symbolic link; the file that was written is " +
                         std::filesystem::canonical(File("real.leaf")).string() + "\n");
}

TEST_F(ConvertTest, ReadingOptions_AreThoseOfTheLibrary) {
  const std::string file = Plain("a.safetensors", std::nullopt);
  Out({"convert", file, File("b.leaf"), "--read"});
  EXPECT_EQ(Out({"cat", File("b.leaf"), "--read"}), Out({"cat", file, "--read"}));
  EXPECT_THAT(Error({"inspect", file, "--max-header", "16"}, 1), HasSubstr("at most 16 bytes"));
  Out({"inspect", file, "--max-header", "1k"});
  EXPECT_THAT(Error({"inspect", file, "--max-header", "x"}, 2),
              HasSubstr("--max-header: expected a number of bytes"));
}

}  // namespace
}  // namespace leafstore
