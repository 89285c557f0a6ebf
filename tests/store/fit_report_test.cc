#include "leafstore/store/fit_report.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/core/status_matchers.h"
#include "tests/status_codes.h"

namespace leafstore {
namespace {

using ::testing::HasSubstr;

TEST(FitReportTest, EmptyReport_IsOk) {
  EXPECT_TRUE(FitReport().ok());
  EXPECT_EQ(FitReport().ToString(), "");
  EXPECT_THAT(FitReport().ToStatus("it does not fit"), IsOk());
}

TEST(FitReportTest, ToStatus_NamesEveryField) {
  FitReport report;
  report.missing = {".head.bias"};
  report.unexpected = {".head.bais", ".tial"};
  report.duplicate = {{".a", "", ""}, {".b", ".b", ".c"}};
  report.ambiguous = {{"['x.y']", ".x.y", ".'x.y'"}};
  report.dtype_mismatch = {{".d", "f32[2]", "static int"}};
  report.shape_mismatch = {{".s", "f32[2]", "f32[3]"}};
  EXPECT_FALSE(report.ok());
  EXPECT_THAT(report.ToStatus("it does not fit", {".tail"}),
              StatusIs(kInvalid,
                       "it does not fit:\n"
                       "missing (1):\n"
                       "  '.head.bias'; did you mean .head.bais?\n"
                       "unexpected (2):\n"
                       "  '.head.bais'\n"
                       "  '.tial'; did you mean .tail?\n"
                       "duplicate (2):\n"
                       "  '.a'\n"
                       "  '.b' would be both '.b' and '.c'\n"
                       "ambiguous (1):\n"
                       "  ['x.y'] could be '.x.y' or .'x.y'\n"
                       "dtype mismatch (1):\n"
                       "  '.d': expected f32[2], found static int\n"
                       "shape mismatch (1):\n"
                       "  '.s': expected f32[2], found f32[3]"));
}

TEST(FitReportTest, ToString_SuggestsForTheFirstTenPaths) {
  FitReport report;
  for (int i = 10; i < 22; ++i) {
    report.missing.push_back(".weight_" + std::to_string(i));
    report.unexpected.push_back(".wieght_" + std::to_string(i));
  }
  EXPECT_THAT(report.ToString(), HasSubstr("'.weight_19'; did you mean .wieght_19"));
  EXPECT_THAT(report.ToString(), HasSubstr("'.weight_20'\n"));
}

TEST(FitReportTest, ToString_LimitsTheTextOfAField) {
  FitReport report;
  for (int i = 0; i < 3; ++i) report.missing.push_back(std::string(600'000, 'x'));
  report.unexpected = {".y"};
  EXPECT_THAT(report.ToString(), HasSubstr("x'\n  and 1 more\nunexpected (1):\n  '.y'"));
  EXPECT_LT(report.ToString().size(), 1'300'000u);
}

}  // namespace
}  // namespace leafstore
