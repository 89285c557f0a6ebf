#include "leafstore/core/metadata.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/core/status_matchers.h"

namespace leafstore {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

TEST(MetadataTest, Metadata_MustBeUtf8) {
  EXPECT_THAT(CheckMetadata({}), IsOk());
  EXPECT_THAT(CheckMetadata({{"", ""}, {"\xc3\xa9", "v"}}), IsOk());
  EXPECT_THAT(CheckMetadata({{"\xff", "v"}}),
              StatusIs(kInvalid, AllOf(HasSubstr("metadata in UTF-8"), HasSubstr("a key"))));
  EXPECT_THAT(CheckMetadata({{"k", "\xff"}}), StatusIs(kInvalid, HasSubstr("'k'")));
}

TEST(MetadataTest, MetricNames_MustBeUtf8AndNotEmpty) {
  EXPECT_THAT(CheckMetrics({{"loss", -1e300}}), IsOk());
  EXPECT_THAT(CheckMetrics({{"", 1}}), StatusIs(kInvalid, HasSubstr("not empty")));
  EXPECT_THAT(CheckMetrics({{"\xff", 1}}), StatusIs(kInvalid, HasSubstr("UTF-8")));
}

}  // namespace
}  // namespace leafstore
