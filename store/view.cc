#include "leafstore/store/view.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/store/align.h"
#include "leafstore/store/internal/fit_reporter.h"
#include "leafstore/treedef/internal/path_cursor.h"

namespace leafstore {

View::View(TreeDef def, const ParamStore& store)
    : def_(std::move(def)), store_(&store), by_slot_(store.layout() == Layout(def_)) {}

View::View(const ParamStore& store) : store_(&store) {
  absl::StatusOr<TreeDef> def = store.layout().def();
  if (def.ok()) {
    def_ = *std::move(def);  // its leaves are in the order of the slots
  } else {
    status_ = def.status();
  }
}

View View::operator[](absl::string_view key) const {
  return Child(def_.kind(node_) == NodeKind::kStruct ? KeyRef::Attribute(key) : KeyRef::Item(key));
}

View View::Child(const KeyRef& key) const {
  View view = *this;
  if (!ok()) return view;
  const absl::StatusOr<NodeId> child = def_.GetChild(node_, key);
  if (child.ok()) {
    view.node_ = def_.Resolve(*child);
  } else {
    view.status_ = child.status();
  }
  return view;
}

std::vector<const Leaf*> View::FindLeaves(absl::Span<const uint32_t> leaves) const {
  std::vector<Slot> wanted(leaves.begin(), leaves.end());
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  const SlotSet set = SlotSet::FromSorted(def_.leaf_count(), std::move(wanted));
  const Alignment where = Align({Layout(def_), set}, *store_);
  std::vector<const Leaf*> found;
  found.reserve(leaves.size());
  for (const uint32_t leaf : leaves) {
    const uint32_t place = where[set.PlaceOf(leaf)];
    found.push_back(place == kNoPlace ? nullptr : &store_->leaf(place));
  }
  return found;
}

absl::StatusOr<const Leaf*> View::leaf() const {
  if (!status_.ok()) return status_;
  if (def_.kind(node_) != NodeKind::kLeaf) {
    return absl::InvalidArgumentError(absl::StrCat("at ", def_.PathForMessage(node_),
                                                   ": expected a leaf, found ",
                                                   internal::NodeForMessage(def_, node_)));
  }
  const Leaf* leaf = nullptr;
  if (by_slot_) {
    leaf = store_->FindSlot(def_.leaf_begin(node_));
  } else {
    LEAFSTORE_ASSIGN_OR_RETURN(const std::string path, def_.PathText(node_));
    leaf = store_->Find(path);
  }
  if (leaf != nullptr) return leaf;
  return absl::NotFoundError(
      absl::StrCat("at ", def_.PathForMessage(node_), ": the leaf is not in this store"));
}

absl::Status View::WrongKind(absl::string_view expected_and_found, const Leaf& leaf) const {
  return absl::InvalidArgumentError(
      absl::StrCat("at ", def_.PathForMessage(node_), ": ", expected_and_found, leaf.ToString()));
}

absl::StatusOr<const Tensor*> View::tensor() const {
  LEAFSTORE_ASSIGN_OR_RETURN(const Leaf* leaf, this->leaf());
  if (!leaf->is_tensor()) return WrongKind("expected a tensor, found the static leaf ", *leaf);
  return &leaf->tensor();
}

absl::StatusOr<const Value*> View::value() const {
  LEAFSTORE_ASSIGN_OR_RETURN(const Leaf* leaf, this->leaf());
  if (!leaf->is_value()) return WrongKind("expected a static leaf, found the tensor ", *leaf);
  return &leaf->value();
}

absl::StatusOr<internal::FlatTree> View::Subtree() const {
  if (!status_.ok()) return status_;
  LEAFSTORE_RETURN_IF_ERROR(store_->CheckNoBorrow("build a part of a model"));
  TreeDef::Cut cut = def_.Subtree(node_);
  internal::FlatTree part = {std::move(cut.def), {}};
  part.leaves.reserve(cut.leaves.size());
  internal::FitReporter reporter;
  const std::vector<const Leaf*> leaves = FindLeaves(cut.leaves);
  for (size_t i = 0; i < leaves.size(); ++i) {
    if (leaves[i] != nullptr) {
      part.leaves.push_back(*leaves[i]);
    } else {
      reporter.AddMissing(Layout(def_), cut.leaves[i]);
    }
  }
  if (reporter.ok()) return part;
  return absl::NotFoundError(absl::StrCat("at ", def_.PathForMessage(node_),
                                          ": the store does not have all leaves:\n",
                                          reporter.report().ToString()));
}

}  // namespace leafstore
