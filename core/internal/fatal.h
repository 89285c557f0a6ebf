// Fatal: ends the program on a programming error.
//
// Errors that can occur in a correct program (files, input, memory) are absl::Status. Fatal is for
// the few calls whose misuse is a mistake in the calling code and whose result would be undefined
// otherwise, such as reading an f32 tensor as integers.
#ifndef LEAFSTORE_CORE_INTERNAL_FATAL_H_
#define LEAFSTORE_CORE_INTERNAL_FATAL_H_

#include "absl/strings/string_view.h"

namespace leafstore::internal {

// Writes "leafstore: " and `message` to standard error and aborts.
[[noreturn]] void Fatal(absl::string_view message);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CORE_INTERNAL_FATAL_H_
