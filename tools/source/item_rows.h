// ItemRows: what of a checkpoint's item is listed, and in which rows.
//
//   ItemRows rows = ItemRows::Create(item, {globs, 2}).value();
//   for (const Row& row : rows.rows()) ... rows.PrintablePath(row) ...
//
// Rows come in the order of the tree: a leaf, an alias, or (with a depth) a subtree rolled up into
// one. A leaf is listed if a glob matches it or a node above it; an alias likewise, by its own
// path. What the item does not hold is not listed, nor is a container without leaves.
//
// Paths that are no tree (an item may have such) have rows too, but no depth.
//
// Lifetime: valid as long as the item. Threads: immutable; safe from many threads.
#ifndef LEAFSTORE_TOOLS_SOURCE_ITEM_ROWS_H_
#define LEAFSTORE_TOOLS_SOURCE_ITEM_ROWS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/select/glob.h"
#include "leafstore/tools/source/source.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore::tools {

// Counts of leaves. Sums that are over an int64 stay at the largest.
struct Totals {
  int64_t leaves = 0;
  int64_t tensors = 0;
  int64_t parameters = 0;  // numbers in tensors
  int64_t bytes = 0;       // of tensors
  int64_t stored = 0;      // of these in files; less where some are compressed

  void Add(const EntryInfo& entry);
};

struct Row {
  enum Kind : uint8_t { kLeaf, kAlias, kSubtree };

  Kind kind = kLeaf;
  NodeId node = kNoNode;  // kNoNode where there is no tree
  // Of places(): the run of its leaves; of an alias it is empty.
  uint32_t begin = 0;
  uint32_t end = 0;
};

struct RowOptions {
  // Empty: everything.
  std::vector<GlobPattern> match;
  // Containers this many keys deep are rows.
  std::optional<uint32_t> depth;
};

class ItemRows {
 public:
  // error InvalidArgument: a depth, and the paths are no tree. O(nodes * globs).
  static absl::StatusOr<ItemRows> Create(const SourceItem& item, const RowOptions& options);

  const SourceItem& item() const { return *item_; }
  // The structure; none where the paths are no tree.
  const std::optional<TreeDef>& def() const { return def_; }
  // The places in the item of the leaves that are listed or in listed subtrees, in order.
  const std::vector<uint32_t>& places() const { return places_; }
  const std::vector<Row>& rows() const { return rows_; }
  absl::Span<const uint32_t> PlacesOf(const Row& row) const {
    return absl::MakeConstSpan(places_).subspan(row.begin, row.end - row.begin);
  }

  Totals TotalsOf(const Row& row) const;
  // Of all that is listed.
  Totals ListedTotals() const;
  // Of the whole item.
  Totals ItemTotals() const;

  // The dotted path, harmless to a terminal, "(root)" for the root; of some thousand bytes at most.
  std::string PrintablePath(const Row& row) const;
  std::string PrintablePath(NodeId node) const;
  // Canonical and dotted text. error: as TreeDef's.
  absl::StatusOr<std::string> PathText(const Row& row) const;
  absl::StatusOr<std::string> Dotted(const Row& row) const;
  // error ResourceExhausted: the paths of all rows together are over the limit of CheckPathText.
  absl::Status CheckPathText() const;

 private:
  explicit ItemRows(const SourceItem& item) : item_(&item) {}

  void ListTree(const RowOptions& options);
  void ListNode(NodeId node, bool roll_up, const std::vector<bool>& matched);
  void ListPaths(const std::vector<GlobPattern>& match);
  // Adds the place of a leaf of the tree, if it is held and matched.
  void AddPlace(NodeId node, const std::vector<bool>& matched);
  bool HoldsAnyOf(NodeId node) const;
  Slot SlotOf(const Row& row) const { return item_->slots().SlotAt(places_[row.begin]); }

  const SourceItem* item_;
  std::optional<TreeDef> def_;
  std::vector<uint32_t> places_;
  std::vector<Row> rows_;
};

// error ResourceExhausted: the texts of the paths of these nodes exceed the limit for many paths
// together (treedef/internal/path_cursor.h). O(nodes).
absl::Status CheckPathText(const TreeDef& def, absl::Span<const NodeId> nodes);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_SOURCE_ITEM_ROWS_H_
