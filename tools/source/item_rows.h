// ItemRows: the listed leaves of an item, and their rows.
//
//   ItemRows rows = ItemRows::Create(item, {globs, 2}).value();
//   for (const Row& row : rows.rows()) ... rows.PrintablePath(row) ...
//
// Rows are in the order of the tree (row_order.h): a leaf, an alias, or (with a depth) a subtree as
// one row. A leaf is listed if the item holds it and a glob matches it or a node above it; an alias
// likewise, by its own path. With `containers`, every node above a listed row is a row too; if
// neither globs nor the item omit anything, so are empty containers and None. Paths that do not
// form a tree (an item may have such) have rows too, but no depth.
//
// Lifetime: valid as long as the item. Threads: immutable; thread-safe.
#ifndef LEAFSTORE_TOOLS_SOURCE_ITEM_ROWS_H_
#define LEAFSTORE_TOOLS_SOURCE_ITEM_ROWS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/select/internal/glob.h"
#include "leafstore/tools/source/row_order.h"
#include "leafstore/tools/source/source.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore::tools {

using Globs = std::vector<internal::GlobPattern>;

// Counts over leaves. A sum that exceeds an int64 stays at its maximum.
struct Totals {
  int64_t leaves = 0;
  int64_t tensors = 0;
  int64_t parameters = 0;  // elements of tensors
  int64_t bytes = 0;       // of tensors
  int64_t stored = 0;      // in files; smaller where some are compressed

  void Add(const EntryInfo& entry);
};

struct Row {
  enum Kind : uint8_t { kLeaf, kAlias, kSubtree };

  Kind kind = kLeaf;
  NodeId node = kNoNode;  // kNoNode without a tree
  // The range of its leaves in places(); empty for an alias.
  uint32_t begin = 0;
  uint32_t end = 0;
  uint32_t depth = 0;  // in keys, where RowOptions has `containers`
};

struct RowOptions {
  // Lists the leaves that one of these matches. Empty: all.
  Globs match;
  // Lists each container this many keys deep as one row.
  std::optional<uint32_t> depth;
  // Lists containers above rows too, as kSubtree.
  bool containers = false;
  RowOrder order = RowOrder::kBytes;
};

class ItemRows {
 public:
  // Lists the leaves and aliases of an item that any of the globs matches, or all if there are no
  // globs. Rows are in byte order, so places ascend. O(nodes * globs).
  explicit ItemRows(const SourceItem& item, const Globs& match = {});
  // Lists the rows of an item. error InvalidArgument: a depth or containers, where the paths do not
  // form a tree. O(nodes * globs).
  static absl::StatusOr<ItemRows> Create(const SourceItem& item, const RowOptions& options);

  const SourceItem& item() const { return *item_; }
  // Returns the structure; null where the paths do not form a tree.
  const TreeDef* def() const { return has_def_ ? &def_ : nullptr; }
  // Returns the places in the item of the listed leaves, including those in subtrees, in the order
  // of the rows.
  const std::vector<uint32_t>& places() const { return places_; }
  const std::vector<Row>& rows() const { return rows_; }
  absl::Span<const uint32_t> PlacesOf(const Row& row) const {
    return absl::MakeConstSpan(places_).subspan(row.begin, row.end - row.begin);
  }

  // Describes the leaf of a row. No value for other rows, and for a leaf that is not listed.
  std::optional<EntryInfo> EntryOf(const Row& row) const;
  Totals TotalsOf(const Row& row) const { return SumOf(PlacesOf(row)); }
  // Returns the totals of all listed leaves.
  Totals ListedTotals() const { return SumOf(places_); }

  // Return the dotted path, safe for a terminal and cut (text.h); "(root)" for the root.
  std::string PrintablePath(const Row& row) const;
  std::string PrintablePath(NodeId node) const;
  // Return the canonical and the dotted path. error: as TreeDef's.
  absl::StatusOr<std::string> PathText(const Row& row) const;
  absl::StatusOr<std::string> Dotted(const Row& row) const;
  // Checks that the paths of all rows may be printed in full. error ResourceExhausted: their texts
  // exceed the limit for many paths together (treedef/internal/path_cursor.h). O(nodes).
  absl::Status CheckPathText() const;

 private:
  ItemRows(const SourceItem& item, const RowOptions& options, const absl::StatusOr<TreeDef>& def);

  void ListTree(const RowOptions& options);
  void ListPaths(const Globs& match);
  bool HoldsAnyOf(NodeId node) const;
  Totals SumOf(absl::Span<const uint32_t> places) const;
  Slot SlotOf(const Row& row) const { return item_->slots.SlotAt(places_[row.begin]); }

  const SourceItem* item_;
  bool has_def_ = false;
  TreeDef def_;
  std::vector<uint32_t> places_;
  std::vector<Row> rows_;
};

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_SOURCE_ITEM_ROWS_H_
