#include "leafstore/treedef/internal/path_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/core/key.h"
#include "leafstore/core/status_macros.h"

namespace leafstore {
namespace {

constexpr uint64_t kBaseLimit = uint64_t{64} << 20;
constexpr uint64_t kLimitForEach = 256;
// Offsets have 32 bits.
constexpr uint64_t kArenaLimit = (uint64_t{1} << 32) - 1;

// How many bytes the texts of `paths` paths may have in all.
uint64_t TextLimit(uint64_t paths) {
  const uint64_t lengths = paths * sizeof(uint32_t);
  if (lengths >= kArenaLimit) return 0;
  return std::min(kBaseLimit + kLimitForEach * paths, kArenaLimit - lengths);
}

absl::Status TooLong(uint64_t paths, uint64_t at_least) {
  return absl::ResourceExhaustedError(absl::StrCat("the texts of ", paths,
                                                   " paths: expected at most ", TextLimit(paths),
                                                   " bytes in all, found at least ", at_least));
}

bool HasLeaves(const TreeDef& def, NodeId node) {
  return def.leaf_begin(node) != def.leaf_begin(def.end(node));
}

// The lengths of the texts of all nodes that are leaves or have some below them.
struct TextSizes {
  uint64_t total = 0;           // of the leaves
  std::vector<uint32_t> sizes;  // by node
};

// error ResourceExhausted: `total` is over the limit. No length is ever much over it, because each
// is that of the beginning of a leaf's text.
absl::StatusOr<TextSizes> MeasureTexts(const TreeDef& def) {
  const uint64_t limit = TextLimit(def.leaf_count());
  TextSizes out;
  out.sizes.resize(def.node_count());
  for (NodeId node = 0; node < def.node_count();) {
    if (!HasLeaves(def, node)) {
      node = def.end(node);
      continue;
    }
    uint64_t size = 0;
    if (node != kRootNode) size = out.sizes[def.parent(node)] + KeyTextSize(def.key(node));
    if (size + out.total > limit) return TooLong(def.leaf_count(), size + out.total);
    out.sizes[node] = static_cast<uint32_t>(size);
    if (def.kind(node) == NodeKind::kLeaf) out.total += size;
    ++node;
  }
  return out;
}

}  // namespace

PathTable::PathTable(size_t paths, size_t text_bytes)
    // One byte more: an empty arena has an address too.
    : arena_(new char[paths * sizeof(uint32_t) + text_bytes + 1]),
      index_(0, Hash{arena_.get()}, Equal{arena_.get()}) {
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
  for (uint32_t number = 0; number < size(); ++number) {
    const auto [found, inserted] = index_.insert(Entry{offsets_[number], number});
    if (!inserted) {
      return absl::AlreadyExistsError(absl::StrCat("path ", text(number), ": expected it once, ",
                                                   "found it as number ", found->number, " and ",
                                                   number));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<PathTable> PathTable::Create(const TreeDef& def) {
  LEAFSTORE_ASSIGN_OR_RETURN(const TextSizes measured, MeasureTexts(def));
  PathTable table(def.leaf_count(), measured.total);
  // The text of the node that was visited last. A node's parent is on the way to it, so that its
  // own text is a beginning of this one and a key.
  std::string prefix;
  for (NodeId node = 0; node < def.node_count();) {
    if (!HasLeaves(def, node)) {
      node = def.end(node);
      continue;
    }
    if (node != kRootNode) {
      prefix.resize(measured.sizes[def.parent(node)]);
      AppendKeyText(def.key(node), &prefix);
    }
    if (def.kind(node) == NodeKind::kLeaf) table.Append(prefix);
    ++node;
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

size_t PathTable::index_bytes() const {
  return size() * sizeof(uint32_t) + offsets_.capacity() * sizeof(uint32_t) +
         index_.capacity() * (sizeof(Entry) + 1);
}

}  // namespace leafstore
