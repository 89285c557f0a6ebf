#include "leafstore/treedef/print.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "absl/strings/str_cat.h"

#include "leafstore/treedef/internal/path_cursor.h"

namespace leafstore {
namespace {

constexpr size_t kMaxIndent = 40;

class TreeDefPrinter {
 public:
  TreeDefPrinter(const TreeDef& def, uint32_t max_nodes, uint32_t max_children)
      : def_(def), max_nodes_(max_nodes), max_children_(max_children) {}

  std::string Run() {
    NodeId node = kRootNode;
    while (node < def_.node_count()) {
      while (!open_.empty() && open_.back().end == node) open_.pop_back();
      if (printed_ == max_nodes_) {
        Omit(def_.node_count() - node);
        break;
      }
      if (!open_.empty() && open_.back().children++ == max_children_) {
        Omit(open_.back().end - node);
        node = open_.back().end;
        continue;
      }
      node = Print(node);
    }
    return std::move(out_);
  }

 private:
  // A container whose children are being printed.
  struct Open {
    NodeId end;
    uint32_t children;
  };

  // Prints a node, and returns the next one.
  NodeId Print(NodeId node) {
    Indent();
    if (node != kRootNode) {
      out_ += internal::KeyForMessage(def_.key(node));
      out_.append(": ");
    }
    AppendKind(node);
    AppendTags(node);
    out_.push_back('\n');
    ++printed_;
    if (def_.end(node) > node + 1) open_.push_back({def_.end(node), 0});
    return node + 1;
  }

  void Indent() {
    const size_t level = open_.size();
    out_.append(2 * std::min<size_t>(level, kMaxIndent), ' ');
    if (level > kMaxIndent) absl::StrAppend(&out_, "(", level, ") ");
  }

  void AppendKind(NodeId node) {
    const NodeKind kind = def_.kind(node);
    absl::StrAppend(&out_, NodeKindName(kind));
    if (kind == NodeKind::kAlias) {
      absl::StrAppend(&out_, " of ", def_.PathForMessage(def_.alias_target(node)));
    } else if (!def_.type_name(node).empty()) {
      absl::StrAppend(&out_, " ", internal::NameForMessage(def_.type_name(node)));
    }
    if (IsContainer(kind) && kind != NodeKind::kStruct) {
      absl::StrAppend(&out_, " of ", def_.child_count(node));
    }
    if (node == kRootNode && IsContainer(kind)) {
      absl::StrAppend(&out_, ", ", def_.leaf_count(), def_.leaf_count() == 1 ? " leaf" : " leaves");
    }
  }

  void AppendTags(NodeId node) {
    if (!def_.has_tags()) return;
    const size_t tags = def_.tags(node).size();
    if (tags == 0) return;
    absl::StrAppend(&out_, tags == 1 ? ", tag " : ", tags ", internal::TagsForMessage(def_, node));
  }

  void Omit(uint32_t nodes) {
    Indent();
    absl::StrAppend(&out_, "... ", nodes, nodes == 1 ? " more node\n" : " more nodes\n");
  }

  const TreeDef& def_;
  const uint32_t max_nodes_;
  const uint32_t max_children_;
  std::vector<Open> open_;  // as many as the level of the next node
  uint32_t printed_ = 0;
  std::string out_;
};

}  // namespace

std::string PrintTreeDef(const TreeDef& def, uint32_t max_nodes, uint32_t max_children) {
  return TreeDefPrinter(def, max_nodes, max_children).Run();
}

}  // namespace leafstore
