#include "leafstore/store/internal/layout_of_paths.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/quoted_path.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/treedef/treedef_builder.h"

namespace leafstore::internal {
namespace {

// A node of the trie of all paths, in preorder.
struct TrieNode {
  const Key* key = nullptr;    // from its parent; null for the root
  const Path* path = nullptr;  // the first path through it
  int depth = 0;               // the number of keys before it
  KeyKind child_kind = {};     // of its first child's key
  int64_t children = 0;
  bool counts_up = true;  // its children's indices are 0, 1, 2, ...
};

absl::Status Conflict(const Path& a, const Path& b, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("paths that do not form a tree: ", QuotedPath(a.ToString()), " and ",
                   QuotedPath(b.ToString()), ": ", why));
}

size_t CommonKeys(const Path& a, const Path& b) {
  size_t same = 0;
  while (same < a.size() && same < b.size() && a.keys()[same] == b.keys()[same]) ++same;
  return same;
}

// Adds the nodes of `path` that the previous path, `last`, does not have. `open` has the nodes from
// the root to that path.
absl::Status AddPath(const Path& path, const Path* last, std::vector<TrieNode>* nodes,
                     std::vector<size_t>* open) {
  size_t same = 0;
  if (last == nullptr) {
    nodes->push_back({nullptr, &path});
    open->push_back(0);
  } else {
    same = CommonKeys(*last, path);
    if (same == last->size()) {
      return Conflict(*last, path, "the first is a leaf, so nothing can be below it");
    }
  }
  open->resize(same + 1);
  for (size_t i = same; i < path.size(); ++i) {
    TrieNode& parent = (*nodes)[open->back()];
    const Key& key = path.keys()[i];
    if (parent.children == 0) parent.child_kind = key.kind();
    if (key.kind() != parent.child_kind) {
      return Conflict(*parent.path, path, "one container has keys of two kinds");
    }
    parent.counts_up = parent.counts_up && key.index() == parent.children;
    ++parent.children;
    open->push_back(nodes->size());
    nodes->push_back({&key, &path, static_cast<int>(i) + 1});
  }
  return absl::OkStatus();
}

NodeKind ContainerKind(const TrieNode& node) {
  switch (node.child_kind) {
    case KeyKind::kAttribute:
      return NodeKind::kStruct;
    case KeyKind::kItem:
      return NodeKind::kDict;
    case KeyKind::kIndex:
      break;
  }
  return node.counts_up ? NodeKind::kList : NodeKind::kDict;
}

}  // namespace

absl::StatusOr<TreeDef> TreeDefOfPaths(absl::Span<const Path> sorted_paths) {
  if (sorted_paths.empty()) return TreeDef();
  std::vector<TrieNode> nodes;
  std::vector<size_t> path_nodes;
  const Path* last = nullptr;
  for (const Path& path : sorted_paths) {
    LEAFSTORE_RETURN_IF_ERROR(AddPath(path, last, &nodes, &path_nodes));
    last = &path;
  }
  TreeDefBuilder builder;
  int open = 0;  // containers
  for (const TrieNode& node : nodes) {
    for (; open > node.depth; --open) builder.Close();
    if (node.key != nullptr) builder.SetKey(node.key->ref());
    if (node.children == 0) {
      builder.Leaf();
    } else {
      builder.Open(ContainerKind(node));
      ++open;
    }
  }
  for (; open > 0; --open) builder.Close();
  return std::move(builder).Build();
}

}  // namespace leafstore::internal
