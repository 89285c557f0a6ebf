// SafetensorsHeaderBuilder: checks a header entry by entry and collects it in columns. It is the
// one place that checks headers, whichever parser read the JSON.
//
// Threads: one thread at a time.
#ifndef LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_HEADER_BUILDER_H_
#define LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_HEADER_BUILDER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/interop/safetensors/header.h"

namespace leafstore::internal {

inline constexpr absl::string_view kSafetensorsMetadataName = "__metadata__";

// Returns max_header, clamped to the allowed range.
int64_t MostSafetensorsHeader(const SafetensorsLeniency& lenient);

class SafetensorsHeaderBuilder {
 public:
  // For a header of `text_size` bytes that ends at `data_begin`, in a file with `data_size` bytes
  // after it.
  SafetensorsHeaderBuilder(size_t text_size, int64_t data_begin, int64_t data_size,
                           const SafetensorsLeniency& lenient);

  // Adds an entry. error DataLoss: the sizes do not match or exceed the file. error Unimplemented:
  // an unknown dtype, or a rank over kMaxRank.
  absl::Status Add(absl::string_view name, absl::string_view dtype, ShapeRef shape, int64_t begin,
                   int64_t end);
  void SetMetadata(Metadata metadata) { out_.metadata_ = std::move(metadata); }
  // Returns the header. error DataLoss: duplicate names, or holes, overlaps or trailing bytes.
  absl::StatusOr<SafetensorsHeader> Finish() &&;

 private:
  absl::Status CheckNames() const;
  absl::Status CheckRuns() const;
  absl::Status CheckByHash() const;
  static absl::Status TwoOfName(absl::string_view name);
  bool IsInOrder() const;
  void Sort();
  absl::Status CheckBytes() const;
  // Removes the tensors with unknown dtypes.
  void LeaveOut();
  // Returns the columns of some of the tensors, in that order.
  SafetensorsHeader Select(const std::vector<uint32_t>& tensors) const;

  const int64_t data_begin_;
  const int64_t data_size_;
  const SafetensorsLeniency& lenient_;
  SafetensorsHeader out_;  // in the order of the header, until Finish; offsets from data_begin_ on
  std::vector<uint32_t> runs_;  // where runs of ascending names begin, except the first
  std::optional<DType> last_dtype_;
  std::vector<bool> unknown_;  // per tensor: dtype is unknown; empty if all are known
};

// Parses an ordinary header, such as the reference and this library write, with simdjson's
// On-Demand API, which allocates nothing. Returns false for anything else, even an error; `builder`
// must then be discarded and the document parser used. `text` must be followed by simdjson's
// padding.
bool ParseUsualSafetensorsHeader(absl::string_view text, SafetensorsHeaderBuilder* builder);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_HEADER_BUILDER_H_
