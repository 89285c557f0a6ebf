// The index of a set of shards, `model.safetensors.index.json`, as Hugging Face's libraries write
// it. For interop/ alone.
//
//   {"metadata": {"total_size": 24}, "weight_map": {"a.b": "model-00001-of-00002.safetensors"}}
//
// Errors of parsing. DataLoss: not as above, a name twice, a file's name with a directory in it;
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

#include "leafstore/interop/safetensors/header.h"

namespace leafstore {

struct SafetensorsIndex {
  // The files, by name.
  std::vector<std::string> files;
  // Each tensor's name, and the number of its file; by name.
  std::vector<std::pair<std::string, uint32_t>> tensors;
  // Bytes of all tensors, where the index says so.
  std::optional<int64_t> total_size;
};

// O(n log n).
// With `any_total_size` a total_size that is no count is passed over.
absl::StatusOr<SafetensorsIndex> ParseSafetensorsIndex(absl::string_view text,
                                                       const SafetensorsLeniency& lenient = {},
                                                       bool any_total_size = false);

// Byte for byte what `json.dumps(index, indent=2, sort_keys=True) + "\n"` is in Python.
std::string EncodeSafetensorsIndex(const SafetensorsIndex& index);

}  // namespace leafstore

#endif  // LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_INDEX_H_
