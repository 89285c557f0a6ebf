#include "leafstore/treedef/flattener.h"

#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"

namespace leafstore {

Flattener::Flattener() : builder_(std::in_place) {}

Flattener::Flattener(const TreeDef& like) : like_(like) { leaves_.reserve(like.leaf_count()); }

absl::Status Flattener::Open(NodeKind container, absl::string_view type_name) {
  if (like_) {
    LEAFSTORE_RETURN_IF_ERROR(Match(container));
    open_.push_back(cursor_ - 1);
    return absl::OkStatus();
  }
  BeginNode();
  builder_->Open(container, type_name);
  return EndNode();
}

absl::Status Flattener::Close() {
  if (!like_) {
    builder_->Close();
    return builder_->status();
  }
  const NodeId container = open_.back();
  open_.pop_back();
  if (like_->end(container) == cursor_) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "at ", like_->PathForMessage(cursor_), ": expected ", NodeKindName(like_->kind(cursor_)),
      ", found nothing: ", like_->PathForMessage(container), " has fewer children than the ",
      like_->child_count(container), " of the treedef to follow"));
}

absl::Status Flattener::None() {
  if (like_) return Match(NodeKind::kNone);
  BeginNode();
  builder_->None();
  return EndNode();
}

void Flattener::Tag(absl::string_view tag) {
  if (!like_) tags_.emplace_back(tag);
}

void Flattener::BeginNode() {
  if (has_key_) builder_->SetKey(key_);
  has_key_ = false;
}

absl::Status Flattener::EndNode() {
  for (const std::string& tag : tags_) builder_->Tag(tag);
  tags_.clear();
  return builder_->status();
}

absl::Status Flattener::AddLeaf(Leaf leaf) {
  if (leaf.null()) return NullLeaf();
  LEAFSTORE_RETURN_IF_ERROR(AddLeafNode());
  leaves_.push_back(std::move(leaf));
  return absl::OkStatus();
}

absl::Status Flattener::AddTensor(const Tensor& tensor) {
  if (tensor.null()) return NullLeaf();
  LEAFSTORE_RETURN_IF_ERROR(AddLeafNode());
  leaves_.push_back(tensors_later_ ? Leaf() : Leaf(tensor));
  return absl::OkStatus();
}

absl::Status Flattener::AddLeafNode() {
  if (like_) return Match(NodeKind::kLeaf);
  BeginNode();
  builder_->Leaf();
  return EndNode();
}

absl::StatusOr<bool> Flattener::BeginShared(const void* address, const void* type) {
  const auto [it, is_new] = shared_.try_emplace({address, type}, Shared{next_node(), true});
  if (is_new) return true;
  if (it->second.open) {
    return absl::InvalidArgumentError(
        absl::StrCat("at ", MessagePath(), ": a cycle: the object here holds itself, as node ",
                     it->second.node));
  }
  const NodeId owner = it->second.node;
  if (like_) {
    LEAFSTORE_RETURN_IF_ERROR(Match(NodeKind::kAlias));
    if (like_->alias_target(cursor_ - 1) != owner) {
      return absl::InvalidArgumentError(
          absl::StrCat("at ", like_->PathForMessage(cursor_ - 1), ": expected an alias of ",
                       like_->PathForMessage(like_->alias_target(cursor_ - 1)), ", found one of ",
                       like_->PathForMessage(owner)));
    }
    return false;
  }
  BeginNode();
  builder_->Alias(owner);
  LEAFSTORE_RETURN_IF_ERROR(EndNode());
  return false;
}

void Flattener::EndShared(const void* address, const void* type) {
  shared_.find({address, type})->second.open = false;
}

absl::Status Flattener::EnterStruct() {
  if (++depth_ <= kMaxStructDepth) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("at ", MessagePath(), ": structs nest deeper than ", kMaxStructDepth));
}

absl::StatusOr<Flattener::Result> Flattener::Finish() && {
  if (like_) return Result{*std::move(like_), std::move(leaves_)};
  LEAFSTORE_ASSIGN_OR_RETURN(TreeDef def, (*std::move(builder_)).Build());
  return Result{std::move(def), std::move(leaves_)};
}

// Following: the node to come must be of this kind and, below a dict or struct, under this key.
absl::Status Flattener::Match(NodeKind kind) {
  const NodeId node = cursor_;
  const bool inside = open_.empty() ? node == kRootNode : node < like_->end(open_.back());
  if (!inside || like_->kind(node) != kind) return Differs(kind);
  if (!open_.empty()) {
    const NodeKind parent = like_->kind(open_.back());
    if ((parent == NodeKind::kDict || parent == NodeKind::kStruct) && like_->key(node) != key_) {
      return Differs(kind);
    }
  }
  ++cursor_;
  return absl::OkStatus();
}

absl::Status Flattener::Differs(NodeKind found) {
  const bool inside = open_.empty() ? cursor_ == kRootNode : cursor_ < like_->end(open_.back());
  std::string key;
  if (!open_.empty()) {
    const NodeKind parent = like_->kind(open_.back());
    if (parent == NodeKind::kDict || parent == NodeKind::kStruct) {
      key = " under the key ";
      AppendKeyText(key_, &key);
    }
  }
  const std::string found_text = absl::StrCat(NodeKindName(found), key);
  if (!inside) {
    return absl::InvalidArgumentError(
        absl::StrCat("at ", MessagePath(), ": expected no more nodes, found ", found_text));
  }
  return absl::InvalidArgumentError(absl::StrCat("at ", like_->PathForMessage(cursor_),
                                                 ": expected ", NodeKindName(like_->kind(cursor_)),
                                                 ", found ", found_text));
}

absl::Status Flattener::NullLeaf() {
  return absl::InvalidArgumentError(absl::StrCat(
      "at ", MessagePath(), ": the tensor is null: it was never given a value, or was moved from"));
}

std::string Flattener::MessagePath() {
  if (!like_) {
    BeginNode();
    return builder_->NextPathForMessage();
  }
  if (open_.empty()) return like_->PathForMessage(kRootNode);
  std::string path = like_->PathForMessage(open_.back());
  const NodeKind parent = like_->kind(open_.back());
  if (parent == NodeKind::kDict || parent == NodeKind::kStruct) AppendKeyText(key_, &path);
  return path;
}

Unflattener::Unflattener(const TreeDef& def, absl::Span<const Leaf> leaves)
    : def_(def), leaves_(leaves) {}

Unflattener::Unflattener(const TreeDef& def, std::vector<Leaf>* leaves)
    : def_(def), leaves_(*leaves), given_(leaves) {}

void Unflattener::BeginWriting() {
  cursor_ = kRootNode;
  depth_ = 0;
  objects_.clear();
  writing_ = true;
}

absl::Status Unflattener::Enter(NodeKind container) {
  if (kind() != container) return Expected(NodeKindName(container));
  ++cursor_;
  return absl::OkStatus();
}

absl::Status Unflattener::None() {
  if (kind() != NodeKind::kNone) return Expected("none");
  ++cursor_;
  return absl::OkStatus();
}

absl::StatusOr<const Leaf*> Unflattener::PeekLeaf() const {
  if (kind() != NodeKind::kLeaf) return Expected("leaf");
  return &leaves_[def_.leaf_begin(cursor_)];
}

Leaf Unflattener::TakeLeaf() {
  const uint32_t number = def_.leaf_begin(cursor_++);
  return given_ != nullptr ? std::move((*given_)[number]) : leaves_[number];
}

absl::Status Unflattener::Expected(absl::string_view what) const {
  std::string found(NodeKindName(kind()));
  if (kind() == NodeKind::kAlias) {
    absl::StrAppend(&found, " of ", def_.PathForMessage(def_.alias_target(cursor_)));
  } else if (kind() == NodeKind::kLeaf) {
    absl::StrAppend(&found, " ", leaves_[def_.leaf_begin(cursor_)].ToString());
  } else if (IsContainer(kind())) {
    absl::StrAppend(&found, " of ", def_.child_count(cursor_));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("at ", def_.PathForMessage(cursor_), ": expected ", what, ", found ", found));
}

void Unflattener::Remember(NodeId node, std::shared_ptr<void> object, const void* type) {
  objects_[node] = Object{std::move(object), type};
}

absl::StatusOr<std::shared_ptr<void>> Unflattener::TakeAlias(const void* type) {
  if (kind() != NodeKind::kAlias) return Expected("alias");
  const auto it = objects_.find(def_.alias_target(cursor_));
  if (it == objects_.end() || it->second.type != type) {
    return Expected("an object that is shared with one of the same type");
  }
  ++cursor_;
  return it->second.pointer;
}

absl::Status Unflattener::EnterStruct() {
  if (++depth_ <= kMaxStructDepth) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("at ", def_.PathForMessage(cursor_),
                                                   ": structs nest deeper than ", kMaxStructDepth));
}

}  // namespace leafstore
