// What a safetensors file is written of, and how: for the writers of one file and of sets. For
// interop/ alone.
//
//   LEAFSTORE_ASSIGN_OR_RETURN(const SafetensorsStoreContent content,
//                              ContentOfStore(store, options));
//   LEAFSTORE_ASSIGN_OR_RETURN(const SafetensorsPlan plan,
//                              PlanSafetensors(content.inputs, content.metadata));
//   SafetensorsProgress progress(options, content.inputs);
//   LEAFSTORE_ASSIGN_OR_RETURN(AtomicFile file, WritePlan(path, plan, options, &progress));
//
// Errors: as SaveSafetensors. All that is the caller's is found before a file is made.
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

namespace leafstore {

// A tensor that is written, and its name. Both are somebody else's.
struct SafetensorsInput {
  absl::string_view name;
  const Tensor* tensor;
};

// A store's tensors by their names, and the metadata that goes with them. The tensors are the
// store's.
struct SafetensorsStoreContent {
  std::vector<std::string> names;
  std::vector<SafetensorsInput> inputs;  // in the order of places
  std::optional<Metadata> metadata;
};
absl::StatusOr<SafetensorsStoreContent> ContentOfStore(const ParamStore& store,
                                                       const SafetensorsSaveOptions& options);

// Tells the bytes that are written, of all files together.
class SafetensorsProgress {
 public:
  // `options` must outlive this.
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

// The tensors of one file in the order of the format, and the header that says so.
struct SafetensorsPlan {
  std::vector<SafetensorsInput> inputs;
  std::string header;
};
absl::StatusOr<SafetensorsPlan> PlanSafetensors(absl::Span<const SafetensorsInput> inputs,
                                                const std::optional<Metadata>& metadata);

// A file that is written and closed, and not yet at its path.
absl::StatusOr<internal::AtomicFile> WritePlan(const std::string& path, const SafetensorsPlan& plan,
                                               const SafetensorsSaveOptions& options,
                                               SafetensorsProgress* progress);

}  // namespace leafstore

#endif  // LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_PLAN_H_
