// StoreSpec: a ParamStore without the bytes of its tensors (proto/param_store.proto), for formats
// that store tensors in their own way and have room for metadata.
//
//   std::string bytes = EncodeStoreSpec(StoreSpec::Of(store)).value();
//   StoreSpec spec = DecodeStoreSpec(bytes).value();
//
// Deterministic: equal specs have equal bytes. Decoding trusts nothing (treedef_codec.h).
#ifndef LEAFSTORE_PROTO_INTERNAL_STORE_SPEC_H_
#define LEAFSTORE_PROTO_INTERNAL_STORE_SPEC_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/core/leaf_columns.h"
#include "leafstore/select/grouping.h"
#include "leafstore/store/layout.h"
#include "leafstore/store/param_store.h"
#include "leafstore/store/slot_set.h"

namespace leafstore::internal {

struct StoreSpec {
  Layout layout;
  SlotSet slots;  // the slots that are present
  LeafColumns leaves;
  std::optional<Grouping> grouping;  // on `layout`

  static StoreSpec Of(const ParamStore& store, std::optional<Grouping> grouping = std::nullopt);
};

// Checks that the fields of a spec can be encoded. error InvalidArgument: a static str is not UTF-8
// (names the path), or the grouping is on a different Layout.
absl::Status CheckSpec(const Layout& layout, const SlotSet& slots, const LeafColumns& leaves,
                       const std::optional<Grouping>& grouping);

// Encodes a spec. error: CheckSpec's; ResourceExhausted: over 2 GiB. O(leaves).
absl::StatusOr<std::string> EncodeStoreSpec(const StoreSpec& spec);
// Decodes a spec. error DataLoss: not a valid message; names the column or path. error
// ResourceExhausted: as Layout::Create. O(bytes) in time and memory.
absl::StatusOr<StoreSpec> DecodeStoreSpec(absl::string_view bytes);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_PROTO_INTERNAL_STORE_SPEC_H_
