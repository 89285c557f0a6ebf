// TreeDefInterner: gives equal structures one object.
//
//   TreeDef def = TreeDefInterner::Global().Intern(std::move(rep));
//
// A table from hash to the structures that are alive and have that hash. It keeps none of them
// alive: each removes itself when its last TreeDef goes. A hash is never trusted: what it finds is
// compared by content, so structures of one hash live side by side.
//
// Threads: safe. The comparison holds the table's lock; a structure is destroyed outside of it.
#ifndef LEAFSTORE_TREEDEF_INTERNAL_INTERN_H_
#define LEAFSTORE_TREEDEF_INTERNAL_INTERN_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "leafstore/treedef/treedef.h"

namespace leafstore::internal {

class TreeDefInterner {
 public:
  // The one of this process. It is never destroyed, so that a TreeDef may outlive main().
  static TreeDefInterner& Global();

  // Others are for tests. One must outlive what it has made.
  TreeDefInterner() = default;
  TreeDefInterner(const TreeDefInterner&) = delete;
  TreeDefInterner& operator=(const TreeDefInterner&) = delete;

  // The TreeDef of a complete, valid structure, of which `rep->hash` has been computed: that of an
  // equal one where one is alive, else a new one of `rep`. O(bytes).
  TreeDef Intern(std::unique_ptr<TreeDefRep> rep);

  // How many structures are alive.
  size_t size() const;

 private:
  struct Entry {
    const TreeDefRep* rep;
    std::weak_ptr<const TreeDefRep> alive;
  };

  // Ends a structure of which the last TreeDef is gone.
  void Remove(const TreeDefRep* rep);

  mutable std::mutex mutex_;
  std::unordered_multimap<uint64_t, Entry> entries_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_TREEDEF_INTERNAL_INTERN_H_
