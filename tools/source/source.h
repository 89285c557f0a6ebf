// Source: what a subcommand looks at, whatever it is stored as.
//
//   SourcePtr source = OpenSource({.name = "run@1000"}).value();
//   for (const SourceItem* item : source->items()) {
//     for (uint32_t place = 0; place < item->size(); ++place) ... item->entry(place) ...
//     ParamStore params = item->LoadAll().value();
//   }
//
// A name means one of these, told apart by content, not by name:
//
//   model.leaf             a checkpoint
//   run                    a managed directory: its newest checkpoint that is whole
//   run@1000               that of a step; {.step = "1000"} is the same
//   model.safetensors      a safetensors file
//   m.safetensors.index.json, or the directory that it (or one safetensors file) lies in
//   weights.npz, w.npy     NumPy's
//
// Each has items, and an item has a Layout, the slots of it that are here, and a leaf for each; a
// format without items has one, of the name kOnlyItem. Opening reads no tensor of a single file.
// Of a managed directory it reads every byte of the checkpoint that it takes, as CheckpointManager
// does, unless `verify` is off or the step was named by its number (which is taken or is an error,
// and checked where it is read, as a file is); what it passes over is told to `note`.
//
// Errors are a file's (command.h's FileError) and say what was looked for; of a step that makes no
// sense, UsageErrors.
//
// Lifetime: a source owns its items; leaves that were loaded outlive it.
// Threads: const calls are safe from many threads.
#ifndef LEAFSTORE_TOOLS_SOURCE_SOURCE_H_
#define LEAFSTORE_TOOLS_SOURCE_SOURCE_H_

#include <cstdint>
#include <functional>
#include <memory>
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
#include "leafstore/interop/names.h"
#include "leafstore/select/filter.h"
#include "leafstore/select/labels.h"
#include "leafstore/select/partition.h"
#include "leafstore/store/layout.h"
#include "leafstore/store/param_store.h"

namespace leafstore::tools {

// The item of a format that has no items.
inline constexpr absl::string_view kOnlyItem = "params";

enum class SourceFormat : uint8_t { kLeaf, kSafetensors, kNpz, kNpy };

// "leaf", "safetensors", "npz", "npy". Static storage.
absl::string_view SourceFormatName(SourceFormat format);

class SourceItem {
 public:
  virtual ~SourceItem() = default;
  SourceItem(const SourceItem&) = delete;
  SourceItem& operator=(const SourceItem&) = delete;

  const std::string& name() const { return name_; }
  const Layout& layout() const { return layout_; }
  // The slots of the layout that are here.
  const SlotSet& slots() const { return slots_; }
  uint32_t size() const { return slots_.size(); }
  const std::optional<Labels>& labels() const { return labels_; }
  const Metadata& metadata() const { return metadata_; }

  // The leaf at `place`, which must be below size(): what is known of it without reading it. O(1).
  // What a format does not have (a checksum, say) is 0.
  virtual EntryInfo entry(uint32_t place) const = 0;
  // Whether the format has a checksum for each tensor.
  virtual bool has_checksums() const { return false; }
  std::string PathText(uint32_t place) const { return layout_.PathText(slots_.SlotAt(place)); }

  // The leaves at `places` (strictly growing) as a group; verified if the source verifies.
  virtual absl::StatusOr<ParamStore> Load(absl::Span<const uint32_t> places) const = 0;
  absl::StatusOr<ParamStore> LoadAll() const;
  // What is attached to it, to be saved with it in another file. error: as interop's.
  virtual absl::StatusOr<ItemOptions> SavedWith() const {
    ItemOptions options;
    options.labels = labels_;
    options.metadata = metadata_;
    return options;
  }
  // The plan of a partition (select/partition.h). No tensor is read.
  virtual absl::StatusOr<PartitionPlan> CompilePlan(std::vector<Filter> filters) const = 0;

 protected:
  SourceItem(std::string name, Layout layout, SlotSet slots)
      : name_(std::move(name)), layout_(std::move(layout)), slots_(std::move(slots)) {}

  std::string name_;
  Layout layout_;
  SlotSet slots_;
  std::optional<Labels> labels_;
  Metadata metadata_;
};

// Told how many of how many bytes are done; from any thread, from one at a time.
using SourceProgress = std::function<void(int64_t done, int64_t total)>;

class Source {
 public:
  virtual ~Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  SourceFormat format() const { return format_; }
  // As it was given, and the file that is read: of a managed directory its checkpoint, of a
  // directory with an index that.
  const std::string& name() const { return name_; }
  const std::string& file() const { return file_; }
  // Of that file, with all its shards.
  int64_t file_size() const { return file_size_; }
  // "format version 1", "safetensors, 3 shards".
  const std::string& description() const { return description_; }
  // Of a checkpoint its format's version; 0 for other formats.
  uint32_t format_version() const { return format_version_; }
  // Of a managed directory.
  const std::optional<int64_t>& step() const { return step_; }
  const Metadata& metadata() const { return metadata_; }
  const Metrics& metrics() const { return metrics_; }
  // The names of other files that have some of the tensors.
  const std::vector<std::string>& other_files() const { return other_files_; }

  // Whether the checksums of tensors are checked when these are loaded (SourceOptions::verify).
  bool verifies() const { return verifies_; }

  absl::Span<const std::unique_ptr<SourceItem>> items() const { return items_; }
  // error: a UsageError that names the items there are.
  absl::StatusOr<const SourceItem*> item(absl::string_view name) const;

  // Checks every byte that can be checked: checksums where the format has them, and that all of it
  // can be read. O(bytes). error DataLoss, naming what is damaged.
  virtual absl::Status Verify() const = 0;

 protected:
  Source() = default;
  friend class SourceOpener;

  SourceFormat format_ = SourceFormat::kLeaf;
  std::string name_;
  std::string file_;
  int64_t file_size_ = 0;
  std::string description_;
  uint32_t format_version_ = 0;
  std::optional<int64_t> step_;
  Metadata metadata_;
  Metrics metrics_;
  std::vector<std::string> other_files_;
  bool verifies_ = true;
  std::vector<std::unique_ptr<SourceItem>> items_;
};

using SourcePtr = std::unique_ptr<const Source>;

struct SourceOptions {
  std::string name;
  // `progress` is called by Verify, and while a checkpoint of a managed directory is chosen.
  IoOptions io = {};
  // Of a managed directory: a number, "latest", "best=METRIC" or "lowest=METRIC"; empty: latest.
  std::string step;
  // Checksums of tensors are checked when these are loaded, and a managed directory's checkpoint is
  // verified before it is taken, unless it was named.
  bool verify = true;
  // How the names of formats without structure become paths.
  NameStyle names = NameStyle::kSplit;
  // Told, a line without its end, what was passed over. May be null.
  std::function<void(absl::string_view)> note;
};

absl::StatusOr<SourcePtr> OpenSource(const SourceOptions& options);

// The checkpoints of a managed directory, for whoever looks at all of them.
struct StepOfDirectory {
  int64_t step;
  std::string file;
};
// By growing step; no value where `name` is no directory with checkpoints. error: the file
// system's.
absl::StatusOr<std::optional<std::vector<StepOfDirectory>>> StepsOfDirectory(
    const std::string& name);
// Those that the name and the step of `options` mean: all, where there is no step; without looking
// into one of them unless a metric is asked for. No value as above. error: as OpenSource.
absl::StatusOr<std::optional<std::vector<StepOfDirectory>>> NamedSteps(
    const SourceOptions& options);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_SOURCE_SOURCE_H_
