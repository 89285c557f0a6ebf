// Reading a checkpoint: the whole of an item, a leaf, a subtree, or what a filter takes.
//
//   CheckpointReader reader = CheckpointReader::Open("run/step-100.leaf").value();
//   ParamStore params = reader.Load("params").value();
//   LEAFSTORE_RETURN_IF_ERROR(Unflatten(reader.def("params").value(), params, &model));
//   LEAFSTORE_RETURN_IF_ERROR(adamw.LoadState(reader.LoadItems("adamw").value()));
//
//   Leaf bias = reader.LoadPath("params", ".head.bias").value();
//   ParamStore norms = reader.LoadMatching("params", Glob("**.norm.**")).value();
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
#include <functional>
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

#include "leafstore/core/leaf.h"
#include "leafstore/io/file_system.h"
#include "leafstore/proto/manifest_codec.h"
#include "leafstore/select/filter.h"
#include "leafstore/select/labels.h"
#include "leafstore/select/partition.h"
#include "leafstore/select/rename_map.h"
#include "leafstore/store/flatten.h"
#include "leafstore/store/named_store.h"
#include "leafstore/store/param_store.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore {

enum class ReadMode : uint8_t { kMap, kRead };

struct ReadOptions {
  ReadMode mode = ReadMode::kMap;
  // Check a tensor's checksum when it is loaded. O(bytes loaded); without, a mapped load touches
  // none but those of bools: that these are 0 or 1 is checked always, as nothing else is a bool in
  // C++.
  bool verify = true;
  // So many threads read, check and decompress; 0: one for each processor, up to eight. Each takes
  // up to 4 MiB for small tensors, or what its largest compressed one is stored in.
  int threads = 0;
  // Told by Verify how many bytes of how many it has checked, after every few MiB; from any of its
  // threads, from one at a time. Must not throw.
  std::function<void(int64_t done, int64_t total)> verify_progress;
  // Null: this machine's. Must outlive the readers.
  FileSystem* file_system = nullptr;
};

// How an item is read into an existing store. As it stands: every leaf of the one must be in the
// other, under the same path.
struct RestoreOptions {
  // Leaves of the store that the item does not have stay as they are.
  bool allow_missing = false;
  // Leaves of the item that the store does not have are passed over.
  bool allow_unexpected = false;
  // Only the leaves of the store that a partition by this one filter takes are replaced. It sees
  // the store's paths, not those of the item that `renames` begin with. The others stay, and
  // whether the item has them does not matter; nor, then, does what else the item has.
  std::optional<Filter> filter = std::nullopt;
  // The item's leaves get new paths first (rename_map.h), so that their paths are the store's. A
  // leaf that a rule takes meets the store by its canonical path, or else by its dotted form.
  std::vector<RenameRule> renames = {};
  // Of `renames`: a rule that takes no leaf of the item is no error.
  bool allow_unused_renames = false;
};

// What became of the leaves. Paths are canonical, those of the item under their new names; where a
// field has over 64 MiB of text, of the rest only the end is given.
struct RestoreReport {
  // Leaves of the store that were replaced.
  uint32_t restored = 0;
  // Leaves of the store that were to be replaced, and that the item does not have.
  std::vector<std::string> missing;
  // Leaves of the item that the store does not have.
  std::vector<std::string> unexpected;
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
  const std::optional<Labels>& labels() const { return item_->labels; }
  const Metadata& metadata() const { return item_->metadata; }
  // Bytes of all its tensors.
  int64_t tensor_bytes() const { return item_->leaves.total_bytes(); }

  // The leaf at `place`, which must be below size(). O(1).
  EntryInfo entry(uint32_t place) const;
  std::string PathText(uint32_t place) const {
    return item_->layout.PathText(item_->slots.SlotAt(place));
  }
  // Calls `visit` with the place and the canonical text of each leaf, in order; the text is valid
  // during the call. Several times as fast as PathText of each. error ResourceExhausted: a text is
  // longer than Path::kMaxTextSize; those before it were visited.
  absl::Status ForEachPath(
      absl::FunctionRef<void(uint32_t place, absl::string_view path)> visit) const;

 private:
  friend class CheckpointReader;
  explicit CheckpointItemInfo(const ManifestItem* item) : item_(item) {}

  const ManifestItem* item_;
};

class CheckpointFile;  // checkpoint_file.h

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
  // All that is known of an item without reading tensors. error NotFound. O(items).
  absl::StatusOr<CheckpointItemInfo> item(absl::string_view name) const;
  // Its structure. error NotFound; InvalidArgument: it has loose paths that are no tree.
  absl::StatusOr<TreeDef> def(absl::string_view item) const;
  // What users attached to the checkpoint.
  const Metadata& metadata() const;
  // The numbers that were saved with the checkpoint.
  const Metrics& metrics() const;
  // Earlier checkpoints in the same directory that have the bytes of some tensors, if this was
  // saved as an increment (SaveHistory). Each is opened when the first of these is loaded; where
  // that fails, loads of these fail, and the next one tries again.
  const std::vector<BaseFile>& bases() const;
  // What users attached to an item. error NotFound.
  absl::StatusOr<Metadata> metadata(absl::string_view item) const;
  // The named groups of an item; none where it was saved without. error NotFound: no such item.
  absl::StatusOr<std::optional<Labels>> labels(absl::string_view item) const;

  // The item, all that it holds. O(leaves), and O(bytes) to verify or read.
  absl::StatusOr<ParamStore> Load(absl::string_view item) const;
  // The items "<prefix>/<name>", as CheckpointWriter::AddItems saves them, each under its own name
  // and in the order of saving. What Optimizer::LoadState takes. error NotFound: there are none;
  // says what there is. (AddItems of no stores leaves nothing in the file that could be told from a
  // misspelt name; an optimizer always has some.) error also: as Load's of each.
  absl::StatusOr<std::vector<NamedStore>> LoadItems(absl::string_view prefix) const;
  // One leaf. A path through an alias finds the owner's. error NotFound: no such path, or the item
  // does not hold it. error InvalidArgument: no canonical path, or it leads to a container.
  // O(depth * log children), and O(bytes).
  absl::StatusOr<Leaf> LoadPath(absl::string_view item, absl::string_view path) const;
  // The leaves below a node, with the structure there as a TreeDef of its own (TreeDef::Subtree).
  // error NotFound, InvalidArgument: no such path. O(nodes of the subtree), and O(bytes).
  absl::StatusOr<Flattened> LoadSubtree(absl::string_view item, absl::string_view path) const;
  // Compiles a partition of the item (partition.h): the group that each leaf would be in. Filters
  // are evaluated on what the manifest says, and no tensor is read for them, so that one which this
  // reader cannot read hinders none. But a Callable may look at bytes: for one, all tensors of the
  // item are loaded as Load would, without checking their checksums. error:
  // PartitionPlan::Compile's; with a Callable, Load's too. O(nodes * filters).
  absl::StatusOr<PartitionPlan> CompilePlan(absl::string_view item, std::vector<Filter> filters,
                                            const PartitionOptions& options = {}) const;
  // The leaves that a partition by this one filter puts into its first group, as a group on the
  // item's Layout. Only these are read and verified. error: CompilePlan's. O(nodes), and O(bytes
  // taken).
  absl::StatusOr<ParamStore> LoadMatching(absl::string_view item, const Filter& filter) const;
  // The leaves at these places of the item, as a group. error NotFound: no such item.
  // InvalidArgument: `places` do not grow strictly, or one is not below the item's number of leaves.
  // O(places), and O(bytes).
  absl::StatusOr<ParamStore> LoadPlaces(absl::string_view item,
                                        absl::Span<const uint32_t> places) const;

  // Replaces leaves of a store by those of the item: by position where the Layouts are equal,
  // otherwise by path.
  // error InvalidArgument: the item lacks leaves of the store, or has others (unless allowed), or
  // dtypes, shapes or kinds differ; all are named (MergeReport). Also: a filter is bad or takes no
  // leaf of the store; a rename is bad (RenameMap::Create, Apply), its dotted form could mean two
  // leaves of the store, or two leaves of the item would go to one of the store. error
  // FailedPrecondition: a borrow is open. After an error the store is as before. Nothing is read
  // before all fits.
  absl::StatusOr<RestoreReport> LoadInto(absl::string_view item, ParamStore* store,
                                         const RestoreOptions& options = {}) const;

  // Checks every byte of the file: each is in the preamble, the footer, the manifest or a segment,
  // and has been checked with its checksum, or it is zero; and of its bases the bytes that this
  // checkpoint needs. O(file, and what it needs of bases). error DataLoss: names what is damaged, of
  // tensors up to ten, and how many more there are; a base that is gone is damage. Others: the file
  // system's.
  absl::Status Verify() const;

 private:
  explicit CheckpointReader(std::shared_ptr<const CheckpointFile> file) : file_(std::move(file)) {}

  std::shared_ptr<const CheckpointFile> file_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_CHECKPOINT_READER_H_
