#include "leafstore/store/view.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/suggest.h"
#include "leafstore/store/align.h"
#include "leafstore/store/internal/fit_reporter.h"

namespace leafstore {
namespace {

std::string KeyText(const KeyRef& key) {
  return key.kind == KeyKind::kIndex ? absl::StrCat(key.index) : Quoted(key.name);
}

// Returns a description such as "a list of 3".
std::string Describe(const TreeDef& def, NodeId node) {
  if (def.kind(node) == NodeKind::kNone) return "None";
  std::string text = absl::StrCat("a ", NodeKindName(def.kind(node)));
  if (IsContainer(def.kind(node))) absl::StrAppend(&text, " of ", def.child_count(node));
  return text;
}

bool HasNames(const TreeDef& def, NodeId node) {
  const NodeKind kind = def.kind(node);
  return kind == NodeKind::kStruct || (kind == NodeKind::kDict && !def.has_int_keys(node));
}

absl::Status NoSuchKey(const TreeDef& def, NodeId node, const KeyRef& key) {
  std::vector<absl::string_view> names;
  for (NodeId child = def.first_child(node); child < def.end(node); child = def.end(child)) {
    names.push_back(def.key(child).name);
  }
  const bool is_name = key.kind != KeyKind::kIndex;
  return absl::NotFoundError(absl::StrCat("at ", def.PathForMessage(node), ": no key ",
                                          KeyText(key), " in ", Describe(def, node),
                                          is_name ? internal::DidYouMean(key.name, names) : ""));
}

absl::Status WrongKey(const TreeDef& def, NodeId node, const KeyRef& key) {
  const absl::string_view expected = !IsContainer(def.kind(node)) ? "no key below it"
                                     : HasNames(def, node)        ? "a name"
                                                                  : "an integer";
  return absl::InvalidArgumentError(absl::StrCat("at ", def.PathForMessage(node), ", ",
                                                 Describe(def, node), ": expected ", expected,
                                                 ", found ", KeyText(key)));
}

}  // namespace

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
  if (!status_.ok()) return *this;
  const bool is_name = key.kind != KeyKind::kIndex;
  // An empty dict has no kind of keys yet, so any key is merely not found.
  const bool empty_dict = def_.kind(node_) == NodeKind::kDict && def_.child_count(node_) == 0;
  if (!IsContainer(def_.kind(node_)) || (is_name != HasNames(def_, node_) && !empty_dict)) {
    return Failed(WrongKey(def_, node_, key));
  }
  const NodeId child = empty_dict ? kNoNode : def_.FindChild(node_, key);
  if (child == kNoNode) return Failed(NoSuchKey(def_, node_, key));
  View view = *this;
  view.node_ = def_.Resolve(child);
  return view;
}

View View::Failed(absl::Status status) const {
  View view = *this;
  view.status_ = std::move(status);
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
    return absl::InvalidArgumentError(absl::StrCat(
        "at ", def_.PathForMessage(node_), ": expected a leaf, found ", Describe(def_, node_)));
  }
  const uint32_t number = def_.leaf_begin(node_);
  const Leaf* leaf = nullptr;
  if (by_slot_) {
    leaf = store_->FindSlot(number);
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
