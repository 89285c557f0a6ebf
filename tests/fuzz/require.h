// Require: checks a property that must hold for every input of a fuzz target. If it does not, the
// program aborts, and libFuzzer saves the input.
#ifndef LEAFSTORE_TESTS_FUZZ_REQUIRE_H_
#define LEAFSTORE_TESTS_FUZZ_REQUIRE_H_

#include <cstdlib>
#include <initializer_list>
#include <iostream>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace leafstore {

inline void Require(bool holds, absl::string_view what) {
  if (holds) return;
  std::cerr << "failed: " << what << std::endl;
  std::abort();
}

// Requires that an error has a documented code and a message.
inline void RequireError(const absl::Status& status,
                         std::initializer_list<absl::StatusCode> allowed) {
  bool found = false;
  for (const absl::StatusCode code : allowed) found = found || status.code() == code;
  if (found && !status.message().empty()) return;
  std::cerr << "undocumented error: " << status << std::endl;
  std::abort();
}

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_FUZZ_REQUIRE_H_
