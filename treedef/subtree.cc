// TreeDef::Subtree: a part of a structure as an independent structure.
#include <cstdint>
#include <utility>
#include <vector>

#include "leafstore/core/internal/hash_tables.h"
#include "leafstore/treedef/treedef.h"
#include "leafstore/treedef/treedef_builder.h"

namespace leafstore {
namespace {

// Copies nodes in preorder, with a stack of the remaining nodes of each open container.
//
// An alias's owner precedes it and does not contain it. So an owner outside of the part precedes
// the entire part, and its copy does not occur in the part itself, but may occur again through
// other aliases: `copies_` has every node that was copied, and a second occurrence becomes an
// alias.
class SubtreeCutter {
 public:
  SubtreeCutter(const TreeDef& def, NodeId root)
      : def_(def), root_(root), has_aliases_(def.has_aliases()) {}

  TreeDef::Cut Run() {
    Copy(root_);
    while (!open_.empty()) {
      Range& range = open_.back();
      if (range.next == range.end) {
        builder_.Close();
        open_.pop_back();
        continue;
      }
      const NodeId node = range.next;
      range.next = def_.end(node);
      Copy(node);
    }
    // A part of a valid structure is valid, and not larger.
    return {std::move(builder_).Build().value(), std::move(leaves_)};
  }

 private:
  struct Range {
    NodeId next;
    NodeId end;
  };

  void Copy(NodeId node) {
    if (node != root_) builder_.SetKey(def_.key(node));
    const NodeId owner = def_.Resolve(node);
    if (!CopyAsAlias(owner)) CopyOwner(owner);
    CopyTags(node);
    if (owner != node) CopyTags(owner);
  }

  // Returns whether the node was copied before, so that this is an alias of the copy.
  bool CopyAsAlias(NodeId owner) {
    if (!has_aliases_) return false;
    const auto [copy, is_new] = copies_.try_emplace(owner, builder_.next_node());
    if (!is_new) builder_.Alias(copy->second);
    return !is_new;
  }

  void CopyOwner(NodeId node) {
    const NodeKind kind = def_.kind(node);
    if (kind == NodeKind::kLeaf) {
      builder_.Leaf();
      leaves_.push_back(def_.leaf_begin(node));
    } else if (kind == NodeKind::kNone) {
      builder_.None();
    } else {
      builder_.Open(kind, def_.type_name(node));
      open_.push_back({node + 1, def_.end(node)});
    }
  }

  void CopyTags(NodeId node) {
    if (!def_.has_tags()) return;
    for (absl::string_view tag : def_.tags(node)) builder_.Tag(tag);
  }

  const TreeDef& def_;
  const NodeId root_;
  const bool has_aliases_;
  TreeDefBuilder builder_;
  std::vector<Range> open_;
  std::vector<uint32_t> leaves_;
  internal::HashMap<NodeId, NodeId> copies_;
};

}  // namespace

TreeDef::Cut TreeDef::Subtree(NodeId node) const { return SubtreeCutter(*this, node).Run(); }

}  // namespace leafstore
