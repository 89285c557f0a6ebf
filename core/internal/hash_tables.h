// HashMap and HashSet: Abseil's flat tables, which throw std::bad_alloc only before they change.
//
//   HashSet<absl::string_view> names;
//   if (!names.insert(name).second) ...      // may throw; then `names` is unchanged
//
// Why. If a table of Abseil 20220623 cannot allocate memory to grow, it is left with the new
// capacity and the address of the old memory, and its destructor frees the wrong memory. Here the
// memory is allocated first, and the table then takes it.
//
// Use them for keys and values that can be copied without an allocation. Abseil also counts an
// entry before it is constructed; for keys that own memory, such as std::string, use
// std::unordered_map.
//
// Erased entries. A table with erased entries may grow by itself: after an erase, do not insert.
//
// Threads: as Abseil's tables.
#ifndef LEAFSTORE_CORE_INTERNAL_HASH_TABLES_H_
#define LEAFSTORE_CORE_INTERNAL_HASH_TABLES_H_

#include <algorithm>
#include <bit>
#include <cstddef>
#include <new>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"

namespace leafstore::internal {

// Memory for the next table of this thread that grows during the lifetime of this object.
class TableMemory {
 public:
  // Throws std::bad_alloc.
  explicit TableMemory(size_t size);
  ~TableMemory();
  TableMemory(const TableMemory&) = delete;
  TableMemory& operator=(const TableMemory&) = delete;

  // Releases and returns this thread's memory if it has at least `size` bytes; otherwise returns
  // null.
  static void* Take(size_t size) noexcept;
};

template <typename T>
struct TableAllocator {
  using value_type = T;
  TableAllocator() = default;
  template <typename U>
  TableAllocator(const TableAllocator<U>&) noexcept {}

  T* allocate(size_t count) {
    void* const taken = TableMemory::Take(count * sizeof(T));
    return static_cast<T*>(taken != nullptr ? taken : ::operator new(count * sizeof(T)));
  }
  void deallocate(T* memory, size_t) noexcept { ::operator delete(memory); }

  template <typename U>
  bool operator==(const TableAllocator<U>&) const noexcept {
    return true;
  }
};

// A table of Abseil whose calls that may allocate are replaced.
template <typename Table>
class GuardedTable : public Table {
 public:
  using Table::Table;
  GuardedTable() = default;
  GuardedTable(GuardedTable&&) noexcept = default;
  GuardedTable& operator=(GuardedTable&&) noexcept = default;
  GuardedTable(const GuardedTable& other) : GuardedTable() {
    reserve(other.size());
    for (const auto& entry : other) Table::insert(entry);
  }
  GuardedTable& operator=(const GuardedTable& other) {
    return *this = GuardedTable(other);  // the copy may fail, the move cannot
  }

  void reserve(size_t count) {
    if (count <= Room()) return;
    // As Abseil computes it: at most 7 of 8 slots are used, and the capacity is a power of two
    // minus one. Each slot has a control byte; a few more control bytes follow.
    const size_t capacity = std::bit_ceil(count + count / 7 + 2);
    const TableMemory memory(capacity * (sizeof(typename Table::value_type) + 1) + 128);
    Table::reserve(count);
  }
  auto insert(typename Table::init_type entry) {
    MakeRoom();
    return Table::insert(std::move(entry));
  }
  template <typename... Arguments>
  auto emplace(Arguments&&... arguments) {
    MakeRoom();
    return Table::emplace(std::forward<Arguments>(arguments)...);
  }
  template <typename... Arguments>
  auto try_emplace(const typename Table::key_type& key, Arguments&&... arguments) {
    MakeRoom();
    return Table::try_emplace(key, std::forward<Arguments>(arguments)...);
  }
  auto& operator[](const typename Table::key_type& key) { return try_emplace(key).first->second; }

 private:
  // Returns a lower bound of the count of entries that fit without more memory.
  size_t Room() const {
    const size_t capacity = this->capacity();
    return capacity == 7 ? 6 : capacity - capacity / 8;
  }
  void MakeRoom() {
    if (this->size() >= Room()) reserve(std::max<size_t>(2 * this->size(), 3));
  }
};

template <typename Key, typename T, typename Hash = typename absl::flat_hash_map<Key, T>::hasher,
          typename Equal = typename absl::flat_hash_map<Key, T>::key_equal>
using HashMap =
    GuardedTable<absl::flat_hash_map<Key, T, Hash, Equal, TableAllocator<std::pair<const Key, T>>>>;

template <typename T, typename Hash = typename absl::flat_hash_set<T>::hasher,
          typename Equal = typename absl::flat_hash_set<T>::key_equal>
using HashSet = GuardedTable<absl::flat_hash_set<T, Hash, Equal, TableAllocator<T>>>;

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CORE_INTERNAL_HASH_TABLES_H_
