// StringTable: the unique strings of a TreeDef that is being built.
//
// It keeps strings in `columns->strings` and finds them with a hash table of 8 bytes per slot and
// linear probing. A flat_hash_set would hash each new string four times (to find it, to insert it,
// and to grow, twice on average), which is most of the time of building. While each string is
// greater than the last, like the keys of one large dict, all are new and none is hashed.
#ifndef LEAFSTORE_TREEDEF_INTERNAL_STRING_TABLE_H_
#define LEAFSTORE_TREEDEF_INTERNAL_STRING_TABLE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"

#include "leafstore/treedef/internal/treedef_rep.h"

namespace leafstore::internal {

class StringTable {
 public:
  static constexpr uint32_t kNotFound = 0xffffffff;

  // `columns` must outlive this.
  explicit StringTable(TreeDefColumns* columns) : columns_(columns) {
    columns->string_begins.assign(1, 0);
  }

  // Returns the id of a string, or kNotFound: then Add may add it.
  uint32_t Find(absl::string_view text) {
    if (slots_.empty()) {
      if (size() == 0 || StringOf(*columns_, size() - 1) < text) return kNotFound;
      HashAll();
    }
    return Probe(text);
  }

  // Adds the string that the last Find did not find. All strings together must be under 4 GiB.
  uint32_t Add(absl::string_view text) {
    const uint32_t id = size();
    columns_->strings.append(text.data(), text.size());
    columns_->string_begins.push_back(static_cast<uint32_t>(columns_->strings.size()));
    if (!slots_.empty()) Enter(id);
    return id;
  }

  // Allocates memory for this many strings of this many bytes in all.
  void Reserve(size_t strings, size_t string_bytes) {
    columns_->strings.reserve(string_bytes);
    columns_->string_begins.reserve(strings + 1);
    expected_ = strings;
  }

  // Returns the bytes of all strings.
  size_t bytes() const { return columns_->strings.size(); }

 private:
  static constexpr size_t kFirstSlots = 32;

  struct Slot {
    uint32_t hash = 0;
    uint32_t id = kNotFound;
  };

  size_t mask() const { return slots_.size() - 1; }
  uint32_t size() const { return static_cast<uint32_t>(columns_->string_begins.size() - 1); }

  // Finds a string in the hash table. If it is not found, slot_ is where it would be.
  uint32_t Probe(absl::string_view text) {
    hash_ = static_cast<uint32_t>(absl::Hash<absl::string_view>()(text));
    for (slot_ = hash_ & mask();; slot_ = (slot_ + 1) & mask()) {
      const Slot& slot = slots_[slot_];
      if (slot.id == kNotFound) return kNotFound;
      if (slot.hash == hash_ && StringOf(*columns_, slot.id) == text) return slot.id;
    }
  }

  // Inserts the string that the last Probe did not find.
  void Enter(uint32_t id) {
    slots_[slot_] = {hash_, id};
    if ((id + size_t{1}) * 4 > slots_.size() * 3) Grow();
  }

  void HashAll() {
    size_t slots = kFirstSlots;
    while ((std::max<size_t>(expected_, size()) + 1) * 4 > slots * 3) slots *= 2;
    slots_.resize(slots);
    for (uint32_t id = 0; id < size(); ++id) {
      Probe(StringOf(*columns_, id));
      Enter(id);
    }
  }

  void Grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.id == kNotFound) continue;
      size_t at = slot.hash & mask();
      while (slots_[at].id != kNotFound) at = (at + 1) & mask();
      slots_[at] = slot;
    }
  }

  TreeDefColumns* columns_;
  size_t expected_ = 0;
  std::vector<Slot> slots_;  // a power of two of them, a quarter empty; or none: all strings ascend
  uint32_t hash_ = 0;        // of the last Find, and the slot where it ended
  size_t slot_ = 0;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_TREEDEF_INTERNAL_STRING_TABLE_H_
