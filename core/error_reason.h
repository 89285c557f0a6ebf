// ErrorReason: the cause of an error, where the status code is not enough for a program to act on
// it. It is set where the error is made and stays with the status.
//
//   if (ReasonOf(status) == ErrorReason::kMissingBase) ...     // does not parse the message
//
//   return WithReason(absl::DataLossError("..."), ErrorReason::kTruncated);
//   return WithContext(status, "params.leaf");                 // keeps code and reason
//
// Most errors have a code but no reason.
//
// Threads: functions of their arguments.
#ifndef LEAFSTORE_CORE_ERROR_REASON_H_
#define LEAFSTORE_CORE_ERROR_REASON_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace leafstore {

enum class ErrorReason : uint8_t {
  kNone,  // no reason was set

  // Files.
  kNotThisFormat,  // the file does not begin like a file of this format
  kTruncated,      // the file is shorter than it should be
  kNewerVersion,   // a newer leafstore is needed to read it
  kMissingBase,    // an earlier checkpoint that has some of the bytes does not exist
  kExists,         // something exists that would be replaced

  // Requests.
  kUnknownName,  // nothing has this name, step or metric

  // The command-line program.
  kUsage,     // the command line is invalid
  kReported,  // the error was printed already; only the exit code remains
};

// Returns `status` with this reason in place of any other. OK is returned unchanged.
absl::Status WithReason(absl::Status status, ErrorReason reason);
// Returns the reason of an error; kNone for OK and for an error that has none.
ErrorReason ReasonOf(const absl::Status& status);

// Returns an error with another message, but the code and the reason of `status`.
absl::Status WithMessage(const absl::Status& status, absl::string_view message);
// Returns an error with "<context>: " before its message. OK, or a value, is returned unchanged.
absl::Status WithContext(const absl::Status& status, absl::string_view context);
template <typename T>
absl::StatusOr<T> WithContext(absl::StatusOr<T> result, absl::string_view context) {
  if (!result.ok()) result = WithContext(result.status(), context);
  return result;
}

}  // namespace leafstore

#endif  // LEAFSTORE_CORE_ERROR_REASON_H_
