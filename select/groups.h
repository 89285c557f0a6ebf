// Groups: the leaves of a model in named groups, each a ParamStore or a Packed.
//
//   Groups groups = grouping.Split(std::move(params)).value();      // grouping.h
//   groups["weights"].Find(".head.weight");                         // the store of a group
//   LEAFSTORE_RETURN_IF_ERROR(groups.Pack("weights"));              // into one buffer, in place
//   for (const Group& group : groups) Show(group.name(), group.slots().size());
//   LEAFSTORE_RETURN_IF_ERROR(optimizers.Step(&groups, grads, {.lr = 1e-3}));
//   ParamStore all = std::move(groups).Merge().value();
//
// Groups are in the order of their Grouping, including empty ones. A group is written through its
// store or pack and must keep its slots; Merge, Regroup and all functions that accept Groups check
// this in O(1). A moved-from object may only be assigned to or destroyed, unless documented
// otherwise.
//
// Threads: const calls are thread-safe. Different groups may be written at the same time.
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

#include "leafstore/core/dtype.h"
#include "leafstore/pack/pack.h"
#include "leafstore/select/grouping.h"
#include "leafstore/store/param_store.h"
#include "leafstore/store/slot_set.h"

namespace leafstore {

class Group {
 public:
  const std::string& name() const { return name_; }
  // The slots that the Grouping assigns to it.
  const SlotSet& slots() const { return slots_; }
  bool packed() const { return std::holds_alternative<Packed>(leaves_); }

  // Return the leaves. Calling store() if packed(), or pack() if not, is a programming error and
  // terminates with a message.
  ParamStore& store();
  const ParamStore& store() const;
  Packed& pack();
  const Packed& pack() const;

  // Returns the leaves as an independent store, packed or not; later writes to one do not affect
  // the other. O(1); packed: O(leaves) after a write.
  // error FailedPrecondition: a borrow is open. error ResourceExhausted: out of memory.
  absl::StatusOr<ParamStore> Snapshot() const;

  // Checks that the leaves are those of slots(). error InvalidArgument: they are not. O(1).
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

  // Returns the group at an index, which must be below size().
  Group& group(uint32_t group) { return groups_[group]; }
  const Group& group(uint32_t group) const { return groups_[group]; }
  auto begin() { return groups_.begin(); }
  auto begin() const { return groups_.begin(); }
  auto end() { return groups_.end(); }
  auto end() const { return groups_.end(); }

  // Returns the group with this name, or null. All pointers and references returned by this class
  // are valid until the object is moved from, assigned to or destroyed. O(groups).
  Group* Find(absl::string_view name);
  const Group* Find(absl::string_view name) const;
  // Like Find, but returns an error instead of null. error NotFound: no group has the name; with
  // suggestions.
  absl::StatusOr<Group*> Get(absl::string_view name);
  // Returns the store of the group with this name. An unknown name or a packed group is a
  // programming error and terminates with a message.
  ParamStore& operator[](absl::string_view name);
  const ParamStore& operator[](absl::string_view name) const;

  // Packs the tensors of one dtype of a group in place (pack/pack.h), or unpacks the group.
  // error NotFound: as Get. error FailedPrecondition: the group is already packed (Pack) or not
  // packed (Unpack), or a borrow is open. error ResourceExhausted: out of memory. After an error
  // the group is unchanged. O(bytes); Unpack: O(leaves).
  absl::Status Pack(absl::string_view name, DType dtype = DType::kF32);
  absl::Status Unpack(absl::string_view name);

  // Returns the leaf in a slot; null if it is in no group or packed. O(1).
  const Leaf* FindSlot(Slot slot) const;

  // Returns the store that was split, with the current leaves. From an rvalue they are moved, and
  // no groups remain; otherwise they are shared. By position; O(leaves).
  // error InvalidArgument: a group does not have the slots that the Grouping assigns to it.
  // error FailedPrecondition: a borrow is open. After an error the groups are unchanged.
  absl::StatusOr<ParamStore> Merge() &&;
  absl::StatusOr<ParamStore> Merge() const&;

  // Returns the stores, in order; no groups remain. A packed group is a programming error, as in
  // Group::store().
  std::vector<ParamStore> TakeStores() &&;

  // Returns the same leaves, shared, in the groups of another Grouping. A group that keeps its name
  // stays packed. Errors as Merge, Grouping::Split and Pack. O(leaves); packed: O(bytes).
  absl::StatusOr<Groups> Regroup(const Grouping& grouping) const;

 private:
  friend class Grouping;
  Groups(const Grouping& grouping, std::vector<ParamStore> stores);

  Grouping grouping_;
  std::vector<Group> groups_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_SELECT_GROUPS_H_
