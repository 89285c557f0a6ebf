// Recognizes files of other kinds by their first bytes: one table of what they are and what to do.
//
// Threads: pure functions; thread-safe.
#ifndef LEAFSTORE_INTEROP_INTERNAL_FOREIGN_H_
#define LEAFSTORE_INTEROP_INTERNAL_FOREIGN_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/io/file_system.h"

namespace leafstore::internal {

// The count of first bytes that the functions below need; a file may be shorter.
inline constexpr size_t kForeignBegin = 512;

// Returns whether the file begins with a header's length that fits into it, and then white space or
// '{'.
bool LooksLikeSafetensors(absl::string_view begin, int64_t file_size);
// Returns whether the file begins like JSON: white space, '{' or '[', and no control characters.
bool LooksLikeJson(absl::string_view begin);

// Returns error InvalidArgument with ErrorReason::kForeign if `begin`, the first bytes of a file,
// are those of a known format, or of text: "expected <expected>, found <what>; <what to do>".
// Returns OK for other bytes: the file may be a damaged one of any format. JSON is text.
absl::Status CheckNotForeign(absl::string_view begin, absl::string_view expected);
// Like CheckNotForeign, for an open file that may be a zip archive. Errors of reading it are not
// reported.
absl::Status CheckNotForeignToZip(const ReadableFile& file, absl::string_view expected);

// Returns such an error for something that was recognized in another way.
absl::Status ForeignError(absl::string_view expected, absl::string_view found,
                          absl::string_view advice);
// Returns the error of a zip archive without arrays, which has these members.
absl::Status ForeignArchive(absl::Span<const std::string> members, absl::string_view expected);

// Returns bytes as text.
inline absl::string_view AsText(absl::Span<const std::byte> bytes) {
  return absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

}  // namespace leafstore::internal

#endif  // LEAFSTORE_INTEROP_INTERNAL_FOREIGN_H_
