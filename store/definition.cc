#include "leafstore/store/definition.h"

#include <algorithm>
#include <utility>

#include "absl/hash/hash.h"

namespace leafstore {

Definition::Definition() {
  static const Definition* const kNone = new Definition(Separate(TreeDef(), {}).definition);
  rep_ = kNone->rep_;  // lives as long as the process
}

absl::StatusOr<Definition::Taken> Definition::Take(const TreeDef& def, ParamStore&& store) {
  LEAFSTORE_RETURN_IF_ERROR(store.CheckNoBorrow("take a definition"));
  LEAFSTORE_ASSIGN_OR_RETURN(ParamStore all,
                             internal::MergeInputs(Layout(def), {std::move(store)}));
  return Separate(def, std::move(all).TakeLeaves());
}

Definition::Taken Definition::Separate(const TreeDef& def, std::vector<Leaf> leaves) {
  auto rep = std::make_shared<Rep>();
  rep->def = def;
  rep->hash = absl::HashOf(def, leaves.size());
  std::vector<Leaf> tensors;
  std::vector<Leaf> statics;
  std::vector<Slot> tensor_slots;
  std::vector<Slot> static_slots;
  for (Slot slot = 0; slot < leaves.size(); ++slot) {
    Leaf& leaf = leaves[slot];
    if (leaf.is_tensor()) {
      rep->specs.Add(leaf);
      rep->hash = absl::HashOf(rep->hash, leaf.spec());
      tensor_slots.push_back(slot);
      tensors.push_back(std::move(leaf));
    } else {
      rep->hash = absl::HashOf(rep->hash, slot, leaf.value());
      static_slots.push_back(slot);
      statics.push_back(std::move(leaf));
    }
  }
  const Layout layout(def);
  rep->tensor_slots = SlotSet::FromSorted(layout.size(), std::move(tensor_slots));
  rep->statics = ParamStore::FromParts(
      layout, SlotSet::FromSorted(layout.size(), std::move(static_slots)), std::move(statics));
  ParamStore taken = ParamStore::FromParts(layout, rep->tensor_slots, std::move(tensors));
  return Taken{Definition(std::move(rep)), std::move(taken)};
}

FitReport Definition::Check(absl::Span<const ParamStore* const> groups) const {
  std::vector<internal::MergeInput> inputs(groups.begin(), groups.end());
  inputs.insert(inputs.begin(), statics());
  const auto spec = [this](uint32_t place) { return rep_->specs.spec(place); };
  const LeafSpecs tensors(statics().layout(), rep_->tensor_slots, spec);
  return internal::CheckMergeInputs(statics().layout(), inputs, &tensors);
}

absl::StatusOr<ParamStore> Definition::MergeInputs(std::vector<internal::MergeInput> inputs) const {
  inputs.insert(inputs.begin(), statics());
  const auto spec = [this](uint32_t place) { return rep_->specs.spec(place); };
  const LeafSpecs tensors(statics().layout(), rep_->tensor_slots, spec);
  return internal::MergeInputs(statics().layout(), inputs, &tensors);
}

bool Definition::Equals(const Definition& other) const {
  if (rep_ == other.rep_) return true;
  if (rep_->hash != other.rep_->hash || !(def() == other.def()) ||
      !(rep_->tensor_slots == other.rep_->tensor_slots) || !(rep_->specs == other.rep_->specs)) {
    return false;
  }
  const absl::Span<const Leaf> mine = statics().leaves();
  const absl::Span<const Leaf> theirs = other.statics().leaves();
  return std::equal(mine.begin(), mine.end(), theirs.begin(), theirs.end());
}

}  // namespace leafstore
