// GroupSpec: what an optimizer knows of the group that it was made for.
#ifndef LEAFSTORE_OPTIM_INTERNAL_GROUP_SPEC_H_
#define LEAFSTORE_OPTIM_INTERNAL_GROUP_SPEC_H_

#include <cstdint>
#include <optional>
#include <string>
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
  // By place of `other`, whether that leaf is here too: by slot, or by path if the Layouts differ.
  std::vector<bool> LeavesSharedWith(const GroupSpec& other) const;
  // What is expected of each leaf, and the static leaves.
  const LeafColumns& leaves() const { return leaves_; }
  std::string PathText(uint32_t place) const { return layout_.PathText(slots_.SlotAt(place)); }
  // Where the packed leaves lie; none for a group that is not packed.
  const std::optional<PackLayout>& pack() const { return pack_; }

  // The tensors that a step goes through one by one: those of a ParamStore, or those that ride
  // along in a pack.
  struct LoosePlace {
    uint32_t group;  // its place in the group
    uint32_t store;  // its place in the ParamStore or in Packed::rest()
  };
  absl::Span<const LoosePlace> loose() const { return loose_; }
  // The places in the group of the packed leaves, in the order of the pack.
  absl::Span<const uint32_t> packed() const { return packed_; }

  // Whether `params` is this group, or one that cannot be told from it. O(1) if so.
  // error InvalidArgument: it is not (names all leaves that differ).
  // error FailedPrecondition: it is packed and this is not, or the other way round; or a borrow is
  // open.
  absl::Status Check(const ParamStore& params) const;
  absl::Status Check(const Packed& params) const;

 private:
  static absl::StatusOr<GroupSpec> OfLeaves(const ParamStore& group);
  void AddLoose(const ParamStore& store);
  // Says in which leaves `params` differs.
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
