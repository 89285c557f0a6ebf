// `leafstore rename`.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/tools/tool_test.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class RenameTest : public ToolTest {};

TEST_F(RenameTest, WithoutWrite_NamesAreOnlyPrinted) {
  Save(File("a.leaf"), ManyLeaves(3));
  EXPECT_EQ(Out({"rename", File("a.leaf"), "layers.*.w?=blocks.{1}.v{2}"}),
            "params: 3 of 3 leaves renamed\n"
            "  FROM             TO\n"
            "  layers.0.w0  ->  blocks.0.v0\n"
            "  layers.0.w1  ->  blocks.0.v1\n"
            "  layers.0.w2  ->  blocks.0.v2\n"
            "nothing is written; --write OUT writes it\n");
  EXPECT_EQ(Files(), "a.leaf ");
}

TEST_F(RenameTest, Write_WritesTheNewNames) {
  Save(File("a.leaf"), ManyLeaves(3));
  EXPECT_THAT(Out({"rename", File("a.leaf"), "layers.**=blocks.**", "--write", File("b.leaf")}),
              Not(HasSubstr("nothing is written")));
  EXPECT_EQ(Out({"cat", File("b.leaf"), ".blocks[0].w1"}),
            Out({"cat", File("a.leaf"), "layers.0.w1"}));
  Out({"rename", File("b.leaf"), "blocks.**=layers.**", "--output", File("c.leaf")});
  Out({"diff", File("a.leaf"), File("c.leaf")});
}

TEST_F(RenameTest, Groups_AreKeptAndLostStructureIsNoted) {
  Sample();
  const Ran ran =
      RunLeafstore({"rename", File("a.leaf"), "layers.**=blocks.**", "--write", File("b.leaf")});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.err, HasSubstr("type names, tags, ties"));
  EXPECT_THAT(
      Out({"inspect", File("b.leaf"), "--item", "params"}),
      AllOf(ContainsRegex("blocks.0.bias .* first"), ContainsRegex("blocks.1.bias .* bias")));
}

TEST_F(RenameTest, InvalidRules_AreUsageErrors) {
  Save(File("a.leaf"), ManyLeaves(3));
  const std::string a = File("a.leaf");
  EXPECT_THAT(Error({"rename", a, "layers"}, 2), HasSubstr("expected PATTERN=TEMPLATE"));
  EXPECT_THAT(Error({"rename", a, "laiers.**=b.**"}, 2),
              AllOf(HasSubstr("laiers"), HasSubstr("did you mean layers?")));
  EXPECT_THAT(Error({"rename", a, "layers.*.*=same"}, 2), HasSubstr("same"));
  EXPECT_THAT(Error({"rename", a, "layers.[0]=x"}, 2), HasSubstr("column"));
  // A message of several lines is printed as lines.
  const std::string two = Error({"rename", a, "laiers.**=b.**", "x.**=y.**"}, 2);
  EXPECT_THAT(two, AllOf(Not(HasSubstr("\\n")), HasSubstr("\nleafstore:   rename 0 ('laiers.**'"),
                         HasSubstr("\nleafstore:   rename 1 ('x.**'")));
  EXPECT_THAT(Error({"rename", a, "layers.**=b.**", "--zstd"}, 2),
              HasSubstr("--zstd: expected together with --write, found alone"));
  EXPECT_EQ(Files(), "a.leaf ");
}

TEST_F(RenameTest, RuleWithoutMatch_IsAnError) {
  Sample();
  EXPECT_THAT(Out({"rename", File("a.leaf"), "step=steps"}),
              HasSubstr("progress: 1 of 1 leaf renamed"));
}

TEST_F(RenameTest, Json_HasBothNames) {
  Save(File("a.leaf"), ManyLeaves(2));
  const auto json = Json({"rename", File("a.leaf"), "layers.0.w0=first"});
  EXPECT_EQ(json["items"][0]["renamed"].size(), 1u);
  EXPECT_EQ(json["items"][0]["renamed"][0]["from"], ".layers[0].w0");
  EXPECT_EQ(json["items"][0]["renamed"][0]["to"], ".first");
  EXPECT_EQ(json["items"][0]["renamed"][0]["rule"], "layers.0.w0");
}

TEST_F(RenameTest, NamesWithEqualsSigns_AreQuotedByABackslash) {
  Save(File("a.leaf"),
       ParamStore::FromEntries({{Path().Item("a=1,b").Item("w"), Tensor::Scalar<float>(1)}})
           .value());
  EXPECT_THAT(Out({"rename", File("a.leaf"), "a\\=1,b.w=c=2,d.w"}),
              ContainsRegex("a=1,b.w  ->  c=2,d.w"));
  EXPECT_THAT(Error({"rename", File("a.leaf"), "a\\=1"}, 2),
              HasSubstr("found no '=' without a backslash before it"));
}

TEST_F(RenameTest, RulesOfAFile_AreUsed) {
  Save(File("a.leaf"), ManyLeaves(2));
  WriteFile(File("rules"), "# old=new\n\nlayers.0.w0=a\r\nlayers.0.w1=b\n");
  EXPECT_THAT(Out({"rename", File("a.leaf"), "--rules", File("rules")}),
              AllOf(ContainsRegex("w0  ->  a"), ContainsRegex("w1  ->  b")));
  WriteFile(File("rules"), "layers.0.w0=a\nx\n");
  EXPECT_THAT(Error({"rename", File("a.leaf"), "--rules", File("rules")}, 2),
              HasSubstr("rules, line 2: 'x': expected PATTERN=TEMPLATE"));
  EXPECT_THAT(Error({"rename", File("a.leaf")}, 2), HasSubstr("expected a RULE, or --rules FILE"));
}

TEST_F(RenameTest, EmptyName_CanBeNamed) {
  Save(File("a.leaf"), ParamStore::FromEntries({{Path().Item(""), Tensor::Scalar<float>(3)},
                                                {Path().Item("b"), Tensor::Scalar<float>(4)}})
                           .value());
  EXPECT_EQ(Out({"cat", File("a.leaf"), "''"}), "3.\n");
  EXPECT_THAT(Error({"cat", File("a.leaf"), ""}, 2), HasSubstr("the empty name is \"''\""));
  Out({"rename", File("a.leaf"), "''=w", "b=''", "--write", File("b.leaf")});
  EXPECT_EQ(Out({"cat", File("b.leaf"), "w", "''", "--json"}).find("\"dotted\":\"\"") !=
                std::string::npos,
            true);
}

}  // namespace
}  // namespace leafstore
