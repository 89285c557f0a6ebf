// Packed: the tensors of one dtype of a group in one aligned buffer, so that a training step, an
// allreduce or a write to disk is one operation instead of thousands.
//
//   Packed params = Packed::Create(std::move(group), DType::kF32).value();
//   Packed grads = Packed::ZerosLike(params).value();          // the same offsets
//   for (...) {
//     LEAFSTORE_RETURN_IF_ERROR(grads.Assign(gradients_of_this_step));   // allocates nothing
//     MutablePack writing = params.Mutate().value();            // RAII: closes at the brace
//     absl::Span<float> p = writing.span<float>();              // all leaves, with gaps of zeros
//     absl::Span<const float> g = grads.span<float>();
//     for (size_t i = 0; i < p.size(); ++i) p[i] -= 0.1f * g[i];
//   }
//   ParamStore view = params.store().value();                   // leaves are views of the buffer
//   ParamStore group = std::move(params).Unpack().value();
//
// Contents. A pack has the group's tensors of that dtype, each at a multiple of 64 bytes
// (pack_layout.h), with zeros between them. All other leaves of the group are in rest(). store()
// has all of them, in the group's order.
//
// Sharing. A store() or Snapshot() is a value: no later write through the pack changes it. While
// one is alive, the next write first copies the buffer (Overwrite copies nothing); otherwise the
// write is in place.
//
// Borrows. One MutablePack at a time. Until it closes, store(), Snapshot(), Mutate(), Assign(),
// Unpack() and bytes() return error FailedPrecondition. The Packed may be moved meanwhile; after it
// is destroyed, writes through the borrow have no effect. A borrow of rest() is separate: the
// Packed must outlive it, and the same calls fail while it is open.
//
// Generations. Closing a MutablePack, opening rest() for writing, and Assign set a new
// generation(). The leaves of store() have their own generations (equal ones mean equal bytes),
// which are the same in every store() and in those of snapshots until the next write.
//
// Threads: const calls on one Packed are thread-safe. A store() or Snapshot() may be read on any
// thread while this pack is written.
//
// Errors name the path, what was expected and what was found. A failed call changes nothing.
#ifndef LEAFSTORE_PACK_PACK_H_
#define LEAFSTORE_PACK_PACK_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/core/buffer.h"
#include "leafstore/core/dtype.h"
#include "leafstore/pack/pack_layout.h"
#include "leafstore/store/param_store.h"

namespace leafstore {

class MutablePack;

namespace internal {
struct PackState;  // defined in pack.cc
}  // namespace internal

class Packed {
 public:
  // Packs the tensors of `dtype`, of which there may be none. Each tensor of an rvalue is released
  // as soon as it is copied, and the store is empty afterwards; a const store is not changed. error
  // FailedPrecondition: a borrow of the store is open. error ResourceExhausted: out of memory.
  // O(bytes).
  static absl::StatusOr<Packed> Create(ParamStore&& store, DType dtype);
  static absl::StatusOr<Packed> Create(const ParamStore& store, DType dtype);

  // Packs a store of the same Layout with the offsets of `like`, such as gradients beside
  // parameters. The store must have a tensor of the same dtype and shape in every slot that is
  // packed in `like`; its other leaves are in rest(). error InvalidArgument: a different Layout; or
  // leaves are missing or have a different dtype or shape: names all. error FailedPrecondition,
  // ResourceExhausted: as Create. O(bytes).
  static absl::StatusOr<Packed> CreateLike(const Packed& like, const ParamStore& store);

  // Makes a pack with the same offsets and leaves and all elements zero, such as the initial
  // moments of an optimizer. The tensors of rest() are zero too; static leaves are those of `like`.
  // error FailedPrecondition: a borrow is open in `like`. error ResourceExhausted: out of memory.
  // O(bytes).
  static absl::StatusOr<Packed> ZerosLike(const Packed& like);

  // A moved-from pack may only be destroyed or assigned to.
  Packed(Packed&&) noexcept = default;
  Packed& operator=(Packed&&) noexcept = default;

  // Returns which leaves are packed, and where. Valid until this pack is moved from or destroyed.
  const PackLayout& pack_layout() const&;
  const PackLayout& pack_layout() && = delete;  // would dangle
  DType dtype() const { return pack_layout().dtype(); }
  // Return the Layout and the slots of the group, including the leaves of rest().
  const Layout& layout() const { return pack_layout().layout(); }
  const SlotSet& slots() const;
  // Returns the leaves that are not packed, as a store on the group's Layout. Valid until this pack
  // is moved from, assigned to (by Assign too) or destroyed.
  const ParamStore& rest() const&;
  const ParamStore& rest() && = delete;  // would dangle

  // Returns the generation of the last write; see above.
  uint64_t generation() const;

  // Returns all elements, with gaps of zeros. The buffer begins at a multiple of 64 bytes. Valid
  // until this pack is written or destroyed. Misuse is a programming error and terminates the
  // program with a message: T is not the dtype's C++ type, or a borrow is open (bytes() returns an
  // error instead).
  template <typename T>
  absl::Span<const T> span() const& {
    const absl::Span<const std::byte> all = CheckedBytes(kDTypeOf<T>);
    return absl::MakeConstSpan(reinterpret_cast<const T*>(all.data()), all.size() / sizeof(T));
  }
  // Returns the elements of one packed leaf. Like span(), but terminates also if no such place
  // exists.
  template <typename T>
  absl::Span<const T> span(uint32_t place) const& {
    const size_t offset = pack_layout().CheckedOffset(place);
    return span<T>().subspan(offset / sizeof(T), pack_layout().bytes(place) / sizeof(T));
  }
  // Returns the bytes, whatever the dtype. error FailedPrecondition: a borrow is open.
  absl::StatusOr<absl::Span<const std::byte>> bytes() const&;
  template <typename T>
  void span() && = delete;  // would dangle
  template <typename T>
  void span(uint32_t) && = delete;
  void bytes() && = delete;

  // Returns the group as a store with the same Layout and slots, whose packed leaves are views of
  // the buffer. error FailedPrecondition: a borrow is open. error ResourceExhausted: out of memory.
  // O(leaves) after a write, then O(1) until the next write.
  absl::StatusOr<ParamStore> store() const;

  // Returns an independent pack with the same elements: neither sees later writes of the other.
  // error FailedPrecondition: a borrow is open. O(1).
  absl::StatusOr<Packed> Snapshot() const;

  // Opens the buffer for writing. O(1), or O(bytes) if a store() or snapshot shares it.
  // error FailedPrecondition: a borrow is open. error ResourceExhausted: out of memory.
  absl::StatusOr<MutablePack> Mutate() &;
  // Opens the buffer for a write of every element, like the step of an optimizer. The previous
  // contents are in MutablePack::before(). If a store() or snapshot shares them, the new bytes are
  // uninitialized memory, so nothing is copied. Gaps are zero. O(gaps). Errors as Mutate.
  absl::StatusOr<MutablePack> Overwrite() &;
  // Opens the tensors of rest(). error FailedPrecondition: a borrow is open.
  absl::StatusOr<MutableLeaves> MutateRest() &;

  // Replaces all leaves with those of a store of the same Layout and slots: packed leaves are
  // copied, the rest is shared. Allocates only if a store() or snapshot shares the buffer.
  // error InvalidArgument: a different Layout or other slots; or leaves with a different dtype,
  // shape or kind: names all. error FailedPrecondition: a borrow is open here or in `store`. error
  // ResourceExhausted: out of memory. O(bytes).
  absl::Status Assign(const ParamStore& store);

  // Returns store() and ends the pack. Every leaf stays a view of the buffer until it is written,
  // which copies that leaf. O(leaves). error FailedPrecondition: a borrow is open; the pack is
  // unchanged.
  absl::StatusOr<ParamStore> Unpack() &&;

 private:
  explicit Packed(std::shared_ptr<internal::PackState> state) : state_(std::move(state)) {}
  // Returns the bytes; terminates if the dtype is a different one or a borrow is open.
  absl::Span<const std::byte> CheckedBytes(DType wanted) const;

  // Shared only with an open borrow, so that moving this object does not disturb the borrow.
  std::shared_ptr<internal::PackState> state_;
};

// An open write to a pack. Closes when destroyed. Move-only: a moved-from borrow is closed, and
// only assignment, Close() and destruction may be used on it.
class MutablePack {
 public:
  MutablePack(MutablePack&&) noexcept = default;
  MutablePack& operator=(MutablePack&& other) noexcept {
    if (this == &other) return *this;
    Close();
    state_ = std::move(other.state_);
    before_ = std::move(other.before_);
    gaps_written_ = other.gaps_written_;
    return *this;
  }
  ~MutablePack() { Close(); }

  // Closes early; closing again does nothing. Clears the gaps if span() or bytes() was called:
  // O(gaps).
  void Close();

  const PackLayout& pack_layout() const;
  DType dtype() const { return pack_layout().dtype(); }

  // Returns all elements with the gaps. Valid until this borrow closes, which clears the gaps.
  // Terminates the program with a message if T is not the dtype's C++ type.
  template <typename T>
  absl::Span<T> span() {
    gaps_written_ = true;
    return CheckedSpan<T>();
  }
  // Returns the elements of one packed leaf. Like span(), but terminates also if no such place
  // exists.
  template <typename T>
  absl::Span<T> span(uint32_t place) {
    const size_t offset = pack_layout().CheckedOffset(place);
    return CheckedSpan<T>().subspan(offset / sizeof(T), pack_layout().bytes(place) / sizeof(T));
  }
  // Returns the bytes, whatever the dtype.
  absl::Span<std::byte> bytes();
  // Returns the bytes before an Overwrite; the same as bytes() if the buffer was not shared.
  absl::Span<const std::byte> before() const;
  // Undoes an Overwrite to which nothing was written yet, and closes the borrow.
  void Revert();

 private:
  friend class Packed;
  MutablePack(std::shared_ptr<internal::PackState> state, Buffer before)
      : state_(std::move(state)), before_(std::move(before)) {}

  template <typename T>
  absl::Span<T> CheckedSpan() {
    const absl::Span<std::byte> all = CheckedBytes(kDTypeOf<T>);
    return absl::MakeSpan(reinterpret_cast<T*>(all.data()), all.size() / sizeof(T));
  }
  absl::Span<std::byte> CheckedBytes(DType wanted);

  std::shared_ptr<internal::PackState> state_;  // null: closed
  Buffer before_;                               // set if an Overwrite got new memory
  bool gaps_written_ = false;
};

}  // namespace leafstore

#endif  // LEAFSTORE_PACK_PACK_H_
