// Recognizes files of other formats by their first bytes, with one table of what they are and what
// to do.
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
// Returns the kind of a file by its first bytes, which may be the complete file.
FileKind FileKindOf(absl::string_view begin, int64_t file_size);

// Returns error InvalidArgument with ErrorReason::kForeign if `begin`, the first bytes of a file,
// are those of a known foreign format, or of text: "expected <expected>, found <what>; <what to
// do>". Returns OK for other bytes, because the file may be a damaged one of any format, and for
// the first bytes of safetensors. JSON counts as text.
absl::Status CheckNotForeign(absl::string_view begin, absl::string_view expected);
// Returns whether a file begins like a zip archive. error: as CheckNotForeign, for a file that is
// not an archive, or is a PyTorch archive; the file system's.
absl::StatusOr<bool> CheckZip(const ReadableFile& file, absl::string_view expected);
// Returns the error of JSON that is not an index.
absl::Status ForeignJson(absl::string_view text, absl::string_view expected);

// Returns an error like that of CheckNotForeign, for a file that was recognized in another way.
absl::Status ForeignError(absl::string_view expected, absl::string_view found,
                          absl::string_view advice);
// Returns the error of an index whose tensors are in `file`, a PyTorch file.
absl::Status ForeignPyTorchIndex(absl::string_view file);
// Returns the error of a zip archive without arrays, which has these members.
absl::Status ForeignArchive(absl::Span<const std::string> members, absl::string_view expected);

// Returns bytes as text.
inline absl::string_view AsText(absl::Span<const std::byte> bytes) {
  return absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

}  // namespace leafstore::internal

#endif  // LEAFSTORE_INTEROP_INTERNAL_FOREIGN_H_
