#include "tests/checkpoint/crash_disk.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "leafstore/checkpoint/internal/format.h"
#include "leafstore/core/buffer.h"
#include "leafstore/io/internal/checksum.h"

namespace leafstore {
namespace {

void Apply(int64_t offset, absl::string_view bytes, std::string* content) {
  const auto begin = static_cast<size_t>(offset);
  if (content->size() < begin + bytes.size()) content->resize(begin + bytes.size(), '\0');
  std::memcpy(content->data() + begin, bytes.data(), bytes.size());
}

}  // namespace

class CrashDisk::Writer : public WritableFile {
 public:
  Writer(CrashDisk* disk, FilePtr file) : disk_(disk), file_(std::move(file)) {}
  absl::Status WriteAt(int64_t offset, absl::Span<const std::byte> bytes) override {
    if (absl::Status status = disk_->Call("write"); !status.ok()) {
      // Part of it may have been written.
      Add(offset, bytes.subspan(0, bytes.size() / 2));
      return status;
    }
    Add(offset, bytes);
    return absl::OkStatus();
  }
  absl::Status Sync() override {
    if (absl::Status status = disk_->Call("sync"); !status.ok()) {
      file_->pending.clear();  // the kernel may drop what it could not write
      return status;
    }
    file_->synced = file_->now;
    file_->pending.clear();
    return absl::OkStatus();
  }
  absl::Status Close() override { return disk_->Call("close"); }

 private:
  void Add(int64_t offset, absl::Span<const std::byte> bytes) {
    std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    Apply(offset, text, &file_->now);
    file_->pending.push_back({offset, std::move(text)});
  }

  CrashDisk* disk_;
  FilePtr file_;
};

class CrashDisk::Reader : public ReadableFile {
 public:
  explicit Reader(FilePtr file) : file_(std::move(file)) {}
  int64_t size() const override { return static_cast<int64_t>(file_->now.size()); }
  absl::Status ReadAt(int64_t offset, absl::Span<std::byte> out) const override {
    if (offset + static_cast<int64_t>(out.size()) > size()) {
      return absl::DataLossError("the file ends before");
    }
    std::memcpy(out.data(), file_->now.data() + offset, out.size());
    return absl::OkStatus();
  }
  absl::StatusOr<Buffer> Map() const override {
    // Aligned like a mapping.
    absl::StatusOr<Buffer> copy = Buffer::AllocateUninitialized(size());
    if (copy.ok()) std::memcpy(copy->mutable_data(), file_->now.data(), file_->now.size());
    return copy;
  }

 private:
  FilePtr file_;
};

absl::Status CrashDisk::Call(const std::string& what) {
  if (before_each_call) before_each_call(what);
  return calls++ == fail_at ? failure : absl::OkStatus();
}

CrashDisk::FilePtr CrashDisk::FileAfter(const File& file, const Choice& choice) {
  auto after = std::make_shared<File>();
  after->synced = file.synced;
  for (size_t i = 0; i < file.pending.size(); ++i) {
    if (!choice.keeps()) continue;
    absl::string_view bytes = file.pending[i].bytes;
    if (i + 1 == file.pending.size()) bytes = bytes.substr(0, choice.tears(bytes.size()));
    Apply(file.pending[i].offset, bytes, &after->synced);
  }
  after->now = after->synced;
  return after;
}

std::unique_ptr<CrashDisk> CrashDisk::After(const Choice& choice) const {
  Names names = synced_;
  for (size_t i = 0; i < pending_.size(); ++i) {
    const size_t last = pending_[i].with_next ? i + 1 : i;
    const bool keeps = choice.keeps();
    for (size_t k = i; keeps && k <= last; ++k) {
      const NameChange& change = pending_[k];
      if (change.file == nullptr) {
        names.erase(change.path);
      } else {
        names[change.path] = change.file;
      }
    }
    i = last;
  }
  auto disk = std::make_unique<CrashDisk>();
  std::map<const File*, FilePtr> files;
  for (const auto& [path, file] : names) {
    FilePtr& copy = files[file.get()];
    if (copy == nullptr) copy = FileAfter(*file, choice);
    disk->synced_[path] = copy;
  }
  disk->now_ = disk->synced_;
  return disk;
}

std::unique_ptr<CrashDisk> CrashDisk::AfterCrash(std::mt19937* random) const {
  // Each state keeps a different part of the unsynced calls: none, all, or some.
  std::uniform_real_distribution<double> share(-0.2, 1.2);
  const double kept = share(*random);
  std::uniform_real_distribution<double> unit(0, 1);
  return After({[&] { return unit(*random) < kept; },
                [&](size_t size) {
                  if (unit(*random) < 0.5) return size;
                  return std::uniform_int_distribution<size_t>(0, size)(*random);
                }});
}

std::unique_ptr<CrashDisk> CrashDisk::AfterLosingAll() const {
  return After({[] { return false; }, [](size_t) { return size_t{0}; }});
}

std::unique_ptr<CrashDisk> CrashDisk::AfterKeepingAll() const {
  return After({[] { return true; }, [](size_t size) { return size; }});
}

uint64_t CrashDisk::Fingerprint() const {
  std::string all;
  for (const auto& [path, file] : now_) {
    absl::StrAppend(&all, path, "\n", file->now.size(), "\n", file->now);
  }
  return internal::Checksum(
      absl::MakeConstSpan(reinterpret_cast<const std::byte*>(all.data()), all.size()));
}

std::string& CrashDisk::ContentOf(const std::string& path) { return now_.at(path)->now; }
bool CrashDisk::Exists(const std::string& path) const { return now_.count(path) > 0; }

absl::StatusOr<std::unique_ptr<WritableFile>> CrashDisk::Create(const std::string& path) {
  if (absl::Status status = Call("create"); !status.ok()) return status;
  if (now_.count(path) > 0) return absl::AlreadyExistsError(path);
  auto file = std::make_shared<File>();
  now_[path] = file;
  pending_.push_back({path, file, false});
  return std::make_unique<Writer>(this, file);
}

absl::StatusOr<std::unique_ptr<ReadableFile>> CrashDisk::Open(const std::string& path) {
  const auto found = now_.find(path);
  if (found == now_.end()) return absl::NotFoundError(absl::StrCat("cannot open ", path));
  return std::make_unique<Reader>(found->second);
}

absl::Status CrashDisk::Rename(const std::string& from, const std::string& to) {
  if (absl::Status status = Call("rename"); !status.ok()) return status;
  const auto found = now_.find(from);
  if (found == now_.end()) return absl::NotFoundError(from);
  const FilePtr file = found->second;
  now_.erase(found);
  now_[to] = file;
  pending_.push_back({to, file, true});
  pending_.push_back({from, nullptr, false});
  return absl::OkStatus();
}

absl::Status CrashDisk::Remove(const std::string& path) {
  if (absl::Status status = Call("remove"); !status.ok()) return status;
  if (now_.erase(path) == 0) return absl::NotFoundError(path);
  pending_.push_back({path, nullptr, false});
  return absl::OkStatus();
}

absl::Status CrashDisk::CreateDirectory(const std::string&) { return Call("make directory"); }

absl::StatusOr<std::shared_ptr<void>> CrashDisk::Lock(const std::string& path) {
  if (absl::Status status = Call("lock"); !status.ok()) return status;
  bool& held = locks_[path];
  if (held) return absl::FailedPreconditionError(absl::StrCat("cannot lock ", path));
  held = true;
  return std::shared_ptr<void>(&held, [](void* lock) { *static_cast<bool*>(lock) = false; });
}

absl::Status CrashDisk::SyncDirectory(const std::string&) {
  if (absl::Status status = Call("sync directory"); !status.ok()) return status;
  synced_ = now_;
  pending_.clear();
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> CrashDisk::List(const std::string& path) {
  std::vector<std::string> names;
  for (const auto& [name, file] : now_) {
    if (DirectoryOf(name) == path) names.push_back(FileNameOf(name));
  }
  return names;
}

}  // namespace leafstore
