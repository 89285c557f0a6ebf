#include "leafstore/treedef/internal/path_table.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/treedef/internal/path_cursor.h"

namespace leafstore::internal {
namespace {

// Offsets have 32 bits.
constexpr uint64_t kArenaLimit = (uint64_t{1} << 32) - 1;

// Returns the maximum size of the texts of `paths` paths together, in bytes.
uint64_t TextLimit(uint64_t paths) {
  const uint64_t lengths = paths * sizeof(uint32_t);
  if (lengths >= kArenaLimit) return 0;
  return std::min(MaxTotalText(paths), kArenaLimit - lengths);
}

absl::Status TooLong(uint64_t paths, uint64_t at_least) {
  return absl::ResourceExhaustedError(absl::StrCat("the texts of ", paths,
                                                   " paths: expected at most ", TextLimit(paths),
                                                   " bytes in all, found at least ", at_least));
}

uint64_t LeavesBelow(const TreeDef& def, NodeId node) {
  return def.leaf_begin(def.end(node)) - def.leaf_begin(node);
}

// Returns the next node in preorder, without subtrees that have no leaves: their keys are not read.
NodeId NextWithLeaves(const TreeDef& def, NodeId node) {
  do {
    node = LeavesBelow(def, node) == 0 ? def.end(node) : node + 1;
  } while (node < def.node_count() && LeavesBelow(def, node) == 0);
  return node;
}

// Returns the total length of the texts of all leaves: that of each key, once for each leaf below.
// error ResourceExhausted: it is over the limit.
absl::StatusOr<uint64_t> MeasureTexts(const TreeDef& def) {
  const uint64_t limit = TextLimit(def.leaf_count());
  uint64_t total = 0;
  for (NodeId node = 0; node < def.node_count(); node = NextWithLeaves(def, node)) {
    if (node != kRootNode) total += KeyTextSize(def.key(node)) * LeavesBelow(def, node);
    if (total > limit) return TooLong(def.leaf_count(), total);
  }
  return total;
}

}  // namespace

PathTable::PathTable(size_t paths, size_t text_bytes)
    // One byte more: an empty arena has an address too.
    : arena_(new char[paths * sizeof(uint32_t) + text_bytes + 1]),
      index_(0, ByText{arena_.get()}, ByText{arena_.get()}) {
  offsets_.reserve(paths);
  index_.reserve(paths);
}

void PathTable::Append(absl::string_view text) {
  const uint32_t size = static_cast<uint32_t>(text.size());
  std::memcpy(arena_.get() + arena_size_, &size, sizeof(size));
  arena_size_ += sizeof(size);
  offsets_.push_back(static_cast<uint32_t>(arena_size_));
  if (size > 0) std::memcpy(arena_.get() + arena_size_, text.data(), size);
  arena_size_ += size;
}

absl::Status PathTable::BuildIndex() {
  for (uint32_t index = 0; index < size(); ++index) {
    const auto [found, inserted] = index_.insert(Entry{offsets_[index], index});
    if (!inserted) {
      return absl::AlreadyExistsError(absl::StrCat("path ", text(index), ": expected it once, ",
                                                   "found it at indices ", found->index, " and ",
                                                   index));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<PathTable> PathTable::Create(const TreeDef& def) {
  LEAFSTORE_ASSIGN_OR_RETURN(const uint64_t total, MeasureTexts(def));
  PathTable table(def.leaf_count(), total);
  PathCursor cursor(PathForm::kCanonical, PathCursor::kNoLimit);
  for (NodeId node = 0; node < def.node_count(); node = NextWithLeaves(def, node)) {
    cursor.Enter(def, node);
    if (def.kind(node) == NodeKind::kLeaf) table.Append(cursor.text());
  }
  LEAFSTORE_RETURN_IF_ERROR(table.BuildIndex());
  return table;
}

absl::StatusOr<PathTable> PathTable::Create(absl::Span<const std::string> texts) {
  const uint64_t limit = TextLimit(texts.size());
  uint64_t total = 0;
  for (const std::string& text : texts) {
    total += text.size();
    if (total > limit) return TooLong(texts.size(), total);
  }
  PathTable table(texts.size(), total);
  for (const std::string& text : texts) table.Append(text);
  LEAFSTORE_RETURN_IF_ERROR(table.BuildIndex());
  return table;
}

absl::StatusOr<const PathTable*> PathsOf(const TreeDef& def) {
  if (const PathTable* known = KnownPathsOf(def)) return known;
  const TreeDefRep& rep = RepOf(def);
  const absl::StatusOr<PathTable>& paths =
      rep.derived->paths.Get([&def] { return PathTable::Create(def); });
  if (!paths.ok()) return paths.status();
  rep.path_table.store(&*paths, std::memory_order_release);
  return &*paths;
}

}  // namespace leafstore::internal
