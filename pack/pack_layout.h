// PackLayout: the position of each leaf of a pack in its buffer.
//
//   const PackLayout& packing = packed.pack_layout();
//   packing.byte_size();          // of the buffer, a multiple of 64
//   packing.offset(2);            // of the third packed leaf, in bytes, a multiple of 64
//   packing.PlaceOf(slot);        // which packed leaf has a slot of the Layout
//
// The leaves are in the order of their slots, each at the next multiple of kPackAlignment. The
// bytes between the end of a leaf and the next leaf are its gap. A place is an index among the
// packed leaves.
//
// Packs made by CreateLike and ZerosLike (gradients, moments) share the PackLayout, so an element
// has the same offset in all of them and one loop over the buffers updates all.
//
// Threads: immutable and cheap to copy; calls are thread-safe.
#ifndef LEAFSTORE_PACK_PACK_LAYOUT_H_
#define LEAFSTORE_PACK_PACK_LAYOUT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/core/dtype.h"
#include "leafstore/core/leaf_spec.h"
#include "leafstore/core/shape.h"
#include "leafstore/store/layout.h"
#include "leafstore/store/slot_set.h"

namespace leafstore {

class ParamStore;

// The alignment of every packed leaf in bytes: a cache line, and the widest vector register.
inline constexpr int64_t kPackAlignment = 64;

class PackLayout {
 public:
  // Lays out the tensors of `dtype` in `store`; there may be none.
  // error ResourceExhausted: their bytes exceed 2^63 - 1. O(leaves).
  static absl::StatusOr<PackLayout> Create(const ParamStore& store, DType dtype);

  DType dtype() const { return rep_->dtype; }
  // Returns the number of packed leaves.
  uint32_t size() const { return static_cast<uint32_t>(rep_->offsets.size()); }
  // Returns the size of the buffer in bytes, including gaps.
  int64_t byte_size() const { return rep_->byte_size; }

  const Layout& layout() const { return rep_->layout; }
  const SlotSet& slots() const { return rep_->slots; }
  Slot slot(uint32_t place) const { return rep_->slots.SlotAt(place); }
  // Returns the place of a slot; kNoPlace if it is not packed. O(1).
  uint32_t PlaceOf(Slot slot) const { return rep_->slots.PlaceOf(slot); }

  // Return, for one packed leaf: its offset and its size (without the gap) in bytes; its
  // shape, which is valid while this PackLayout or a copy of it lives. O(1).
  int64_t offset(uint32_t place) const { return rep_->offsets[place]; }
  // Like offset, but terminates with a message if no such place exists.
  size_t CheckedOffset(uint32_t place) const;
  int64_t bytes(uint32_t place) const { return rep_->bytes[place]; }
  ShapeRef shape(uint32_t place) const { return rep_->shapes[place]; }

  // Returns the spec of the packed leaf. Valid as shape(). O(1).
  LeafSpec spec(uint32_t place) const { return LeafSpec(dtype(), shape(place)); }

  // Returns the gaps that are not empty.
  struct Gap {
    int64_t offset;
    int64_t bytes;
  };
  absl::Span<const Gap> gaps() const { return rep_->gaps; }

  // Compares dtype, Layout, slots and shapes (and so offsets). O(1) for copies, otherwise
  // O(leaves).
  friend bool operator==(const PackLayout& a, const PackLayout& b) { return a.Equals(b); }

 private:
  struct Rep {
    DType dtype;
    Layout layout;
    SlotSet slots;
    int64_t byte_size = 0;
    std::vector<int64_t> offsets;
    std::vector<int64_t> bytes;
    std::vector<Shape> shapes;
    std::vector<Gap> gaps;
  };
  explicit PackLayout(std::shared_ptr<const Rep> rep) : rep_(std::move(rep)) {}
  bool Equals(const PackLayout& other) const;

  std::shared_ptr<const Rep> rep_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_PACK_PACK_LAYOUT_H_
