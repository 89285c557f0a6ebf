// CheckpointAccess: what CheckpointManager needs of an item, a writer and a reader.
#ifndef LEAFSTORE_CHECKPOINT_INTERNAL_CHECKPOINT_ACCESS_H_
#define LEAFSTORE_CHECKPOINT_INTERNAL_CHECKPOINT_ACCESS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "leafstore/checkpoint/internal/checkpoint_file.h"
#include "leafstore/checkpoint/reader.h"
#include "leafstore/checkpoint/writer.h"
#include "leafstore/proto/manifest_codec.h"

namespace leafstore::internal {

struct CheckpointAccess {
  // Returns the names under which an item is saved: one, or one for each store of a prefix.
  static std::vector<std::string> NamesOf(const CheckpointItem& item);
  // Like SaveCheckpoint, but also records a place in a run: an id of RunInfo::kIdSize bytes, and a
  // parent whose name has no directory. Returns what identifies the file among those of its
  // directory. error InvalidArgument also: an invalid run.
  static absl::StatusOr<FileIdentity> Save(const std::string& path,
                                           std::vector<CheckpointItem> items, SaveOptions options,
                                           std::optional<RunInfo> run);
  static const CheckpointFile& FileOf(const CheckpointReader& reader) { return *reader.file_; }
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_CHECKPOINT_ACCESS_H_
