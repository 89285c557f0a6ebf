// Unflattening into a dynamic Tree, without recursion.
#include <memory>
#include <utility>
#include <vector>

#include "leafstore/core/status_macros.h"
#include "leafstore/treedef/bind/flatten.h"

namespace leafstore::internal {
namespace {

constexpr const void* kTreeType = &kTypeIdentity<Tree>;

}  // namespace

// Writes the subtree at the reader's next node. Existing nodes of the Tree keep their place as far
// as kinds and keys agree: unflattening into the same Tree again allocates no node.
class TreeWriter {
 public:
  explicit TreeWriter(Unflattener* reader) : reader_(*reader), def_(reader->def()) {}

  absl::Status Write(Tree* out) {
    const NodeId end = def_.end(reader_.node());
    while (reader_.node() != end) {
      const NodeId node = reader_.node();
      Tree* const tree = open_.empty() ? out : NextChild(node);
      if (IsContainer(def_.kind(node))) {
        Open(node, tree);
      } else {
        LEAFSTORE_RETURN_IF_ERROR(WriteSingle(tree));
        Finish(node, tree);
      }
      while (!open_.empty() && def_.end(open_.back().node) == reader_.node()) Close();
    }
    return absl::OkStatus();
  }

 private:
  // A container with children still to be written.
  struct Container {
    NodeId node;
    Tree* tree;
    Tree::Entries::iterator next_entry;  // of a dict or struct
    size_t next_item = 0;                // of the others
  };

  absl::Status WriteSingle(Tree* tree) {
    switch (reader_.kind()) {
      case NodeKind::kLeaf:
        *tree = Tree(reader_.TakeLeaf());
        return absl::OkStatus();
      case NodeKind::kAlias: {
        LEAFSTORE_ASSIGN_OR_RETURN(std::shared_ptr<void> object, reader_.TakeAlias(kTreeType));
        *tree = Tree::Shared(std::static_pointer_cast<Tree>(std::move(object)));
        return absl::OkStatus();
      }
      default:
        *tree = Tree::None();
        return reader_.None();
    }
  }

  void Open(NodeId node, Tree* tree) {
    const NodeKind kind = def_.kind(node);
    tree->BecomeContainer(kind, def_.type_name(node));
    open_.push_back({node, tree, {}});
    if (HasKeys(kind)) {
      open_.back().next_entry = tree->mutable_entries().begin();
    } else {
      tree->mutable_items().resize(def_.child_count(node));
    }
    reader_.GoTo(node + 1);
  }

  // Returns where to write the child `node` of the innermost open container.
  Tree* NextChild(NodeId node) {
    Container& parent = open_.back();
    if (!HasKeys(def_.kind(parent.node))) {
      return &parent.tree->mutable_items()[parent.next_item++];
    }
    Tree::Entries& entries = parent.tree->mutable_entries();
    const KeyRef key = def_.key(node);
    if (parent.next_entry == entries.end() || parent.next_entry->first.ref() != key) {
      // Keys come in ascending order, so all remaining entries are outdated.
      entries.erase(parent.next_entry, entries.end());
      parent.next_entry = entries.emplace_hint(entries.end(), Key(key), Tree());
    }
    return &(parent.next_entry++)->second;
  }

  void Close() {
    const Container done = open_.back();
    open_.pop_back();
    if (HasKeys(def_.kind(done.node))) {
      Tree::Entries& entries = done.tree->mutable_entries();
      entries.erase(done.next_entry, entries.end());
    }
    Finish(done.node, done.tree);
  }

  // Writes what all nodes have in common.
  void Finish(NodeId node, Tree* tree) {
    if (def_.has_tags()) {
      for (absl::string_view tag : def_.tags(node)) tree->Tag(tag);
    }
    if (!reader_.IsOwner(node)) return;
    auto shared = std::make_shared<Tree>(std::move(*tree));
    reader_.Remember(node, shared, kTreeType);
    *tree = Tree::Shared(std::move(shared));
  }

  Unflattener& reader_;
  const TreeDef& def_;
  std::vector<Container> open_;
};

// Every subtree fits a Tree, except an alias of something that is not a Tree, which is checked.
absl::Status Binder<Tree>::Unflatten(Unflattener& reader, Tree* out) {
  if (out != nullptr) return TreeWriter(&reader).Write(out);
  const NodeId end = reader.def().end(reader.node());
  if (!reader.def().has_aliases()) {
    reader.GoTo(end);
    return absl::OkStatus();
  }
  while (reader.node() != end) {
    if (reader.kind() == NodeKind::kAlias) {
      LEAFSTORE_RETURN_IF_ERROR(reader.TakeAlias(kTreeType).status());
    } else {
      reader.Remember(reader.node(), nullptr, kTreeType);
      reader.GoTo(reader.node() + 1);
    }
  }
  return absl::OkStatus();
}

}  // namespace leafstore::internal
