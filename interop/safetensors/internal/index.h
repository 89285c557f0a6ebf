// The index of a set of shards, `model.safetensors.index.json`, in Hugging Face's format.
//
//   {"metadata": {"total_size": 24}, "weight_map": {"a.b": "model-00001-of-00002.safetensors"}}
//
// Errors of parsing. DataLoss: not in this form, a duplicate name, a file name with a directory;
// says what was expected and found. ResourceExhausted: no memory.
#ifndef LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_INDEX_H_
#define LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_INDEX_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/interop/safetensors/reader.h"

namespace leafstore::internal {

struct SafetensorsIndex {
  // The files, by ascending name.
  std::vector<std::string> files;
  // Each tensor's name and the index of its file, by ascending name.
  std::vector<std::pair<std::string, uint32_t>> tensors;
  // The bytes of all tensors, if the index has them.
  std::optional<int64_t> total_size;
};

// O(n log n).
absl::StatusOr<SafetensorsIndex> ParseSafetensorsIndex(absl::string_view text,
                                                       const SafetensorsLeniency& lenient = {});

// Returns exactly the text of Python's `json.dumps(index, indent=2, sort_keys=True) + "\n"`.
std::string EncodeSafetensorsIndex(const SafetensorsIndex& index);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_INDEX_H_
