#include "leafstore/store/definition.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/hash/hash.h"

#include "leafstore/store/internal/slot_match.h"

namespace leafstore {
namespace {

// Merges groups that are given or only read; after an error the given ones are as before.
absl::StatusOr<ParamStore> MergeAll(absl::Span<const internal::MergeInput> inputs,
                                    const ParamStore& statics) {
  for (const internal::MergeInput& input : inputs) {
    LEAFSTORE_RETURN_IF_ERROR(input.group->CheckNoBorrow("build a model from a group"));
  }
  std::vector<internal::MergeInput> all = {internal::ToMergeInput(statics)};
  all.insert(all.end(), inputs.begin(), inputs.end());
  return internal::MergeInputs(statics.layout(), all, {});
}

}  // namespace

Definition::Definition() {
  static const Definition* const kNone = new Definition(Separate(TreeDef(), {}).definition);
  rep_ = kNone->rep_;  // which lives as long as the process
}

absl::StatusOr<Definition::Taken> Definition::Take(const TreeDef& def, ParamStore&& store) {
  const Layout layout(def);
  LEAFSTORE_RETURN_IF_ERROR(store.CheckNoBorrow("take a definition"));
  std::vector<ParamStore> groups;
  groups.push_back(std::move(store));
  absl::StatusOr<ParamStore> all = MergeGroups(layout, std::move(groups));
  store = all.ok() ? ParamStore() : std::move(groups[0]);
  if (!all.ok()) return all.status();
  return Separate(def, std::move(*all).TakeLeaves());
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
  rep->tensor_slots = internal::SlotSetAccess::Make(layout.size(), std::move(tensor_slots));
  rep->statics = internal::ParamStoreAccess::Make(
      layout, internal::SlotSetAccess::Make(layout.size(), std::move(static_slots)),
      std::move(statics), 0);
  ParamStore taken =
      internal::ParamStoreAccess::Make(layout, rep->tensor_slots, std::move(tensors), 0);
  return Taken{Definition(std::move(rep)), std::move(taken)};
}

void Definition::CheckSpecs(const ParamStore& group, MergeReport* report) const {
  const std::vector<Slot> slots = internal::SlotsIn(statics().layout(), group);
  for (uint32_t place = 0; place < group.size(); ++place) {
    const uint32_t expected = rep_->tensor_slots.PlaceOf(slots[place]);
    // What is no tensor here is unexpected, or there twice: the merge says so.
    if (expected == kNoPlace) continue;
    const LeafSpec spec = rep_->specs.spec(expected);
    const LeafSpec found = group.leaf(place).spec();
    if (found == spec) continue;
    (found.dtype() == spec.dtype() ? report->shape_mismatch : report->dtype_mismatch)
        .push_back({statics().layout().PathText(slots[place]), spec.ToString(), found.ToString()});
  }
}

MergeReport Definition::Check(absl::Span<const ParamStore* const> groups) const {
  std::vector<const ParamStore*> all(groups.begin(), groups.end());
  all.push_back(&statics());
  MergeReport report = CheckMerge(statics().layout(), all);
  for (const ParamStore* group : groups) CheckSpecs(*group, &report);
  return report;
}

absl::StatusOr<ParamStore> Definition::BuildFrom(
    absl::Span<const internal::MergeInput> inputs) const {
  MergeReport specs;
  for (const internal::MergeInput& input : inputs) CheckSpecs(*input.group, &specs);
  if (specs.ok()) {
    absl::StatusOr<ParamStore> all = MergeAll(inputs, statics());
    if (all.ok() || all.status().code() != absl::StatusCode::kInvalidArgument) return all;
  }
  std::vector<const ParamStore*> groups;
  for (const internal::MergeInput& input : inputs) groups.push_back(input.group);
  return Check(groups).ToStatus();
}

std::vector<Definition::Origin> Definition::OriginsOf(
    absl::Span<const internal::MergeInput> inputs) {
  std::vector<Origin> origins;
  for (const internal::MergeInput& input : inputs) {
    origins.push_back({input.group->layout(), input.group->slots()});
  }
  return origins;
}

void Definition::GiveBack(ParamStore&& all, absl::Span<const internal::MergeInput> inputs,
                          absl::Span<const Origin> origins) const {
  std::vector<Leaf> leaves = std::move(all).TakeLeaves();
  const Layout& layout = statics().layout();
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].given == nullptr) continue;
    const Origin& origin = origins[i];
    std::vector<Leaf> own;
    own.reserve(origin.slots.size());
    for (const Slot slot : internal::SlotsIn(layout, origin.layout, origin.slots)) {
      own.push_back(std::move(leaves[slot]));
    }
    *inputs[i].given =
        internal::ParamStoreAccess::Make(origin.layout, origin.slots, std::move(own), 0);
  }
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
