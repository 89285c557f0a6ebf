// Errors of the program: their messages on standard error, and its exit codes.
//
// Exit codes: 0 success; 1 a file is missing, damaged or of a newer version, or the output cannot
// be written; 2 the command line is wrong. `diff` has the exit codes of diff
// (CommandRun::error_code). A message is one line, `leafstore: <file>: <what>: expected ..., found
// ...; <what to do>`.
#ifndef LEAFSTORE_TOOLS_PRESENT_ERRORS_H_
#define LEAFSTORE_TOOLS_PRESENT_ERRORS_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace leafstore::tools {

// Returns an error of the command line: exit code 2.
absl::Status UsageError(absl::string_view message);
// Prints several errors of the command line, one per line, and returns an error that Report does
// not print again. (Report escapes line ends, because they may come from a file.)
absl::Status UsageErrors(absl::string_view lines);

// Returns the status of a negative answer: exit code 1, but no message.
absl::Status NegativeAnswer();

// Returns an error of a file: the message begins with the file's name and ends with advice; exit
// code 1. Returns OK and errors of the command line unchanged.
absl::Status FileError(absl::string_view file, const absl::Status& status);

// Prints `leafstore: <line>` on standard error.
void Note(absl::string_view line);

// Prints the message of an error on standard error, and returns the exit code. `error_code` is the
// code of file errors.
int Report(const absl::Status& status, int error_code = 1);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_PRESENT_ERRORS_H_
