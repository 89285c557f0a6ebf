// TreeDefInterner: makes equal structures one object.
//
//   TreeDef def = TreeDefInterner::Global().Intern(std::move(rep));
//
// It is a table from hash to the live structures with that hash. It keeps none of them alive: each
// removes itself when its last TreeDef is destroyed. A hash is never trusted: structures are
// compared by content, so that structures with one hash coexist.
//
// Threads: thread-safe. The comparison holds the table's lock; a structure is destroyed without it.
//
// The hash of a structure is XXH3-64, seed 0, over its canonical bytes (docs/format.md). Equal
// structures have equal canonical bytes, however they were built, and different structures
// different bytes: what is omitted (parents, indices of leaves) follows from the rest.
#ifndef LEAFSTORE_TREEDEF_INTERNAL_INTERN_H_
#define LEAFSTORE_TREEDEF_INTERNAL_INTERN_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "leafstore/treedef/internal/treedef_rep.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore::internal {

// Returns the hash of a structure. O(bytes) in time, O(1) in memory.
uint64_t HashOf(const TreeDefColumns& columns);

// Returns the canonical bytes, for tests.
std::string CanonicalBytes(const TreeDefColumns& columns);

// Returns whether the canonical bytes of both are equal. O(bytes).
bool SameStructure(const TreeDefColumns& a, const TreeDefColumns& b);

class TreeDefInterner {
 public:
  // Returns the table of this process. It is never destroyed, so a TreeDef may outlive main().
  static TreeDefInterner& Global();

  // Makes a table for tests. It must outlive the TreeDefs that it returned.
  TreeDefInterner() = default;
  TreeDefInterner(const TreeDefInterner&) = delete;
  TreeDefInterner& operator=(const TreeDefInterner&) = delete;

  // Returns the TreeDef of a complete, valid structure, whose `rep->hash` has been computed: an
  // equal one if one is alive, otherwise a new one of `rep`. O(bytes).
  TreeDef Intern(std::unique_ptr<TreeDefRep> rep);

  // Returns the number of live structures.
  size_t size() const;

 private:
  struct Entry {
    const TreeDefRep* rep;
    std::weak_ptr<const TreeDefRep> alive;
  };

  // Removes a structure whose last TreeDef was destroyed.
  void Remove(const TreeDefRep* rep);

  mutable std::mutex mutex_;
  std::unordered_multimap<uint64_t, Entry> entries_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_TREEDEF_INTERNAL_INTERN_H_
