#include "leafstore/interop/safetensors/writer.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/interop/internal/json_text.h"
#include "leafstore/interop/safetensors/internal/header.h"
#include "leafstore/interop/safetensors/internal/plan.h"
#include "leafstore/interop/safetensors/internal/structure.h"

namespace leafstore {
namespace internal {
namespace {

// The bytes of a tensor that are written at a time.
constexpr size_t kCopyPiece = size_t{4} << 20;

// Returns whether a reader that splits names would make other paths of them.
bool AreOtherPaths(const ParamStore& store, absl::Span<const std::string> names) {
  const std::vector<absl::string_view> views(names.begin(), names.end());
  const absl::StatusOr<std::vector<Path>> paths = PathsOfNames(views, NameStyle::kSplit);
  if (!paths.ok()) return true;
  for (uint32_t place = 0; place < store.size(); ++place) {
    if ((*paths)[place] != store.layout().PathOf(store.slot(place))) return true;
  }
  return false;
}

absl::StatusOr<bool> WantsStructure(const ParamStore& store, absl::Span<const std::string> names,
                                    const SafetensorsSaveOptions& options) {
  const absl::Span<const Leaf> leaves = store.leaves();
  const auto* value = std::find_if(leaves.begin(), leaves.end(), std::mem_fn(&Leaf::is_value));
  const bool has_values = value != leaves.end();
  if (options.structure == StructureSave::kNever) {
    if (!has_values || options.drop_static) return false;
    return absl::InvalidArgumentError(
        absl::StrCat("'", store.PathText(static_cast<uint32_t>(value - leaves.begin())),
                     "': expected a tensor, found the static leaf ", value->value().ToString(),
                     "; save it with the structure, or set drop_static"));
  }
  return options.structure == StructureSave::kAlways || has_values ||
         options.grouping.has_value() || store.layout().has_def() || AreOtherPaths(store, names);
}

absl::Status AddStructure(const ParamStore& store, const SafetensorsSaveOptions& options,
                          std::optional<Metadata>* metadata) {
  const std::string key(kSafetensorsStructureKey);
  if (!metadata->has_value()) metadata->emplace();
  LEAFSTORE_ASSIGN_OR_RETURN(
      std::string text,
      EncodeSafetensorsStructure(
          {StoreSpec::Of(store, options.grouping),
           options.names == NameStyle::kCanonical ? NameStyle::kCanonical : NameStyle::kSplit}));
  if ((*metadata)->try_emplace(key, std::move(text)).second) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("expected metadata without ", key,
                                                 ", under which the structure is saved, found it"));
}

}  // namespace

absl::StatusOr<SafetensorsContent> ContentOfStore(const ParamStore& store,
                                                  const SafetensorsSaveOptions& options) {
  LEAFSTORE_RETURN_IF_ERROR(store.CheckNoBorrow("save"));
  SafetensorsContent content{{}, options.metadata};
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<std::string> names, NamesOf(store, options.names));
  LEAFSTORE_ASSIGN_OR_RETURN(const bool structure, WantsStructure(store, names, options));
  if (structure) LEAFSTORE_RETURN_IF_ERROR(AddStructure(store, options, &content.metadata));
  for (uint32_t place = 0; place < store.size(); ++place) {
    if (!store.leaf(place).is_tensor()) continue;
    content.tensors.push_back({std::move(names[place]), store.leaf(place).tensor()});
  }
  return content;
}

absl::StatusOr<SafetensorsPlan> PlanSafetensors(absl::Span<const NamedTensor> tensors,
                                                const std::optional<Metadata>& metadata) {
  std::vector<SafetensorsEntry> entries;
  entries.reserve(tensors.size());
  for (const NamedTensor& one : tensors) {
    entries.push_back({one.name, LeafSpec(one.tensor.dtype(), one.tensor.shape())});
  }
  SafetensorsPlan plan;
  std::vector<SafetensorsEntry> sorted;
  sorted.reserve(tensors.size());
  plan.tensors.reserve(tensors.size());
  for (const uint32_t i : SafetensorsOrder(entries)) {
    sorted.push_back(entries[i]);
    plan.tensors.push_back(&tensors[i]);
  }
  LEAFSTORE_ASSIGN_OR_RETURN(plan.header, EncodeSafetensorsHeader(sorted, metadata));
  return plan;
}

absl::StatusOr<AtomicFile> WritePlan(const std::string& path, const SafetensorsPlan& plan,
                                     const IoOptions& io, Progress* progress) {
  LEAFSTORE_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path, io));
  LEAFSTORE_RETURN_IF_ERROR(file.stream().Append(absl::MakeConstSpan(
      reinterpret_cast<const std::byte*>(plan.header.data()), plan.header.size())));
  for (const NamedTensor* one : plan.tensors) {
    for (auto bytes = one->tensor.bytes(); !bytes.empty();) {
      const absl::Span<const std::byte> piece = bytes.subspan(0, kCopyPiece);
      LEAFSTORE_RETURN_IF_ERROR(file.stream().Append(piece));
      progress->Add(static_cast<int64_t>(piece.size()));
      bytes.remove_prefix(piece.size());
    }
  }
  LEAFSTORE_RETURN_IF_ERROR(file.Close());
  return file;
}

int64_t TotalBytes(absl::Span<const NamedTensor> tensors) {
  int64_t bytes = 0;
  for (const NamedTensor& one : tensors) bytes += one.tensor.byte_size();
  return bytes;
}

}  // namespace internal

namespace {

absl::Status WriteOne(const std::string& path, absl::Span<const NamedTensor> tensors,
                      const std::optional<Metadata>& metadata, const IoOptions& io) {
  LEAFSTORE_ASSIGN_OR_RETURN(const internal::SafetensorsPlan plan,
                             internal::PlanSafetensors(tensors, metadata));
  internal::Progress progress(io.progress, internal::TotalBytes(tensors));
  LEAFSTORE_ASSIGN_OR_RETURN(internal::AtomicFile file,
                             internal::WritePlan(path, plan, io, &progress));
  progress.Finish();
  return file.Commit();
}

}  // namespace

absl::Status SaveSafetensors(const std::string& path, const ParamStore& store,
                             const SafetensorsSaveOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const internal::SafetensorsContent content,
                             internal::ContentOfStore(store, options));
  return WriteOne(path, content.tensors, content.metadata, options.io);
}

absl::Status SaveSafetensors(const std::string& path, absl::Span<const NamedTensor> tensors,
                             const SafetensorsSaveOptions& options) {
  for (const NamedTensor& one : tensors) {
    if (!one.tensor.null()) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "expected a tensor called ", internal::QuotedForMessage(one.name), ", found null"));
  }
  return WriteOne(path, tensors, options.metadata, options.io);
}

}  // namespace leafstore
