// PathTable: the canonical texts of an ordered set of paths, and the index from text to number.
//
//   PathTable table = PathTable::Create({"['a']", "['b']"}).value();
//   table.Find("['b']");   // 1
//   table.text(0);         // "['a']"
//
// Layout. One arena holds all texts one after another, each ended by a NUL (canonical text has
// none); the index is a flat hash set of (offset, number) pairs of 8 bytes that hash and compare
// as the text they point to. A lookup touches as many cache lines as one in a
// flat_hash_map<string_view, ...> and fewer bytes.
//
// Limits. The arena is at most 64 MiB + 256 bytes a path, and under 4 GiB: a hostile tree of depth n
// with a leaf at each level cannot ask for n * n bytes of text.
//
// Threads: immutable; calls are safe from many threads.
#ifndef LEAFSTORE_TREEDEF_PATH_TABLE_H_
#define LEAFSTORE_TREEDEF_PATH_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore {

class PathTable {
 public:
  static constexpr uint32_t kNotFound = 0xffffffff;

  // Of the leaves of `def`, in order. O(total text).
  // error ResourceExhausted: the texts are over the limit.
  static absl::StatusOr<PathTable> Create(const TreeDef& def);
  // Of texts that are given, which must be canonical.
  // error AlreadyExists: a text occurs twice. error ResourceExhausted: over the limit.
  static absl::StatusOr<PathTable> Create(absl::Span<const std::string> texts);

  PathTable(PathTable&&) = default;
  PathTable& operator=(PathTable&&) = default;

  uint32_t size() const { return static_cast<uint32_t>(offsets_.size()); }
  // Valid while this table lives.
  absl::string_view text(uint32_t number) const {
    const uint32_t begin = offsets_[number];
    const uint32_t end = number + 1 < size() ? offsets_[number + 1] : arena_end_;
    return absl::string_view(arena_->data() + begin, end - 1 - begin);
  }
  // The number of the path with this text, or kNotFound. O(length), expected.
  uint32_t Find(absl::string_view text) const;

  // Bytes of the texts alone, and of all the rest.
  size_t text_bytes() const { return arena_->size(); }
  size_t index_bytes() const;

 private:
  struct Entry {
    uint32_t offset;
    uint32_t number;
  };
  struct Hash {
    using is_transparent = void;
    const std::string* arena;
    size_t operator()(absl::string_view text) const {
      return absl::Hash<absl::string_view>()(text);
    }
    size_t operator()(const Entry& entry) const {
      return (*this)(absl::string_view(arena->data() + entry.offset));
    }
  };
  struct Equal {
    using is_transparent = void;
    const std::string* arena;
    bool operator()(const Entry& a, const Entry& b) const { return a.offset == b.offset; }
    bool operator()(const Entry& entry, absl::string_view text) const;
    bool operator()(absl::string_view text, const Entry& entry) const {
      return (*this)(entry, text);
    }
  };

  PathTable();
  absl::Status Append(absl::string_view text);
  absl::Status BuildIndex();

  std::unique_ptr<std::string> arena_;  // where the index points, whatever moves this table
  std::vector<uint32_t> offsets_;
  uint32_t arena_end_ = 0;
  absl::flat_hash_set<Entry, Hash, Equal> index_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_TREEDEF_PATH_TABLE_H_
