// PathCursor: makes the text of the paths of many nodes, each key once. All path text is made here.
//
//   PathCursor cursor(PathForm::kDotted);
//   cursor.Push(KeyRef::Attribute("layers"));
//   cursor.Push(KeyRef::Index(0));
//   cursor.text();                              // "layers.0"
//   cursor.Pop();
//   cursor.text();                              // "layers"
//
//   for (NodeId node = 0; node < def.node_count(); ++node) {   // along a tree
//     if (!cursor.Enter(def, node)) ...;                       // the path is too long
//     cursor.text();
//   }
//
// Messages show canonical text, too, but at most a few hundred bytes: a long path loses its middle.
//
// Limits. One path has at most Path::kMaxTextSize bytes. Many paths that are printed together have
// at most MaxTotalText bytes, so a hostile tree of depth n with a leaf at each level cannot demand
// n * n bytes of text. Code that keeps or prints many paths counts their text with a TextBudget.
//
// Threads: a PathCursor belongs to one thread.
#ifndef LEAFSTORE_TREEDEF_INTERNAL_PATH_CURSOR_H_
#define LEAFSTORE_TREEDEF_INTERNAL_PATH_CURSOR_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/core/key.h"
#include "leafstore/core/path.h"
#include "leafstore/treedef/internal/treedef_rep.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore::internal {

// Returns the maximum total size of the texts of `paths` paths, in bytes.
constexpr uint64_t MaxTotalText(uint64_t paths) { return (uint64_t{64} << 20) + 256 * paths; }

// Limits the total text of paths that are kept or printed together.
//
//   TextBudget budget(slots.size());
//   for (...) LEAFSTORE_RETURN_IF_ERROR(budget.Spend(text.size()));
class TextBudget {
 public:
  explicit TextBudget(uint64_t paths) : paths_(paths), left_(MaxTotalText(paths)) {}

  // Counts `size` more bytes. error ResourceExhausted: the total exceeds MaxTotalText. O(1).
  absl::Status Spend(uint64_t size) {
    if (size > left_) return Exceeded();
    left_ -= size;
    return absl::OkStatus();
  }

 private:
  absl::Status Exceeded() const;

  uint64_t paths_;
  uint64_t left_;
};

class PathCursor {
 public:
  static constexpr size_t kNoLimit = std::numeric_limits<size_t>::max();

  // Begins at the root, whose text is empty.
  explicit PathCursor(PathForm form, size_t max_size = Path::kMaxTextSize)
      : form_(form), max_size_(max_size) {}

  // Appends a key. Returns false, and changes nothing, if the text would exceed the limit.
  // O(length of the key).
  bool Push(const KeyRef& key) { return Push(key, kNoNode); }
  // Removes the last key; there must be one. O(1).
  void Pop();

  // Goes to `node`. Nodes must be entered in preorder, each after its parent; subtrees may be
  // skipped. Returns false if the text would exceed the limit; the caller must then skip the
  // entire subtree. O(length of the key), amortized.
  bool Enter(const TreeDef& def, NodeId node);

  // Returns the number of keys.
  size_t depth() const { return levels_.size(); }
  // Returns the text. Valid until the next non-const call.
  const std::string& text() const { return text_; }

 private:
  // A key of the path: where its text begins, and the end of its node's subtree.
  struct Level {
    size_t begin;
    NodeId end;
  };

  bool Push(const KeyRef& key, NodeId end);

  const PathForm form_;
  const size_t max_size_;
  std::string text_;
  std::vector<Level> levels_;
};

// Returns the length of each node's canonical text. O(total length of the keys).
std::vector<uint64_t> PathTextSizes(const TreeDef& def);

// Returns the error that the path of `node` exceeds Path::kMaxTextSize.
absl::Status PathTooLong(absl::string_view path_for_message);

// Returns the canonical or dotted text, as TreeDef::PathText and TreeDef::Dotted.
absl::StatusOr<std::string> PathText(const TreeDefColumns& columns, NodeId node, PathForm form);

// Returns the canonical text, as TreeDef::PathForMessage.
std::string PathForMessage(const TreeDefColumns& columns, NodeId node);
std::string PathForMessage(const Path& path);

// Returns the canonical text of `key`. O(1).
std::string KeyForMessage(const KeyRef& key);

// Returns "dict of 3", "alias of .a" or "leaf". O(1).
std::string NodeForMessage(const TreeDef& def, NodeId node);

// Returns the tags of `node` as "decay, large", or "" without any. O(tags).
std::string TagsForMessage(const TreeDef& def, NodeId node);

// Returns `name` (a type name or tag; any bytes) for a message: unchanged if it is short and plain,
// otherwise quoted, without its middle if it is long. O(1).
std::string NameForMessage(absl::string_view name);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_TREEDEF_INTERNAL_PATH_CURSOR_H_
