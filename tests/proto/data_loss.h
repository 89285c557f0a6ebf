// A matcher of the error that decoding gives for bytes that are no message of ours.
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
