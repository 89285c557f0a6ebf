// Short names of the status codes that tests name most.
//
//   EXPECT_THAT(Glob::Parse("["), StatusIs(kInvalid, HasSubstr("column 1")));
#ifndef LEAFSTORE_TESTS_STATUS_CODES_H_
#define LEAFSTORE_TESTS_STATUS_CODES_H_

#include "absl/status/status.h"

#include "leafstore/core/error_reason.h"  // first: GCC warns of its kExists

namespace leafstore {

inline constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
inline constexpr auto kNotFound = absl::StatusCode::kNotFound;
inline constexpr auto kExists = absl::StatusCode::kAlreadyExists;
inline constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;
inline constexpr auto kExhausted = absl::StatusCode::kResourceExhausted;
inline constexpr auto kDamage = absl::StatusCode::kDataLoss;
inline constexpr auto kUnknown = absl::StatusCode::kUnimplemented;

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_STATUS_CODES_H_
