// Tree: a model's structure and leaves as data, for models that are not C++ structs.
//
//   Tree model = Tree::Struct("Mlp")
//                    .With("layers", Tree::List().Add(Tree(w0)).Add(Tree(w1)))
//                    .With("activation", Value("gelu"));
//   model.Find("layers")->items()[0].leaf().tensor();
//
// A node is none, a leaf (tensor or value), a dict (string or int64 keys), a list, a tuple, a
// struct (attributes, and a type name if it has one), a custom (items and a type name), or a shared
// node: Tree::Shared with the same std::shared_ptr<Tree> in each place. Flattening creates its
// leaves once, owned by the first occurrence. Any node may have tags, which filters can test.
//
// A Tree is move-only, so that a large tree is never copied by accident; Clone copies it. Depth has
// no limit: destruction and Clone do not recurse. Errors of structure (a dict with both string and
// integer keys, an entry added to a list, a cycle) are reported by flattening, not here.
//
// A node that was moved from is unchanged or None. A tree whose tensors were moved out by
// flattening has None in their place.
//
// Threads: const calls on one tree are thread-safe. Trees that share nodes count as one tree here.
#ifndef LEAFSTORE_TREEDEF_TREE_TREE_H_
#define LEAFSTORE_TREEDEF_TREE_TREE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/core/key.h"
#include "leafstore/core/leaf.h"
#include "leafstore/core/value.h"
#include "leafstore/treedef/node.h"

namespace leafstore {

namespace internal {
class TreeWriter;  // tree_binder.cc
}  // namespace internal

class Tree {
 public:
  using Entries = absl::btree_map<Key, Tree>;

  // None.
  Tree() = default;
  Tree(Leaf leaf) : leaf_(std::move(leaf)) {}        // NOLINT: a leaf is a tree; if null, None
  Tree(Tensor tensor) : leaf_(std::move(tensor)) {}  // NOLINT
  Tree(Value value) : leaf_(std::move(value)) {}     // NOLINT
  static Tree None() { return Tree(); }
  static Tree Dict() { return Tree(NodeKind::kDict); }
  static Tree List() { return Tree(NodeKind::kList); }
  static Tree Tuple() { return Tree(NodeKind::kTuple); }
  static Tree Struct(absl::string_view type_name = {}) {
    return Tree(NodeKind::kStruct, type_name);
  }
  static Tree Custom(absl::string_view type_name) { return Tree(NodeKind::kCustom, type_name); }
  // Returns None for null.
  static Tree Shared(std::shared_ptr<Tree> node);

  Tree(Tree&& other) noexcept = default;
  Tree& operator=(Tree&& other) noexcept {
    Tree taken(std::move(other));  // `other` may be a descendant of this, which is destroyed here
    std::swap(leaf_, taken.leaf_);
    std::swap(node_, taken.node_);
    return *this;
  }
  ~Tree() {
    if (node_ != nullptr) Dismantle();
  }

  // Sets an entry of a dict or struct, replacing an existing one. A name is an attribute in a
  // struct and an item in a dict; an integer is an index. Chainable, like the next two. On a
  // temporary they return by value, so that `const Tree& tree = Tree::List().Add(...)` does not
  // dangle.
  template <typename K>
  Tree& With(const K& key, Tree child) & {
    return SetEntry(ToKey(key), std::move(child));
  }
  template <typename K>
  Tree With(const K& key, Tree child) && {
    return std::move(SetEntry(ToKey(key), std::move(child)));
  }
  // Appends a child to a list, tuple or custom.
  Tree& Add(Tree child) &;
  Tree Add(Tree child) && { return std::move(Add(std::move(child))); }
  // Tags any node.
  Tree& Tag(absl::string_view tag) &;
  Tree Tag(absl::string_view tag) && { return std::move(Tag(tag)); }

  // Returns the kind: kAlias for Shared.
  NodeKind kind() const { return node_ == nullptr ? LeafOrNone() : KindOfNode(); }

  // Returns whether With or Add was called on a node of a kind that cannot have such a child. The
  // call changed nothing else; flattening reports it as an error.
  bool misused() const { return node_ != nullptr && NodeIsMisused(); }

  // Each applies to the kinds in its comment; for other kinds it returns an empty result.
  const Leaf& leaf() const { return leaf_; }    // leaf
  Leaf& mutable_leaf() { return leaf_; }        // leaf
  const Entries& entries() const;               // dict, struct
  absl::Span<const Tree> items() const;         // list, tuple, custom
  absl::string_view type_name() const;          // struct, custom
  const std::shared_ptr<Tree>& shared() const;  // shared
  absl::Span<const std::string> tags() const {  // any
    return node_ == nullptr ? absl::Span<const std::string>() : TagsOfNode();
  }

  // Returns the child of a dict or struct by key (as in With), looking through Shared;
  // null if no such child exists. O(log children).
  template <typename K>
  const Tree* Find(const K& key) const {
    const Tree& tree = Content();
    return tree.FindEntry(tree.ToKey(key));
  }
  template <typename K>
  Tree* Find(const K& key) {
    return const_cast<Tree*>(std::as_const(*this).Find(key));
  }
  Tree* MutableItem(size_t index);  // of a list, tuple or custom; null if out of range

  // Returns a copy of the structure; leaves share their bytes. Nodes that are shared are shared
  // with each other in the copy, not with this tree. A cycle stays a cycle. O(nodes).
  Tree Clone() const;

 private:
  friend class internal::TreeWriter;

  struct Node;
  struct DeleteNode {
    void operator()(Node* node) const;
  };
  using NodePtr = std::unique_ptr<Node, DeleteNode>;

  explicit Tree(NodeKind kind, absl::string_view type_name = {});
  Node& MutableNode();
  // Returns the node that a Shared refers to; otherwise this.
  const Tree& Content() const;
  Key ToKey(absl::string_view name) const {
    return kind() == NodeKind::kStruct ? Key::Attribute(name) : Key::Item(name);
  }
  template <internal::IntegerType T>
  Key ToKey(T index) const {
    return Key::Index(static_cast<int64_t>(index));
  }
  const Key& ToKey(const Key& key) const { return key; }
  Tree& SetEntry(Key key, Tree child);
  const Tree* FindEntry(const Key& key) const;
  // Makes this a container without tags: one of this kind keeps its children, others get none.
  void BecomeContainer(NodeKind kind, absl::string_view type_name);
  Entries& mutable_entries();          // dict, struct
  std::vector<Tree>& mutable_items();  // list, tuple, custom
  // Removes all children from node_, so that its destructor does not recurse.
  void Dismantle();
  NodeKind LeafOrNone() const { return leaf_.null() ? NodeKind::kNone : NodeKind::kLeaf; }
  // These require node_.
  NodeKind KindOfNode() const;
  bool NodeIsMisused() const;
  absl::Span<const std::string> TagsOfNode() const;

  Leaf leaf_;
  NodePtr node_;  // null for None and for a leaf without tags
};

}  // namespace leafstore

#endif  // LEAFSTORE_TREEDEF_TREE_TREE_H_
