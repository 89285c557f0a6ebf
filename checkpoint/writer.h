// CheckpointWriter: writes a checkpoint, one file of named items (docs/format.md), item by item.
// What is complete in memory is saved with one call (checkpoint.h).
//
//   CheckpointWriter writer = CheckpointWriter::Create("run/step-100.leaf").value();
//   LEAFSTORE_RETURN_IF_ERROR(writer.AddItem("params", flat.def, all));  // written now
//   LEAFSTORE_RETURN_IF_ERROR(
//       writer.AddItem("step", step, {.metadata = {{"unit", "batches"}}}));
//   LEAFSTORE_RETURN_IF_ERROR(
//       writer.AddItems("adamw", adamw.state()));  // "adamw/exp_avg", "adamw/step", ...
//   LEAFSTORE_RETURN_IF_ERROR(writer.Finish());    // the file is there from here on
//
// Items. A name, a structure (or loose paths) and a store, which may have some of the structure's
// leaves only; tensors go to segments, static leaves into the manifest. Items of one structure save
// it once; a tied parameter is one leaf and saved once. Groups' names (Grouping) and metadata come
// along.
//
// Increments. With a SaveHistory, only leaves that were written since the checkpoint before are
// saved; the file names the earlier ones that have the others, which must stay beside it.
//
// Streamed. AddItem takes the tensors' bytes and keeps no tensor: one store may be freed before the
// next is there. What a save takes besides are four buffers of 8 MiB, the manifest, and with zstd
// what it needs for its level: one buffer is filled and its checksums made while a thread of the
// writer's writes those that are full (file_stream.h). Stores are read during the call; to go on
// training meanwhile, save a Snapshot.
//
// Commit. Everything goes into a temporary file in the same directory (`<path>.tmp-<pid>-<count>`);
// Finish syncs it, renames it to `path`, and syncs the directory. A reader that opens `path` sees
// the old file or the new one. After any failure, and if the writer is destroyed before Finish, the
// old file is as it was and the temporary file is gone. A reader of the old file keeps it: saving
// to the path that tensors are mapped from is safe.
//
// Bytes. Equal items in equal order give equal files: no time, no name of a machine, no hash map's
// order.
//
// Errors. InvalidArgument, AlreadyExists, FailedPrecondition (a borrow is open): the caller's,
// found before anything is written; the writer is as before and may be used on. An error of the
// file system (file_system.h; no space is ResourceExhausted, with the path and the bytes) ends the
// writer: all later calls return it again.
//
// Threads: one writer belongs to one thread at a time. Several writers of one path do not disturb
// each other; the last to finish wins.
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
#include "leafstore/store/named_store.h"
#include "leafstore/store/param_store.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore {

// How the bytes of tensors are stored.
enum class Compression : uint8_t {
  kNone,  // as they are: readers map them
  kZstd,  // as zstd frames, where that makes a tensor smaller by a sixteenth at least
};

struct SaveOptions {
  IoOptions io = {};
  // Of the whole checkpoint. UTF-8.
  Metadata metadata = {};
  // How good the parameters are.
  Metrics metrics = {};
  // Smaller files for slower saves, and loads that map nothing. A tensor is judged by its first
  // 4 MiB; weights of a network shrink little, what is sparse or repeats itself shrinks a lot.
  Compression compression = Compression::kNone;
  // Zstandard's: higher is smaller and slower, up to 22; negative ones are faster still.
  int zstd_level = 3;
  // Where the bytes of the checkpoint before are: leaves that have not changed since are not
  // written again. Updated once this one is complete. Null: all leaves are written. Must outlive
  // the writer.
  SaveHistory* history = nullptr;
  // The total that `io.progress` receives; 0: the bytes of the items added so far. SaveCheckpoint
  // computes it. Bytes that are found in an earlier file count as done.
  int64_t total_bytes = 0;
};

struct ItemOptions {
  // Named groups of the item's leaves; on the Layout that is saved.
  std::optional<Grouping> grouping = {};
  // UTF-8.
  Metadata metadata = {};
};

class CheckpointWriter {
 public:
  // error InvalidArgument: no path, metadata that is no UTF-8, or no level of zstd's; or what
  // creating the temporary file gives.
  static absl::StatusOr<CheckpointWriter> Create(std::string path, SaveOptions options = {});

  CheckpointWriter(CheckpointWriter&&) noexcept;
  CheckpointWriter& operator=(CheckpointWriter&&) noexcept;
  ~CheckpointWriter();

  // Adds an item of the structure `def`: leaves of a store on the Layout of `def` by position,
  // those of any other by path.
  // error AlreadyExists: there is an item of this name. error InvalidArgument: the name is empty or
  // no UTF-8; the store has paths that are not in `def` (all are named), or two that are one leaf
  // there; a static str or the metadata are no UTF-8, or the grouping is on another Layout. error
  // FailedPrecondition: a borrow is open; or after Finish. O(bytes).
  absl::Status AddItem(absl::string_view name, const TreeDef& def, const ParamStore& store,
                       const ItemOptions& options = {});
  // Of the structure of the store's own Layout; of its paths, where that has none.
  absl::Status AddItem(absl::string_view name, const ParamStore& store,
                       const ItemOptions& options = {});
  // The same of a store that is given away: each leaf is let go of as soon as it is saved, so that
  // who else holds it may write it without a copy.
  absl::Status AddItem(absl::string_view name, const TreeDef& def, ParamStore&& store,
                       const ItemOptions& options = {});
  absl::Status AddItem(absl::string_view name, ParamStore&& store, const ItemOptions& options = {});

  // Adds an item "<prefix>/<name>" for each of these, such as an optimizer's state, which
  // CheckpointReader::LoadItems gives back. error: as AddItem's; the caller's are found before any
  // of the items is added.
  absl::Status AddItems(absl::string_view prefix, absl::Span<const NamedStore> stores,
                        const ItemOptions& options = {});
  absl::Status AddItems(absl::string_view prefix, std::vector<NamedStore>&& stores,
                        const ItemOptions& options = {});

  // Writes the manifest and commits. error: the file system's; if syncing the directory fails, the
  // new file is in place, but may be lost with power. error FailedPrecondition: called already.
  absl::Status Finish();

 private:
  struct State;
  explicit CheckpointWriter(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_CHECKPOINT_WRITER_H_
