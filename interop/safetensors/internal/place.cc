#include "leafstore/interop/safetensors/internal/place.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "re2/re2.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/io/file_system.h"

namespace leafstore::internal {
namespace {

constexpr absl::string_view kIndexOfDirectory = "model.safetensors.index.json";
constexpr absl::string_view kFileOfDirectory = "model.safetensors";
constexpr absl::string_view kFileSuffix = ".safetensors";
constexpr absl::string_view kIndexInfix = ".safetensors.index";
constexpr size_t kMaxListed = 10;

// The shards of one set that exist, by number.
using Shards = std::map<int64_t, std::string>;

absl::Status Several(absl::string_view expected, absl::Span<const std::string> found) {
  return absl::InvalidArgumentError(absl::StrCat("expected one ", expected, ", found ",
                                                 ListForMessage(found), "; specify one of them"));
}

// Returns the error of a set that lacks shards.
absl::Status Incomplete(int64_t count, const std::vector<std::string>& found,
                        const std::vector<std::string>& missing) {
  const absl::Span<const std::string> named(missing.data(), std::min(missing.size(), kMaxListed));
  return WithReason(
      absl::NotFoundError(absl::StrCat("expected all ", count, " shards of a set, found ",
                                       found.size(), ": ", ListForMessage(found),
                                       "; the others are missing: ", absl::StrJoin(named, ", "),
                                       missing.size() > kMaxListed ? ", ..." : "", " of ", count)),
      ErrorReason::kIncomplete);
}

// Returns the shards as a place. error: some are missing, or there are too many.
absl::StatusOr<SafetensorsPlace> ShardsPlace(const std::string& directory, int64_t count,
                                             const Shards& shards, Notes* notes) {
  SafetensorsPlace place = {SafetensorsPlace::kShards, directory, {}, {}};
  for (const auto& [number, name] : shards) place.shards.push_back(name);
  const int64_t first = shards.begin()->first == 0 ? 0 : 1;  // both conventions exist
  std::vector<std::string> missing;
  for (int64_t i = first; i < first + count && missing.size() <= kMaxListed; ++i) {
    if (!shards.contains(i)) missing.push_back(absl::StrCat(i));
  }
  if (!missing.empty()) return Incomplete(count, place.shards, missing);
  if (static_cast<int64_t>(shards.size()) > count) {
    return Several(absl::StrCat("set of ", count, " shards"), place.shards);
  }
  LEAFSTORE_RETURN_IF_ERROR(notes->Add("shards without an index", [&] {
    return absl::DataLossError(
        absl::StrCat("expected an index (*.safetensors.index.json) of ", count,
                     " shards, found none; they are read as one set (merge makes one file of it)"));
  }));
  return place;
}

// Returns the index among `names` that is used; empty if there is none.
absl::StatusOr<std::string> ChooseIndex(absl::Span<const std::string> names) {
  std::vector<std::string> indexes;
  for (const std::string& name : names) {
    if (name == kIndexOfDirectory) return name;
    if (IsIndexName(name)) indexes.push_back(name);
  }
  if (indexes.size() > 1) return Several("*.safetensors.index.json", indexes);
  return indexes.empty() ? std::string() : indexes[0];
}

// Returns whether this library, or another program, names the shards of an index like this.
bool IsShardOfStem(absl::string_view stem, absl::string_view name) {
  return absl::ConsumePrefix(&name, stem) &&
         RE2::FullMatch(re2::StringPiece(name.data(), name.size()),
                        R"(-\d{5,}-of-\d{5,}(-r\d+)?\.safetensors)");
}

bool Contains(absl::Span<const std::string> names, absl::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// The safetensors of a directory, without indexes.
struct Contents {
  std::vector<std::string> all;
  std::vector<std::string> files;                          // not shards
  std::map<std::string, std::pair<int64_t, Shards>> sets;  // the count and the shards of each
};

Contents ContentsOf(absl::Span<const std::string> names) {
  Contents contents;
  for (const std::string& name : names) {
    if (!absl::EndsWith(name, kFileSuffix)) continue;
    contents.all.push_back(name);
    const std::optional<ShardName> shard = ParseShardName(name);
    if (!shard.has_value()) {
      contents.files.push_back(name);
      continue;
    }
    auto& [count, shards] = contents.sets[shard->set];
    count = shard->count;
    // Two with one number, `-1-of-2` and `-01-of-2`, are not a set.
    if (!shards.emplace(shard->number, name).second) contents.files.push_back(name);
  }
  return contents;
}

absl::string_view StemOfIndex(absl::string_view index) {
  return index.substr(0, index.find(kIndexInfix));
}

absl::Status AddNotRead(absl::string_view taken, absl::string_view other, Notes* notes) {
  return notes->Add("two models", [&] {
    return absl::DataLossError(absl::StrCat("expected one model in the directory, found ", taken,
                                            ", which is read, and ", other, ", which is not"));
  });
}

}  // namespace

std::optional<ShardName> ParseShardName(absl::string_view name) {
  static const RE2* const pattern =
      new RE2(R"((.*?)[-_. ]?(\d{1,9})[-_. ]?of[-_. ]?(\d{1,9})(\D.*)?\.safetensors)");
  std::string stem, number, count, rest;
  if (!RE2::FullMatch(re2::StringPiece(name.data(), name.size()), *pattern, &stem, &number, &count,
                      &rest)) {
    return std::nullopt;
  }
  ShardName shard;
  if (!absl::SimpleAtoi(number, &shard.number) || !absl::SimpleAtoi(count, &shard.count) ||
      shard.count < 2 || shard.number > shard.count) {
    return std::nullopt;
  }
  shard.set = absl::StrCat(stem, "-of-", count, rest);
  return shard;
}

bool IsIndexName(absl::string_view name) {
  return absl::EndsWith(name, ".json") && absl::StrContains(name, kIndexInfix);
}

std::string ListForMessage(absl::Span<const std::string> names) {
  const size_t named = std::min(names.size(), kMaxListed);
  return absl::StrCat(
      absl::StrJoin(names.subspan(0, named), ", "),
      names.size() > named ? absl::StrCat(" and ", names.size() - named, " more") : "");
}

absl::StatusOr<SafetensorsPlace> FindInDirectory(const std::string& directory,
                                                 absl::Span<const std::string> names,
                                                 Notes* notes) {
  // Returns the place of the file `name`; `other` is not read.
  const auto file = [&](absl::string_view name,
                        std::string other) -> absl::StatusOr<SafetensorsPlace> {
    if (!other.empty()) LEAFSTORE_RETURN_IF_ERROR(AddNotRead(name, other, notes));
    return SafetensorsPlace{SafetensorsPlace::kFile,
                            absl::StrCat(absl::StripSuffix(directory, "/"), "/", name),
                            {},
                            std::move(other)};
  };
  LEAFSTORE_ASSIGN_OR_RETURN(const std::string index, ChooseIndex(names));
  if (!index.empty()) {
    for (const std::string& single :
         {absl::StrCat(StemOfIndex(index), kFileSuffix), std::string(kFileOfDirectory)}) {
      if (Contains(names, single)) return file(index, single);
    }
    return file(index, "");
  }
  const Contents contents = ContentsOf(names);
  if (contents.all.empty()) {
    return WithReason(
        absl::NotFoundError(absl::StrCat("expected ", kIndexOfDirectory, " or ", kFileOfDirectory,
                                         " in it, or other safetensors, found none")),
        ErrorReason::kNotThisFormat);
  }
  if (Contains(contents.files, kFileOfDirectory)) {
    if (contents.sets.empty()) return file(kFileOfDirectory, "");
    return file(kFileOfDirectory, contents.sets.begin()->second.second.begin()->second);
  }
  if (contents.files.size() + contents.sets.size() > 1) {
    return Several("*.safetensors", contents.all);
  }
  if (!contents.files.empty()) return file(contents.files[0], "");
  const auto& [count, shards] = contents.sets.begin()->second;
  return ShardsPlace(directory, count, shards, notes);
}

std::string ModelOfDirectory(absl::Span<const std::string> names) {
  for (const std::string& name : names) {
    if (name == kFileOfDirectory || IsIndexName(name)) return name;
  }
  return "";
}

std::string FindOtherModel(absl::Span<const std::string> names,
                           absl::Span<const std::string> saved) {
  std::vector<std::string> all(names.begin(), names.end());
  for (const std::string& name : saved) {
    if (!Contains(names, name)) all.push_back(name);
  }
  std::sort(all.begin(), all.end());
  Notes notes;
  const absl::StatusOr<SafetensorsPlace> place = FindInDirectory("", all, &notes);
  // Several models of which none is that of the directory have names of their own.
  if (!place.ok() || place->other.empty()) return "";
  const std::string read = FileNameOf(place->file);
  if (Contains(saved, read)) return Contains(saved, place->other) ? "" : place->other;
  return Contains(saved, place->other) ? read : "";
}

std::vector<std::string> ShardsOf(absl::string_view name, absl::Span<const std::string> names) {
  const bool is_index = IsIndexName(name);
  const std::optional<ShardName> shard = ParseShardName(name);
  std::vector<std::string> shards;
  for (const std::string& other : names) {
    const std::optional<ShardName> parsed = ParseShardName(other);
    if (!parsed.has_value()) continue;
    const bool belongs = is_index ? IsShardOfStem(StemOfIndex(name), other)
                                  : shard.has_value() && shard->set == parsed->set;
    if (belongs && other != name) shards.push_back(other);
  }
  return shards;
}

absl::Status AddOneShard(const std::string& path, Notes* notes) {
  return notes->Add("one shard", [&] {
    return absl::DataLossError(absl::StrCat("expected a complete model, found ", FileNameOf(path),
                                            ", one of its shards; the complete set is read"));
  });
}

absl::StatusOr<SafetensorsPlace> FindShards(const std::string& path, const ShardName& shard,
                                            absl::Span<const std::string> names, Notes* notes) {
  Shards shards;
  for (const std::string& name : names) {
    const std::optional<ShardName> other = ParseShardName(name);
    if (other.has_value() && other->set == shard.set) shards.emplace(other->number, name);
  }
  LEAFSTORE_ASSIGN_OR_RETURN(SafetensorsPlace place,
                             ShardsPlace(DirectoryOf(path), shard.count, shards, notes));
  LEAFSTORE_RETURN_IF_ERROR(AddOneShard(path, notes));
  return place;
}

}  // namespace leafstore::internal
