#include "leafstore/treedef/tree/tree.h"

#include "leafstore/core/internal/hash_tables.h"

namespace leafstore {

struct Tree::Node {
  explicit Node(NodeKind k) : kind(k) {}

  // Returns whether destroying this could recurse.
  bool HasChildren() const { return !entries.empty() || !items.empty() || shared != nullptr; }

  NodeKind kind;
  bool misused = false;
  std::string type_name;
  std::vector<std::string> tags;
  Entries entries;               // dict, struct
  std::vector<Tree> items;       // list, tuple, custom
  std::shared_ptr<Tree> shared;  // alias
};

void Tree::DeleteNode::operator()(Node* node) const { delete node; }

Tree::Tree(NodeKind kind, absl::string_view type_name) : node_(new Node(kind)) {
  node_->type_name.assign(type_name.data(), type_name.size());
}

Tree Tree::Shared(std::shared_ptr<Tree> node) {
  if (node == nullptr) return None();
  Tree tree(NodeKind::kAlias);
  tree.node_->shared = std::move(node);
  return tree;
}

// Moves children to a list and destroys them one by one, so that depth costs memory, not stack.
void Tree::Dismantle() {
  if (!node_->HasChildren()) return;
  std::vector<NodePtr> dying;
  dying.push_back(std::move(node_));
  while (!dying.empty()) {
    const NodePtr node = std::move(dying.back());
    dying.pop_back();
    const auto adopt = [&dying](Tree& child) {
      if (child.node_ != nullptr && child.node_->HasChildren()) {
        dying.push_back(std::move(child.node_));
      }
    };
    for (auto& entry : node->entries) adopt(entry.second);
    for (Tree& item : node->items) adopt(item);
    if (node->shared.use_count() == 1) adopt(*node->shared);
  }
}

Tree& Tree::SetEntry(Key key, Tree child) {
  Node& node = MutableNode();
  if (HasKeys(node.kind)) {
    node.entries.insert_or_assign(std::move(key), std::move(child));
  } else {
    node.misused = true;
  }
  return *this;
}

Tree& Tree::Add(Tree child) & {
  Node& node = MutableNode();
  if (IsContainer(node.kind) && !HasKeys(node.kind)) {
    node.items.push_back(std::move(child));
  } else {
    node.misused = true;
  }
  return *this;
}

Tree& Tree::Tag(absl::string_view tag) & {
  MutableNode().tags.emplace_back(tag);
  return *this;
}

Tree::Node& Tree::MutableNode() {
  if (node_ == nullptr) node_.reset(new Node(kind()));
  return *node_;
}

void Tree::BecomeContainer(NodeKind kind, absl::string_view type_name) {
  if (node_ == nullptr || node_->kind != kind) *this = Tree(kind);
  leaf_ = Leaf();
  node_->misused = false;
  node_->type_name.assign(type_name.data(), type_name.size());
  node_->tags.clear();
}

Tree::Entries& Tree::mutable_entries() { return node_->entries; }

std::vector<Tree>& Tree::mutable_items() { return node_->items; }

// Checks leaf_ rather than the stored kind, since mutable_leaf() may set or clear it.
NodeKind Tree::KindOfNode() const {
  const bool single = node_->kind == NodeKind::kNone || node_->kind == NodeKind::kLeaf;
  return single ? LeafOrNone() : node_->kind;
}

bool Tree::NodeIsMisused() const { return node_->misused; }

const Tree::Entries& Tree::entries() const {
  static const Entries& none = *new Entries;
  return node_ == nullptr ? none : node_->entries;
}

absl::Span<const Tree> Tree::items() const {
  return node_ == nullptr ? absl::Span<const Tree>() : node_->items;
}

absl::string_view Tree::type_name() const {
  return node_ == nullptr ? absl::string_view() : node_->type_name;
}

const std::shared_ptr<Tree>& Tree::shared() const {
  static const std::shared_ptr<Tree>& none = *new std::shared_ptr<Tree>;
  return node_ == nullptr ? none : node_->shared;
}

absl::Span<const std::string> Tree::TagsOfNode() const { return node_->tags; }

const Tree& Tree::Content() const {
  const Tree* tree = this;
  while (tree->node_ != nullptr && tree->node_->shared != nullptr) tree = tree->node_->shared.get();
  return *tree;
}

const Tree* Tree::FindEntry(const Key& key) const {
  const auto it = entries().find(key);
  return it == entries().end() ? nullptr : &it->second;
}

Tree* Tree::MutableItem(size_t index) {
  return index < items().size() ? &node_->items[index] : nullptr;
}

Tree Tree::Clone() const {
  Tree root;
  std::vector<std::pair<const Tree*, Tree*>> to_copy = {{this, &root}};
  internal::HashMap<const Tree*, std::shared_ptr<Tree>> copies;
  while (!to_copy.empty()) {
    const auto [from, to] = to_copy.back();
    to_copy.pop_back();
    to->leaf_ = from->leaf_;
    if (from->node_ == nullptr) continue;
    const Node& node = *from->node_;
    to->node_.reset(new Node(node.kind));
    to->node_->misused = node.misused;
    to->node_->type_name = node.type_name;
    to->node_->tags = node.tags;
    Entries& entries = to->node_->entries;
    for (const auto& entry : node.entries) entries.emplace_hint(entries.end(), entry.first, Tree());
    // Insertions may move earlier entries, so pointers are taken only now.
    auto from_entry = node.entries.begin();
    for (auto& entry : entries) to_copy.emplace_back(&(from_entry++)->second, &entry.second);
    to->node_->items.resize(node.items.size());
    for (size_t i = 0; i < node.items.size(); ++i) {
      to_copy.emplace_back(&node.items[i], &to->node_->items[i]);
    }
    if (node.shared != nullptr) {
      auto [copy, is_new] = copies.try_emplace(node.shared.get());
      if (is_new) {
        copy->second = std::make_shared<Tree>();
        to_copy.emplace_back(node.shared.get(), copy->second.get());
      }
      to->node_->shared = copy->second;
    }
  }
  return root;
}

}  // namespace leafstore
