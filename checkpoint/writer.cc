#include "leafstore/checkpoint/writer.h"

#include <algorithm>
#include <cstddef>
#include <set>

#include "absl/strings/str_cat.h"

#include "leafstore/checkpoint/internal/checkpoint_access.h"
#include "leafstore/checkpoint/internal/format.h"
#include "leafstore/checkpoint/internal/increment.h"
#include "leafstore/checkpoint/internal/stored_locations.h"
#include "leafstore/checkpoint/internal/tensor_writer.h"
#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/io/internal/atomic_file.h"
#include "leafstore/io/internal/checksum.h"
#include "leafstore/io/internal/file_stream.h"
#include "leafstore/io/internal/progress.h"
#include "leafstore/proto/internal/store_spec.h"
#include "leafstore/proto/manifest_codec.h"
#include "leafstore/store/internal/fit_reporter.h"

namespace leafstore {

using internal::AtomicFile;
using internal::Increment;
using internal::StoredLocation;
using internal::TensorWriter;

namespace {

absl::Span<const std::byte> AsBytes(absl::string_view text) {
  return absl::MakeConstSpan(reinterpret_cast<const std::byte*>(text.data()), text.size());
}

// Adds an entry to all columns.
void AddSegment(const StoredLocation& location, ManifestItem::Segments* segments) {
  segments->offsets.push_back(location.offset);
  segments->checksums.push_back(location.checksum);
  segments->stored_sizes.push_back(location.stored_size);
  segments->codecs.push_back(location.codec);
  segments->bases.push_back(location.file);
  segments->block_checksums.insert(segments->block_checksums.end(),
                                   location.block_checksums.begin(),
                                   location.block_checksums.end());
}

template <typename T>
bool AllZero(const std::vector<T>& column) {
  return std::all_of(column.begin(), column.end(), [](T entry) { return entry == 0; });
}

// Clears columns that have only default entries, so that they are not written.
void ClearDefaults(ManifestItem::Segments* segments) {
  if (AllZero(segments->bases)) segments->bases.clear();
  if (!AllZero(segments->codecs)) return;
  segments->codecs.clear();
  segments->stored_sizes.clear();
}

// Returns a store with the same leaves on the saved Layout. error InvalidArgument: leaves are not
// in it, or two are one leaf there.
absl::StatusOr<ParamStore> OnLayout(const Layout& layout, ParamStore store) {
  if (store.layout() == layout) return store;
  const Alignment where = Align(store, layout);
  internal::FitReporter reporter;
  reporter.AddUnexpected(store, where);
  reporter.AddConflicts(store, layout, where);
  LEAFSTORE_RETURN_IF_ERROR(
      reporter.report().ToStatus("the store does not fit the structure that is saved"));
  const std::vector<uint32_t> sources = where.Sources();
  std::vector<Slot> slots;
  std::vector<Leaf> leaves;
  for (Slot slot = 0; slot < layout.size(); ++slot) {
    if (sources[slot] == kNoPlace) continue;
    slots.push_back(slot);
    leaves.push_back(store.leaf(sources[slot]));
  }
  return ParamStore::Create(layout, SlotSet::FromSorted(layout.size(), std::move(slots)),
                            std::move(leaves));
}

}  // namespace

CheckpointItem::CheckpointItem(std::string name, const TreeDef* def, Held store,
                               ItemOptions options)
    : name_(std::move(name)), options_(std::move(options)) {
  if (def != nullptr) def_ = *def;
  Hold("", std::move(store));
}

CheckpointItem::CheckpointItem(std::string name, const Groups& groups, ItemOptions options)
    : CheckpointItem(std::move(name), nullptr, groups.Merge(), std::move(options)) {
  options_.grouping = groups.grouping();
}

CheckpointItem::CheckpointItem(std::string prefix, absl::Span<const NamedStore> stores,
                               ItemOptions options)
    : name_(std::move(prefix)), options_(std::move(options)), is_prefix_(true) {
  for (const NamedStore& one : stores) Hold(one.name, SnapshotOf(one.store));
}

CheckpointItem::CheckpointItem(const CheckpointItem& other)
    : name_(other.name_),
      def_(other.def_),
      options_(other.options_),
      is_prefix_(other.is_prefix_),
      status_(other.status_) {
  for (const NamedStore& one : other.stores_) Hold(one.name, SnapshotOf(one.store));
}

CheckpointItem::Held CheckpointItem::SnapshotOf(const ParamStore& store) {
  LEAFSTORE_RETURN_IF_ERROR(store.CheckNoBorrow("save"));
  return store.Snapshot();
}

CheckpointItem::Held CheckpointItem::ParamsOf(absl::StatusOr<Flattened> model) {
  if (!model.ok()) return model.status();
  return std::move(model->params);
}

void CheckpointItem::Hold(std::string name, Held store) {
  if (store.ok()) {
    stores_.push_back({std::move(name), *std::move(store)});
  } else {
    status_.Update(store.status());
  }
}

int64_t CheckpointItem::tensor_bytes() const {
  int64_t bytes = 0;
  for (const NamedStore& one : stores_) {
    for (const Leaf& leaf : one.store.leaves()) {
      if (leaf.is_tensor()) bytes += leaf.byte_size();
    }
  }
  return bytes;
}

std::vector<std::string> internal::CheckpointAccess::NamesOf(const CheckpointItem& item) {
  if (!item.is_prefix_) return {item.name_};
  std::vector<std::string> names;
  for (const NamedStore& one : item.stores_) {
    names.push_back(absl::StrCat(item.name_, "/", one.name));
  }
  return names;
}

class CheckpointWriter::State {
 public:
  State(std::string path, SaveOptions options, std::optional<RunInfo> run)
      : path_(std::move(path)),
        options_(std::move(options)),
        progress_(options_.io.progress, options_.total_bytes) {
    manifest_.metadata = std::move(options_.metadata);
    manifest_.metrics = std::move(options_.metrics);
    manifest_.run = std::move(run);
    if (manifest_.run.has_value()) Require(internal::kVersionWithRun);
  }

  absl::Status Begin() {
    LEAFSTORE_RETURN_IF_ERROR(CheckMetadata(manifest_.metadata));
    LEAFSTORE_RETURN_IF_ERROR(CheckMetrics(manifest_.metrics));
    if (manifest_.run.has_value()) LEAFSTORE_RETURN_IF_ERROR(CheckRun(*manifest_.run));
    if (options_.history != nullptr) {
      LEAFSTORE_ASSIGN_OR_RETURN(increment_,
                                 Increment::Create(options_.history, path_, options_.io));
    }
    LEAFSTORE_ASSIGN_OR_RETURN(tensors_, TensorWriter::Create(options_.zstd_level));
    LEAFSTORE_ASSIGN_OR_RETURN(AtomicFile created, AtomicFile::Create(path_, options_.io));
    file_.emplace(std::move(created));
    written_ = footer_.versions;
    return file_->stream().Append(internal::EncodePreamble(written_));
  }

  // Adds an item for each store, after all of them have been checked.
  absl::Status AddStores(std::vector<NamedStore> stores, const std::optional<TreeDef>& def,
                         const ItemOptions& options) {
    std::vector<ManifestItem> items;
    std::set<absl::string_view> new_names;
    for (NamedStore& one : stores) {
      LEAFSTORE_RETURN_IF_ERROR(CheckItemName(one.name));
      if (names_.count(one.name) > 0 || !new_names.insert(one.name).second) {
        return absl::AlreadyExistsError(absl::StrCat(
            "expected items with different names, found two called '", one.name, "' for ", path_));
      }
      LEAFSTORE_RETURN_IF_ERROR(CheckMetadata(options.metadata));
      LEAFSTORE_RETURN_IF_ERROR(one.store.CheckNoBorrow("save"));
      absl::StatusOr<ManifestItem> item = Prepare(def, options, &one);
      if (!item.ok()) return WithContext(item.status(), absl::StrCat("item '", one.name, "'"));
      items.push_back(*std::move(item));
    }
    for (size_t i = 0; i < items.size(); ++i) {
      names_.insert(stores[i].name);
      absl::Status error = SaveItem(std::move(items[i]), std::move(stores[i].store).TakeLeaves());
      if (!error.ok()) return Abandon(std::move(error));
    }
    return absl::OkStatus();
  }

  absl::Status Finish() {
    LEAFSTORE_RETURN_IF_ERROR(CheckUsable());
    progress_.Finish();
    absl::Status error = WriteTail();
    if (error.ok()) error = file_->Close();
    if (error.ok()) error = file_->Commit();
    if (!error.ok()) return Abandon(std::move(error));
    file_.reset();
    if (increment_.has_value()) increment_->Finish(footer_);
    finished_ = true;
    return absl::OkStatus();
  }

  // Returns what identifies the file. Only after Finish returned OK.
  FileIdentity identity() const {
    return {FileNameOf(path_), footer_.file_size, footer_.manifest_checksum};
  }

  // Checks that items can be added. error FailedPrecondition: after Finish. Other errors: the one
  // that ended this writer.
  absl::Status CheckUsable() const {
    if (finished_) return absl::FailedPreconditionError(absl::StrCat(path_, ": already finished"));
    return status_;
  }

 private:
  // Raises the version of the file to one that has what is saved.
  void Require(uint32_t version) {
    footer_.versions.producer = std::max(footer_.versions.producer, version);
  }

  // Puts a store on the saved Layout. Returns its item, which has been checked, without segments.
  static absl::StatusOr<ManifestItem> Prepare(const std::optional<TreeDef>& def,
                                              const ItemOptions& options, NamedStore* one) {
    if (def.has_value()) {
      LEAFSTORE_ASSIGN_OR_RETURN(one->store, OnLayout(Layout(*def), std::move(one->store)));
    }
    ManifestItem item{.name = one->name,
                      .layout = one->store.layout(),
                      .slots = one->store.slots(),
                      .leaves = LeafColumns::Of(one->store.leaves()),
                      .segments = {},
                      .grouping = options.grouping,
                      .metadata = options.metadata};
    LEAFSTORE_RETURN_IF_ERROR(
        internal::CheckSpec(item.layout, item.slots, item.leaves, item.grouping));
    return item;
  }

  absl::Status SaveItem(ManifestItem out, std::vector<Leaf> leaves) {
    bytes_known_ += out.leaves.total_bytes();
    if (options_.total_bytes == 0) progress_.SetTotal(bytes_known_);
    out.segments.offsets.reserve(out.leaves.tensor_count());
    out.segments.checksums.reserve(out.leaves.tensor_count());
    for (Leaf& leaf : leaves) {
      if (leaf.is_tensor()) {
        LEAFSTORE_RETURN_IF_ERROR(SaveTensor(leaf.tensor(), &out.segments));
      }
      leaf = Leaf();  // released, so that another owner can write it without a copy
    }
    ClearDefaults(&out.segments);
    if (!out.segments.block_checksums.empty()) Require(internal::kVersionWithBlocks);
    manifest_.items.push_back(std::move(out));
    return absl::OkStatus();
  }

  // Writes the tensor, or finds it in an earlier file.
  absl::Status SaveTensor(const Tensor& tensor, ManifestItem::Segments* segments) {
    std::optional<StoredLocation> where;
    if (increment_.has_value()) where = increment_->Find(tensor);
    if (where.has_value()) {
      progress_.Add(tensor.byte_size());
    } else {
      LEAFSTORE_ASSIGN_OR_RETURN(where, tensors_->Write(tensor, &file_->stream(), &progress_));
    }
    AddSegment(*where, segments);
    if (increment_.has_value()) increment_->Add(tensor, *std::move(where));
    return absl::OkStatus();
  }

  absl::Status WriteTail() {
    if (increment_.has_value()) manifest_.bases = increment_->bases();
    LEAFSTORE_ASSIGN_OR_RETURN(const std::string bytes, EncodeManifest(manifest_));
    internal::FileStream& stream = file_->stream();
    LEAFSTORE_RETURN_IF_ERROR(stream.PadTo(kSegmentAlignment));
    footer_.manifest_offset = stream.position();
    footer_.manifest_size = static_cast<int64_t>(bytes.size());
    footer_.manifest_checksum = internal::Checksum(AsBytes(bytes));
    LEAFSTORE_RETURN_IF_ERROR(stream.Append(AsBytes(bytes)));
    LEAFSTORE_RETURN_IF_ERROR(stream.PadTo(kSegmentAlignment));
    footer_.file_size = stream.position() + internal::kFooterSize;
    LEAFSTORE_RETURN_IF_ERROR(stream.Append(internal::EncodeFooter(footer_)));
    if (written_ == footer_.versions) return absl::OkStatus();
    // Tensors are not known when the preamble is written.
    LEAFSTORE_RETURN_IF_ERROR(stream.Flush());
    return file_->file().WriteAt(0, internal::EncodePreamble(footer_.versions));
  }

  // Ends this writer with an error, and removes the temporary file.
  absl::Status Abandon(absl::Status error) {
    file_.reset();
    status_ = std::move(error);
    return status_;
  }

  const std::string path_;
  SaveOptions options_;
  internal::Progress progress_;
  std::optional<AtomicFile> file_;  // until the writer is finished or abandoned
  std::optional<TensorWriter> tensors_;
  std::optional<Increment> increment_;  // only with a history
  Manifest manifest_;
  std::set<std::string> names_;  // of its items
  internal::Footer footer_;
  internal::Preamble written_;  // what the file begins with
  int64_t bytes_known_ = 0;
  bool finished_ = false;
  absl::Status status_;  // the error that ended this writer
};

CheckpointWriter::CheckpointWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
CheckpointWriter::CheckpointWriter(CheckpointWriter&&) noexcept = default;
CheckpointWriter& CheckpointWriter::operator=(CheckpointWriter&&) noexcept = default;
CheckpointWriter::~CheckpointWriter() = default;

absl::StatusOr<CheckpointWriter> CheckpointWriter::Create(std::string path, SaveOptions options) {
  auto state = std::make_unique<State>(std::move(path), std::move(options), std::nullopt);
  LEAFSTORE_RETURN_IF_ERROR(state->Begin());
  return CheckpointWriter(std::move(state));
}

absl::Status CheckpointWriter::AddItem(CheckpointItem item) {
  LEAFSTORE_RETURN_IF_ERROR(state_->CheckUsable());
  LEAFSTORE_RETURN_IF_ERROR(item.status_);
  for (NamedStore& one : item.stores_) {
    one.name = item.is_prefix_ ? absl::StrCat(item.name_, "/", one.name) : item.name_;
  }
  return state_->AddStores(std::move(item.stores_), item.def_, item.options_);
}

absl::Status CheckpointWriter::Finish() { return state_->Finish(); }

absl::StatusOr<FileIdentity> internal::CheckpointAccess::Save(const std::string& path,
                                                              std::vector<CheckpointItem> items,
                                                              SaveOptions options,
                                                              std::optional<RunInfo> run) {
  if (options.total_bytes == 0) {
    for (const CheckpointItem& item : items) options.total_bytes += item.tensor_bytes();
  }
  CheckpointWriter writer(
      std::make_unique<CheckpointWriter::State>(path, std::move(options), std::move(run)));
  LEAFSTORE_RETURN_IF_ERROR(writer.state_->Begin());
  for (CheckpointItem& item : items) LEAFSTORE_RETURN_IF_ERROR(writer.AddItem(std::move(item)));
  LEAFSTORE_RETURN_IF_ERROR(writer.Finish());
  return writer.state_->identity();
}

absl::Status SaveCheckpoint(const std::string& path, std::vector<CheckpointItem> items,
                            SaveOptions options) {
  return internal::CheckpointAccess::Save(path, std::move(items), std::move(options), std::nullopt)
      .status();
}

}  // namespace leafstore
