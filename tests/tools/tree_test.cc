// `leafstore tree`.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/interop/safetensors/writer.h"

#include "tests/tools/tool_test.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class TreeTest : public ToolTest {
 protected:
  TreeTest() : path_(Sample()) {}
  std::string Tree(std::vector<std::string> args) {
    args.insert(args.begin(), {"tree", path_, "--item", "params"});
    return Out(args);
  }
  const std::string path_;
};

TEST_F(TreeTest, EveryNode_HasALine) {
  EXPECT_EQ(Tree({}), path_ +
                          ": format version 1\n\n"
                          "params\n"
                          "  NODE          KIND          SHAPE     BYTES  NOTE\n"
                          "  (root)        struct Model  8 leaves  104 B\n"
                          "    activation  str                            'gelu'\n"
                          "    embed       bf16          [4, 2]     16 B\n"
                          "    head        alias                          tied to embed\n"
                          "    heads       int                            8\n"
                          "    layers      list of 2     4 leaves   72 B\n"
                          "      0         struct Layer  2 leaves   36 B\n"
                          "        bias    f32           [3]        12 B  tag no_decay\n"
                          "        weight  f32           [2, 3]     24 B\n"
                          "      1         struct Layer  2 leaves   36 B\n"
                          "        bias    f32           [3]        12 B  tag no_decay\n"
                          "        weight  f32           [2, 3]     24 B\n"
                          "    scale       f64           [2]        16 B\n");
}

TEST_F(TreeTest, DepthAndMatch_ShowAPart) {
  EXPECT_THAT(Tree({"--depth", "1"}), AllOf(HasSubstr("layers"), Not(HasSubstr("bias"))));
  EXPECT_THAT(Tree({"--depth", "0"}), Not(HasSubstr("layers")));
  const std::string one = Tree({"--match", "layers.1"});
  EXPECT_THAT(one, AllOf(ContainsRegex("\\(root\\) .* 2 leaves +36 B"), ContainsRegex("\n      1 "),
                         Not(ContainsRegex("\n      0 ")), Not(HasSubstr("embed"))));
  EXPECT_THAT(
      Error({"tree", path_, "--match", "laiers.1"}, 2),
      HasSubstr("--match 'laiers.1' matches no leaf; no key is 'laiers'; did you mean layers?"));
}

TEST_F(TreeTest, RootThatIsALeaf_HasALine) {
  Out({"convert", path_, File("w.npy"), "--item", "params", "--match", "scale"});
  EXPECT_THAT(Out({"tree", File("w.npy")}), ContainsRegex("\\(root\\) +f64 +\\[2\\] +16 B\n$"));
  EXPECT_EQ(Json({"tree", File("w.npy")})["items"][0]["nodes"][0]["dtype"], "f64");
  for (const char* form : {"--json", "--color=never"}) {
    EXPECT_THAT(Error({"tree", File("w.npy"), "--match", "nothing", form}, 2),
                HasSubstr("matches no leaf"));
  }
}

// A structure of depth n has paths of n * n bytes, even if its file is small.
TEST_F(TreeTest, HugePaths_AreAnErrorBeforeTheFirstLine) {
  constexpr int kDepth = 20'000;
  std::string name = "k";
  for (int i = 1; i < kDepth; ++i) name += ".k";
  ASSERT_TRUE(SaveSafetensors(File("deep.safetensors"),
                              std::vector<NamedTensor>{{name, Tensor::Scalar(1.0f)}})
                  .ok());
  for (const char* command : {"tree", "inspect"}) {
    const Ran ran = RunLeafstore({command, File("deep.safetensors"), "--json"});
    if (std::string(command) == "inspect") {
      EXPECT_EQ(ran.exit_code, 0) << ran.err;  // one row, of one path
      continue;
    }
    EXPECT_EQ(ran.exit_code, 1);
    EXPECT_EQ(ran.out, "");
    EXPECT_THAT(ran.err, AllOf(HasSubstr("expected paths of at most"), HasSubstr("--depth")));
  }
  Json({"tree", File("deep.safetensors"), "--depth", "100"});
}

TEST_F(TreeTest, Json_HasEachNode) {
  const auto json = Json({"tree", path_});
  const auto& nodes = json["items"][0]["nodes"];
  EXPECT_EQ(json["items"][0]["name"], "params");
  EXPECT_EQ(nodes[0]["path"], "");
  EXPECT_EQ(nodes[0]["type"], "Model");
  EXPECT_EQ(nodes[0]["leaves"], 8);
  EXPECT_EQ(nodes[3]["kind"], "alias");
  EXPECT_EQ(nodes[3]["target"], ".embed");
  EXPECT_EQ(nodes[7]["tags"][0], "no_decay");
  EXPECT_EQ(nodes[7]["depth"], 3);
  EXPECT_EQ(nodes[8]["shape"], nlohmann::json({2, 3}));
}

TEST_F(TreeTest, PathsThatDoNotFormATree_AreAnError) {
  Save(File("odd.leaf"), ParamStore::FromEntries(
                             {{Path().Item("a"), Value(1)}, {Path().Item("a").Item("b"), Value(2)}})
                             .value());
  EXPECT_THAT(Error({"tree", File("odd.leaf")}, 1), HasSubstr("paths that do not form a tree"));
}

}  // namespace
}  // namespace leafstore
