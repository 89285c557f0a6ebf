#include "leafstore/store/slot_set.h"

#include <algorithm>
#include <cassert>
#include <functional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace leafstore {

absl::StatusOr<SlotSet> SlotSet::Create(uint32_t universe, std::vector<Slot> slots) {
  for (size_t place = 0; place < slots.size(); ++place) {
    if (slots[place] >= universe) {
      return absl::InvalidArgumentError(absl::StrCat(
          "slots: at place ", place, ": expected one below ", universe, ", found ", slots[place]));
    }
    if (place > 0 && slots[place] <= slots[place - 1]) {
      return absl::InvalidArgumentError(absl::StrCat("slots: at place ", place,
                                                     ": expected one above ", slots[place - 1],
                                                     ", the one before, found ", slots[place]));
    }
  }
  return FromSorted(universe, std::move(slots));
}

SlotSet SlotSet::FromSorted(uint32_t universe, std::vector<Slot> slots) {
  assert(slots.empty() || slots.back() < universe);
  assert(std::adjacent_find(slots.begin(), slots.end(), std::greater_equal<>()) == slots.end());
  if (slots.size() == universe) return SlotSet::All(universe);
  auto sparse = std::make_shared<Sparse>();
  sparse->slots = std::move(slots);
  sparse->slots.shrink_to_fit();
  const uint32_t end = sparse->slots.empty() ? 0 : sparse->slots.back() + 1;
  sparse->words.resize((end + uint64_t{63}) / 64);
  for (const Slot slot : sparse->slots) {
    sparse->words[slot / 64].bits |= uint64_t{1} << (slot % 64);
  }
  uint32_t before = 0;
  for (Word& word : sparse->words) {
    word.before = before;
    before += static_cast<uint32_t>(std::popcount(word.bits));
  }
  return SlotSet(universe, end, std::move(sparse));
}

SlotSet SlotSet::AtPlaces(absl::Span<const uint32_t> places) const {
  if (places.size() == size()) return *this;
  std::vector<Slot> slots;
  slots.reserve(places.size());
  for (const uint32_t place : places) slots.push_back(SlotAt(place));
  return FromSorted(universe_, std::move(slots));
}

bool SlotSet::Equals(const SlotSet& other) const {
  if (universe_ != other.universe_ || is_all() != other.is_all()) return false;
  return sparse_ == other.sparse_ || sparse_->slots == other.sparse_->slots;
}

}  // namespace leafstore
