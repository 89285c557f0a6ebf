#include "leafstore/store/view.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "leafstore/core/internal/suggest.h"
#include "leafstore/store/align.h"

namespace leafstore {
namespace {

std::string KeyText(const KeyRef& key) {
  std::string text;
  if (key.kind == KeyKind::kIndex) {
    absl::StrAppend(&text, key.index);
  } else {
    AppendQuoted(key.name, &text);
  }
  return text;
}

// Returns a description such as "a list of 3".
std::string Describe(const TreeDef& def, NodeId node) {
  std::string text = absl::StrCat("a ", NodeKindName(def.kind(node)));
  if (def.kind(node) == NodeKind::kNone) return "None";
  if (IsContainer(def.kind(node))) absl::StrAppend(&text, " of ", def.child_count(node));
  return text;
}

// Returns the names of a node's children, for suggestions.
std::vector<absl::string_view> ChildNames(const TreeDef& def, NodeId node) {
  std::vector<absl::string_view> names;
  for (NodeId child = def.first_child(node); child < def.end(node); child = def.end(child)) {
    names.push_back(def.key(child).name);
  }
  return names;
}

bool TakesNames(const TreeDef& def, NodeId node) {
  const NodeKind kind = def.kind(node);
  return kind == NodeKind::kStruct || (kind == NodeKind::kDict && !def.has_int_keys(node));
}

absl::Status NoSuchKey(const TreeDef& def, NodeId node, const KeyRef& key) {
  std::string hint;
  if (key.kind != KeyKind::kIndex) hint = internal::DidYouMean(key.name, ChildNames(def, node));
  return absl::NotFoundError(absl::StrCat("at ", def.PathForMessage(node), ": no key ",
                                          KeyText(key), " in ", Describe(def, node), hint));
}

absl::Status WrongKey(const TreeDef& def, NodeId node, const KeyRef& key) {
  const absl::string_view expected = !IsContainer(def.kind(node)) ? "no key below it"
                                     : TakesNames(def, node)      ? "a name"
                                                                  : "a number";
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
    def_ = *std::move(def);
    by_slot_ = store.layout() == Layout(def_);
  } else {
    status_ = def.status();
  }
}

View View::operator[](absl::string_view key) const {
  return Child(def_.kind(node_) == NodeKind::kStruct ? KeyRef::Attribute(key) : KeyRef::Item(key));
}

View View::Index(int64_t index) const { return Child(KeyRef::Index(index)); }

View View::Child(const KeyRef& key) const {
  if (!status_.ok()) return *this;
  const bool is_name = key.kind != KeyKind::kIndex;
  // An empty dict has no kind of keys yet, so any key is merely not found.
  const bool empty_dict = def_.kind(node_) == NodeKind::kDict && def_.child_count(node_) == 0;
  if (!IsContainer(def_.kind(node_)) || (is_name != TakesNames(def_, node_) && !empty_dict)) {
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

const Leaf* View::FindLeaf(uint32_t number) const {
  if (by_slot_) return store_->FindSlot(number);
  const absl::StatusOr<std::string> path = def_.PathText(def_.node_of_leaf(number));
  return path.ok() ? store_->Find(*path) : nullptr;
}

std::vector<const Leaf*> View::FindLeaves(const std::vector<uint32_t>& numbers) const {
  std::vector<const Leaf*> leaves;
  leaves.reserve(numbers.size());
  if (by_slot_) {
    for (const uint32_t number : numbers) leaves.push_back(store_->FindSlot(number));
    return leaves;
  }
  std::vector<Slot> wanted = numbers;
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  const SlotSet set = SlotSet::FromSorted(def_.leaf_count(), std::move(wanted));
  const Alignment where = Align({Layout(def_), set}, *store_);
  for (const uint32_t number : numbers) {
    const uint32_t place = where[set.PlaceOf(number)];
    leaves.push_back(place == kNoPlace ? nullptr : &store_->leaf(place));
  }
  return leaves;
}

absl::StatusOr<const Leaf*> View::leaf() const {
  if (!status_.ok()) return status_;
  if (def_.kind(node_) != NodeKind::kLeaf) {
    return absl::InvalidArgumentError(absl::StrCat(
        "at ", def_.PathForMessage(node_), ": expected a leaf, found ", Describe(def_, node_)));
  }
  if (const Leaf* leaf = FindLeaf(def_.leaf_begin(node_))) return leaf;
  return absl::NotFoundError(
      absl::StrCat("at ", def_.PathForMessage(node_), ": the leaf is not in this store"));
}

absl::StatusOr<const Tensor*> View::tensor() const {
  LEAFSTORE_ASSIGN_OR_RETURN(const Leaf* leaf, this->leaf());
  if (leaf->is_tensor()) return &leaf->tensor();
  return absl::InvalidArgumentError(absl::StrCat("at ", def_.PathForMessage(node_),
                                                 ": expected a tensor, found the static leaf ",
                                                 leaf->ToString()));
}

absl::StatusOr<const Value*> View::value() const {
  LEAFSTORE_ASSIGN_OR_RETURN(const Leaf* leaf, this->leaf());
  if (leaf->is_value()) return &leaf->value();
  return absl::InvalidArgumentError(absl::StrCat("at ", def_.PathForMessage(node_),
                                                 ": expected a static leaf, found the tensor ",
                                                 leaf->ToString()));
}

absl::StatusOr<View::Part> View::TakePart() const {
  if (!status_.ok()) return status_;
  LEAFSTORE_RETURN_IF_ERROR(store_->CheckNoBorrow("build a part of a model"));
  TreeDef::Cut cut = def_.Subtree(node_);
  Part part = {std::move(cut.def), {}};
  part.leaves.reserve(cut.leaves.size());
  std::vector<std::string> missing;
  const std::vector<const Leaf*> leaves = FindLeaves(cut.leaves);
  for (size_t i = 0; i < leaves.size(); ++i) {
    if (leaves[i] != nullptr) {
      part.leaves.push_back(*leaves[i]);
    } else {
      missing.push_back(def_.PathForMessage(def_.node_of_leaf(cut.leaves[i])));
    }
  }
  if (missing.empty()) return part;
  return absl::NotFoundError(absl::StrCat(
      "at ", def_.PathForMessage(node_), ": ", missing.size(), " of ", cut.leaves.size(),
      " leaves are not in this store: ", absl::StrJoin(missing, ", ")));
}

}  // namespace leafstore
