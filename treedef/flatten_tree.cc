// Flattening a dynamic Tree, without recursion.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/treedef/flatten.h"

namespace leafstore {
namespace {

constexpr char kTreeIdentity = 0;

// The nodes that Tree::Tied names.
class Ties {
 public:
  // Finds all of them below `root`. error AlreadyExists: a name is given to two nodes. O(nodes).
  static absl::StatusOr<Ties> Create(const Tree& root) {
    Ties ties;
    std::vector<const Tree*> to_visit = {&root};
    absl::flat_hash_set<const Tree*> visited;
    while (!to_visit.empty()) {
      const Tree* tree = to_visit.back();
      to_visit.pop_back();
      if (const Tree* node = tree->tied(); node != nullptr) {
        const auto [it, is_new] = ties.nodes_.try_emplace(tree->tie_name(), node);
        if (!is_new && it->second != node) {
          return absl::AlreadyExistsError(
              absl::StrCat("the tie '", tree->tie_name(), "' is given to two nodes"));
        }
        if (visited.insert(node).second) to_visit.push_back(node);
      }
      if (const Tree* node = tree->shared().get(); node != nullptr && visited.insert(node).second) {
        to_visit.push_back(node);
      }
      for (const auto& entry : tree->entries()) to_visit.push_back(&entry.second);
      for (const Tree& item : tree->items()) to_visit.push_back(&item);
    }
    return ties;
  }

  const Tree* Find(absl::string_view name) const {
    const auto it = nodes_.find(name);
    return it == nodes_.end() ? nullptr : it->second;
  }

 private:
  absl::flat_hash_map<std::string, const Tree*> nodes_;
};

NodeKind ContainerKind(TreeKind kind) {
  switch (kind) {
    case TreeKind::kDict:
      return NodeKind::kDict;
    case TreeKind::kList:
      return NodeKind::kList;
    case TreeKind::kTuple:
      return NodeKind::kTuple;
    case TreeKind::kStruct:
      return NodeKind::kStruct;
    default:
      return NodeKind::kCustom;
  }
}

// Walks a Tree and tells its nodes to a Flattener or a TensorTaker. AnyTree is Tree or const Tree.
template <typename Visitor, typename AnyTree>
class TreeWalk {
 public:
  TreeWalk(Visitor* visitor, AnyTree* root) : visitor_(*visitor), root_(root) {}

  absl::Status Run() {
    LEAFSTORE_RETURN_IF_ERROR(Visit(root_));
    while (!open_.empty()) {
      Frame& frame = open_.back();
      if (AnyTree* child = NextChild(&frame); child != nullptr) {
        LEAFSTORE_RETURN_IF_ERROR(Visit(child));
      } else {
        LEAFSTORE_RETURN_IF_ERROR(Leave());
      }
    }
    return absl::OkStatus();
  }

 private:
  // A container that is being walked, or a node that says another one is shared.
  struct Frame {
    AnyTree* tree;
    AnyTree* content = nullptr;  // what is shared, and whether it is still to be visited
    bool visited = false;
    size_t next = 0;
    Tree::Entries::const_iterator entry = {};
  };

  absl::Status Visit(AnyTree* tree) {
    for (const std::string& tag : tree->tags()) visitor_.Tag(tag);
    switch (tree->kind()) {
      case TreeKind::kNone:
        return visitor_.None();
      case TreeKind::kLeaf:
        return internal::Binder<Leaf>::Flatten(visitor_, LeafOf(*tree));
      case TreeKind::kShared:
        return BeginShared(tree, tree->shared().get());
      case TreeKind::kTied:
        return BeginShared(tree, const_cast<Tree*>(tree->tied()));
      case TreeKind::kTiedTo:
        return BeginTiedTo(tree);
      default:
        LEAFSTORE_RETURN_IF_ERROR(visitor_.Open(ContainerKind(tree->kind()), tree->type_name()));
        open_.push_back({tree});
        open_.back().entry = tree->entries().begin();
        return absl::OkStatus();
    }
  }

  static const Leaf& LeafOf(const Tree& tree) { return tree.leaf(); }
  static Leaf& LeafOf(Tree& tree) { return tree.mutable_leaf(); }

  absl::Status BeginShared(AnyTree* tree, Tree* content) {
    LEAFSTORE_ASSIGN_OR_RETURN(const bool is_new, visitor_.BeginShared(content, &kTreeIdentity));
    if (is_new) open_.push_back({tree, content});
    return absl::OkStatus();
  }

  absl::Status BeginTiedTo(AnyTree* tree) {
    if (ties_ == nullptr) {
      LEAFSTORE_ASSIGN_OR_RETURN(Ties ties, Ties::Create(*root_));
      ties_ = std::make_unique<Ties>(std::move(ties));
    }
    const Tree* content = ties_->Find(tree->tie_name());
    if (content == nullptr) {
      return absl::NotFoundError(
          absl::StrCat("the tie '", tree->tie_name(), "' is given to no node"));
    }
    return BeginShared(tree, const_cast<Tree*>(content));
  }

  AnyTree* NextChild(Frame* frame) {
    if (frame->content != nullptr) {
      return std::exchange(frame->visited, true) ? nullptr : frame->content;
    }
    const TreeKind kind = frame->tree->kind();
    if (kind != TreeKind::kDict && kind != TreeKind::kStruct) {
      if (frame->next == frame->tree->items().size()) return nullptr;
      return const_cast<Tree*>(&frame->tree->items()[frame->next++]);
    }
    if (frame->entry == frame->tree->entries().end()) return nullptr;
    const auto& [key, child] = *frame->entry++;
    if (kind == TreeKind::kStruct && !key.is_int()) {
      visitor_.SetKey(KeyRef::Attribute(key.name()));
    } else {
      visitor_.SetKey(key.is_int() ? KeyRef::Index(key.number()) : KeyRef::Item(key.name()));
    }
    return const_cast<Tree*>(&child);
  }

  absl::Status Leave() {
    const Frame frame = open_.back();
    open_.pop_back();
    if (frame.content == nullptr) return visitor_.Close();
    visitor_.EndShared(frame.content, &kTreeIdentity);
    return absl::OkStatus();
  }

  Visitor& visitor_;
  AnyTree* const root_;
  std::vector<Frame> open_;
  std::unique_ptr<Ties> ties_;
};

}  // namespace

namespace internal {

absl::Status Binder<Tree>::Flatten(Flattener& flattener, const Tree& tree) {
  return TreeWalk<Flattener, const Tree>(&flattener, &tree).Run();
}

absl::Status Binder<Tree>::Flatten(TensorTaker& taker, Tree& tree) {
  return TreeWalk<TensorTaker, Tree>(&taker, &tree).Run();
}

}  // namespace internal
}  // namespace leafstore
