#include "leafstore/checkpoint/internal/increment.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/checkpoint/internal/checkpoint_file.h"
#include "leafstore/checkpoint/internal/segments.h"

namespace leafstore {

SaveHistory::SaveHistory() = default;
SaveHistory::SaveHistory(SaveHistory&&) noexcept = default;
SaveHistory& SaveHistory::operator=(SaveHistory&&) noexcept = default;
SaveHistory::~SaveHistory() = default;

void SaveHistory::Clear() {
  if (state_ != nullptr) *state_ = State();
}

namespace internal {

absl::StatusOr<Increment> Increment::Create(SaveHistory* of, const std::string& path,
                                            const IoOptions& io) {
  if (of->state_ == nullptr) of->state_ = std::make_unique<SaveHistory::State>();
  SaveHistory::State* const history = of->state_.get();
  if (!history->files.empty() && history->directory != DirectoryOf(path)) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot save to ", path, ": expected the directory of the history, ",
                     history->directory, ", found ", DirectoryOf(path)));
  }
  Increment increment(history, path, io.durable);
  const IoOptions read = {.mode = ReadMode::kRead, .file_system = io.file_system};
  for (const FileIdentity& base : history->files) {
    // The file may have been removed or replaced since.
    const bool usable = base.name != FileNameOf(path) && (history->durable || !io.durable) &&
                        OpenBase(path, base, read).ok();
    increment.base_indices_.push_back(usable ? 0 : kNoBase);
  }
  increment.bytes_in_base_.resize(increment.base_indices_.size());
  return increment;
}

std::optional<StoredLocation> Increment::Find(const Tensor& tensor) {
  const auto at = history_->locations.find(tensor.generation());
  if (at == history_->locations.end()) return std::nullopt;
  StoredLocation here = at->second;
  uint32_t& index = base_indices_[here.file];
  if (index == kNoBase) return std::nullopt;
  // A tensor may be in more items now. Readers limit that.
  int64_t& bytes = bytes_in_base_[here.file];
  if (here.stored_size > MaxBytesInBase(history_->files[here.file].file_size) - bytes) {
    return std::nullopt;
  }
  bytes += here.stored_size;
  if (index == 0) {
    bases_.push_back(history_->files[here.file]);
    index = static_cast<uint32_t>(bases_.size());
  }
  here.file = index;
  return here;
}

void Increment::Add(const Tensor& tensor, StoredLocation where) {
  if (tensor.byte_size() > 0) locations_.try_emplace(tensor.generation(), std::move(where));
}

void Increment::Finish(const Footer& footer) {
  // In locations_, 0 is this file and n is bases_[n - 1]. In the history, this file is after the
  // bases.
  const auto self = static_cast<uint32_t>(bases_.size());
  for (auto& [generation, location] : locations_) {
    location.file = location.file == 0 ? self : location.file - 1;
  }
  history_->durable = durable_ && (bases_.empty() || history_->durable);
  history_->directory = DirectoryOf(path_);
  bases_.push_back({FileNameOf(path_), footer.file_size, footer.manifest_checksum});
  history_->files = std::move(bases_);
  history_->locations = std::move(locations_);
  while (history_->files.size() > SaveHistory::kMaxBases) ForgetLeastUsed();
}

void Increment::ForgetLeastUsed() {
  std::vector<int64_t> used(history_->files.size(), 0);
  for (const auto& [generation, location] : history_->locations) {
    used[location.file] += location.stored_size;
  }
  const auto least = std::min_element(used.begin(), used.end() - 1) - used.begin();
  history_->files.erase(history_->files.begin() + least);
  absl::erase_if(history_->locations,
                 [least](const auto& entry) { return entry.second.file == least; });
  for (auto& [generation, location] : history_->locations) {
    if (location.file > least) --location.file;
  }
}

}  // namespace internal
}  // namespace leafstore
