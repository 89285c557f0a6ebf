// Unflattening into a dynamic Tree, without recursion.
#include <memory>
#include <utility>
#include <vector>

#include "leafstore/core/status_macros.h"
#include "leafstore/treedef/flatten.h"

namespace leafstore {
namespace {

constexpr const void* kTreeType = &internal::kTypeIdentity<Tree>;

// Builds the subtree that a reader stands before.
class TreeMaker {
 public:
  explicit TreeMaker(Unflattener* reader) : reader_(*reader), def_(reader->def()) {}

  absl::StatusOr<Tree> Make() {
    const NodeId end = def_.end(reader_.node());
    while (reader_.node() != end) {
      const NodeId node = reader_.node();
      if (IsContainer(def_.kind(node))) {
        open_.push_back({node, {}, {}});
        reader_.GoTo(node + 1);
      } else {
        LEAFSTORE_ASSIGN_OR_RETURN(Tree tree, MakeSingle());
        Attach(node, std::move(tree));
      }
      while (!open_.empty() && def_.end(open_.back().node) == reader_.node()) Close();
    }
    return std::move(root_);
  }

 private:
  // A container of which children are still to come. Its parts lie here until then.
  struct Open {
    NodeId node;
    Tree::Entries entries;
    std::vector<Tree> items;
  };

  absl::StatusOr<Tree> MakeSingle() {
    switch (reader_.kind()) {
      case NodeKind::kLeaf:
        return Tree(reader_.TakeLeaf());
      case NodeKind::kAlias: {
        LEAFSTORE_ASSIGN_OR_RETURN(std::shared_ptr<void> object, reader_.TakeAlias(kTreeType));
        return Tree::Shared(std::static_pointer_cast<Tree>(std::move(object)));
      }
      default:
        LEAFSTORE_RETURN_IF_ERROR(reader_.None());
        return Tree::None();
    }
  }

  Tree MakeContainer(Open done) {
    const NodeId node = done.node;
    switch (def_.kind(node)) {
      case NodeKind::kDict:
        return Tree::Dict(std::move(done.entries));
      case NodeKind::kStruct:
        return Tree::Struct(def_.type_name(node), std::move(done.entries));
      case NodeKind::kTuple:
        return Tree::Tuple(std::move(done.items));
      case NodeKind::kCustom:
        return Tree::Custom(def_.type_name(node), std::move(done.items));
      default:
        return Tree::List(std::move(done.items));
    }
  }

  void Close() {
    Open done = std::move(open_.back());
    open_.pop_back();
    const NodeId node = done.node;
    Attach(node, MakeContainer(std::move(done)));
  }

  void Attach(NodeId node, Tree tree) {
    if (def_.has_tags()) {
      for (absl::string_view tag : def_.tags(node)) tree.Tag(tag);
    }
    if (reader_.IsOwner(node)) {
      auto shared = std::make_shared<Tree>(std::move(tree));
      reader_.Remember(node, shared, kTreeType);
      tree = Tree::Shared(std::move(shared));
    }
    if (open_.empty()) {
      root_ = std::move(tree);
      return;
    }
    Open& parent = open_.back();
    const NodeKind kind = def_.kind(parent.node);
    if (kind == NodeKind::kDict || kind == NodeKind::kStruct) {
      const KeyRef key = def_.key(node);
      // Keys come in their order: each is the last so far.
      parent.entries.emplace_hint(
          parent.entries.end(),
          key.kind == KeyKind::kIndex ? DictKey(key.index) : DictKey(key.name), std::move(tree));
    } else {
      if (parent.items.empty()) parent.items.reserve(def_.child_count(parent.node));
      parent.items.push_back(std::move(tree));
    }
  }

  Unflattener& reader_;
  const TreeDef& def_;
  Tree root_;
  std::vector<Open> open_;
};

}  // namespace

namespace internal {

// Every subtree fits a Tree, except for an alias of what is no Tree: that much is checked.
absl::Status Binder<Tree>::Unflatten(Unflattener& reader, Tree* out) {
  if (out != nullptr) {
    LEAFSTORE_ASSIGN_OR_RETURN(*out, TreeMaker(&reader).Make());
    return absl::OkStatus();
  }
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

}  // namespace internal
}  // namespace leafstore
