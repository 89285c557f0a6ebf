#include "leafstore/treedef/internal/hash.h"

#include <xxhash.h>

#include <cstddef>
#include <memory>
#include <new>

#include "leafstore/core/dtype.h"

namespace leafstore::internal {
namespace {

constexpr char kMagic[8] = {'l', 'e', 'a', 'f', 'd', 'e', 'f', 1};

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
  put_all(c.kinds);
  put_all(c.child_counts);
  put_all(c.keys);
  put_all(c.aux);
  put_all(c.tags);
  put_all(c.ints);
  put_all(c.string_begins);
  put_all(c.strings);
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
  return a.kinds == b.kinds && a.child_counts == b.child_counts && a.keys == b.keys &&
         a.aux == b.aux && a.tags == b.tags && a.ints == b.ints &&
         a.string_begins == b.string_begins && a.strings == b.strings;
}

}  // namespace leafstore::internal
