#include "leafstore/proto/store_spec_codec.h"

#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/core/value.h"
#include "leafstore/proto/internal/messages.h"
#include "leafstore/proto/manifest.pb.h"
#include "leafstore/proto/manifest_codec.h"
#include "leafstore/proto/param_store.pb.h"
#include "leafstore/proto/store_spec.pb.h"
#include "leafstore/proto/treedef.pb.h"

namespace leafstore {
namespace {

absl::Status CheckEncodable(const StoreSpec& spec) {
  for (uint32_t place = 0; place < spec.leaves.size(); ++place) {
    if (spec.leaves.is_tensor(place) || spec.leaves.value(place).IsValid()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("'", spec.layout.PathForMessage(spec.slots.SlotAt(place)),
                     "': expected a str in UTF-8, found ", spec.leaves.value(place).ToString()));
  }
  if (spec.grouping.has_value() && !(spec.grouping->layout() == spec.layout)) {
    return absl::InvalidArgumentError(
        "expected a grouping on the Layout that is saved, found another");
  }
  return absl::OkStatus();
}

absl::StatusOr<Layout> DecodeLayout(const proto::StoreSpec& message) {
  if (!message.has_treedef()) {
    return internal::DecodePaths(message.paths(), "store, column paths");
  }
  if (message.has_paths()) return internal::WrongMessage("store", "a treedef or paths", "both");
  LEAFSTORE_ASSIGN_OR_RETURN(TreeDef def, internal::DecodeTreeDefMessage(message.treedef(), {}));
  return Layout(std::move(def));
}

}  // namespace

StoreSpec StoreSpec::Of(const ParamStore& store, std::optional<Grouping> grouping) {
  return {store.layout(), store.slots(), LeafColumns::Of(store.leaves()), std::move(grouping)};
}

absl::StatusOr<std::string> EncodeStoreSpec(const StoreSpec& spec) {
  LEAFSTORE_RETURN_IF_ERROR(CheckEncodable(spec));
  proto::StoreSpec message;
  if (spec.layout.has_def()) {
    LEAFSTORE_ASSIGN_OR_RETURN(const TreeDef def, spec.layout.def());
    LEAFSTORE_RETURN_IF_ERROR(internal::EncodeTreeDefMessage(def, message.mutable_treedef()));
  } else {
    internal::EncodePaths(spec.layout, message.mutable_paths());
  }
  internal::EncodeLeaves(spec.slots, spec.leaves, message.mutable_leaves());
  if (spec.grouping.has_value()) {
    internal::EncodeGrouping(*spec.grouping, message.mutable_labels());
  }
  return internal::Serialize(message, "store");
}

absl::StatusOr<StoreSpec> DecodeStoreSpec(absl::string_view bytes) {
  proto::StoreSpec message;
  LEAFSTORE_RETURN_IF_ERROR(internal::ParseMessage(bytes, "store", &message));
  StoreSpec spec;
  LEAFSTORE_ASSIGN_OR_RETURN(spec.layout, DecodeLayout(message));
  LEAFSTORE_ASSIGN_OR_RETURN(internal::DecodedLeaves decoded,
                             internal::DecodeLeaves(message.leaves(), spec.layout, "store"));
  spec.slots = std::move(decoded.slots);
  spec.leaves = std::move(decoded.leaves);
  if (message.has_labels()) {
    LEAFSTORE_ASSIGN_OR_RETURN(spec.grouping,
                               internal::DecodeGrouping(message.labels(), spec.layout, "store"));
  }
  return spec;
}

}  // namespace leafstore
