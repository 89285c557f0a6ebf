// `leafstore cat`.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/interop/npy.h"

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

TEST_F(CatTest, ALeafIsNamedCanonicallyOrDotted) {
  const std::string expected = "[[ 1. -2.  3.]\n [-4.  5. -6.]]\n";
  EXPECT_EQ(Cat({".layers[0].weight"}), expected);
  EXPECT_EQ(Cat({"layers.0.weight"}), expected);
  // An alias is its owner.
  EXPECT_EQ(Cat({"head"}), Cat({"embed"}));
}

TEST_F(CatTest, StaticLeavesAreTheirValues) {
  EXPECT_EQ(Cat({"heads"}), "8\n");
  EXPECT_EQ(Cat({"activation"}), "'gelu'\n");
}

TEST_F(CatTest, SeveralLeavesHaveTheirNames) {
  EXPECT_EQ(Cat({"layers.*.bias"}),
            "# params: layers.0.bias f32[3]\n[0.  0.5 1. ]\n\n"
            "# params: layers.1.bias f32[3]\n[0.  0.5 1. ]\n");
  EXPECT_THAT(Cat({"heads", "step"}), AllOf(HasSubstr("# params: heads int\n8\n"),
                                            HasSubstr("# progress: step i64[]\n100\n")));
  EXPECT_THAT(Cat({".layers[1]"}), AllOf(HasSubstr("layers.1.bias"), HasSubstr("layers.1.weight")));
}

TEST_F(CatTest, SlicesStandBehindThePathOrApart) {
  EXPECT_EQ(Cat({"layers.0.weight[0]"}), "[ 1. -2.  3.]\n");
  EXPECT_EQ(Cat({".layers[0].weight[:, ::2]"}), "[[ 1.  3.]\n [-4. -6.]]\n");
  EXPECT_EQ(Cat({"layers.0.weight", "--slice", "1, -1"}), "-6.\n");
}

TEST_F(CatTest, JsonHasAllValues) {
  const auto json = Json({"cat", path_, "layers.0.weight", "heads", "scale"});
  EXPECT_EQ(json["schema"], 1);
  EXPECT_EQ(json["leaves"][0]["values"], nlohmann::json::parse("[[1.0,-2.0,3.0],[-4.0,5.0,-6.0]]"));
  EXPECT_EQ(json["leaves"][0]["dtype"], "f32");
  EXPECT_EQ(json["leaves"][0]["path"], ".layers[0].weight");
  EXPECT_EQ(json["leaves"][1]["value"], 8);
  EXPECT_EQ(json["leaves"][2]["values"][0], nullptr);
}

TEST_F(CatTest, ATensorGoesIntoANpy) {
  EXPECT_EQ(Cat({"layers.0.weight[1:, :2]", "--npy", File("w.npy")}), "");
  const Tensor found = LoadNpy(File("w.npy")).value();
  EXPECT_EQ(found, Tensor::FromValues<float>({1, 2}, {-4, 5}).value());
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
}

TEST_F(CatTest, WhatIsNotThereIsUsageWithNearNames) {
  EXPECT_THAT(Error({"cat", path_, "layers.0.wieght", "--item", "params"}, 2),
              AllOf(HasSubstr("wieght"), HasSubstr("did you mean")));
  EXPECT_THAT(Error({"cat", path_, "nothing"}, 2), HasSubstr("in any of 2 items"));
  EXPECT_THAT(Error({"cat", path_, "layers.0.weight[5]"}, 2),
              HasSubstr("position 5 is outside of axis 0"));
  EXPECT_THAT(Error({"cat", path_, "layers.0.weight[x]"}, 2), HasSubstr("column 1"));
  EXPECT_THAT(Error({"cat", path_, "heads[0]"}, 2), HasSubstr("a static leaf"));
  EXPECT_THAT(Error({"cat", path_, "heads", "--slice", "a"}, 2), HasSubstr("--slice 'a'"));
}

TEST_F(CatTest, LongTensorsAreCutUnlessAllIsAskedFor) {
  Save(File("long.leaf"),
       ParamStore::FromEntries({{Path().Item("w"), Tensor::Zeros(DType::kI32, {2000}).value()}})
           .value());
  EXPECT_EQ(Out({"cat", File("long.leaf"), "w"}), "[0 0 0 ... 0 0 0]\n");
  EXPECT_GT(Out({"cat", File("long.leaf"), "w", "--all"}).size(), 4000u);
}

TEST_F(CatTest, ADamagedTensorIsRefusedUnlessItIsAskedFor) {
  Save(File("d.leaf"), ParamStore::FromEntries({{Path().Item("w"), Tensor::Scalar(1.0f)}}).value());
  FlipBit(File("d.leaf"), 64);
  EXPECT_THAT(Error({"cat", File("d.leaf"), "w"}, 1), HasSubstr("expected checksum"));
  EXPECT_EQ(Out({"cat", File("d.leaf"), "w", "--no-verify"}), "1.0000001\n");
}

}  // namespace
}  // namespace leafstore
