#include "leafstore/treedef/treedef_builder.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/utf8.h"
#include "leafstore/treedef/internal/intern.h"
#include "leafstore/treedef/internal/path_cursor.h"
#include "leafstore/treedef/internal/string_table.h"

namespace leafstore {

using internal::KeyOf;
using internal::NameForMessage;
using internal::TreeDefColumns;

namespace {

constexpr size_t kFirstNodes = 16;

}  // namespace

TreeDefBuilder::TreeDefBuilder() : TreeDefBuilder(Limits()) {}

TreeDefBuilder::TreeDefBuilder(const Limits& limits)
    : limits_(limits),
      rep_(std::make_unique<internal::TreeDefRep>()),
      strings_(std::make_unique<internal::StringTable>(&rep_->columns)) {}

TreeDefBuilder::~TreeDefBuilder() = default;
TreeDefBuilder::TreeDefBuilder(TreeDefBuilder&&) noexcept = default;
TreeDefBuilder& TreeDefBuilder::operator=(TreeDefBuilder&&) noexcept = default;

void TreeDefBuilder::SetKey(const KeyRef& key) {
  if (!status_.ok()) return;
  key_ = {key.kind, {}, key.index};
  key_name_.assign(key.name.data(), key.name.size());
  key_string_ = TreeDef::kNoString;
  has_key_ = true;
}

void TreeDefBuilder::SetKey(KeyKind kind, uint32_t string) {
  if (!status_.ok()) return;
  if (kind == KeyKind::kIndex || string >= string_count()) {
    FailAtNext(absl::StrCat("expected the id of one of ", string_count(), " strings, found ",
                            kind == KeyKind::kIndex ? "that of an index" : absl::StrCat(string)));
    return;
  }
  key_ = {kind, {}, 0};
  key_string_ = string;
  has_key_ = true;
}

void TreeDefBuilder::Reserve(uint32_t nodes, uint32_t strings, uint32_t string_bytes) {
  if (nodes > columns().kinds.size()) ResizeColumns(nodes);
  columns().leaf_nodes.reserve(nodes);
  strings_->Reserve(strings, string_bytes);
}

void TreeDefBuilder::ResizeColumns(size_t nodes) {
  TreeDefColumns& c = columns();
  c.leaf_begins.reserve(nodes + 1);  // has one entry more in the end
  c.kinds.resize(nodes);
  for (std::vector<uint32_t>* column :
       {&c.keys, &c.parents, &c.ends, &c.child_counts, &c.aux, &c.leaf_begins}) {
    column->resize(nodes);
  }
}

void TreeDefBuilder::Open(NodeKind container, absl::string_view type_name) {
  if (!status_.ok()) return;
  if (!IsContainer(container)) {
    FailAtNext(absl::StrCat("expected a container, found ", NodeKindName(container)));
    return;
  }
  const bool may_be_named = container == NodeKind::kStruct || container == NodeKind::kCustom;
  if (!may_be_named && !type_name.empty()) {
    FailAtNext(absl::StrCat("expected no type name for a ", NodeKindName(container), ", found ",
                            NameForMessage(type_name)));
    return;
  }
  if (container == NodeKind::kCustom && type_name.empty()) {
    FailAtNext("expected a type name for a custom, found none");
    return;
  }
  const NodeId node = next_node();
  if (!Add(container)) return;
  uint32_t id = TreeDef::kNoString;
  if (!type_name.empty() && !StoreString(type_name, "a type name", node, &id)) return;
  columns().aux[node] = may_be_named ? id : 0;
  columns().ends[node] = 0;  // while it is open
  open_.push_back(node);
  last_child_ = kNoNode;
}

void TreeDefBuilder::Close() {
  if (!status_.ok()) return;
  if (open_.empty()) {
    Fail(absl::InvalidArgumentError("Close: expected an open container, found none"));
    return;
  }
  if (has_key_) {
    FailAt(open_.back(),
           absl::StrCat("expected a node after its key, found the end of the ",
                        NodeKindName(columns().kinds[open_.back()]), " after ", KeyFound()));
    return;
  }
  last_child_ = open_.back();
  columns().ends[last_child_] = next_node();
  open_.pop_back();
}

void TreeDefBuilder::Leaf() {
  const NodeId node = next_node();
  if (Add(NodeKind::kLeaf)) columns().leaf_nodes.push_back(node);
}

void TreeDefBuilder::None() { Add(NodeKind::kNone); }

void TreeDefBuilder::Alias(NodeId target) {
  if (!status_.ok()) return;
  const NodeId node = next_node();
  if (target >= node) {
    FailAtNext(
        absl::StrCat("expected an alias of a node before it, found node ", target, " of ", node));
    return;
  }
  const TreeDefColumns& c = columns();
  if (c.ends[target] == 0 || c.kinds[target] == NodeKind::kAlias) {
    FailAtNext(absl::StrCat(
        "expected an alias of a node that is complete and not an alias, found ",
        internal::PathForMessage(c, target),
        c.ends[target] == 0 ? ", which contains it (a cycle)" : ", which is an alias"));
    return;
  }
  if (!Add(NodeKind::kAlias)) return;
  columns().aux[node] = target;
  columns().alias_nodes.push_back(node);
}

void TreeDefBuilder::Tag(absl::string_view tag) {
  if (!status_.ok()) return;
  if (next_node() == 0) {
    Fail(absl::InvalidArgumentError(
        absl::StrCat("Tag ", NameForMessage(tag), ": expected a node before it, found none")));
  } else if (tag.empty()) {
    FailAt(next_node() - 1, "expected a tag that is not empty, found ''");
  } else if (!internal::IsValidUtf8(tag)) {
    FailAt(next_node() - 1, absl::StrCat("expected a tag in UTF-8, found ", NameForMessage(tag)));
  } else {
    tags_.emplace_back(tag);
  }
}

absl::StatusOr<TreeDef> TreeDefBuilder::Build() && {
  if (status_.ok()) StoreTags();
  if (status_.ok() && next_node() == 0) {
    Fail(absl::InvalidArgumentError("Build: expected a root, found no node"));
  }
  if (status_.ok() && !open_.empty()) {
    FailAt(open_.back(), absl::StrCat("expected a ", NodeKindName(columns().kinds[open_.back()]),
                                      " that is closed, found the end"));
  }
  if (!status_.ok()) return status_;
  ResizeColumns(node_count_);
  columns().leaf_begins.push_back(static_cast<uint32_t>(columns().leaf_nodes.size()));
  rep_->hash = internal::HashOf(columns());
  return internal::TreeDefInterner::Global().Intern(std::move(rep_));
}

bool TreeDefBuilder::Add(NodeKind kind) {
  if (!status_.ok() || (!tags_.empty() && !StoreTags())) return false;
  const NodeId node = node_count_;
  if (node >= limits_.nodes) {
    return Fail(absl::ResourceExhaustedError(
        absl::StrCat("expected at most ", limits_.nodes, " nodes, found more")));
  }
  uint32_t stored = 0;
  if (!StoreKey(&stored)) return false;
  TreeDefColumns& c = columns();
  if (node == c.kinds.size()) ResizeColumns(std::max<size_t>(kFirstNodes, size_t{node} * 2));
  const NodeId parent = open_.empty() ? kNoNode : open_.back();
  c.kinds[node] = kind;
  c.keys[node] = stored;
  c.parents[node] = parent;
  c.ends[node] = node + 1;
  c.child_counts[node] = 0;
  c.aux[node] = 0;
  c.leaf_begins[node] = static_cast<uint32_t>(c.leaf_nodes.size());
  if (parent != kNoNode) ++c.child_counts[parent];
  ++node_count_;
  last_child_ = node;
  has_key_ = false;
  return true;
}

inline bool TreeDefBuilder::KeyFits(NodeId parent) const {
  const TreeDefColumns& c = rep_->columns;
  const bool is_index = has_key_ && key_.kind == KeyKind::kIndex;
  switch (c.kinds[parent]) {
    case NodeKind::kStruct:
      return has_key_ && key_.kind == KeyKind::kAttribute;
    case NodeKind::kDict:
      return has_key_ && key_.kind != KeyKind::kAttribute &&
             (c.child_counts[parent] == 0 || is_index == (c.aux[parent] != 0));
    default:
      return !has_key_ || (is_index && key_.index == c.child_counts[parent]);
  }
}

bool TreeDefBuilder::StoreKey(uint32_t* stored) {
  if (open_.empty()) return CheckRootKey();
  TreeDefColumns& c = columns();
  const NodeId parent = open_.back();
  if (!KeyFits(parent)) return FailKey(parent);
  if (!HasKeys(c.kinds[parent])) {
    *stored = c.child_counts[parent];
    return true;
  }
  if (!CheckAscending()) return false;
  if (key_.kind == KeyKind::kIndex) {
    c.aux[parent] = 1;
    *stored = static_cast<uint32_t>(c.ints.size());
    c.ints.push_back(key_.index);
    return true;
  }
  *stored = key_string_;
  return key_string_ != TreeDef::kNoString ||
         StoreString(key_name_, key_.kind == KeyKind::kAttribute ? "an attribute" : "an item",
                     parent, stored);
}

bool TreeDefBuilder::CheckRootKey() {
  if (next_node() != kRootNode) {
    return Fail(absl::InvalidArgumentError("expected one root, found a second node beside it"));
  }
  const bool is_root_key = !has_key_ || (key_.kind == KeyKind::kIndex && key_.index == 0);
  return is_root_key || FailAtNext(absl::StrCat("expected no key, found ", KeyFound()));
}

std::string TreeDefBuilder::ExpectedKey(NodeId parent) const {
  const TreeDefColumns& c = rep_->columns;
  if (!HasKeys(c.kinds[parent])) {
    return absl::StrCat("no key or index [", c.child_counts[parent], "] for the next child");
  }
  if (c.kinds[parent] == NodeKind::kStruct) return "an attribute for a child of a struct";
  if (!has_key_ || key_.kind == KeyKind::kAttribute) {
    return "an item or an index for a child of a dict";
  }
  return absl::StrCat(c.aux[parent] != 0 ? "an index" : "an item",
                      ", as for the other children of this dict");
}

bool TreeDefBuilder::CheckAscending() {
  if (last_child_ == kNoNode) return true;
  if (key_string_ == TreeDef::kNoString) return CompareWithLast();
  const uint32_t last = columns().keys[last_child_];
  if (key_string_ < before_.size() && before_[key_string_] == last) return true;
  if (!CompareWithLast()) return false;
  if (key_string_ >= before_.size()) before_.resize(string_count(), TreeDef::kNoString);
  before_[key_string_] = last;
  return true;
}

bool TreeDefBuilder::CompareWithLast() {
  const KeyRef last = KeyOf(columns(), last_child_);
  const KeyRef next = NextKey();
  return last < next ||
         FailAtNext(absl::StrCat("expected a key greater than ", internal::KeyForMessage(last),
                                 ", found ", last == next ? "it again" : KeyFound()));
}

bool TreeDefBuilder::StoreString(absl::string_view text, absl::string_view what, NodeId node,
                                 uint32_t* id) {
  *id = strings_->Find(text);
  if (*id != internal::StringTable::kNotFound) return true;
  if (!internal::IsValidUtf8(text)) {
    return FailAt(node, absl::StrCat("expected ", what, " in UTF-8, found ", NameForMessage(text)));
  }
  if (text.size() > limits_.string_bytes - strings_->bytes()) {
    return FailOverLimit(node, limits_.string_bytes, "bytes of keys, type names and tags");
  }
  *id = strings_->Add(text);
  return true;
}

bool TreeDefBuilder::StoreTags() {
  if (tags_.empty()) return true;
  std::sort(tags_.begin(), tags_.end());
  tags_.erase(std::unique(tags_.begin(), tags_.end()), tags_.end());
  for (const std::string& tag : tags_) {
    uint32_t id = 0;
    if (columns().tags.size() >= limits_.tags) {
      return FailOverLimit(next_node() - 1, limits_.tags, "tags of all nodes");
    }
    if (!StoreString(tag, "a tag", next_node() - 1, &id)) return false;
    columns().tags.push_back({next_node() - 1, id});
  }
  tags_.clear();
  return true;
}

bool TreeDefBuilder::FailAtNext(absl::string_view what) {
  return Fail(absl::InvalidArgumentError(absl::StrCat("at ", NextPathForMessage(), ": ", what)));
}

std::string TreeDefBuilder::NextPathForMessage() const {
  const TreeDefColumns& c = rep_->columns;
  const NodeId parent = open_.empty() ? kRootNode : open_.back();
  std::string path = internal::PathForMessage(c, parent);
  if (open_.empty()) return path;
  const bool has_keys = HasKeys(c.kinds[parent]);
  if (has_keys && !(has_key_ && NextKey().IsValid())) return path;
  if (parent == kRootNode) path.clear();
  return path +
         internal::KeyForMessage(has_keys ? NextKey() : KeyRef::Index(c.child_counts[parent]));
}

bool TreeDefBuilder::FailAt(NodeId node, absl::string_view what) {
  return Fail(absl::InvalidArgumentError(
      absl::StrCat("at ", internal::PathForMessage(columns(), node), ": ", what)));
}

bool TreeDefBuilder::FailKey(NodeId parent) {
  return FailAt(parent, absl::StrCat("expected ", ExpectedKey(parent), ", found ", KeyFound()));
}

bool TreeDefBuilder::FailOverLimit(NodeId node, uint32_t limit, absl::string_view what) {
  return Fail(absl::ResourceExhaustedError(
      absl::StrCat("at ", internal::PathForMessage(columns(), node), ": expected at most ", limit,
                   " ", what, ", found more")));
}

bool TreeDefBuilder::Fail(absl::Status status) {
  status_ = std::move(status);
  return false;
}

KeyRef TreeDefBuilder::NextKey() const {
  const bool by_number = key_string_ != TreeDef::kNoString;
  return {key_.kind,
          by_number ? internal::StringOf(rep_->columns, key_string_) : absl::string_view(key_name_),
          key_.index};
}

std::string TreeDefBuilder::KeyFound() const {
  if (!has_key_) return "no key";
  if (!NextKey().IsValid()) {
    return absl::StrCat("a key that is not UTF-8: ", NameForMessage(key_name_));
  }
  const char* kind = key_.kind == KeyKind::kAttribute ? "attribute "
                     : key_.kind == KeyKind::kItem    ? "item "
                                                      : "index ";
  return kind + internal::KeyForMessage(NextKey());
}

}  // namespace leafstore
