// More kinds of files and directories as people have them: what the message says, and what is read.
#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/interop/npy_files.h"
#include "tests/interop/safetensors_files.h"
#include "tests/tools/tool_test.h"
#include "tests/tools/zip_files.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class OtherFilesTest : public ToolTest {
 protected:
  std::string Write(const std::string& name, const std::string& bytes) const {
    std::filesystem::create_directories(std::filesystem::path(File(name)).parent_path());
    WriteFile(File(name), bytes);
    return File(name);
  }
};

const std::string& Array() {
  static const std::string* const array = new std::string(
      NpyFileOf("{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }", "\1\1"));
  return *array;
}

TEST_F(OtherFilesTest, DirectoriesOfOtherPrograms_AreNamed) {
  const std::pair<const char*, const char*> cases[] = {
      {"_CHECKPOINT_METADATA", "a checkpoint of Orbax.*orbax.checkpoint"},
      {"manifest.ocdbt", "a checkpoint of Orbax"},
      {"pytorch_model.bin", "files of PyTorch .pytorch_model.bin.*torch.load"},
      {"saved_model.pb", "a SavedModel of TensorFlow"},
      {"__0_0.distcp", "a distributed checkpoint of PyTorch"},
      {"model.gguf", "a GGUF file"},
      {"weights.npz", "found weights.npz; name it"},
      {"m.leaf", "found m.leaf; name it"}};
  for (const auto& [name, words] : cases) {
    Write(std::string("of_") + name + "/" + name, "x");
    EXPECT_THAT(Error({"inspect", File(std::string("of_") + name)}, 1),
                AllOf(HasSubstr("expected a directory of checkpoints"), ContainsRegex(words)));
  }
}

TEST_F(OtherFilesTest, ModelsBelowADirectory_AreNamed) {
  Write("hub/models--org--m/snapshots/abc/model.safetensors", SmallFile({{"a", 1}}));
  EXPECT_THAT(Error({"inspect", File("hub/models--org--m")}, 1),
              HasSubstr("nothing to read in it, but in snapshots/abc; name it"));
  EXPECT_THAT(Error({"inspect", File("hub")}, 1), HasSubstr("models--org--m/snapshots/abc"));
  Write("pipe/unet/diffusion_pytorch_model.safetensors", SmallFile({{"a", 1}}));
  Write("pipe/vae/diffusion_pytorch_model.safetensors", SmallFile({{"a", 1}}));
  Write("pipe/model_index.json", "{}");
  EXPECT_THAT(Error({"inspect", File("pipe")}, 1), HasSubstr("in unet, vae; name one of them"));
}

TEST_F(OtherFilesTest, ArrayWithoutSuffix_IsRead) {
  const std::string file =
      Write("m.npz", ZipOf({{"a.npy", Array()}, {"b", Array()}, {"c.txt", "text"}}));
  EXPECT_EQ(RunLeafstore({"cat", file, "b"}).out, "[1 1]\n");
  EXPECT_THAT(RunLeafstore({"inspect", file}).out,
              AllOf(HasSubstr("2 leaves"), HasSubstr("not readable: c.txt")));
}

TEST_F(OtherFilesTest, MembersOfOneName_AreNamed) {
  const std::string twice =
      Write("a.npz", ZipOf({{"w.npy", Array()}, {"x.npy", Array()}, {"x.npy", Array()}}));
  EXPECT_THAT(Error({"inspect", twice}, 1),
              AllOf(HasSubstr("two called 'x.npy'"), Not(HasSubstr("damaged"))));
  const std::string both = Write("b.npz", ZipOf({{"w", Array()}, {"w.npy", Array()}}));
  EXPECT_THAT(Error({"inspect", both}, 1), HasSubstr("two called 'w'"));
}

TEST_F(OtherFilesTest, NameBelowAnother_SuggestsFlatNames) {
  const std::string file = Write("m.safetensors", SmallFile({{"a", 1}, {"a.b", 1}, {"c", 1}}));
  const std::vector<std::string> commands[] = {
      {"tree", file},
      {"inspect", file, "--depth", "1"},
      {"explain", file, "--group", "g=c"},
      {"split", file, "--group", "g=c", "--out", File("{}.leaf")}};
  for (std::vector<std::string> args : commands) {
    const std::string error = Error(args, 1);
    EXPECT_THAT(error, AllOf(HasSubstr("['a'] and ['a']['b']"), HasSubstr("--names flat")));
    EXPECT_EQ(error.find("do not form a tree"), error.rfind("do not form a tree")) << error;
    args.insert(args.end(), {"--names", "flat"});
    EXPECT_EQ(RunLeafstore(args).exit_code, 0) << args[0];
  }
}

TEST_F(OtherFilesTest, PrintedNames_AreAccepted) {
  const std::string file =
      Write("m.safetensors", SafetensorsFileOf("{" + BytesEntry(R"(new\nline)", 0, 1) + "}", 1));
  EXPECT_THAT(Out({"inspect", file}), HasSubstr(R"('new\nline')"));
  EXPECT_EQ(Out({"cat", file, R"('new\nline')"}), Out({"cat", file}));
}

TEST_F(OtherFilesTest, Pipe_IsNamedWithAdvice) {
  ASSERT_EQ(mkfifo(File("pipe").c_str(), 0600), 0);
  EXPECT_THAT(Error({"inspect", File("pipe")}, 1),
              HasSubstr("not a regular file; write what it holds to a file first"));
}

TEST_F(OtherFilesTest, Verify_CountsOnlyDamageAsDamaged) {
  const std::string pointer =
      Write("m.leaf", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
  std::string damaged = Sample();
  FlipBit(damaged, 64);
  const Ran ran = RunLeafstore({"verify", File("none.leaf"), pointer, damaged, "--json"});
  EXPECT_EQ(ran.exit_code, 1);
  const nlohmann::json json = nlohmann::json::parse(ran.out);
  EXPECT_EQ(json["failed"], 3);
  EXPECT_EQ(json["damaged"], 1);
}

TEST_F(OtherFilesTest, DTypeOf_WithoutSuchAnArray_IsNoted) {
  const std::string file = Write("m.npz", ZipOf({{"a.npy", Array()}}));
  const Ran ran = RunLeafstore({"cat", file, "--dtype-of", "V2=bf16"});
  EXPECT_EQ(ran.out, "[1 1]\n");
  EXPECT_THAT(ran.err, HasSubstr("--dtype-of V2=bf16 is not used"));
}

TEST_F(OtherFilesTest, OutputCalledLikeAShard_IsNoted) {
  const std::string file = Write("m.safetensors", SmallFile({{"a", 1}}));
  const std::string out = File("y-00001-of-00002.safetensors");
  const Ran ran = RunLeafstore({"convert", file, out});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.err, HasSubstr("called like one of 2 shards"));
  EXPECT_EQ(RunLeafstore({"inspect", out, "--one-shard"}).exit_code, 0);
}

TEST_F(OtherFilesTest, Pickles_OfEachProtocol_AreNamed) {
  const std::string zero(1, '\0');
  for (const std::string& pickle :
       {std::string("(dp0\nVw\np1\n"), "}q" + zero + "(X\1" + zero + zero + zero + "wq\1",
        "]q" + zero + "(K\1K\2", "ccollections\nOrderedDict\nq" + zero + ")Rq\1(",
        std::string("\x80\2}q") + zero, std::string("\x80\4\x95\5")}) {
    EXPECT_THAT(Error({"inspect", Write("m.pkl", pickle)}, 1), HasSubstr("a Python pickle"));
  }
}

}  // namespace
}  // namespace leafstore
