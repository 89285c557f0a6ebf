#include "leafstore/tools/report/report_tree.h"

#include "leafstore/tools/present/text.h"

namespace leafstore::tools {
namespace {

// Keys are cut to this many columns: a file can hold megabytes.
std::string ShownKey(const std::string& text) { return CutMiddle(text, 1024); }

}  // namespace

ReportTree::Node ReportTree::Child(Node parent, const KeyRef& key) {
  std::string text;
  AppendKeyText(key, &text);
  const auto [found, is_new] =
      index_.try_emplace({parent, std::move(text)}, static_cast<Node>(nodes_.size()));
  if (is_new) {
    nodes_[parent].children.push_back(found->second);
    nodes_.push_back(
        {parent, {}, ShownKey(PrintableKey(key)), ShownKey(Printable(found->first.second))});
  }
  return found->second;
}

ReportTree::Node ReportTree::At(const Path& path) {
  Node node = kRoot;
  for (const Key& key : path.keys()) node = Child(node, key.ref());
  return node;
}

std::vector<ReportTree::Node> ReportTree::Preorder() const {
  std::vector<Node> order;
  std::vector<Node> next = {kRoot};
  while (!next.empty()) {
    order.push_back(next.back());
    next.pop_back();
    const std::vector<Node>& children = nodes_[order.back()].children;
    next.insert(next.end(), children.rbegin(), children.rend());
  }
  return order;
}

}  // namespace leafstore::tools
