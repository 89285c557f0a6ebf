#include "leafstore/store/slot_set.h"

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
  return internal::SlotSetAccess::Make(universe, std::move(slots));
}

bool SlotSet::Equals(const SlotSet& other) const {
  if (universe_ != other.universe_ || is_all() != other.is_all()) return false;
  return sparse_ == other.sparse_ || sparse_->slots == other.sparse_->slots;
}

namespace internal {

SlotSet SlotSetAccess::Make(uint32_t universe, std::vector<Slot> slots) {
  if (slots.size() == universe) return SlotSet::All(universe);
  auto sparse = std::make_shared<SlotSet::Sparse>();
  sparse->slots = std::move(slots);
  sparse->slots.shrink_to_fit();
  const uint32_t end = sparse->slots.empty() ? 0 : sparse->slots.back() + 1;
  sparse->words.resize((end + uint64_t{63}) / 64);
  for (const Slot slot : sparse->slots) {
    sparse->words[slot / 64].bits |= uint64_t{1} << (slot % 64);
  }
  uint32_t before = 0;
  for (SlotSet::Word& word : sparse->words) {
    word.before = before;
    before += static_cast<uint32_t>(std::popcount(word.bits));
  }
  return SlotSet(universe, end, std::move(sparse));
}

}  // namespace internal
}  // namespace leafstore
