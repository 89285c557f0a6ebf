// Matchers of absl::Status and absl::StatusOr, which Abseil does not have in this version.
//
//   EXPECT_THAT(store.Set(path, leaf), IsOk());
//   EXPECT_THAT(Path::Parse("["),
//               StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("column 1")));
#ifndef LEAFSTORE_TESTS_CORE_STATUS_MATCHERS_H_
#define LEAFSTORE_TESTS_CORE_STATUS_MATCHERS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"

namespace leafstore {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

MATCHER(IsOk, "is OK") {
  *result_listener << "which is " << StatusOf(arg).ToString();
  return StatusOf(arg).ok();
}

// Matches a status by its code and, with a matcher, its message.
MATCHER_P2(StatusIs, code, message,
           "is " + absl::StatusCodeToString(code) + " with a message that " +
               testing::DescribeMatcher<std::string>(message, negation)) {
  const absl::Status& status = StatusOf(arg);
  *result_listener << "which is " << status.ToString();
  return status.code() == code && testing::Matches(testing::SafeMatcherCast<const std::string&>(
                                      message))(std::string(status.message()));
}

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_CORE_STATUS_MATCHERS_H_
