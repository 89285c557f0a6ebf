// The texts of paths, out of the columns of a TreeDef or of one still being built. For treedef/
// alone; others ask the TreeDef.
//
// All walk parent links, without recursion and without a copy of the path.
#ifndef LEAFSTORE_TREEDEF_INTERNAL_PATH_TEXT_H_
#define LEAFSTORE_TREEDEF_INTERNAL_PATH_TEXT_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/core/key.h"
#include "leafstore/treedef/internal/treedef_columns.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore::internal {

inline absl::string_view StringOf(const TreeDefColumns& columns, uint32_t id) {
  const uint32_t begin = columns.string_begins[id];
  return absl::string_view(columns.strings.data() + begin, columns.string_begins[id + 1] - begin);
}

// The key of a child of `parent` that is stored as `stored` (TreeDefColumns::keys).
inline KeyRef KeyUnder(const TreeDefColumns& columns, NodeId parent, uint32_t stored) {
  switch (columns.kinds[parent]) {
    case NodeKind::kStruct:
      return KeyRef::Attribute(StringOf(columns, stored));
    case NodeKind::kDict:
      if (columns.aux[parent] != 0) return KeyRef::Index(columns.ints[stored]);
      return KeyRef::Item(StringOf(columns, stored));
    default:
      return KeyRef::Index(stored);
  }
}

inline KeyRef KeyOf(const TreeDefColumns& columns, NodeId node) {
  if (node == kRootNode) return KeyRef::Index(0);
  return KeyUnder(columns, columns.parents[node], columns.keys[node]);
}

// error ResourceExhausted: longer than Path::kMaxTextSize. O(length).
absl::StatusOr<std::string> PathTextOf(const TreeDefColumns& columns, NodeId node);
absl::StatusOr<std::string> DottedOf(const TreeDefColumns& columns, NodeId node);

// The canonical text, some hundred bytes of it where it is longer; "(root)" for the root. O(1):
// very deep paths are shown without their beginning.
std::string PathForMessage(const TreeDefColumns& columns, NodeId node);

// Appends the canonical text of `key`, with the middle of a long name left out. O(1).
void AppendKeyForMessage(const KeyRef& key, std::string* out);

// `name` (a type name or tag) for a message: as it is where it is short and plain, else quoted,
// with the middle left out where it is long. Any bytes. O(1).
std::string NameForMessage(absl::string_view name);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_TREEDEF_INTERNAL_PATH_TEXT_H_
