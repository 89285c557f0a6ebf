// A matcher for the error of decoding bytes that are not a valid message.
#ifndef LEAFSTORE_TESTS_PROTO_DATA_LOSS_H_
#define LEAFSTORE_TESTS_PROTO_DATA_LOSS_H_

#include <string>

#include "absl/status/status.h"
#include "gmock/gmock.h"

#include "tests/core/status_matchers.h"

namespace leafstore {

inline auto IsDataLoss(const std::string& words) {
  return StatusIs(absl::StatusCode::kDataLoss, testing::HasSubstr(words));
}

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_PROTO_DATA_LOSS_H_
