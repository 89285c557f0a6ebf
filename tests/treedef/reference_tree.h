// ReferenceTree: a naive TreeDef to compare with, of nodes that own their children, with recursion.
#ifndef LEAFSTORE_TESTS_TREEDEF_REFERENCE_TREE_H_
#define LEAFSTORE_TESTS_TREEDEF_REFERENCE_TREE_H_

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "leafstore/core/path.h"
#include "leafstore/treedef/treedef.h"
#include "leafstore/treedef/treedef_builder.h"

#include "tests/core/random_keys.h"

namespace leafstore {

struct ReferenceNode {
  NodeKind kind = NodeKind::kLeaf;
  std::string type_name;
  std::set<std::string> tags;
  std::vector<Key> keys;
  std::vector<std::unique_ptr<ReferenceNode>> children;
  const ReferenceNode* owner = nullptr;  // of an alias

  // Set by Number.
  NodeId node = 0;
  NodeId parent = kNoNode;
  NodeId end = 0;
  uint32_t leaf_begin = 0;
  Path path;
};

class ReferenceTree {
 public:
  // Makes a random tree of about `max_nodes` nodes at most.
  ReferenceTree(Random& random, size_t max_nodes) : left_(max_nodes) {
    root_ = Make(random, 0);
    uint32_t leaves = 0;
    Number(root_.get(), kNoNode, Path(), &leaves);
  }

  const ReferenceNode& root() const { return *root_; }
  // Returns the nodes, in preorder.
  const std::vector<const ReferenceNode*>& nodes() const { return nodes_; }

  // Returns the structure, built with random choices wherever they must not affect the result.
  TreeDef Tell(Random& random) const {
    TreeDefBuilder builder;
    TellNode(*root_, random, &builder);
    return std::move(builder).Build().value();
  }

  // Returns the node at `path`, following aliases, or null.
  const ReferenceNode* Find(const Path& path) const {
    const ReferenceNode* node = root_.get();
    for (const Key& key : path.keys()) {
      if (node->owner != nullptr) node = node->owner;
      const ReferenceNode* next = nullptr;
      for (size_t i = 0; i < node->keys.size(); ++i) {
        if (node->keys[i] == key) next = node->children[i].get();
      }
      if (next == nullptr) return nullptr;
      node = next;
    }
    return node;
  }

  // Returns all nodes that have the dotted name, found by trying every path.
  std::set<NodeId> FindDotted(const std::string& name) const {
    std::set<NodeId> found;
    if (name.empty()) found.insert(root_->node);
    FindDottedBelow(*root_, "", name, &found);
    return found;
  }

 private:
  std::unique_ptr<ReferenceNode> Make(Random& random, int depth) {
    auto node = std::make_unique<ReferenceNode>();
    if (left_ > 0) --left_;
    if (RandomBelow(random, 5) == 0) node->tags.insert(RandomTag(random));
    if (RandomBelow(random, 9) == 0) node->tags.insert(RandomTag(random));
    const size_t choice = RandomBelow(random, depth == 0 ? 5 : 10);
    if (choice < 5) {
      MakeContainer(random, depth, static_cast<int>(choice), node.get());
    } else if (choice == 5) {
      node->kind = NodeKind::kNone;
    } else if (choice == 6 && !complete_.empty()) {
      node->kind = NodeKind::kAlias;
      node->owner = complete_[RandomBelow(random, complete_.size())];
      return node;
    }
    complete_.push_back(node.get());
    return node;
  }

  void MakeContainer(Random& random, int depth, int choice, ReferenceNode* node) {
    constexpr NodeKind kKinds[] = {NodeKind::kStruct, NodeKind::kDict, NodeKind::kList,
                                   NodeKind::kTuple, NodeKind::kCustom};
    node->kind = kKinds[choice];
    if (node->kind == NodeKind::kCustom) node->type_name = "Custom";
    if (node->kind == NodeKind::kStruct && RandomBelow(random, 2) == 0) node->type_name = "Linear";
    const size_t count = std::min(left_, depth == 0 ? 8 : RandomBelow(random, 6));
    std::set<Key> keys;
    const bool int_keys = RandomBelow(random, 3) == 0;
    for (size_t i = 0; i < count; ++i) {
      if (node->kind == NodeKind::kStruct) {
        keys.insert(Key::Attribute(RandomShortName(random)));
      } else if (node->kind == NodeKind::kDict) {
        keys.insert(int_keys ? Key::Index(RandomIndex(random))
                             : Key::Item(RandomShortName(random)));
      } else {
        keys.insert(Key::Index(static_cast<int64_t>(i)));
      }
    }
    node->keys.assign(keys.begin(), keys.end());
    for (size_t i = 0; i < keys.size(); ++i) node->children.push_back(Make(random, depth + 1));
  }

  // Returns a name; many are equal, and many contain dots.
  static std::string RandomShortName(Random& random) {
    constexpr const char* kNames[] = {"a", "b", "a.b", "", ".", "0", "b.a", "w", "a.0"};
    if (RandomBelow(random, 4) == 0) return RandomName(random);
    return kNames[RandomBelow(random, std::size(kNames))];
  }
  static std::string RandomTag(Random& random) {
    constexpr const char* kTags[] = {"decay", "a", "frozen", "Linear"};
    return kTags[RandomBelow(random, std::size(kTags))];
  }

  void Number(ReferenceNode* node, NodeId parent, const Path& path, uint32_t* leaves) {
    node->node = static_cast<NodeId>(nodes_.size());
    node->parent = parent;
    node->path = path;
    node->leaf_begin = *leaves;
    nodes_.push_back(node);
    if (node->kind == NodeKind::kLeaf) ++*leaves;
    for (size_t i = 0; i < node->children.size(); ++i) {
      Path child = path;
      child.Append(node->keys[i]);
      Number(node->children[i].get(), node->node, child, leaves);
    }
    node->end = static_cast<NodeId>(nodes_.size());
  }

  static void TellNode(const ReferenceNode& node, Random& random, TreeDefBuilder* builder) {
    if (node.owner != nullptr) {
      builder->Alias(node.owner->node);
    } else if (node.kind == NodeKind::kLeaf) {
      builder->Leaf();
    } else if (node.kind == NodeKind::kNone) {
      builder->None();
    } else {
      builder->Open(node.kind, node.type_name);
    }
    for (auto tag = node.tags.rbegin(); tag != node.tags.rend(); ++tag) builder->Tag(*tag);
    if (!node.tags.empty() && RandomBelow(random, 2) == 0) builder->Tag(*node.tags.begin());
    if (!IsContainer(node.kind)) return;
    const bool positional = node.kind != NodeKind::kDict && node.kind != NodeKind::kStruct;
    for (size_t i = 0; i < node.children.size(); ++i) {
      if (!positional || RandomBelow(random, 2) == 0) builder->SetKey(node.keys[i].ref());
      TellNode(*node.children[i], random, builder);
    }
    builder->Close();
  }

  static void FindDottedBelow(const ReferenceNode& node, const std::string& text,
                              const std::string& name, std::set<NodeId>* found) {
    const ReferenceNode& owner = node.owner != nullptr ? *node.owner : node;
    for (size_t i = 0; i < owner.children.size(); ++i) {
      std::string child = text;
      AppendDottedKey(owner.keys[i].ref(), &child);
      if (child == name) found->insert(owner.children[i]->node);
      child += ".";
      if (name.compare(0, child.size(), child) == 0) {
        FindDottedBelow(*owner.children[i], child, name, found);
      }
    }
  }

  size_t left_;
  std::unique_ptr<ReferenceNode> root_;
  std::vector<const ReferenceNode*> complete_;
  std::vector<const ReferenceNode*> nodes_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_TREEDEF_REFERENCE_TREE_H_
