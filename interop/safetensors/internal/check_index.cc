// SafetensorsFile::CheckIndex: compares the index of a set with its shards.
#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "leafstore/interop/internal/json_text.h"
#include "leafstore/interop/safetensors/internal/file.h"

namespace leafstore::internal {
namespace {

// The names of tensors, sorted, each with the number of its file.
using FilesByName = std::vector<std::pair<absl::string_view, uint32_t>>;

FilesByName FilesOf(const std::vector<SafetensorsFile::Shard>& shards) {
  FilesByName found;
  for (uint32_t file = 0; file < shards.size(); ++file) {
    const SafetensorsHeader& header = shards[file].header;
    for (uint32_t i = 0; i < header.size(); ++i) found.emplace_back(header.name(i), file);
    for (const std::string& name : header.skipped()) found.emplace_back(name, file);
  }
  std::sort(found.begin(), found.end());
  return found;
}

// Returns the error of a tensor that is not in the file that the index names.
absl::Status NotInItsFile(const SafetensorsIndex& index, absl::string_view name, uint32_t file,
                          const FilesByName& found) {
  const auto same = std::lower_bound(found.begin(), found.end(), std::make_pair(name, 0U));
  const bool elsewhere = same != found.end() && same->first == name;
  return DamagedJson(absl::StrCat("index, tensor ", QuotedForMessage(name)),
                     absl::StrCat("it in ", index.files[file]),
                     elsewhere ? absl::StrCat("it in ", index.files[same->second]) : "none there");
}

}  // namespace

absl::Status SafetensorsFile::CheckIndex(const SafetensorsIndex& index) const {
  int64_t size = tensor_bytes_;
  for (const Shard& shard : shards_) size += shard.header.skipped_bytes();
  const FilesByName found = FilesOf(shards_);
  const auto [wanted, at] = std::mismatch(
      index.tensors.begin(), index.tensors.end(), found.begin(), found.end(),
      [](const auto& a, const auto& b) { return a.first == b.first && a.second == b.second; });
  if (wanted != index.tensors.end() && (at == found.end() || wanted->first <= at->first)) {
    return NotInItsFile(index, wanted->first, wanted->second, found);
  }
  if (at != found.end()) {
    return DamagedJson("index", absl::StrCat("all tensors of ", index.files[at->second]),
                       absl::StrCat("none called ", QuotedForMessage(at->first)));
  }
  if (index.total_size.value_or(size) == size || options_.lenient.any_total_size) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat("index: expected a total_size of ", size,
                                          ", as the shards have, found ", *index.total_size));
}

}  // namespace leafstore::internal
