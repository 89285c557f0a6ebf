// LoadCheckpoint and CheckpointReader: load items of a checkpoint, or single leaves, subtrees and
// leaves that match a filter.
//
//   ParamStore all = LoadCheckpoint("run/step-100.leaf", "params").value();
//
//   CheckpointReader reader = CheckpointReader::Open("run/step-100.leaf").value();
//   ParamStore params = reader.Load("params").value();
//   Mlp model = reader.LoadAs<Mlp>("params").value();
//   LEAFSTORE_RETURN_IF_ERROR(adamw.LoadState(reader.LoadItems("adamw").value()));
//
//   Leaf bias = reader.LoadLeaf("params", ".head.bias").value();
//   Tensor rows = reader.LoadRows("params", ".embed", {.begin = 100, .end = 200}).value();
//   ParamStore norms = reader.Load("params", {.filter = Glob("**.norm.**")}).value();
//   RestoreReport report = reader.LoadInto("params", &params).value();   // all of it, or an error
//   reader.LoadInto("params", &body, {.filter = Glob("body.**"),         // a part of another model
//                                     .renames = {{"encoder.**", "body.**"}}}).value();
//   CheckpointItemInfo item = reader.GetItem("params").value();
//   item.ForEachPath([&](uint32_t place, absl::string_view path) { ... item.entry(place) ... });
//
// Opening reads and checks the preamble, the footer and the manifest: structures, dtypes, shapes,
// and that the bytes of each tensor are inside a file and do not overlap those of another (in a
// base, two tensors may have the same bytes). It reads no tensors. Its cost is that of the
// manifest: nothing else is allocated per leaf.
//
// Modes (io_options.h). kMap: tensors are views of the mapped file, which stays mapped as long as
// any of them exists; writing to a tensor copies it first. The file may be replaced meanwhile (by a
// rename, as SaveCheckpoint does), but not truncated or written to, which would raise SIGBUS or
// change tensors. kRead: tensors own their bytes, which are read into memory; for network file
// systems, and for files that others write to. kDirect: like kRead, but bypassing the page cache.
// kAuto (the default) chooses one of them for each load.
//
// Verification. The checksums of each tensor are checked when it is loaded, unless
// ReadOptions::verify is false. Verify() checks every byte of the file. Opening checks everything
// except tensors.
//
// Partial items. An item may have only some of the leaves of its structure. It is loaded as a
// group: a ParamStore with those slots.
//
// Errors. NotFound: no such file, item, or path (with suggestions). DataLoss: damaged, truncated,
// or not a checkpoint; names the section, or the item and path. Unimplemented: the file, or the
// requested tensor, requires a newer reader; names the version or codec. Other errors: see
// FileSystem. All errors name the file, and errors of an item name the item.
//
// Threads: all calls are const and thread-safe. Copies share the open files.
#ifndef LEAFSTORE_CHECKPOINT_READER_H_
#define LEAFSTORE_CHECKPOINT_READER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/checkpoint/load_options.h"
#include "leafstore/core/leaf.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/io/io_options.h"
#include "leafstore/proto/manifest_codec.h"
#include "leafstore/select/grouping.h"
#include "leafstore/select/groups.h"
#include "leafstore/select/load_into.h"
#include "leafstore/store/flatten.h"
#include "leafstore/store/param_store.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore {

struct ReadOptions {
  // `progress` is called by Verify.
  IoOptions io = {};
  // Checks the checksum of each tensor when it is loaded. O(bytes loaded). If false, a mapped load
  // reads only the bytes of bool tensors: they are always checked to be 0 or 1, the only valid
  // bools in C++.
  bool verify = true;
};

// An item without the bytes of its tensors. A view: valid while a CheckpointReader of the file
// exists.
class CheckpointItemInfo {
 public:
  const std::string& name() const { return item_->name; }
  const Layout& layout() const { return item_->layout; }
  // Returns the slots of the layout that are present.
  const SlotSet& slots() const { return item_->slots; }
  uint32_t size() const { return item_->leaves.size(); }
  const std::optional<Grouping>& grouping() const { return item_->grouping; }
  const Metadata& metadata() const { return item_->metadata; }
  // Returns the total bytes of its tensors.
  int64_t tensor_bytes() const { return item_->leaves.total_bytes(); }

  // Returns the entry of the leaf at `place`, which must be below size(). O(1).
  EntryInfo entry(uint32_t place) const;
  std::string PathText(uint32_t place) const {
    return item_->layout.PathText(item_->slots.SlotAt(place));
  }
  // Calls `visit` with the place and the canonical path of each leaf, as Layout::ForEachPath does.
  absl::Status ForEachPath(
      absl::FunctionRef<void(uint32_t place, absl::string_view path)> visit) const;

 private:
  friend class CheckpointReader;
  explicit CheckpointItemInfo(const ManifestItem* item) : item_(item) {}

  const ManifestItem* item_;
};

namespace internal {
class CheckpointFile;
struct CheckpointAccess;
}  // namespace internal

class CheckpointReader {
 public:
  // Opens a checkpoint. error: see above. O(manifest).
  static absl::StatusOr<CheckpointReader> Open(const std::string& path,
                                               const ReadOptions& options = {});

  const std::string& path() const;
  // Returns the format version of the file.
  uint32_t producer_version() const;
  int64_t file_size() const;

  // Returns the names of the items, in the order in which they were saved.
  std::vector<std::string> items() const;
  // Returns a view of an item, without reading tensors. error NotFound: no such item. O(items).
  absl::StatusOr<CheckpointItemInfo> GetItem(absl::string_view name) const;
  // Returns the structure of an item. error NotFound: no such item. error InvalidArgument: it has
  // loose paths that are not those of a tree.
  absl::StatusOr<TreeDef> GetDef(absl::string_view item) const;
  // Returns the user metadata of the checkpoint.
  const Metadata& metadata() const;
  // Returns the metrics that were saved with the checkpoint.
  const Metrics& metrics() const;
  // Returns the earlier checkpoints in the same directory that have the bytes of some tensors, if
  // this one was saved as an increment (SaveHistory). They are opened with this file, so that a
  // manager may remove or rename them while the reader is in use. A base that cannot be opened is
  // opened again when one of its tensors is loaded. (Open fails only for causes in the process, such
  // as no descriptors: without a base, the other tensors can still be loaded.)
  const std::vector<FileIdentity>& bases() const;
  // Returns the place of this checkpoint in a run, if CheckpointManager saved it.
  const std::optional<RunInfo>& run() const;
  // Returns how a load of the complete file would read it now: kMap, kRead or kDirect, which is
  // what kAuto has chosen.
  ReadMode read_mode() const;

  // Loads all leaves of an item, or those that `options` select. error NotFound: no such item.
  // Other errors: see LoadOptions. O(leaves), and O(bytes) to verify or read.
  absl::StatusOr<ParamStore> Load(absl::string_view item, const LoadOptions& options = {}) const;
  // Loads an item into a new model of a type that Unflatten accepts (flatten.h). Errors as Load,
  // GetDef and Unflatten. O(nodes), and O(bytes).
  template <typename T>
  absl::StatusOr<T> LoadAs(absl::string_view item) const {
    LEAFSTORE_ASSIGN_OR_RETURN(const TreeDef def, GetDef(item));
    LEAFSTORE_ASSIGN_OR_RETURN(const ParamStore store, Load(item));
    absl::StatusOr<T> model = Unflatten<T>(def, store);
    if (!model.ok()) return InItem(item, model.status());
    return model;
  }
  // Loads rows of one tensor, such as a part of an embedding. Reads and verifies only the blocks of
  // 1 MiB that contain them, or the complete tensor if it is compressed or the file has no
  // checksums of blocks (docs/format.md, version 3). error InvalidArgument: the leaf is static or a
  // scalar, or the rows do not exist or begin inside a byte. Other errors: LoadLeaf's. O(bytes of
  // the blocks).
  absl::StatusOr<Tensor> LoadRows(absl::string_view item, absl::string_view path,
                                  const RowRange& rows) const;
  // Loads the items "<prefix>/<name>", each under its <name> and in the order of saving.
  // Optimizer::LoadState accepts the result. error NotFound: none exists; lists the items. (An
  // empty list of saved stores cannot be distinguished from a misspelled prefix; an optimizer
  // always has some stores.) Other errors: see Load.
  absl::StatusOr<std::vector<NamedStore>> LoadItems(absl::string_view prefix) const;
  // Loads one leaf. A path through an alias finds the owner's leaf. error NotFound: no such path,
  // or its leaf is not present in the item. error InvalidArgument: not a canonical path, or that of
  // a container. O(depth * log children), and O(bytes).
  absl::StatusOr<Leaf> LoadLeaf(absl::string_view item, absl::string_view path) const;
  // Loads an item that was saved with named groups, as these groups. error FailedPrecondition: it
  // was saved without groups, or a leaf is in no group. Other errors: see Load.
  absl::StatusOr<Groups> LoadGroups(absl::string_view item) const;
  // Compiles a grouping of the item's leaves (grouping.h). Filters are evaluated on the manifest,
  // without reading tensors. A Callable may read bytes, so it causes all tensors of the item to be
  // loaded as by Load.
  // error: Grouping::Compile's; with a Callable, Load's too. O(nodes * filters).
  absl::StatusOr<Grouping> CompileGrouping(absl::string_view item, std::vector<NamedFilter> filters,
                                           const GroupingOptions& options = {}) const;
  // Replaces leaves of a store with those of the item (load_into.h), by position if the Layouts are
  // equal. error NotFound: no such item. Other errors: LoadInto's and Load's. O(leaves), and
  // O(bytes).
  absl::StatusOr<RestoreReport> LoadInto(absl::string_view item, ParamStore* store,
                                         const RestoreOptions& options = {}) const;

  // Checks every byte of the file: the preamble, the footer, the manifest and all segments by their
  // checksums, and that all other bytes are zero. Of its bases, checks the bytes that this
  // checkpoint needs. O(bytes checked). error DataLoss: damaged; lists the damaged parts: up to ten
  // tensors, and the number of further ones. A missing base is damage. Other errors: the file
  // system's.
  absl::Status Verify() const;

 private:
  friend struct internal::CheckpointAccess;
  explicit CheckpointReader(std::shared_ptr<const internal::CheckpointFile> file)
      : file_(std::move(file)) {}

  // Adds the names of the file and the item, which must exist, to an error.
  absl::Status InItem(absl::string_view item, const absl::Status& status) const;

  std::shared_ptr<const internal::CheckpointFile> file_;
};

// Loads one complete item of a file. error: as CheckpointReader::Open and Load.
absl::StatusOr<ParamStore> LoadCheckpoint(const std::string& path, absl::string_view item,
                                          const ReadOptions& options = {});
// Loads all items of a file, in the order in which they were saved.
absl::StatusOr<std::vector<NamedStore>> LoadCheckpoint(const std::string& path,
                                                       const ReadOptions& options = {});

}  // namespace leafstore

#endif  // LEAFSTORE_CHECKPOINT_READER_H_
