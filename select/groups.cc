#include "leafstore/select/groups.h"

#include "absl/strings/str_cat.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/internal/fatal.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/store/merge.h"

namespace leafstore {
namespace {

absl::Status InGroup(absl::string_view name, const absl::Status& status) {
  return status.ok() ? status : WithContext(status, absl::StrCat("group '", name, "'"));
}

// Merges the leaves of all groups, moved from groups that are not const.
template <typename AnyGroup>
absl::StatusOr<ParamStore> MergeAll(const Grouping& grouping, absl::Span<AnyGroup> groups) {
  std::vector<ParamStore> views(groups.size());  // of packs
  std::vector<internal::MergeInput> inputs;
  for (size_t i = 0; i < groups.size(); ++i) {
    AnyGroup& group = groups[i];
    LEAFSTORE_RETURN_IF_ERROR(group.CheckSlots());
    if (group.packed()) {
      absl::StatusOr<ParamStore> view = group.Snapshot();
      if (!view.ok()) return InGroup(group.name(), view.status());
      views[i] = *std::move(view);
      inputs.emplace_back(std::move(views[i]));
    } else {
      LEAFSTORE_RETURN_IF_ERROR(InGroup(group.name(), group.store().CheckNoBorrow("merge")));
      inputs.emplace_back(std::move(group.store()));
    }
    if (!(inputs.back().group->layout() == grouping.layout())) {
      return InGroup(group.name(),
                     absl::InvalidArgumentError(
                         "expected a store on the grouping's Layout, found a different one"));
    }
  }
  return internal::MergeInputs(LeafSpecs(grouping.layout(), grouping.slots()), inputs);
}

}  // namespace

ParamStore& Group::store() { return const_cast<ParamStore&>(std::as_const(*this).store()); }

const ParamStore& Group::store() const {
  if (const auto* store = std::get_if<ParamStore>(&leaves_)) return *store;
  internal::Fatal(
      absl::StrCat("expected group '", name_, "' as a store, found it packed: use pack()"));
}

Packed& Group::pack() { return const_cast<Packed&>(std::as_const(*this).pack()); }

const Packed& Group::pack() const {
  if (const auto* pack = std::get_if<Packed>(&leaves_)) return *pack;
  internal::Fatal(
      absl::StrCat("expected group '", name_, "' packed, found it as a store: use store()"));
}

absl::StatusOr<ParamStore> Group::Snapshot() const {
  return packed() ? pack().store() : store().Snapshot();
}

absl::Status Group::CheckSlots() const {
  const SlotSet& found = packed() ? pack().slots() : store().slots();
  if (found == slots_) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("group '", name_, "': expected the ", slots_.size(),
                   " leaves of its grouping, found others (", found.size(), ")"));
}

Groups::Groups(const Grouping& grouping, std::vector<ParamStore> stores) : grouping_(grouping) {
  groups_.reserve(stores.size());
  for (uint32_t i = 0; i < stores.size(); ++i) {
    const SlotSet slots = stores[i].slots();
    groups_.push_back(Group(grouping_.name(i), slots, std::move(stores[i])));
  }
}

Group* Groups::Find(absl::string_view name) {
  return const_cast<Group*>(std::as_const(*this).Find(name));
}

const Group* Groups::Find(absl::string_view name) const {
  const std::optional<uint32_t> group = grouping_.Find(name);
  return group ? &groups_[*group] : nullptr;
}

absl::StatusOr<Group*> Groups::Get(absl::string_view name) {
  LEAFSTORE_ASSIGN_OR_RETURN(const uint32_t group, grouping_.Get(name));
  return &groups_[group];
}

ParamStore& Groups::operator[](absl::string_view name) {
  return const_cast<ParamStore&>(std::as_const(*this)[name]);
}

const ParamStore& Groups::operator[](absl::string_view name) const {
  if (const Group* const group = Find(name)) return group->store();
  internal::Fatal(std::string(grouping_.Get(name).status().message()));
}

absl::Status Groups::Pack(absl::string_view name, DType dtype) {
  LEAFSTORE_ASSIGN_OR_RETURN(Group* const group, Get(name));
  if (group->packed()) {
    return InGroup(name, absl::FailedPreconditionError("expected a store, found a packed group"));
  }
  absl::StatusOr<Packed> packed = Packed::Create(std::move(group->store()), dtype);
  if (!packed.ok()) return InGroup(name, packed.status());
  group->leaves_ = *std::move(packed);
  return absl::OkStatus();
}

absl::Status Groups::Unpack(absl::string_view name) {
  LEAFSTORE_ASSIGN_OR_RETURN(Group* const group, Get(name));
  if (!group->packed()) {
    return InGroup(name, absl::FailedPreconditionError("expected a packed group, found a store"));
  }
  absl::StatusOr<ParamStore> store = std::move(group->pack()).Unpack();
  if (!store.ok()) return InGroup(name, store.status());
  group->leaves_ = *std::move(store);
  return absl::OkStatus();
}

const Leaf* Groups::FindSlot(Slot slot) const {
  const uint32_t group = grouping_.GroupOf(slot);
  if (group == kNoGroup || groups_[group].packed()) return nullptr;
  return groups_[group].store().FindSlot(slot);
}

absl::StatusOr<ParamStore> Groups::Merge() const& {
  return MergeAll(grouping_, absl::MakeConstSpan(groups_));
}

absl::StatusOr<ParamStore> Groups::Merge() && {
  absl::StatusOr<ParamStore> merged = MergeAll(grouping_, absl::MakeSpan(groups_));
  if (merged.ok()) *this = Groups();
  return merged;
}

std::vector<ParamStore> Groups::TakeStores() && {
  std::vector<ParamStore> stores;
  stores.reserve(groups_.size());
  for (Group& group : groups_) stores.push_back(std::move(group.store()));
  *this = Groups();
  return stores;
}

absl::StatusOr<Groups> Groups::Regroup(const Grouping& grouping) const {
  LEAFSTORE_ASSIGN_OR_RETURN(ParamStore all, Merge());
  LEAFSTORE_ASSIGN_OR_RETURN(Groups next, grouping.Split(std::move(all)));
  for (const Group& group : groups_) {
    if (!group.packed() || next.Find(group.name()) == nullptr) continue;
    LEAFSTORE_RETURN_IF_ERROR(next.Pack(group.name(), group.pack().dtype()));
  }
  return next;
}

}  // namespace leafstore
