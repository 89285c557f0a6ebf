// SaveSafetensorsShards: writes sets of shards.
#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/interop/internal/json_text.h"
#include "leafstore/interop/safetensors/internal/index.h"
#include "leafstore/interop/safetensors/internal/plan.h"
#include "leafstore/interop/safetensors/writer.h"
#include "leafstore/io/internal/atomic_file.h"

namespace leafstore {

using internal::CheckJsonString;
using internal::ContentOfStore;
using internal::EncodeSafetensorsIndex;
using internal::PlanSafetensors;
using internal::SafetensorsIndex;
using internal::SafetensorsInput;
using internal::SafetensorsPlan;
using internal::SafetensorsProgress;
using internal::SafetensorsStoreContent;
using internal::WritePlan;

namespace {

constexpr absl::string_view kExtension = ".safetensors";

using Inputs = absl::Span<const SafetensorsInput>;

// Divides tensors into runs of at most `most` bytes; a larger tensor is a run of its own.
std::vector<Inputs> CutIntoShards(Inputs inputs, int64_t most) {
  std::vector<Inputs> shards;
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

// `turn` 0 has the usual names; others are for a set that exists beside the one it replaces.
std::string ShardName(absl::string_view stem, size_t turn, size_t number, size_t count) {
  return absl::StrCat(stem, absl::StrFormat("-%05d-of-%05d", number + 1, count),
                      turn == 0 ? "" : absl::StrCat("-r", turn), kExtension);
}

// Removes at least `least` digits from the end.
bool ConsumeDigits(absl::string_view* text, size_t least) {
  size_t digits = 0;
  while (digits < text->size() && absl::ascii_isdigit((*text)[text->size() - 1 - digits])) ++digits;
  if (digits < least) return false;
  text->remove_suffix(digits);
  return true;
}

// Returns whether ShardName returns this name for some turn, index and count.
bool IsShardName(absl::string_view stem, absl::string_view name) {
  if (!absl::ConsumePrefix(&name, stem) || !absl::ConsumeSuffix(&name, kExtension)) return false;
  absl::string_view before = name;
  if (ConsumeDigits(&before, 1) && absl::ConsumeSuffix(&before, "-r")) name = before;
  return ConsumeDigits(&name, 5) && absl::ConsumeSuffix(&name, "-of-") && ConsumeDigits(&name, 5) &&
         name == "-";
}

// A set to write; a single shard is a file without an index.
class ShardedSave {
 public:
  ShardedSave(const std::string& path, const SafetensorsSaveOptions& options)
      : path_(path),
        stem_(absl::StripSuffix(FileNameOf(path), kExtension)),
        index_(absl::StrCat(stem_, kExtension, ".index.json")),
        options_(options),
        files_(options.io.files()) {}

  absl::StatusOr<SavedShards> Save(const SafetensorsStoreContent& content,
                                   absl::Span<const Inputs> shards) {
    LEAFSTORE_RETURN_IF_ERROR(ChooseNames(shards.size()));
    LEAFSTORE_RETURN_IF_ERROR(WriteAll(content, shards));
    LEAFSTORE_RETURN_IF_ERROR(is_set() ? CommitSet() : CommitOne());
    if (options_.replace_set) RemoveOldShards();
    return std::move(saved_);
  }

 private:
  bool is_set() const { return !saved_.index.empty(); }
  std::string PathOf(absl::string_view name) const { return InDirectoryOf(path_, name); }

  absl::Status ThereAlready(absl::string_view name) const {
    return WithReason(absl::AlreadyExistsError(absl::StrCat(PathOf(name), ": it already exists")),
                      ErrorReason::kExists);
  }

  // Returns whether a file of this name exists. error: the file system's.
  absl::StatusOr<bool> Exists(const std::string& name) const {
    const absl::Status status = files_.Open(PathOf(name)).status();
    if (status.ok()) return true;
    if (absl::IsNotFound(status)) return false;
    return status;
  }

  // Returns the first of these names that exists; empty if all are free.
  absl::StatusOr<std::string> FirstTaken(absl::Span<const std::string> names) const {
    for (const std::string& name : names) {
      LEAFSTORE_ASSIGN_OR_RETURN(const bool exists, Exists(name));
      if (exists) return name;
    }
    return std::string();
  }

  // Chooses names that are free now. The rename checks again that they are free.
  absl::Status ChooseNames(size_t count) {
    LEAFSTORE_ASSIGN_OR_RETURN(had_index_, Exists(index_));
    // Readers would prefer the index of another set to a single file beside it.
    if (had_index_ && !options_.replace_set) return ThereAlready(index_);
    if (count == 1) {
      saved_.files.push_back(FileNameOf(path_));
      return absl::OkStatus();
    }
    saved_.index = index_;
    for (size_t turn = 0;; ++turn) {
      saved_.files.clear();
      for (size_t i = 0; i < count; ++i) saved_.files.push_back(ShardName(stem_, turn, i, count));
      LEAFSTORE_ASSIGN_OR_RETURN(const std::string taken, FirstTaken(saved_.files));
      if (taken.empty()) return absl::OkStatus();
      if (!options_.replace_set) return ThereAlready(taken);
    }
  }

  // Writes and syncs every file under its temporary name, the index last.
  absl::Status WriteAll(const SafetensorsStoreContent& content, absl::Span<const Inputs> shards) {
    // All headers are made before any byte is written, so an error of the caller leaves no file.
    std::vector<SafetensorsPlan> plans;
    SafetensorsIndex index;
    index.files = saved_.files;
    index.total_size = 0;
    for (uint32_t i = 0; i < shards.size(); ++i) {
      LEAFSTORE_ASSIGN_OR_RETURN(SafetensorsPlan plan,
                                 PlanSafetensors(shards[i], content.metadata));
      plans.push_back(std::move(plan));
      for (const SafetensorsInput& input : shards[i]) {
        index.tensors.emplace_back(input.name, i);
        *index.total_size += input.tensor->byte_size();
      }
    }
    SafetensorsProgress progress(options_, content.inputs);
    for (size_t i = 0; i < plans.size(); ++i) {
      LEAFSTORE_ASSIGN_OR_RETURN(internal::AtomicFile file,
                                 WritePlan(PathOf(saved_.files[i]), plans[i], options_, &progress));
      written_.push_back(std::move(file));
    }
    progress.Tell();
    return is_set() ? WriteIndex(index) : absl::OkStatus();
  }

  absl::Status WriteIndex(const SafetensorsIndex& index) {
    LEAFSTORE_ASSIGN_OR_RETURN(internal::AtomicFile file,
                               internal::AtomicFile::Create(PathOf(index_), options_.io));
    const std::string text = EncodeSafetensorsIndex(index);
    LEAFSTORE_RETURN_IF_ERROR(file.stream().Append(
        absl::MakeConstSpan(reinterpret_cast<const std::byte*>(text.data()), text.size())));
    LEAFSTORE_RETURN_IF_ERROR(file.Close());
    written_.push_back(std::move(file));
    return absl::OkStatus();
  }

  // Renames the file into place, then removes the old index, which readers would prefer to it.
  absl::Status CommitOne() {
    LEAFSTORE_RETURN_IF_ERROR(written_[0].Commit());
    if (!had_index_) return absl::OkStatus();
    LEAFSTORE_RETURN_IF_ERROR(files_.Remove(PathOf(index_)));
    return SyncNames();
  }

  // Renames the shards first, to free names: they are not read before the index names them, and an
  // old set stays complete until the new index replaces its index.
  absl::Status CommitSet() {
    const size_t shards = written_.size() - 1;
    for (size_t i = 0; i < shards; ++i) {
      // The last rename syncs the directory for all of them, before the index is renamed.
      const absl::Status status = written_[i].CommitNew(/*sync_directory=*/i + 1 == shards);
      if (status.ok()) continue;
      // After a failed rename the file may belong to another process; if only the sync failed, it
      // is ours.
      Withdraw(written_[i].is_committed() ? i + 1 : i);
      return status;
    }
    internal::AtomicFile& index = written_.back();
    const absl::Status status = had_index_ ? index.Commit() : index.CommitNew();
    if (status.ok()) return status;
    if (!index.is_committed()) {
      Withdraw(shards);
    } else if (!had_index_) {
      Withdraw(shards + 1);
    }  // otherwise the new set has replaced the old one, which cannot be restored
    return status;
  }

  // Removes the renamed files of this save, in reverse order, so the index first.
  void Withdraw(size_t count) {
    while (count > 0) files_.Remove(written_[--count].path()).IgnoreError();
  }

  // Removes shards of this name that do not belong to the new set. Errors are ignored: the set is
  // already saved.
  void RemoveOldShards() {
    const absl::StatusOr<std::vector<std::string>> names = files_.List(DirectoryOf(path_));
    if (!names.ok()) return;
    for (const std::string& name : *names) {
      const bool is_new =
          std::find(saved_.files.begin(), saved_.files.end(), name) != saved_.files.end();
      if (!is_new && IsShardName(stem_, name)) files_.Remove(PathOf(name)).IgnoreError();
    }
  }

  absl::Status SyncNames() const {
    return options_.io.durable ? files_.SyncDirectory(DirectoryOf(path_)) : absl::OkStatus();
  }

  const std::string& path_;
  const std::string stem_;
  const std::string index_;
  const SafetensorsSaveOptions& options_;
  FileSystem& files_;
  SavedShards saved_;
  bool had_index_ = false;
  std::vector<internal::AtomicFile> written_;  // the shards, then the index if it is a set
};

}  // namespace

absl::StatusOr<SavedShards> SaveSafetensorsShards(const std::string& path, const ParamStore& store,
                                                  int64_t max_shard_bytes,
                                                  const SafetensorsSaveOptions& options) {
  if (!absl::EndsWith(FileNameOf(path), kExtension)) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected a path that ends in ", kExtension, ", found '", path, "'"));
  }
  // The index stores the file names in JSON.
  LEAFSTORE_RETURN_IF_ERROR(CheckJsonString(FileNameOf(path), "a file's name"));
  if (max_shard_bytes <= 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected shards of at least 1 byte, found ", max_shard_bytes));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(const SafetensorsStoreContent content, ContentOfStore(store, options));
  const std::vector<Inputs> shards = CutIntoShards(content.inputs, max_shard_bytes);
  return ShardedSave(path, options).Save(content, shards);
}

}  // namespace leafstore
