#include "leafstore/interop/safetensors_writer.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/interop/atomic_file.h"
#include "leafstore/interop/json_text.h"
#include "leafstore/interop/safetensors_header.h"
#include "leafstore/interop/safetensors_index.h"
#include "leafstore/interop/safetensors_structure.h"

namespace leafstore {
namespace {

constexpr absl::string_view kExtension = ".safetensors";

// Large tensors are handed on this much at a time, and after about as many bytes of small ones the
// progress is told.
constexpr size_t kPiece = size_t{4} << 20;

// A tensor that is written, and its name. Both are somebody else's.
struct Input {
  absl::string_view name;
  const Tensor* tensor;
};

SafetensorsEntry EntryOf(const Input& input) {
  return {input.name, input.tensor->dtype(), input.tensor->shape(), input.tensor->byte_size()};
}

// Tells the bytes that are written, of all files together.
class Progress {
 public:
  Progress(const SafetensorsSaveOptions& options, absl::Span<const Input> inputs)
      : tell_(options.progress) {
    if (!tell_) return;
    for (const Input& input : inputs) total_ += input.tensor->byte_size();
  }

  void Add(size_t bytes) {
    done_ += static_cast<int64_t>(bytes);
    if (tell_ && done_ - told_ >= static_cast<int64_t>(kPiece)) Tell();
  }
  void Tell() {
    if (!tell_ || told_ == done_) return;
    told_ = done_;
    tell_(done_, total_);
  }

 private:
  const std::function<void(int64_t, int64_t)>& tell_;
  int64_t total_ = 0;
  int64_t done_ = 0;
  int64_t told_ = 0;
};

absl::Span<const std::byte> AsBytes(absl::string_view text) {
  return absl::MakeConstSpan(reinterpret_cast<const std::byte*>(text.data()), text.size());
}

// The tensors of one file in the order of the format, and the header that says so.
struct Planned {
  std::vector<Input> inputs;
  std::string header;
};

absl::StatusOr<Planned> Plan(absl::Span<const Input> inputs,
                             const std::optional<Metadata>& metadata) {
  std::vector<SafetensorsEntry> entries;
  entries.reserve(inputs.size());
  for (const Input& input : inputs) entries.push_back(EntryOf(input));
  const std::vector<uint32_t> order = SafetensorsOrder(entries);
  Planned planned;
  std::vector<SafetensorsEntry> sorted;
  sorted.reserve(inputs.size());
  planned.inputs.reserve(inputs.size());
  for (const uint32_t i : order) {
    sorted.push_back(entries[i]);
    planned.inputs.push_back(inputs[i]);
  }
  LEAFSTORE_ASSIGN_OR_RETURN(planned.header, EncodeSafetensorsHeader(sorted, metadata));
  return planned;
}

// A file that is written and closed, and not yet at its path.
absl::StatusOr<AtomicFile> Write(const std::string& path, const Planned& planned,
                                 const SafetensorsSaveOptions& options, Progress* progress) {
  LEAFSTORE_ASSIGN_OR_RETURN(AtomicFile file,
                             AtomicFile::Create(path, options.durable, options.file_system));
  LEAFSTORE_RETURN_IF_ERROR(file.stream().Append(AsBytes(planned.header)));
  for (const Input& input : planned.inputs) {
    absl::Span<const std::byte> bytes = input.tensor->bytes();
    while (!bytes.empty()) {
      const absl::Span<const std::byte> piece = bytes.subspan(0, kPiece);
      LEAFSTORE_RETURN_IF_ERROR(file.stream().Append(piece));
      progress->Add(piece.size());
      bytes.remove_prefix(piece.size());
    }
  }
  LEAFSTORE_RETURN_IF_ERROR(file.Close());
  return file;
}

absl::Status WriteOne(const std::string& path, absl::Span<const Input> inputs,
                      const std::optional<Metadata>& metadata,
                      const SafetensorsSaveOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const Planned planned, Plan(inputs, metadata));
  Progress progress(options, inputs);
  LEAFSTORE_ASSIGN_OR_RETURN(AtomicFile file, Write(path, planned, options, &progress));
  LEAFSTORE_RETURN_IF_ERROR(file.Commit());
  progress.Tell();
  return absl::OkStatus();
}

// ---- what a store becomes ----

// A store's tensors by their names, and the metadata that goes with them.
struct StoreContent {
  std::vector<std::string> names;
  std::vector<Input> inputs;  // in the order of places
  std::optional<Metadata> metadata;
};

bool HasAttribute(const ParamStore& store) {
  for (uint32_t place = 0; place < store.size(); ++place) {
    const Path path = store.layout().PathOf(store.slot(place));
    for (const Key& key : path.keys()) {
      if (key.kind() == KeyKind::kAttribute) return true;
    }
  }
  return false;
}

const Leaf* FindStatic(const ParamStore& store, uint32_t* place) {
  for (*place = 0; *place < store.size(); ++*place) {
    if (store.leaf(*place).is_value()) return &store.leaf(*place);
  }
  return nullptr;
}

absl::StatusOr<bool> WantsStructure(const ParamStore& store,
                                    const SafetensorsSaveOptions& options) {
  uint32_t place = 0;
  const Leaf* value = FindStatic(store, &place);
  if (options.structure == StructureSave::kNever) {
    if (value == nullptr || options.leave_out_static) return false;
    return absl::InvalidArgumentError(absl::StrCat(
        "'", store.PathText(place), "': expected a tensor, found the static leaf ",
        value->value().ToString(), "; save it with the structure, or leave static leaves out"));
  }
  return options.structure == StructureSave::kAlways || value != nullptr ||
         options.labels.has_value() || store.layout().has_def() || HasAttribute(store);
}

absl::Status AddStructure(const ParamStore& store, const SafetensorsSaveOptions& options,
                          std::optional<Metadata>* metadata) {
  const std::string key(kSafetensorsStructureKey);
  if (metadata->has_value() && (*metadata)->contains(key)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "expected metadata without ", key, ", under which the structure is saved, found it"));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(
      std::string text,
      EncodeSafetensorsStructure(
          {StoreSpec::Of(store, options.labels),
           options.names == NameStyle::kCanonical ? NameStyle::kCanonical : NameStyle::kSplit}));
  if (!metadata->has_value()) metadata->emplace();
  (*metadata)->emplace(key, std::move(text));
  return absl::OkStatus();
}

absl::StatusOr<StoreContent> ContentOf(const ParamStore& store,
                                       const SafetensorsSaveOptions& options) {
  LEAFSTORE_RETURN_IF_ERROR(store.CheckNoBorrow("save"));
  StoreContent content;
  content.metadata = options.metadata;
  LEAFSTORE_ASSIGN_OR_RETURN(const bool structure, WantsStructure(store, options));
  LEAFSTORE_ASSIGN_OR_RETURN(content.names, NamesOf(store, options.names));
  if (structure) LEAFSTORE_RETURN_IF_ERROR(AddStructure(store, options, &content.metadata));
  for (uint32_t place = 0; place < store.size(); ++place) {
    if (!store.leaf(place).is_tensor()) continue;
    content.inputs.push_back({content.names[place], &store.leaf(place).tensor()});
  }
  return content;
}

// ---- sets of shards ----

// Cuts tensors into runs of at most `most` bytes; a larger one is a run of its own.
std::vector<absl::Span<const Input>> CutIntoShards(absl::Span<const Input> inputs, int64_t most) {
  std::vector<absl::Span<const Input>> shards;
  size_t begin = 0;
  int64_t bytes = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const int64_t size = inputs[i].tensor->byte_size();
    if (i > begin && size > most - std::min(bytes, most)) {
      shards.push_back(inputs.subspan(begin, i - begin));
      begin = i;
      bytes = 0;
    }
    bytes += size;
  }
  shards.push_back(inputs.subspan(begin));
  return shards;
}

std::string ShardName(absl::string_view stem, size_t number, size_t count) {
  return absl::StrCat(stem, absl::StrFormat("-%05d-of-%05d", number + 1, count), kExtension);
}

// A set whose files are about to be written; of one shard, a file without an index.
class ShardedSave {
 public:
  ShardedSave(const std::string& path, const SafetensorsSaveOptions& options)
      : path_(path),
        stem_(absl::StripSuffix(FileNameOf(path), kExtension)),
        index_(absl::StrCat(stem_, kExtension, ".index.json")),
        options_(options),
        files_(options.file_system != nullptr ? *options.file_system : FileSystem::Posix()) {}

  absl::StatusOr<SavedShards> Save(const StoreContent& content,
                                   absl::Span<const absl::Span<const Input>> shards) {
    if (shards.size() == 1) {
      saved_.files.push_back(FileNameOf(path_));
    } else {
      saved_.index = index_;
      for (size_t i = 0; i < shards.size(); ++i) {
        saved_.files.push_back(ShardName(stem_, i, shards.size()));
      }
    }
    LEAFSTORE_RETURN_IF_ERROR(CheckFree());
    LEAFSTORE_RETURN_IF_ERROR(WriteAll(content, shards));
    LEAFSTORE_RETURN_IF_ERROR(CommitAll());
    return std::move(saved_);
  }

 private:
  bool is_set() const { return !saved_.index.empty(); }
  std::string PathOf(absl::string_view name) const { return InDirectoryOf(path_, name); }

  // Whether there is a file of this name. error: it cannot be told.
  absl::StatusOr<bool> Exists(const std::string& name) const {
    const absl::Status status = files_.Open(PathOf(name)).status();
    if (status.ok()) return true;
    if (absl::IsNotFound(status)) return false;
    return status;
  }

  absl::Status CheckFree() {
    // The index of another set would be believed rather than one file beside it.
    LEAFSTORE_ASSIGN_OR_RETURN(had_index_, Exists(index_));
    if (options_.replace_set) return absl::OkStatus();
    bool taken = had_index_;
    std::string which = index_;
    for (size_t i = 0; i < saved_.files.size() && is_set() && !taken; ++i) {
      which = saved_.files[i];
      LEAFSTORE_ASSIGN_OR_RETURN(taken, Exists(which));
    }
    if (!taken) return absl::OkStatus();
    return absl::AlreadyExistsError(
        absl::StrCat(PathOf(which),
                     ": it is there already, and a set of files cannot be replaced in one step; "
                     "save elsewhere, or allow the set to be replaced"));
  }

  // Every file, the index last, in full, synced and under its temporary name.
  absl::Status WriteAll(const StoreContent& content,
                        absl::Span<const absl::Span<const Input>> shards) {
    // All headers are made before the first byte is written: an error of the caller's leaves no file.
    std::vector<Planned> planned;
    SafetensorsIndex index;
    index.files = saved_.files;
    index.total_size = 0;
    for (uint32_t i = 0; i < shards.size(); ++i) {
      LEAFSTORE_ASSIGN_OR_RETURN(Planned one, Plan(shards[i], content.metadata));
      planned.push_back(std::move(one));
      for (const Input& input : shards[i]) {
        index.tensors.emplace_back(input.name, i);
        *index.total_size += input.tensor->byte_size();
      }
    }
    Progress progress(options_, content.inputs);
    for (size_t i = 0; i < planned.size(); ++i) {
      LEAFSTORE_ASSIGN_OR_RETURN(AtomicFile file,
                                 Write(PathOf(saved_.files[i]), planned[i], options_, &progress));
      written_.push_back(std::move(file));
    }
    progress.Tell();
    if (!is_set()) return absl::OkStatus();
    LEAFSTORE_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(PathOf(index_), options_.durable,
                                                                   options_.file_system));
    LEAFSTORE_RETURN_IF_ERROR(file.stream().Append(AsBytes(EncodeSafetensorsIndex(index))));
    LEAFSTORE_RETURN_IF_ERROR(file.Close());
    written_.push_back(std::move(file));
    return absl::OkStatus();
  }

  // Without an index there is no set, so what is here is seen when the index is.
  absl::Status CommitAll() {
    if (had_index_) {
      LEAFSTORE_RETURN_IF_ERROR(files_.Remove(PathOf(index_)));
      if (options_.durable) LEAFSTORE_RETURN_IF_ERROR(files_.SyncDirectory(DirectoryOf(path_)));
    }
    for (size_t i = 0; i < written_.size(); ++i) {
      // The last shard's sync is that of all: they are there before the index is.
      const bool sync = i + 2 >= written_.size();
      const absl::Status status = written_[i].Commit(sync);
      if (status.ok()) continue;
      Withdraw(i + 1);
      return status;
    }
    return absl::OkStatus();
  }

  // Removes the files that were renamed before an error, the index first; unless they may have taken
  // the place of others, of which a part would be worse than none, as a file without an index may.
  void Withdraw(size_t count) {
    if (options_.replace_set || !is_set()) return;
    while (count > 0) files_.Remove(written_[--count].path()).IgnoreError();
  }

  const std::string& path_;
  const std::string stem_;
  const std::string index_;
  const SafetensorsSaveOptions& options_;
  FileSystem& files_;
  SavedShards saved_;
  bool had_index_ = false;
  std::vector<AtomicFile> written_;
};

}  // namespace

absl::Status SaveSafetensors(const std::string& path, const ParamStore& store,
                             const SafetensorsSaveOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const StoreContent content, ContentOf(store, options));
  return WriteOne(path, content.inputs, content.metadata, options);
}

absl::Status SaveSafetensors(const std::string& path, absl::Span<const NamedTensor> tensors,
                             const SafetensorsSaveOptions& options) {
  std::vector<Input> inputs;
  inputs.reserve(tensors.size());
  for (const NamedTensor& one : tensors) {
    if (one.tensor.null()) {
      return absl::InvalidArgumentError(
          absl::StrCat("expected a tensor called ", QuotedForMessage(one.name), ", found null"));
    }
    inputs.push_back({one.name, &one.tensor});
  }
  return WriteOne(path, inputs, options.metadata, options);
}

absl::StatusOr<SavedShards> SaveSafetensorsShards(const std::string& path, const ParamStore& store,
                                                  int64_t max_shard_bytes,
                                                  const SafetensorsSaveOptions& options) {
  if (!absl::EndsWith(FileNameOf(path), kExtension)) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected a path that ends in ", kExtension, ", found '", path, "'"));
  }
  // The index has the files' names in JSON.
  LEAFSTORE_RETURN_IF_ERROR(CheckJsonString(FileNameOf(path), "a file's name"));
  if (max_shard_bytes <= 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected shards of at least 1 byte, found ", max_shard_bytes));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(const StoreContent content, ContentOf(store, options));
  const std::vector<absl::Span<const Input>> shards =
      CutIntoShards(content.inputs, max_shard_bytes);
  return ShardedSave(path, options).Save(content, shards);
}

}  // namespace leafstore
