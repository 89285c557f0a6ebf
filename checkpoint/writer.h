// CheckpointWriter: writes a checkpoint, a file of named items (docs/format.md), item by item. To
// save items that are all in memory with one call, see checkpoint.h.
//
//   CheckpointWriter writer = CheckpointWriter::Create("run/step-100.leaf").value();
//   LEAFSTORE_RETURN_IF_ERROR(writer.AddItem("params", flat.def, all));  // written immediately
//   LEAFSTORE_RETURN_IF_ERROR(
//       writer.AddItem("step", step, {.metadata = {{"unit", "batches"}}}));
//   LEAFSTORE_RETURN_IF_ERROR(
//       writer.AddItems("adamw", adamw.state()));  // "adamw/exp_avg", "adamw/step", ...
//   LEAFSTORE_RETURN_IF_ERROR(writer.Finish());    // the file exists from here on
//
// Items. An item is a name, a structure (or loose paths) and a store, which may have only some of
// the structure's leaves. Tensors are stored in segments, static leaves in the manifest. A
// structure that several items share is saved once, and so is a tied parameter, which is one leaf.
// Group names (Grouping) and metadata are saved too.
//
// Increments. With a SaveHistory, only leaves that changed since the previous checkpoint are saved.
// The file names the earlier files that have the others; they must stay in its directory.
//
// Streaming. AddItem writes the bytes of tensors and keeps no tensor, so a store may be freed
// before the next one is created. A save needs four buffers of 8 MiB, the manifest, and the memory
// of zstd for its level. The caller fills one buffer and computes checksums while a thread of the
// writer writes the full ones (file_stream.h). Stores are read during the call; to continue
// training meanwhile, save a Snapshot.
//
// Commit. All bytes go to a temporary file in the same directory (`<path>.tmp-<pid>-<count>`).
// Finish syncs it, renames it to `path`, and syncs the directory. A reader that opens `path` sees
// the old file or the new one. After any failure, or if the writer is destroyed before Finish, the
// old file is unchanged and the temporary file is removed. Open readers keep the old file, so it is
// safe to save to the path that tensors are mapped from.
//
// Deterministic: equal items in equal order make equal files, without times, host names or the
// order of a hash map.
//
// Errors. InvalidArgument, AlreadyExists, FailedPrecondition (a borrow is open): errors of the
// caller, detected before anything is written; the writer is unchanged and can still be used. An
// error of the file system (file_system.h; ResourceExhausted, with the path and the bytes, if there
// is no space) ends the writer: all later calls return it again.
//
// Threads: a writer belongs to one thread at a time. Several writers may write to one path; the
// last to finish wins.
#ifndef LEAFSTORE_CHECKPOINT_WRITER_H_
#define LEAFSTORE_CHECKPOINT_WRITER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/checkpoint/save_history.h"
#include "leafstore/io/io_options.h"
#include "leafstore/proto/manifest_codec.h"
#include "leafstore/select/grouping.h"
#include "leafstore/store/param_store.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore {

// How the bytes of tensors are stored.
enum class Compression : uint8_t {
  kNone,  // unchanged, so that readers can map them
  kZstd,  // as zstd frames, if that makes a tensor smaller by at least a sixteenth
};

struct SaveOptions {
  IoOptions io = {};
  // Metadata of the complete checkpoint. UTF-8.
  Metadata metadata = {};
  // Measures of the quality of the parameters.
  Metrics metrics = {};
  // Compressed files are smaller, but slower to save, and their compressed tensors are not mapped.
  // The first 4 MiB of a tensor decide whether it is compressed. Network weights shrink little;
  // sparse or repetitive tensors shrink a lot.
  Compression compression = Compression::kNone;
  // The Zstandard level: higher levels, up to 22, are smaller and slower; negative ones are faster.
  int zstd_level = 3;
  // The locations of the previous checkpoint's bytes. Leaves that have not changed since are not
  // written again. Updated when this checkpoint is complete. Null: all leaves are written. Must
  // outlive the writer.
  SaveHistory* history = nullptr;
  // The total that `io.progress` receives; 0: the bytes of the items added so far. SaveCheckpoint
  // computes it. Bytes found in an earlier file count as done.
  int64_t total_bytes = 0;
};

struct ItemOptions {
  // Named groups of the item's leaves, on the saved Layout.
  std::optional<Grouping> grouping = {};
  // Metadata of the item. UTF-8.
  Metadata metadata = {};
};

class CheckpointWriter {
 public:
  // Creates the temporary file. error InvalidArgument: an empty path, metadata that is not UTF-8,
  // or an invalid zstd level. Others: the file system's.
  static absl::StatusOr<CheckpointWriter> Create(std::string path, SaveOptions options = {});

  CheckpointWriter(CheckpointWriter&&) noexcept;
  CheckpointWriter& operator=(CheckpointWriter&&) noexcept;
  ~CheckpointWriter();

  // Adds an item with the structure `def`. Leaves are matched by position if the store is on the
  // Layout of `def`, and by path otherwise.
  // error AlreadyExists: an item of this name exists. error InvalidArgument: the name is empty or
  // not UTF-8; the store has paths that are not in `def` (names all), or two that are one leaf
  // there; a static str or the metadata is not UTF-8; or the grouping is on another Layout. error
  // FailedPrecondition: a borrow is open, or after Finish. O(bytes).
  absl::Status AddItem(absl::string_view name, const TreeDef& def, const ParamStore& store,
                       const ItemOptions& options = {});
  // Like the above, with the structure of the store's Layout, or its paths if it has no structure.
  absl::Status AddItem(absl::string_view name, const ParamStore& store,
                       const ItemOptions& options = {});
  // Like the above, but consumes the store and releases each leaf as soon as it is saved, so that
  // another owner of the leaf can write it without a copy.
  absl::Status AddItem(absl::string_view name, const TreeDef& def, ParamStore&& store,
                       const ItemOptions& options = {});
  absl::Status AddItem(absl::string_view name, ParamStore&& store, const ItemOptions& options = {});

  // Adds an item "<prefix>/<name>" for each store, such as those of an optimizer's state.
  // CheckpointReader::LoadItems loads them. error: as AddItem's; errors of the caller are detected
  // before any of the items is added.
  absl::Status AddItems(absl::string_view prefix, absl::Span<const NamedStore> stores,
                        const ItemOptions& options = {});
  absl::Status AddItems(absl::string_view prefix, std::vector<NamedStore>&& stores,
                        const ItemOptions& options = {});

  // Writes the manifest and commits the file. error FailedPrecondition: already called. Others: the
  // file system's; if syncing the directory fails, the new file is at its path, but a loss of power
  // may lose it.
  absl::Status Finish();

 private:
  struct State;
  explicit CheckpointWriter(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_CHECKPOINT_WRITER_H_
