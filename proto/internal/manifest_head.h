// The fields of a manifest that relate the checkpoint to others of its run.
#ifndef LEAFSTORE_PROTO_INTERNAL_MANIFEST_HEAD_H_
#define LEAFSTORE_PROTO_INTERNAL_MANIFEST_HEAD_H_

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/core/metadata.h"
#include "leafstore/proto/manifest_codec.h"

namespace leafstore::internal {

struct ManifestHead {
  std::vector<FileIdentity> bases;
  Metrics metrics;
  std::optional<RunInfo> run;
};

// Decodes these fields of a manifest, and skips its items without checking them. error DataLoss: as
// DecodeManifest. O(bytes), without an allocation per leaf.
absl::StatusOr<ManifestHead> DecodeManifestHead(absl::string_view bytes);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_PROTO_INTERNAL_MANIFEST_HEAD_H_
