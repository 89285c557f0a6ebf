// `leafstore cat`.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/interop/numpy/npy.h"
#include "leafstore/interop/safetensors/writer.h"

#include "tests/tools/tool_test.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class CatTest : public ToolTest {
 protected:
  CatTest() : path_(Sample()) {}
  std::string Cat(std::vector<std::string> args) {
    args.insert(args.begin(), {"cat", path_});
    return Out(args);
  }
  const std::string path_;
};

TEST_F(CatTest, Path_MayBeCanonicalOrDotted) {
  const std::string expected = "[[ 1. -2.  3.]\n [-4.  5. -6.]]\n";
  EXPECT_EQ(Cat({".layers[0].weight"}), expected);
  EXPECT_EQ(Cat({"layers.0.weight"}), expected);
  // An alias means its owner.
  EXPECT_EQ(Cat({"head"}), Cat({"embed"}));
}

TEST_F(CatTest, StaticLeaves_PrintTheirValues) {
  EXPECT_EQ(Cat({"heads"}), "8\n");
  EXPECT_EQ(Cat({"activation"}), "'gelu'\n");
}

TEST_F(CatTest, SeveralLeaves_ArePrintedWithNames) {
  EXPECT_EQ(Cat({"layers.*.bias"}),
            "# params: layers.0.bias f32[3]\n[0.  0.5 1. ]\n\n"
            "# params: layers.1.bias f32[3]\n[0.  0.5 1. ]\n");
  EXPECT_THAT(Cat({"heads", "step"}), AllOf(HasSubstr("# params: heads int\n8\n"),
                                            HasSubstr("# progress: step i64[]\n100\n")));
  EXPECT_THAT(Cat({".layers[1]"}), AllOf(HasSubstr("layers.1.bias"), HasSubstr("layers.1.weight")));
}

TEST_F(CatTest, Slice_FollowsThePathOrIsAnOption) {
  EXPECT_EQ(Cat({"layers.0.weight[0]"}), "[ 1. -2.  3.]\n");
  EXPECT_EQ(Cat({".layers[0].weight[:, ::2]"}), "[[ 1.  3.]\n [-4. -6.]]\n");
  EXPECT_EQ(Cat({"layers.0.weight", "--slice", "1, -1"}), "-6.\n");
}

TEST_F(CatTest, Json_HasAllValues) {
  const auto json = Json({"cat", path_, "layers.0.weight", "heads", "scale"});
  EXPECT_EQ(json["schema"], 2);
  EXPECT_EQ(json["leaves"][0]["values"], nlohmann::json::parse("[[1.0,-2.0,3.0],[-4.0,5.0,-6.0]]"));
  EXPECT_EQ(json["leaves"][0]["dtype"], "f32");
  EXPECT_EQ(json["leaves"][0]["path"], ".layers[0].weight");
  EXPECT_EQ(json["leaves"][1]["value"], 8);
  EXPECT_EQ(json["leaves"][2]["values"][0], nullptr);
}

TEST_F(CatTest, Npy_WritesTheTensor) {
  EXPECT_EQ(Cat({"layers.0.weight[1:, :2]", "--npy", File("w.npy")}), "");
  const Tensor found = LoadNpy(File("w.npy")).value();
  EXPECT_EQ(found, Tensor::From<float>({1, 2}, {-4, 5}).value());
  EXPECT_THAT(Error({"cat", path_, "layers.0.weight", "--npy", File("w.npy")}, 1),
              HasSubstr("--force"));
  Cat({"scale", "--npy", File("w.npy"), "--force"});
  EXPECT_EQ(LoadNpy(File("w.npy")).value().dtype(), DType::kF64);
  EXPECT_THAT(Error({"cat", path_, "layers.*.bias", "--npy", File("b.npy")}, 2),
              HasSubstr("expected one leaf, found 2"));
  EXPECT_THAT(Error({"cat", path_, "heads", "--npy", File("b.npy")}, 2),
              HasSubstr("a static leaf"));
  EXPECT_THAT(Error({"cat", path_, "embed", "--npy", File("b.npy")}, 1), HasSubstr("bf16"));
  Cat({"embed", "--raw-bits", "--npy", File("b.npy")});
  EXPECT_EQ(LoadNpy(File("b.npy")).value().dtype(), DType::kU16);
  EXPECT_EQ(Files(), "a.leaf b.npy w.npy ");
  const auto json = Json({"cat", path_, "scale", "--npy", File("c.npy")});
  EXPECT_EQ(json["files"][0]["file"], File("c.npy"));
}

TEST_F(CatTest, OptionsWithoutEffect_AreUsageErrors) {
  EXPECT_THAT(Error({"cat", path_, "scale", "--raw-bits"}, 2),
              HasSubstr("--raw-bits: expected together with --npy, found alone"));
  EXPECT_THAT(Error({"cat", path_, "scale", "--force"}, 2), HasSubstr("together with --npy"));
  EXPECT_THAT(Error({"cat", path_, "layers.0.weight[0]", "--slice", "1"}, 2),
              HasSubstr("expected one slice, found --slice as well"));
  EXPECT_THAT(Error({"cat", path_, ""}, 2), HasSubstr("expected a path, found ''"));
  EXPECT_THAT(Error({"cat", path_, "scale", "--npy", "-"}, 2),
              HasSubstr("expected a file to write to, found '-'"));
  EXPECT_THAT(Error({"cat", "-", "scale"}, 2), HasSubstr("expected a file, found '-'"));
  EXPECT_EQ(Files(), "a.leaf ");
}

TEST_F(CatTest, Match_SelectsLeaves) {
  EXPECT_THAT(Cat({"layers", "--match", "**.bias"}),
              AllOf(HasSubstr("layers.1.bias"), testing::Not(HasSubstr("weight"))));
  EXPECT_EQ(Cat({"--match", "heads"}), "8\n");
  EXPECT_THAT(Error({"cat", path_, "--match", "haeds"}, 2),
              AllOf(HasSubstr("--match 'haeds' matches no leaf"), HasSubstr("did you mean")));
}

TEST_F(CatTest, NameInSeveralItems_IsCheckedBeforeAnythingIsPrinted) {
  const Path w = Path().Item("w");
  ASSERT_TRUE(
      SaveCheckpoint(File("two.leaf"),
                     {{"params", ParamStore::FromEntries({{w, Tensor::Scalar(1.0f)}}).value()},
                      {"values", ParamStore::FromEntries({{w, Value(3)}}).value()}},
                     {.io = {.durable = false}})
          .ok());
  EXPECT_THAT(Error({"cat", File("two.leaf"), "w[...]"}, 2),
              AllOf(HasSubstr("'w' of item 'values' is a static leaf: it has no slices"),
                    HasSubstr("--item chooses")));
  EXPECT_EQ(Out({"cat", File("two.leaf"), "w[...]", "--item", "params"}), "1.\n");
  EXPECT_THAT(Error({"cat", File("two.leaf"), "values"}, 2),
              HasSubstr("there is an item with this name: --item selects it"));
}

TEST_F(CatTest, All_PrintsEveryDigit) {
  Save(File("d.leaf"),
       ParamStore::FromEntries({{Path().Item("w"), Tensor::Scalar(0.1234567890123456)}}).value());
  EXPECT_EQ(Out({"cat", File("d.leaf")}), "0.12345679\n");
  EXPECT_EQ(Out({"cat", File("d.leaf"), "--all"}), "0.1234567890123456\n");
}

TEST_F(CatTest, EmptyTensor_PrintsAnEmptyListForAnyShape) {
  ASSERT_TRUE(SaveSafetensors(File("e.safetensors"),
                              std::vector<NamedTensor>{
                                  {"w", Tensor::Zeros(DType::kF32, {int64_t{1} << 40, 0}).value()}})
                  .ok());
  EXPECT_EQ(Out({"cat", File("e.safetensors")}), "[]\n");
  const auto leaf = Json({"cat", File("e.safetensors")})["leaves"][0];
  EXPECT_EQ(leaf["values"], nlohmann::json::array());
  EXPECT_EQ(leaf["shape"][0], int64_t{1} << 40);
}

TEST_F(CatTest, UnknownPath_IsAUsageErrorWithSuggestions) {
  EXPECT_THAT(Error({"cat", path_, "layers.0.wieght", "--item", "params"}, 2),
              AllOf(HasSubstr("wieght"), HasSubstr("did you mean")));
  EXPECT_THAT(Error({"cat", path_, "nothing"}, 2), HasSubstr("in any of 2 items"));
  EXPECT_THAT(Error({"cat", path_, "haeds"}, 2),
              AllOf(HasSubstr("in any of 2 items"), HasSubstr("did you mean heads?")));
  EXPECT_THAT(Error({"cat", path_, "laiers.**"}, 2),
              AllOf(HasSubstr("a glob that matches no leaf"), HasSubstr("did you mean layers?")));
  EXPECT_THAT(Error({"cat", path_, "layers..weight"}, 2), HasSubstr("found an empty one"));
  EXPECT_THAT(Error({"cat", path_, "layers.0.weight[5]"}, 2),
              HasSubstr("index 5 is out of bounds for axis 0"));
  EXPECT_THAT(Error({"cat", path_, "layers.0.weight[x]"}, 2), HasSubstr("column 1"));
  EXPECT_THAT(Error({"cat", path_, "heads[0]"}, 2), HasSubstr("a static leaf"));
  EXPECT_THAT(Error({"cat", path_, "heads", "--slice", "a"}, 2), HasSubstr("--slice 'a'"));
}

TEST_F(CatTest, LongTensors_AreCutWithoutAll) {
  Save(File("long.leaf"),
       ParamStore::FromEntries({{Path().Item("w"), Tensor::Zeros(DType::kI32, {2000}).value()}})
           .value());
  EXPECT_EQ(Out({"cat", File("long.leaf"), "w"}), "[0 0 0 ... 0 0 0]\n");
  EXPECT_GT(Out({"cat", File("long.leaf"), "w", "--all"}).size(), 4000u);
}

TEST_F(CatTest, DamagedTensor_IsAnErrorWithoutNoVerify) {
  Save(File("d.leaf"), ParamStore::FromEntries({{Path().Item("w"), Tensor::Scalar(1.0f)}}).value());
  FlipBit(File("d.leaf"), 64);
  EXPECT_THAT(Error({"cat", File("d.leaf"), "w"}, 1), HasSubstr("expected checksum"));
  EXPECT_EQ(Out({"cat", File("d.leaf"), "w", "--no-verify"}), "1.0000001\n");
  const Ran ran = RunLeafstore({"cat", File("d.leaf"), "w", "--no-verify", "--npy", File("w.npy")});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("d.leaf: warning: "), HasSubstr("will look intact")));
}

}  // namespace
}  // namespace leafstore
