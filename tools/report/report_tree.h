// ReportTree: the nodes above the leaves of one item, or of two that are compared.
//
//   ReportTree tree;
//   const ReportTree::Node layers = tree.Child(ReportTree::kRoot, KeyRef::Attribute("layers"));
//   const ReportTree::Node first = tree.Child(layers, KeyRef::Index(0));
//
// A node is identified by its parent and its key, so that equal paths of two items are one node,
// whatever their order and structure. Children are in the order of their creation.
#ifndef LEAFSTORE_TOOLS_REPORT_REPORT_TREE_H_
#define LEAFSTORE_TOOLS_REPORT_REPORT_TREE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "leafstore/core/key.h"
#include "leafstore/core/path.h"

namespace leafstore::tools {

class ReportTree {
 public:
  using Node = uint32_t;
  static constexpr Node kRoot = 0;
  static constexpr Node kNone = 0xffffffff;

  ReportTree() : nodes_(1) {}

  // Returns the child with this key; creates it if it does not exist. O(length), expected.
  Node Child(Node parent, const KeyRef& key);
  // Returns the node at a path; creates it and its ancestors if they do not exist.
  Node At(const Path& path);

  size_t size() const { return nodes_.size(); }
  // Returns kNone for the root.
  Node parent(Node node) const { return nodes_[node].parent; }
  // Return the key as part of a dotted path, and of canonical text; cut where it is long.
  const std::string& key(Node node) const { return nodes_[node].key; }
  const std::string& step(Node node) const { return nodes_[node].step; }

  // Returns all nodes in preorder. O(nodes).
  std::vector<Node> Preorder() const;

 private:
  struct Entry {
    Node parent = kNone;
    std::vector<Node> children;
    std::string key;
    std::string step;
  };

  std::vector<Entry> nodes_;
  absl::flat_hash_map<std::pair<Node, std::string>, Node> index_;
};

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_REPORT_REPORT_TREE_H_
