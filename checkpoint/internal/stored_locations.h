// StoredLocations: where the stored bytes of tensors are.
#ifndef LEAFSTORE_CHECKPOINT_INTERNAL_STORED_LOCATIONS_H_
#define LEAFSTORE_CHECKPOINT_INTERNAL_STORED_LOCATIONS_H_

#include <cstdint>
#include <vector>

#include "leafstore/core/internal/hash_tables.h"

namespace leafstore::internal {

// The location of the stored bytes of one tensor.
struct StoredLocation {
  uint32_t file = 0;  // in a history, an index of its files; in a manifest, as EntryInfo::base
  uint64_t offset = 0;
  uint64_t checksum = 0;
  int64_t stored_size = 0;
  uint8_t codec = 0;
  std::vector<uint64_t> block_checksums = {};
};

// The locations of tensors, by generation.
using StoredLocations = HashMap<uint64_t, StoredLocation>;

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_STORED_LOCATIONS_H_
