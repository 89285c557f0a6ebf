// Errors of the program: their messages on standard error, and its exit codes.
//
// Exit codes: 0 success; 1 a file is missing, damaged or of a newer version, or the output cannot
// be written; 2 the command line is wrong. `diff` has the exit codes of diff
// (CommandRun::error_code). A message is one line, `leafstore: <file>: <what>: expected ..., found
// ...; <what to do>`.
#ifndef LEAFSTORE_TOOLS_PRESENT_ERRORS_H_
#define LEAFSTORE_TOOLS_PRESENT_ERRORS_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "leafstore/core/error_reason.h"

namespace leafstore::tools {

// Returns an error of the command line: exit code 2. The message is made of the parts, as by
// StrCat.
template <typename... Parts>
absl::Status UsageError(const Parts&... parts) {
  return WithReason(absl::InvalidArgumentError(absl::StrCat(parts...)), ErrorReason::kUsage);
}
// Prints several errors of the command line, one per line, and returns an error that Report does
// not print again. (Report escapes line ends, because they may come from a file.)
absl::Status UsageErrors(absl::string_view lines);
// Returns the status of a negative answer: exit code 1, but no message.
absl::Status NegativeAnswer();
// Returns an error of a file: the message begins with the file's name and ends with advice; exit
// code 1. Returns OK and errors of the command line unchanged.
absl::Status FileError(absl::string_view file, const absl::Status& status);
template <typename T>
absl::StatusOr<T> FileError(absl::string_view file, absl::StatusOr<T> result) {
  if (result.ok()) return result;
  return FileError(file, result.status());
}

// Prints `leafstore: <line>` on standard error. Control characters are escaped.
void Note(absl::string_view line);
template <typename First, typename Second, typename... Rest>
void Note(const First& first, const Second& second, const Rest&... rest) {
  Note(absl::string_view(absl::StrCat(first, second, rest...)));
}

// Prints the message of an error on standard error, and returns the exit code. `error_code` is the
// code of file errors.
int Report(const absl::Status& status, int error_code = 1);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_PRESENT_ERRORS_H_
