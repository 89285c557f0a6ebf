// Recognizes files of other kinds by their first bytes: one table of what they are and what to do.
//
// Threads: pure functions; thread-safe.
#ifndef LEAFSTORE_INTEROP_INTERNAL_FOREIGN_H_
#define LEAFSTORE_INTEROP_INTERNAL_FOREIGN_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/io/file_system.h"

namespace leafstore::internal {

// The count of first bytes that the functions below need; a file may be shorter.
inline constexpr size_t kForeignBegin = 512;

enum class FileKind : uint8_t {
  kUnknown,  // possibly a damaged file of any kind
  kLeaf,
  kSafetensors,  // including a truncated one
  kJson,
  kNpy,
  kZip,
  kForeign,  // another format, or text
};
// Returns the kind of a file by its first bytes, which may be all of a file that is shorter than
// the mark of its kind.
FileKind FileKindOf(absl::string_view begin, int64_t file_size);

// Returns error InvalidArgument with ErrorReason::kForeign if `begin`, the first bytes of a file,
// are those of a known format, or of text: "expected <expected>, found <what>; <what to do>".
// Returns OK for other bytes: the file may be a damaged one of any format. So are the first bytes
// of safetensors. JSON is text.
absl::Status CheckNotForeign(absl::string_view begin, absl::string_view expected);
// Returns whether a file begins like a zip archive. error: as CheckNotForeign, for a file that is
// not an archive or is one of PyTorch; the file system's.
absl::StatusOr<bool> CheckZip(const ReadableFile& file, absl::string_view expected);
// Returns the error of JSON that is not an index.
absl::Status ForeignJson(absl::string_view text, absl::string_view expected);

// Returns such an error for something that was recognized in another way.
absl::Status ForeignError(absl::string_view expected, absl::string_view found,
                          absl::string_view advice);
// Returns the error of an index whose tensors are in this file of PyTorch.
absl::Status ForeignPyTorchIndex(absl::string_view file);
// Returns the error of a zip archive without arrays, which has these members.
absl::Status ForeignArchive(absl::Span<const std::string> members, absl::string_view expected);

// Returns bytes as text.
inline absl::string_view AsText(absl::Span<const std::byte> bytes) {
  return absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

}  // namespace leafstore::internal

#endif  // LEAFSTORE_INTEROP_INTERNAL_FOREIGN_H_
