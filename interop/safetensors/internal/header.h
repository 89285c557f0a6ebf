// The header of a safetensors file, and the index of a set of files. The header has the names,
// dtypes, shapes and offsets of its tensors. All of it is checked in one place before anything is
// allocated or read because of it.
//
// The file: eight bytes, the little-endian length n of the header; n bytes of JSON, an object with
// `"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}` for each tensor and
// optionally `"__metadata__"`, an object of strings; then the bytes of the tensors. Offsets are
// relative to the end of the header. docs/safetensors.md has the rules.
//
// Order. Tensors are in the order of their bytes in the file; tensors without bytes are ordered by
// offset, then by the order of the header.
//
// Errors. DataLoss: the header is not as above; the message names the tensor, what was expected and
// what was found. ResourceExhausted: the header is longer than the limit, or out of memory. What is
// only unusual is in notes(), and tensors of a dtype that this reader does not know, or of a rank
// over kMaxRank, are in unreadable(): SafetensorsFile makes them errors with `strict`.
//
// Memory: at most a constant times the length of the header, which is in the file; about fourteen
// times during parsing, most of it never touched.
//
// Threads: immutable; const calls are thread-safe.
#ifndef LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_HEADER_H_
#define LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_HEADER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/core/leaf_columns.h"
#include "leafstore/core/metadata.h"
#include "leafstore/interop/internal/notes.h"
#include "leafstore/interop/safetensors/reader.h"

namespace leafstore::internal {

inline constexpr absl::string_view kSafetensorsMetadataName = "__metadata__";

// Returns the name of a dtype in the header, such as "F32", "BF16" or "F8_E4M3". Static storage.
absl::string_view SafetensorsDTypeName(DType dtype);
// Returns the dtype with this name, or nullopt.
std::optional<DType> SafetensorsDTypeOf(absl::string_view name);

// Returns max_header, clamped to the allowed range.
int64_t MaxSafetensorsHeader(const SafetensorsLeniency& lenient);

class SafetensorsHeader {
 public:
  // Makes the header of a file without tensors.
  SafetensorsHeader() = default;

  // Returns the length of the header from the first eight bytes of a file of `file_size` bytes.
  // error DataLoss: fewer than eight bytes, or the header is longer than the rest of the file.
  // error ResourceExhausted: over the limit.
  static absl::StatusOr<int64_t> ParseLength(absl::Span<const std::byte> prefix, int64_t file_size,
                                             const SafetensorsLeniency& lenient = {});
  // Parses the bytes of a header, without the length, of a file of `file_size` bytes. O(bytes),
  // plus O(n log n) if offsets are not ascending. `readable_behind` bytes after the text may be
  // read; if they are fewer than 64, the text is copied. error DataLoss also: the file is shorter
  // than its header. error ResourceExhausted: longer than kMaxLenientSafetensorsHeader.
  static absl::StatusOr<SafetensorsHeader> Parse(absl::string_view text, int64_t file_size,
                                                 const SafetensorsLeniency& lenient = {},
                                                 int64_t readable_behind = 0);

  // Returns the number of tensors.
  uint32_t size() const { return tensors_.size(); }
  // Returns the bytes of all tensors.
  int64_t total_bytes() const { return tensors_.total_bytes(); }
  // Return the properties of the tensor with this index, which must be less than size(). Names are
  // UTF-8. Names and specs are valid while this object lives.
  absl::string_view name(uint32_t tensor) const {
    return absl::string_view(names_).substr(name_begins_[tensor],
                                            name_begins_[tensor + 1] - name_begins_[tensor]);
  }
  LeafSpec spec(uint32_t tensor) const { return tensors_.spec(tensor); }
  int64_t byte_size(uint32_t tensor) const { return tensors_.byte_sizes()[tensor]; }
  // Returns the offset of its first byte in the file.
  int64_t offset(uint32_t tensor) const { return offsets_[tensor]; }

  // Returns nullopt if the file has no `__metadata__`.
  const std::optional<Metadata>& metadata() const { return metadata_; }
  // Returns the unreadable tensors, in the order of their bytes.
  const std::vector<UnreadableLeaf>& unreadable() const { return unreadable_; }
  // Returns what is unusual about the header.
  const Notes& notes() const { return notes_; }

  // Removes tensors, readable or not. O(n), expected.
  void Remove(const std::set<std::string, std::less<>>& names);

 private:
  friend class SafetensorsHeaderBuilder;

  void AddFrom(const SafetensorsHeader& other, uint32_t tensor);
  void Add(absl::string_view name, DType dtype, ShapeRef shape, int64_t byte_size, int64_t offset);

  std::string names_;  // concatenated
  std::vector<uint32_t> name_begins_ = {0};
  LeafColumns tensors_;
  std::vector<int64_t> offsets_;
  std::optional<Metadata> metadata_;
  std::vector<UnreadableLeaf> unreadable_;
  Notes notes_;
};

// The entry of a tensor to write.
struct SafetensorsEntry {
  absl::string_view name;
  LeafSpec spec;
};

// Returns the indices of `entries` in the order in which the reference writes tensors: by dtype,
// the widest first (U64, I64, F64, C64, F32, ... U8, F6_E3M2, F6_E2M3, F4, BOOL), then by the bytes
// of their names. O(n log n).
std::vector<uint32_t> SafetensorsOrder(absl::Span<const SafetensorsEntry> entries);

// Returns the length and the header of a file with these tensors, in the given order and without
// holes: byte for byte the output of the reference (which writes two or more metadata keys in
// random order; here they are sorted). Padded with spaces to a multiple of 8.
// error InvalidArgument: a name or metadata is not UTF-8, or a name is "__metadata__" or a
// duplicate.
// error ResourceExhausted: longer than kMaxSafetensorsHeader, which readers reject, or the tensors
// have 2^63 bytes or more. O(bytes).
absl::StatusOr<std::string> EncodeSafetensorsHeader(absl::Span<const SafetensorsEntry> entries,
                                                    const std::optional<Metadata>& metadata);

// The index of a set of shards, `model.safetensors.index.json`, in Hugging Face's format:
//
//   {"metadata": {"total_size": 24}, "weight_map": {"a.b": "model-00001-of-00002.safetensors"}}
struct SafetensorsIndex {
  std::vector<std::string> files;
  // Each tensor's name and the index of its file, in any order.
  std::vector<std::pair<std::string, uint32_t>> tensors;
  // The bytes of all tensors, if the index has them.
  std::optional<int64_t> total_size;
  // What is unusual about the index.
  Notes notes;
};

// Parses an index, and sorts its files and tensors by name. File names are relative to the
// directory of the index, without `.` and `..`. error DataLoss: not in this form, a duplicate name
// (kAmbiguous), a file name outside the directory; says what was expected and found. error
// InvalidArgument with kForeign: JSON without a weight_map. error ResourceExhausted: out of memory.
// O(n log n).
absl::StatusOr<SafetensorsIndex> ParseSafetensorsIndex(absl::string_view text);

// Returns exactly the text of Python's `json.dumps(index, indent=2, sort_keys=True) + "\n"`: the
// order of the tensors does not matter.
std::string EncodeSafetensorsIndex(const SafetensorsIndex& index);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_HEADER_H_
