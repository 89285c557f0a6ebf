// GroupSpec: the Layout, slots, dtypes, shapes and packing of the group that an optimizer is for.
#ifndef LEAFSTORE_OPTIM_INTERNAL_GROUP_SPEC_H_
#define LEAFSTORE_OPTIM_INTERNAL_GROUP_SPEC_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/core/leaf_columns.h"
#include "leafstore/pack/pack.h"
#include "leafstore/pack/pack_layout.h"
#include "leafstore/store/param_store.h"

namespace leafstore::internal {

class GroupSpec {
 public:
  // error InvalidArgument: tensors are neither f32 nor f64 (names all).
  // error FailedPrecondition: a borrow is open.
  static absl::StatusOr<GroupSpec> Create(const ParamStore& group);
  static absl::StatusOr<GroupSpec> Create(const Packed& group);

  const Layout& layout() const { return layout_; }
  const SlotSet& slots() const { return slots_; }
  uint32_t size() const { return slots_.size(); }
  // Returns the expected LeafSpecs, and the static leaves.
  const LeafColumns& leaves() const { return leaves_; }
  // Returns the layout of the packed leaves; none if the group is not packed.
  const std::optional<PackLayout>& pack() const { return pack_; }

  // The places of a tensor that is not packed.
  struct LoosePlace {
    uint32_t in_group;
    uint32_t in_store;  // in the ParamStore; in Packed::rest() if the group is packed
  };
  // Returns the tensors that a step processes one by one: those of a ParamStore, or those in the
  // rest of a pack.
  absl::Span<const LoosePlace> loose() const { return loose_; }
  // Returns the places in the group of the packed leaves, in the order of the pack.
  absl::Span<const uint32_t> packed() const { return packed_; }

  // Returns OK if `params` is this group, or equals it in all that is recorded here; then O(1).
  // error InvalidArgument: it does not (names all leaves that differ).
  // error FailedPrecondition: only one of `params` and this group is packed; or a borrow is open.
  absl::Status Check(const ParamStore& params) const;
  absl::Status Check(const Packed& params) const;

 private:
  static absl::StatusOr<GroupSpec> OfLeaves(const ParamStore& group);
  void AddLoose(const ParamStore& store);
  // error InvalidArgument: `params` has a different Layout, or leaves that differ (names all).
  absl::Status CheckLeaves(const ParamStore& params) const;

  Layout layout_;
  SlotSet slots_;
  uint64_t fingerprint_ = 0;  // of the ParamStore, or of Packed::rest()
  LeafColumns leaves_;
  std::optional<PackLayout> pack_;
  std::vector<LoosePlace> loose_;
  std::vector<uint32_t> packed_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_OPTIM_INTERNAL_GROUP_SPEC_H_
