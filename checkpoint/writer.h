// Writing a checkpoint: one file of named items (docs/format.md), there whole or not at all.
//
//   LEAFSTORE_RETURN_IF_ERROR(SaveCheckpoint(
//       "run/step-100.leaf", {{"params", flat.def, all}, {"adamw", adamw.state()}}));
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
// Commit. Everything goes into a temporary file in the same directory
// (`<path>.tmp-<pid>-<number>`); Finish syncs it, renames it to `path`, and syncs the directory.
// Whoever opens `path` sees the old file or the new one. After any failure, and if the writer is
// destroyed before Finish, the old file is as it was and the temporary file is gone. A reader of
// the old file keeps it: saving to the path that tensors are mapped from is safe.
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
#include <functional>
#include <initializer_list>
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
#include "leafstore/io/file_system.h"
#include "leafstore/proto/manifest_codec.h"
#include "leafstore/select/grouping.h"
#include "leafstore/select/groups.h"
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
  // Sync the file and its directory: a checkpoint that was reported written survives a loss of
  // power. Without, it survives the end of the process alone. Such bytes go past the page cache
  // where the file system takes that, at the speed of the disk; without, they stay in it.
  bool durable = true;
  // Of the whole checkpoint. UTF-8.
  Metadata metadata = {};
  // How good the parameters are.
  Metrics metrics = {};
  // Smaller files for slower saves, and loads that map nothing. A tensor is judged by its first
  // 4 MiB; weights of a network shrink little, what is sparse or repeats itself shrinks a lot.
  Compression compression = Compression::kNone;
  // Zstandard's: higher is smaller and slower, up to 22; negative ones are faster still.
  int zstd_level = 3;
  // Where the bytes of the checkpoint before are; leaves unchanged since are not written again.
  // Told of this one when it is there. Null: all leaves are written. Must outlive the writer.
  SaveHistory* history = nullptr;
  // Told the bytes of tensors that are saved, after every few MiB, and of how many (see below); what
  // is found in an earlier file counts too. Must not throw.
  std::function<void(int64_t done, int64_t total)> progress = {};
  // What `progress` is told as the total; 0: the bytes of the items added so far. SaveCheckpoint
  // knows it.
  int64_t total_bytes = 0;
  // Null: this machine's. Must outlive the writer.
  FileSystem* file_system = nullptr;
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

  // Adds an item of the structure `def`: leaves of a store on the Layout of `def` by position, those
  // of any other by path.
  // error AlreadyExists: there is an item of this name. error InvalidArgument: the name is empty or
  // no UTF-8; the store has paths that are not in `def` (all are named), or two that are one leaf
  // there; a static str or the metadata are no UTF-8, or the grouping is on another Layout. error FailedPrecondition: a borrow is open; or after
  // Finish. O(bytes).
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

// What SaveCheckpoint saves: an item, or with NamedStores one of each (AddItems). It holds a store
// by value, an lvalue's as a snapshot of it: so what it was made of may be gone or written before
// it is saved. An open borrow is SaveCheckpoint's error.
class CheckpointItem {
 public:
  CheckpointItem(std::string name, const TreeDef& def, const ParamStore& store,
                 ItemOptions options = {});
  CheckpointItem(std::string name, const TreeDef& def, ParamStore&& store,
                 ItemOptions options = {});
  CheckpointItem(std::string name, const ParamStore& store, ItemOptions options = {});
  CheckpointItem(std::string name, ParamStore&& store, ItemOptions options = {});
  // All groups as one item, with their names: what ItemOptions::grouping says is replaced.
  CheckpointItem(std::string name, const Groups& groups, ItemOptions options = {});
  CheckpointItem(std::string prefix, std::vector<NamedStore> stores, ItemOptions options = {});

  // Why it cannot be saved, or OK: a borrow was open when this was made.
  const absl::Status& status() const { return status_; }
  // Bytes of all its tensors. O(leaves).
  int64_t tensor_bytes() const;
  // Another that holds snapshots of the same stores. O(stores).
  CheckpointItem Share() const;

  CheckpointItem(CheckpointItem&&) noexcept = default;
  CheckpointItem& operator=(CheckpointItem&&) noexcept = default;

 private:
  CheckpointItem() = default;
  friend absl::Status SaveCheckpoint(const std::string& path,
                                     absl::Span<const CheckpointItem> items,
                                     const SaveOptions& options);
  friend absl::Status SaveCheckpoint(const std::string& path, std::vector<CheckpointItem>&& items,
                                     const SaveOptions& options);
  static absl::StatusOr<CheckpointWriter> WriterFor(const std::string& path,
                                                    absl::Span<const CheckpointItem> items,
                                                    SaveOptions options);
  void HoldSnapshot(const ParamStore& store, std::string name = {});
  absl::Status AddTo(CheckpointWriter* writer) const;
  absl::Status GiveTo(CheckpointWriter* writer) &&;

  std::string name_;
  std::optional<TreeDef> def_;
  ItemOptions options_;
  bool is_prefix_ = false;          // of the names of stores_
  std::vector<NamedStore> stores_;  // otherwise one, whose name is not used
  absl::Status status_;             // why there is none
};

// Create, AddItem for each, Finish. Errors are theirs; the old file is as it was then, unless
// syncing the directory failed (see Finish).
absl::Status SaveCheckpoint(const std::string& path, absl::Span<const CheckpointItem> items,
                            const SaveOptions& options = {});
// The same, and lets go of each leaf as soon as it is saved.
absl::Status SaveCheckpoint(const std::string& path, std::vector<CheckpointItem>&& items,
                            const SaveOptions& options = {});
absl::Status SaveCheckpoint(const std::string& path, std::initializer_list<CheckpointItem> items,
                            const SaveOptions& options = {});

}  // namespace leafstore

#endif  // LEAFSTORE_CHECKPOINT_WRITER_H_
