// ParamStore: a compact dictionary from path to leaf, of a whole model or of a group of it.
//
//   ParamStore params = ParamStore::Create(def, leaves).value();
//   const Leaf* bias = params.Find(".head.bias");              // null if there is none
//   for (const Leaf& leaf : params.leaves()) ...               // O(1) to get; treedef's order
//   LEAFSTORE_RETURN_IF_ERROR(params.Set(".head.bias", new_bias));
//   {
//     MutableTensor w = params.Mutate(".head.weight").value(); // RAII: closes at the brace
//     w.span<float>()[0] = 1;
//   }
//   ParamStore snapshot = params.Snapshot().value();           // O(1); no later write reaches it
//
// Halves. A Layout (the paths, shared) and the leaves (a vector of handles, shared until written).
// A group has some of its Layout's slots; it costs what its own leaves cost, whatever the model is.
//
// Order is the Layout's, never a hash map's. `place` counts the leaves of this store, `slot` those
// of its Layout; for a store of the whole Layout they are the same.
//
// Sharing by value. Snapshot, and groups or merges made from a const store, share leaves and their
// bytes until one side writes: that side then copies the handles, and the bytes it touches. A store
// is move-only, so that this is always asked for by name.
//
// Borrows. While a MutableTensor or MutableLeaves of this store is open, whatever would look at all
// leaves as they are or move them (Snapshot, Partition, Merge, Set, Insert, Erase, a second borrow
// of the same leaf) is error FailedPrecondition, not a torn result. The store must outlive its
// borrows; it may be moved meanwhile.
//
// Generations. Every leaf has one (tensor.h). Set and the closing of a borrow give a new, larger
// one.
//
// What is moved from may only be assigned to or destroyed, but where a function that takes a store
// says that it is empty afterwards.
//
// Threads: const calls on one store are safe from many threads. A snapshot may go to any thread and
// be read there while this store is written.
//
// Errors name the path, what was expected and what was found. A failed call changes nothing.
#ifndef LEAFSTORE_STORE_PARAM_STORE_H_
#define LEAFSTORE_STORE_PARAM_STORE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/core/leaf.h"
#include "leafstore/core/path.h"
#include "leafstore/store/layout.h"
#include "leafstore/store/slot_set.h"

namespace leafstore {

class MutableLeaves;

namespace internal {

// The leaves of a store, shared by its snapshots until one of them is written.
struct LeafArray {
  std::atomic<uint32_t> refs{1};
  // MutableTensors that are open; kAllBorrowed while a MutableLeaves is.
  std::atomic<int64_t> open_borrows{0};
  static constexpr int64_t kAllBorrowed = -1;
  // Of the leaves' kinds, dtypes and shapes; 0 until computed (ParamStore::spec_fingerprint).
  mutable std::atomic<uint64_t> spec_fingerprint{0};
  std::vector<Leaf> leaves;
};

struct ParamStoreAccess;

class LeafArrayPtr {
 public:
  LeafArrayPtr() = default;
  explicit LeafArrayPtr(std::vector<Leaf> leaves);
  LeafArrayPtr(const LeafArrayPtr& other) : array_(other.array_) {
    if (array_ != nullptr) array_->refs.fetch_add(1, std::memory_order_relaxed);
  }
  LeafArrayPtr(LeafArrayPtr&& other) noexcept : array_(std::exchange(other.array_, nullptr)) {}
  LeafArrayPtr& operator=(LeafArrayPtr other) noexcept {
    std::swap(array_, other.array_);
    return *this;
  }
  ~LeafArrayPtr() {
    if (array_ != nullptr && array_->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      delete array_;
    }
  }
  LeafArray* get() const { return array_; }
  bool IsUnique() const { return array_->refs.load(std::memory_order_acquire) == 1; }

 private:
  LeafArray* array_ = nullptr;
};

}  // namespace internal

// What a new leaf must have in common with the one it replaces.
enum class SetCheck {
  kSameSpec,  // a tensor of the same dtype and shape, or a value of the same kind
  kAnything,
};

class ParamStore {
 public:
  // An empty dictionary.
  ParamStore();
  ParamStore(ParamStore&&) noexcept = default;
  ParamStore& operator=(ParamStore&&) noexcept = default;

  // All leaves of `def`, in its order. No tensor may have a borrow open, of which the store would
  // not know: asserted in a debug build, since looking at each header would cost more than all the
  // rest.
  // error InvalidArgument: their number is not def.leaf_count(), or one is null.
  static absl::StatusOr<ParamStore> Create(const TreeDef& def, std::vector<Leaf> leaves);
  // The leaves of some slots of a Layout, in order. As above. error InvalidArgument also: the slots
  // are those of a Layout of another size.
  static absl::StatusOr<ParamStore> Create(Layout layout, SlotSet slots, std::vector<Leaf> leaves);
  // Like Create, for parts that are known to fit, which is checked in debug builds only.
  static ParamStore FromParts(Layout layout, SlotSet slots, std::vector<Leaf> leaves);
  // A dictionary without a given structure (see layout.h). error AlreadyExists: a path occurs
  // twice.
  // error InvalidArgument, ResourceExhausted: as Layout::Create; or a leaf is null. error
  // FailedPrecondition: a leaf is being written.
  static absl::StatusOr<ParamStore> FromEntries(std::vector<std::pair<Path, Leaf>> entries);

  const Layout& layout() const { return layout_; }
  const SlotSet& slots() const { return slots_; }
  // Leaves that are here.
  uint32_t size() const { return static_cast<uint32_t>(array_.get()->leaves.size()); }
  bool empty() const { return size() == 0; }
  // Whether every slot of the Layout is here.
  bool complete() const { return slots_.size() == layout_.size(); }

  // The leaves, by place. O(1). Valid until this store is written, moved from or destroyed.
  absl::Span<const Leaf> leaves() const& { return array_.get()->leaves; }
  absl::Span<const Leaf> leaves() && = delete;  // would dangle
  const Leaf& leaf(uint32_t place) const& { return array_.get()->leaves[place]; }
  const Leaf& leaf(uint32_t place) && = delete;
  Slot slot(uint32_t place) const { return slots_.SlotAt(place); }
  std::string PathText(uint32_t place) const { return layout_.PathText(slot(place)); }

  // The leaf at a canonical path, or null. Valid as leaves(). O(length), expected.
  const Leaf* Find(absl::string_view path_text) const&;
  const Leaf* Find(absl::string_view path_text) && = delete;  // would dangle
  // The leaf in a slot of the Layout, or null. O(1).
  const Leaf* FindSlot(Slot slot) const& {
    const uint32_t place = slots_.PlaceOf(slot);
    return place == kNoPlace ? nullptr : &array_.get()->leaves[place];
  }
  const Leaf* FindSlot(Slot slot) && = delete;
  // As Find. error NotFound, with near names; InvalidArgument: no canonical path.
  absl::StatusOr<const Leaf*> Get(absl::string_view path_text) const&;
  absl::StatusOr<const Leaf*> Get(absl::string_view path_text) && = delete;
  // By dotted form. error InvalidArgument: two leaves have it; names both. error NotFound.
  absl::StatusOr<const Leaf*> GetDotted(absl::string_view dotted) const&;
  absl::StatusOr<const Leaf*> GetDotted(absl::string_view dotted) && = delete;

  // The place of a path. error NotFound, InvalidArgument: as Get.
  absl::StatusOr<uint32_t> PlaceOf(absl::string_view path_text) const;

  // Replaces a leaf that is there. error NotFound: it is not. error InvalidArgument: dtype, shape
  // or kind differ and `check` is kSameSpec. error FailedPrecondition: the leaf, or a leaf here, is
  // being written. O(1) beyond Find, and O(leaves) once after a snapshot.
  // SetAt: `place` must be less than size().
  absl::Status Set(absl::string_view path_text, Leaf leaf, SetCheck check = SetCheck::kSameSpec);
  absl::Status SetAt(uint32_t place, Leaf leaf, SetCheck check = SetCheck::kSameSpec);

  // Adds a leaf that is not there. A path that is no slot of the Layout makes a Layout of paths.
  // error AlreadyExists: it is there. error FailedPrecondition: the leaf, or a leaf here, is being
  // written. error InvalidArgument, ResourceExhausted: as Layout::Create. O(leaves): for many, use
  // FromEntries.
  absl::Status Insert(const Path& path, Leaf leaf);
  // Set without a check, or Insert.
  absl::Status Upsert(const Path& path, Leaf leaf);
  // Takes a leaf out; the Layout stays. error NotFound. O(leaves).
  absl::Status Erase(absl::string_view path_text);

  // Opens one tensor for writing. error NotFound, InvalidArgument: as Get, or the leaf is static.
  // error FailedPrecondition: it is open already.
  absl::StatusOr<MutableTensor> Mutate(absl::string_view path_text) &;
  absl::StatusOr<MutableTensor> MutateAt(uint32_t place) &;
  // Opens all tensors for writing, as a step of training does. error FailedPrecondition: a borrow
  // is open.
  absl::StatusOr<MutableLeaves> MutateAll() &;
  // Whether a borrow is open.
  bool borrowed() const { return array_.get()->open_borrows.load(std::memory_order_acquire) != 0; }

  // A store of its own with the same leaves; neither sees what the other writes later. O(1).
  // error FailedPrecondition: a borrow is open.
  absl::StatusOr<ParamStore> Snapshot() const;

  // Returns the leaves in some of this store's slots, as a store on the same Layout. From a const
  // store the leaves are shared; from an rvalue they are moved, the others are released, and the
  // store is empty afterwards. O(slots), and for an rvalue O(leaves).
  // error NotFound: a slot is not in this store. error InvalidArgument: the slots are those of a
  // layout of another size. error FailedPrecondition: a borrow is open.
  absl::StatusOr<ParamStore> Select(const SlotSet& slots) const&;
  absl::StatusOr<ParamStore> Select(const SlotSet& slots) &&;

  // Checks that no borrow is open. error FailedPrecondition: one is; `what` says what cannot be
  // done.
  absl::Status CheckNoBorrow(absl::string_view what) const;

  // A number that two stores of one Layout and SlotSet have in common when their leaves agree in
  // kind, dtype and shape; seeded in each process. Computed at the first call (O(leaves)), then
  // kept up to date. What a Grouping checks in O(1).
  uint64_t spec_fingerprint() const;
  // The same if it was computed, or 0. O(1).
  uint64_t known_spec_fingerprint() const {
    return array_.get()->spec_fingerprint.load(std::memory_order_relaxed);
  }

  // Gives the leaves away, by place, and leaves this store empty. O(1), or O(leaves) where they are
  // shared with a snapshot. No borrow may be open.
  std::vector<Leaf> TakeLeaves() &&;

 private:
  friend class MutableLeaves;
  friend struct internal::ParamStoreAccess;

  ParamStore(Layout layout, SlotSet slots, internal::LeafArrayPtr array)
      : layout_(std::move(layout)), slots_(std::move(slots)), array_(std::move(array)) {}

  // Makes this store the only holder of its vector of handles.
  internal::LeafArray* OwnArray();
  // `same_spec`: the new leaf's is known to be that of the old one.
  void ReplaceLeaf(uint32_t place, Leaf leaf, bool same_spec);
  absl::Status CheckSpec(uint32_t place, const Leaf& leaf) const;
  absl::Status CheckSelect(const SlotSet& slots) const;

  Layout layout_;
  SlotSet slots_;
  internal::LeafArrayPtr array_;  // never null, but after a move
};

// All tensors of a store, open for writing. Closes when destroyed. A tensor gets a new generation
// each time it is asked for. What is copied of leaf() meanwhile is not kept apart from later
// writes: Clone it.
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

  // The bytes of the tensor at `place`, cloned first where anything else can see them.
  // error InvalidArgument: the leaf is static. error ResourceExhausted: no memory. O(1), or
  // O(bytes) where it clones.
  absl::StatusOr<std::byte*> raw_data(uint32_t place);
  // For whoever will write the whole tensor at `place`, as the step of an optimizer does: its bytes
  // as they are, until this closes, and where the new ones go. Both are the same where nothing else
  // can see them; otherwise nothing is copied, and what is not written is undefined. To be asked for
  // once. Errors as raw_data's. O(1).
  struct Overwrite {
    const std::byte* from;
    std::byte* to;
  };
  absl::StatusOr<Overwrite> overwrite(uint32_t place);
  // Takes back each overwrite() that had to separate the two, before anything was written.
  void RevertOverwrites();
  // Returns the elements. Errors as raw_data's; error InvalidArgument also: T is not the dtype's
  // C++ type.
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
  std::vector<std::pair<uint32_t, Tensor>> overwritten_;  // place, and what was there
};

namespace internal {

// What split, merge and pack know about a store, or have to.
struct ParamStoreAccess {
  // Notes the fingerprint of a store's leaves where it is known; 0 where it is not.
  static void SetFingerprint(uint64_t spec_fingerprint, ParamStore* store) {
    store->array_.get()->spec_fingerprint.store(spec_fingerprint, std::memory_order_relaxed);
  }
  static void ReplaceLeaf(ParamStore* store, uint32_t place, Leaf leaf, bool same_spec) {
    store->ReplaceLeaf(place, std::move(leaf), same_spec);
  }
  // Whether another store has the same vector of handles.
  static bool SharesLeaves(const ParamStore& store) { return !store.array_.IsUnique(); }
};

}  // namespace internal
}  // namespace leafstore

#endif  // LEAFSTORE_STORE_PARAM_STORE_H_
