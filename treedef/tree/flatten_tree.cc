// Flattening a dynamic Tree, without recursion.
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/treedef/bind/flatten.h"

namespace leafstore::internal {
namespace {

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
    LEAFSTORE_ASSIGN_OR_RETURN(const bool is_new,
                               flattener_.BeginShared(content, &kTypeIdentity<Tree>));
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
    flattener_.EndShared(content, &kTypeIdentity<Tree>);
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

}  // namespace leafstore::internal
