// StringTable: the unique strings of a TreeDef that is being built. For treedef/ alone.
#ifndef LEAFSTORE_TREEDEF_STRING_TABLE_H_
#define LEAFSTORE_TREEDEF_STRING_TABLE_H_

#include <cstddef>
#include <cstdint>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"

#include "leafstore/treedef/path_text.h"
#include "leafstore/treedef/treedef_columns.h"

namespace leafstore::internal {

// Keeps strings in `columns->strings`, and numbers of 4 bytes that hash and compare as the strings
// they stand for.
class StringTable {
 public:
  // `columns` must outlive this.
  explicit StringTable(TreeDefColumns* columns)
      : columns_(columns), ids_(0, Hash{columns}, Equal{columns}) {
    columns->string_begins.assign(1, 0);
  }

  static constexpr uint32_t kNotFound = 0xffffffff;

  // The string's number, or kNotFound.
  uint32_t Find(absl::string_view text) const {
    const auto it = ids_.find(text);
    return it == ids_.end() ? kNotFound : *it;
  }
  // Adds a string that is not there and fits: together under 4 GiB.
  uint32_t Add(absl::string_view text) {
    const uint32_t id = static_cast<uint32_t>(columns_->string_begins.size() - 1);
    columns_->strings.append(text.data(), text.size());
    columns_->string_begins.push_back(static_cast<uint32_t>(columns_->strings.size()));
    ids_.insert(id);
    return id;
  }
  // Bytes of all strings.
  size_t bytes() const { return columns_->strings.size(); }

 private:
  struct Hash {
    using is_transparent = void;
    const TreeDefColumns* columns;
    size_t operator()(absl::string_view text) const {
      return absl::Hash<absl::string_view>()(text);
    }
    size_t operator()(uint32_t id) const { return (*this)(StringOf(*columns, id)); }
  };
  struct Equal {
    using is_transparent = void;
    const TreeDefColumns* columns;
    bool operator()(uint32_t a, uint32_t b) const { return a == b; }
    bool operator()(uint32_t a, absl::string_view b) const { return StringOf(*columns, a) == b; }
    bool operator()(absl::string_view a, uint32_t b) const { return StringOf(*columns, b) == a; }
  };

  TreeDefColumns* columns_;
  absl::flat_hash_set<uint32_t, Hash, Equal> ids_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_TREEDEF_STRING_TABLE_H_
