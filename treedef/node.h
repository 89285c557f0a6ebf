// NodeKind and NodeId: the kinds of the nodes of a TreeDef or Tree, and their ids.
#ifndef LEAFSTORE_TREEDEF_NODE_H_
#define LEAFSTORE_TREEDEF_NODE_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace leafstore {

// The values are written to disk and never change.
enum class NodeKind : uint8_t {
  kLeaf = 1,
  kNone = 2,
  kDict = 3,
  kList = 4,
  kTuple = 5,
  kStruct = 6,
  kAlias = 7,
  kCustom = 8,
};

// Returns "leaf", "none", "dict", "list", "tuple", "struct", "alias" or "custom".
absl::string_view NodeKindName(NodeKind kind);

// Returns whether the children of nodes of this kind have keys of their own; those of a list,
// tuple or custom have positions.
constexpr bool HasKeys(NodeKind kind) {
  return kind == NodeKind::kDict || kind == NodeKind::kStruct;
}

// Returns whether nodes of this kind have children.
constexpr bool IsContainer(NodeKind kind) {
  return kind == NodeKind::kDict || kind == NodeKind::kList || kind == NodeKind::kTuple ||
         kind == NodeKind::kStruct || kind == NodeKind::kCustom;
}

// The index of a node in preorder; the root is 0.
using NodeId = uint32_t;
inline constexpr NodeId kRootNode = 0;
inline constexpr NodeId kNoNode = 0xffffffff;

}  // namespace leafstore

#endif  // LEAFSTORE_TREEDEF_NODE_H_
