#include "leafstore/select/groups.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/fatal.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/store/internal/param_store_access.h"

namespace leafstore {
namespace {

absl::Status InGroup(absl::string_view name, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat("group '", name, "': ", status.message()));
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
  for (const Group& group : groups_) {
    if (group.name() == name) return &group;
  }
  return nullptr;
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

absl::Status Groups::CheckAll() const {
  for (const Group& group : groups_) {
    LEAFSTORE_RETURN_IF_ERROR(group.CheckSlots());
    const Layout& layout = group.packed() ? group.pack().layout() : group.store().layout();
    if (!(layout == grouping_.layout())) {
      return InGroup(group.name(), absl::InvalidArgumentError(
                                       "expected a store on the grouping's layout, found another"));
    }
  }
  return absl::OkStatus();
}

namespace {

// Returns the slots of all groups.
SlotSet AllSlots(const Grouping& grouping) {
  uint32_t size = 0;
  for (uint32_t group = 0; group < grouping.group_count(); ++group) size += grouping.SizeOf(group);
  if (size == grouping.layout().size()) return SlotSet::All(size);
  std::vector<Slot> slots;
  slots.reserve(size);
  for (Slot slot = 0; slot < grouping.layout().size(); ++slot) {
    if (grouping.GroupOf(slot) != kNoGroup) slots.push_back(slot);
  }
  return SlotSet::FromSorted(grouping.layout().size(), std::move(slots));
}

// Joins the leaves of all groups, by slot.
ParamStore Together(const Grouping& grouping, std::vector<ParamStore> stores) {
  const SlotSet slots = AllSlots(grouping);
  std::vector<Leaf> leaves(slots.size());
  bool fingerprint_known = true;
  uint64_t fingerprint = 0;
  for (ParamStore& store : stores) {
    const uint64_t of_group = store.known_spec_fingerprint();
    fingerprint_known = fingerprint_known && (of_group != 0 || store.empty());
    fingerprint += of_group;
    const SlotSet own = store.slots();
    std::vector<Leaf> taken = std::move(store).TakeLeaves();
    for (uint32_t place = 0; place < own.size(); ++place) {
      leaves[slots.PlaceOf(own.SlotAt(place))] = std::move(taken[place]);
    }
  }
  ParamStore merged = ParamStore::FromParts(grouping.layout(), slots, std::move(leaves));
  internal::ParamStoreAccess::SetFingerprint(fingerprint_known ? fingerprint : 0, &merged);
  return merged;
}

}  // namespace

absl::StatusOr<ParamStore> Groups::Merge() const& {
  LEAFSTORE_RETURN_IF_ERROR(CheckAll());
  std::vector<ParamStore> stores;
  for (const Group& group : groups_) {
    absl::StatusOr<ParamStore> store = group.Snapshot();
    if (!store.ok()) return InGroup(group.name(), store.status());
    stores.push_back(*std::move(store));
  }
  return Together(grouping_, std::move(stores));
}

absl::StatusOr<ParamStore> Groups::Merge() && {
  LEAFSTORE_RETURN_IF_ERROR(CheckAll());
  std::vector<ParamStore> unpacked(groups_.size());
  for (size_t i = 0; i < groups_.size(); ++i) {
    if (!groups_[i].packed()) {
      LEAFSTORE_RETURN_IF_ERROR(
          InGroup(groups_[i].name(), groups_[i].store().CheckNoBorrow("merge")));
      continue;
    }
    absl::StatusOr<ParamStore> store = groups_[i].Snapshot();
    if (!store.ok()) return InGroup(groups_[i].name(), store.status());
    unpacked[i] = *std::move(store);
  }
  for (size_t i = 0; i < groups_.size(); ++i) {  // nothing can fail from here on
    if (!groups_[i].packed()) unpacked[i] = std::move(groups_[i].store());
  }
  groups_.clear();
  const Grouping grouping = std::exchange(grouping_, Grouping());
  return Together(grouping, std::move(unpacked));
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
