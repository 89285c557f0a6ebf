#include "leafstore/treedef/internal/intern.h"

#include <utility>
#include <vector>

#include "leafstore/treedef/internal/hash.h"

namespace leafstore::internal {
TreeDefInterner& TreeDefInterner::Global() {
  static TreeDefInterner* const global = new TreeDefInterner;
  return *global;
}

TreeDef TreeDefInterner::Intern(std::unique_ptr<TreeDefRep> rep) {
  // Declared before the lock: if one of these is the last reference, it must be destroyed after the
  // lock is released, since Remove takes the lock.
  std::vector<std::shared_ptr<const TreeDefRep>> others;
  // Likewise: it is destroyed if an equal one is alive, or if memory for its entry runs out.
  TreeDefRep* const fresh = rep.get();
  std::shared_ptr<const TreeDefRep> made(rep.release(),
                                         [this](const TreeDefRep* last) { Remove(last); });
  std::lock_guard<std::mutex> lock(mutex_);
  const auto [begin, end] = entries_.equal_range(fresh->hash);
  for (auto it = begin; it != end; ++it) {
    others.emplace_back();  // may throw, so before a reference is taken
    others.back() = it->second.alive.lock();
    if (others.back() == nullptr) continue;
    if (SameStructure(others.back()->columns, fresh->columns)) return TreeDef(others.back());
  }
  // Releases the excess capacity of vectors that grew by doubling.
  ForEachColumn(fresh->columns, [](auto& column) { column.shrink_to_fit(); });
  entries_.emplace(fresh->hash, Entry{fresh, made});
  return TreeDef(std::move(made));
}

size_t TreeDefInterner::size() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return entries_.size();
}

void TreeDefInterner::Remove(const TreeDefRep* rep) {
  // After the lock, because destroying a large structure takes time.
  const std::unique_ptr<const TreeDefRep> destroyed(rep);
  std::lock_guard<std::mutex> lock(mutex_);
  const auto [begin, end] = entries_.equal_range(rep->hash);
  for (auto it = begin; it != end; ++it) {
    if (it->second.rep != rep) continue;
    entries_.erase(it);
    return;
  }
}

}  // namespace leafstore::internal
