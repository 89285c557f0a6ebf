// PathTable: the canonical texts of an ordered set of paths, and an index from text to position.
//
//   PathTable table = PathTable::Create({"['a']", "['b']"}).value();
//   table.Find("['b']");   // 1
//   table.text(0);         // "['a']"
//
// Layout. One arena holds all texts, each preceded by its length (4 bytes). The index is a flat
// hash set of (offset, position) pairs of 8 bytes, which hash and compare as the text that they
// point to. A lookup touches as many cache lines as one in a flat_hash_map<string_view, ...>, and a
// third of its bytes: control byte, slot, and the text with its length.
//
// Limits. The texts have at most MaxTotalText bytes together (path_cursor.h), and the arena is
// under 4 GiB.
//
// Threads: immutable; calls are thread-safe.
#ifndef LEAFSTORE_TREEDEF_INTERNAL_PATH_TABLE_H_
#define LEAFSTORE_TREEDEF_INTERNAL_PATH_TABLE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/hash/hash.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/core/internal/hash_tables.h"
#include "leafstore/core/internal/lazy.h"
#include "leafstore/treedef/internal/treedef_rep.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore::internal {

class PathTable {
 public:
  static constexpr uint32_t kNotFound = 0xffffffff;

  // Returns the paths of the leaves of `def`, in order. O(nodes + total text).
  // error ResourceExhausted: the texts are over the limit; checked before any text is made.
  static absl::StatusOr<PathTable> Create(const TreeDef& def);
  // Returns a table of these texts, which must be canonical. O(total text).
  // error AlreadyExists: a text occurs twice. error ResourceExhausted: over the limit.
  static absl::StatusOr<PathTable> Create(absl::Span<const std::string> texts);

  // A table that was moved from may only be destroyed or assigned to.
  PathTable(PathTable&&) = default;
  PathTable& operator=(PathTable&&) = default;

  uint32_t size() const { return static_cast<uint32_t>(offsets_.size()); }
  // Returns a text; `index` must be less than size(). Valid while this table, or the one it was
  // moved to, lives.
  absl::string_view text(uint32_t index) const { return TextAt(arena_.get(), offsets_[index]); }
  // Returns the position of the path with this text (any bytes), or kNotFound. O(length), expected.
  uint32_t Find(absl::string_view text) const {
    const auto found = index_.find(text);
    return found == index_.end() ? kNotFound : found->index;
  }

 private:
  struct Entry {
    uint32_t offset;  // of the text in the arena; its length is before it
    uint32_t index;
  };

  static absl::string_view TextAt(const char* arena, uint32_t offset) {
    uint32_t size;
    std::memcpy(&size, arena + offset - sizeof(size), sizeof(size));
    return absl::string_view(arena + offset, size);
  }

  // Hashes and compares texts and entries. The bytes of the arena stay where they are when a table
  // is moved.
  struct ByText {
    using is_transparent = void;
    const char* arena;
    absl::string_view Text(absl::string_view text) const { return text; }
    absl::string_view Text(const Entry& entry) const { return TextAt(arena, entry.offset); }
    size_t operator()(const auto& x) const { return absl::Hash<absl::string_view>()(Text(x)); }
    bool operator()(const auto& a, const auto& b) const { return Text(a) == Text(b); }
  };

  // Allocates memory for `paths` texts of `text_bytes` bytes in all.
  PathTable(size_t paths, size_t text_bytes);
  void Append(absl::string_view text);
  // error AlreadyExists: a text occurs twice.
  absl::Status BuildIndex();

  std::unique_ptr<char[]> arena_;
  size_t arena_size_ = 0;
  std::vector<uint32_t> offsets_;
  HashSet<Entry, ByText, ByText> index_;
};

// Returns the paths of all leaves and their index, made at the first call and kept with `def`.
// error ResourceExhausted: the texts of all paths exceed the limit.
absl::StatusOr<const PathTable*> PathsOf(const TreeDef& def);

// Returns what PathsOf made, or null if it was not called yet. A lookup begins with this. O(1).
inline const PathTable* KnownPathsOf(const TreeDef& def) {
  return RepOf(def).path_table.load(std::memory_order_acquire);
}

// The parts of TreeDefRep that are made on first use. Each is made once, by the first thread that
// needs it; others wait for it.
struct TreeDefRep::Derived {
  Lazy<ChildLists> child_lists;
  Lazy<absl::StatusOr<PathTable>> paths;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_TREEDEF_INTERNAL_PATH_TABLE_H_
