// ErrorReason: the cause of an error, for programs that need more than the status code to act on
// it. It is set where the error is created and stays with the status.
//
//   if (ReasonOf(status) == ErrorReason::kMissingBase) ...     // without parsing the message
//
//   return WithReason(absl::DataLossError("..."), ErrorReason::kTruncated);
//   return WithContext(status, "params.leaf");                 // keeps code and reason
//
// Most errors have a code but no reason.
//
// Threads: pure functions; thread-safe.
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
  kExists,         // the destination exists and must not be replaced
  kUnusual,        // unusual but unambiguous; an error only for strict reading
  kForeign,        // the file is in another format, which the message names
  kIncomplete,     // files of a set do not exist
  kAmbiguous,      // the file or the set has two possible meanings
  kNotAFile,       // the name of a file belongs to a directory, a pipe or the like

  // Runs.
  kNoCheckpoint,  // a run's directory has no checkpoint, damaged or not: the run can start
  kBehindNewest,  // a step to save is not above the newest one

  // Requests.
  kUnknownName,  // nothing has this name, step or metric

  // The command-line program.
  kUsage,     // the command line is invalid
  kReported,  // the error was printed already; only the exit code remains
};

// Returns `status` with `reason`, which replaces an earlier one. Returns OK unchanged.
absl::Status WithReason(absl::Status status, ErrorReason reason);
// Returns the reason of an error; kNone for OK and for an error that has none.
ErrorReason ReasonOf(const absl::Status& status);

// Returns an error with this message, and with the code and reason of `status`.
absl::Status WithMessage(const absl::Status& status, absl::string_view message);
// Prefixes the message of an error with "<context>: ". Returns OK, or a value, unchanged.
absl::Status WithContext(const absl::Status& status, absl::string_view context);
template <typename T>
absl::StatusOr<T> WithContext(absl::StatusOr<T> result, absl::string_view context) {
  if (!result.ok()) result = WithContext(result.status(), context);
  return result;
}

}  // namespace leafstore

#endif  // LEAFSTORE_CORE_ERROR_REASON_H_
