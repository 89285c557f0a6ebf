// ParamStore: a compact dictionary from path to leaf, for a complete model or a group of it.
//
//   ParamStore params = ParamStore::Create(def, leaves).value();
//   const Leaf* bias = params.Find(".head.bias");              // null if it does not exist
//   for (const Leaf& leaf : params.leaves()) ...               // in the treedef's order
//   LEAFSTORE_RETURN_IF_ERROR(params.Set(".head.bias", new_bias));
//   {
//     MutableTensor w = params.Mutate(".head.weight").value(); // RAII: closes at the brace
//     w.span<float>()[0] = 1;
//   }
//   ParamStore snapshot = params.Snapshot().value();           // O(1); unaffected by later writes
//
// Parts. A store consists of a Layout (the paths, shared) and the leaves, in the order of the
// Layout. A group has some of its Layout's slots; its cost depends only on its own leaves. `place`
// is the index of a leaf in this store, and `slot` its index in the Layout; they are the same for a
// store with all slots of its Layout.
//
// Copy-on-write. Snapshots, and groups or merges made from a const store, share leaves and their
// bytes until one side writes, which then copies the handles and the bytes that it writes. A store
// is move-only, so that sharing is always explicit.
//
// Borrows. While a MutableTensor or MutableLeaves of this store is open, operations that read or
// move all leaves or change one (Snapshot, Partition, Merge, Set, Insert, Erase, a second borrow of
// the same leaf) return error FailedPrecondition. The store must outlive its borrows; it may be
// moved meanwhile.
//
// Generations. Every leaf has one (tensor.h). Set and closing a borrow assign a new, larger one.
//
// A moved-from store may only be assigned to or destroyed, unless the function that took it
// documents that it is empty afterwards.
//
// Threads: const calls on one store are thread-safe. A snapshot may be read on any thread while
// this store is written.
//
// Errors name the path, what was expected and what was found. A failed call changes nothing.
#ifndef LEAFSTORE_STORE_PARAM_STORE_H_
#define LEAFSTORE_STORE_PARAM_STORE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/core/leaf.h"
#include "leafstore/core/path.h"
#include "leafstore/store/internal/leaf_array.h"
#include "leafstore/store/layout.h"
#include "leafstore/store/slot_set.h"

namespace leafstore {

class MutableLeaves;

namespace internal {
struct ParamStoreAccess;
}  // namespace internal

class ParamStore {
 public:
  // Creates an empty store.
  ParamStore();
  ParamStore(ParamStore&&) noexcept = default;
  ParamStore& operator=(ParamStore&&) noexcept = default;

  // Creates a store of all leaves of `def`, in its order. No tensor may have an open borrow, which
  // the store could not track. This is checked in debug builds only, as reading each header would
  // cost more than all other work.
  // error InvalidArgument: the number of leaves is not def.leaf_count(), or one is null.
  static absl::StatusOr<ParamStore> Create(const TreeDef& def, std::vector<Leaf> leaves);
  // Like Create above, but for some slots of a Layout, in their order. error InvalidArgument: as
  // above, or the universe of `slots` is not the size of `layout`.
  static absl::StatusOr<ParamStore> Create(Layout layout, SlotSet slots, std::vector<Leaf> leaves);
  // Like Create, but for parts that are known to fit, which is checked in debug builds only.
  static ParamStore FromParts(Layout layout, SlotSet slots, std::vector<Leaf> leaves);
  // Creates a store from paths alone, without a structure (see layout.h).
  // error AlreadyExists: a path occurs twice.
  // error InvalidArgument, ResourceExhausted: as Layout::Create; or a leaf is null.
  // error FailedPrecondition: a leaf is being written.
  static absl::StatusOr<ParamStore> FromEntries(std::vector<std::pair<Path, Leaf>> entries);

  const Layout& layout() const { return layout_; }
  const SlotSet& slots() const { return slots_; }
  // Returns the number of leaves held.
  uint32_t size() const { return static_cast<uint32_t>(array_.get()->leaves.size()); }
  bool empty() const { return size() == 0; }
  // Returns whether it holds every slot of the Layout.
  bool complete() const { return slots_.size() == layout_.size(); }

  // Returns the leaves, by place. Valid until this store is written, moved from or destroyed. O(1).
  absl::Span<const Leaf> leaves() const& { return array_.get()->leaves; }
  absl::Span<const Leaf> leaves() && = delete;  // would dangle
  // `place` must be less than size().
  const Leaf& leaf(uint32_t place) const& { return array_.get()->leaves[place]; }
  const Leaf& leaf(uint32_t place) && = delete;
  Slot slot(uint32_t place) const { return slots_.SlotAt(place); }
  std::string PathText(uint32_t place) const { return layout_.PathText(slot(place)); }

  // Returns the leaf at a canonical path, or null. Valid as leaves(). Expected O(length).
  const Leaf* Find(absl::string_view path_text) const&;
  const Leaf* Find(absl::string_view path_text) && = delete;  // would dangle
  // Returns the leaf in a slot of the Layout, or null. O(1).
  const Leaf* FindSlot(Slot slot) const& {
    const uint32_t place = slots_.PlaceOf(slot);
    return place == kNoPlace ? nullptr : &array_.get()->leaves[place];
  }
  const Leaf* FindSlot(Slot slot) && = delete;
  // Like Find, but a missing leaf is error NotFound, with suggestions, and a path that is not
  // canonical is error InvalidArgument.
  absl::StatusOr<const Leaf*> Get(absl::string_view path_text) const&;
  absl::StatusOr<const Leaf*> Get(absl::string_view path_text) && = delete;
  // Returns the leaf with this dotted form. error InvalidArgument: two leaves have it; names both.
  // error NotFound: no leaf has it.
  absl::StatusOr<const Leaf*> GetDotted(absl::string_view dotted) const&;
  absl::StatusOr<const Leaf*> GetDotted(absl::string_view dotted) && = delete;

  // Returns the place of a path. error NotFound, InvalidArgument: as Get.
  absl::StatusOr<uint32_t> GetPlace(absl::string_view path_text) const;

  // Replaces an existing leaf with one of the same spec: a tensor of the same dtype and shape, or a
  // value of the same kind. SetAt: `place` must be less than size().
  // error NotFound: it does not exist. error InvalidArgument: the specs differ. error
  // FailedPrecondition: the new leaf or a leaf of this store is being written. O(1) in addition to
  // Find, and O(leaves) once after a snapshot.
  absl::Status Set(absl::string_view path_text, Leaf leaf);
  absl::Status SetAt(uint32_t place, Leaf leaf);

  // Adds a leaf. If its path is not in the Layout, the store gets a new Layout of paths alone.
  // error AlreadyExists: the path has a leaf. error FailedPrecondition: the new leaf or a leaf of
  // this store is being written. error InvalidArgument, ResourceExhausted: as Layout::Create.
  // O(leaves); for many leaves use FromEntries.
  absl::Status Insert(const Path& path, Leaf leaf);
  // Replaces the leaf if it exists, whatever its spec; otherwise inserts it.
  absl::Status Upsert(const Path& path, Leaf leaf);
  // Removes a leaf, without changing the Layout. error NotFound: it does not exist. O(leaves).
  absl::Status Erase(absl::string_view path_text);

  // Opens one tensor for writing. error NotFound, InvalidArgument: as Get, or the leaf is static.
  // error FailedPrecondition: it is already open.
  absl::StatusOr<MutableTensor> Mutate(absl::string_view path_text) &;
  absl::StatusOr<MutableTensor> MutateAt(uint32_t place) &;
  // Opens all tensors for writing, as a step of training does. error FailedPrecondition: a borrow
  // is open.
  absl::StatusOr<MutableLeaves> MutateAll() &;
  // Returns whether a borrow is open.
  bool borrowed() const { return array_.get()->open_borrows.load(std::memory_order_acquire) != 0; }

  // Returns an independent store with the same leaves; later writes to one do not affect the other.
  // error FailedPrecondition: a borrow is open. O(1).
  absl::StatusOr<ParamStore> Snapshot() const;

  // Returns the leaves in some of this store's slots, as a store on the same Layout. From a const
  // store the leaves are shared; from an rvalue they are moved, the others are released, and the
  // store is empty afterwards. O(slots), and for an rvalue O(leaves).
  // error NotFound: a slot is not in this store. error InvalidArgument: the universe of `slots`
  // is not the size of the Layout. error FailedPrecondition: a borrow is open.
  absl::StatusOr<ParamStore> Select(const SlotSet& slots) const&;
  absl::StatusOr<ParamStore> Select(const SlotSet& slots) &&;

  // Checks that no borrow is open. error FailedPrecondition: one is open; the message names the
  // operation `what`.
  absl::Status CheckNoBorrow(absl::string_view what) const;

  // Returns a fingerprint of the leaves' kinds, dtypes and shapes, seeded per process. Stores of
  // equal Layout and SlotSet have equal fingerprints if all of these agree, which Grouping checks
  // in O(1). Computed at the first call (O(leaves)), then kept up to date.
  uint64_t spec_fingerprint() const;
  // Returns spec_fingerprint() if it was computed, or 0. O(1).
  uint64_t known_spec_fingerprint() const {
    return array_.get()->spec_fingerprint.load(std::memory_order_relaxed);
  }

  // Returns the leaves, by place, and leaves this store empty. No borrow may be open. O(1), or
  // O(leaves) if they are shared with a snapshot.
  std::vector<Leaf> TakeLeaves() &&;

 private:
  friend class MutableLeaves;
  friend struct internal::ParamStoreAccess;

  ParamStore(Layout layout, SlotSet slots, internal::LeafArrayPtr array)
      : layout_(std::move(layout)), slots_(std::move(slots)), array_(std::move(array)) {}

  // Makes this store the only owner of its vector of handles.
  internal::LeafArray* OwnArray();
  absl::Status SetLeaf(uint32_t place, Leaf leaf, bool same_spec);
  // `same_spec`: the new leaf is known to have the spec of the old one.
  void ReplaceLeaf(uint32_t place, Leaf leaf, bool same_spec);
  absl::Status CheckSelect(const SlotSet& slots) const;

  Layout layout_;
  SlotSet slots_;
  internal::LeafArrayPtr array_;  // null only after a move
};

// A borrow of all tensors of a store for writing. Closes when destroyed. Each access for writing
// assigns the tensor a new generation. Copies of leaf() made meanwhile see later writes; use Clone
// instead.
class MutableLeaves {
 public:
  MutableLeaves(MutableLeaves&& other) noexcept
      : array_(std::exchange(other.array_, nullptr)), overwritten_(std::move(other.overwritten_)) {}
  MutableLeaves& operator=(MutableLeaves&&) = delete;
  ~MutableLeaves() {
    if (array_ != nullptr) array_->open_borrows.store(0, std::memory_order_release);
  }

  uint32_t size() const { return static_cast<uint32_t>(array_->leaves.size()); }
  const Leaf& leaf(uint32_t place) const { return array_->leaves[place]; }

  // Returns the bytes of the tensor at `place`, cloned first if they are shared.
  // error InvalidArgument: the leaf is static. error ResourceExhausted: out of memory. O(1), or
  // O(bytes) if it clones.
  absl::StatusOr<std::byte*> raw_data(uint32_t place);
  // Returns the old bytes of the tensor at `place`, valid until this closes, and where to write the
  // new ones: in place, or if the bytes are shared, to uninitialized memory, as nothing is copied.
  // The caller must write the full tensor, as the step of an optimizer does. Call at most once per
  // place. Errors: those of raw_data. O(1).
  struct Overwrite {
    const std::byte* from;
    std::byte* to;
  };
  absl::StatusOr<Overwrite> overwrite(uint32_t place);
  // Reverts each overwrite() that allocated a new buffer. Call only before anything was written.
  void RevertOverwrites();
  // Returns the elements. error InvalidArgument: T is not the dtype's C++ type. Other errors: those
  // of raw_data.
  template <typename T>
  absl::StatusOr<absl::Span<T>> GetSpan(uint32_t place) {
    const Leaf& at = leaf(place);
    if (at.is_tensor()) {
      absl::Status status = TensorAccess::CheckDType(at.tensor(), kDTypeOf<T>);
      if (!status.ok()) return status;
    }
    absl::StatusOr<std::byte*> bytes = raw_data(place);
    if (!bytes.ok()) return bytes.status();
    return absl::MakeSpan(reinterpret_cast<T*>(*bytes),
                          static_cast<size_t>(leaf(place).tensor().element_count()));
  }

 private:
  friend class ParamStore;
  absl::Status CheckTensor(uint32_t place) const;
  explicit MutableLeaves(internal::LeafArray* array) : array_(array) {
    array_->open_borrows.store(internal::LeafArray::kAllBorrowed, std::memory_order_relaxed);
  }

  internal::LeafArray* array_;
  std::vector<std::pair<uint32_t, Tensor>> overwritten_;  // place and old tensor
};

// A part of an optimizer's state: "exp_avg", "exp_avg_sq" and "momentum_buffer" have tensors shaped
// like the parameters; "step" has an int for each tensor. An OptimizerSet prefixes the name of the
// group: "bias/step".
struct NamedStore {
  std::string name;
  ParamStore store;
};

}  // namespace leafstore

#endif  // LEAFSTORE_STORE_PARAM_STORE_H_
