// SafetensorsHeaderBuilder: what a header says, entry by entry, checked and put into columns. The
// one place where a header is believed, whoever parsed its JSON. For interop/ alone.
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

namespace leafstore {

inline constexpr absl::string_view kSafetensorsMetadataName = "__metadata__";

// The limit of a header's length that is meant by max_header.
int64_t MostSafetensorsHeader(const SafetensorsLeniency& lenient);

class SafetensorsHeaderBuilder {
 public:
  // Of a header of `text_size` bytes that ends at `data_begin`, in a file that has `data_size`
  // bytes behind it.
  SafetensorsHeaderBuilder(size_t text_size, int64_t data_begin, int64_t data_size,
                           const SafetensorsLeniency& lenient);

  // error DataLoss: sizes that do not fit, or outside of the file. error Unimplemented: a dtype or
  // a rank that is not known.
  absl::Status Add(absl::string_view name, absl::string_view dtype, ShapeRef shape, int64_t begin,
                   int64_t end);
  void SetMetadata(Metadata metadata) { out_.metadata_ = std::move(metadata); }
  // error DataLoss: two tensors of one name, or they do not follow one another to the file's end.
  absl::StatusOr<SafetensorsHeader> Finish() &&;

 private:
  absl::Status CheckNames() const;
  absl::Status CheckRuns() const;
  absl::Status CheckByHash() const;
  static absl::Status TwoOfName(absl::string_view name);
  bool IsInOrder() const;
  void Sort();
  absl::Status CheckBytes() const;
  // Takes out the tensors of unknown dtypes.
  void LeaveOut();
  // The columns of some of the tensors, in that order.
  SafetensorsHeader Select(const std::vector<uint32_t>& tensors) const;

  const int64_t data_begin_;
  const int64_t data_size_;
  const SafetensorsLeniency& lenient_;
  SafetensorsHeader out_;  // in the order of the header, until Finish; offsets from data_begin_ on
  std::vector<uint32_t> runs_;  // where runs of growing names begin, but for the first
  std::optional<DType> last_dtype_;
  std::vector<bool> unknown_;  // of each tensor whether its dtype is; empty where none is
};

// A header as the reference and this library write it, or any that has nothing unusual in it: by
// simdjson's On-Demand interface, which makes nothing of the text. False where there is anything
// else, even an error, and then `builder` is of no more use: who wants to know what, asks the
// parser of whole documents. `text` must be followed by simdjson's padding.
bool ParseUsualSafetensorsHeader(absl::string_view text, SafetensorsHeaderBuilder* builder);

}  // namespace leafstore

#endif  // LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_HEADER_BUILDER_H_
