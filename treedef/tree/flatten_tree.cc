// Flattening a dynamic Tree, without recursion.
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/treedef/bind/flatten.h"

namespace leafstore::internal {
namespace {

// The nodes of Tree::Tied by name.
class Ties {
 public:
  // Adds a tie. error AlreadyExists: another node has the name.
  absl::Status Add(const Tree& tied) {
    const auto [it, is_new] = nodes_.try_emplace(tied.tie_name(), tied.tied());
    if (is_new || it->second == tied.tied()) return absl::OkStatus();
    return absl::AlreadyExistsError(
        absl::StrCat("expected the tie '", tied.tie_name(), "' at one node, found it at two"));
  }

  // Adds all ties below `root`. If one has two nodes, the walk reports it, since it visits both.
  // O(nodes).
  void AddAllBelow(const Tree& root) {
    std::vector<const Tree*> to_visit = {&root};
    absl::flat_hash_set<const Tree*> visited;
    while (!to_visit.empty()) {
      const Tree* tree = to_visit.back();
      to_visit.pop_back();
      const Tree* content = tree->tied();
      if (content != nullptr) nodes_.try_emplace(tree->tie_name(), content);
      if (content == nullptr) content = tree->shared().get();
      if (content != nullptr && visited.insert(content).second) to_visit.push_back(content);
      for (const auto& entry : tree->entries()) to_visit.push_back(&entry.second);
      for (const Tree& item : tree->items()) to_visit.push_back(&item);
    }
    has_all_ = true;
  }
  bool has_all() const { return has_all_; }

  const Tree* Find(absl::string_view name) const {
    const auto it = nodes_.find(name);
    return it == nodes_.end() ? nullptr : it->second;
  }

 private:
  absl::flat_hash_map<std::string, const Tree*> nodes_;
  bool has_all_ = false;
};

// Visits the nodes of a Tree and describes them to a Flattener. AnyTree is Tree or const Tree.
template <typename AnyTree>
class TreeWalk {
 public:
  TreeWalk(Flattener* flattener, AnyTree* root) : flattener_(*flattener), root_(root) {}

  absl::Status Run() {
    LEAFSTORE_RETURN_IF_ERROR(Visit(root_));
    while (!open_.empty()) {
      AnyTree* child = NextChild(&open_.back());
      LEAFSTORE_RETURN_IF_ERROR(child != nullptr ? Visit(child) : Leave());
    }
    return absl::OkStatus();
  }

 private:
  // An open container, or the node that a Shared, Tied or TiedTo refers to.
  struct Frame {
    AnyTree* content = nullptr;  // of a Shared, Tied or TiedTo
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
        return VisitAlias(*tree);
      default:
        LEAFSTORE_RETURN_IF_ERROR(flattener_.Open(kind, tree->type_name()));
        OpenFrame(*tree);
        return absl::OkStatus();
    }
  }

  absl::Status VisitAlias(const Tree& tree) {
    if (tree.shared() != nullptr) return BeginShared(tree.shared().get());
    if (tree.tied() == nullptr) return BeginTiedTo(tree.tie_name());
    if (absl::Status status = ties_.Add(tree); !status.ok()) return flattener_.At(status);
    return BeginShared(tree.tied());
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

  absl::Status BeginShared(const Tree* content) {
    LEAFSTORE_ASSIGN_OR_RETURN(const bool is_new,
                               flattener_.BeginShared(content, &kTypeIdentity<Tree>));
    if (is_new) open_.emplace_back().content = const_cast<Tree*>(content);
    return absl::OkStatus();
  }

  absl::Status BeginTiedTo(absl::string_view name) {
    const Tree* content = ties_.Find(name);
    if (content == nullptr && !ties_.has_all()) {
      ties_.AddAllBelow(*root_);
      content = ties_.Find(name);
    }
    if (content == nullptr) {
      return flattener_.At(absl::NotFoundError(
          absl::StrCat("expected a node with the tie '", name, "', found none in this tree")));
    }
    return BeginShared(content);
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
  AnyTree* const root_;
  std::vector<Frame> open_;
  Ties ties_;
};

}  // namespace

absl::Status Binder<Tree>::Flatten(Flattener& flattener, const Tree& tree) {
  return TreeWalk<const Tree>(&flattener, &tree).Run();
}

absl::Status Binder<Tree>::Flatten(Flattener& flattener, Tree& tree) {
  return TreeWalk<Tree>(&flattener, &tree).Run();
}

}  // namespace leafstore::internal
