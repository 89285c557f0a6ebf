#include "leafstore/core/internal/hash_tables.h"

namespace leafstore::internal {
namespace {

struct Block {
  void* memory = nullptr;
  size_t size = 0;
};
thread_local Block next_block;

}  // namespace

TableMemory::TableMemory(size_t size) { next_block = {::operator new(size), size}; }

TableMemory::~TableMemory() {
  ::operator delete(next_block.memory);
  next_block = {};
}

void* TableMemory::Take(size_t size) noexcept {
  if (next_block.size < size) return nullptr;
  return std::exchange(next_block, {}).memory;
}

}  // namespace leafstore::internal
