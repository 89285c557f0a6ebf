#include "leafstore/checkpoint/save_history.h"

#include <algorithm>
#include <utility>

namespace leafstore {

void SaveHistory::Replace(std::string directory, bool durable, std::vector<BaseFile> files,
                          absl::flat_hash_map<uint64_t, Location> locations) {
  directory_ = std::move(directory);
  durable_ = durable;
  files_ = std::move(files);
  locations_ = std::move(locations);
  while (files_.size() > kMaxBases) Forget(LeastUsed());
}

uint32_t SaveHistory::LeastUsed() const {
  std::vector<int64_t> used(files_.size(), 0);
  for (const auto& [generation, location] : locations_) used[location.file] += location.stored_size;
  return static_cast<uint32_t>(std::min_element(used.begin(), used.end() - 1) - used.begin());
}

void SaveHistory::Forget(uint32_t file) {
  files_.erase(files_.begin() + file);
  for (auto it = locations_.begin(); it != locations_.end();) {
    if (it->second.file == file) {
      locations_.erase(it++);
    } else {
      if (it->second.file > file) --it->second.file;
      ++it;
    }
  }
}

}  // namespace leafstore
