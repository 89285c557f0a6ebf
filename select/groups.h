// Groups: the leaves of a model in named groups, each a ParamStore or a Packed one.
//
//   Groups groups = grouping.Split(std::move(params)).value();      // grouping.h
//   groups["weights"].Find(".head.weight");                         // the store of a group
//   LEAFSTORE_RETURN_IF_ERROR(groups.Pack("weights"));              // in place: one buffer
//   for (const Group& group : groups) Show(group.name(), group.slots().size());
//   LEAFSTORE_RETURN_IF_ERROR(optimizers.Step(&groups, grads, {.lr = 1e-3}));
//   ParamStore all = std::move(groups).Merge().value();
//
// Groups come in the order of their Grouping, empty ones too. A group is written through its store
// or its pack; it must keep its slots, which Merge, Regroup and whoever takes Groups check in O(1).
//
// What is moved from may only be assigned to or destroyed, but where a call says that it is empty
// afterwards.
//
// Threads: const calls are safe from many threads. Different groups may be written at the same time.
#ifndef LEAFSTORE_SELECT_GROUPS_H_
#define LEAFSTORE_SELECT_GROUPS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/core/dtype.h"
#include "leafstore/pack/pack.h"
#include "leafstore/select/grouping.h"
#include "leafstore/store/param_store.h"
#include "leafstore/store/slot_set.h"

namespace leafstore {

class Group {
 public:
  const std::string& name() const { return name_; }
  // The slots that the Grouping gives it.
  const SlotSet& slots() const { return slots_; }
  bool packed() const { return std::holds_alternative<Packed>(leaves_); }

  // The leaves. Asking for a store where packed(), or for a pack where not, ends the program with a
  // message: it is a mistake in the calling code.
  ParamStore& store();
  const ParamStore& store() const;
  Packed& pack();
  const Packed& pack() const;

  // Returns the leaves as a store of its own, packed or not; neither sees what the other writes
  // later. O(1); packed: O(leaves) after a write.
  // error FailedPrecondition: a borrow is open. error ResourceExhausted: no memory.
  absl::StatusOr<ParamStore> Snapshot() const;

  // Checks that the leaves are those of slots(). error InvalidArgument. O(1).
  absl::Status CheckSlots() const;

 private:
  friend class Groups;
  Group(std::string name, SlotSet slots, ParamStore store)
      : name_(std::move(name)), slots_(std::move(slots)), leaves_(std::move(store)) {}

  std::string name_;
  SlotSet slots_;
  std::variant<ParamStore, Packed> leaves_;
};

class Groups {
 public:
  // No groups.
  Groups() = default;
  Groups(Groups&&) noexcept = default;
  Groups& operator=(Groups&&) noexcept = default;

  const Grouping& grouping() const { return grouping_; }
  uint32_t size() const { return static_cast<uint32_t>(groups_.size()); }
  bool empty() const { return groups_.empty(); }

  // In order. `group` must be below size().
  Group& group(uint32_t group) { return groups_[group]; }
  const Group& group(uint32_t group) const { return groups_[group]; }
  auto begin() { return groups_.begin(); }
  auto begin() const { return groups_.begin(); }
  auto end() { return groups_.end(); }
  auto end() const { return groups_.end(); }

  // Returns the group with this name, or null. Valid, like all that is returned here, until this
  // object is moved from, assigned to or destroyed. O(groups).
  Group* Find(absl::string_view name);
  const Group* Find(absl::string_view name) const;
  // Like Find. error NotFound: no group has the name; with suggestions.
  absl::StatusOr<Group*> Get(absl::string_view name);
  absl::StatusOr<const Group*> Get(absl::string_view name) const;
  // Returns the store of the group with this name. A name that no group has, or that of a packed
  // group, ends the program with a message: it is a mistake in the calling code.
  ParamStore& operator[](absl::string_view name);
  const ParamStore& operator[](absl::string_view name) const;

  // Packs the tensors of one dtype of a group in place (pack/pack.h); gives it back its leaves.
  // error NotFound: as Get. error FailedPrecondition: it is packed already, or not packed, or a
  // borrow is open. error ResourceExhausted: no memory. After an error the group is as before.
  // O(bytes); Unpack: O(leaves).
  absl::Status Pack(absl::string_view name, DType dtype = DType::kF32);
  absl::Status Unpack(absl::string_view name);

  // Returns the leaf in a slot; null where it is in no group or packed. O(1).
  const Leaf* FindSlot(Slot slot) const;

  // Returns the store that was split, with the leaves as they are now. From an rvalue they are moved
  // and no groups are left; otherwise they are shared. By position; O(leaves).
  // error InvalidArgument: a group has not the leaves that the Grouping gives it.
  // error FailedPrecondition: a borrow is open. After an error the groups are as before.
  absl::StatusOr<ParamStore> Merge() &&;
  absl::StatusOr<ParamStore> Merge() const&;

  // Gives the stores away, in order; no groups are left. A packed group ends the program with a
  // message, as in Group::store().
  std::vector<ParamStore> TakeStores() &&;

  // Returns other groups with the same leaves, shared. A group that keeps its name is packed if it
  // was. Errors as Merge, Grouping::Split and Pack. O(leaves); packed: O(bytes).
  absl::StatusOr<Groups> Regroup(const Grouping& grouping) const;

 private:
  friend class Grouping;
  Groups(const Grouping& grouping, std::vector<ParamStore> stores);

  absl::Status CheckAll() const;

  Grouping grouping_;
  std::vector<Group> groups_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_SELECT_GROUPS_H_
