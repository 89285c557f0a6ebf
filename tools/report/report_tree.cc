#include "leafstore/tools/report/report_tree.h"

#include "leafstore/tools/present/text.h"

namespace leafstore::tools {
namespace {

// A key is shown to about this many bytes: a file can hold keys of megabytes.
constexpr size_t kMaxShownKey = 1024;

std::string Shown(const std::string& text) { return CutMiddle(text, kMaxShownKey); }

}  // namespace

ReportTree::Node ReportTree::Child(Node parent, const KeyRef& key) {
  std::string text;
  AppendKeyText(key, &text);
  const auto [found, is_new] =
      index_.try_emplace({parent, std::move(text)}, static_cast<Node>(nodes_.size()));
  if (!is_new) return found->second;
  const Node node = found->second;
  Entry entry;
  entry.parent = parent;
  entry.key = Shown(PrintableKey(key));
  entry.step = Shown(Printable(found->first.second));
  nodes_.push_back(std::move(entry));
  Entry& above = nodes_[parent];
  if (above.last_child == kNone) {
    above.first_child = node;
  } else {
    nodes_[above.last_child].next_sibling = node;
  }
  above.last_child = node;
  return node;
}

ReportTree::Node ReportTree::At(const Path& path) {
  Node node = kRoot;
  for (const Key& key : path.keys()) node = Child(node, key.ref());
  return node;
}

std::vector<ReportTree::Node> ReportTree::Preorder() const {
  std::vector<Node> order;
  order.reserve(nodes_.size());
  Node node = kRoot;
  while (node != kNone) {
    order.push_back(node);
    if (nodes_[node].first_child != kNone) {
      node = nodes_[node].first_child;
      continue;
    }
    while (node != kNone && nodes_[node].next_sibling == kNone) node = nodes_[node].parent;
    if (node != kNone) node = nodes_[node].next_sibling;
  }
  return order;
}

}  // namespace leafstore::tools
