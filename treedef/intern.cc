#include "leafstore/treedef/intern.h"

#include <utility>
#include <vector>

#include "leafstore/treedef/hash.h"

namespace leafstore::internal {
namespace {

// Gives back what growing by doubling has taken too much.
void Shrink(TreeDefColumns* columns) {
  columns->kinds.shrink_to_fit();
  columns->keys.shrink_to_fit();
  columns->parents.shrink_to_fit();
  columns->ends.shrink_to_fit();
  columns->child_counts.shrink_to_fit();
  columns->aux.shrink_to_fit();
  columns->leaf_begins.shrink_to_fit();
  columns->leaf_nodes.shrink_to_fit();
  columns->tags.shrink_to_fit();
  columns->alias_nodes.shrink_to_fit();
  columns->ints.shrink_to_fit();
  columns->strings.shrink_to_fit();
  columns->string_begins.shrink_to_fit();
}

}  // namespace

TreeDefInterner& TreeDefInterner::Global() {
  static TreeDefInterner* const global = new TreeDefInterner;
  return *global;
}

TreeDef TreeDefInterner::Intern(std::unique_ptr<TreeDefRep> rep) {
  // Declared before the lock: where one of these turns out to be the last reference, it goes after
  // the lock does, which Remove needs.
  std::vector<std::shared_ptr<const TreeDefRep>> others;
  std::lock_guard<std::mutex> lock(mutex_);
  const auto [begin, end] = entries_.equal_range(rep->hash);
  for (auto it = begin; it != end; ++it) {
    std::shared_ptr<const TreeDefRep> other = it->second.alive.lock();
    if (other == nullptr) continue;
    if (SameStructure(other->columns, rep->columns)) return TreeDef(std::move(other));
    others.push_back(std::move(other));
  }
  Shrink(&rep->columns);
  const uint64_t hash = rep->hash;
  std::shared_ptr<const TreeDefRep> made(rep.release(),
                                         [this](const TreeDefRep* last) { Remove(last); });
  entries_.emplace(hash, Entry{made.get(), made});
  return TreeDef(std::move(made));
}

size_t TreeDefInterner::size() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return entries_.size();
}

void TreeDefInterner::Remove(const TreeDefRep* rep) {
  // After the lock, because a large structure takes its time.
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
