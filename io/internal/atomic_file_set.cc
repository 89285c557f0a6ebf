#include "leafstore/io/internal/atomic_file_set.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/internal/list_for_message.h"
#include "leafstore/core/status_macros.h"

namespace leafstore::internal {
namespace {

constexpr absl::string_view kKeptMark = ".old-";

std::string KeptAsideText(absl::string_view kept, absl::string_view path) {
  return absl::StrCat("the old file is ", kept, ", where a command that did not finish kept it; ",
                      "rename it to ", path, " to have it back");
}

}  // namespace

AtomicFileSet::AtomicFileSet(const IoOptions& options)
    : files_(options.files()), durable_(options.durable) {}

AtomicFileSet::~AtomicFileSet() {
  for (size_t i = made_; i < changes_.size(); ++i) {
    const std::string& temporary = changes_[i].temporary;
    if (!temporary.empty()) files_.Remove(temporary).IgnoreError();
  }
}

void AtomicFileSet::Add(AtomicFile file, bool replace) {
  FileChange& change = changes_.emplace_back();
  change.path = file.path();
  change.replace = replace;
  change.temporary =
      std::move(file).Release();  // last: until here, `file` removes it after an exception
}

absl::Status AtomicFileSet::Commit() {
  if (auto* collector = dynamic_cast<FileSetCollector*>(&files_); collector != nullptr) {
    return collector->Collect(std::exchange(changes_, {}), std::exchange(discarded_, {}));
  }
  std::set<std::string> directories;
  for (const FileChange& change : changes_) directories.insert(DirectoryOf(change.path));
  directories_.assign(directories.begin(), directories.end());
  absl::Status status;
  try {
    status = MakeAll();
  } catch (...) {  // no memory
    if (!has_replaced_) Undo(absl::OkStatus()).IgnoreError();
    throw;
  }
  if (!status.ok() && !has_replaced_) return Undo(status);
  if (status.ok()) {
    ForEachOld([this](const std::string& path) { files_.Remove(path).IgnoreError(); });
    return status;
  }
  std::vector<std::string> old;
  ForEachOld([&old](const std::string& path) { old.push_back(path); });
  const bool is_one = changes_.size() == 1;
  status = InPlaceButNotSynced(
      absl::StrCat(changes_.back().path, is_one ? "" : ", like the other files,"), status);
  if (old.empty()) return status;
  return WithMessage(
      status, absl::StrCat(status.message(), "; the old files are kept: ", ListForMessage(old)));
}

void AtomicFileSet::ForEachOld(absl::FunctionRef<void(const std::string&)> call) const {
  for (const FileChange& change : changes_) {
    if (!change.aside.empty()) call(change.aside);
  }
  for (const std::string& path : discarded_) {
    const bool is_made = std::any_of(
        changes_.begin(), changes_.end(),
        [&](const FileChange& change) { return change.path == path && !change.temporary.empty(); });
    if (!is_made) call(path);
  }
}

absl::Status AtomicFileSet::MakeAll() {
  for (FileChange& change : changes_) {
    const bool is_last = &change == &changes_.back();
    if (is_last && made_ > 0) LEAFSTORE_RETURN_IF_ERROR(SyncDirectories());
    LEAFSTORE_RETURN_IF_ERROR(Make(&change, is_last));
    ++made_;
  }
  return SyncDirectories();
}

absl::Status AtomicFileSet::Make(FileChange* change, bool is_last) {
  const std::string& temporary = change->temporary;
  if (temporary.empty()) return KeepAside(change);
  const absl::Status renamed = files_.RenameNew(temporary, change->path);
  if (!absl::IsAlreadyExists(renamed)) return renamed;
  if (!change->replace) return WithReason(renamed, ErrorReason::kExists);
  if (!is_last) LEAFSTORE_RETURN_IF_ERROR(KeepAside(change));
  const absl::Status status = files_.Rename(temporary, change->path);
  has_replaced_ = is_last && status.ok();
  return status;
}

absl::Status AtomicFileSet::KeepAside(FileChange* change) {
  const absl::StatusOr<bool> exists = files_.Exists(change->path);
  if (absl::IsInvalidArgument(exists.status())) return exists.status();  // a directory, a device
  if (exists.ok() && !*exists) return absl::OkStatus();
  static std::atomic<uint64_t> next{0};
  absl::Status renamed;
  int tried = 0;
  do {  // a crashed process with the same id may have left the name
    std::string aside = absl::StrCat(change->path, kKeptMark, getpid(), "-", next.fetch_add(1));
    renamed = files_.RenameNew(change->path, aside);
    if (renamed.ok()) change->aside = std::move(aside);
  } while (absl::IsAlreadyExists(renamed) && ++tried < AtomicFile::kMaxNames);
  return renamed;
}

absl::Status AtomicFileSet::SyncDirectories() const {
  if (!durable_) return absl::OkStatus();
  for (const std::string& directory : directories_) {
    LEAFSTORE_RETURN_IF_ERROR(files_.SyncDirectory(directory));
  }
  return absl::OkStatus();
}

// Undoes the changes that were made; the next change may have kept its file aside already. Returns
// `why`, with the names of files that cannot be moved back.
absl::Status AtomicFileSet::Undo(const absl::Status& why) {
  std::string message(why.message());
  bool is_undone = false;
  for (size_t i = std::min(made_ + 1, changes_.size()); i-- > 0;) {
    const FileChange& change = changes_[i];
    if (!change.aside.empty()) {
      const absl::Status status = files_.Rename(change.aside, change.path);
      if (!status.ok()) absl::StrAppend(&message, "; ", KeptAsideText(change.aside, change.path));
    } else if (i < made_ && !change.temporary.empty()) {
      files_.Remove(change.path).IgnoreError();
    } else {
      continue;
    }
    is_undone = true;
  }
  const absl::Status synced = is_undone ? SyncDirectories() : absl::OkStatus();
  if (!synced.ok()) {
    absl::StrAppend(&message, "; the new files were removed, but may be there again after a power ",
                    "failure: ", synced.message());
  }
  return WithMessage(why, message);
}

absl::Status NameKeptAside(FileSystem& files, const std::string& path, absl::Status status) {
  if (!absl::IsNotFound(status)) return status;
  const absl::StatusOr<std::vector<std::string>> names = files.List(DirectoryOf(path));
  if (!names.ok()) return status;
  const std::string prefix = absl::StrCat(FileNameOf(path), kKeptMark);
  for (const std::string& name : *names) {
    if (!absl::StartsWith(name, prefix)) continue;
    return WithMessage(status, absl::StrCat(status.message(), "; ",
                                            KeptAsideText(InDirectoryOf(path, name), path)));
  }
  return status;
}

}  // namespace leafstore::internal
