// SaveCheckpoint and CheckpointWriter: write a checkpoint, a file of named items (docs/format.md),
// with one call or item by item.
//
//   LEAFSTORE_RETURN_IF_ERROR(SaveCheckpoint(
//       "run/step-100.leaf", {{"params", all}, {"adamw", adamw.state()}, {"settings", settings}}));
//
//   CheckpointWriter writer = CheckpointWriter::Create("run/step-100.leaf").value();
//   LEAFSTORE_RETURN_IF_ERROR(writer.AddItem({"params", flat.def, all}));  // written immediately
//   LEAFSTORE_RETURN_IF_ERROR(
//       writer.AddItem({"step", step, {.metadata = {{"unit", "batches"}}}}));
//   LEAFSTORE_RETURN_IF_ERROR(
//       writer.AddItem({"adamw", adamw.state()}));  // "adamw/exp_avg", "adamw/step", ...
//   LEAFSTORE_RETURN_IF_ERROR(writer.Finish());     // the file exists from here on
//
// Items. An item is a name, a structure (or loose paths) and a store, which may have only some of
// the structure's leaves. Tensors are stored in segments, static leaves in the manifest. A
// structure that several items share is saved once, and so is a tied parameter, which is one leaf.
// Group names (Grouping) and metadata are saved too.
//
// Streaming. AddItem writes the bytes of tensors and keeps no tensor, so a store may be freed
// before the next one is created. A save needs four 8 MiB buffers, memory for the manifest, and
// what zstd needs for its level. The caller fills one buffer and computes checksums while a thread
// of the writer writes the full ones (file_stream.h).
//
// Commit. All bytes go to a temporary file in the same directory (`<path>.tmp-<pid>-<count>`).
// Finish syncs it, renames it to `path`, and syncs the directory. A reader that opens `path` sees
// the old file or the new one. After any failure, or if the writer is destroyed before Finish, the
// old file is unchanged and the temporary file is removed. Open readers keep the old file, so it is
// safe to save to the path that tensors are mapped from.
//
// Deterministic: the same items in the same order produce identical files, which contain no times
// or host names and do not depend on the order of hash maps.
//
// Errors. InvalidArgument, AlreadyExists, FailedPrecondition (a borrow is open): errors of the
// caller, detected before anything is written; the writer is unchanged and can still be used. An
// error of the file system (file_system.h; ResourceExhausted, with the path and the bytes, if there
// is no space) ends the writer: all later calls return it again.
//
// Threads: SaveCheckpoint is thread-safe; a writer or an item must be used by one thread at a time.
// Several writers may write to one path; the last to finish wins.
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
#include "absl/types/span.h"

#include "leafstore/checkpoint/save_history.h"
#include "leafstore/core/metadata.h"
#include "leafstore/io/io_options.h"
#include "leafstore/select/grouping.h"
#include "leafstore/select/groups.h"
#include "leafstore/store/flatten.h"
#include "leafstore/store/param_store.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore {

namespace internal {
struct CheckpointAccess;
}  // namespace internal

struct SaveOptions {
  IoOptions io = {};
  // Metadata of the complete checkpoint. UTF-8.
  Metadata metadata = {};
  // Metrics of the checkpoint by name, such as {"accuracy", 0.97}. Used by Retention::best.
  Metrics metrics = {};
  // The Zstandard level. Unset: bytes are stored unchanged, so that readers can map them. Only
  // tensors that shrink by at least a sixteenth are compressed. Higher levels, up to 22, are
  // smaller and slower; negative ones are faster; 3 is usual. The first 4 MiB of a tensor decide
  // whether it is compressed. Network weights shrink little; sparse or repetitive tensors shrink a
  // lot.
  std::optional<int> zstd_level = {};
  // The locations of the previous checkpoints' bytes. Leaves that have not changed since are not
  // written again: this file needs the earlier ones that have their bytes (its bases), which must
  // stay in its directory as long as it is used. CheckpointReader::bases names them. Updated when
  // this checkpoint is complete. Null: all leaves are written. Must outlive the writer.
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

// What is saved under one name. Holds a snapshot of its stores, so the originals may be written or
// destroyed before it is saved. From an rvalue store, each leaf is released as soon as it is saved,
// so that another owner of the leaf can write it without a copy. A copy holds snapshots too. If a
// borrow of a store is open, saving the item is error FailedPrecondition.
class CheckpointItem {
 public:
  // Creates an item with the structure of the store's Layout, or its paths if it has none.
  CheckpointItem(std::string name, const ParamStore& store, ItemOptions options = {})
      : CheckpointItem(std::move(name), nullptr, SnapshotOf(store), std::move(options)) {}
  CheckpointItem(std::string name, ParamStore&& store, ItemOptions options = {})
      : CheckpointItem(std::move(name), nullptr, Held(std::move(store)), std::move(options)) {}
  // Creates an item with the structure `def`. Leaves are matched by position if the store is on the
  // Layout of `def`, and by path otherwise.
  CheckpointItem(std::string name, const TreeDef& def, const ParamStore& store,
                 ItemOptions options = {})
      : CheckpointItem(std::move(name), &def, SnapshotOf(store), std::move(options)) {}
  CheckpointItem(std::string name, const TreeDef& def, ParamStore&& store, ItemOptions options = {})
      : CheckpointItem(std::move(name), &def, Held(std::move(store)), std::move(options)) {}
  // Creates an item from a struct with LEAFSTORE_FIELDS. CheckpointReader::LoadAs loads it.
  template <typename T>
  requires requires(const T& model) { model.LeafstoreFields(); }
  CheckpointItem(std::string name, const T& model, ItemOptions options = {})
      : CheckpointItem(std::move(name), nullptr, ParamsOf(Flatten(model)), std::move(options)) {}
  // Creates one item from all groups, with their names, which replace ItemOptions::grouping.
  CheckpointItem(std::string name, const Groups& groups, ItemOptions options = {});
  // Creates an item "<prefix>/<name>" for each store, such as those of an optimizer's state.
  // CheckpointReader::LoadItems loads them.
  CheckpointItem(std::string prefix, absl::Span<const NamedStore> stores, ItemOptions options = {});
  CheckpointItem(std::string prefix, std::vector<NamedStore>&& stores, ItemOptions options = {})
      : name_(std::move(prefix)),
        options_(std::move(options)),
        is_prefix_(true),
        stores_(std::move(stores)) {}

  CheckpointItem(const CheckpointItem& other);
  CheckpointItem(CheckpointItem&&) noexcept = default;
  CheckpointItem& operator=(CheckpointItem&&) noexcept = default;

  // Returns the error if a borrow was open when this was constructed, or a struct could not be
  // flattened.
  const absl::Status& status() const { return status_; }
  // Returns the total bytes of the item's tensors. O(leaves).
  int64_t tensor_bytes() const;

 private:
  friend class CheckpointWriter;
  friend struct internal::CheckpointAccess;
  using Held = absl::StatusOr<ParamStore>;
  CheckpointItem(std::string name, const TreeDef* def, Held store, ItemOptions options);
  static Held SnapshotOf(const ParamStore& store);
  static Held ParamsOf(absl::StatusOr<Flattened> model);
  void Hold(std::string name, Held store);

  std::string name_;
  std::optional<TreeDef> def_;
  ItemOptions options_;
  bool is_prefix_ = false;          // name_ is the prefix of the names of stores_
  std::vector<NamedStore> stores_;  // without is_prefix_, one store, whose name is unused
  absl::Status status_;             // not OK: stores_ has no store to save
};

class CheckpointWriter {
 public:
  // Creates the temporary file. error InvalidArgument: an empty path, metadata that is not UTF-8,
  // or an invalid zstd level. Other errors: the file system's.
  static absl::StatusOr<CheckpointWriter> Create(std::string path, SaveOptions options = {});

  CheckpointWriter(CheckpointWriter&&) noexcept;
  CheckpointWriter& operator=(CheckpointWriter&&) noexcept;
  ~CheckpointWriter();

  // Adds an item. O(bytes). error AlreadyExists: an item of this name exists. error
  // InvalidArgument: the name is empty or not UTF-8; the store has paths that are not in its
  // structure (names all), or two that are one leaf there; a static str or the metadata is not
  // UTF-8; or the grouping is on a different Layout. error FailedPrecondition: a borrow is open, or
  // after Finish. After an error of one of several stores, none is added.
  absl::Status AddItem(CheckpointItem item);

  // Writes the manifest and commits the file. error FailedPrecondition: already called. Other
  // errors: the file system's; if syncing the directory fails, the new file is at its path, but may
  // be lost in a power failure.
  absl::Status Finish();

 private:
  friend struct internal::CheckpointAccess;
  class State;
  explicit CheckpointWriter(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

// Saves the items to a file. error: as CheckpointWriter's Create, AddItem and Finish; the old file
// is unchanged then, unless syncing the directory failed (see Finish).
absl::Status SaveCheckpoint(const std::string& path, std::vector<CheckpointItem> items,
                            SaveOptions options = {});

}  // namespace leafstore

#endif  // LEAFSTORE_CHECKPOINT_WRITER_H_
