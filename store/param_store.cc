#include "leafstore/store/param_store.h"

#include <algorithm>
#include <cassert>

#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/quoted_path.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/store/internal/param_store_access.h"
#include "leafstore/store/internal/spec_hash.h"
#include "leafstore/treedef/internal/path_table.h"

namespace leafstore {
using internal::LeafArray;
using internal::LeafArrayPtr;

namespace {

bool IsBeingWritten(const Leaf& leaf) {
  return leaf.is_tensor() && TensorAccess::IsBorrowed(leaf.tensor());
}

[[maybe_unused]] bool IsNullOrBeingWritten(const Leaf& leaf) {
  return leaf.null() || IsBeingWritten(leaf);
}

absl::Status NullLeaf(absl::string_view path) {
  return absl::InvalidArgumentError(absl::StrCat("at ", path, ": expected a leaf, found null"));
}

absl::Status BeingWritten(absl::string_view path) {
  return absl::FailedPreconditionError(
      absl::StrCat("at '", path, "': the tensor is being written: a borrow of it is open"));
}

}  // namespace

ParamStore::ParamStore() : array_(std::vector<Leaf>()) {}

absl::StatusOr<ParamStore> ParamStore::Create(const TreeDef& def, std::vector<Leaf> leaves) {
  return Create(Layout(def), SlotSet::All(def.leaf_count()), std::move(leaves));
}

absl::StatusOr<ParamStore> ParamStore::Create(Layout layout, SlotSet slots,
                                              std::vector<Leaf> leaves) {
  if (slots.universe() != layout.size()) {
    return absl::InvalidArgumentError(absl::StrCat("slots: expected those of a layout of ",
                                                   layout.size(), " paths, found ",
                                                   slots.universe()));
  }
  if (leaves.size() != slots.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("leaves: expected ", slots.size(), ", found ", leaves.size()));
  }
  for (uint32_t place = 0; place < leaves.size(); ++place) {
    if (leaves[place].null()) return NullLeaf(layout.PathForMessage(slots.SlotAt(place)));
  }
  return FromParts(std::move(layout), std::move(slots), std::move(leaves));
}

ParamStore ParamStore::FromParts(Layout layout, SlotSet slots, std::vector<Leaf> leaves) {
  assert(slots.universe() == layout.size() && leaves.size() == slots.size());
  assert(std::none_of(leaves.begin(), leaves.end(), IsNullOrBeingWritten));
  return ParamStore(std::move(layout), std::move(slots), LeafArrayPtr(std::move(leaves)));
}

absl::StatusOr<ParamStore> ParamStore::FromEntries(std::vector<std::pair<Path, Leaf>> entries) {
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Path> paths;
  std::vector<Leaf> leaves;
  for (auto& [path, leaf] : entries) {
    if (IsBeingWritten(leaf)) return BeingWritten(path.ToString());
    paths.push_back(std::move(path));
    leaves.push_back(std::move(leaf));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(Layout layout, Layout::Create(std::move(paths)));
  const SlotSet all = SlotSet::All(layout.size());
  return Create(std::move(layout), all, std::move(leaves));
}

const Leaf* ParamStore::Find(absl::string_view path_text) const& {
  return FindSlot(layout_.SlotOf(path_text));
}

absl::StatusOr<const Leaf*> ParamStore::Get(absl::string_view path_text) const& {
  LEAFSTORE_ASSIGN_OR_RETURN(const uint32_t place, GetPlace(path_text));
  return &leaf(place);
}

namespace {

absl::Status AtPath(absl::string_view path, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat("at ", path, ": ", status.message()));
}

absl::Status NotInGroup(absl::string_view path) {
  return absl::NotFoundError(
      absl::StrCat("no leaf at ", internal::QuotedPath(path),
                   " in this store: its layout has the path, but the leaf was split off into "
                   "another group, or erased"));
}

}  // namespace

absl::StatusOr<const Leaf*> ParamStore::GetDotted(absl::string_view dotted) const& {
  LEAFSTORE_ASSIGN_OR_RETURN(const Slot slot, layout_.GetDotted(dotted));
  if (const Leaf* leaf = FindSlot(slot)) return leaf;
  return NotInGroup(dotted);
}

absl::StatusOr<uint32_t> ParamStore::GetPlace(absl::string_view path_text) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const Slot slot, layout_.Get(path_text));
  const uint32_t place = slots_.PlaceOf(slot);
  if (place == kNoPlace) return NotInGroup(path_text);
  return place;
}

LeafArray* ParamStore::OwnArray() {
  if (!array_.IsUnique()) {
    LeafArrayPtr own(array_.get()->leaves);
    own.get()->spec_fingerprint.store(array_.get()->spec_fingerprint);
    array_ = std::move(own);
  }
  return array_.get();
}

absl::Status ParamStore::CheckNoBorrow(absl::string_view what) const {
  if (!borrowed()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "cannot ", what, " while a mutable borrow of this store is open: close it first"));
}

// The fingerprint is a sum over the leaves, so that it can be updated for one leaf.
void ParamStore::ReplaceLeaf(uint32_t place, Leaf leaf, bool same_spec) {
  LeafArray* array = OwnArray();
  Leaf& old = array->leaves[place];
  if (const uint64_t sum = array->spec_fingerprint.load(); sum != 0 && !same_spec) {
    array->spec_fingerprint.store(sum - internal::SpecHash(slot(place), old.spec()) +
                                  internal::SpecHash(slot(place), leaf.spec()));
  }
  old = std::move(leaf);
}

absl::Status ParamStore::Set(absl::string_view path_text, Leaf leaf) {
  LEAFSTORE_ASSIGN_OR_RETURN(const uint32_t place, GetPlace(path_text));
  return SetAt(place, std::move(leaf));
}

absl::Status ParamStore::SetAt(uint32_t place, Leaf leaf) {
  return SetLeaf(place, std::move(leaf), /*same_spec=*/true);
}

absl::Status ParamStore::SetLeaf(uint32_t place, Leaf leaf, bool same_spec) {
  if (leaf.null()) return NullLeaf(layout_.PathForMessage(slot(place)));
  LEAFSTORE_RETURN_IF_ERROR(CheckNoBorrow("set a leaf"));
  if (same_spec && !this->leaf(place).HasSameSpec(leaf)) {
    return absl::InvalidArgumentError(
        absl::StrCat("at ", layout_.PathForMessage(slot(place)), ": expected ",
                     this->leaf(place).spec().ToString(), ", found ", leaf.spec().ToString()));
  }
  // The new leaf may also be held elsewhere, under an older generation.
  if (leaf.is_tensor()) {
    LEAFSTORE_RETURN_IF_ERROR(
        AtPath(layout_.PathForMessage(slot(place)), TensorAccess::Restamp(&leaf.mutable_tensor())));
  } else {
    leaf = Leaf(leaf.value());
  }
  ReplaceLeaf(place, std::move(leaf), same_spec);
  return absl::OkStatus();
}

absl::Status ParamStore::Insert(const Path& path, Leaf leaf) {
  const std::string text = path.ToString();
  if (leaf.null()) return NullLeaf(absl::StrCat("'", text, "'"));
  LEAFSTORE_RETURN_IF_ERROR(CheckNoBorrow("insert a leaf"));
  if (IsBeingWritten(leaf)) return BeingWritten(text);
  if (Find(text) != nullptr) {
    return absl::AlreadyExistsError(absl::StrCat("at '", text, "': a leaf exists already"));
  }
  if (const std::optional<Slot> slot = layout_.Find(text)) {
    std::vector<Slot> slots;
    for (uint32_t i = 0; i < size(); ++i) slots.push_back(this->slot(i));
    const auto at = std::lower_bound(slots.begin(), slots.end(), *slot);
    std::vector<Leaf> leaves = array_.get()->leaves;
    leaves.insert(leaves.begin() + (at - slots.begin()), std::move(leaf));
    slots.insert(at, *slot);
    *this = ParamStore(layout_, SlotSet::FromSorted(layout_.size(), std::move(slots)),
                       LeafArrayPtr(std::move(leaves)));
    return absl::OkStatus();
  }
  // A very deep tree has more text than a Layout of paths may have.
  if (layout_.has_def()) LEAFSTORE_RETURN_IF_ERROR(internal::PathsOf(*layout_.def()).status());
  std::vector<std::pair<Path, Leaf>> entries;
  for (uint32_t i = 0; i < size(); ++i) {
    entries.emplace_back(layout_.PathOf(this->slot(i)), this->leaf(i));
  }
  entries.emplace_back(path, std::move(leaf));
  LEAFSTORE_ASSIGN_OR_RETURN(*this, FromEntries(std::move(entries)));
  return absl::OkStatus();
}

absl::Status ParamStore::Upsert(const Path& path, Leaf leaf) {
  const std::string text = path.ToString();
  const uint32_t place = slots_.PlaceOf(layout_.SlotOf(text));
  if (place == kNoPlace) return Insert(path, std::move(leaf));
  return SetLeaf(place, std::move(leaf), /*same_spec=*/false);
}

absl::Status ParamStore::Erase(absl::string_view path_text) {
  LEAFSTORE_ASSIGN_OR_RETURN(const uint32_t place, GetPlace(path_text));
  LEAFSTORE_RETURN_IF_ERROR(CheckNoBorrow("erase a leaf"));
  std::vector<Slot> others;
  for (uint32_t i = 0; i < size(); ++i) {
    if (i != place) others.push_back(slot(i));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(
      *this, std::move(*this).Select(SlotSet::FromSorted(layout_.size(), std::move(others))));
  return absl::OkStatus();
}

absl::StatusOr<MutableTensor> ParamStore::Mutate(absl::string_view path_text) & {
  LEAFSTORE_ASSIGN_OR_RETURN(const uint32_t place, GetPlace(path_text));
  return MutateAt(place);
}

absl::StatusOr<MutableTensor> ParamStore::MutateAt(uint32_t place) & {
  if (!leaf(place).is_tensor()) {
    return absl::InvalidArgumentError(absl::StrCat("at ", layout_.PathForMessage(slot(place)),
                                                   ": expected a tensor, found ",
                                                   leaf(place).spec().ToString()));
  }
  // Borrows point into the vector, so it may be unshared only before the first borrow.
  LeafArray* array = borrowed() ? array_.get() : OwnArray();
  if (array->open_borrows.load() == LeafArray::kAllBorrowed) {
    return CheckNoBorrow("open a leaf for writing");
  }
  absl::StatusOr<MutableTensor> borrow =
      TensorAccess::Mutate(&array->leaves[place].mutable_tensor(), &array->open_borrows);
  if (borrow.ok()) return borrow;
  return AtPath(layout_.PathForMessage(slot(place)), borrow.status());
}

absl::StatusOr<MutableLeaves> ParamStore::MutateAll() & {
  LEAFSTORE_RETURN_IF_ERROR(CheckNoBorrow("open all leaves for writing"));
  return MutableLeaves(OwnArray());
}

absl::StatusOr<ParamStore> ParamStore::Snapshot() const {
  LEAFSTORE_RETURN_IF_ERROR(CheckNoBorrow("take a snapshot"));
  return ParamStore(layout_, slots_, array_);
}

absl::Status ParamStore::CheckSelect(const SlotSet& slots) const {
  LEAFSTORE_RETURN_IF_ERROR(CheckNoBorrow("select leaves"));
  if (slots.universe() != layout_.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("select: expected slots of the store's layout of ", layout_.size(),
                     " paths, found slots of a layout of ", slots.universe()));
  }
  for (uint32_t i = 0; i < slots.size(); ++i) {
    if (!slots_.Contains(slots.SlotAt(i))) return NotInGroup(layout_.PathText(slots.SlotAt(i)));
  }
  return absl::OkStatus();
}

absl::StatusOr<ParamStore> ParamStore::Select(const SlotSet& slots) const& {
  LEAFSTORE_RETURN_IF_ERROR(CheckSelect(slots));
  return std::move(internal::SplitLeaves(*this, {slots})[0]);
}

absl::StatusOr<ParamStore> ParamStore::Select(const SlotSet& slots) && {
  LEAFSTORE_RETURN_IF_ERROR(CheckSelect(slots));
  return std::move(internal::SplitLeaves(std::move(*this), {slots})[0]);
}

uint64_t ParamStore::spec_fingerprint() const {
  const LeafArray& array = *array_.get();
  uint64_t sum = array.spec_fingerprint.load(std::memory_order_relaxed);
  if (sum != 0) return sum;
  for (uint32_t place = 0; place < size(); ++place) {
    sum += internal::SpecHash(slot(place), array.leaves[place].spec());
  }
  array.spec_fingerprint.store(sum, std::memory_order_relaxed);
  return sum;
}

std::vector<Leaf> ParamStore::TakeLeaves() && {
  std::vector<Leaf> leaves = std::move(OwnArray()->leaves);
  *this = ParamStore();
  return leaves;
}

absl::Status MutableLeaves::CheckTensor(uint32_t place) const {
  if (leaf(place).is_tensor()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("leaf ", place, ": expected a tensor, found ", leaf(place).spec().ToString()));
}

absl::StatusOr<MutableLeaves::Overwrite> MutableLeaves::overwrite(uint32_t place) {
  LEAFSTORE_RETURN_IF_ERROR(CheckTensor(place));
  Tensor& tensor = array_->leaves[place].mutable_tensor();
  // Makes room for the old tensor before it is replaced.
  Tensor& old = overwritten_.emplace_back(place, Tensor()).second;
  const absl::Status made = TensorAccess::MakeOverwritable(&tensor, NextGeneration(), &old);
  const std::byte* const from = old.null() ? nullptr : old.raw_data();
  if (from == nullptr) overwritten_.pop_back();
  if (!made.ok()) return made;
  std::byte* const to = TensorAccess::data(&tensor);
  return Overwrite{from != nullptr ? from : to, to};
}

void MutableLeaves::RevertOverwrites() {
  for (auto& [place, old] : overwritten_) {
    // Without memory, the last one may have room for an old tensor, and no tensor in it.
    if (!old.null()) array_->leaves[place] = Leaf(std::move(old));
  }
  overwritten_.clear();
}

absl::StatusOr<std::byte*> MutableLeaves::raw_data(uint32_t place) {
  LEAFSTORE_RETURN_IF_ERROR(CheckTensor(place));
  Leaf& leaf = array_->leaves[place];
  LEAFSTORE_RETURN_IF_ERROR(TensorAccess::MakeWritable(&leaf.mutable_tensor(), NextGeneration()));
  return TensorAccess::data(&leaf.mutable_tensor());
}

}  // namespace leafstore
