// SaveCheckpoint and LoadCheckpoint: save and load a complete checkpoint file with one call.
//
//   LEAFSTORE_RETURN_IF_ERROR(SaveCheckpoint(
//       "run/step-100.leaf", {{"params", all}, {"adamw", adamw.state()}, {"settings", settings}}));
//
//   ParamStore params = LoadCheckpoint("run/step-100.leaf", "params").value();
//
// To write item by item, see writer.h; to read part of a file or its metadata, see reader.h. They
// describe how files are committed, mapped and verified.
//
// Threads: the functions are safe to call from many threads; a CheckpointItem belongs to one thread
// at a time.
#ifndef LEAFSTORE_CHECKPOINT_CHECKPOINT_H_
#define LEAFSTORE_CHECKPOINT_CHECKPOINT_H_

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/checkpoint/reader.h"
#include "leafstore/checkpoint/writer.h"
#include "leafstore/select/groups.h"
#include "leafstore/store/flatten.h"
#include "leafstore/store/param_store.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore {

// An item for SaveCheckpoint to save, or with NamedStores one item for each (AddItems). Holds its
// stores by value, and a snapshot of an lvalue store, so the original may be destroyed or written
// before the item is saved. An open borrow makes SaveCheckpoint return an error.
class CheckpointItem {
 public:
  CheckpointItem(std::string name, const TreeDef& def, const ParamStore& store,
                 ItemOptions options = {});
  CheckpointItem(std::string name, const TreeDef& def, ParamStore&& store,
                 ItemOptions options = {});
  CheckpointItem(std::string name, const ParamStore& store, ItemOptions options = {});
  CheckpointItem(std::string name, ParamStore&& store, ItemOptions options = {});
  // Saves all groups as one item, with their names. Replaces ItemOptions::grouping.
  CheckpointItem(std::string name, const Groups& groups, ItemOptions options = {});
  CheckpointItem(std::string prefix, std::vector<NamedStore> stores, ItemOptions options = {});
  // Saves a struct with LEAFSTORE_FIELDS. CheckpointReader::LoadAs loads it.
  template <typename T>
  requires requires(const T& model) { model.LeafstoreFields(); }
  CheckpointItem(std::string name, const T& model, ItemOptions options = {})
      : CheckpointItem(std::move(name), Flatten(model), std::move(options)) {}

  // Returns OK, or the reason why this cannot be saved: a borrow was open when it was constructed,
  // or the struct could not be flattened.
  const absl::Status& status() const { return status_; }
  // Returns the total bytes of the item's tensors. O(leaves).
  int64_t tensor_bytes() const;
  // Returns an item that holds snapshots of the same stores. O(stores).
  CheckpointItem Share() const;

  CheckpointItem(CheckpointItem&&) noexcept = default;
  CheckpointItem& operator=(CheckpointItem&&) noexcept = default;

 private:
  CheckpointItem() = default;
  CheckpointItem(std::string name, absl::StatusOr<Flattened> model, ItemOptions options);
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
  bool is_prefix_ = false;          // name_ is the prefix of the names of stores_
  std::vector<NamedStore> stores_;  // without is_prefix_, one store, whose name is unused
  absl::Status status_;             // not OK: stores_ has no store to save
};

// Saves the items to a file. error: as CheckpointWriter's Create, AddItem and Finish; the old file
// is unchanged then, unless syncing the directory failed (see Finish).
absl::Status SaveCheckpoint(const std::string& path, absl::Span<const CheckpointItem> items,
                            const SaveOptions& options = {});
// Like the above, but releases each leaf as soon as it is saved.
absl::Status SaveCheckpoint(const std::string& path, std::vector<CheckpointItem>&& items,
                            const SaveOptions& options = {});
absl::Status SaveCheckpoint(const std::string& path, std::initializer_list<CheckpointItem> items,
                            const SaveOptions& options = {});

// Loads one complete item of a file. error: as CheckpointReader::Open and Load.
absl::StatusOr<ParamStore> LoadCheckpoint(const std::string& path, absl::string_view item,
                                          const ReadOptions& options = {});
// Loads all items of a file, in the order in which they were saved.
absl::StatusOr<std::vector<NamedStore>> LoadCheckpoint(const std::string& path,
                                                       const ReadOptions& options = {});

}  // namespace leafstore

#endif  // LEAFSTORE_CHECKPOINT_CHECKPOINT_H_
