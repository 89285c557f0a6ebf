// Packed: the tensors of one dtype of a group in one aligned buffer, so that a step of training is
// one loop instead of thousands, and so are an allreduce and a write to disk.
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
// What is packed. The group's tensors of that dtype, each at a multiple of 64 bytes
// (pack_layout.h). The gaps between them are zero: whatever was written there through the whole
// buffer is cleared when the borrow closes. All other leaves of the group (other dtypes, static
// leaves) ride along in rest(). store() has all of them, in the group's order.
//
// Sharing. A store() or Snapshot() is a value: no later write through the pack reaches it. The
// Packed alone may write its buffer, and the buffer's reference count says whether a value shares
// it: if one is alive the next write first copies the whole buffer (copy-on-write; an Overwrite copies
// nothing), else it is in place. So a view that is kept costs one copy of the buffer at the next write; one that was
// dropped costs nothing. The Packed holds no view of its own that could make the count lie: the one
// it caches is dropped before the count is asked.
//
// Borrows. One MutablePack at a time; until it closes store(), Snapshot(), Mutate(), Assign(),
// Unpack() and reading are error FailedPrecondition. The Packed may be moved meanwhile; after its
// destruction the borrow writes bytes that nobody will read. A borrow of rest() is one of its own,
// which the Packed must outlive, and for which the same calls fail.
//
// Generations. Closing a MutablePack, opening rest() for writing, and Assign give the pack a new
// generation(). The leaves of store() have generations of their own (equal ones mean equal bytes),
// made with the view: the same in every store() and in those of snapshots until the next write. A
// write that fails changes neither.
//
// Threads: const calls on one Packed are safe from many threads. A store() or Snapshot() may go to
// any thread and be read there while this pack is written.
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
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/core/buffer.h"
#include "leafstore/core/dtype.h"
#include "leafstore/pack/pack_layout.h"
#include "leafstore/store/param_store.h"

namespace leafstore {

class MutablePack;

namespace internal {

struct PackState;  // pack.cc

// The bytes of a PackState, for the templates below.
absl::StatusOr<absl::Span<const std::byte>> ReadPack(const PackState& state);
// Like ReadPack, but terminates where a borrow is open.
absl::Span<const std::byte> MustReadPack(const PackState& state);
absl::Span<std::byte> WritePack(PackState& state);
const PackLayout& PlanOf(const PackState& state);
// Terminates unless the pack's dtype is `wanted`.
void RequirePackType(const PackLayout& plan, DType wanted);
// Returns where a packed leaf begins in the buffer, and its bytes. Terminates where no such place
// exists.
struct ByteRange {
  size_t offset;
  size_t bytes;
};
ByteRange PackedRange(const PackLayout& plan, uint32_t place);

}  // namespace internal

class Packed {
 public:
  // Packs the tensors of `dtype`; there may be none. From an rvalue each tensor is dropped as soon
  // as it is copied, and the store is empty afterwards; a const store stays as it is. error
  // FailedPrecondition: a borrow of the store is open. error ResourceExhausted: no memory.
  // O(bytes).
  static absl::StatusOr<Packed> Create(ParamStore&& store, DType dtype);
  static absl::StatusOr<Packed> Create(const ParamStore& store, DType dtype);

  // Packs a store of the same Layout with the offsets of `like`: gradients beside parameters. It
  // must have a tensor of the same dtype and shape in every slot that is packed in `like`; what
  // else it has rides along. error InvalidArgument: another Layout; or leaves are missing or of
  // another dtype or shape: all are named. error FailedPrecondition, ResourceExhausted: as Create.
  // O(bytes).
  static absl::StatusOr<Packed> CreateLike(const Packed& like, const ParamStore& store);

  // The same offsets and leaves, all numbers zero: what an optimizer's moments begin as. Of rest()
  // the tensors are zero too; static leaves are those of `like`.
  // error FailedPrecondition: a borrow is open in `like`. error ResourceExhausted: no memory.
  // O(bytes).
  static absl::StatusOr<Packed> ZerosLike(const Packed& like);

  // What is moved from may only be destroyed or assigned to.
  Packed(Packed&&) noexcept = default;
  Packed& operator=(Packed&&) noexcept = default;

  // Which leaves are packed, and where. Valid while this pack is not moved from or destroyed.
  const PackLayout& plan() const& { return internal::PlanOf(*state_); }
  const PackLayout& plan() && = delete;  // would dangle
  DType dtype() const { return plan().dtype(); }
  // The group's Layout and slots: of the packed leaves and those that ride along.
  const Layout& layout() const { return plan().layout(); }
  const SlotSet& slots() const;
  // The leaves that are not packed, as a store on the group's Layout. Valid until this pack is
  // moved from, assigned to (Assign too) or destroyed.
  const ParamStore& rest() const&;
  const ParamStore& rest() && = delete;  // would dangle

  // When it was last written; see Generations above.
  uint64_t generation() const;

  // All numbers with the gaps of zeros, for reading: the buffer begins at a multiple of 64 bytes.
  // Valid until this pack is written or destroyed.
  // Terminates the program with a message, as misuse is a programming error: T is not the dtype's
  // C++ type; or a borrow is open (bytes() reports that as an error).
  template <typename T>
  absl::Span<const T> span() const& {
    internal::RequirePackType(plan(), kDTypeOf<T>);
    const absl::Span<const std::byte> all = internal::MustReadPack(*state_);
    return absl::MakeConstSpan(reinterpret_cast<const T*>(all.data()), all.size() / sizeof(T));
  }
  // The numbers of one packed leaf. Like span(), but terminates also where no such place exists.
  template <typename T>
  absl::Span<const T> span(uint32_t place) const& {
    internal::RequirePackType(plan(), kDTypeOf<T>);
    const absl::Span<const std::byte> all = internal::MustReadPack(*state_);
    const auto [offset, bytes] = internal::PackedRange(plan(), place);
    return absl::MakeConstSpan(reinterpret_cast<const T*>(all.data() + offset), bytes / sizeof(T));
  }
  // The bytes, whatever the dtype. error FailedPrecondition: a borrow is open.
  absl::StatusOr<absl::Span<const std::byte>> bytes() const& { return internal::ReadPack(*state_); }
  template <typename T>
  void span() && = delete;  // would dangle
  template <typename T>
  void span(uint32_t) && = delete;
  void bytes() && = delete;

  // The group as a store of its own: same Layout, same slots, packed leaves being views of the
  // buffer. O(leaves) after a write, O(1) again until the next.
  // error FailedPrecondition: a borrow is open. error ResourceExhausted: no memory.
  absl::StatusOr<ParamStore> store() const;

  // A pack of its own with the same numbers; neither sees what the other writes later. O(1).
  // error FailedPrecondition: a borrow is open.
  absl::StatusOr<Packed> Snapshot() const;

  // Opens the buffer for writing. O(1), or O(bytes) where a value shares it.
  // error FailedPrecondition: a borrow is open. error ResourceExhausted: no memory.
  absl::StatusOr<MutablePack> Mutate() &;
  // Opens the buffer to be written in full, as the step of an optimizer does: what it held is in
  // MutablePack::before(), and where a value shares it the new bytes go into memory of their own, of
  // which what is not written is undefined. So nothing is copied. Gaps are zero. O(gaps). Errors as
  // Mutate's.
  absl::StatusOr<MutablePack> Overwrite() &;
  // Opens the tensors that ride along. error FailedPrecondition: a borrow is open.
  absl::StatusOr<MutableLeaves> MutateRest() &;

  // Takes new values for all leaves from a store of the same Layout and slots: packed ones are
  // copied, the rest shared. Bytes are allocated only where a value shares the buffer.
  // error InvalidArgument: another Layout or other slots; or leaves of another dtype, shape or
  // kind: all are named. error FailedPrecondition: a borrow is open here or in `store`. error
  // ResourceExhausted: no memory. O(bytes).
  absl::Status Assign(const ParamStore& store);

  // Gives the group back: store(), without the pack. Every leaf stays a view of the one buffer
  // until it is written, which copies it out. O(leaves). error FailedPrecondition: a borrow is
  // open; the pack is as before.
  absl::StatusOr<ParamStore> Unpack() &&;

 private:
  explicit Packed(std::shared_ptr<internal::PackState> state) : state_(std::move(state)) {}

  // Shared with an open borrow alone, so that moving this object does not disturb it.
  std::shared_ptr<internal::PackState> state_;
};

// The open write to a pack. Closes when destroyed. Move-only: one that was moved from is closed,
// and only assignment, Close() and destruction may be used on it.
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

  // Closes early; closing again does nothing. Clears the gaps if the whole buffer was asked for:
  // O(gaps).
  void Close();

  const PackLayout& plan() const { return internal::PlanOf(*state_); }
  DType dtype() const { return plan().dtype(); }

  // All numbers with the gaps, until this borrow closes; what is written into gaps is cleared then.
  // Terminates the program with a message where T is not the dtype's C++ type.
  template <typename T>
  absl::Span<T> span() {
    internal::RequirePackType(plan(), kDTypeOf<T>);
    const absl::Span<std::byte> all = bytes();
    return absl::MakeSpan(reinterpret_cast<T*>(all.data()), all.size() / sizeof(T));
  }
  // The numbers of one packed leaf. Like span(), but terminates also where no such place exists.
  template <typename T>
  absl::Span<T> span(uint32_t place) {
    internal::RequirePackType(plan(), kDTypeOf<T>);
    const auto [offset, bytes] = internal::PackedRange(plan(), place);
    std::byte* const begin = internal::WritePack(*state_).data() + offset;
    return absl::MakeSpan(reinterpret_cast<T*>(begin), bytes / sizeof(T));
  }
  // The bytes, whatever the dtype.
  absl::Span<std::byte> bytes() {
    gaps_written_ = true;
    return internal::WritePack(*state_);
  }
  // Of Packed::Overwrite: the bytes as they were; those of bytes() where nothing had to be separated.
  absl::Span<const std::byte> before() const {
    return before_.null() ? internal::WritePack(*state_) : before_.bytes();
  }
  // Takes an Overwrite back, before anything was written, and closes.
  void Revert();

 private:
  friend class Packed;
  MutablePack(std::shared_ptr<internal::PackState> state, Buffer before)
      : state_(std::move(state)), before_(std::move(before)) {}

  std::shared_ptr<internal::PackState> state_;  // null: closed
  Buffer before_;                               // where an Overwrite had to separate
  bool gaps_written_ = false;
};

}  // namespace leafstore

#endif  // LEAFSTORE_PACK_PACK_H_
