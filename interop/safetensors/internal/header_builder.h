// SafetensorsHeaderBuilder: checks a header entry by entry and collects it in columns. It is the
// one place that checks headers, whichever parser read the JSON.
#ifndef LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_HEADER_BUILDER_H_
#define LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_HEADER_BUILDER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/interop/safetensors/internal/header.h"

namespace leafstore::internal {

// Returns the name of a tensor, and of a field of its entry, for a message.
std::string TensorForMessage(absl::string_view name, absl::string_view field = "");

class SafetensorsHeaderBuilder {
 public:
  // For a header of `text_size` bytes that ends at `data_begin`, in a file with `data_size` bytes
  // after it.
  SafetensorsHeaderBuilder(size_t text_size, int64_t data_begin, int64_t data_size,
                           const SafetensorsLeniency& lenient);

  // Adds an entry. error DataLoss: the sizes do not match or exceed the file.
  absl::Status Add(absl::string_view name, absl::string_view dtype, ShapeRef shape, int64_t begin,
                   int64_t end);
  // Returns the notes of the header.
  Notes& notes() { return out_.notes_; }
  void SetMetadata(Metadata metadata) { out_.metadata_ = std::move(metadata); }
  // Returns the header. error DataLoss: duplicate names, or holes, overlaps or trailing bytes.
  absl::StatusOr<SafetensorsHeader> Finish() &&;

 private:
  // Checks that no two tensors have one name.
  absl::Status CheckNames() const;
  // Return a tensor that has the name of another one, or nullopt.
  std::optional<uint32_t> MergeNames() const;
  std::optional<uint32_t> HashNames() const;
  // Returns the indices of the tensors in the order of their bytes; empty if they are in order.
  std::vector<uint32_t> Order() const;
  // Checks that the tensors, in this order, are contiguous and end with the file.
  absl::Status CheckBytes(const std::vector<uint32_t>& order) const;
  // Adds an unreadable entry.
  void AddUnreadable(absl::string_view name, std::string what, int64_t begin, int64_t size);
  // Puts the tensors in this order, without the unreadable ones.
  void Arrange(const std::vector<uint32_t>& order);

  const int64_t data_begin_;
  const int64_t data_size_;
  const SafetensorsLeniency& lenient_;
  SafetensorsHeader out_;  // in the order of the header, until Finish; offsets from data_begin_ on
  std::vector<uint32_t> runs_;  // where runs of ascending names begin, except the first
  std::optional<DType> last_dtype_;
  absl::string_view last_dtype_name_;                         // empty: unknown
  std::vector<std::pair<uint32_t, std::string>> unreadable_;  // and what they are, ascending
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_HEADER_BUILDER_H_
