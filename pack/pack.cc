#include "leafstore/pack/pack.h"

#include <atomic>
#include <cstring>
#include <mutex>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/fatal.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/store/internal/fit_reporter.h"
#include "leafstore/store/internal/param_store_access.h"

namespace leafstore {
namespace internal {

// The view of a pack as a store, made on first use. A pack and its snapshots share one view, so
// that their leaves have the same generations, until one of them is written and releases it.
struct PackView {
  std::mutex mutex;
  std::optional<ParamStore> store;
};

struct PackState {
  PackLayout pack_layout;
  SlotSet slots;  // of the group
  ParamStore rest;
  Buffer buffer;
  uint64_t generation = NextGeneration();
  std::atomic<bool> borrowed{false};
  std::shared_ptr<PackView> view = std::make_shared<PackView>();

  PackState(PackLayout p, SlotSet s, ParamStore r, Buffer b)
      : pack_layout(std::move(p)), slots(std::move(s)), rest(std::move(r)), buffer(std::move(b)) {}

  absl::Status CheckNoBorrow(absl::string_view what) const {
    if (!borrowed.load(std::memory_order_acquire)) return rest.CheckNoBorrow(what);
    return absl::FailedPreconditionError(absl::StrCat(
        "cannot ", what, " while a mutable borrow of this pack is open: close it first"));
  }

  // Returns whether only this pack and its view hold the buffer. O(1), or O(leaves) with a view.
  bool WritableWithoutView() const {
    if (view.use_count() > 1) return buffer.IsWritable();
    // A snapshot that shared the view and has since been destroyed may have made it in another
    // thread.
    const std::lock_guard<std::mutex> lock(view->mutex);
    if (!view->store) return buffer.IsWritable();
    return !ParamStoreAccess::SharesLeaves(*view->store) &&
           TensorAccess::IsWritableWithout(buffer, view->store->leaves());
  }

  void DropView() {
    if (view.use_count() > 1) {
      view = std::make_shared<PackView>();
      return;
    }
    const std::lock_guard<std::mutex> lock(view->mutex);
    view->store.reset();
  }

  absl::Span<std::byte> bytes() {
    return absl::MakeSpan(buffer.mutable_data(), static_cast<size_t>(buffer.size()));
  }
};

}  // namespace internal

using internal::PackState;

namespace {

// Terminates unless the pack's dtype is `wanted`.
void RequireType(const PackLayout& packing, DType wanted) {
  if (packing.dtype() == wanted) return;
  internal::Fatal(absl::StrCat("expected a pack of ", DTypeName(wanted), ", found one of ",
                               DTypeName(packing.dtype())));
}

void ClearGaps(const PackLayout& packing, std::byte* bytes) {
  for (const PackLayout::Gap& gap : packing.gaps()) {
    std::memset(bytes + gap.offset, 0, static_cast<size_t>(gap.bytes));
  }
}

void CopyBytes(const Tensor& from, std::byte* to) {
  const auto bytes = static_cast<size_t>(from.byte_size());
  if (bytes != 0) std::memcpy(to, from.raw_data(), bytes);
}

// Copies the packed leaves of a group into a new buffer, and releases each.
std::shared_ptr<PackState> FillState(const PackLayout& packing, const SlotSet& group, Buffer buffer,
                                     std::vector<Leaf> leaves) {
  std::vector<Slot> rest_slots;
  std::vector<Leaf> rest;
  for (uint32_t place = 0; place < group.size(); ++place) {
    Leaf leaf = std::move(leaves[place]);
    const uint32_t packed = packing.PlaceOf(group.SlotAt(place));
    if (packed == kNoPlace) {
      rest_slots.push_back(group.SlotAt(place));
      rest.push_back(std::move(leaf));
    } else {
      CopyBytes(leaf.tensor(), buffer.mutable_data() + packing.offset(packed));
    }
  }
  ClearGaps(packing, buffer.mutable_data());
  ParamStore rest_store = ParamStore::FromParts(
      packing.layout(), SlotSet::FromSorted(group.universe(), std::move(rest_slots)),
      std::move(rest));
  return std::make_shared<PackState>(packing, group, std::move(rest_store), std::move(buffer));
}

absl::Status OtherLayout(absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat(what, ": expected a store on the pack's Layout, found a different one"));
}

// Checks that the store has the leaves of a pack and, unless null, of its rest.
absl::Status CheckSpecs(const PackLayout& packing, const ParamStore* rest,
                        const ParamStore& store) {
  internal::FitReporter reporter;
  const auto check = [&](Slot slot, const LeafSpec& expected) {
    reporter.CheckLeaf(store.layout(), slot, expected, store.FindSlot(slot));
  };
  for (uint32_t place = 0; place < packing.size(); ++place) {
    check(packing.slot(place), packing.spec(place));
  }
  for (uint32_t place = 0; rest != nullptr && place < rest->size(); ++place) {
    check(rest->slot(place), rest->leaf(place).spec());
  }
  return reporter.report().ToStatus("the store does not fit the pack");
}

// Checks the store that Assign reads, before anything is written.
absl::Status CheckAssign(const PackState& state, const ParamStore& store) {
  LEAFSTORE_RETURN_IF_ERROR(state.CheckNoBorrow("assign to the pack"));
  LEAFSTORE_RETURN_IF_ERROR(store.CheckNoBorrow("assign a store to a pack"));
  if (!(store.layout() == state.pack_layout.layout())) return OtherLayout("assign to a pack");
  if (!(store.slots() == state.slots)) {
    return absl::InvalidArgumentError(
        absl::StrCat("assign to a pack: expected the slots of the pack's ", state.slots.size(),
                     " leaves, found a store with other slots, of ", store.size(), " leaves"));
  }
  return CheckSpecs(state.pack_layout, &state.rest, store);
}

// Makes the state the sole holder of bytes that will be overwritten, except for the gaps. Returns
// the previous bytes if they are shared. The view is released last, when nothing can fail any more,
// because a new view changes the generations of its leaves.
absl::StatusOr<Buffer> PrepareOverwrite(PackState& state) {
  if (state.WritableWithoutView()) {
    state.DropView();
    return Buffer();
  }
  LEAFSTORE_ASSIGN_OR_RETURN(Buffer own, Buffer::AllocateUninitialized(state.buffer.size()));
  ClearGaps(state.pack_layout, own.mutable_data());
  state.DropView();
  return std::exchange(state.buffer, std::move(own));
}

absl::StatusOr<ParamStore> MakeView(const PackState& state) {
  LEAFSTORE_RETURN_IF_ERROR(state.rest.CheckNoBorrow("view the pack as a store"));
  const PackLayout& packing = state.pack_layout;
  std::vector<Leaf> leaves;
  leaves.reserve(state.slots.size());
  uint32_t rest_place = 0;
  for (uint32_t place = 0; place < state.slots.size(); ++place) {
    const uint32_t packed = packing.PlaceOf(state.slots.SlotAt(place));
    if (packed == kNoPlace) {
      leaves.push_back(state.rest.leaf(rest_place++));
      continue;
    }
    LEAFSTORE_ASSIGN_OR_RETURN(
        Tensor tensor, Tensor::FromBuffer(packing.dtype(), packing.shape(packed), state.buffer,
                                          packing.offset(packed)));
    leaves.emplace_back(std::move(tensor));
  }
  return ParamStore::FromParts(packing.layout(), state.slots, std::move(leaves));
}

}  // namespace

absl::StatusOr<Packed> Packed::Create(ParamStore&& store, DType dtype) {
  LEAFSTORE_RETURN_IF_ERROR(store.CheckNoBorrow("pack a store"));
  LEAFSTORE_ASSIGN_OR_RETURN(const PackLayout packing, PackLayout::Create(store, dtype));
  LEAFSTORE_ASSIGN_OR_RETURN(Buffer buffer, Buffer::AllocateUninitialized(packing.byte_size()));
  const SlotSet slots = store.slots();
  return Packed(FillState(packing, slots, std::move(buffer), std::move(store).TakeLeaves()));
}

absl::StatusOr<Packed> Packed::Create(const ParamStore& store, DType dtype) {
  LEAFSTORE_RETURN_IF_ERROR(store.CheckNoBorrow("pack a store"));
  LEAFSTORE_ASSIGN_OR_RETURN(ParamStore copy, store.Snapshot());
  return Create(std::move(copy), dtype);
}

absl::StatusOr<Packed> Packed::CreateLike(const Packed& like, const ParamStore& store) {
  LEAFSTORE_RETURN_IF_ERROR(store.CheckNoBorrow("pack a store"));
  const PackLayout& packing = like.pack_layout();
  if (!(store.layout() == packing.layout())) return OtherLayout("pack like another");
  LEAFSTORE_RETURN_IF_ERROR(CheckSpecs(packing, nullptr, store));
  LEAFSTORE_ASSIGN_OR_RETURN(Buffer buffer, Buffer::AllocateUninitialized(packing.byte_size()));
  // Shares the object if they are equal, so that comparing the slots of the two packs stays O(1).
  const SlotSet& slots = store.slots() == like.slots() ? like.slots() : store.slots();
  return Packed(
      FillState(packing, slots, std::move(buffer), {store.leaves().begin(), store.leaves().end()}));
}

absl::StatusOr<Packed> Packed::ZerosLike(const Packed& like) {
  LEAFSTORE_RETURN_IF_ERROR(like.state_->CheckNoBorrow("make zeros like a pack"));
  std::vector<Leaf> leaves(like.rest().leaves().begin(), like.rest().leaves().end());
  for (Leaf& leaf : leaves) {
    if (!leaf.is_tensor()) continue;
    LEAFSTORE_ASSIGN_OR_RETURN(leaf, Tensor::Zeros(leaf.tensor().dtype(), leaf.tensor().shape()));
  }
  ParamStore rest = ParamStore::FromParts(like.layout(), like.rest().slots(), std::move(leaves));
  LEAFSTORE_ASSIGN_OR_RETURN(Buffer buffer, Buffer::Allocate(like.pack_layout().byte_size()));
  return Packed(std::make_shared<PackState>(like.pack_layout(), like.slots(), std::move(rest),
                                            std::move(buffer)));
}

const PackLayout& Packed::pack_layout() const& { return state_->pack_layout; }
const SlotSet& Packed::slots() const { return state_->slots; }
const ParamStore& Packed::rest() const& { return state_->rest; }
uint64_t Packed::generation() const { return state_->generation; }

absl::StatusOr<absl::Span<const std::byte>> Packed::bytes() const& {
  // A borrow of rest() does not matter here.
  if (state_->borrowed.load(std::memory_order_acquire))
    return state_->CheckNoBorrow("read the pack");
  return state_->buffer.bytes();
}

absl::Span<const std::byte> Packed::CheckedBytes(DType wanted) const {
  RequireType(pack_layout(), wanted);
  if (state_->borrowed.load(std::memory_order_acquire)) {
    internal::Fatal(state_->CheckNoBorrow("read the pack").message());
  }
  return state_->buffer.bytes();
}

absl::StatusOr<ParamStore> Packed::store() const {
  LEAFSTORE_RETURN_IF_ERROR(state_->CheckNoBorrow("view the pack as a store"));
  internal::PackView& view = *state_->view;
  const std::lock_guard<std::mutex> lock(view.mutex);
  if (!view.store) {
    LEAFSTORE_ASSIGN_OR_RETURN(view.store, MakeView(*state_));
  }
  return view.store->Snapshot();
}

absl::StatusOr<Packed> Packed::Snapshot() const {
  LEAFSTORE_RETURN_IF_ERROR(state_->CheckNoBorrow("take a snapshot of the pack"));
  LEAFSTORE_ASSIGN_OR_RETURN(ParamStore rest, state_->rest.Snapshot());
  auto copy = std::make_shared<PackState>(state_->pack_layout, state_->slots, std::move(rest),
                                          state_->buffer);
  copy->generation = state_->generation;
  copy->view = state_->view;
  return Packed(std::move(copy));
}

absl::StatusOr<MutablePack> Packed::Mutate() & {
  LEAFSTORE_ASSIGN_OR_RETURN(MutablePack open, Overwrite());
  if (const Buffer before = std::exchange(open.before_, Buffer()); before.size() > 0) {
    std::memcpy(state_->buffer.mutable_data(), before.data(), static_cast<size_t>(before.size()));
  }
  return open;
}

absl::StatusOr<MutablePack> Packed::Overwrite() & {
  LEAFSTORE_RETURN_IF_ERROR(state_->CheckNoBorrow("open the pack for writing"));
  LEAFSTORE_ASSIGN_OR_RETURN(Buffer before, PrepareOverwrite(*state_));
  state_->borrowed.store(true, std::memory_order_relaxed);
  return MutablePack(state_, std::move(before));
}

absl::StatusOr<MutableLeaves> Packed::MutateRest() & {
  LEAFSTORE_RETURN_IF_ERROR(state_->CheckNoBorrow("open the rest of the pack for writing"));
  LEAFSTORE_ASSIGN_OR_RETURN(MutableLeaves open, state_->rest.MutateAll());
  state_->DropView();
  state_->generation = NextGeneration();
  return open;
}

absl::Status Packed::Assign(const ParamStore& store) {
  LEAFSTORE_RETURN_IF_ERROR(CheckAssign(*state_, store));
  std::optional<ParamStore> rest;
  if (!state_->rest.empty()) {
    LEAFSTORE_ASSIGN_OR_RETURN(rest, store.Select(state_->rest.slots()));
  }
  LEAFSTORE_RETURN_IF_ERROR(PrepareOverwrite(*state_).status());
  for (uint32_t place = 0; place < pack_layout().size(); ++place) {
    CopyBytes(store.FindSlot(pack_layout().slot(place))->tensor(),
              state_->bytes().data() + pack_layout().offset(place));
  }
  if (rest) state_->rest = *std::move(rest);
  state_->generation = NextGeneration();
  return absl::OkStatus();
}

absl::StatusOr<ParamStore> Packed::Unpack() && {
  absl::StatusOr<ParamStore> group = store();
  if (group.ok()) state_.reset();
  return group;
}

const PackLayout& MutablePack::pack_layout() const { return state_->pack_layout; }

absl::Span<std::byte> MutablePack::CheckedBytes(DType wanted) {
  RequireType(pack_layout(), wanted);
  return state_->bytes();
}

absl::Span<std::byte> MutablePack::bytes() {
  gaps_written_ = true;
  return state_->bytes();
}

absl::Span<const std::byte> MutablePack::before() const {
  return before_.null() ? state_->bytes() : before_.bytes();
}

void MutablePack::Revert() {
  if (state_ != nullptr && !before_.null()) {
    state_->buffer = std::move(before_);
    gaps_written_ = false;  // the gaps of the shared buffer were not written
  }
  Close();
}

void MutablePack::Close() {
  before_ = Buffer();
  if (state_ == nullptr) return;
  if (gaps_written_) ClearGaps(state_->pack_layout, state_->buffer.mutable_data());
  state_->generation = NextGeneration();
  state_->borrowed.store(false, std::memory_order_release);
  state_.reset();
}

}  // namespace leafstore
