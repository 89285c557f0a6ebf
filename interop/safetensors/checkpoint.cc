#include "leafstore/interop/safetensors/checkpoint.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/interop/internal/json_text.h"

namespace leafstore {

using internal::QuotedForMessage;

namespace {

constexpr absl::string_view kOriginVersion = "1";

// The form of a file, as the item's metadata records it.
struct Origin {
  bool canonical = false;
  bool structure = false;
  bool metadata = false;
};

std::string ToText(const Origin& origin) {
  return absl::StrCat(kOriginVersion, origin.canonical ? " canonical" : " dotted",
                      origin.structure ? " structure" : " plain",
                      origin.metadata ? " metadata" : " none");
}

absl::StatusOr<Origin> ParseOrigin(absl::string_view text) {
  const std::vector<absl::string_view> words = absl::StrSplit(text, ' ');
  if (words.size() == 4 && words[0] == kOriginVersion) {
    const Origin origin = {words[1] == "canonical", words[2] == "structure",
                           words[3] == "metadata"};
    if (ToText(origin) == text) return origin;
  }
  return absl::DataLossError(absl::StrCat("metadata ", kSafetensorsOriginKey,
                                          ": expected a note such as '", ToText({}), "', found ",
                                          QuotedForMessage(text)));
}

bool HasOnlyTensors(const ParamStore& store) {
  return std::all_of(store.leaves().begin(), store.leaves().end(),
                     [](const Leaf& leaf) { return leaf.is_tensor(); });
}

}  // namespace

absl::StatusOr<ItemOptions> ItemOptionsFromSafetensors(const SafetensorsReader& reader) {
  const std::string key(kSafetensorsOriginKey);
  ItemOptions options;
  if (reader.metadata().has_value()) options.metadata = *reader.metadata();
  if (options.metadata.contains(key)) {
    return absl::InvalidArgumentError(absl::StrCat(reader.path(), ": expected metadata without ",
                                                   key, ", under which the origin is noted"));
  }
  // For a file with only a structure, that is all of its metadata.
  Origin origin;
  origin.canonical = reader.name_style() == NameStyle::kCanonical;
  origin.structure = reader.has_structure();
  origin.metadata = reader.metadata().has_value();
  options.metadata.emplace(key, ToText(origin));
  LEAFSTORE_ASSIGN_OR_RETURN(const SafetensorsLeaves* leaves, reader.GetLeaves());
  options.grouping = leaves->grouping();
  return options;
}

absl::StatusOr<CheckpointItem> ItemFromSafetensors(const SafetensorsReader& reader,
                                                   std::string name) {
  LEAFSTORE_ASSIGN_OR_RETURN(ItemOptions options, ItemOptionsFromSafetensors(reader));
  LEAFSTORE_ASSIGN_OR_RETURN(ParamStore store, reader.Load());
  return CheckpointItem(std::move(name), std::move(store), std::move(options));
}

absl::StatusOr<SafetensorsContent> SafetensorsFromStore(ParamStore store, ItemOptions item) {
  SafetensorsContent content;
  Metadata metadata = std::move(item.metadata);
  Origin origin;
  origin.metadata = !metadata.empty();
  bool noted = false;
  if (const auto at = metadata.find(std::string(kSafetensorsOriginKey)); at != metadata.end()) {
    LEAFSTORE_ASSIGN_OR_RETURN(origin, ParseOrigin(at->second));
    noted = true;
    metadata.erase(at);
  }
  if (origin.metadata || !metadata.empty()) content.options.metadata = std::move(metadata);
  content.options.grouping = std::move(item.grouping);
  content.store = std::move(store);
  if (origin.canonical) content.options.names = NameStyle::kCanonical;
  if (origin.structure) {
    content.options.structure = StructureSave::kAlways;
  } else if (noted && !content.store.layout().has_def() && !content.options.grouping.has_value() &&
             HasOnlyTensors(content.store)) {
    // A plain file has only names. (An ignored structure is in the metadata.)
    content.options.structure = StructureSave::kNever;
  }
  return content;
}

absl::StatusOr<SafetensorsContent> SafetensorsFromItem(const CheckpointReader& reader,
                                                       absl::string_view item) {
  ItemOptions options;
  LEAFSTORE_ASSIGN_OR_RETURN(const CheckpointItemInfo info, reader.GetItem(item));
  options.metadata = info.metadata();
  options.grouping = info.grouping();
  LEAFSTORE_ASSIGN_OR_RETURN(ParamStore store, reader.Load(item));
  absl::StatusOr<SafetensorsContent> content =
      SafetensorsFromStore(std::move(store), std::move(options));
  if (content.ok()) return content;
  return WithContext(content.status(),
                     absl::StrCat(reader.path(), ": item ", QuotedForMessage(item)));
}

}  // namespace leafstore
