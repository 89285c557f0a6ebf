#include "leafstore/checkpoint/internal/increment.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "leafstore/checkpoint/internal/checkpoint_bytes.h"

namespace leafstore::internal {

absl::StatusOr<Increment> Increment::Create(SaveHistory* history, const std::string& path,
                                            const IoOptions& io) {
  if (!history->files().empty() && history->directory() != DirectoryOf(path)) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot save to ", path, ": expected the directory of the history, ",
                     history->directory(), ", found ", DirectoryOf(path)));
  }
  Increment increment(history, path, io.durable);
  const ReadOptions read = {.io = {.mode = ReadMode::kRead, .file_system = io.file_system}};
  for (const BaseFile& base : history->files()) {
    // The file may have been removed or replaced since.
    const bool usable = base.name != FileNameOf(path) && (history->durable() || !io.durable) &&
                        CheckpointBytes::OpenBase(path, base, read).ok();
    increment.base_numbers_.push_back(usable ? 0 : kNoBase);
  }
  return increment;
}

std::optional<SaveHistory::Location> Increment::Find(const Tensor& tensor) {
  const SaveHistory::Location* at = history_->Find(tensor.generation());
  if (at == nullptr || base_numbers_[at->file] == kNoBase) return std::nullopt;
  uint32_t& number = base_numbers_[at->file];
  if (number == 0) {
    bases_.push_back(history_->files()[at->file]);
    number = static_cast<uint32_t>(bases_.size());
  }
  SaveHistory::Location here = *at;
  here.file = number;
  return here;
}

void Increment::Add(const Tensor& tensor, const SaveHistory::Location& where) {
  if (tensor.byte_size() > 0) locations_.try_emplace(tensor.generation(), where);
}

void Increment::Finish(const Footer& footer) {
  // In locations_, 0 is this file and n is bases_[n - 1]. In the history, this file is after the
  // bases.
  const auto self = static_cast<uint32_t>(bases_.size());
  for (auto& [generation, location] : locations_) {
    location.file = location.file == 0 ? self : location.file - 1;
  }
  const bool durable = durable_ && (bases_.empty() || history_->durable());
  bases_.push_back({FileNameOf(path_), footer.file_size, footer.manifest_checksum});
  history_->Replace(DirectoryOf(path_), durable, std::move(bases_), std::move(locations_));
}

}  // namespace leafstore::internal
