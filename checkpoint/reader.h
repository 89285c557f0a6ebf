// CheckpointReader: loads an item of a checkpoint, a leaf, a subtree, or what a filter matches. To
// load whole files with one call, see checkpoint.h.
//
//   CheckpointReader reader = CheckpointReader::Open("run/step-100.leaf").value();
//   ParamStore params = reader.Load("params").value();
//   LEAFSTORE_RETURN_IF_ERROR(Unflatten(reader.GetDef("params").value(), params, &model));
//   LEAFSTORE_RETURN_IF_ERROR(adamw.LoadState(reader.LoadItems("adamw").value()));
//
//   Leaf bias = reader.LoadLeaf("params", ".head.bias").value();
//   ParamStore norms = reader.Load("params", {.filter = Glob("**.norm.**")}).value();
//   RestoreReport report = reader.LoadInto("params", &params).value();   // all of it, or an error
//   reader.LoadInto("params", &body, {.filter = Glob("body.**"),         // a part of another model
//                                     .renames = {{"encoder.**", "body.**"}}}).value();
//   item.ForEachPath([&](uint32_t place, absl::string_view path) { ... item.entry(place) ... });
//
// Opening reads the preamble, the footer and the manifest, and checks them: structure, dtypes,
// shapes, and that each tensor's bytes lie in the file and in no other's. It reads no tensor and
// makes nothing for a leaf; its cost is that of the manifest.
//
// Modes. kMap (the default): tensors are views of the mapped file, which stays mapped as long as
// one of them lives; writing to one copies it first. The file may be replaced meanwhile (by a
// rename, as SaveCheckpoint does), but not shortened or written to: that is SIGBUS or a change
// under a tensor's feet. kRead: tensors own their bytes, read with plain reads; for network file
// systems, and for files that others write to.
//
// Verification. Each tensor's checksum is checked when it is loaded, unless that is switched off;
// Verify() checks every byte of the file. Opening checks all that is not tensor.
//
// Partial items. An item may hold some of its structure's leaves only; it is loaded as a group, a
// ParamStore with those slots.
//
// Errors. NotFound: no such file, item, or path (with near names). DataLoss: damaged, cut short, or
// no checkpoint; names the section, or the item and path. Unimplemented: the file, or the one
// tensor asked for, needs a newer reader; says which version or codec. Others as FileSystem's. All
// name the file, and those of an item the item.
//
// Threads: all calls are const and safe from many threads. Copies share one open file.
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
#include "absl/types/span.h"

#include "leafstore/checkpoint/load_options.h"
#include "leafstore/core/leaf.h"
#include "leafstore/io/file_system.h"
#include "leafstore/io/io_options.h"
#include "leafstore/proto/manifest_codec.h"
#include "leafstore/select/filter.h"
#include "leafstore/select/grouping.h"
#include "leafstore/select/groups.h"
#include "leafstore/select/load_into.h"
#include "leafstore/store/flatten.h"
#include "leafstore/store/named_store.h"
#include "leafstore/store/param_store.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore {

struct ReadOptions {
  // `progress` is called by Verify. Each thread takes up to 4 MiB for small tensors, or what its
  // largest compressed one is stored in.
  IoOptions io = {};
  // Checks a tensor's checksum when it is loaded. O(bytes loaded). Without, a mapped load touches
  // no bytes but those of bools: it always checks that these are 0 or 1, as C++ allows no other
  // bool.
  bool verify = true;
};

// What the manifest says of one leaf.
struct EntryInfo {
  Slot slot;
  LeafSpec spec;                 // valid as a CheckpointItemInfo is
  const Value* value = nullptr;  // of a static leaf; null for a tensor, which has the rest
  int64_t stored_size = 0;       // of its bytes in the file
  int64_t offset = 0;            // of their first; 0 where there are none
  uint64_t checksum = 0;         // XXH3-64 of the stored bytes
  uint8_t codec = 0;             // 0: as they are
  uint32_t base = 0;             // 0: in this file; n: in CheckpointReader::bases()[n - 1]
};

// An item, without its tensors' bytes. A view: valid while a CheckpointReader of the file lives.
class CheckpointItemInfo {
 public:
  const std::string& name() const { return item_->name; }
  const Layout& layout() const { return item_->layout; }
  // The slots of the layout that it holds.
  const SlotSet& slots() const { return item_->slots; }
  uint32_t size() const { return item_->leaves.size(); }
  const std::optional<Grouping>& grouping() const { return item_->grouping; }
  const Metadata& metadata() const { return item_->metadata; }
  // Bytes of all its tensors.
  int64_t tensor_bytes() const { return item_->leaves.total_bytes(); }

  // The leaf at `place`, which must be below size(). O(1).
  EntryInfo entry(uint32_t place) const;
  std::string PathText(uint32_t place) const {
    return item_->layout.PathText(item_->slots.SlotAt(place));
  }
  // Calls `visit` with the place and the canonical text of each leaf, as Layout::ForEachPath does.
  absl::Status ForEachPath(
      absl::FunctionRef<void(uint32_t place, absl::string_view path)> visit) const;

 private:
  friend class CheckpointReader;
  explicit CheckpointItemInfo(const ManifestItem* item) : item_(item) {}

  const ManifestItem* item_;
};

namespace internal {
class CheckpointFile;
}  // namespace internal

class CheckpointReader {
 public:
  // error: see above. O(manifest).
  static absl::StatusOr<CheckpointReader> Open(const std::string& path,
                                               const ReadOptions& options = {});

  const std::string& path() const;
  // Format version of the file.
  uint32_t producer_version() const;
  int64_t file_size() const;

  // The items' names, in the order in which they were saved.
  std::vector<std::string> items() const;
  // Returns all that is known of an item without reading tensors. error NotFound. O(items).
  absl::StatusOr<CheckpointItemInfo> GetItem(absl::string_view name) const;
  // Returns the structure of an item. error NotFound; InvalidArgument: it has loose paths that are
  // not those of a tree.
  absl::StatusOr<TreeDef> GetDef(absl::string_view item) const;
  // What users attached to the checkpoint.
  const Metadata& metadata() const;
  // The numbers that were saved with the checkpoint.
  const Metrics& metrics() const;
  // Earlier checkpoints in the same directory that have the bytes of some tensors, if this was
  // saved as an increment (SaveHistory). Each is opened when the first of these is loaded; where
  // that fails, loads of these fail, and the next one tries again.
  const std::vector<BaseFile>& bases() const;

  // Loads an item: all that it holds, or what `options` choose. error NotFound: no such item.
  // Others: see LoadOptions. O(leaves), and O(bytes) to verify or read.
  absl::StatusOr<ParamStore> Load(absl::string_view item, const LoadOptions& options = {}) const;
  // The items "<prefix>/<name>", as CheckpointWriter::AddItems saves them, each under its own name
  // and in the order of saving. What Optimizer::LoadState takes. error NotFound: there are none;
  // says what there is. (AddItems of no stores leaves nothing in the file that could be told from a
  // misspelt name; an optimizer always has some.) error also: as Load's of each.
  absl::StatusOr<std::vector<NamedStore>> LoadItems(absl::string_view prefix) const;
  // Loads one leaf. A path through an alias finds the owner's. error NotFound: no such path, or the
  // item does not hold it. error InvalidArgument: not a canonical path, or it leads to a container.
  // O(depth * log children), and O(bytes).
  absl::StatusOr<Leaf> LoadLeaf(absl::string_view item, absl::string_view path) const;
  // Loads an item that was saved with named groups, in these groups. error FailedPrecondition: it
  // was saved without, or a leaf is in no group. error also: as Load's.
  absl::StatusOr<Groups> LoadGroups(absl::string_view item) const;
  // Compiles a grouping of the item (grouping.h): the group that each leaf would be in. Filters are
  // evaluated on the manifest, and no tensor is read. But a Callable may look at bytes: for one,
  // all tensors of the item are loaded as Load would, without checking their checksums. error:
  // Grouping::Compile's; with a Callable, Load's too. O(nodes * filters).
  absl::StatusOr<Grouping> CompileGrouping(absl::string_view item, std::vector<NamedFilter> filters,
                                           const GroupingOptions& options = {}) const;
  // Replaces leaves of a store by those of the item (load_into.h), by position where the Layouts
  // are equal. error NotFound: no such item. Others: LoadInto's and Load's. O(leaves), and
  // O(bytes).
  absl::StatusOr<RestoreReport> LoadInto(absl::string_view item, ParamStore* store,
                                         const RestoreOptions& options = {}) const;

  // Checks every byte of the file: each is in the preamble, the footer, the manifest or a segment,
  // and has been checked with its checksum, or it is zero; and of its bases the bytes that this
  // checkpoint needs. O(file, and what it needs of bases). error DataLoss: names what is damaged,
  // of tensors up to ten, and how many more there are; a base that is gone is damage. Others: the
  // file system's.
  absl::Status Verify() const;

 private:
  explicit CheckpointReader(std::shared_ptr<const internal::CheckpointFile> file)
      : file_(std::move(file)) {}

  std::shared_ptr<const internal::CheckpointFile> file_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_CHECKPOINT_READER_H_
