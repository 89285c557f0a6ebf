// The contents of a safetensors file to write, shared by the writers of single files and of sets.
//
// Errors: as SaveSafetensors. Errors of the caller are found before a file is created.
#ifndef LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_PLAN_H_
#define LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_PLAN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/interop/safetensors/writer.h"
#include "leafstore/io/internal/atomic_file.h"
#include "leafstore/io/internal/progress.h"

namespace leafstore::internal {

// The tensors of a store by name, in the order of places, and the metadata of the file.
struct SafetensorsContent {
  std::vector<NamedTensor> tensors;
  std::optional<Metadata> metadata;
};
absl::StatusOr<SafetensorsContent> ContentOfStore(const ParamStore& store,
                                                  const SafetensorsSaveOptions& options);

// The tensors of one file in the order of the format, and its header. The tensors are borrowed.
struct SafetensorsPlan {
  std::vector<const NamedTensor*> tensors;
  std::string header;
};
absl::StatusOr<SafetensorsPlan> PlanSafetensors(absl::Span<const NamedTensor> tensors,
                                                const std::optional<Metadata>& metadata);

// Writes and closes a file, which is not yet at its path. A plan without tensors writes its
// `header` only, as for an index.
absl::StatusOr<AtomicFile> WritePlan(const std::string& path, const SafetensorsPlan& plan,
                                     const IoOptions& io, Progress* progress);

// Returns the bytes of all tensors.
int64_t TotalBytes(absl::Span<const NamedTensor> tensors);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_PLAN_H_
