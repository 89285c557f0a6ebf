// ReportTree: the nodes above the leaves of one item, or of two that are compared.
//
//   ReportTree tree;
//   const ReportTree::Node layers = tree.Child(ReportTree::kRoot, KeyRef::Attribute("layers"));
//   const ReportTree::Node first = tree.Child(layers, KeyRef::Index(0));
//   std::vector<ReportTree::Node> order = tree.Preorder();
//
// A node is found again by its parent and its key, so that leaves of one path meet, whatever the
// order and the structure of the two. Children stand in the order in which they were first asked
// for.
//
// Texts are for people: harmless, and cut where they are long. Which nodes are one is not decided
// by them.
//
// Threads: one at a time.
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

  // The child by `key`, which is made if it is not there. O(length), expected.
  Node Child(Node parent, const KeyRef& key);
  // The node at a path, with those above it.
  Node At(const Path& path);

  size_t size() const { return nodes_.size(); }
  // Of the root kNone.
  Node parent(Node node) const { return nodes_[node].parent; }
  // The key as part of a dotted path, and of canonical text.
  const std::string& key(Node node) const { return nodes_[node].key; }
  const std::string& step(Node node) const { return nodes_[node].step; }

  // All nodes, each before its children, and these in order. O(nodes).
  std::vector<Node> Preorder() const;

 private:
  struct Entry {
    Node parent = kNone;
    Node first_child = kNone;
    Node last_child = kNone;
    Node next_sibling = kNone;
    std::string key;
    std::string step;
  };

  std::vector<Entry> nodes_;
  absl::flat_hash_map<std::pair<Node, std::string>, Node> index_;
};

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_REPORT_REPORT_TREE_H_
