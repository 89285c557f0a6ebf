// Require: what a fuzz target says must hold of every input. Where it does not, the program ends,
// and libFuzzer keeps the input.
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
  std::cerr << "does not hold: " << what << std::endl;
  std::abort();
}

// An error must be one of those that the header names, and say something.
inline void RequireError(const absl::Status& status,
                         std::initializer_list<absl::StatusCode> allowed) {
  bool found = false;
  for (const absl::StatusCode code : allowed) found = found || status.code() == code;
  if (found && !status.message().empty()) return;
  std::cerr << "an error that was not announced: " << status << std::endl;
  std::abort();
}

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_FUZZ_REQUIRE_H_
