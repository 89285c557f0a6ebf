#include "leafstore/interop/safetensors/writer.h"

#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/interop/internal/json_text.h"
#include "leafstore/interop/safetensors/internal/plan.h"

namespace leafstore {

using internal::ContentOfStore;
using internal::PlanSafetensors;
using internal::QuotedForMessage;
using internal::SafetensorsInput;
using internal::SafetensorsPlan;
using internal::SafetensorsProgress;
using internal::SafetensorsStoreContent;
using internal::WritePlan;

namespace {

absl::Status WriteOne(const std::string& path, absl::Span<const SafetensorsInput> inputs,
                      const std::optional<Metadata>& metadata,
                      const SafetensorsSaveOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const SafetensorsPlan plan, PlanSafetensors(inputs, metadata));
  SafetensorsProgress progress(options, inputs);
  LEAFSTORE_ASSIGN_OR_RETURN(internal::AtomicFile file, WritePlan(path, plan, options, &progress));
  LEAFSTORE_RETURN_IF_ERROR(file.Commit());
  progress.Tell();
  return absl::OkStatus();
}

}  // namespace

absl::Status SaveSafetensors(const std::string& path, const ParamStore& store,
                             const SafetensorsSaveOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const SafetensorsStoreContent content, ContentOfStore(store, options));
  return WriteOne(path, content.inputs, content.metadata, options);
}

absl::Status SaveSafetensors(const std::string& path, absl::Span<const NamedTensor> tensors,
                             const SafetensorsSaveOptions& options) {
  std::vector<SafetensorsInput> inputs;
  inputs.reserve(tensors.size());
  for (const NamedTensor& one : tensors) {
    if (one.tensor.null()) {
      return absl::InvalidArgumentError(
          absl::StrCat("expected a tensor called ", QuotedForMessage(one.name), ", found null"));
    }
    inputs.push_back({one.name, &one.tensor});
  }
  return WriteOne(path, inputs, options.metadata, options);
}

}  // namespace leafstore
