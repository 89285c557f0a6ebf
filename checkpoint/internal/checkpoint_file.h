// CheckpointFile: an open checkpoint, its manifest read and checked, its tensors to be had by
// number. What CheckpointReader is made of; for checkpoint/ alone.
//
// Threads: const calls are safe from many threads.
#ifndef LEAFSTORE_CHECKPOINT_INTERNAL_CHECKPOINT_FILE_H_
#define LEAFSTORE_CHECKPOINT_INTERNAL_CHECKPOINT_FILE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/checkpoint/format.h"
#include "leafstore/checkpoint/internal/checkpoint_bytes.h"
#include "leafstore/checkpoint/reader.h"
#include "leafstore/core/buffer.h"
#include "leafstore/core/internal/lazy.h"
#include "leafstore/core/leaf.h"
#include "leafstore/proto/manifest_codec.h"

namespace leafstore::internal {

class CorruptionInfo;  // verify.cc
class VerifyProgress;  // verify.cc
struct Segment;        // segments.h

class CheckpointFile {
 public:
  static absl::StatusOr<std::shared_ptr<const CheckpointFile>> Open(const std::string& path,
                                                                    const ReadOptions& options);

  const std::string& path() const { return own_->path(); }
  const Manifest& manifest() const { return manifest_; }
  const Footer& footer() const { return own_->footer(); }

  // The file with number `base` (SegmentColumns::bases). error: as Open; DataLoss: another file
  // stands under the name.
  absl::StatusOr<const CheckpointBytes*> FileOf(uint32_t base) const;
  // Puts the file's path before an error, and the item's name behind it.
  absl::Status WithPath(const absl::Status& status) const { return own_->WithPath(status); }
  absl::Status WithItem(const ManifestItem& item, const absl::Status& status) const;

  // error NotFound, with near names.
  absl::StatusOr<const ManifestItem*> GetItem(absl::string_view name) const;

  // Loads the leaves at these places of an item, in order. Their checksums are checked if `verify`;
  // without it, if ReadOptions::verify.
  absl::StatusOr<std::vector<Leaf>> LoadLeaves(const ManifestItem& item,
                                               absl::Span<const uint32_t> places) const;
  absl::StatusOr<std::vector<Leaf>> LoadLeaves(const ManifestItem& item,
                                               absl::Span<const uint32_t> places,
                                               bool verify) const;

  // See CheckpointReader::Verify.
  absl::Status Verify() const;

 private:
  // An earlier checkpoint that has some of the bytes. Opened when the first of them is wanted, so
  // that one which is gone hinders none of the others; where that fails, it is tried again.
  using Base = Lazy<std::unique_ptr<CheckpointBytes>>;

  CheckpointFile() = default;

  absl::Status ReadManifest();
  absl::Status VerifyOwn(VerifyProgress* progress, CorruptionInfo* damage) const;
  absl::Status VerifySegments(VerifyProgress* progress, CorruptionInfo* damage) const;
  // Those that tensors are in, by number; null where one cannot be opened, which is noted.
  absl::StatusOr<std::vector<const CheckpointBytes*>> OpenBases(CorruptionInfo* damage) const;
  absl::Status VerifyBases(VerifyProgress* progress, CorruptionInfo* damage) const;
  // An error of a segment, with its name behind `what`; OK as it is.
  absl::Status Named(const Segment& segment, absl::string_view what,
                     const absl::Status& status) const;

  ReadOptions options_;
  std::unique_ptr<CheckpointBytes> own_;
  Manifest manifest_;
  mutable std::vector<Base> bases_;  // as manifest_.bases
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_CHECKPOINT_FILE_H_
