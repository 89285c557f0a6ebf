// Names of other formats as paths, and the order in which leaves are shown.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/interop/numpy/npz.h"

#include "tests/tools/tool_test.h"

namespace leafstore {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class NamesToolTest : public ToolTest {
 protected:
  std::string Flax() const {
    const std::vector<NamedTensor> tensors = {{"Transformer/block_0/kernel", Tensor::Scalar(1.0f)},
                                              {"head/b.c", Tensor::Scalar(2.0f)}};
    EXPECT_TRUE(SaveNpz(File("vit.npz"), tensors).ok());
    return File("vit.npz");
  }
  // Layers 0 to 10, whose keys are texts of digits, and others whose keys are not all digits.
  std::string Layers(const std::string& name = "m.leaf") const {
    std::vector<std::pair<Path, Leaf>> entries;
    for (const char* layer : {"0", "1", "2", "10", "007"}) {
      entries.emplace_back(Path().Item("layers").Item(layer).Item("w"), Tensor::Scalar(1.0f));
    }
    for (const char* key : {"2", "10", "x"}) {
      entries.emplace_back(Path().Item("mixed").Item(key), Tensor::Scalar(1.0f));
    }
    Save(File(name), ParamStore::FromEntries(std::move(entries)).value());
    return File(name);
  }
};

constexpr char kNatural[] =
    "layers.0.w.*\n.*layers.1.w.*\n.*layers.2.w.*\n.*layers.007.w.*\n.*layers.10.w";
constexpr char kBytes[] =
    "layers.0.w.*\n.*layers.007.w.*\n.*layers.1.w.*\n.*layers.10.w.*\n.*layers.2.w";

TEST_F(NamesToolTest, Slash_ShowsAHierarchy) {
  const std::string file = Flax();
  EXPECT_THAT(Out({"tree", file, "--names", "slash"}),
              ContainsRegex("Transformer .*\n    *block_0 .*\n    *kernel"));
  EXPECT_THAT(Out({"inspect", file, "--names", "slash", "--match", "Transformer.*.kernel"}),
              HasSubstr("Transformer.block_0.kernel"));
  EXPECT_EQ(Out({"cat", file, "--names", "slash", "Transformer.block_0.kernel"}), "1.\n");
}

TEST_F(NamesToolTest, Slash_IsWrittenAgain) {
  const std::string file = Flax();
  const auto convert = [&](const std::string& out, std::vector<std::string> options) {
    options.insert(options.begin(), {"convert", file, File(out)});
    Out(options);
    return Out({"inspect", File(out), "--names", "flat"});
  };
  EXPECT_THAT(convert("a.npz", {"--names", "slash"}), HasSubstr("Transformer/block_0/kernel"));
  EXPECT_THAT(convert("b.npz", {"--names", "slash", "--write-names", "split"}),
              HasSubstr("Transformer.block_0.kernel"));
  // A file of safetensors records the structure, so that no option is needed to read it.
  convert("c.safetensors", {"--names", "slash"});
  EXPECT_THAT(ReadFile(File("c.safetensors")), HasSubstr("\"Transformer/block_0/kernel\""));
  EXPECT_THAT(Out({"tree", File("c.safetensors")}), ContainsRegex("Transformer .*\n    *block_0"));
  Out({"convert", File("c.safetensors"), File("d.leaf")});
  Out({"convert", File("d.leaf"), File("e.safetensors")});
  EXPECT_EQ(ReadFile(File("e.safetensors")), ReadFile(File("c.safetensors")));
}

TEST_F(NamesToolTest, Rows_AreInNaturalOrder) {
  const std::string file = Layers();
  for (const std::vector<std::string>& command : {std::vector<std::string>{"inspect", file},
                                                  {"stats", file},
                                                  {"cat", file},
                                                  {"explain", file, "--group", "a=layers"},
                                                  {"rename", file, "layers.**=blocks.layers.**"},
                                                  {"cat", file, "layers"}}) {
    std::vector<std::string> args = command;
    EXPECT_THAT(Out(args), ContainsRegex(kNatural)) << command[0];
    args.insert(args.end(), {"--order", "bytes"});
    EXPECT_THAT(Out(args), ContainsRegex(kBytes)) << command[0];
  }
  EXPECT_THAT(Out({"inspect", file}), ContainsRegex("mixed.10 .*\n.*mixed.2 .*\n.*mixed.x"));
  EXPECT_THAT(Out({"tree", file, "--depth", "2"}), ContainsRegex(" 1 .*\n *2 .*\n *007 .*\n *10 "));
  EXPECT_THAT(Out({"inspect", file, "--depth", "2"}),
              ContainsRegex("layers.2 .*\n.*layers.007 .*\n.*layers.10 "));
  const nlohmann::json rows = Json({"inspect", file})["items"][0]["rows"];
  EXPECT_EQ(rows[2]["dotted"], "layers.2.w");
  EXPECT_EQ(rows[4]["dotted"], "layers.10.w");
}

TEST_F(NamesToolTest, Diff_IsInNaturalOrder) {
  const std::string file = Layers();
  Out({"rename", file, "layers.**=other.layers.**", "--write", File("b.leaf")});
  EXPECT_THAT(Out({"diff", file, File("b.leaf")}, 1),
              ContainsRegex("- layers.2.w\n.*- layers.007"));
  EXPECT_THAT(Out({"diff", file, File("b.leaf"), "--order", "bytes"}, 1),
              Not(ContainsRegex("- layers.2.w\n.*- layers.007")));
}

TEST_F(NamesToolTest, CanonicalPaths_AreOneArgument) {
  std::vector<std::pair<Path, Leaf>> entries = {{Path().Item("a"), Tensor::Scalar(1.0f)},
                                                {Path().Item("b,c"), Tensor::Scalar(2.0f)}};
  Save(File("m.leaf"), ParamStore::FromEntries(std::move(entries)).value());
  EXPECT_EQ(Out({"cat", File("m.leaf"), "['a']"}), "1.\n");
  EXPECT_EQ(Out({"cat", File("m.leaf"), "['b,c']"}), "2.\n");
  EXPECT_THAT(Error({"cat", File("m.leaf"), "['d']"}, 2), HasSubstr("no leaf at ['d'];"));
  EXPECT_THAT(Error({"inspect", File("m.leaf"), "[x]"}, 2), HasSubstr("found '[x]'"));
  EXPECT_THAT(Error({"inspect", "[x]"}, 1), HasSubstr("[x]: "));
}

}  // namespace
}  // namespace leafstore
