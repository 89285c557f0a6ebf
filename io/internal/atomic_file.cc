#include "leafstore/io/internal/atomic_file.h"

#include <unistd.h>

#include <atomic>
#include <cstdint>

#include "absl/strings/str_cat.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"

namespace leafstore::internal {

absl::StatusOr<AtomicFile> AtomicFile::Create(const std::string& path, const IoOptions& options) {
  if (path.empty()) return absl::InvalidArgumentError("expected a path to save to, found ''");
  AtomicFile made;
  made.path_ = path;
  made.durable_ = options.durable;
  made.files_ = &options.files();
  std::string name;
  absl::StatusOr<std::unique_ptr<WritableFile>> created;
  static std::atomic<uint64_t> next{0};
  int tried = 0;
  do {  // a crashed process with the same id may have left the name
    name = absl::StrCat(path, ".tmp-", getpid(), "-", next.fetch_add(1, std::memory_order_relaxed));
    created = made.files_->Create(name);
  } while (absl::IsAlreadyExists(created.status()) && ++tried < kMaxNames);
  if (!created.ok()) return created.status();
  made.temporary_ = std::move(name);
  made.file_ = *std::move(created);
  if (made.durable_) made.file_->PreferDirect();
  made.stream_ = std::make_unique<FileStream>(made.file_.get());
  return made;
}

absl::string_view AtomicFile::NameOfTemporary(absl::string_view name) {
  constexpr absl::string_view kMark = ".tmp-";
  const size_t end = name.rfind(kMark);
  if (end == absl::string_view::npos) return "";
  const absl::string_view process_and_count = name.substr(end + kMark.size());
  const size_t dash = process_and_count.find('-');
  const auto is_number = [](absl::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == absl::string_view::npos;
  };
  if (dash == absl::string_view::npos || !is_number(process_and_count.substr(0, dash)) ||
      !is_number(process_and_count.substr(dash + 1))) {
    return "";
  }
  return name.substr(0, end);
}

AtomicFile::~AtomicFile() {
  stream_.reset();
  file_.reset();
  if (temporary_.empty()) return;
  // An error has no remedy here.
  files_->Remove(temporary_).IgnoreError();
}

absl::Status AtomicFile::Close() {
  LEAFSTORE_RETURN_IF_ERROR(stream_->Flush());
  if (durable_) LEAFSTORE_RETURN_IF_ERROR(file_->Sync());
  LEAFSTORE_RETURN_IF_ERROR(file_->Close());
  stream_.reset();
  file_.reset();
  return absl::OkStatus();
}

absl::Status AtomicFile::Commit() {
  LEAFSTORE_RETURN_IF_ERROR(files_->Rename(temporary_, path_));
  temporary_.clear();
  if (!durable_) return absl::OkStatus();
  const absl::Status synced = files_->SyncDirectory(DirectoryOf(path_));
  return synced.ok() ? synced : InPlaceButNotSynced(path_, synced);
}

absl::Status InPlaceButNotSynced(absl::string_view path, const absl::Status& synced) {
  return WithMessage(synced, absl::StrCat(synced.message(), "; ", path,
                                          " is in place, but may not survive a power failure"));
}

}  // namespace leafstore::internal
