#include "leafstore/checkpoint/writer.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"

#include "leafstore/checkpoint/format.h"
#include "leafstore/checkpoint/internal/checkpoint_bytes.h"
#include "leafstore/checkpoint/internal/zstd_codec.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/io/internal/checksum.h"
#include "leafstore/io/internal/file_stream.h"
#include "leafstore/io/internal/progress.h"
#include "leafstore/store/internal/fit_reporter.h"

namespace leafstore {
namespace {

// Tensors are hashed and copied this much at a time, so that copying finds them in the cache.
constexpr size_t kChunk = size_t{256} << 10;

// A frame is not worth its head for a tensor that is smaller.
constexpr size_t kSmallestCompressed = 256;

// Of a file of the history that may be no base of this one.
constexpr uint32_t kNoBase = 0xffffffff;

absl::Span<const std::byte> AsBytes(absl::string_view text) {
  return absl::MakeConstSpan(reinterpret_cast<const std::byte*>(text.data()), text.size());
}

std::string ItemNameIn(absl::string_view prefix, absl::string_view name) {
  return absl::StrCat(prefix, "/", name);
}

// `location.file` is 0 for this file, n for the base n.
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

// Columns that say nothing are not written.
void LeaveOutDefaults(SegmentColumns* segments) {
  if (AllZero(segments->bases)) segments->bases.clear();
  if (!AllZero(segments->codecs)) return;
  segments->codecs.clear();
  segments->stored_sizes.clear();
}

// Returns a store with the same leaves on the Layout that is saved. error InvalidArgument: leaves
// are not in it, or two are one leaf there.
absl::StatusOr<ParamStore> OnLayout(const Layout& layout, const ParamStore& store) {
  if (store.layout() == layout) return store.Snapshot();
  const Alignment where = Align(store, layout);
  internal::FitReporter reporter;
  reporter.AddUnexpected(store, where);
  reporter.AddCollisions(store, layout, where);
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
  return ParamStore::Create(layout, internal::SlotSetAccess::Make(layout.size(), std::move(slots)),
                            std::move(leaves));
}

ManifestItem NewItem(absl::string_view name, const ParamStore& store, const ItemOptions& options) {
  ManifestItem item{std::string(name), store.layout(), store.slots()};
  item.labels = options.labels;
  item.metadata = options.metadata;
  return item;
}

std::string TemporaryPath(absl::string_view path) {
  static std::atomic<uint64_t> next{0};
  return absl::StrCat(path, ".tmp-", getpid(), "-", next.fetch_add(1, std::memory_order_relaxed));
}

}  // namespace

struct CheckpointWriter::State {
  State(std::string final_path, SaveOptions save_options)
      : path(std::move(final_path)), options(std::move(save_options)) {
    if (options.file_system == nullptr) options.file_system = &FileSystem::Posix();
    manifest.metadata = std::move(options.metadata);
    manifest.metrics = std::move(options.metrics);
  }
  ~State() { Abandon(); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  absl::Status Begin();
  absl::Status AddItem(absl::string_view name, const TreeDef* def, const ParamStore& store,
                       const ItemOptions& item_options);
  // The same, and lets go of each leaf when it is saved.
  absl::Status TakeItem(absl::string_view name, const TreeDef* def, ParamStore store,
                        const ItemOptions& item_options);
  absl::Status AddItems(absl::string_view prefix, absl::Span<const NamedStore> stores,
                        const ItemOptions& item_options);
  absl::Status TakeItems(absl::string_view prefix, std::vector<NamedStore> stores,
                         const ItemOptions& item_options);
  absl::Status Finish();
  // Removes the temporary file, if it is there.
  void Abandon();

  absl::Status CheckUsable() const;
  // Returns the caller's errors, or the leaves on the Layout that is saved.
  absl::StatusOr<ParamStore> CheckItem(absl::string_view name, const Layout& layout,
                                       const ParamStore& store,
                                       const ItemOptions& item_options) const;
  absl::Status CheckItems(absl::string_view prefix, absl::Span<const NamedStore> stores,
                          const ItemOptions& item_options) const;
  // Saves an item that has been checked; `written` is told the place of each leaf that is.
  absl::Status SaveItem(ManifestItem item, absl::Span<const Leaf> leaves,
                        absl::FunctionRef<void(uint32_t)> written);
  absl::Status SaveLeaves(absl::Span<const Leaf> leaves, absl::FunctionRef<void(uint32_t)> written,
                          ManifestItem* item);
  absl::Status WriteTensor(const Tensor& tensor, SegmentColumns* segments);
  // Writes the tensor, or finds it in an earlier file.
  absl::Status SaveTensor(const Tensor& tensor, SegmentColumns* segments);
  bool FindTensor(const Tensor& tensor, SegmentColumns* segments);
  absl::Status UseHistory();
  // Whether a file of the history has neither been taken away since nor become another.
  bool IsThere(const BaseFile& base) const;
  void UpdateHistory();
  // The stored bytes of a tensor, compressed or not; the codec.
  absl::StatusOr<uint8_t> WriteContent(absl::Span<const std::byte> bytes);
  // All of `bytes` as frames, of which the first is made.
  absl::Status WriteFrames(absl::Span<const std::byte> bytes, absl::Span<const std::byte> frame);
  absl::Status WriteStored(absl::Span<const std::byte> bytes);
  void CountDone(size_t bytes);
  absl::Status WriteTail();
  absl::Status Commit();
  void TellProgress(int64_t step);

  std::string path;
  SaveOptions options;
  std::string temporary;  // empty where there is none
  std::unique_ptr<WritableFile> file;
  std::optional<FileStream> stream;
  std::optional<ChecksumStream> checksum;  // of the tensor that is being written
  Manifest manifest;
  int64_t bytes_done = 0;
  int64_t bytes_told = 0;
  int64_t bytes_known = 0;
  std::optional<ZstdCompressor> compressor;  // where it is asked for
  // With a history: of each of its files, the number as a base here, 0 where it is none yet, or
  // kNoBase; and where the bytes of this checkpoint are, in terms of these numbers.
  std::vector<uint32_t> base_numbers;
  absl::flat_hash_map<uint64_t, SaveHistory::Location> locations;
  Footer footer;
  bool finished = false;
  absl::Status status;  // the error that ended this writer
};

absl::Status CheckpointWriter::State::Begin() {
  if (path.empty()) return absl::InvalidArgumentError("expected a path to save to, found ''");
  LEAFSTORE_RETURN_IF_ERROR(CheckMetadata(manifest.metadata));
  LEAFSTORE_RETURN_IF_ERROR(CheckMetrics(manifest.metrics));
  if (options.history != nullptr) LEAFSTORE_RETURN_IF_ERROR(UseHistory());
  if (options.compression == Compression::kZstd) {
    LEAFSTORE_ASSIGN_OR_RETURN(compressor, ZstdCompressor::Create(options.zstd_level));
  }
  std::string name;
  absl::StatusOr<std::unique_ptr<WritableFile>> created;
  do {  // a name may be left from a process that had this one's number and crashed
    name = TemporaryPath(path);
    created = options.file_system->Create(name);
  } while (created.status().code() == absl::StatusCode::kAlreadyExists);
  if (!created.ok()) return created.status();
  temporary = std::move(name);
  file = *std::move(created);
  if (options.durable) file->PreferDirect();
  stream.emplace(file.get());
  LEAFSTORE_ASSIGN_OR_RETURN(checksum, ChecksumStream::Create());
  return stream->Append(EncodePreamble({}));
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
    if (item.name == name) {
      return absl::AlreadyExistsError(
          absl::StrCat("expected items of different names, found two '", name, "' for ", path));
    }
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
  if (item_options.labels.has_value() && !(item_options.labels->layout() == layout)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "item '", name, "': expected labels on the Layout that is saved, found another"));
  }
  absl::StatusOr<ParamStore> saved = OnLayout(layout, store);
  if (saved.ok()) return saved;
  return absl::Status(saved.status().code(),
                      absl::StrCat("item '", name, "': ", saved.status().message()));
}

absl::Status CheckpointWriter::State::AddItem(absl::string_view name, const TreeDef* def,
                                              const ParamStore& store,
                                              const ItemOptions& item_options) {
  LEAFSTORE_RETURN_IF_ERROR(CheckUsable());
  const Layout layout = def != nullptr ? Layout(*def) : store.layout();
  LEAFSTORE_ASSIGN_OR_RETURN(const ParamStore saved, CheckItem(name, layout, store, item_options));
  return SaveItem(NewItem(name, saved, item_options), saved.leaves(), [](uint32_t) {});
}

absl::Status CheckpointWriter::State::TakeItem(absl::string_view name, const TreeDef* def,
                                               ParamStore store, const ItemOptions& item_options) {
  LEAFSTORE_RETURN_IF_ERROR(CheckUsable());
  const Layout layout = def != nullptr ? Layout(*def) : store.layout();
  LEAFSTORE_ASSIGN_OR_RETURN(ParamStore saved, CheckItem(name, layout, store, item_options));
  store = ParamStore();  // so that `saved` alone holds the leaves
  ManifestItem item = NewItem(name, saved, item_options);
  std::vector<Leaf> leaves = std::move(saved).TakeLeaves();
  return SaveItem(std::move(item), leaves, [&leaves](uint32_t place) { leaves[place] = Leaf(); });
}

absl::Status CheckpointWriter::State::SaveItem(ManifestItem item, absl::Span<const Leaf> leaves,
                                               absl::FunctionRef<void(uint32_t)> written) {
  status = SaveLeaves(leaves, written, &item);
  if (!status.ok()) {
    Abandon();
    return status;
  }
  manifest.items.push_back(std::move(item));
  return absl::OkStatus();
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
    if (!names.insert(one.name).second) {
      return absl::AlreadyExistsError(
          absl::StrCat("expected items of different names, found two '", name, "' for ", path));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckpointWriter::State::AddItems(absl::string_view prefix,
                                               absl::Span<const NamedStore> stores,
                                               const ItemOptions& item_options) {
  LEAFSTORE_RETURN_IF_ERROR(CheckItems(prefix, stores, item_options));
  for (const NamedStore& one : stores) {
    LEAFSTORE_RETURN_IF_ERROR(
        AddItem(ItemNameIn(prefix, one.name), nullptr, one.store, item_options));
  }
  return absl::OkStatus();
}

absl::Status CheckpointWriter::State::TakeItems(absl::string_view prefix,
                                                std::vector<NamedStore> stores,
                                                const ItemOptions& item_options) {
  LEAFSTORE_RETURN_IF_ERROR(CheckItems(prefix, stores, item_options));
  for (NamedStore& one : stores) {
    LEAFSTORE_RETURN_IF_ERROR(
        TakeItem(ItemNameIn(prefix, one.name), nullptr, std::move(one.store), item_options));
  }
  return absl::OkStatus();
}

absl::Status CheckpointWriter::State::SaveLeaves(absl::Span<const Leaf> leaves,
                                                 absl::FunctionRef<void(uint32_t)> written,
                                                 ManifestItem* item) {
  for (const Leaf& leaf : leaves) item->leaves.Add(leaf);
  bytes_known += item->leaves.total_bytes();
  item->segments.offsets.reserve(item->leaves.tensor_count());
  item->segments.checksums.reserve(item->leaves.tensor_count());
  for (uint32_t place = 0; place < leaves.size(); ++place) {
    if (leaves[place].is_tensor()) {
      LEAFSTORE_RETURN_IF_ERROR(SaveTensor(leaves[place].tensor(), &item->segments));
    }
    written(place);
  }
  LeaveOutDefaults(&item->segments);
  TellProgress(1);
  return absl::OkStatus();
}

bool CheckpointWriter::State::IsThere(const BaseFile& base) const {
  const ReadOptions reads = {.mode = ReadMode::kRead, .file_system = options.file_system};
  return CheckpointBytes::OpenBase(path, base, reads).ok();
}

absl::Status CheckpointWriter::State::UseHistory() {
  const SaveHistory& history = *options.history;
  if (!history.files().empty() && history.directory() != DirectoryOf(path)) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot save to ", path, ": expected the directory of the history, ",
                     history.directory(), ", found ", DirectoryOf(path)));
  }
  for (const BaseFile& base : history.files()) {
    const bool usable =
        base.name != FileNameOf(path) && (history.durable() || !options.durable) && IsThere(base);
    base_numbers.push_back(usable ? 0 : kNoBase);
  }
  return absl::OkStatus();
}

bool CheckpointWriter::State::FindTensor(const Tensor& tensor, SegmentColumns* segments) {
  const SaveHistory::Location* at = options.history->Find(tensor.generation());
  if (at == nullptr || base_numbers[at->file] == kNoBase) return false;
  uint32_t& number = base_numbers[at->file];
  if (number == 0) {
    manifest.bases.push_back(options.history->files()[at->file]);
    number = static_cast<uint32_t>(manifest.bases.size());
  }
  SaveHistory::Location here = *at;
  here.file = number;
  AddSegment(here, segments);
  bytes_done += tensor.byte_size();
  return true;
}

absl::Status CheckpointWriter::State::SaveTensor(const Tensor& tensor, SegmentColumns* segments) {
  if (options.history == nullptr) return WriteTensor(tensor, segments);
  if (!FindTensor(tensor, segments)) LEAFSTORE_RETURN_IF_ERROR(WriteTensor(tensor, segments));
  if (tensor.byte_size() == 0) return absl::OkStatus();
  locations.try_emplace(
      tensor.generation(),
      SaveHistory::Location{segments->bases.back(), segments->offsets.back(),
                            segments->checksums.back(), segments->stored_sizes.back(),
                            segments->codecs.back()});
  return absl::OkStatus();
}

void CheckpointWriter::State::UpdateHistory() {
  // Here 0 is this file and n the base n; there the bases come first.
  const auto self = static_cast<uint32_t>(manifest.bases.size());
  for (auto& [generation, location] : locations) {
    location.file = location.file == 0 ? self : location.file - 1;
  }
  std::vector<BaseFile> files = manifest.bases;
  files.push_back({FileNameOf(path), footer.file_size, footer.manifest_checksum});
  const bool durable = options.durable && (manifest.bases.empty() || options.history->durable());
  options.history->Replace(DirectoryOf(path), durable, std::move(files), std::move(locations));
}

absl::Status CheckpointWriter::State::WriteTensor(const Tensor& tensor, SegmentColumns* segments) {
  const absl::Span<const std::byte> bytes = tensor.bytes();
  if (bytes.empty()) {
    AddSegment({0, 0, kChecksumOfNothing, 0, kCodecNone}, segments);
    return absl::OkStatus();
  }
  // Of what its size is before it is compressed, as that of a large one is known only later.
  LEAFSTORE_RETURN_IF_ERROR(stream->PadTo(SegmentAlignmentFor(tensor.byte_size())));
  const int64_t offset = stream->position();
  checksum->Reset();
  LEAFSTORE_ASSIGN_OR_RETURN(const uint8_t codec, WriteContent(bytes));
  AddSegment(
      {0, static_cast<uint64_t>(offset), checksum->Value(), stream->position() - offset, codec},
      segments);
  return absl::OkStatus();
}

absl::StatusOr<uint8_t> CheckpointWriter::State::WriteContent(absl::Span<const std::byte> bytes) {
  if (compressor.has_value() && bytes.size() >= kSmallestCompressed) {
    const absl::Span<const std::byte> first = bytes.subspan(0, kZstdFrameContent);
    LEAFSTORE_ASSIGN_OR_RETURN(auto frame, compressor->Compress(first));
    if (frame.size() <= first.size() - first.size() / 16) {
      LEAFSTORE_RETURN_IF_ERROR(WriteFrames(bytes, frame));
      return kCodecZstd;
    }
  }
  for (; !bytes.empty(); bytes = bytes.subspan(std::min(bytes.size(), kChunk))) {
    LEAFSTORE_RETURN_IF_ERROR(WriteStored(bytes.subspan(0, kChunk)));
    CountDone(bytes.subspan(0, kChunk).size());
  }
  return kCodecNone;
}

absl::Status CheckpointWriter::State::WriteFrames(absl::Span<const std::byte> bytes,
                                                  absl::Span<const std::byte> frame) {
  for (;;) {
    LEAFSTORE_RETURN_IF_ERROR(WriteStored(frame));
    const size_t content = std::min(bytes.size(), kZstdFrameContent);
    CountDone(content);
    bytes.remove_prefix(content);
    if (bytes.empty()) return absl::OkStatus();
    LEAFSTORE_ASSIGN_OR_RETURN(frame, compressor->Compress(bytes.subspan(0, kZstdFrameContent)));
  }
}

absl::Status CheckpointWriter::State::WriteStored(absl::Span<const std::byte> bytes) {
  checksum->Append(bytes);
  return stream->Append(bytes);
}

void CheckpointWriter::State::CountDone(size_t bytes) {
  bytes_done += static_cast<int64_t>(bytes);
  TellProgress(kProgressStep);
}

void CheckpointWriter::State::TellProgress(int64_t step) {
  if (!options.progress || bytes_done - bytes_told < step) return;
  bytes_told = bytes_done;
  options.progress(bytes_done, options.total_bytes > 0 ? options.total_bytes : bytes_known);
}

absl::Status CheckpointWriter::State::WriteTail() {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::string bytes, EncodeManifest(manifest));
  LEAFSTORE_RETURN_IF_ERROR(stream->PadTo(kSegmentAlignment));
  footer.manifest_offset = stream->position();
  footer.manifest_size = static_cast<int64_t>(bytes.size());
  footer.manifest_checksum = Checksum(AsBytes(bytes));
  LEAFSTORE_RETURN_IF_ERROR(stream->Append(AsBytes(bytes)));
  LEAFSTORE_RETURN_IF_ERROR(stream->PadTo(kSegmentAlignment));
  footer.file_size = stream->position() + kFooterSize;
  LEAFSTORE_RETURN_IF_ERROR(stream->Append(EncodeFooter(footer)));
  return stream->Flush();
}

absl::Status CheckpointWriter::State::Commit() {
  if (options.durable) LEAFSTORE_RETURN_IF_ERROR(file->Sync());
  LEAFSTORE_RETURN_IF_ERROR(file->Close());
  LEAFSTORE_RETURN_IF_ERROR(options.file_system->Rename(temporary, path));
  temporary.clear();
  return options.durable ? options.file_system->SyncDirectory(DirectoryOf(path)) : absl::OkStatus();
}

absl::Status CheckpointWriter::State::Finish() {
  LEAFSTORE_RETURN_IF_ERROR(CheckUsable());
  status = WriteTail();
  if (status.ok()) status = Commit();
  if (!status.ok()) {
    Abandon();
    return status;
  }
  if (options.history != nullptr) UpdateHistory();
  finished = true;
  return absl::OkStatus();
}

void CheckpointWriter::State::Abandon() {
  stream.reset();
  file.reset();
  if (temporary.empty()) return;
  // There is nothing more to do about a file that cannot even be removed.
  options.file_system->Remove(temporary).IgnoreError();
  temporary.clear();
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
  return state_->AddItem(name, &def, store, options);
}

absl::Status CheckpointWriter::AddItem(absl::string_view name, const TreeDef& def,
                                       ParamStore&& store, const ItemOptions& options) {
  return state_->TakeItem(name, &def, std::move(store), options);
}

absl::Status CheckpointWriter::AddItem(absl::string_view name, const ParamStore& store,
                                       const ItemOptions& options) {
  return state_->AddItem(name, nullptr, store, options);
}

absl::Status CheckpointWriter::AddItem(absl::string_view name, ParamStore&& store,
                                       const ItemOptions& options) {
  return state_->TakeItem(name, nullptr, std::move(store), options);
}

absl::Status CheckpointWriter::AddItems(absl::string_view prefix,
                                        absl::Span<const NamedStore> stores,
                                        const ItemOptions& options) {
  return state_->AddItems(prefix, stores, options);
}

absl::Status CheckpointWriter::AddItems(absl::string_view prefix, std::vector<NamedStore>&& stores,
                                        const ItemOptions& options) {
  return state_->TakeItems(prefix, std::move(stores), options);
}

absl::Status CheckpointWriter::Finish() { return state_->Finish(); }

CheckpointItem::CheckpointItem(std::string name, const TreeDef& def, const ParamStore& store,
                               ItemOptions options)
    : name_(std::move(name)), def_(def), options_(std::move(options)) {
  HoldSnapshot(store);
}

CheckpointItem::CheckpointItem(std::string name, const TreeDef& def, ParamStore&& store,
                               ItemOptions options)
    : name_(std::move(name)), def_(def), options_(std::move(options)) {
  stores_.push_back({"", std::move(store)});
}

CheckpointItem::CheckpointItem(std::string name, const ParamStore& store, ItemOptions options)
    : name_(std::move(name)), options_(std::move(options)) {
  HoldSnapshot(store);
}

CheckpointItem::CheckpointItem(std::string name, ParamStore&& store, ItemOptions options)
    : name_(std::move(name)), options_(std::move(options)) {
  stores_.push_back({"", std::move(store)});
}

CheckpointItem::CheckpointItem(std::string prefix, std::vector<NamedStore> stores,
                               ItemOptions options)
    : name_(std::move(prefix)),
      options_(std::move(options)),
      is_prefix_(true),
      stores_(std::move(stores)) {}

void CheckpointItem::HoldSnapshot(const ParamStore& store, std::string name) {
  status_ = store.CheckNoBorrow("save");
  if (!status_.ok()) return;
  absl::StatusOr<ParamStore> snapshot = store.Snapshot();
  status_ = snapshot.status();
  if (snapshot.ok()) stores_.push_back({std::move(name), *std::move(snapshot)});
}

CheckpointItem CheckpointItem::Share() const {
  CheckpointItem out;
  out.name_ = name_;
  out.def_ = def_;
  out.options_ = options_;
  out.is_prefix_ = is_prefix_;
  out.status_ = status_;
  for (const NamedStore& one : stores_) {
    if (out.status_.ok()) out.HoldSnapshot(one.store, one.name);
  }
  return out;
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

absl::Status CheckpointItem::AddTo(CheckpointWriter* writer) const {
  LEAFSTORE_RETURN_IF_ERROR(status_);
  if (is_prefix_) return writer->AddItems(name_, stores_, options_);
  const ParamStore& store = stores_.front().store;
  return def_.has_value() ? writer->AddItem(name_, *def_, store, options_)
                          : writer->AddItem(name_, store, options_);
}

absl::Status CheckpointItem::GiveTo(CheckpointWriter* writer) && {
  LEAFSTORE_RETURN_IF_ERROR(status_);
  if (is_prefix_) return writer->AddItems(name_, std::move(stores_), options_);
  ParamStore store = std::move(stores_.front().store);
  return def_.has_value() ? writer->AddItem(name_, *def_, std::move(store), options_)
                          : writer->AddItem(name_, std::move(store), options_);
}

absl::StatusOr<CheckpointWriter> CheckpointItem::WriterFor(const std::string& path,
                                                           absl::Span<const CheckpointItem> items,
                                                           SaveOptions options) {
  if (options.total_bytes == 0) {
    for (const CheckpointItem& item : items) options.total_bytes += item.tensor_bytes();
  }
  return CheckpointWriter::Create(path, std::move(options));
}

absl::Status SaveCheckpoint(const std::string& path, absl::Span<const CheckpointItem> items,
                            const SaveOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(CheckpointWriter writer,
                             CheckpointItem::WriterFor(path, items, options));
  for (const CheckpointItem& item : items) LEAFSTORE_RETURN_IF_ERROR(item.AddTo(&writer));
  return writer.Finish();
}

absl::Status SaveCheckpoint(const std::string& path, std::vector<CheckpointItem>&& items,
                            const SaveOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(CheckpointWriter writer,
                             CheckpointItem::WriterFor(path, items, options));
  for (CheckpointItem& item : items) {
    LEAFSTORE_RETURN_IF_ERROR(std::move(item).GiveTo(&writer));
  }
  return writer.Finish();
}

absl::Status SaveCheckpoint(const std::string& path, std::initializer_list<CheckpointItem> items,
                            const SaveOptions& options) {
  return SaveCheckpoint(path, absl::MakeConstSpan(items.begin(), items.size()), options);
}

}  // namespace leafstore
