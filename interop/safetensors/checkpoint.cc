#include "leafstore/interop/safetensors/checkpoint.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/interop/internal/json_text.h"

namespace leafstore {
namespace {

// The form of a file, as the item's metadata records it.
struct Origin {
  NameStyle names = NameStyle::kSplit;
  bool structure = false;
  bool metadata = false;
};

constexpr std::pair<const char*, NameStyle> kOriginNames[] = {{" dotted", NameStyle::kSplit},
                                                              {" canonical", NameStyle::kCanonical},
                                                              {" slash", NameStyle::kSlash}};

std::string ToText(const Origin& origin) {
  const char* names = "";
  for (const auto& [text, style] : kOriginNames) {
    if (FormOf(style) == FormOf(origin.names)) names = text;
  }
  return absl::StrCat("1", names, origin.structure ? " structure" : " plain",
                      origin.metadata ? " metadata" : " none");
}

absl::StatusOr<Origin> ParseOrigin(absl::string_view text) {
  for (const auto& [word, names] : kOriginNames) {
    for (uint32_t bits = 0; bits < 4; ++bits) {
      const Origin origin = {names, (bits & 1) != 0, (bits & 2) != 0};
      if (ToText(origin) == text) return origin;
    }
  }
  return absl::DataLossError(absl::StrCat("metadata ", kSafetensorsOriginKey,
                                          ": expected text such as '", ToText({}), "', found ",
                                          internal::QuotedForMessage(text)));
}

}  // namespace

absl::StatusOr<ItemOptions> ItemOptionsFromSafetensors(const SafetensorsReader& reader) {
  const std::string key(kSafetensorsOriginKey);
  ItemOptions options;
  if (reader.metadata().has_value()) options.metadata = *reader.metadata();
  if (options.metadata.contains(key)) {
    return absl::InvalidArgumentError(
        absl::StrCat(reader.path(), ": expected metadata without ", key,
                     ", under which the form of the file is recorded"));
  }
  // For a file with only a structure, that is all of its metadata.
  Origin origin;
  origin.names = reader.name_style();
  origin.structure = reader.has_structure();
  origin.metadata = reader.metadata().has_value();
  options.metadata.emplace(key, ToText(origin));
  LEAFSTORE_ASSIGN_OR_RETURN(const SafetensorsLeaves* leaves, reader.GetLeaves());
  options.grouping = leaves->grouping();
  return options;
}

absl::StatusOr<SafetensorsSaveOptions> SafetensorsOptionsFromItem(const ParamStore& store,
                                                                  ItemOptions item) {
  SafetensorsSaveOptions options;
  Metadata metadata = std::move(item.metadata);
  Origin origin;
  origin.metadata = !metadata.empty();
  const auto at = metadata.find(std::string(kSafetensorsOriginKey));
  const bool noted = at != metadata.end();
  if (noted) {
    LEAFSTORE_ASSIGN_OR_RETURN(origin, ParseOrigin(at->second));
    metadata.erase(at);
  }
  if (origin.metadata || !metadata.empty()) options.metadata = std::move(metadata);
  options.grouping = std::move(item.grouping);
  options.names = origin.names;
  if (origin.structure) {
    options.structure = StructureSave::kAlways;
  } else if (noted && !store.layout().has_def() && !options.grouping.has_value() &&
             std::all_of(store.leaves().begin(), store.leaves().end(),
                         std::mem_fn(&Leaf::is_tensor))) {
    // A plain file has only names. (An ignored structure is in the metadata.)
    options.structure = StructureSave::kNever;
  }
  return options;
}

}  // namespace leafstore
