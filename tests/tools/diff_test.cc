// `leafstore diff`.
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/tools/tool_test.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class DiffTest : public ToolTest {
 protected:
  using Entries = std::vector<std::pair<Path, Leaf>>;
  std::string Saved(const std::string& name, Entries entries) {
    Save(File(name), ParamStore::FromEntries(std::move(entries)).value());
    return File(name);
  }
  static Path P(const std::string& name) { return Path().Item(name); }
  static Tensor F(std::initializer_list<float> values) {
    return Tensor::From<float>({static_cast<int64_t>(values.size())}, values).value();
  }
};

TEST_F(DiffTest, EqualFiles_PrintNothing) {
  Sample();
  Sample("b.leaf");
  EXPECT_EQ(Out({"diff", File("a.leaf"), File("b.leaf")}), "");
  EXPECT_EQ(Json({"diff", File("a.leaf"), File("b.leaf")})["same"], true);
}

TEST_F(DiffTest, EveryDifference_HasALine) {
  const std::string a = Saved("a.leaf", {{P("n"), F({1, 2, 3})},
                                         {P("old"), F({1})},
                                         {P("s"), F({1})},
                                         {P("t"), Tensor::Scalar(1.0f)},
                                         {P("v"), Value(1)}});
  const std::string b = Saved("b.leaf", {{P("n"), F({1, 2.5, 3})},
                                         {P("new"), F({1})},
                                         {P("s"), F({1, 2})},
                                         {P("t"), Tensor::Scalar(1.0)},
                                         {P("v"), Value(2)}});
  EXPECT_EQ(Out({"diff", a, b}, 1),
            "params: 4 leaves differ, 1 only in A, 1 only in B, 0 are the same\n"
            "  ~ n: 1 of 3 elements differ, first at [1]; by at most 0.5, relatively 0.2\n"
            "  ~ s: f32[1] and f32[2]\n"
            "  ~ t: f32[] and f64[]\n"
            "  ~ v: 1 and 2\n"
            "  - old\n"
            "  + new\n");
  EXPECT_EQ(Out({"diff", a, b, "--brief"}, 1), a + " and " + b + " differ\n");
}

TEST_F(DiffTest, Options_ChooseWhatDiffers) {
  const std::string a = Saved("a.leaf", {{P("x"), F({100, 1})}, {P("y"), F({1})}});
  const std::string b = Saved("b.leaf", {{P("x"), F({100.001f, 1})}, {P("y"), F({2})}});
  Out({"diff", a, b}, 1);
  Out({"diff", a, b, "--match", "x"}, 1);
  Out({"diff", a, b, "--match", "x", "--rtol", "1e-4"}, 0);
  Out({"diff", a, b, "--match", "x", "--atol", "0.01"}, 0);
  Out({"diff", a, b, "--ignore", "y", "--rtol", "1e-4"}, 0);
  Out({"diff", a, b, "--rtol", "1e-4"}, 1);
  const std::string n = Saved("n.leaf", {{P("x"), F({std::numeric_limits<float>::quiet_NaN()})}});
  Out({"diff", n, n}, 0);
  Out({"diff", n, n, "--nan-differs"}, 1);
}

TEST_F(DiffTest, Structure_IsCompared) {
  const auto save = [this](const std::string& name, const char* type) {
    TreeDefBuilder builder;
    builder.Open(NodeKind::kStruct, type);
    builder.SetKey(KeyRef::Attribute("w"));
    builder.Leaf();
    builder.Close();
    const TreeDef def = std::move(builder).Build().value();
    Save(File(name), ParamStore::Create(def, {Tensor::Scalar(1.0f)}).value());
    return File(name);
  };
  const std::string a = save("a.leaf", "Linear");
  const std::string b = save("b.leaf", "Dense");
  EXPECT_THAT(Out({"diff", a, b}, 1), HasSubstr("  ! at (root): type name Linear and Dense\n"));
  Out({"diff", a, b, "--no-structure"}, 0);
}

TEST_F(DiffTest, GlobWithoutMatch_IsAUsageError) {
  Sample();
  const std::string a = File("a.leaf");
  EXPECT_THAT(
      Error({"diff", a, a, "--match", "laiers.**"}, 2),
      HasSubstr("--match 'laiers.**' matches no leaf; no key is 'laiers'; did you mean layers?"));
  EXPECT_THAT(Error({"diff", a, a, "--ignore", "zzz.**"}, 2),
              HasSubstr("--ignore 'zzz.**' matches no leaf"));
  // A match in one of the files is enough.
  const std::string b = Saved("b.leaf", {{P("only"), F({1})}});
  Out({"diff", a, b, "--item", "params", "--match", "only"}, 1);
}

TEST_F(DiffTest, MissingTie_IsADifference) {
  Sample();
  Out({"convert", File("a.leaf"), File("b.safetensors"), "--item", "params", "--structure", "never",
       "--drop-static", "--match", "embed"});
  const std::vector<std::string> args = {"diff",   File("a.leaf"), File("b.safetensors"),
                                         "--item", "params",       "--match",
                                         "embed",  "--match",      "head"};
  EXPECT_EQ(Out(args, 1),
            "params: 0 leaves differ, 1 is the same\n"
            "  ! at head: only in the first: tied to embed\n");
  const auto item = Json(args, 1)["items"][0];
  EXPECT_EQ(item["same"], false);
  EXPECT_EQ(item["structure_compared"], false);
  std::vector<std::string> swapped = args;
  std::swap(swapped[1], swapped[2]);
  EXPECT_THAT(Out(swapped, 1), HasSubstr("! at head: only in the second: tied to embed"));
  // --no-structure reports no ties.
  std::vector<std::string> leaves = args;
  leaves.emplace_back("--no-structure");
  Out(leaves, 0);
  leaves.back() = "--ignore";
  leaves.emplace_back("head");
  Out(leaves, 0);
}

TEST_F(DiffTest, StructureOfOneSideOnly_IsNoted) {
  const TreeDef def = [] {
    TreeDefBuilder builder;
    builder.Open(NodeKind::kStruct, "Linear");
    builder.SetKey(KeyRef::Attribute("w"));
    builder.Leaf();
    builder.Close();
    return std::move(builder).Build().value();
  }();
  Save(File("a.leaf"), ParamStore::Create(def, {Tensor::Scalar(1.0f)}).value());
  const std::string b = Saved("b.leaf", {{Path().Attribute("w"), Tensor::Scalar(1.0f)}});
  const Ran ran = RunLeafstore({"diff", File("a.leaf"), b});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, AllOf(HasSubstr("params: kinds of containers, type names and tags are not "
                                       "compared: only A has them")));
  EXPECT_EQ(Json({"diff", File("a.leaf"), b})["items"][0]["structure_compared"], false);
  EXPECT_EQ(Json({"diff", File("a.leaf"), File("a.leaf")})["items"][0]["structure_compared"], true);
  Out({"diff", File("a.leaf"), b, "--no-structure"}, 0);
}

TEST_F(DiffTest, LongValues_AreShownNearTheDifference) {
  const std::string head(5000, 'x');
  const std::string a = Saved("a.leaf", {{P("s"), Value(head + "first" + head)}});
  const std::string b = Saved("b.leaf", {{P("s"), Value(head + "second" + head)}});
  const std::string out = Out({"diff", a, b}, 1);
  EXPECT_THAT(out, AllOf(HasSubstr("~ s: ...xxxxxxxxxxxxfirstxxx"), HasSubstr("xxxsecondxxx")));
  EXPECT_LT(out.size(), 200u);
  EXPECT_GT(Json({"diff", a, b}, 1)["items"][0]["leaves"][0]["a"].get<std::string>().size(),
            10'000u);
}

TEST_F(DiffTest, OnlyNanDiffers_LargestDifferenceIsNan) {
  const std::string n = Saved("n.leaf", {{P("x"), F({std::numeric_limits<float>::quiet_NaN()})}});
  EXPECT_THAT(Out({"diff", n, n, "--nan-differs"}, 1), HasSubstr("by at most nan, relatively nan"));
  EXPECT_EQ(Json({"diff", n, n, "--nan-differs"}, 1)["items"][0]["leaves"][0]["max_abs"], nullptr);
}

TEST_F(DiffTest, DamagedFile_IsNamed) {
  Saved("a.leaf", {{P("x"), F({1})}});
  Saved("b.leaf", {{P("x"), F({1})}});
  FlipBit(File("b.leaf"), 64);
  for (const bool first : {false, true}) {
    const std::string error =
        Error({"diff", File(first ? "b.leaf" : "a.leaf"), File(first ? "a.leaf" : "b.leaf")}, 2);
    EXPECT_THAT(error,
                AllOf(testing::StartsWith("leafstore: " + File("b.leaf") + ": item 'params'"),
                      HasSubstr("use another copy")));
  }
}

TEST_F(DiffTest, KeysWithControlCharacters_AreQuoted) {
  const std::string a = Saved("a.leaf", {{P("a\x1b[31m"), F({1})}});
  const std::string b = Saved("b.leaf", {{P("b"), F({1})}});
  EXPECT_THAT(Out({"diff", a, b}, 1), HasSubstr("  - 'a\\x1b[31m'\n"));
}

TEST_F(DiffTest, Formats_AreComparedByDottedNames) {
  Sample();
  Out({"convert", File("a.leaf"), File("b.safetensors"), "--item", "params", "--structure", "never",
       "--drop-static"});
  const auto json = Json({"diff", File("a.leaf"), File("b.safetensors"), "--item", "params"}, 1);
  EXPECT_EQ(json["items"][0]["only_in_a"], nlohmann::json({"activation", "heads"}));
  EXPECT_EQ(json["items"][0]["same_leaves"], 6);
  // With its structure nothing is missing.
  Out({"convert", File("a.leaf"), File("c.safetensors"), "--item", "params"});
  Out({"diff", File("a.leaf"), File("c.safetensors"), "--item", "params"}, 0);
}

TEST_F(DiffTest, StepsOfARun_AreCompared) {
  const std::string run = Run(2);
  EXPECT_THAT(Out({"diff", run + "@1", run + "@2"}, 1), HasSubstr("~ w: 1 of 1 element differs"));
  Out({"diff", run + "@2", run}, 0);
}

TEST_F(DiffTest, Items_AreComparedByName) {
  Sample();
  Save(File("b.leaf"), ManyLeaves(3), "other");
  const std::string out = Out({"diff", File("a.leaf"), File("b.leaf")}, 1);
  EXPECT_THAT(out, AllOf(HasSubstr("- item params: only in A\n"), HasSubstr("- item progress"),
                         HasSubstr("+ item other: only in B\n")));
}

TEST_F(DiffTest, Errors_ExitWithTwo) {
  Sample();
  EXPECT_THAT(Error({"diff", File("a.leaf"), File("none")}, 2), HasSubstr("No such file"));
  EXPECT_THAT(Error({"diff", File("a.leaf"), File("a.leaf"), "--rtol", "-1"}, 2),
              HasSubstr("--rtol: expected a number of at least 0, found '-1'"));
  EXPECT_THAT(Error({"diff", File("a.leaf"), File("a.leaf"), "--atol", "much"}, 2),
              HasSubstr("--atol: expected a number of at least 0, found 'much'"));
  EXPECT_THAT(Error({"diff", File("a.leaf")}, 2), HasSubstr("expected B, found nothing"));
  EXPECT_THAT(Error({"diff", File("a.leaf"), File("a.leaf"), "--item", "parms"}, 2),
              HasSubstr("did you mean params?"));
  Save(File("b.leaf"), ManyLeaves(3));
  const Ran full =
      RunLeafstore({"diff", File("a.leaf"), File("b.leaf")}, {.stdout_to = "/dev/full"});
  EXPECT_EQ(full.exit_code, 2);
}

TEST_F(DiffTest, Json_ListsTheDifferences) {
  const std::string a = Saved("a.leaf", {{P("n"), F({1, 2})}});
  const std::string b = Saved("b.leaf", {{P("n"), F({1, 4})}});
  const auto leaf = Json({"diff", a, b}, 1)["items"][0]["leaves"][0];
  EXPECT_EQ(leaf["what"], "numbers");
  EXPECT_EQ(leaf["differing"], 1);
  EXPECT_EQ(leaf["first"], nlohmann::json({1}));
  EXPECT_EQ(leaf["max_abs"], 2);
  EXPECT_EQ(leaf["max_rel"], 0.5);
}

TEST_F(DiffTest, Rename_ComparesAcrossAPrefix) {
  const std::string a = Saved("a.leaf", {{Path().Item("model").Item("w"), F({1, 2})},
                                         {Path().Item("model").Item("v"), F({3})}});
  const std::string b = Saved("b.leaf", {{P("w"), F({1, 2})}, {P("v"), F({4})}});
  EXPECT_THAT(Out({"diff", a, b}, 1), HasSubstr("2 only in A, 2 only in B"));
  EXPECT_EQ(Out({"diff", a, b, "--rename", "model.**=**"}, 1),
            "params: 1 leaf differs, 1 is the same\n"
            "  ~ model.v: 1 of 1 element differs, first at [0]; by at most 1, relatively 0.25\n");
  EXPECT_EQ(Out({"diff", a, b, "--rename", "model.**=**", "--atol", "1"}), "");
  WriteFile(File("rules"), "# comment\n\nmodel.w=w\r\nmodel.v=v\n");
  EXPECT_EQ(Out({"diff", a, b, "--rules", File("rules"), "--ignore", "**.v"}, 0), "");
  EXPECT_THAT(Error({"diff", a, b, "--rename", "modle.**=**"}, 2),
              HasSubstr("did you mean model?"));
  EXPECT_THAT(Error({"diff", a, b, "--rename", "model"}, 2),
              HasSubstr("'model': expected PATTERN=TEMPLATE, found no '='"));
}

TEST_F(DiffTest, Tolerance_ComparesAcrossDTypes) {
  const std::string a = Saved("a.leaf", {{P("w"), F({1, 2, 100})}, {P("x"), F({1})}});
  const std::string b =
      Saved("b.leaf", {{P("w"), Tensor::From<double>({3}, {1, 2, 101}).value()}, {P("x"), F({1})}});
  EXPECT_EQ(Out({"diff", a, b}, 1),
            "params: 1 leaf differs, 1 is the same\n  ~ w: f32[3] and f64[3]\n");
  EXPECT_EQ(Out({"diff", a, b, "--rtol", "0"}, 1),
            "params: 1 leaf differs, 1 is the same\n"
            "  ~ w: f32[3] and f64[3]: 1 of 3 elements differ, first at [2]; by at most 1, "
            "relatively 0.009901\n");
  const Ran ran = RunLeafstore({"diff", a, b, "--rtol", "0.01"});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(ran.err,
            "leafstore: params: note: 1 leaf has another dtype, and equal elements: w (f32[3] and "
            "f64[3])\n");
  const nlohmann::json item = Json({"diff", a, b, "--rtol", "0.01"})["items"][0];
  EXPECT_EQ(item["same"], true);
  EXPECT_EQ(item["same_leaves"], 2);
  EXPECT_EQ(item["other_dtypes"].dump(),
            R"([{"a":"f32[3]","b":"f64[3]","dotted":"w","path":"['w']"}])");
}

}  // namespace
}  // namespace leafstore
