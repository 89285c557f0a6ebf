// LoadStored: loads leaves from files, as views of a mapping or as tensors that own their bytes.
// The readers of all formats use it.
//
// Small tensors that are close together in a file are read, or made resident, together. Threads
// share the leaves that require reading bytes.
#ifndef LEAFSTORE_CHECKPOINT_INTERNAL_STORED_LEAVES_H_
#define LEAFSTORE_CHECKPOINT_INTERNAL_STORED_LEAVES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "leafstore/checkpoint/internal/file_bytes.h"
#include "leafstore/checkpoint/load_options.h"
#include "leafstore/core/leaf.h"
#include "leafstore/io/io_options.h"

namespace leafstore::internal {

// Leaves to load, preferably in the order of their bytes. Calls come from many threads.
class StoredLeaves {
 public:
  virtual ~StoredLeaves() = default;

  // Returns the entry of a leaf. Called several times per leaf, so it must be cheap.
  virtual EntryInfo Find(size_t index) const = 0;
  // Returns the file with this EntryInfo::base.
  virtual absl::StatusOr<const FileBytes*> FileOf(uint32_t base) const = 0;
  // Prefixes an error of a leaf with its name. `file` is null if it could not be opened.
  virtual absl::Status Named(size_t index, const FileBytes* file,
                             const absl::Status& status) const = 0;
};

// Loads the leaves with the indices below `count`, in order. With `verify`, checks their checksums;
// bools are always checked, as a byte other than 0 and 1 is undefined behavior in C++. error:
// CheckpointReader::Load's, as StoredLeaves::Named returns them.
absl::StatusOr<std::vector<Leaf>> LoadStored(const StoredLeaves& leaves, size_t count,
                                             const IoOptions& io, bool verify);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_STORED_LEAVES_H_
