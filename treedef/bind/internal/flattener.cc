#include "leafstore/treedef/bind/internal/flattener.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/internal/hash_tables.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/treedef/internal/path_cursor.h"

namespace leafstore::internal {
namespace {

absl::Status TooDeep(absl::string_view path) {
  return absl::ResourceExhaustedError(absl::StrCat("at ", path, ": expected structs at most ",
                                                   kMaxStructDepth, " deep, found deeper ones"));
}

bool HasNames(const TreeDef& def, NodeId node, SortedNames names) {
  NodeId child = def.first_child(node);
  for (const absl::string_view name : names) {
    if (def.key(child).name != name) return false;
    child = def.end(child);
  }
  return true;
}

// Returns whether the children of two structs have the same names in the same order. Compares ids,
// not text: O(children).
bool HaveSameNames(const TreeDef& def, NodeId a, NodeId b) {
  const TreeDefColumns& c = RepOf(def).columns;
  if (a == b) return true;
  if (c.child_counts[a] != c.child_counts[b]) return false;
  if (HasAdjacentChildren(c, a) && HasAdjacentChildren(c, b)) {
    return std::equal(&c.keys[a] + 1, &c.keys[a] + 1 + c.child_counts[a], &c.keys[b] + 1);
  }
  for (NodeId in_a = a + 1, in_b = b + 1; in_a != c.ends[a]; in_a = c.ends[in_a]) {
    if (c.keys[in_a] != c.keys[in_b]) return false;
    in_b = c.ends[in_b];
  }
  return true;
}

}  // namespace

bool KnownStructs::HasFields(const TreeDef& def, NodeId node, SortedNames names) {
  if (def.child_count(node) != names.size()) return false;
  if (names.empty()) return true;
  if (last_.first == names.data() && HaveSameNames(def, node, last_.second)) return true;
  const auto [known, is_new] = right_.try_emplace(names.data(), node);
  if (is_new || !HaveSameNames(def, node, known->second)) {
    if (!HasNames(def, node, names)) {
      if (is_new) right_.erase(known);
      return false;
    }
    known->second = node;
  }
  last_ = {names.data(), known->second};
  return true;
}

std::string LeafForMessage(const Leaf& leaf) {
  constexpr size_t kLongest = 100;
  std::string text = leaf.ToString();
  if (text.size() <= kLongest || !leaf.is_value()) return text;
  const std::string* content = leaf.value().As<std::string>();
  return content == nullptr ? text : NameForMessage(*content);
}

Flattener::Flattener(Tensors tensors) : builder_(std::in_place), tensors_(tensors) {}

Flattener::Flattener(const TreeDef& like, Tensors tensors) : like_(like), tensors_(tensors) {
  leaves_.reserve(like.leaf_count());
  if (tensors == Tensors::kTake) to_take_.reserve(like.leaf_count());
}

absl::Status Flattener::Open(NodeKind container, absl::string_view type_name) {
  LEAFSTORE_RETURN_IF_ERROR(
      AddNode(container, [&](TreeDefBuilder* b) { b->Open(container, type_name); }));
  if (like_) open_.push_back({cursor_ - 1, !HasKeys(container)});
  return absl::OkStatus();
}

absl::Status Flattener::OpenStruct(absl::string_view type_name, SortedNames names) {
  if (++depth_ > kMaxStructDepth) return TooDeep(PathForMessage());
  LEAFSTORE_RETURN_IF_ERROR(Open(NodeKind::kStruct, type_name));
  if (!like_) return absl::OkStatus();
  OpenNode& opened = open_.back();
  opened.has_known_keys = known_structs_.HasFields(*like_, opened.node, names);
  return absl::OkStatus();
}

absl::Status Flattener::Close() {
  if (!like_) {
    builder_->Close();
    return builder_->status();
  }
  if (!AtEnd()) {
    const NodeKind parent = like_->kind(open_.back().node);
    return absl::InvalidArgumentError(absl::StrCat(
        "at ", like_->PathForMessage(cursor_), ": expected ", NodeForMessage(*like_, cursor_),
        ", found the end of its ", NodeKindName(parent)));
  }
  open_.pop_back();
  return absl::OkStatus();
}

void Flattener::BeginNode() {
  if (has_key_) builder_->SetKey(key_);
  has_key_ = false;
}

absl::Status Flattener::AddLeaf(Leaf leaf) {
  if (leaf.null()) return NullLeaf();
  if (leaf.is_value() && !leaf.value().IsValid()) {
    return At(absl::InvalidArgumentError(absl::StrCat(
        "expected a string in UTF-8, found ", NameForMessage(*leaf.value().As<std::string>()),
        " (use Bytes for other bytes)")));
  }
  LEAFSTORE_RETURN_IF_ERROR(AddLeafNode());
  leaves_.push_back(std::move(leaf));
  return absl::OkStatus();
}

absl::StatusOr<bool> Flattener::BeginShared(const void* address, const void* type) {
  const auto [it, is_new] = shared_.try_emplace({address, type}, Shared{next_node(), true});
  if (is_new) return true;
  const NodeId owner = it->second.node;
  if (it->second.open) return Cycle(owner);
  last_alias_ = next_node();
  last_alias_owner_ = owner;
  if (like_ && !MatchesAlias(owner)) {
    return Differs(absl::StrCat("alias of ", like_->PathForMessage(owner)));
  }
  LEAFSTORE_RETURN_IF_ERROR(
      AddNode(NodeKind::kAlias, [owner](TreeDefBuilder* b) { b->Alias(owner); }));
  return false;
}

void Flattener::EndShared(const void* address, const void* type) {
  Shared& shared = shared_.find({address, type})->second;
  shared.open = false;
  // A pointer to a pointer that occurred before: its next alias points to the owner of that one.
  if (shared.node == last_alias_) shared.node = last_alias_owner_;
}

absl::StatusOr<FlatTree> Flattener::Finish() && {
  if (!like_) {
    LEAFSTORE_ASSIGN_OR_RETURN(like_, (*std::move(builder_)).Build());
  }
  TakeTensors();
  return FlatTree{*std::move(like_), std::move(leaves_)};
}

void Flattener::TakeTensors() {
  // A tensor can occur twice without a tie: through pointers of two types.
  HashMap<const Tensor*, uint32_t> taken;
  for (const ToTake& entry : to_take_) {
    if (!entry.tensor->null()) {
      leaves_[entry.leaf] = std::move(*entry.tensor);
      continue;
    }
    if (taken.empty()) {
      for (const ToTake& other : to_take_) taken.try_emplace(other.tensor, other.leaf);
    }
    leaves_[entry.leaf] = leaves_[taken.at(entry.tensor)];
  }
}

bool Flattener::KeyDiffers() const {
  return !open_.empty() && !open_.back().has_known_keys && like_->key(cursor_) != key_;
}

absl::Status Flattener::Match(NodeKind kind) {
  if (AtEnd() || like_->kind(cursor_) != kind || KeyDiffers()) return Differs(NodeKindName(kind));
  ++cursor_;
  return absl::OkStatus();
}

bool Flattener::MatchesAlias(NodeId owner) const {
  return !AtEnd() && like_->kind(cursor_) == NodeKind::kAlias && !KeyDiffers() &&
         like_->alias_target(cursor_) == owner;
}

absl::Status Flattener::Differs(absl::string_view found) const {
  const std::string path = const_cast<Flattener*>(this)->PathForMessage();
  if (AtEnd()) {
    return absl::InvalidArgumentError(absl::StrCat("at ", path, ": expected the end of ",
                                                   NodeForMessage(*like_, open_.back().node),
                                                   ", found ", found));
  }
  const std::string expected = like_->PathForMessage(cursor_);
  return absl::InvalidArgumentError(absl::StrCat("at ", expected, ": expected ",
                                                 NodeForMessage(*like_, cursor_), ", found ", found,
                                                 path == expected ? "" : " at " + path));
}

absl::Status Flattener::At(const absl::Status& error) {
  return WithContext(error, absl::StrCat("at ", PathForMessage()));
}

absl::Status Flattener::NullLeaf() {
  return At(absl::InvalidArgumentError(
      "expected a leaf, found null: it was never given a value, or was moved from"));
}

absl::Status Flattener::Cycle(NodeId owner) {
  if (!like_ && owner != next_node()) {
    BeginNode();
    builder_->Alias(owner);  // reports the error
    return builder_->status();
  }
  return At(absl::InvalidArgumentError(
      like_
          ? absl::StrCat("expected ", AtEnd() ? "no node" : NodeForMessage(*like_, cursor_),
                         ", found ", like_->PathForMessage(owner), ", which contains it (a cycle)")
          : "expected a node, found a pointer that leads to itself (a cycle)"));
}

std::string Flattener::PathForMessage() {
  if (!like_) {
    BeginNode();
    return builder_->NextPathForMessage();
  }
  if (open_.empty()) return like_->PathForMessage(kRootNode);
  const NodeId parent = open_.back().node;
  std::string path = parent == kRootNode ? "" : like_->PathForMessage(parent);
  if (!HasKeys(like_->kind(parent))) {
    uint32_t index = 0;
    for (NodeId child = like_->first_child(parent); child != cursor_; child = like_->end(child)) {
      ++index;
    }
    absl::StrAppend(&path, "[", index, "]");
  } else if (key_.IsValid()) {
    path += KeyForMessage(key_);
  } else {
    absl::StrAppend(&path, "[", NameForMessage(key_.name), "]");
  }
  return path;
}

absl::Status Unflattener::CheckLeaves() {
  if (leaves_.size() != def_.leaf_count()) {
    return absl::FailedPreconditionError(
        absl::StrCat("expected ", def_.leaf_count(), " leaves, found ", leaves_.size()));
  }
  is_tensor_.resize(leaves_.size());
  for (uint32_t i = 0; i < leaves_.size(); ++i) {
    if (leaves_[i].null()) {
      return absl::FailedPreconditionError(absl::StrCat(
          "at ", def_.PathForMessage(def_.node_of_leaf(i)), ": expected a leaf, found none"));
    }
    is_tensor_[i] = leaves_[i].is_tensor();
  }
  return absl::OkStatus();
}

void Unflattener::BeginWriting() {
  cursor_ = kRootNode;
  depth_ = 0;
  objects_.clear();
  writing_ = true;
}

absl::Status Unflattener::Enter(NodeKind container, size_t child_count) {
  if (kind() != container || def_.child_count(cursor_) != child_count) {
    return Expected(absl::StrCat(NodeKindName(container), " of ", child_count));
  }
  ++cursor_;
  return absl::OkStatus();
}

std::string Unflattener::Found() const {
  if (kind() != NodeKind::kLeaf) return NodeForMessage(def_, cursor_);
  return absl::StrCat("leaf ", LeafForMessage(leaves_[def_.leaf_begin(cursor_)]));
}

absl::Status Unflattener::Expected(absl::string_view what) const {
  return At(absl::InvalidArgumentError(absl::StrCat("expected ", what, ", found ", Found())));
}

absl::Status Unflattener::ExpectedKey(absl::string_view what) const {
  return At(absl::InvalidArgumentError(
      absl::StrCat("expected ", what, ", found ", KeyForMessage(def_.key(cursor_)))));
}

absl::Status Unflattener::At(const absl::Status& error) const {
  return WithContext(error, absl::StrCat("at ", def_.PathForMessage(cursor_)));
}

bool Unflattener::FindOwner(NodeId node) {
  if (!owners_) {
    owners_.emplace();
    for (NodeId alias = 0; alias < def_.node_count(); ++alias) {
      if (def_.kind(alias) == NodeKind::kAlias) owners_->insert(def_.alias_target(alias));
    }
  }
  return owners_->contains(node);
}

void Unflattener::Remember(NodeId node, std::shared_ptr<void> object, const void* type) {
  if (IsOwner(node)) objects_[{node, type}] = std::move(object);
}

bool Unflattener::Remembers(const void* type) const {
  return objects_.contains({def_.alias_target(cursor_), type});
}

absl::StatusOr<std::shared_ptr<void>> Unflattener::TakeAlias(const void* type) {
  if (kind() != NodeKind::kAlias) return Expected("alias");
  const auto it = objects_.find({def_.alias_target(cursor_), type});
  if (it == objects_.end()) {
    return Expected("an alias of what a pointer of the same type holds");
  }
  ++cursor_;
  return it->second;
}

absl::Status Unflattener::EnterStruct(SortedNames names) {
  if (++depth_ > kMaxStructDepth) return TooDeep(def_.PathForMessage(cursor_));
  if (kind() != NodeKind::kStruct) return Expected(NodeKindName(NodeKind::kStruct));
  if (!writing_ && !known_structs_.HasFields(def_, cursor_, names)) return OtherFields(names);
  ++cursor_;
  return absl::OkStatus();
}

absl::Status Unflattener::OtherFields(SortedNames names) const {
  constexpr size_t kMaxShown = 40;
  std::vector<std::string> found;
  const NodeId end = def_.end(cursor_);
  for (NodeId child = def_.first_child(cursor_); child != end; child = def_.end(child)) {
    found.push_back(found.size() < kMaxShown ? NameForMessage(def_.key(child).name) : "...");
    if (found.size() > kMaxShown) break;
  }
  return At(absl::InvalidArgumentError(
      absl::StrCat("expected a struct with the fields [", absl::StrJoin(names, ", "),
                   "], found one with [", absl::StrJoin(found, ", "), "]")));
}

}  // namespace leafstore::internal
