// Checkpoints as whole files: SaveCheckpoint and LoadCheckpoint, one line each.
//
//   LEAFSTORE_RETURN_IF_ERROR(SaveCheckpoint(
//       "run/step-100.leaf", {{"params", flat.def, all}, {"adamw", adamw.state()}}));
//
//   ParamStore params = LoadCheckpoint("run/step-100.leaf", "params").value();
//
// To write item by item, see writer.h; to read a part of a file or what is known of it, see reader.h.
// Both say how files are committed, mapped and verified.
//
// Threads: functions of their arguments; a CheckpointItem belongs to one thread at a time.
#ifndef LEAFSTORE_CHECKPOINT_CHECKPOINT_H_
#define LEAFSTORE_CHECKPOINT_CHECKPOINT_H_

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/checkpoint/reader.h"
#include "leafstore/checkpoint/writer.h"
#include "leafstore/select/groups.h"
#include "leafstore/store/named_store.h"
#include "leafstore/store/param_store.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore {

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

// Loads one item of a file, all that it holds. error: as CheckpointReader::Open and Load.
absl::StatusOr<ParamStore> LoadCheckpoint(const std::string& path, absl::string_view item,
                                          const ReadOptions& options = {});
// Loads all items of a file, in the order in which they were saved.
absl::StatusOr<std::vector<NamedStore>> LoadCheckpoint(const std::string& path,
                                                       const ReadOptions& options = {});

}  // namespace leafstore

#endif  // LEAFSTORE_CHECKPOINT_CHECKPOINT_H_
