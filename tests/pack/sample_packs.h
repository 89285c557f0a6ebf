// Packs and views of them that several tests use.
#ifndef LEAFSTORE_TESTS_PACK_SAMPLE_PACKS_H_
#define LEAFSTORE_TESTS_PACK_SAMPLE_PACKS_H_

#include <cstddef>
#include <vector>

#include "leafstore/pack/pack.h"

#include "tests/store/sample_stores.h"

namespace leafstore {

// Slots 0 and 2 are packed; 1 and 3 are in rest().
inline Packed PackedSample() { return Packed::Create(SampleStore(), DType::kF32).value(); }

// Returns the address of the buffer.
inline const std::byte* Address(const Packed& packed) { return packed.bytes().value().data(); }

inline std::vector<float> AllNumbers(const Packed& packed) {
  const absl::Span<const float> numbers = packed.span<float>();
  return {numbers.begin(), numbers.end()};
}

inline void WriteFirst(Packed& packed, float value) {
  MutablePack writing = packed.Mutate().value();
  writing.span<float>(0)[0] = value;
}

// Returns the bytes that do not belong to any leaf.
inline std::vector<int> GapBytes(const Packed& packed) {
  std::vector<int> found;
  const absl::Span<const std::byte> bytes = packed.bytes().value();
  for (const PackLayout::Gap& gap : packed.pack_layout().gaps()) {
    for (const std::byte byte :
         bytes.subspan(static_cast<size_t>(gap.offset), static_cast<size_t>(gap.bytes))) {
      found.push_back(std::to_integer<int>(byte));
    }
  }
  return found;
}

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_PACK_SAMPLE_PACKS_H_
