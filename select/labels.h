// Labels: named groups over a Layout. What a checkpoint saves as the names of groups, and what
// gives each group its optimizer.
//
//   Labels labels = Labels::Create(layout, plan, {"bias", "frozen", "rest"}).value();
//   labels.GroupOf(slot);                 // 0, 1, 2, or kNoGroup
//   labels.name(labels.GroupOf(slot));    // "bias"
//   labels.SlotsOf(0);                    // the slots of "bias"
//
// Each slot is in one group or in none. Names are UTF-8, not empty, and each occurs once; groups
// are numbered in the order of the names.
//
// Memory: one byte a slot (four where there are more than 255 groups), and four for each that is in
// a group; not more for many groups than for few, since who reads a file does not choose their
// number.
//
// Threads: immutable and cheap to copy; calls are safe from many threads.
#ifndef LEAFSTORE_SELECT_LABELS_H_
#define LEAFSTORE_SELECT_LABELS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/select/partition.h"
#include "leafstore/store/layout.h"
#include "leafstore/store/slot_set.h"

namespace leafstore {

class Labels {
 public:
  // No groups of no layout.
  Labels();

  // The groups of a plan, the rest last. error InvalidArgument: the plan is for another Layout; or
  // not as many names as groups, or bad ones (see above).
  // O(slots + groups).
  static absl::StatusOr<Labels> Create(Layout layout, const PartitionPlan& plan,
                                       std::vector<std::string> names);
  // The group of each slot, a number below names.size() or kNoGroup. error InvalidArgument: not as
  // many as slots, a number that is no group (names the slot's path), or bad names. O(slots +
  // groups).
  static absl::StatusOr<Labels> Create(Layout layout, absl::Span<const uint32_t> group_of_slot,
                                       std::vector<std::string> names);

  const Layout& layout() const { return rep_->layout; }
  uint32_t group_count() const { return static_cast<uint32_t>(rep_->names.size()); }
  // Valid while this Labels or a copy of it lives.
  absl::Span<const std::string> names() const& { return rep_->names; }
  absl::Span<const std::string> names() && = delete;  // would dangle
  // Of a group below group_count().
  const std::string& name(uint32_t group) const& { return rep_->names[group]; }
  const std::string& name(uint32_t group) && = delete;
  // The slots of it, made for the caller. O(slots of it + slots / 64).
  SlotSet SlotsOf(uint32_t group) const;

  // The group of a slot, or kNoGroup; any slot may be asked for. O(1).
  uint32_t GroupOf(Slot slot) const {
    if (slot >= rep_->layout.size()) return kNoGroup;
    if (!rep_->wide.empty()) return rep_->wide[slot];
    const uint8_t group = rep_->narrow[slot];
    return group == kNarrowNoGroup ? kNoGroup : group;
  }
  // The group with this name. O(groups).
  std::optional<uint32_t> Find(absl::string_view name) const;
  // The same; error NotFound: none has it; with near names.
  absl::StatusOr<uint32_t> Get(absl::string_view name) const;

  // "bias: 12 leaves, rest: 40 leaves, in no group: 3".
  std::string ToString() const;

  // Equal Layouts, names and groups. O(slots); O(1) for copies.
  friend bool operator==(const Labels& a, const Labels& b) { return a.Equals(b); }

 private:
  static constexpr uint8_t kNarrowNoGroup = 0xff;
  struct Rep {
    Layout layout;
    std::vector<std::string> names;
    std::vector<Slot> slots;       // group by group, growing in each
    std::vector<uint32_t> begins;  // where each group begins in `slots`, and where the last ends
    std::vector<uint8_t> narrow;   // the group of each slot, where there are at most 255
    std::vector<uint32_t> wide;    // the same, where there are more
  };
  explicit Labels(std::shared_ptr<const Rep> rep) : rep_(std::move(rep)) {}
  bool Equals(const Labels& other) const;

  std::shared_ptr<const Rep> rep_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_SELECT_LABELS_H_
