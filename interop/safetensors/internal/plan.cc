#include "leafstore/interop/safetensors/internal/plan.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/interop/safetensors/header.h"
#include "leafstore/interop/safetensors/structure.h"

namespace leafstore::internal {
namespace {

// The bytes of a large tensor that are written at a time, and about the bytes of small tensors
// between two progress reports.
constexpr size_t kPiece = size_t{4} << 20;

SafetensorsEntry EntryOf(const SafetensorsInput& input) {
  return {input.name, LeafSpec(input.tensor->dtype(), input.tensor->shape())};
}

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

const Leaf* FindStatic(const ParamStore& store, uint32_t* place) {
  for (*place = 0; *place < store.size(); ++*place) {
    if (store.leaf(*place).is_value()) return &store.leaf(*place);
  }
  return nullptr;
}

absl::StatusOr<bool> WantsStructure(const ParamStore& store, absl::Span<const std::string> names,
                                    const SafetensorsSaveOptions& options) {
  uint32_t place = 0;
  const Leaf* value = FindStatic(store, &place);
  if (options.structure == StructureSave::kNever) {
    if (value == nullptr || options.drop_static) return false;
    return absl::InvalidArgumentError(absl::StrCat(
        "'", store.PathText(place), "': expected a tensor, found the static leaf ",
        value->value().ToString(), "; save it with the structure, or leave static leaves out"));
  }
  return options.structure == StructureSave::kAlways || value != nullptr ||
         options.grouping.has_value() || store.layout().has_def() || AreOtherPaths(store, names);
}

absl::Status AddStructure(const ParamStore& store, const SafetensorsSaveOptions& options,
                          std::optional<Metadata>* metadata) {
  const std::string key(kSafetensorsStructureKey);
  if (metadata->has_value() && (*metadata)->contains(key)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "expected metadata without ", key, ", under which the structure is saved, found it"));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(
      std::string text,
      EncodeSafetensorsStructure(
          {StoreSpec::Of(store, options.grouping),
           options.names == NameStyle::kCanonical ? NameStyle::kCanonical : NameStyle::kSplit}));
  if (!metadata->has_value()) metadata->emplace();
  (*metadata)->emplace(key, std::move(text));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SafetensorsStoreContent> ContentOfStore(const ParamStore& store,
                                                       const SafetensorsSaveOptions& options) {
  LEAFSTORE_RETURN_IF_ERROR(store.CheckNoBorrow("save"));
  SafetensorsStoreContent content;
  content.metadata = options.metadata;
  LEAFSTORE_ASSIGN_OR_RETURN(content.names, NamesOf(store, options.names));
  LEAFSTORE_ASSIGN_OR_RETURN(const bool structure, WantsStructure(store, content.names, options));
  if (structure) LEAFSTORE_RETURN_IF_ERROR(AddStructure(store, options, &content.metadata));
  for (uint32_t place = 0; place < store.size(); ++place) {
    if (!store.leaf(place).is_tensor()) continue;
    content.inputs.push_back({content.names[place], &store.leaf(place).tensor()});
  }
  return content;
}

SafetensorsProgress::SafetensorsProgress(const SafetensorsSaveOptions& options,
                                         absl::Span<const SafetensorsInput> inputs)
    : tell_(options.io.progress) {
  if (!tell_) return;
  for (const SafetensorsInput& input : inputs) total_ += input.tensor->byte_size();
}

void SafetensorsProgress::Add(size_t bytes) {
  done_ += static_cast<int64_t>(bytes);
  if (tell_ && done_ - told_ >= static_cast<int64_t>(kPiece)) Tell();
}

void SafetensorsProgress::Tell() {
  if (!tell_ || told_ == done_) return;
  told_ = done_;
  tell_(done_, total_);
}

absl::StatusOr<SafetensorsPlan> PlanSafetensors(absl::Span<const SafetensorsInput> inputs,
                                                const std::optional<Metadata>& metadata) {
  std::vector<SafetensorsEntry> entries;
  entries.reserve(inputs.size());
  for (const SafetensorsInput& input : inputs) entries.push_back(EntryOf(input));
  const std::vector<uint32_t> order = SafetensorsOrder(entries);
  SafetensorsPlan planned;
  std::vector<SafetensorsEntry> sorted;
  sorted.reserve(inputs.size());
  planned.inputs.reserve(inputs.size());
  for (const uint32_t i : order) {
    sorted.push_back(entries[i]);
    planned.inputs.push_back(inputs[i]);
  }
  LEAFSTORE_ASSIGN_OR_RETURN(planned.header, EncodeSafetensorsHeader(sorted, metadata));
  return planned;
}

absl::StatusOr<AtomicFile> WritePlan(const std::string& path, const SafetensorsPlan& plan,
                                     const SafetensorsSaveOptions& options,
                                     SafetensorsProgress* progress) {
  LEAFSTORE_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path, options.io));
  LEAFSTORE_RETURN_IF_ERROR(file.stream().Append(absl::MakeConstSpan(
      reinterpret_cast<const std::byte*>(plan.header.data()), plan.header.size())));
  for (const SafetensorsInput& input : plan.inputs) {
    absl::Span<const std::byte> bytes = input.tensor->bytes();
    while (!bytes.empty()) {
      const absl::Span<const std::byte> piece = bytes.subspan(0, kPiece);
      LEAFSTORE_RETURN_IF_ERROR(file.stream().Append(piece));
      progress->Add(piece.size());
      bytes.remove_prefix(piece.size());
    }
  }
  LEAFSTORE_RETURN_IF_ERROR(file.Close());
  return file;
}

}  // namespace leafstore::internal
