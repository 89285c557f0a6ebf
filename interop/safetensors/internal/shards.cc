// SaveSafetensorsShards: writes sets of shards.
#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "re2/re2.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/interop/internal/json_text.h"
#include "leafstore/interop/safetensors/internal/index.h"
#include "leafstore/interop/safetensors/internal/plan.h"
#include "leafstore/interop/safetensors/writer.h"

namespace leafstore {
namespace internal {
namespace {

constexpr absl::string_view kExtension = ".safetensors";

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
std::string ShardName(absl::string_view stem, size_t turn, size_t index, size_t count) {
  return absl::StrCat(stem, absl::StrFormat("-%05d-of-%05d", index + 1, count),
                      turn == 0 ? "" : absl::StrCat("-r", turn), kExtension);
}

// Returns whether ShardName returns this name for some turn, index and count.
bool IsShardName(absl::string_view stem, absl::string_view name) {
  return absl::ConsumePrefix(&name, stem) &&
         RE2::FullMatch(re2::StringPiece(name.data(), name.size()),
                        R"(-\d{5,}-of-\d{5,}(-r\d+)?\.safetensors)");
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

  absl::StatusOr<std::vector<std::string>> Save(const SafetensorsContent& content,
                                                absl::Span<const Tensors> shards) {
    LEAFSTORE_RETURN_IF_ERROR(ChooseNames(shards.size()));
    LEAFSTORE_RETURN_IF_ERROR(WriteAll(content, shards));
    LEAFSTORE_RETURN_IF_ERROR(is_set() ? CommitSet() : CommitOne());
    if (options_.replace_set) RemoveOldShards();
    if (is_set()) names_.push_back(index_);
    return std::move(names_);
  }

 private:
  bool is_set() const { return names_.size() > 1; }
  std::string PathOf(absl::string_view name) const { return InDirectoryOf(path_, name); }

  absl::Status AlreadyExists(absl::string_view name) const {
    return WithReason(absl::AlreadyExistsError(absl::StrCat(PathOf(name), ": already exists")),
                      ErrorReason::kExists);
  }

  // Returns whether a file of this name exists. error: the file system's.
  absl::StatusOr<bool> Exists(const std::string& name) const {
    const absl::Status status = files_.Open(PathOf(name)).status();
    if (status.ok()) return true;
    if (absl::IsNotFound(status)) return false;
    return status;
  }

  // Chooses names that are free now. The rename checks again that they are free.
  absl::Status ChooseNames(size_t count) {
    LEAFSTORE_ASSIGN_OR_RETURN(had_index_, Exists(index_));
    // Readers would prefer the index of another set to a single file beside it.
    if (had_index_ && !options_.replace_set) return AlreadyExists(index_);
    names_ = {FileNameOf(path_)};
    if (count == 1) return absl::OkStatus();
    for (size_t turn = 0;; ++turn) {
      names_.clear();
      for (size_t i = 0; i < count; ++i) names_.push_back(ShardName(stem_, turn, i, count));
      bool taken = false;
      for (size_t i = 0; i < count && !taken; ++i) {
        LEAFSTORE_ASSIGN_OR_RETURN(taken, Exists(names_[i]));
        if (taken && !options_.replace_set) return AlreadyExists(names_[i]);
      }
      if (!taken) return absl::OkStatus();
    }
  }

  // Writes and syncs every file under its temporary name, the index last.
  absl::Status WriteAll(const SafetensorsContent& content, absl::Span<const Tensors> shards) {
    // All headers are made before any byte is written, so an error of the caller leaves no file.
    std::vector<SafetensorsPlan> plans;
    SafetensorsIndex index;
    index.files = names_;
    for (uint32_t i = 0; i < shards.size(); ++i) {
      LEAFSTORE_ASSIGN_OR_RETURN(SafetensorsPlan plan,
                                 PlanSafetensors(shards[i], content.metadata));
      plans.push_back(std::move(plan));
      for (const NamedTensor& one : shards[i]) index.tensors.emplace_back(one.name, i);
    }
    index.total_size = TotalBytes(content.tensors);
    Progress progress(options_.io.progress, *index.total_size);
    for (size_t i = 0; i < plans.size(); ++i) {
      LEAFSTORE_ASSIGN_OR_RETURN(AtomicFile file,
                                 WritePlan(PathOf(names_[i]), plans[i], options_.io, &progress));
      written_.push_back(std::move(file));
    }
    progress.Finish();
    if (!is_set()) return absl::OkStatus();
    LEAFSTORE_ASSIGN_OR_RETURN(
        AtomicFile file,
        WritePlan(PathOf(index_), {{}, EncodeSafetensorsIndex(index)}, options_.io, &progress));
    written_.push_back(std::move(file));
    return absl::OkStatus();
  }

  // Renames the file into place, then removes the old index, which readers would prefer to it.
  absl::Status CommitOne() {
    LEAFSTORE_RETURN_IF_ERROR(written_[0].Commit());
    if (!had_index_) return absl::OkStatus();
    LEAFSTORE_RETURN_IF_ERROR(files_.Remove(PathOf(index_)));
    return options_.io.durable ? files_.SyncDirectory(DirectoryOf(path_)) : absl::OkStatus();
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
    AtomicFile& index = written_.back();
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
      const bool is_new = std::find(names_.begin(), names_.end(), name) != names_.end();
      if (!is_new && IsShardName(stem_, name)) files_.Remove(PathOf(name)).IgnoreError();
    }
  }

  const std::string& path_;
  const std::string stem_;
  const std::string index_;
  const SafetensorsSaveOptions& options_;
  FileSystem& files_;
  std::vector<std::string> names_;  // of the shards, or of the single file
  bool had_index_ = false;
  std::vector<AtomicFile> written_;  // the shards, then the index if it is a set
};

}  // namespace
}  // namespace internal

absl::StatusOr<std::vector<std::string>> SaveSafetensorsShards(
    const std::string& path, const ParamStore& store, int64_t max_shard_bytes,
    const SafetensorsSaveOptions& options) {
  if (!absl::EndsWith(FileNameOf(path), internal::kExtension)) {
    return absl::InvalidArgumentError(absl::StrCat("expected a path that ends in ",
                                                   internal::kExtension, ", found '", path, "'"));
  }
  // The index stores the file names in JSON.
  LEAFSTORE_RETURN_IF_ERROR(internal::CheckJsonString(FileNameOf(path), "a file's name"));
  if (max_shard_bytes <= 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected shards of at least 1 byte, found ", max_shard_bytes));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(const internal::SafetensorsContent content,
                             internal::ContentOfStore(store, options));
  const auto shards = internal::CutIntoShards(content.tensors, max_shard_bytes);
  return internal::ShardedSave(path, options).Save(content, shards);
}

}  // namespace leafstore
