#include "leafstore/treedef/internal/hash.h"

#include <xxhash.h>

#include <bit>
#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <vector>

#include "leafstore/treedef/treedef.h"

namespace leafstore::internal {
namespace {

constexpr char kMagic[8] = {'l', 'e', 'a', 'f', 'd', 'e', 'f', 1};

static_assert(sizeof(NodeKind) == 1);

// Calls `sink(data, size)` with the canonical bytes, piece by piece.
template <typename Sink>
class CanonicalWriter {
 public:
  explicit CanonicalWriter(Sink& sink) : sink_(sink) {}

  void Write(const TreeDefColumns& columns) {
    sink_(kMagic, sizeof(kMagic));
    PutWord(columns.kinds.size());
    PutWord(columns.string_begins.size() - 1);
    PutWord(columns.ints.size());
    PutWord(columns.tags.size());
    sink_(columns.kinds.data(), columns.kinds.size());
    PutAll(columns.child_counts);
    PutAll(columns.keys);
    PutAll(columns.aux);
    for (const TreeDefTag& tag : columns.tags) {
      PutWord(tag.node);
      PutWord(tag.string);
    }
    PutAll(columns.ints);
    PutAll(columns.string_begins);
    sink_(columns.strings.data(), columns.strings.size());
  }

 private:
  void PutWord(size_t word) { PutBytes(static_cast<uint32_t>(word)); }

  template <typename T>
  void PutAll(const std::vector<T>& values) {
    if constexpr (std::endian::native == std::endian::little) {
      sink_(values.data(), values.size() * sizeof(T));
    } else {
      for (T value : values) PutBytes(static_cast<std::make_unsigned_t<T>>(value));
    }
  }

  template <typename U>
  void PutBytes(U value) {
    uint8_t bytes[sizeof(U)];
    for (size_t i = 0; i < sizeof(U); ++i) bytes[i] = static_cast<uint8_t>(value >> (8 * i));
    sink_(bytes, sizeof(bytes));
  }

  Sink& sink_;
};

struct FreeState {
  void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
};

}  // namespace

uint64_t HashOf(const TreeDefColumns& columns) {
  std::unique_ptr<XXH3_state_t, FreeState> state(XXH3_createState());
  if (state == nullptr) throw std::bad_alloc();
  XXH3_64bits_reset(state.get());
  auto sink = [&](const void* data, size_t size) {
    if (size > 0) XXH3_64bits_update(state.get(), data, size);
  };
  CanonicalWriter(sink).Write(columns);
  return XXH3_64bits_digest(state.get());
}

std::string CanonicalBytes(const TreeDefColumns& columns) {
  std::string bytes;
  auto sink = [&](const void* data, size_t size) {
    if (size > 0) bytes.append(static_cast<const char*>(data), size);
  };
  CanonicalWriter(sink).Write(columns);
  return bytes;
}

bool SameStructure(const TreeDefColumns& a, const TreeDefColumns& b) {
  return a.kinds == b.kinds && a.child_counts == b.child_counts && a.keys == b.keys &&
         a.aux == b.aux && a.tags == b.tags && a.ints == b.ints &&
         a.string_begins == b.string_begins && a.strings == b.strings;
}

}  // namespace leafstore::internal
