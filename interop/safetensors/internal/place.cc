#include "leafstore/interop/safetensors/internal/place.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "re2/re2.h"

#include "leafstore/checkpoint/internal/run_files.h"
#include "leafstore/core/error_reason.h"
#include "leafstore/core/internal/list_for_message.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/io/file_system.h"

namespace leafstore::internal {
namespace {

constexpr absl::string_view kIndexOfDirectory = "model.safetensors.index.json";
constexpr absl::string_view kFileOfDirectory = "model.safetensors";
constexpr absl::string_view kIndexInfix = ".safetensors.index";
constexpr size_t kMaxShards = 100;  // that a message names

// The shards of one set that exist, by index.
using Shards = std::map<int64_t, std::string>;

absl::Status Several(absl::string_view expected, absl::Span<const std::string> found) {
  return absl::InvalidArgumentError(absl::StrCat("expected one ", expected, ", found ",
                                                 ListForMessage(found), "; specify one of them"));
}

// Returns the error of a set of `count` shards that lacks `total` of them, of which `missing` are
// the first.
absl::Status Incomplete(int64_t count, const std::vector<std::string>& found,
                        const std::vector<std::string>& missing, size_t total) {
  return WithReason(
      absl::NotFoundError(absl::StrCat("expected ", count, " shards, found ", found.size(), ": ",
                                       ListForMessage(found, kMaxShards),
                                       "; missing: ", ListForMessage(missing, kMaxShards, total))),
      ErrorReason::kIncomplete);
}

// Returns the shards as a place. error: some are missing, or there are too many.
absl::StatusOr<SafetensorsPlace> ShardsPlace(const std::string& directory, int64_t count,
                                             const Shards& shards, Notes* notes) {
  SafetensorsPlace place = {SafetensorsPlace::kShards, directory, {}, {}};
  for (const auto& [index, name] : shards) place.shards.push_back(name);
  const int64_t first = shards.begin()->first == 0 ? 0 : 1;
  const auto known = std::distance(shards.lower_bound(first), shards.lower_bound(first + count));
  std::vector<std::string> missing;
  const std::optional<ShardName> one = ParseShardName(shards.begin()->second);
  for (int64_t i = first; i < first + count && missing.size() < kMaxShards; ++i) {
    if (!shards.contains(i)) missing.push_back(one->NameOf(i));
  }
  if (known < count) {
    return Incomplete(count, place.shards, missing, static_cast<size_t>(count - known));
  }
  if (static_cast<int64_t>(shards.size()) > count) {
    return Several(absl::StrCat("set of ", count, " shards"), place.shards);
  }
  notes->Add("shards without an index", [&] {
    return absl::DataLossError(
        absl::StrCat("found no index (*.safetensors.index.json); all ", count,
                     " shards are read as one set; `leafstore merge` writes one file"));
  });
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

// Returns whether this library or another program gives such a name to the shards of an index.
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
    if (!IsModelName(name) || IsIndexName(name)) continue;
    contents.all.push_back(name);
    const std::optional<ShardName> shard = ParseShardName(name);
    if (!shard.has_value()) {
      contents.files.push_back(name);
      continue;
    }
    auto& [count, shards] = contents.sets[shard->set];
    count = shard->count;
    // Two with one index, `-1-of-2` and `-01-of-2`, are not a set.
    if (!shards.emplace(shard->index, name).second) contents.files.push_back(name);
  }
  return contents;
}

absl::string_view StemOfIndex(absl::string_view index) {
  return index.substr(0, index.find(kIndexInfix));
}

}  // namespace

void AddNotRead(absl::string_view read, absl::string_view other, Notes* notes) {
  notes->Add("two models", [&] {
    return absl::DataLossError(absl::StrCat("expected one model in the directory, found ", read,
                                            ", which is read, and ", other, ", which is not"));
  });
}

std::optional<ShardName> ParseShardName(absl::string_view name) {
  static const RE2* const pattern =
      new RE2(R"((?i)((.*?)[-_. ]?)(\d{1,9})([-_. ]?of[-_. ]?(\d{1,9})(\D.*)?\.safetensors))");
  std::string index, count, rest;
  ShardName shard;
  if (!RE2::FullMatch(re2::StringPiece(name.data(), name.size()), *pattern, &shard.before,
                      &shard.stem, &index, &shard.behind, &count, &rest)) {
    return std::nullopt;
  }
  shard.digits = index.size();
  if (!absl::SimpleAtoi(index, &shard.index) || !absl::SimpleAtoi(count, &shard.count) ||
      shard.count < 2) {
    return std::nullopt;
  }
  shard.set = absl::StrCat(shard.stem, "-of-", count, rest);
  return shard;
}

std::string ShardName::NameOf(int64_t other) const {
  std::string text = absl::StrCat(other);
  if (text.size() < digits) text.insert(0, digits - text.size(), '0');
  return absl::StrCat(before, text, behind);
}

bool IsIndexName(absl::string_view name) {
  return !absl::StartsWith(name, ".") && absl::EndsWith(name, ".json") &&
         absl::StrContains(name, kIndexInfix);
}

bool IsIndexOf(absl::string_view index, absl::string_view stem) {
  return absl::ConsumePrefix(&stem, StemOfIndex(index)) &&
         (stem.empty() || absl::StartsWith(stem, "."));
}

std::vector<std::string> IndexesThatMayList(absl::string_view name,
                                            absl::Span<const std::string> names) {
  const bool is_shard = ParseShardName(name).has_value();
  const std::string of_directory = ChooseIndex(names).value_or("");
  const absl::string_view stem = name.substr(0, name.size() - kFileSuffix.size());
  std::vector<std::string> indexes;
  for (const std::string& other : names) {
    if (!IsIndexName(other)) continue;
    if (is_shard || other == of_directory || IsIndexOf(other, stem)) indexes.push_back(other);
  }
  return indexes;
}

bool IsModelName(absl::string_view name) {
  return !absl::StartsWith(name, ".") &&
         (absl::EndsWithIgnoreCase(name, kFileSuffix) || IsIndexName(name));
}

absl::StatusOr<SafetensorsPlace> FindInDirectory(const std::string& directory,
                                                 absl::Span<const std::string> names,
                                                 Notes* notes) {
  // Returns the place of the file `name`; `other` is not read.
  const auto file = [&](absl::string_view name, std::string other) {
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

DirectoryModel ModelOfDirectory(absl::Span<const std::string> names) {
  for (const std::string& name : names) {
    const std::optional<RunFile> step = ParseRunFile(name);
    if (!step.has_value() || step->abandoned) continue;
    const auto model = std::find_if(names.begin(), names.end(), [](const std::string& other) {
      return other == kFileOfDirectory || IsIndexName(other);
    });
    return {DirectoryModel::kRun, name, model == names.end() ? "" : *model};
  }
  Notes notes;
  absl::StatusOr<SafetensorsPlace> place = FindInDirectory("", names, &notes);
  if (ReasonOf(place.status()) == ErrorReason::kNotThisFormat) return {};
  if (!place.ok()) return {DirectoryModel::kAmbiguous, "", ""};
  if (place->kind == SafetensorsPlace::kShards) {
    return {DirectoryModel::kSet, place->shards[0], std::move(place->other)};
  }
  std::string name = FileNameOf(place->file);
  const auto kind = IsIndexName(name) ? DirectoryModel::kSet : DirectoryModel::kFile;
  return {kind, std::move(name), std::move(place->other)};
}

std::string FindOtherModel(absl::Span<const std::string> names, absl::Span<const std::string> saved,
                           absl::Span<const std::string> removed) {
  std::vector<std::string> all(saved.begin(), saved.end());
  const auto stays = [&](const std::string& name) {
    return !name.empty() && !Contains(saved, name) && !Contains(removed, name);
  };
  std::copy_if(names.begin(), names.end(), std::back_inserter(all), stays);
  std::sort(all.begin(), all.end());
  const DirectoryModel before = ModelOfDirectory(names);
  const DirectoryModel after = ModelOfDirectory(all);
  const bool is_of_directory =
      before.kind != DirectoryModel::kFile || before.name == kFileOfDirectory;
  if (is_of_directory && stays(before.name) && before.name != after.name) return before.name;
  if (Contains(saved, after.name)) return stays(after.other) ? after.other : "";
  return Contains(saved, after.other) ? after.name : "";
}

std::vector<std::vector<std::string>> ShardsOfStem(absl::string_view stem,
                                                   absl::Span<const std::string> names) {
  std::map<std::string, std::vector<std::string>> sets;
  for (const std::string& name : names) {
    const std::optional<ShardName> shard = ParseShardName(name);
    if (shard.has_value() && IsShardOfStem(stem, name)) sets[shard->set].push_back(name);
  }
  std::vector<std::vector<std::string>> divided;
  for (auto& [set, shards] : sets) divided.push_back(std::move(shards));
  return divided;
}

void AddOneShard(const std::string& path, Notes* notes) {
  notes->Add("one shard", [&] {
    return absl::DataLossError(absl::StrCat("expected a complete model, found ", FileNameOf(path),
                                            ", one of its shards; the complete set is read"));
  });
}

absl::StatusOr<SafetensorsPlace> FindShards(const std::string& path, const ShardName& shard,
                                            absl::Span<const std::string> names, Notes* notes) {
  Shards shards;
  for (const std::string& name : names) {
    const std::optional<ShardName> other = ParseShardName(name);
    if (!other.has_value() || other->set != shard.set) continue;
    const auto [at, is_new] = shards.emplace(other->index, name);
    if (is_new) continue;
    return WithReason(
        absl::DataLossError(absl::StrCat("expected one shard ", other->index, " of ", shard.count,
                                         ", found ", at->second, " and ", name)),
        ErrorReason::kAmbiguous);
  }
  LEAFSTORE_ASSIGN_OR_RETURN(SafetensorsPlace place,
                             ShardsPlace(DirectoryOf(path), shard.count, shards, notes));
  AddOneShard(path, notes);
  return place;
}

}  // namespace leafstore::internal
