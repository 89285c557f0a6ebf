// The manifest of a checkpoint (proto/manifest.proto): everything in the file except the bytes of
// tensors.
//
// A decoded manifest is consistent: structures, slots, dtypes, shapes, values, groups and names are
// checked, and the lengths of all columns match. checkpoint/internal/segments.h has the checks that
// need the file.
//
// Deterministic: equal manifests have equal bytes. Fields of later versions are ignored; a file
// that cannot be read without them has a higher min_reader (docs/format.md).
#ifndef LEAFSTORE_PROTO_MANIFEST_CODEC_H_
#define LEAFSTORE_PROTO_MANIFEST_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/core/leaf_columns.h"
#include "leafstore/core/metadata.h"
#include "leafstore/select/grouping.h"
#include "leafstore/store/layout.h"
#include "leafstore/store/slot_set.h"

namespace leafstore {

// Identifies an earlier checkpoint in the same directory: a base, or the checkpoint that another
// one continues.
struct FileIdentity {
  std::string name;  // without a directory
  int64_t file_size = 0;
  uint64_t manifest_checksum = 0;

  friend bool operator==(const FileIdentity& a, const FileIdentity& b) = default;
};

// The place of a checkpoint in a run, in which each checkpoint continues an earlier one.
struct RunInfo {
  static constexpr size_t kIdSize = 16;

  std::string id;  // kIdSize random bytes, the same in all checkpoints of the run
  // The checkpoint that this one continues; none in the first of a run.
  std::optional<FileIdentity> parent;

  friend bool operator==(const RunInfo& a, const RunInfo& b) = default;
};

// The alignment of every segment in the file, in bytes.
inline constexpr uint64_t kSegmentAlignment = 64;

// The stored bytes of a tensor of more than one block have a checksum per block as well.
inline constexpr int64_t kBlockSize = int64_t{1} << 20;
// Returns the number of block checksums of a tensor. `stored_size` must not be negative.
constexpr int64_t BlockCount(int64_t stored_size) {
  return stored_size > kBlockSize ? (stored_size - 1) / kBlockSize + 1 : 0;
}

// A store without the bytes of its tensors, and where they are.
struct ManifestItem {
  // The locations of the tensors' bytes, with one entry per tensor (LeafColumns::tensor). An empty
  // column means the default for all tensors.
  struct Segments {
    // Offsets in the file that has the tensor, multiples of kSegmentAlignment; 0 for an empty
    // tensor.
    std::vector<uint64_t> offsets;
    std::vector<uint64_t> checksums;        // XXH3-64 of the stored bytes
    std::vector<uint8_t> codecs;            // default 0: stored unchanged
    std::vector<int64_t> stored_sizes;      // default: byte_size
    std::vector<uint32_t> bases;            // default 0: in this file; n: in Manifest::bases[n - 1]
    std::vector<uint64_t> block_checksums;  // BlockCount for each tensor; empty: not known
    std::vector<uint32_t> first_blocks;     // of each tensor, where known; made by DecodeManifest

    uint8_t codec(uint32_t tensor) const { return codecs.empty() ? uint8_t{0} : codecs[tensor]; }
    uint32_t base(uint32_t tensor) const { return bases.empty() ? 0 : bases[tensor]; }
  };

  std::string name;
  Layout layout;
  SlotSet slots;  // the slots that are present
  LeafColumns leaves;
  Segments segments;
  std::optional<Grouping> grouping;  // on `layout`
  Metadata metadata;

  int64_t stored_size(uint32_t tensor) const {
    return segments.stored_sizes.empty() ? leaves.byte_sizes()[tensor]
                                         : segments.stored_sizes[tensor];
  }
  // Returns the checksums of a tensor's blocks; none if they are not known. After DecodeManifest.
  absl::Span<const uint64_t> blocks(uint32_t tensor) const {
    if (segments.first_blocks.empty()) return {};
    return absl::MakeConstSpan(segments.block_checksums)
        .subspan(segments.first_blocks[tensor],
                 static_cast<size_t>(BlockCount(stored_size(tensor))));
  }
};

struct Manifest {
  std::vector<ManifestItem> items;
  Metadata metadata;
  std::vector<FileIdentity> bases;  // unique names; each has the bytes of some tensor
  Metrics metrics;
  std::optional<RunInfo> run;
};

// Checks that the name of an item is UTF-8 and not empty. error InvalidArgument: it is not.
absl::Status CheckItemName(absl::string_view name);

// Checks that a run can be saved: its id has RunInfo::kIdSize bytes, and its parent has a file name
// without a directory and a size of at least 0. error InvalidArgument: it cannot.
absl::Status CheckRun(const RunInfo& run);

// Returns whether a name is UTF-8 and has no directory. A file must not be able to make a reader
// open files in other directories.
bool IsPlainFileName(absl::string_view name);

// Encodes a manifest, which must be consistent as above. error ResourceExhausted: over 2 GiB.
// O(bytes).
absl::StatusOr<std::string> EncodeManifest(const Manifest& manifest);

// Decodes a manifest. error DataLoss: not a valid manifest; names the item and the column or path.
// error ResourceExhausted: as Layout::Create. O(bytes) in time and memory, even for hostile bytes.
absl::StatusOr<Manifest> DecodeManifest(absl::string_view bytes);

}  // namespace leafstore

#endif  // LEAFSTORE_PROTO_MANIFEST_CODEC_H_
