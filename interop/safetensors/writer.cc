#include "leafstore/interop/safetensors/writer.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/interop/internal/json_text.h"
#include "leafstore/interop/safetensors/internal/header.h"
#include "leafstore/interop/safetensors/internal/place.h"
#include "leafstore/interop/safetensors/internal/structure.h"
#include "leafstore/interop/safetensors/reader.h"
#include "leafstore/io/internal/atomic_file.h"
#include "leafstore/io/internal/atomic_file_set.h"
#include "leafstore/io/internal/progress.h"

namespace leafstore {
namespace internal {
namespace {

// The bytes of a tensor that are written at a time.
constexpr size_t kCopyPiece = size_t{4} << 20;

// Returns whether a reader that splits names would make other paths of them.
bool AreOtherPaths(const ParamStore& store, absl::Span<const NamedTensor> tensors) {
  std::vector<absl::string_view> names;
  for (const NamedTensor& one : tensors) names.push_back(one.name);
  const absl::StatusOr<std::vector<Path>> paths = PathsOfNames(names, NameStyle::kSplit);
  if (!paths.ok()) return true;
  for (uint32_t place = 0; place < store.size(); ++place) {
    if ((*paths)[place] != store.layout().PathOf(store.slot(place))) return true;
  }
  return false;
}

// Returns whether the structure is saved; `tensors` are those of the store.
bool WantsStructure(const ParamStore& store, absl::Span<const NamedTensor> tensors,
                    const SafetensorsSaveOptions& options) {
  if (options.structure != StructureSave::kAuto) return options.structure == StructureSave::kAlways;
  return tensors.size() < store.size() || options.grouping.has_value() ||
         store.layout().has_def() || AreOtherPaths(store, tensors);
}

// Adds the structure to the metadata of `options`.
absl::Status AddStructure(const ParamStore& store, SafetensorsSaveOptions* options) {
  const std::string key(kSafetensorsStructureKey);
  if (!options->metadata.has_value()) options->metadata.emplace();
  LEAFSTORE_ASSIGN_OR_RETURN(
      std::string text,
      EncodeSafetensorsStructure({StoreSpec::Of(store, options->grouping), options->names}));
  if (options->metadata->try_emplace(key, std::move(text)).second) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("expected metadata without ", key,
                                                 ", under which the structure is saved, found it"));
}

// Returns the tensors of a store. Adds its structure to the metadata of `options`, if wanted.
absl::StatusOr<std::vector<NamedTensor>> TensorsToSave(const ParamStore& store,
                                                       SafetensorsSaveOptions* options) {
  LEAFSTORE_RETURN_IF_ERROR(store.CheckNoBorrow("save"));
  const bool drop_static = options->drop_static || options->structure != StructureSave::kNever;
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<NamedTensor> tensors,
                             NamedTensorsOf(store, options->names, drop_static));
  if (WantsStructure(store, tensors, *options)) {
    LEAFSTORE_RETURN_IF_ERROR(AddStructure(store, options));
  }
  return tensors;
}

// The tensors of one file in the order of the format, and its header. The tensors are borrowed.
struct SafetensorsPlan {
  std::vector<const NamedTensor*> tensors;
  std::string header;
};

// Finds all errors of the caller, before a file is created.
absl::StatusOr<SafetensorsPlan> PlanSafetensors(absl::Span<const NamedTensor> tensors,
                                                const std::optional<Metadata>& metadata) {
  std::vector<SafetensorsEntry> entries;
  entries.reserve(tensors.size());
  for (const NamedTensor& one : tensors) {
    entries.push_back({one.name, LeafSpec(one.tensor.dtype(), one.tensor.shape())});
  }
  SafetensorsPlan plan;
  std::vector<SafetensorsEntry> sorted;
  sorted.reserve(tensors.size());
  plan.tensors.reserve(tensors.size());
  for (const uint32_t i : SafetensorsOrder(entries)) {
    sorted.push_back(entries[i]);
    plan.tensors.push_back(&tensors[i]);
  }
  LEAFSTORE_ASSIGN_OR_RETURN(plan.header, EncodeSafetensorsHeader(sorted, metadata));
  return plan;
}

// Writes and closes a file, which is not yet at its path. A plan without tensors writes its
// `header` only, as for an index.
absl::StatusOr<AtomicFile> WritePlan(const std::string& path, const SafetensorsPlan& plan,
                                     const IoOptions& io, Progress* progress) {
  LEAFSTORE_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path, io));
  LEAFSTORE_RETURN_IF_ERROR(file.stream().Append(absl::MakeConstSpan(
      reinterpret_cast<const std::byte*>(plan.header.data()), plan.header.size())));
  for (const NamedTensor* one : plan.tensors) {
    for (auto bytes = one->tensor.bytes(); !bytes.empty();) {
      const absl::Span<const std::byte> piece = bytes.subspan(0, kCopyPiece);
      LEAFSTORE_RETURN_IF_ERROR(file.stream().Append(piece));
      progress->Add(static_cast<int64_t>(piece.size()));
      bytes.remove_prefix(piece.size());
    }
  }
  LEAFSTORE_RETURN_IF_ERROR(file.Close());
  return file;
}

// Returns the bytes of all tensors.
int64_t TotalBytes(absl::Span<const NamedTensor> tensors) {
  int64_t bytes = 0;
  for (const NamedTensor& one : tensors) bytes += one.tensor.byte_size();
  return bytes;
}

using Tensors = absl::Span<const NamedTensor>;

// Divides tensors into runs of at most `most` bytes; a larger tensor is a run of its own.
std::vector<Tensors> CutIntoShards(Tensors tensors, int64_t most) {
  std::vector<Tensors> shards;
  size_t begin = 0;
  int64_t bytes = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const int64_t size = tensors[i].tensor.byte_size();
    if (i > begin && size > most - std::min(bytes, most)) {
      shards.push_back(tensors.subspan(begin, i - begin));
      begin = i;
      bytes = 0;
    }
    bytes += size;
  }
  shards.push_back(tensors.subspan(begin));
  return shards;
}

// `turn` 0 has the usual names; others are for a set that exists beside the one it replaces.
std::string NameOfShard(absl::string_view stem, size_t turn, size_t index, size_t count) {
  return absl::StrCat(stem, "-", absl::Dec(index + 1, absl::kZeroPad5), "-of-",
                      absl::Dec(count, absl::kZeroPad5), turn == 0 ? "" : absl::StrCat("-r", turn),
                      kFileSuffix);
}

// A set to write; a single shard is a file without an index.
class SafetensorsSave {
 public:
  SafetensorsSave(const std::string& path, const SafetensorsSaveOptions& options)
      : path_(path),
        stem_(absl::StripSuffix(FileNameOf(path), kFileSuffix)),
        index_(absl::StrCat(stem_, kFileSuffix, ".index.json")),
        options_(options),
        files_(options.io.files()) {}

  absl::StatusOr<std::vector<std::string>> Save(absl::Span<const Tensors> shards) {
    LEAFSTORE_RETURN_IF_ERROR(ListDirectory());
    LEAFSTORE_RETURN_IF_ERROR(ChooseNames(shards.size()));
    LEAFSTORE_RETURN_IF_ERROR(FindReplaced());
    LEAFSTORE_RETURN_IF_ERROR(CheckPlace());
    LEAFSTORE_RETURN_IF_ERROR(WriteAll(shards));
    LEAFSTORE_RETURN_IF_ERROR(Commit());
    return std::move(names_);
  }

 private:
  bool is_set() const { return names_.size() > 1; }
  std::string PathOf(absl::string_view name) const { return InDirectoryOf(path_, name); }
  bool Exists(absl::string_view name) const {
    return std::binary_search(existing_.begin(), existing_.end(), name);
  }
  bool IsSaved(absl::string_view name) const {
    return std::find(names_.begin(), names_.end(), name) != names_.end();
  }

  absl::Status AlreadyExists(absl::string_view name, absl::string_view why = "") const {
    return WithReason(absl::AlreadyExistsError(absl::StrCat(PathOf(name), ": already exists", why)),
                      ErrorReason::kExists);
  }

  // Lists the directory. OK if it does not exist, as creating a file reports that, and if the file
  // system cannot list: nobody reads its directories.
  absl::Status ListDirectory() {
    auto existing = files_.List(DirectoryOf(path_));
    if (existing.ok()) existing_ = *std::move(existing);
    const absl::Status& why = existing.status();
    const bool may_go_on = absl::IsNotFound(why) || absl::IsUnimplemented(why);
    return may_go_on ? absl::OkStatus() : why;
  }

  // Chooses names that are free now. The rename checks again that they are free.
  absl::Status ChooseNames(size_t count) {
    names_ = {FileNameOf(path_)};
    if (count == 1) return absl::OkStatus();
    for (size_t turn = 0;; ++turn) {
      names_.clear();
      for (size_t i = 0; i < count; ++i) names_.push_back(NameOfShard(stem_, turn, i, count));
      const auto taken = std::find_if(names_.begin(), names_.end(),
                                      [this](const std::string& name) { return Exists(name); });
      if (taken == names_.end()) break;
      if (!options_.replace_set && !Exists(index_)) return AlreadyExists(*taken);
    }
    names_.push_back(index_);
    return absl::OkStatus();
  }

  // Returns the files that an index of the directory names.
  absl::StatusOr<std::vector<std::string>> FilesOfIndex(const std::string& name) const {
    const std::string path = PathOf(name);
    LEAFSTORE_ASSIGN_OR_RETURN(const auto file, files_.Open(path));
    if (file->size() > kMaxLenientSafetensorsHeader) {
      return absl::ResourceExhaustedError(absl::StrCat(path, ": expected an index of at most ",
                                                       kMaxLenientSafetensorsHeader,
                                                       " bytes, found ", file->size()));
    }
    std::string text(static_cast<size_t>(file->size()), '\0');
    LEAFSTORE_RETURN_IF_ERROR(
        file->ReadAt(0, absl::MakeSpan(reinterpret_cast<std::byte*>(text.data()), text.size())));
    LEAFSTORE_ASSIGN_OR_RETURN(SafetensorsIndex index,
                               WithContext(ParseSafetensorsIndex(text), path));
    return std::move(index.files);
  }

  // Returns the shards of the model of this name: those that its index names, or without an index
  // its only set. error: they are not known.
  absl::StatusOr<std::vector<std::string>> OldShards() const {
    if (!Exists(index_)) {
      std::vector<std::vector<std::string>> sets = ShardsOfStem(stem_, existing_);
      if (sets.size() > 1) return OtherModel(sets[0][0]);
      return sets.empty() ? std::vector<std::string>() : std::move(sets[0]);
    }
    absl::StatusOr<std::vector<std::string>> shards = FilesOfIndex(index_);
    if (shards.ok()) return shards;
    return WithMessage(shards.status(), absl::StrCat(shards.status().message(),
                                                     "; which shards it replaces is not known: "
                                                     "remove it and them, or write elsewhere"));
  }

  // Returns the files that the indexes of other models name.
  std::set<std::string> FilesOfOtherIndexes() const {
    std::set<std::string> all;
    for (const std::string& name : existing_) {
      if (!IsIndexName(name) || name == index_) continue;
      const absl::StatusOr<std::vector<std::string>> files = FilesOfIndex(name);
      if (files.ok()) all.insert(files->begin(), files->end());
    }
    return all;
  }

  // Finds the files of the model of this name that are not in the new one: the file or the index,
  // and the shards.
  absl::Status FindReplaced() {
    const std::string file = absl::StrCat(stem_, kFileSuffix);
    if (stem_ == FileNameOf(path_)) return absl::OkStatus();  // not called like a model
    if (Exists(index_) && !options_.replace_set) {
      return AlreadyExists(index_, is_set() ? "" : TwoModels());
    }
    const std::string& visible = is_set() ? file : index_;
    if (Exists(visible)) visible_ = visible;
    LEAFSTORE_ASSIGN_OR_RETURN(std::vector<std::string> shards, OldShards());
    const std::set<std::string> of_others = FilesOfOtherIndexes();
    for (std::string& name : shards) {
      if (IsSaved(name) || name == visible_ || of_others.contains(name)) continue;
      if (files_.Exists(PathOf(name)).value_or(true)) shards_.push_back(std::move(name));
    }
    if (options_.replace_set || (visible_.empty() && shards_.empty())) return absl::OkStatus();
    return AlreadyExists(visible_.empty() ? shards_[0] : visible_, TwoModels());
  }

  // Checks that the directory has no other model than the one that is replaced.
  absl::Status CheckPlace() const {
    std::vector<std::string> removed = shards_;
    if (!visible_.empty()) removed.push_back(visible_);
    const std::string other = FindOtherModel(existing_, names_, removed);
    return other.empty() ? absl::OkStatus() : OtherModel(other);
  }

  // Without a reason: replace_set does not help.
  absl::Status OtherModel(absl::string_view name) const {
    return absl::AlreadyExistsError(
        absl::StrCat(PathOf(name), ": already exists", TwoModels(),
                     "; it is of another model, which is not replaced: move it, or write to ",
                     "another directory"));
  }

  std::string TwoModels() const {
    return absl::StrCat("; with ", names_.back(), " the directory would have two models");
  }

  // Writes and syncs every file under its temporary name, the index last.
  absl::Status WriteAll(absl::Span<const Tensors> shards) {
    // All headers are made before any byte is written, so an error of the caller leaves no file.
    std::vector<SafetensorsPlan> plans;
    SafetensorsIndex index{{names_.begin(), names_.begin() + shards.size()}, {}, 0};
    for (uint32_t i = 0; i < shards.size(); ++i) {
      LEAFSTORE_ASSIGN_OR_RETURN(SafetensorsPlan plan,
                                 PlanSafetensors(shards[i], options_.metadata));
      plans.push_back(std::move(plan));
      for (const NamedTensor& one : shards[i]) index.tensors.emplace_back(one.name, i);
      *index.total_size += TotalBytes(shards[i]);
    }
    Progress progress(options_.io.progress, *index.total_size);
    if (is_set()) plans.push_back({{}, EncodeSafetensorsIndex(index)});
    for (size_t i = 0; i < plans.size(); ++i) {
      LEAFSTORE_ASSIGN_OR_RETURN(AtomicFile file,
                                 WritePlan(PathOf(names_[i]), plans[i], options_.io, &progress));
      written_.push_back(std::move(file));
    }
    progress.Finish();
    return absl::OkStatus();
  }

  // Renames the shards first, to free names: they are not read before the index names them. The
  // last change is the one that readers see: the new index, or the removal of the old one, which
  // they would prefer to a file.
  absl::Status Commit() {
    AtomicFileSet set(options_.io);
    for (size_t i = 0; i < written_.size(); ++i) {
      const bool is_index = is_set() && i + 1 == written_.size();
      if (is_index && !visible_.empty()) set.Remove(PathOf(visible_));
      // An index that another process creates meanwhile is kept.
      set.Add(std::move(written_[i]), is_index ? Exists(index_) : !is_set());
    }
    if (!is_set() && !visible_.empty()) set.Remove(PathOf(visible_));
    for (const std::string& name : shards_) set.Discard(PathOf(name));
    return set.Commit();
  }

  const std::string& path_;
  const std::string stem_;
  const std::string index_;
  const SafetensorsSaveOptions& options_;
  FileSystem& files_;
  std::vector<std::string> existing_;  // the names in the directory
  std::vector<std::string> names_;     // of the shards and the index, or of the single file
  // See FindReplaced. Removing the first, the old index or file, is a change that readers see.
  std::string visible_;
  std::vector<std::string> shards_;
  std::vector<AtomicFile> written_;  // in the order of `names_`
};

}  // namespace
}  // namespace internal

absl::Status SaveSafetensors(const std::string& path, const ParamStore& store,
                             const SafetensorsSaveOptions& options) {
  SafetensorsSaveOptions with_structure = options;
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<NamedTensor> tensors,
                             internal::TensorsToSave(store, &with_structure));
  return SaveSafetensors(path, tensors, with_structure);
}

absl::Status SaveSafetensors(const std::string& path, absl::Span<const NamedTensor> tensors,
                             const SafetensorsSaveOptions& options) {
  for (const NamedTensor& one : tensors) {
    if (!one.tensor.null()) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "expected a tensor called ", internal::QuotedForMessage(one.name), ", found null"));
  }
  return internal::SafetensorsSave(path, options).Save({tensors}).status();
}

absl::StatusOr<std::vector<std::string>> SaveSafetensorsShards(
    const std::string& path, const ParamStore& store, int64_t max_shard_bytes,
    const SafetensorsSaveOptions& options) {
  if (!absl::EndsWith(FileNameOf(path), internal::kFileSuffix)) {
    return absl::InvalidArgumentError(absl::StrCat("expected a path that ends in ",
                                                   internal::kFileSuffix, ", found '", path, "'"));
  }
  // The index stores the file names in JSON.
  LEAFSTORE_RETURN_IF_ERROR(internal::CheckJsonString(FileNameOf(path), "a file's name"));
  if (max_shard_bytes <= 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected shards of at least 1 byte, found ", max_shard_bytes));
  }
  SafetensorsSaveOptions with_structure = options;
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<NamedTensor> tensors,
                             internal::TensorsToSave(store, &with_structure));
  return internal::SafetensorsSave(path, with_structure)
      .Save(internal::CutIntoShards(tensors, max_shard_bytes));
}

}  // namespace leafstore
