// Tree: a model's structure and leaves as data, for models that are no C++ struct.
//
//   Tree model = Tree::Struct("Mlp")
//                    .With("layers", Tree::List().Add(Tree(w0)).Add(Tree(w1)))
//                    .With("activation", Value("gelu"));
//   model.Find("layers")->items()[0].leaf().tensor();
//
// A node is none, a leaf (tensor or value), a dict (string or int64 keys), a list, a tuple, a
// struct (attributes, and a type name if it has one), a custom (items and a type name), or one of
// two ways to say that a node occurs more than once:
//
//   Tree::Shared(pointer)   the same std::shared_ptr<Tree> wherever the node occurs;
//   Tree::Tied(name, node)  the node, under a name, and Tree::TiedTo(name) elsewhere: what a file
//                           or a language without pointers gives.
//
// Either way flattening makes one set of leaves, owned by the first occurrence. Any node may have
// tags, which filters can ask for.
//
// Move-only, so that no copy of a large tree is made by accident; Clone makes one. Depth has no
// limit: destruction and Clone do not recurse. Errors of structure (a dict with both kinds of keys,
// an entry added to a list, a tie to no node, a cycle) are found by flattening, not here.
//
// A node that was moved from is as it was or None; a tree whose tensors were moved out by
// flattening has None in their place.
//
// Threads: const calls on one tree are safe from many threads. Two trees that share nodes are one
// tree in this.
#ifndef LEAFSTORE_TREEDEF_TREE_TREE_H_
#define LEAFSTORE_TREEDEF_TREE_TREE_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/core/leaf.h"
#include "leafstore/core/value.h"

namespace leafstore {

namespace internal {
class TreeWriter;  // unflatten_tree.cc
}  // namespace internal

enum class TreeKind : uint8_t {
  kNone,
  kLeaf,
  kDict,
  kList,
  kTuple,
  kStruct,
  kCustom,
  kShared,
  kTied,
  kTiedTo,
};

// The key of a dict entry: a string or an int64. Numbers sort before strings.
class DictKey {
 public:
  DictKey(absl::string_view name) : name_(name.data(), name.size()) {}  // NOLINT: literal keys
  DictKey(std::string name) : name_(std::move(name)) {}                 // NOLINT
  DictKey(const char* name) : name_(name) {}                            // NOLINT
  template <internal::IntegerType T>
  DictKey(T number) : is_int_(true), number_(number) {}  // NOLINT

  bool is_int() const { return is_int_; }
  int64_t number() const { return number_; }
  const std::string& name() const { return name_; }

  friend bool operator==(const DictKey&, const DictKey&) = default;
  friend std::strong_ordering operator<=>(const DictKey& a, const DictKey& b) {
    if (a.is_int_ != b.is_int_) return b.is_int_ <=> a.is_int_;
    if (a.is_int_) return a.number_ <=> b.number_;
    return a.name_.compare(b.name_) <=> 0;
  }

 private:
  bool is_int_ = false;
  int64_t number_ = 0;
  std::string name_;
};

class Tree {
 public:
  using Entries = absl::btree_map<DictKey, Tree>;

  // None.
  Tree() = default;
  Tree(Leaf leaf) : leaf_(std::move(leaf)) {}        // NOLINT: a leaf is a tree; if null, None
  Tree(Tensor tensor) : leaf_(std::move(tensor)) {}  // NOLINT
  Tree(Value value) : leaf_(std::move(value)) {}     // NOLINT
  static Tree None() { return Tree(); }
  static Tree Dict(Entries entries = {});
  static Tree List(std::vector<Tree> items = {});
  static Tree Tuple(std::vector<Tree> items = {});
  static Tree Struct(absl::string_view type_name = {}, Entries entries = {});
  static Tree Custom(absl::string_view type_name, std::vector<Tree> items = {});
  // Null makes None.
  static Tree Shared(std::shared_ptr<Tree> node);
  static Tree Tied(absl::string_view name, Tree node);
  static Tree TiedTo(absl::string_view name);

  Tree(Tree&& other) noexcept = default;
  Tree& operator=(Tree&& other) noexcept {
    Tree taken(std::move(other));  // which may lie below this one, and that dies here
    std::swap(leaf_, taken.leaf_);
    std::swap(node_, taken.node_);
    return *this;
  }
  ~Tree() {
    if (node_ != nullptr) Dismantle();
  }

  // Of a dict or struct: sets the entry, replacing what was there. Chainable, as the next two are;
  // on a temporary by value, so that `const Tree& tree = Tree::List().Add(...)` lives on.
  Tree& With(DictKey key, Tree child) &;
  Tree With(DictKey key, Tree child) && {
    return std::move(With(std::move(key), std::move(child)));
  }
  // Of a list, tuple or custom: appends.
  Tree& Add(Tree child) &;
  Tree Add(Tree child) && { return std::move(Add(std::move(child))); }
  // Of any node.
  Tree& Tag(absl::string_view tag) &;
  Tree Tag(absl::string_view tag) && { return std::move(Tag(tag)); }

  TreeKind kind() const { return node_ == nullptr ? LeafOrNone() : KindOfNode(); }
  bool is_leaf() const { return kind() == TreeKind::kLeaf; }

  // Whether With or Add was called on a node whose kind cannot take it, which did nothing else.
  // Flattening makes it an error.
  bool misused() const { return node_ != nullptr && NodeIsMisused(); }

  // Each is for the kinds it names; on another kind it gives something empty.
  const Leaf& leaf() const { return leaf_; }    // leaf
  Leaf& mutable_leaf() { return leaf_; }        // leaf
  const Entries& entries() const;               // dict, struct
  absl::Span<const Tree> items() const;         // list, tuple, custom
  absl::string_view type_name() const;          // struct, custom
  const std::shared_ptr<Tree>& shared() const;  // shared
  absl::string_view tie_name() const;           // tied, tiedto
  const Tree* tied() const;                     // tied; null otherwise
  absl::Span<const std::string> tags() const {  // any
    return node_ == nullptr ? absl::Span<const std::string>() : TagsOfNode();
  }

  // The child of a dict or struct by key, looking through Shared and Tied; null if there is none.
  // O(log children).
  const Tree* Find(const DictKey& key) const;
  Tree* Find(const DictKey& key);
  Tree* MutableItem(size_t index);  // of a list, tuple or custom; null if there is none

  // A copy of the structure; leaves share their bytes. Nodes that are shared stay shared, with
  // each other in the copy, not with this tree. A cycle stays one. O(nodes).
  Tree Clone() const;

 private:
  friend class internal::TreeWriter;

  struct Node;
  struct DeleteNode {
    void operator()(Node* node) const;
  };
  using NodePtr = std::unique_ptr<Node, DeleteNode>;

  explicit Tree(NodePtr node) : node_(std::move(node)) {}
  static Tree Make(TreeKind kind);
  Node& MutableNode();
  // Makes this a container without tags: one of this kind keeps its children, others get none.
  void BecomeContainer(TreeKind kind, absl::string_view type_name);
  Entries& mutable_entries();          // dict, struct
  std::vector<Tree>& mutable_items();  // list, tuple, custom
  // Takes all children out of node_, so that its destructor does not recurse.
  void Dismantle();
  TreeKind LeafOrNone() const { return leaf_.null() ? TreeKind::kNone : TreeKind::kLeaf; }
  // Of node_, which is there.
  TreeKind KindOfNode() const;
  bool NodeIsMisused() const;
  absl::Span<const std::string> TagsOfNode() const;

  Leaf leaf_;
  NodePtr node_;  // null for None and for a leaf without tags
};

}  // namespace leafstore

#endif  // LEAFSTORE_TREEDEF_TREE_TREE_H_
