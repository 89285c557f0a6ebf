// Errors of the program: their messages on standard error, and its exit codes.
//
// Exit codes: 0 success; 1 a file is missing, damaged or of a newer version, or the output cannot
// be written; 2 the command line is wrong. `diff` has the exit codes of diff (ExitWith, AsTrouble).
// A message is one line, `leafstore: <file>: <what>: expected ..., found ...; <what to do>`.
#ifndef LEAFSTORE_TOOLS_PRESENT_ERRORS_H_
#define LEAFSTORE_TOOLS_PRESENT_ERRORS_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace leafstore::tools {

// Returns an error of the command line: exit code 2.
absl::Status UsageError(absl::string_view message);
bool IsUsageError(const absl::Status& status);

// Returns an error of a file: the message begins with the file's name and ends with advice; exit
// code 1. Returns OK and a UsageError unchanged.
absl::Status FileError(absl::string_view file, const absl::Status& status);

// Marks an error whose message has several lines, so that each is printed as a line. Otherwise an
// end of line is escaped, because it may come from a file.
absl::Status InLines(absl::Status status);

// Returns a status that ends the program with this code and prints nothing: the code is an answer.
absl::Status ExitWith(int code);
// Gives an error exit code 2, for a subcommand whose exit code 1 is an answer. Returns OK and
// ExitWith unchanged.
absl::Status AsTrouble(absl::Status status);

// Prints `leafstore: <line>` on standard error; not an error.
void Note(absl::string_view line);

// Prints the message of an error on standard error, and returns the exit code.
int Report(const absl::Status& status);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_PRESENT_ERRORS_H_
