// Increment: the tensors that a save with a SaveHistory finds in earlier files instead of writing
// them. Find and Add are called for each tensor, and Finish once the file is at its path.
#ifndef LEAFSTORE_CHECKPOINT_INTERNAL_INCREMENT_H_
#define LEAFSTORE_CHECKPOINT_INTERNAL_INCREMENT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "leafstore/checkpoint/internal/format.h"
#include "leafstore/checkpoint/internal/stored_locations.h"
#include "leafstore/checkpoint/save_history.h"
#include "leafstore/core/tensor.h"
#include "leafstore/io/io_options.h"
#include "leafstore/proto/manifest_codec.h"

namespace leafstore {

struct SaveHistory::State {
  std::string directory;            // of all files; empty if there are none
  bool durable = true;              // whether all files were saved with IoOptions::durable
  std::vector<FileIdentity> files;  // at most SaveHistory::kMaxBases
  internal::StoredLocations locations;
};

namespace internal {

class Increment {
 public:
  // Checks which files of the history a save to `path` may build on. `history` must outlive this
  // object. error InvalidArgument: the history's files are in another directory.
  static absl::StatusOr<Increment> Create(SaveHistory* history, const std::string& path,
                                          const IoOptions& io);

  // Returns the location of the tensor's bytes in an earlier file, or nothing. `file` of the result
  // is the index of that file in bases() plus 1. O(1).
  std::optional<StoredLocation> Find(const Tensor& tensor);
  // Records the location of a tensor's bytes: in this file (0) or in a base.
  void Add(const Tensor& tensor, StoredLocation where);
  // Returns the files that Find has returned so far.
  const std::vector<FileIdentity>& bases() const { return bases_; }

  // Updates the history.
  void Finish(const Footer& footer);

 private:
  // A file of the history that may not be a base.
  static constexpr uint32_t kNoBase = 0xffffffff;

  Increment(SaveHistory::State* history, const std::string& path, bool durable)
      : history_(history), path_(path), durable_(durable) {}

  // Removes the file with the fewest bytes in use, except the last, from the history.
  void ForgetLeastUsed();

  SaveHistory::State* history_;
  std::string path_;
  bool durable_;
  // For each file of the history: its index in bases_ plus 1, 0 if it is not a base yet, or
  // kNoBase.
  std::vector<uint32_t> base_indices_;
  // For each file of the history: the bytes that Find has returned.
  std::vector<int64_t> bytes_in_base_;
  std::vector<FileIdentity> bases_;
  StoredLocations locations_;
};

}  // namespace internal
}  // namespace leafstore

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_INCREMENT_H_
