#include "leafstore/core/error_reason.h"

#include "gtest/gtest.h"

namespace leafstore {
namespace {

TEST(ErrorReasonTest, Reason_IsKeptByCopiesContextsAndNewMessages) {
  const absl::Status cut = WithReason(absl::DataLossError("too short"), ErrorReason::kTruncated);
  const absl::Status copy = cut;
  EXPECT_EQ(ReasonOf(copy), ErrorReason::kTruncated);
  const absl::Status named = WithContext(WithContext(cut, "footer"), "a.leaf");
  EXPECT_EQ(named.message(), "a.leaf: footer: too short");
  EXPECT_EQ(named.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ReasonOf(named), ErrorReason::kTruncated);
  const absl::Status other = WithMessage(cut, "cut");
  EXPECT_EQ(other.message(), "cut");
  EXPECT_EQ(ReasonOf(other), ErrorReason::kTruncated);
}

TEST(ErrorReasonTest, ErrorWithoutReason_HasNone) {
  EXPECT_EQ(ReasonOf(absl::NotFoundError("x")), ErrorReason::kNone);
  EXPECT_EQ(ReasonOf(WithContext(absl::NotFoundError("x"), "y")), ErrorReason::kNone);
}

TEST(ErrorReasonTest, PrintedStatus_ShowsTheReasonInWords) {
  const absl::Status status = WithReason(absl::NotFoundError("x"), ErrorReason::kMissingBase);
  EXPECT_EQ(status.ToString(), "NOT_FOUND: x [leafstore/reason='missing base']");
}

TEST(ErrorReasonTest, EveryReason_RoundTrips) {
  for (int i = 0; i <= static_cast<int>(ErrorReason::kReported); ++i) {
    const auto reason = static_cast<ErrorReason>(i);
    EXPECT_EQ(ReasonOf(WithReason(absl::DataLossError("x"), reason)), reason);
  }
}

TEST(ErrorReasonTest, Ok_StaysOk) {
  EXPECT_TRUE(WithContext(absl::OkStatus(), "x").ok());
  EXPECT_TRUE(WithReason(absl::OkStatus(), ErrorReason::kExists).ok());
  EXPECT_EQ(ReasonOf(absl::OkStatus()), ErrorReason::kNone);
}

TEST(ErrorReasonTest, Context_OfAResult_ChangesOnlyErrors) {
  EXPECT_EQ(WithContext(absl::StatusOr<int>(7), "a.leaf").value(), 7);
  const absl::StatusOr<int> cut =
      WithReason(absl::DataLossError("too short"), ErrorReason::kTruncated);
  const absl::Status named = WithContext(cut, "a.leaf").status();
  EXPECT_EQ(named.message(), "a.leaf: too short");
  EXPECT_EQ(ReasonOf(named), ErrorReason::kTruncated);
}

TEST(ErrorReasonTest, SecondReason_ReplacesTheFirst) {
  const absl::Status status = WithReason(absl::NotFoundError("x"), ErrorReason::kUnknownName);
  EXPECT_EQ(ReasonOf(WithReason(status, ErrorReason::kMissingBase)), ErrorReason::kMissingBase);
}

}  // namespace
}  // namespace leafstore
