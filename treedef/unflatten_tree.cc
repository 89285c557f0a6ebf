// Unflattening into a dynamic Tree, without recursion.
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

Tree EmptyContainer(const TreeDef& def, NodeId node) {
  switch (def.kind(node)) {
    case NodeKind::kDict:
      return Tree::Dict();
    case NodeKind::kStruct:
      return Tree::Struct(def.type_name(node));
    case NodeKind::kCustom:
      return Tree::Custom(def.type_name(node));
    case NodeKind::kTuple:
      return Tree::Tuple();
    default:
      return Tree::List();
  }
}

// Builds the subtree that a reader stands before.
class TreeMaker {
 public:
  explicit TreeMaker(Unflattener* reader) : reader_(*reader), def_(reader->def()) {
    for (NodeId node = reader->node(); def_.has_aliases() && node < def_.end(reader->node());
         ++node) {
      if (def_.kind(node) == NodeKind::kAlias) owners_.insert(def_.alias_target(node));
    }
  }

  absl::StatusOr<Tree> Make() {
    const NodeId end = def_.end(reader_.node());
    Tree root;
    while (reader_.node() < end) {
      const NodeId node = reader_.node();
      if (IsContainer(def_.kind(node))) {
        open_.push_back({node, EmptyContainer(def_, node)});
        LEAFSTORE_RETURN_IF_ERROR(reader_.Enter(def_.kind(node)));
      } else {
        LEAFSTORE_ASSIGN_OR_RETURN(Tree tree, MakeSingle());
        Attach(node, std::move(tree), &root);
      }
      while (!open_.empty() && def_.end(open_.back().node) == reader_.node()) {
        Open done = std::move(open_.back());
        open_.pop_back();
        Attach(done.node, std::move(done.tree), &root);
      }
    }
    return root;
  }

 private:
  struct Open {
    NodeId node;
    Tree tree;
  };

  absl::StatusOr<Tree> MakeSingle() {
    const NodeId node = reader_.node();
    switch (def_.kind(node)) {
      case NodeKind::kLeaf:
        return Tree(reader_.TakeLeaf());
      case NodeKind::kAlias: {
        const auto it = shared_.find(def_.alias_target(node));
        if (it == shared_.end()) return reader_.Expected("an alias of a node of this tree");
        reader_.SkipLeaf();
        return Tree::Shared(it->second);
      }
      default:
        LEAFSTORE_RETURN_IF_ERROR(reader_.None());
        return Tree::None();
    }
  }

  void Attach(NodeId node, Tree tree, Tree* root) {
    for (absl::string_view tag : Tags(node)) tree.Tag(tag);
    if (owners_.contains(node)) {
      auto shared = std::make_shared<Tree>(std::move(tree));
      shared_[node] = shared;
      tree = Tree::Shared(std::move(shared));
    }
    if (open_.empty()) {
      *root = std::move(tree);
      return;
    }
    Open& parent = open_.back();
    const NodeKind kind = def_.kind(parent.node);
    if (kind == NodeKind::kDict || kind == NodeKind::kStruct) {
      const KeyRef key = def_.key(node);
      parent.tree.With(key.kind == KeyKind::kIndex ? DictKey(key.index) : DictKey(key.name),
                       std::move(tree));
    } else {
      parent.tree.Add(std::move(tree));
    }
  }

  std::vector<absl::string_view> Tags(NodeId node) const {
    return def_.has_tags() ? def_.tags(node) : std::vector<absl::string_view>();
  }

  Unflattener& reader_;
  const TreeDef& def_;
  std::vector<Open> open_;
  absl::flat_hash_set<NodeId> owners_;
  absl::flat_hash_map<NodeId, std::shared_ptr<Tree>> shared_;
};

}  // namespace

namespace internal {

// Every subtree fits a Tree, except for an alias of what lies outside of it: that much is checked.
absl::Status Binder<Tree>::Unflatten(Unflattener& reader, Tree* out) {
  if (out != nullptr) {
    LEAFSTORE_ASSIGN_OR_RETURN(*out, TreeMaker(&reader).Make());
    return absl::OkStatus();
  }
  const NodeId begin = reader.node();
  const TreeDef& def = reader.def();
  for (; reader.node() < def.end(begin); reader.SkipLeaf()) {
    if (reader.kind() == NodeKind::kAlias && def.alias_target(reader.node()) < begin) {
      return reader.Expected("an alias of a node of this tree");
    }
  }
  return absl::OkStatus();
}

}  // namespace internal
}  // namespace leafstore
