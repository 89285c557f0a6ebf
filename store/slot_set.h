// SlotSet: the slots of a Layout that a store holds, and the place of each in the store.
//
// A slot is the index of a leaf in its Layout; a place is its index in one store. They are the same
// in a store with all slots of the Layout; a group has some of the slots, in order.
//
//   SlotSet set = SlotSet::Create(100'000, {7, 4711}).value();
//   set.PlaceOf(4711);   // 1, O(1)
//   set.SlotAt(0);       // 7, O(1)
//
// Memory: 4 bytes per slot held, and 16 bytes per 64 slots of the Layout up to the last slot held.
//
// Threads: immutable and cheap to copy; calls are thread-safe.
#ifndef LEAFSTORE_STORE_SLOT_SET_H_
#define LEAFSTORE_STORE_SLOT_SET_H_

#include <bit>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace leafstore {

using Slot = uint32_t;
inline constexpr Slot kNoSlot = 0xffffffff;
inline constexpr uint32_t kNoPlace = 0xffffffff;
// The group of a slot that is in no group (select/grouping.h).
inline constexpr uint32_t kNoGroup = 0xffffffff;

class SlotSet {
 public:
  // Returns the set of all slots below `universe`. Uses no memory.
  static SlotSet All(uint32_t universe) { return SlotSet(universe, universe, nullptr); }
  // Returns a set of these slots. error InvalidArgument: `slots` are not strictly ascending, or one
  // is not below `universe`. O(slots + universe / 64).
  static absl::StatusOr<SlotSet> Create(uint32_t universe, std::vector<Slot> slots);
  // Like Create, but for slots that are known to be strictly ascending and below `universe`, which
  // is checked in debug builds only.
  static SlotSet FromSorted(uint32_t universe, std::vector<Slot> slots);

  // Creates an empty set with an empty universe.
  SlotSet() = default;

  uint32_t universe() const { return universe_; }
  uint32_t size() const {
    return sparse_ == nullptr ? universe_ : static_cast<uint32_t>(sparse_->slots.size());
  }
  bool empty() const { return size() == 0; }
  bool is_all() const { return sparse_ == nullptr; }

  Slot SlotAt(uint32_t place) const { return sparse_ == nullptr ? place : sparse_->slots[place]; }
  // Returns the place of `slot`, or kNoPlace. Accepts any slot.
  uint32_t PlaceOf(Slot slot) const {
    if (slot >= end_) return kNoPlace;
    if (sparse_ == nullptr) return slot;
    const Word& word = sparse_->words[slot / 64];
    const uint64_t bit = uint64_t{1} << (slot % 64);
    if ((word.bits & bit) == 0) return kNoPlace;
    return word.before + static_cast<uint32_t>(std::popcount(word.bits & (bit - 1)));
  }
  bool Contains(Slot slot) const { return PlaceOf(slot) != kNoPlace; }

  // Returns the slots at `places`, which must be strictly ascending and below size(). If these
  // are all places, the result shares this set's data, so that comparing the two stays O(1).
  // O(places + universe / 64).
  SlotSet AtPlaces(absl::Span<const uint32_t> places) const;

  // Compares universe and slots. O(1) if both share their data or hold all slots.
  friend bool operator==(const SlotSet& a, const SlotSet& b) { return a.Equals(b); }

 private:
  struct Word {
    uint64_t bits = 0;
    uint32_t before = 0;  // the number of slots held in earlier words
  };
  struct Sparse {
    std::vector<Slot> slots;
    std::vector<Word> words;  // up to the last slot
  };
  SlotSet(uint32_t universe, uint32_t end, std::shared_ptr<const Sparse> sparse)
      : universe_(universe), end_(end), sparse_(std::move(sparse)) {}
  bool Equals(const SlotSet& other) const;

  uint32_t universe_ = 0;
  uint32_t end_ = 0;                      // one past the last slot
  std::shared_ptr<const Sparse> sparse_;  // null: all
};

}  // namespace leafstore

#endif  // LEAFSTORE_STORE_SLOT_SET_H_
