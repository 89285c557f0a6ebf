#include "leafstore/checkpoint/writer.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"

#include "leafstore/checkpoint/format.h"
#include "leafstore/checkpoint/internal/increment.h"
#include "leafstore/checkpoint/internal/tensor_writer.h"
#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/io/internal/atomic_file.h"
#include "leafstore/io/internal/checksum.h"
#include "leafstore/io/internal/progress.h"
#include "leafstore/store/internal/fit_reporter.h"

namespace leafstore {
namespace {

absl::Span<const std::byte> AsBytes(absl::string_view text) {
  return absl::MakeConstSpan(reinterpret_cast<const std::byte*>(text.data()), text.size());
}

std::string ItemNameIn(absl::string_view prefix, absl::string_view name) {
  return absl::StrCat(prefix, "/", name);
}

absl::Status TwoItems(absl::string_view name, absl::string_view path) {
  return absl::AlreadyExistsError(
      absl::StrCat("expected items of different names, found two '", name, "' for ", path));
}

// Adds an entry to all columns. `location.file` is 0 for this file, n for Manifest::bases[n - 1].
void AddSegment(const SaveHistory::Location& location, SegmentColumns* segments) {
  segments->offsets.push_back(location.offset);
  segments->checksums.push_back(location.checksum);
  segments->stored_sizes.push_back(location.stored_size);
  segments->codecs.push_back(location.codec);
  segments->bases.push_back(location.file);
}

template <typename T>
bool AllZero(const std::vector<T>& column) {
  return std::all_of(column.begin(), column.end(), [](T entry) { return entry == 0; });
}

// Clears columns that have only default entries, so that they are not written.
void LeaveOutDefaults(SegmentColumns* segments) {
  if (AllZero(segments->bases)) segments->bases.clear();
  if (!AllZero(segments->codecs)) return;
  segments->codecs.clear();
  segments->stored_sizes.clear();
}

// Returns a store with the same leaves on the saved Layout. error InvalidArgument: leaves are not
// in it, or two are one leaf there.
absl::StatusOr<ParamStore> OnLayout(const Layout& layout, const ParamStore& store) {
  if (store.layout() == layout) return store.Snapshot();
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

ManifestItem NewItem(absl::string_view name, const ParamStore& store, const ItemOptions& options) {
  ManifestItem item{std::string(name), store.layout(), store.slots()};
  item.grouping = options.grouping;
  item.metadata = options.metadata;
  return item;
}

}  // namespace

struct CheckpointWriter::State {
  // Called with the place of each leaf that has been saved.
  using Saved = absl::FunctionRef<void(uint32_t)>;

  State(std::string final_path, SaveOptions save_options)
      : path(std::move(final_path)), options(std::move(save_options)) {
    manifest.metadata = std::move(options.metadata);
    manifest.metrics = std::move(options.metrics);
  }

  absl::Status Begin();
  // Adds an item: the leaves of `store`, in the order of `layout`.
  absl::Status AddItem(absl::string_view name, const Layout& layout, const ParamStore& store,
                       const ItemOptions& item_options);
  // Like AddItem, but releases each leaf once it is saved.
  absl::Status TakeItem(absl::string_view name, const Layout& layout, ParamStore store,
                        const ItemOptions& item_options);
  absl::Status Finish();

  // Checks that items can be added. error FailedPrecondition: after Finish. Others: the error that
  // ended this writer.
  absl::Status CheckUsable() const;
  // Returns the leaves of an item on the saved Layout. error: AddItem's errors of the caller.
  absl::StatusOr<ParamStore> CheckItem(absl::string_view name, const Layout& layout,
                                       const ParamStore& store,
                                       const ItemOptions& item_options) const;
  absl::Status CheckItems(absl::string_view prefix, absl::Span<const NamedStore> stores,
                          const ItemOptions& item_options) const;
  // Saves an item that has been checked.
  absl::Status SaveItem(ManifestItem item, absl::Span<const Leaf> leaves, Saved saved);
  absl::Status SaveLeaves(absl::Span<const Leaf> leaves, Saved saved, ManifestItem* item);
  // Writes the tensor, or finds it in an earlier file.
  absl::Status SaveTensor(const Tensor& tensor, SegmentColumns* segments);
  absl::Status WriteTail();
  // Ends this writer with an error, and removes the temporary file.
  absl::Status Abandon(absl::Status error);
  void CountDone(size_t bytes, int64_t step = internal::kProgressStep);

  std::string path;
  SaveOptions options;
  std::optional<internal::AtomicFile> file;  // until the writer is finished or abandoned
  std::optional<internal::TensorWriter> tensors;
  std::optional<internal::Increment> increment;  // only with a history
  Manifest manifest;
  Footer footer;
  int64_t bytes_done = 0;
  int64_t bytes_reported = 0;
  int64_t bytes_known = 0;
  bool finished = false;
  absl::Status status;  // the error that ended this writer
};

absl::Status CheckpointWriter::State::Begin() {
  if (path.empty()) return absl::InvalidArgumentError("expected a path to save to, found ''");
  LEAFSTORE_RETURN_IF_ERROR(CheckMetadata(manifest.metadata));
  LEAFSTORE_RETURN_IF_ERROR(CheckMetrics(manifest.metrics));
  if (options.history != nullptr) {
    LEAFSTORE_ASSIGN_OR_RETURN(increment,
                               internal::Increment::Create(options.history, path, options.io));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(tensors, internal::TensorWriter::Create(options));
  LEAFSTORE_ASSIGN_OR_RETURN(internal::AtomicFile created,
                             internal::AtomicFile::Create(path, options.io));
  file.emplace(std::move(created));
  return file->stream().Append(EncodePreamble({}));
}

absl::Status CheckpointWriter::State::CheckUsable() const {
  if (finished) return absl::FailedPreconditionError(absl::StrCat(path, ": finished already"));
  return status;
}

absl::StatusOr<ParamStore> CheckpointWriter::State::CheckItem(
    absl::string_view name, const Layout& layout, const ParamStore& store,
    const ItemOptions& item_options) const {
  LEAFSTORE_RETURN_IF_ERROR(CheckItemName(name));
  for (const ManifestItem& item : manifest.items) {
    if (item.name == name) return TwoItems(name, path);
  }
  LEAFSTORE_RETURN_IF_ERROR(CheckMetadata(item_options.metadata));
  LEAFSTORE_RETURN_IF_ERROR(store.CheckNoBorrow("save"));
  for (uint32_t place = 0; place < store.size(); ++place) {
    const Leaf& leaf = store.leaf(place);
    if (leaf.is_tensor() || leaf.value().IsValid()) continue;
    return absl::InvalidArgumentError(absl::StrCat("item '", name, "', '", store.PathText(place),
                                                   "': expected a str in UTF-8, found ",
                                                   leaf.value().ToString()));
  }
  if (item_options.grouping.has_value() && !(item_options.grouping->layout() == layout)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "item '", name, "': expected a grouping on the Layout that is saved, found another"));
  }
  absl::StatusOr<ParamStore> saved = OnLayout(layout, store);
  if (saved.ok()) return saved;
  return WithContext(saved.status(), absl::StrCat("item '", name, "'"));
}

absl::Status CheckpointWriter::State::CheckItems(absl::string_view prefix,
                                                 absl::Span<const NamedStore> stores,
                                                 const ItemOptions& item_options) const {
  LEAFSTORE_RETURN_IF_ERROR(CheckUsable());
  absl::flat_hash_set<absl::string_view> names;
  for (const NamedStore& one : stores) {
    const std::string name = ItemNameIn(prefix, one.name);
    LEAFSTORE_RETURN_IF_ERROR(
        CheckItem(name, one.store.layout(), one.store, item_options).status());
    if (!names.insert(one.name).second) return TwoItems(name, path);
  }
  return absl::OkStatus();
}

absl::Status CheckpointWriter::State::AddItem(absl::string_view name, const Layout& layout,
                                              const ParamStore& store,
                                              const ItemOptions& item_options) {
  LEAFSTORE_RETURN_IF_ERROR(CheckUsable());
  LEAFSTORE_ASSIGN_OR_RETURN(const ParamStore saved, CheckItem(name, layout, store, item_options));
  return SaveItem(NewItem(name, saved, item_options), saved.leaves(), [](uint32_t) {});
}

absl::Status CheckpointWriter::State::TakeItem(absl::string_view name, const Layout& layout,
                                               ParamStore store, const ItemOptions& item_options) {
  LEAFSTORE_RETURN_IF_ERROR(CheckUsable());
  LEAFSTORE_ASSIGN_OR_RETURN(ParamStore saved, CheckItem(name, layout, store, item_options));
  store = ParamStore();  // so that only `saved` holds the leaves
  ManifestItem item = NewItem(name, saved, item_options);
  std::vector<Leaf> leaves = std::move(saved).TakeLeaves();
  return SaveItem(std::move(item), leaves, [&leaves](uint32_t place) { leaves[place] = Leaf(); });
}

absl::Status CheckpointWriter::State::SaveItem(ManifestItem item, absl::Span<const Leaf> leaves,
                                               Saved saved) {
  if (absl::Status error = SaveLeaves(leaves, saved, &item); !error.ok()) {
    return Abandon(std::move(error));
  }
  manifest.items.push_back(std::move(item));
  return absl::OkStatus();
}

absl::Status CheckpointWriter::State::SaveLeaves(absl::Span<const Leaf> leaves, Saved saved,
                                                 ManifestItem* item) {
  for (const Leaf& leaf : leaves) item->leaves.Add(leaf);
  bytes_known += item->leaves.total_bytes();
  item->segments.offsets.reserve(item->leaves.tensor_count());
  item->segments.checksums.reserve(item->leaves.tensor_count());
  for (uint32_t place = 0; place < leaves.size(); ++place) {
    if (leaves[place].is_tensor()) {
      LEAFSTORE_RETURN_IF_ERROR(SaveTensor(leaves[place].tensor(), &item->segments));
    }
    saved(place);
  }
  LeaveOutDefaults(&item->segments);
  CountDone(0, /*step=*/1);
  return absl::OkStatus();
}

absl::Status CheckpointWriter::State::SaveTensor(const Tensor& tensor, SegmentColumns* segments) {
  std::optional<SaveHistory::Location> where;
  if (increment.has_value()) where = increment->Find(tensor);
  if (where.has_value()) {
    bytes_done += tensor.byte_size();
  } else {
    LEAFSTORE_ASSIGN_OR_RETURN(
        where, tensors->Write(tensor, &file->stream(), [this](size_t bytes) { CountDone(bytes); }));
  }
  AddSegment(*where, segments);
  if (increment.has_value()) increment->Add(tensor, *where);
  return absl::OkStatus();
}

void CheckpointWriter::State::CountDone(size_t bytes, int64_t step) {
  bytes_done += static_cast<int64_t>(bytes);
  if (!options.io.progress || bytes_done - bytes_reported < step) return;
  bytes_reported = bytes_done;
  options.io.progress(bytes_done, options.total_bytes > 0 ? options.total_bytes : bytes_known);
}

absl::Status CheckpointWriter::State::WriteTail() {
  if (increment.has_value()) manifest.bases = increment->bases();
  LEAFSTORE_ASSIGN_OR_RETURN(const std::string bytes, EncodeManifest(manifest));
  internal::FileStream& stream = file->stream();
  LEAFSTORE_RETURN_IF_ERROR(stream.PadTo(kSegmentAlignment));
  footer.manifest_offset = stream.position();
  footer.manifest_size = static_cast<int64_t>(bytes.size());
  footer.manifest_checksum = internal::Checksum(AsBytes(bytes));
  LEAFSTORE_RETURN_IF_ERROR(stream.Append(AsBytes(bytes)));
  LEAFSTORE_RETURN_IF_ERROR(stream.PadTo(kSegmentAlignment));
  footer.file_size = stream.position() + kFooterSize;
  return stream.Append(EncodeFooter(footer));
}

absl::Status CheckpointWriter::State::Finish() {
  LEAFSTORE_RETURN_IF_ERROR(CheckUsable());
  absl::Status error = WriteTail();
  if (error.ok()) error = file->Close();
  if (error.ok()) error = file->Commit();
  if (!error.ok()) return Abandon(std::move(error));
  file.reset();
  if (increment.has_value()) increment->Finish(footer);
  finished = true;
  return absl::OkStatus();
}

absl::Status CheckpointWriter::State::Abandon(absl::Status error) {
  file.reset();
  status = std::move(error);
  return status;
}

CheckpointWriter::CheckpointWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
CheckpointWriter::CheckpointWriter(CheckpointWriter&&) noexcept = default;
CheckpointWriter& CheckpointWriter::operator=(CheckpointWriter&&) noexcept = default;
CheckpointWriter::~CheckpointWriter() = default;

absl::StatusOr<CheckpointWriter> CheckpointWriter::Create(std::string path, SaveOptions options) {
  auto state = std::make_unique<State>(std::move(path), std::move(options));
  LEAFSTORE_RETURN_IF_ERROR(state->Begin());
  return CheckpointWriter(std::move(state));
}

absl::Status CheckpointWriter::AddItem(absl::string_view name, const TreeDef& def,
                                       const ParamStore& store, const ItemOptions& options) {
  return state_->AddItem(name, Layout(def), store, options);
}

absl::Status CheckpointWriter::AddItem(absl::string_view name, const TreeDef& def,
                                       ParamStore&& store, const ItemOptions& options) {
  return state_->TakeItem(name, Layout(def), std::move(store), options);
}

absl::Status CheckpointWriter::AddItem(absl::string_view name, const ParamStore& store,
                                       const ItemOptions& options) {
  return state_->AddItem(name, store.layout(), store, options);
}

absl::Status CheckpointWriter::AddItem(absl::string_view name, ParamStore&& store,
                                       const ItemOptions& options) {
  const Layout layout = store.layout();
  return state_->TakeItem(name, layout, std::move(store), options);
}

absl::Status CheckpointWriter::AddItems(absl::string_view prefix,
                                        absl::Span<const NamedStore> stores,
                                        const ItemOptions& options) {
  LEAFSTORE_RETURN_IF_ERROR(state_->CheckItems(prefix, stores, options));
  for (const NamedStore& one : stores) {
    LEAFSTORE_RETURN_IF_ERROR(AddItem(ItemNameIn(prefix, one.name), one.store, options));
  }
  return absl::OkStatus();
}

absl::Status CheckpointWriter::AddItems(absl::string_view prefix, std::vector<NamedStore>&& stores,
                                        const ItemOptions& options) {
  LEAFSTORE_RETURN_IF_ERROR(state_->CheckItems(prefix, stores, options));
  for (NamedStore& one : stores) {
    LEAFSTORE_RETURN_IF_ERROR(AddItem(ItemNameIn(prefix, one.name), std::move(one.store), options));
  }
  return absl::OkStatus();
}

absl::Status CheckpointWriter::Finish() { return state_->Finish(); }

}  // namespace leafstore
