// The header of a safetensors file: which tensors it holds, and where. Checked in full, in one
// place, before anything is allocated or read on its word.
//
//   SafetensorsHeader header = SafetensorsHeader::Parse(bytes, file_size).value();
//   for (uint32_t i = 0; i < header.size(); ++i) header.name(i), header.dtype(i), header.shape(i);
//   std::string text = EncodeSafetensorsHeader(entries, metadata).value();   // and back
//
// The file: eight bytes, the little-endian length n of the header; n bytes of JSON, an object that
// has for each tensor `"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}` and
// perhaps `"__metadata__"`, an object of strings; spaces behind it, within the n bytes; and then
// the bytes of the tensors, row-major and little-endian, which offsets count from there on and
// which fill the rest of the file without holes. (https://huggingface.co/docs/safetensors; what the
// page leaves open is as in the reference's code, version 0.8, or stricter: docs/safetensors.md.)
//
// Order. Entries are numbered in the order of their bytes in the file; entries without bytes stand
// where their offset says, among equals in the order of the header.
//
// Errors. DataLoss: the header is not as above; the message names the tensor, what was expected and
// what was found. Unimplemented: a dtype that this reader does not know, or a rank over kMaxRank.
// ResourceExhausted: the header is longer than the limit, or there is no memory for it.
//
// Memory: at most a constant times the header's length, which is in the file; about fourteen times
// while it is parsed, most of it never touched.
//
// Speed: a header as the reference writes it, or one that has nothing unusual in it, is walked
// where it lies (simdjson's On-Demand interface). Where that meets anything else, even an error,
// the whole is parsed again into a document (simdjson's DOM), which then has the word. What entries
// mean is checked by the same code either way (safetensors_header_builder.h).
//
// Threads: immutable; const calls are safe from many threads.
#ifndef LEAFSTORE_INTEROP_SAFETENSORS_HEADER_H_
#define LEAFSTORE_INTEROP_SAFETENSORS_HEADER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/core/dtype.h"
#include "leafstore/core/leaf_spec.h"
#include "leafstore/core/metadata.h"
#include "leafstore/core/shape.h"

namespace leafstore {

// "F32", "BF16", "F8_E4M3": what the header calls a dtype. Static storage.
absl::string_view SafetensorsDTypeName(DType dtype);
// No value where there is no dtype of this name.
std::optional<DType> SafetensorsDTypeOf(absl::string_view name);

// The longest header that the reference reads and writes.
inline constexpr int64_t kMaxSafetensorsHeader = 100'000'000;
// The length of the longest header that can be asked for.
inline constexpr int64_t kMostSafetensorsHeader = (int64_t{1} << 32) - 4096;

// Each field forgives one thing that is an error otherwise. What can be read in two ways
// (duplicate names, overlapping tensors, sizes that do not fit) is never forgiven.
struct SafetensorsLeniency {
  // JSON white space other than spaces behind the header, or any before it.
  bool white_space = false;
  // Fields of an entry besides the three are passed over.
  bool unknown_fields = false;
  // `"__metadata__": null` is as if it were not there.
  bool null_metadata = false;
  // Values of `__metadata__` that are no strings are left out.
  bool metadata_values = false;
  // Tensors of an unknown dtype are left out. Their bytes are then no hole.
  bool unknown_dtypes = false;
  // Bytes between two tensors, or before the first, that are no tensor's.
  bool holes = false;
  // Bytes behind the last tensor.
  bool trailing_bytes = false;
  // The longest header, and the longest index, in bytes. One below 0 is taken for 0, and one over
  // kMostSafetensorsHeader, which is what can be parsed, for that.
  int64_t max_header = kMaxSafetensorsHeader;
};

class SafetensorsHeader {
 public:
  // Of a file without tensors.
  SafetensorsHeader() = default;

  // The header's length, of the first eight bytes of a file of `file_size` bytes.
  // error DataLoss: fewer than eight bytes, or the header would be longer than the rest of the
  // file. error ResourceExhausted: over the limit.
  static absl::StatusOr<int64_t> ParseLength(absl::Span<const std::byte> prefix, int64_t file_size,
                                             const SafetensorsLeniency& lenient = {});
  // The header's own bytes, without the length, in a file of `file_size` bytes. O(bytes), and
  // O(n log n) where offsets do not grow. `readable_behind`: so many bytes behind the text may be
  // read; it is copied where they are fewer than 64. error DataLoss also: the file is shorter than
  // its header. error ResourceExhausted: longer than kMostSafetensorsHeader.
  static absl::StatusOr<SafetensorsHeader> Parse(absl::string_view text, int64_t file_size,
                                                 const SafetensorsLeniency& lenient = {},
                                                 int64_t readable_behind = 0);

  // Number of tensors.
  uint32_t size() const { return static_cast<uint32_t>(dtypes_.size()); }
  // Of the tensor with this number, which must be less than size(). Names, UTF-8, and specs are
  // valid while this lives.
  absl::string_view name(uint32_t tensor) const& {
    return absl::string_view(names_).substr(name_begins_[tensor],
                                            name_begins_[tensor + 1] - name_begins_[tensor]);
  }
  absl::string_view name(uint32_t tensor) && = delete;  // would dangle
  LeafSpec spec(uint32_t tensor) const& {
    return LeafSpec(dtypes_[tensor], ShapeRef(dims_.data() + dims_begins_[tensor],
                                              dims_begins_[tensor + 1] - dims_begins_[tensor]));
  }
  LeafSpec spec(uint32_t tensor) && = delete;  // would dangle
  int64_t byte_size(uint32_t tensor) const { return byte_sizes_[tensor]; }
  // Of its first byte, from the beginning of the file.
  int64_t offset(uint32_t tensor) const { return offsets_[tensor]; }

  // No value where the file has no `__metadata__`.
  const std::optional<Metadata>& metadata() const& { return metadata_; }
  const std::optional<Metadata>& metadata() && = delete;  // would dangle
  // Names of tensors that were left out (SafetensorsLeniency::unknown_dtypes), and their bytes.
  const std::vector<std::string>& left_out() const& { return left_out_; }
  const std::vector<std::string>& left_out() && = delete;
  int64_t left_out_bytes() const { return left_out_bytes_; }

 private:
  friend class SafetensorsHeaderBuilder;

  // Of the object alone, by a parser that says what is wrong.
  static absl::StatusOr<SafetensorsHeader> ParseDocument(absl::string_view text, int64_t data_begin,
                                                         int64_t data_size,
                                                         const SafetensorsLeniency& lenient);

  std::string names_;  // one after another
  std::vector<uint32_t> name_begins_ = {0};
  std::vector<DType> dtypes_;
  std::vector<int64_t> dims_;
  std::vector<uint32_t> dims_begins_ = {0};
  std::vector<int64_t> byte_sizes_;
  std::vector<int64_t> offsets_;
  std::optional<Metadata> metadata_;
  std::vector<std::string> left_out_;
  int64_t left_out_bytes_ = 0;
};

// What the writer says of a tensor.
struct SafetensorsEntry {
  absl::string_view name;
  LeafSpec spec;
};

// The order in which the reference writes tensors: by dtype, the widest first (U64, I64, F64, C64,
// F32, ... U8, F6_E3M2, F6_E2M3, F4, BOOL), then by the bytes of their names. Numbers of `entries`.
// O(n log n).
std::vector<uint32_t> SafetensorsOrder(absl::Span<const SafetensorsEntry> entries);

// The length and the header of a file of these tensors, in the given order and without holes: byte
// for byte what the reference writes (whose order of two or more metadata keys is random; here they
// are sorted). Padded with spaces to a multiple of 8.
// error InvalidArgument: a name or a piece of metadata is no UTF-8, a name is "__metadata__" or is
// there twice. error ResourceExhausted: longer than kMaxSafetensorsHeader, which no reader would
// take, or for tensors of 2^63 bytes or more in all. O(bytes).
absl::StatusOr<std::string> EncodeSafetensorsHeader(absl::Span<const SafetensorsEntry> entries,
                                                    const std::optional<Metadata>& metadata);

}  // namespace leafstore

#endif  // LEAFSTORE_INTEROP_SAFETENSORS_HEADER_H_
