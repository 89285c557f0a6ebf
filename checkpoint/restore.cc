#include "leafstore/checkpoint/restore.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "leafstore/core/shape.h"
#include "leafstore/core/value.h"
#include "leafstore/store/merge.h"
#include "leafstore/store/slot_match.h"
#include "leafstore/store/spec.h"

namespace leafstore {
namespace {

// As SpecToString (store/spec.h) has a leaf of this dtype, shape or kind.
std::string SpecOf(const LeafColumns& leaves, uint32_t place) {
  if (!leaves.is_tensor(place)) {
    return absl::StrCat("static ", ValueKindName(leaves.value(place).kind()));
  }
  return absl::StrCat(DTypeName(leaves.dtype(place)), ShapeToString(leaves.shape(place)));
}

class Matcher {
 public:
  Matcher(const ManifestItem& item, const ParamStore& store)
      : item_(item), store_(store), same_layout_(item.layout == store.layout()) {}

  // The leaf of the item in `slot` (or none: kNoSlot) for the one at `place` of the store.
  void Match(uint32_t place, Slot slot) {
    const uint32_t from = item_.slots.PlaceOf(slot);
    if (from == kNoPlace) {
      report_.missing.push_back(store_.PathText(place));
      return;
    }
    TakeNote(from);
    CheckSpec(place, from);
    match_.places.push_back(from);
    match_.slots.push_back(store_.slot(place));
  }

  absl::StatusOr<RestoreMatch> Finish(const RestoreOptions& options) && {
    if (!options.allow_unexpected && used_count_ < item_.leaves.size()) FindUnexpected();
    if (options.allow_missing) report_.missing.clear();
    if (absl::Status status = report_.ToStatus(); !status.ok()) {
      return absl::Status(status.code(), absl::StrCat("item ", Value(item_.name).ToString(),
                                                      " into a store: ", status.message()));
    }
    return std::move(match_);
  }

  void Begin() {
    if (!same_layout_) used_.resize(item_.leaves.size());
    match_.places.reserve(store_.size());
    match_.slots.reserve(store_.size());
  }

 private:
  // Two leaves of a store may be one of the item: a path, and an alias of it.
  void TakeNote(uint32_t from) {
    if (!same_layout_) {
      if (used_[from]) return;
      used_[from] = true;
    }
    ++used_count_;
  }

  void CheckSpec(uint32_t place, uint32_t from) {
    const Leaf& leaf = store_.leaf(place);
    const LeafColumns& leaves = item_.leaves;
    if (leaf.is_tensor() && leaves.is_tensor(from)) {
      if (leaf.tensor().dtype() != leaves.dtype(from)) {
        report_.dtype_mismatch.push_back(Mismatch(place, from));
      } else if (leaf.tensor().shape() != leaves.shape(from)) {
        report_.shape_mismatch.push_back(Mismatch(place, from));
      }
    } else if (leaf.is_tensor() || leaves.is_tensor(from) ||
               leaf.value().kind() != leaves.value(from).kind()) {
      report_.dtype_mismatch.push_back(Mismatch(place, from));
    }
  }

  SpecMismatch Mismatch(uint32_t place, uint32_t from) const {
    return {store_.PathText(place), SpecToString(store_.leaf(place)), SpecOf(item_.leaves, from)};
  }

  void FindUnexpected() {
    for (uint32_t from = 0; from < item_.leaves.size(); ++from) {
      const Slot slot = item_.slots.SlotAt(from);
      const bool used = same_layout_ ? store_.slots().Contains(slot) : used_[from];
      if (!used) report_.unexpected.push_back(item_.layout.PathText(slot));
    }
  }

  const ManifestItem& item_;
  const ParamStore& store_;
  const bool same_layout_;
  RestoreMatch match_;
  MergeReport report_;
  uint32_t used_count_ = 0;  // leaves of the item that the store has
  std::vector<bool> used_;   // which; not kept where the Layouts are equal
};

}  // namespace

absl::StatusOr<RestoreMatch> MatchForRestore(const ManifestItem& item, const ParamStore& store,
                                             const RestoreOptions& options) {
  Matcher matcher(item, store);
  matcher.Begin();
  const std::vector<Slot> slots = internal::SlotsIn(item.layout, store);
  for (uint32_t place = 0; place < store.size(); ++place) matcher.Match(place, slots[place]);
  return std::move(matcher).Finish(options);
}

}  // namespace leafstore
