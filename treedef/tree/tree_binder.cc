// Flattening and unflattening a dynamic Tree, without recursion.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/treedef/bind/flatten.h"

namespace leafstore::internal {
namespace {

constexpr const void* kTreeType = &kTypeIdentity<Tree>;

// Visits the nodes of a Tree and describes them to a Flattener. AnyTree is Tree or const Tree.
template <typename AnyTree>
class TreeWalk {
 public:
  explicit TreeWalk(Flattener* flattener) : flattener_(*flattener) {}

  absl::Status Run(AnyTree* root) {
    LEAFSTORE_RETURN_IF_ERROR(Visit(root));
    while (!open_.empty()) {
      AnyTree* child = NextChild(&open_.back());
      LEAFSTORE_RETURN_IF_ERROR(child != nullptr ? Visit(child) : Leave());
    }
    return absl::OkStatus();
  }

 private:
  // An open container, or the node that a Shared refers to.
  struct Frame {
    AnyTree* content = nullptr;  // of a Shared
    bool content_visited = false;
    // The remaining entries of a dict or struct, or items of another container.
    Tree::Entries::const_iterator entry = {};
    Tree::Entries::const_iterator entries_end = {};
    const Tree* item = nullptr;
    const Tree* items_end = nullptr;
  };

  absl::Status Visit(AnyTree* tree) {
    if (tree->misused()) return Misused();
    for (const std::string& tag : tree->tags()) flattener_.Tag(tag);
    switch (const NodeKind kind = tree->kind(); kind) {
      case NodeKind::kNone:
        return flattener_.None();
      case NodeKind::kLeaf:
        return FlattenNode(flattener_, LeafOf(*tree));
      case NodeKind::kAlias:
        return VisitShared(tree->shared().get());
      default:
        LEAFSTORE_RETURN_IF_ERROR(flattener_.Open(kind, tree->type_name()));
        OpenFrame(*tree);
        return absl::OkStatus();
    }
  }

  void OpenFrame(const Tree& tree) {
    Frame& frame = open_.emplace_back();
    frame.entry = tree.entries().begin();
    frame.entries_end = tree.entries().end();
    frame.item = tree.items().data();
    frame.items_end = frame.item + tree.items().size();
  }

  absl::Status Misused() {
    return flattener_.At(absl::InvalidArgumentError(
        "expected With on a dict or struct and Add on a list, tuple or custom, found one of them "
        "called on another kind of node"));
  }

  static const Leaf& LeafOf(const Tree& tree) { return tree.leaf(); }
  static Leaf& LeafOf(Tree& tree) { return tree.mutable_leaf(); }

  absl::Status VisitShared(const Tree* content) {
    LEAFSTORE_ASSIGN_OR_RETURN(const bool is_new, flattener_.BeginShared(content, kTreeType));
    if (is_new) open_.emplace_back().content = const_cast<Tree*>(content);
    return absl::OkStatus();
  }

  // Sets the key of the next child of a frame and returns it; null at the end. The const_casts are
  // valid because children of a mutable tree are mutable; its mutable accessors are slower.
  AnyTree* NextChild(Frame* frame) {
    if (frame->content != nullptr) {
      return std::exchange(frame->content_visited, true) ? nullptr : frame->content;
    }
    if (frame->item != frame->items_end) return const_cast<Tree*>(frame->item++);
    if (frame->entry == frame->entries_end) return nullptr;
    const auto& [key, child] = *frame->entry++;
    flattener_.SetKey(key.ref());
    return const_cast<Tree*>(&child);
  }

  absl::Status Leave() {
    const AnyTree* content = open_.back().content;
    open_.pop_back();
    if (content == nullptr) return flattener_.Close();
    flattener_.EndShared(content, kTreeType);
    return absl::OkStatus();
  }

  Flattener& flattener_;
  std::vector<Frame> open_;
};

}  // namespace

absl::Status Binder<Tree>::Flatten(Flattener& flattener, const Tree& tree) {
  return TreeWalk<const Tree>(&flattener).Run(&tree);
}

absl::Status Binder<Tree>::Flatten(Flattener& flattener, Tree& tree) {
  return TreeWalk<Tree>(&flattener).Run(&tree);
}

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
        return reader_.Enter(NodeKind::kNone);
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
