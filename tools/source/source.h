// Source: the file or directory that a subcommand reads, whatever its format. ForEachLeaf reads its
// leaves some MiB at a time.
//
//   SourcePtr source = OpenSource({.name = "run@1000"}).value();
//   for (const auto& item : source->items) ParamStore params = item->load({}).value();
//
// A name can be one of these, detected by content, not by name:
//
//   model.leaf             a checkpoint
//   run                    a managed directory: its newest intact checkpoint
//   run@1000               the checkpoint of a step; {.step = "1000"} is equivalent
//   model.safetensors      a safetensors file
//   m.safetensors.index.json, or a directory of safetensors (interop/safetensors/reader.h, Paths)
//   weights.npz, w.npy     NumPy files
//
// A source has items. An item has a Layout, the set of slots that the file holds, and a leaf for
// each; a format without items has one item named kOnlyItem. Opening a file reads no tensor.
// Opening a managed directory verifies every byte of the checkpoint that it chooses, unless
// `verify` is off or a step was named.
//
// Errors: those of a file (FileError in present/errors.h); a UsageError for an invalid step.
// Lifetime: a source owns its items; loaded leaves outlive it.
// Threads: const calls are thread-safe.
#ifndef LEAFSTORE_TOOLS_SOURCE_SOURCE_H_
#define LEAFSTORE_TOOLS_SOURCE_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/checkpoint/reader.h"
#include "leafstore/checkpoint/writer.h"
#include "leafstore/core/internal/lazy.h"
#include "leafstore/core/leaf.h"
#include "leafstore/interop/names.h"
#include "leafstore/interop/safetensors/reader.h"
#include "leafstore/select/grouping.h"
#include "leafstore/store/layout.h"
#include "leafstore/store/param_store.h"
#include "leafstore/tools/present/output.h"

namespace leafstore::tools {

// The name of the item of a format without items.
inline constexpr absl::string_view kOnlyItem = "params";
// The name of the group of the leaves that no filter matches.
inline constexpr absl::string_view kRestName = "rest";

enum class SourceFormat : uint8_t { kLeaf, kSafetensors, kNpz, kNpy };

// Returns "leaf", "safetensors", "npz" or "npy". Static storage.
absl::string_view SourceFormatName(SourceFormat format);
// Returns the format whose name is the extension of the file, if any.
std::optional<SourceFormat> FormatOfName(absl::string_view file);

struct SourceItem {
  std::string name;
  std::string file;  // Source::file
  Layout layout;
  SlotSet slots;  // those of the layout that the file holds
  std::optional<Grouping> grouping = {};
  Metadata metadata = {};
  bool has_checksums = false;                   // for each tensor
  std::vector<UnreadableLeaf> unreadable = {};  // not among the leaves
  std::vector<UnreadableLeaf> unlisted = {};    // likewise; SafetensorsReader::unlisted
  bool has_names = false;                       // which SourceOptions::names make paths of

  // What the format defines. `entry` describes the leaf at `place`, which must be below size(),
  // without reading it, in O(1); fields that the format does not have are 0. `load` loads the
  // leaves at `places`, strictly ascending, or all, and verifies them if the source does.
  // `save_options` returns the options to save the item with in another file; null where the format
  // has no more than is above.
  std::function<EntryInfo(uint32_t place)> entry;
  std::function<absl::StatusOr<ParamStore>(std::optional<std::vector<uint32_t>> places)> load;
  // Loads rows of the tensor at `place`, and verifies them as `load` does; null if the format has
  // no faster way than `load`.
  std::function<absl::StatusOr<Tensor>(uint32_t place, const RowRange& rows)> load_rows = nullptr;
  std::function<absl::StatusOr<ItemOptions>()> save_options = nullptr;

  uint32_t size() const { return slots.size(); }
  Path PathOf(uint32_t place) const { return layout.PathOf(slots.SlotAt(place)); }
  std::string PathText(uint32_t place) const { return layout.PathText(slots.SlotAt(place)); }
  // Returns the dotted path, safe for a terminal and cut (text.h). O(1), also in a deep tree.
  std::string PrintablePath(uint32_t place) const;
  // Returns the structure. error InvalidArgument: the paths do not form a tree.
  absl::StatusOr<TreeDef> GetDef() const;
  // Compiles a grouping (select/grouping.h) of these groups and, as the last, kRestName. Filters
  // may match no leaf. Reads no tensor.
  absl::StatusOr<Grouping> CompileGrouping(std::vector<NamedFilter> filters) const;
  // Like CompileGrouping, but without filters returns the saved grouping, if any.
  absl::StatusOr<std::optional<Grouping>> GroupBy(const std::vector<NamedFilter>& filters) const;
};

struct Source {
  SourceFormat format = SourceFormat::kLeaf;
  std::string name;             // as given
  std::string file;             // that is read: of a directory its checkpoint, or its index
  int64_t file_size = 0;        // of that file and all its shards
  std::string description;      // "format version 1", "safetensors, 3 shards"
  uint32_t format_version = 0;  // of a checkpoint; 0 for other formats
  std::optional<int64_t> step;  // of a managed directory
  Metadata metadata;
  Metrics metrics;
  std::vector<std::string> other_files;  // the names of other files that hold some of the tensors
  std::vector<std::string> notes;        // what is unusual about the file, a line each
  // The checksums of tensors are verified when they are loaded (SourceOptions::verify).
  bool verifies = true;
  std::vector<SourceItem> items;
  // Verifies checksums where the format has them, and that everything can be read. O(bytes). error
  // DataLoss, with the position of the damage.
  std::function<absl::Status()> verify;
  // Returns how the complete file would be read now. Null except for checkpoints.
  std::function<ReadMode()> read_mode = nullptr;

  // Returns whether the tensors of the file have checksums.
  bool has_checksums() const { return format == SourceFormat::kLeaf && !items.empty(); }
  // Returns the item with this name, or null. Expected O(1). `items` must be complete.
  const SourceItem* FindItem(absl::string_view item_name) const;
  // Like FindItem, but returns an error: a UsageError with suggestions.
  absl::StatusOr<const SourceItem*> item(absl::string_view item_name) const;

 private:
  using ItemsByName = std::unordered_map<std::string, const SourceItem*>;
  mutable internal::Lazy<ItemsByName> by_name_;
};

using SourceItems = std::vector<const SourceItem*>;
using SourcePtr = std::unique_ptr<const Source>;

struct SourceOptions {
  std::string name;
  // `progress` is called by Source::verify, and while a checkpoint of a directory is chosen.
  IoOptions io = {};
  // For a managed directory: a step, "latest", "best=METRIC" or "lowest=METRIC"; empty: latest.
  std::string step;
  // Verifies checksums: of tensors when they are loaded; see above for managed directories.
  bool verify = true;
  // How the names of formats without structure become paths.
  NameStyle names = NameStyle::kSplit;
  // Rejects files that would have notes, or unreadable leaves.
  bool strict = false;
  // Reads only the named safetensors file, even if its name says that it is a shard.
  bool one_shard = false;
  // SafetensorsLeniency::max_header.
  int64_t max_header = kMaxSafetensorsHeader;
  // SafetensorsReadOptions::ignore_structure.
  bool ignore_structure = false;
  // NumpyOptions::void_dtypes.
  std::map<int, DType> void_dtypes = {};
  // Called with a line, without a line end, for each skipped checkpoint, each of Source::notes, and
  // unreadable leaves. May be null.
  std::function<void(absl::string_view)> note;
};

// Opens the source that `options` name.
absl::StatusOr<SourcePtr> OpenSource(const SourceOptions& options);

// The parts of OpenSource that depend on the format (formats.cc). They return a source without
// `name`, `step` and `verifies`, which OpenSource sets. The content of the file decides its format.
// error: the reader's of that format. A `.npy` file is read in full; its array is the only leaf, at
// the empty path. For a `.npz` file, only the headers of the arrays are read.
absl::StatusOr<std::unique_ptr<Source>> OpenFile(const std::string& file,
                                                 const SourceOptions& options);
std::unique_ptr<Source> LeafSource(const CheckpointReader& reader);
// Opens a directory that is not a managed one.
absl::StatusOr<std::unique_ptr<Source>> OpenSafetensorsDirectory(const std::string& directory,
                                                                 const SourceOptions& options);

using Steps = std::map<int64_t, std::string>;
// Returns the files of all checkpoints of a managed directory by step; none if `name` is not a
// directory with checkpoints. error: the file system's.
absl::StatusOr<Steps> StepsOfDirectory(const std::string& name);
// Returns the checkpoints that the name and the step of `options` select; all without a step. Opens
// them only to compare a metric. None as above. error: as OpenSource.
absl::StatusOr<Steps> NamedSteps(const SourceOptions& options);

// Some leaves of an item, in any order; kNoPlace: a leaf that the item does not have.
struct ItemPlaces {
  const SourceItem* item = nullptr;  // null: it has none
  std::vector<uint32_t> places;
};

// Reads leaves some MiB at a time:
//
//   ForEachLeaf({{&before, places}, {&after, places_after}}, /*threads=*/1, &progress,
//               [&](size_t i, absl::Span<const Leaf> leaves) { ... return absl::OkStatus(); });
//
// Loads the leaves of one item, or of several side by side, which must have the same count of
// places. Calls `use` with the index of each place and the leaf of each item there; null (Leaf())
// for kNoPlace. Leaves are released after each few MiB, so that memory stays small and progress is
// visible. Runs on up to `threads` threads (0: as IoOptions); with one, in order. error: as
// SourceItem::load, prefixed with the file; that of `use`; if several occur, the first in order.
// O(bytes).
absl::Status ForEachLeaf(
    std::vector<ItemPlaces> items, int threads, Progress* progress,
    absl::FunctionRef<absl::Status(size_t i, absl::Span<const Leaf> leaves)> use);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_SOURCE_SOURCE_H_
