// The checks of an open SafetensorsFile: of the index of a set, of the form, and of every byte.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <iterator>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/interop/internal/json_text.h"
#include "leafstore/interop/safetensors/internal/file.h"
#include "leafstore/io/internal/parallel.h"

namespace leafstore::internal {
namespace {

// The names of tensors, sorted, each with the index of its file.
using FilesByName = std::vector<std::pair<absl::string_view, uint32_t>>;

FilesByName FilesOf(const std::vector<SafetensorsFile::Shard>& shards) {
  FilesByName found;
  for (uint32_t file = 0; file < shards.size(); ++file) {
    const SafetensorsHeader& header = shards[file].header;
    for (uint32_t i = 0; i < header.size(); ++i) found.emplace_back(header.name(i), file);
    for (const UnreadableLeaf& one : header.unreadable()) found.emplace_back(one.name, file);
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::string IndexTensor(absl::string_view name) {
  return absl::StrCat("index, tensor ", QuotedForMessage(name));
}

// Returns the error of tensors that are not in the files that the index names: the first, and how
// many others there are.
absl::Status NotInTheirFiles(const SafetensorsIndex& index, const FilesByName& missing,
                             const FilesByName& found) {
  const auto& [name, file] = missing[0];
  const auto same = std::lower_bound(found.begin(), found.end(), std::make_pair(name, 0U));
  const bool elsewhere = same != found.end() && same->first == name;
  const std::string more =
      missing.size() > 1 ? absl::StrCat(" (and ", missing.size() - 1, " more)") : std::string();
  return AmbiguousJson(IndexTensor(name), absl::StrCat("it in ", index.files[file]),
                       absl::StrCat(elsewhere ? absl::StrCat("it in ", index.files[same->second])
                                              : "no such tensor there",
                                    more));
}

// Returns the bytes of all tensors, readable or not.
int64_t BytesOf(const std::vector<SafetensorsFile::Shard>& shards) {
  int64_t size = 0;
  for (const SafetensorsFile::Shard& shard : shards) {
    size += shard.header.total_bytes();
    for (const UnreadableLeaf& one : shard.header.unreadable()) size += one.byte_size;
  }
  return size;
}

// Bytes of a shard that are read at a time, whichever tensors they belong to.
struct Piece {
  const SafetensorsFile::Shard* shard;
  int64_t begin;
  int64_t end;
  uint32_t first;  // the first tensor of the shard that does not end before `begin`
};

std::vector<Piece> PiecesOf(const std::vector<SafetensorsFile::Shard>& shards) {
  std::vector<Piece> pieces;
  for (const SafetensorsFile::Shard& shard : shards) {
    const SafetensorsHeader& header = shard.header;
    if (header.size() == 0) continue;
    const auto end_of = [&](uint32_t i) { return header.offset(i) + header.byte_size(i); };
    const int64_t end = end_of(header.size() - 1);
    uint32_t first = 0;
    for (int64_t at = header.offset(0); at < end; at += kBytesPerThread) {
      while (end_of(first) <= at) ++first;
      pieces.push_back({&shard, at, std::min(end, at + kBytesPerThread), first});
    }
  }
  return pieces;
}

absl::Status VerifyPiece(const SafetensorsFile& file, const Piece& piece, Buffer* scratch) {
  const SafetensorsHeader& header = piece.shard->header;
  LEAFSTORE_ASSIGN_OR_RETURN(
      const auto bytes, piece.shard->bytes->Get(piece.begin, piece.end - piece.begin, scratch));
  for (uint32_t i = piece.first; i < header.size() && header.offset(i) < piece.end; ++i) {
    if (header.spec(i).dtype() != DType::kBool) continue;
    const int64_t begin = std::max(piece.begin, header.offset(i));
    const int64_t end = std::min(piece.end, header.offset(i) + header.byte_size(i));
    if (AreBools(bytes.subspan(static_cast<size_t>(begin - piece.begin),
                               static_cast<size_t>(end - begin)))) {
      continue;
    }
    return file.Named(piece.shard->first_tensor + i,
                      absl::DataLossError("expected bools to be 0 or 1, found another value"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status SafetensorsFile::ApplyIndex(const SafetensorsIndex& index) {
  const FilesByName found = FilesOf(shards_);
  const FilesByName wanted(index.tensors.begin(), index.tensors.end());
  FilesByName missing;
  FilesByName unlisted;
  std::set_difference(wanted.begin(), wanted.end(), found.begin(), found.end(),
                      std::back_inserter(missing));
  std::set_difference(found.begin(), found.end(), wanted.begin(), wanted.end(),
                      std::back_inserter(unlisted));
  if (!missing.empty()) return NotInTheirFiles(index, missing, found);
  std::vector<std::set<std::string, std::less<>>> removed(shards_.size());
  for (const auto& [name, file] : unlisted) {
    const auto listed = std::lower_bound(wanted.begin(), wanted.end(), std::make_pair(name, 0U));
    const bool twice = listed != wanted.end() && listed->first == name;
    notes_.Add(twice ? "a tensor in two shards" : "a tensor that is not listed", [&, name = name,
                                                                                  file = file] {
      if (!twice) {
        return DamagedJson(
            "index", absl::StrCat("all tensors of ", index.files[file]),
            absl::StrCat("no entry for ", QuotedForMessage(name), ", which is not read"));
      }
      return DamagedJson(IndexTensor(name),
                         absl::StrCat("it only in ", index.files[listed->second]),
                         absl::StrCat("another in ", index.files[file], ", which is not read"));
    });
    removed[file].emplace(name);
  }
  for (size_t file = 0; file < shards_.size(); ++file) {
    if (removed[file].empty()) continue;
    SafetensorsHeader& header = shards_[file].header;
    for (uint32_t i = 0; i < header.size(); ++i) {
      const absl::string_view name = header.name(i);
      const auto at = std::lower_bound(wanted.begin(), wanted.end(), std::make_pair(name, 0U));
      if (at != wanted.end() && at->first == name) continue;
      unlisted_.push_back({std::string(name), "the index does not list it", header.byte_size(i)});
    }
    header.Remove(removed[file]);
  }
  const int64_t size = BytesOf(shards_);
  if (index.total_size.value_or(size) == size) return absl::OkStatus();
  notes_.Add("total_size", [&] {
    return DamagedJson("index, metadata",
                       absl::StrCat("a total_size of ", size, ", the bytes of what it lists"),
                       absl::StrCat(*index.total_size));
  });
  return absl::OkStatus();
}

absl::Status SafetensorsFile::CheckDifferentNames() const {
  const FilesByName found = FilesOf(shards_);
  const auto twice = std::adjacent_find(found.begin(), found.end(),
                                        [](auto& a, auto& b) { return a.first == b.first; });
  if (twice == found.end()) return absl::OkStatus();
  return AmbiguousJson(absl::StrCat("tensor ", QuotedForMessage(twice->first)), "it in one shard",
                       absl::StrCat("it in ", shards_[twice->second].name, " and in ",
                                    shards_[(twice + 1)->second].name));
}

absl::StatusOr<bool> SafetensorsFile::IsCanonical() const {
  for (const Shard& shard : shards_) {
    std::vector<SafetensorsEntry> entries;
    for (uint32_t i = 0; i < shard.header.size(); ++i) {
      entries.push_back({shard.header.name(i), shard.header.spec(i)});
    }
    const std::vector<uint32_t> order = SafetensorsOrder(entries);
    const absl::StatusOr<std::string> expected =
        EncodeSafetensorsHeader(entries, shard.header.metadata());
    // The writer would reject it, or sort it.
    if (!expected.ok() || !std::is_sorted(order.begin(), order.end())) return false;
    const auto size = static_cast<int64_t>(expected->size());
    if (shard.bytes->size() != size + shard.header.total_bytes()) return false;
    Buffer scratch;
    LEAFSTORE_ASSIGN_OR_RETURN(const auto found, shard.bytes->Get(0, size, &scratch));
    if (std::memcmp(found.data(), expected->data(), expected->size()) != 0) return false;
  }
  return true;
}

absl::Status SafetensorsFile::Verify() const {
  const std::vector<Piece> pieces = PiecesOf(shards_);
  std::vector<absl::Status> statuses(pieces.size());
  const int asked =
      ThreadsFor(options_.io.threads, kBytesPerThread * static_cast<int64_t>(pieces.size()));
  const auto threads = static_cast<size_t>(asked);
  ParallelFor(threads, asked, [&](size_t thread) {
    Buffer scratch;
    for (size_t i = thread; i < pieces.size(); i += threads) {
      statuses[i] = VerifyPiece(*this, pieces[i], &scratch);
    }
  });
  for (const absl::Status& status : statuses) LEAFSTORE_RETURN_IF_ERROR(status);
  return absl::OkStatus();
}

}  // namespace leafstore::internal
