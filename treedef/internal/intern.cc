#include "leafstore/treedef/internal/intern.h"

#include <xxhash.h>

#include <new>
#include <tuple>
#include <utility>
#include <vector>

namespace leafstore::internal {
namespace {

constexpr char kMagic[8] = {'l', 'e', 'a', 'f', 'd', 'e', 'f', 1};

// Returns the columns that are part of the canonical bytes, in their order there. The hash of these
// bytes is written to files: changing them, even by a column that only SameStructure needs, makes a
// new version of the format.
auto CanonicalColumns(const TreeDefColumns& c) {
  return std::tie(c.kinds, c.child_counts, c.keys, c.aux, c.tags, c.ints, c.string_begins,
                  c.strings);
}

// Calls `sink(data, size)` with the canonical bytes, piece by piece. Integers are little-endian, as
// in memory (dtype.h).
template <typename Sink>
void WriteCanonical(const TreeDefColumns& c, const Sink& sink) {
  const auto put_all = [&sink](const auto& values) {
    if (!values.empty()) sink(values.data(), values.size() * sizeof(values[0]));
  };
  static_assert(sizeof(NodeKind) == 1 && sizeof(TreeDefTag) == 8);
  const uint32_t counts[] = {
      static_cast<uint32_t>(c.kinds.size()), static_cast<uint32_t>(c.string_begins.size() - 1),
      static_cast<uint32_t>(c.ints.size()), static_cast<uint32_t>(c.tags.size())};
  sink(kMagic, sizeof(kMagic));
  sink(counts, sizeof(counts));
  std::apply([&](const auto&... columns) { (put_all(columns), ...); }, CanonicalColumns(c));
}

struct FreeState {
  void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
};

}  // namespace

uint64_t HashOf(const TreeDefColumns& columns) {
  std::unique_ptr<XXH3_state_t, FreeState> state(XXH3_createState());
  if (state == nullptr) throw std::bad_alloc();
  XXH3_64bits_reset(state.get());
  WriteCanonical(
      columns, [&](const void* data, size_t size) { XXH3_64bits_update(state.get(), data, size); });
  return XXH3_64bits_digest(state.get());
}

std::string CanonicalBytes(const TreeDefColumns& columns) {
  std::string bytes;
  WriteCanonical(columns, [&](const void* data, size_t size) {
    bytes.append(static_cast<const char*>(data), size);
  });
  return bytes;
}

bool SameStructure(const TreeDefColumns& a, const TreeDefColumns& b) {
  return CanonicalColumns(a) == CanonicalColumns(b);
}

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
