#include "leafstore/interop/safetensors/internal/place.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

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

// Names are parsed without RE2, which may end a program that has no memory to compile a pattern.

// Removes up to `max` digits from the beginning of `*text`, and returns them.
absl::string_view TakeDigits(absl::string_view* text, size_t max) {
  size_t size = 0;
  while (size < text->size() && size < max && absl::ascii_isdigit((*text)[size])) ++size;
  const absl::string_view digits = text->substr(0, size);
  text->remove_prefix(size);
  return digits;
}

// Returns the text without the digits, at most `max`, at its end.
absl::string_view WithoutLastDigits(absl::string_view text, size_t max) {
  for (; max > 0 && !text.empty() && absl::ascii_isdigit(text.back()); --max) text.remove_suffix(1);
  return text;
}

constexpr absl::string_view kSeparators = "-_. ";

// Returns the text without a separator at its end.
absl::string_view WithoutLastSeparator(absl::string_view text) {
  const bool has_one = !text.empty() && absl::StrContains(kSeparators, text.back());
  return text.substr(0, text.size() - (has_one ? 1 : 0));
}

// Parses a name as that of a shard: its index is before the "of" at `of`, and its count behind.
std::optional<ShardName> ParseShardNameAt(absl::string_view name, size_t of) {
  constexpr size_t kMaxDigits = 9;
  const absl::string_view to_index = WithoutLastSeparator(name.substr(0, of));
  const absl::string_view before = WithoutLastDigits(to_index, kMaxDigits);
  absl::string_view rest = name.substr(of + 2);
  if (!rest.empty() && absl::StrContains(kSeparators, rest.front())) rest.remove_prefix(1);
  const absl::string_view count = TakeDigits(&rest, kMaxDigits);
  ShardName shard;
  if (!absl::SimpleAtoi(to_index.substr(before.size()), &shard.index) ||
      !absl::SimpleAtoi(count, &shard.count) || !absl::EndsWithIgnoreCase(rest, kFileSuffix) ||
      absl::ascii_isdigit(rest.front())) {
    return std::nullopt;
  }
  shard.before = std::string(before);
  shard.stem = std::string(WithoutLastSeparator(before));
  shard.digits = to_index.size() - before.size();
  shard.behind = std::string(name.substr(to_index.size()));
  shard.set =
      absl::StrCat(shard.stem, "-of-", count, rest.substr(0, rest.size() - kFileSuffix.size()));
  return shard;
}

// Returns whether this library or another program gives such a name to the shards of an index:
// `<stem>-00001-of-00003.safetensors`, or with `-r` and digits behind the count.
bool IsShardOfStem(absl::string_view stem, absl::string_view name) {
  constexpr size_t kLeastDigits = 5;
  if (!absl::ConsumePrefix(&name, stem) || !absl::ConsumePrefix(&name, "-") ||
      TakeDigits(&name, name.size()).size() < kLeastDigits || !absl::ConsumePrefix(&name, "-of-") ||
      TakeDigits(&name, name.size()).size() < kLeastDigits) {
    return false;
  }
  if (absl::ConsumePrefix(&name, "-r") && TakeDigits(&name, name.size()).empty()) return false;
  return name == kFileSuffix;
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
  for (size_t of = 0; of + 1 < name.size(); ++of) {
    if (!absl::EqualsIgnoreCase(name.substr(of, 2), "of")) continue;
    std::optional<ShardName> shard = ParseShardNameAt(name, of);
    if (shard.has_value()) return shard->count < 2 ? std::nullopt : std::move(shard);
  }
  return std::nullopt;
}

absl::Status CheckNoShardWithoutSuffix(absl::string_view name) {
  const std::optional<ShardName> shard = ParseShardName(absl::StrCat(name, kFileSuffix));
  if (IsModelName(name) || !shard.has_value()) return absl::OkStatus();
  return WithReason(
      absl::NotFoundError(absl::StrCat(
          "expected a complete model, found one of ", shard->count, " shards, by its name; open ",
          "the index or the directory of the set, in which names of shards end in ", kFileSuffix)),
      ErrorReason::kIncomplete);
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
