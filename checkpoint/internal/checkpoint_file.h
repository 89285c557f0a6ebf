// CheckpointFile: an open checkpoint with a checked manifest, which loads leaves by their places.
// The implementation of CheckpointReader.
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

  // Returns the file of an entry of SegmentColumns::bases: 0 for this file. error: as
  // CheckpointBytes::OpenBase.
  absl::StatusOr<const CheckpointBytes*> FileOf(uint32_t base) const;
  // Prefixes an error with the path of the file; WithItem also with the name of the item.
  absl::Status WithPath(const absl::Status& status) const { return own_->WithPath(status); }
  absl::Status WithItem(const ManifestItem& item, const absl::Status& status) const;

  // Returns the item of this name. error NotFound, with suggestions: no such item.
  absl::StatusOr<const ManifestItem*> GetItem(absl::string_view name) const;

  // Loads the leaves at these places of an item, in order. Checks their checksums if `verify`,
  // which defaults to ReadOptions::verify.
  absl::StatusOr<std::vector<Leaf>> LoadLeaves(const ManifestItem& item,
                                               absl::Span<const uint32_t> places) const;
  absl::StatusOr<std::vector<Leaf>> LoadLeaves(const ManifestItem& item,
                                               absl::Span<const uint32_t> places,
                                               bool verify) const;

  // See CheckpointReader::Verify.
  absl::Status Verify() const;

 private:
  // An earlier checkpoint that has some of the bytes. Opened when it is first needed, so that a
  // missing base affects only loads of its tensors. If opening fails, the next use tries again.
  using Base = Lazy<std::unique_ptr<CheckpointBytes>>;

  CheckpointFile() = default;

  absl::Status ReadManifest();
  absl::Status VerifyOwn(VerifyProgress* progress, CorruptionInfo* damage) const;
  absl::Status VerifySegments(VerifyProgress* progress, CorruptionInfo* damage) const;
  // Opens the files that have tensors, in the order of FileOf; null for one that cannot be opened,
  // which is added to `damage`, or is not needed.
  absl::StatusOr<std::vector<const CheckpointBytes*>> OpenBases(CorruptionInfo* damage) const;
  absl::Status VerifyBases(VerifyProgress* progress, CorruptionInfo* damage) const;
  // Prefixes an error of a segment with `what` and the name of its tensor. Returns OK unchanged.
  absl::Status Named(const Segment& segment, absl::string_view what,
                     const absl::Status& status) const;

  ReadOptions options_;
  std::unique_ptr<CheckpointBytes> own_;
  Manifest manifest_;
  mutable std::vector<Base> bases_;  // parallel to manifest_.bases
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_CHECKPOINT_FILE_H_
