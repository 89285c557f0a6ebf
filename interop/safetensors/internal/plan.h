// The contents of a safetensors file to write, shared by the writers of single files and of sets.
//
//   LEAFSTORE_ASSIGN_OR_RETURN(const SafetensorsStoreContent content,
//                              ContentOfStore(store, options));
//   LEAFSTORE_ASSIGN_OR_RETURN(const SafetensorsPlan plan,
//                              PlanSafetensors(content.inputs, content.metadata));
//   SafetensorsProgress progress(options, content.inputs);
//   LEAFSTORE_ASSIGN_OR_RETURN(AtomicFile file, WritePlan(path, plan, options, &progress));
//
// Errors: as SaveSafetensors. Errors of the caller are found before a file is created.
#ifndef LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_PLAN_H_
#define LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/interop/safetensors/writer.h"
#include "leafstore/io/internal/atomic_file.h"

namespace leafstore::internal {

// A tensor to write and its name. Both are borrowed.
struct SafetensorsInput {
  absl::string_view name;
  const Tensor* tensor;
};

// The tensors of a store by name, and the metadata of the file. The tensors are borrowed from the
// store.
struct SafetensorsStoreContent {
  std::vector<std::string> names;
  std::vector<SafetensorsInput> inputs;  // in the order of places
  std::optional<Metadata> metadata;
};
absl::StatusOr<SafetensorsStoreContent> ContentOfStore(const ParamStore& store,
                                                       const SafetensorsSaveOptions& options);

// Reports the bytes written, for all files together.
class SafetensorsProgress {
 public:
  // `options` must outlive this object.
  SafetensorsProgress(const SafetensorsSaveOptions& options,
                      absl::Span<const SafetensorsInput> inputs);

  void Add(size_t bytes);
  void Tell();

 private:
  const std::function<void(int64_t, int64_t)>& tell_;
  int64_t total_ = 0;
  int64_t done_ = 0;
  int64_t told_ = 0;
};

// The tensors of one file in the order of the format, and its header.
struct SafetensorsPlan {
  std::vector<SafetensorsInput> inputs;
  std::string header;
};
absl::StatusOr<SafetensorsPlan> PlanSafetensors(absl::Span<const SafetensorsInput> inputs,
                                                const std::optional<Metadata>& metadata);

// Writes and closes a file, which is not yet at its path.
absl::StatusOr<AtomicFile> WritePlan(const std::string& path, const SafetensorsPlan& plan,
                                     const SafetensorsSaveOptions& options,
                                     SafetensorsProgress* progress);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_PLAN_H_
