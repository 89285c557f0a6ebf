#include "leafstore/store/slot_set.h"

#include <utility>

namespace leafstore {

SlotSet SlotSet::Create(uint32_t universe, std::vector<Slot> slots) {
  if (slots.size() == universe) return All(universe);
  auto sparse = std::make_shared<Sparse>();
  sparse->slots = std::move(slots);
  sparse->slots.shrink_to_fit();
  sparse->words.resize((universe + uint64_t{63}) / 64);
  for (const Slot slot : sparse->slots) {
    sparse->words[slot / 64].bits |= uint64_t{1} << (slot % 64);
  }
  uint32_t before = 0;
  for (Word& word : sparse->words) {
    word.before = before;
    before += static_cast<uint32_t>(std::popcount(word.bits));
  }
  return SlotSet(universe, std::move(sparse));
}

bool SlotSet::Equals(const SlotSet& other) const {
  if (universe_ != other.universe_ || is_all() != other.is_all()) return false;
  return sparse_ == other.sparse_ || sparse_->slots == other.sparse_->slots;
}

}  // namespace leafstore
