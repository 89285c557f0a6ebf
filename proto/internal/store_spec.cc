#include "leafstore/proto/internal/store_spec.h"

#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/proto/internal/messages.h"
#include "leafstore/proto/param_store.pb.h"
#include "leafstore/proto/treedef.pb.h"

namespace leafstore::internal {

StoreSpec StoreSpec::Of(const ParamStore& store, std::optional<Grouping> grouping) {
  return {store.layout(), store.slots(), LeafColumns::Of(store.leaves()), std::move(grouping)};
}

absl::Status StoreSpec::Check() const {
  for (uint32_t place = 0; place < leaves.size(); ++place) {
    if (leaves.is_tensor(place) || leaves.value(place).IsValid()) continue;
    return absl::InvalidArgumentError(absl::StrCat("'", layout.PathForMessage(slots.SlotAt(place)),
                                                   "': expected a str in UTF-8, found ",
                                                   leaves.value(place).ToString()));
  }
  if (!grouping.has_value() || grouping->layout() == layout) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "expected a grouping on the Layout that is saved, found a different one");
}

absl::StatusOr<std::string> EncodeStoreSpec(const StoreSpec& spec) {
  proto::StoreSpec message;
  LEAFSTORE_RETURN_IF_ERROR(EncodeSpec(spec, &message));
  if (spec.grouping.has_value()) EncodeGrouping(*spec.grouping, message.mutable_labels());
  return Serialize(message, "store");
}

absl::StatusOr<StoreSpec> DecodeStoreSpec(absl::string_view bytes) {
  proto::StoreSpec message;
  LEAFSTORE_ASSIGN_OR_RETURN(StoreSpec spec, DecodeSpec(bytes, &message));
  if (message.has_labels()) {
    LEAFSTORE_ASSIGN_OR_RETURN(spec.grouping,
                               DecodeGrouping(message.labels(), spec.layout, "store"));
  }
  return spec;
}

}  // namespace leafstore::internal
