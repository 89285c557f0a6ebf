// Filters: parsed, printed, parsed again, and evaluated on a small model. Globs: compared with a
// simple matcher. Rename rules: applied. The first line is the pattern, the others are paths. For
// rename rules, the first two lines are the rule.
#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"

#include "leafstore/core/path.h"
#include "leafstore/select/filter.h"
#include "leafstore/select/internal/glob.h"
#include "leafstore/select/partition.h"
#include "leafstore/select/rename_map.h"

#include "tests/checkpoint/models.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/require.h"

namespace leafstore {
namespace {

using absl::StatusCode;

void CheckFilter(absl::string_view text) {
  const absl::StatusOr<Filter> filter = Filter::Parse(text);
  if (!filter.ok()) {
    RequireError(filter.status(), {StatusCode::kInvalidArgument, StatusCode::kResourceExhausted});
    return;
  }
  Require(filter->status().ok(), "a parsed filter is valid");
  const std::string printed = filter->ToString();
  const absl::StatusOr<Filter> again = Filter::Parse(printed);
  Require(again.ok(), "printed text can be parsed");
  Require(again->ToString() == printed, "it prints the same text again");
  static const ParamStore* const store = new ParamStore(EveryKindStore());
  const absl::StatusOr<Grouping> plan = Grouping::Compile(*store, {*filter});
  const absl::StatusOr<Grouping> plan_again = Grouping::Compile(*store, {*again});
  Require(plan.ok() && plan_again.ok(), "any filter can be evaluated on a small model");
  Require(plan->SlotsOf(0) == plan_again->SlotsOf(0), "both match the same leaves");
}

// Matches one segment of a glob (not `**`) by dynamic programming, one row per pattern character.
bool SegmentMatches(absl::string_view segment, absl::string_view key) {
  std::vector<bool> row(key.size() + 1, false);
  row[0] = true;
  for (size_t i = 0; i < segment.size(); ++i) {
    const char c = segment[i];
    if (c == '*') {
      for (size_t j = 1; j <= key.size(); ++j) row[j] = row[j] || row[j - 1];
      continue;
    }
    const bool literal = c == '\\';
    if (literal) ++i;  // a valid pattern has a character there
    for (size_t j = key.size(); j > 0; --j) {
      row[j] = row[j - 1] && (segment[i] == key[j - 1] || (!literal && c == '?'));
    }
    row[0] = false;
  }
  return row.back();
}

std::vector<std::string> SegmentsOf(absl::string_view pattern) {
  std::vector<std::string> segments;
  if (pattern.empty()) return segments;
  segments.emplace_back();
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '.') {
      segments.emplace_back();
      continue;
    }
    segments.back() += pattern[i];
    if (pattern[i] == '\\' && i + 1 < pattern.size()) segments.back() += pattern[++i];
  }
  return segments;
}

bool GlobMatches(absl::string_view pattern, const std::vector<std::string>& keys) {
  const std::vector<std::string> segments = SegmentsOf(pattern);
  std::vector<bool> row(keys.size() + 1, false);
  row[0] = true;
  for (const std::string& segment : segments) {
    if (segment == "**") {
      for (size_t j = 1; j <= keys.size(); ++j) row[j] = row[j] || row[j - 1];
      continue;
    }
    for (size_t j = keys.size(); j > 0; --j) {
      row[j] = row[j - 1] && SegmentMatches(segment, keys[j - 1]);
    }
    row[0] = false;
  }
  return row.back();
}

std::string TextOfKey(const Key& key) {
  return key.kind() == KeyKind::kIndex ? std::to_string(key.index()) : std::string(key.name());
}

bool IsAscii(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_isascii(static_cast<unsigned char>(c)); });
}

void CheckCaptures(const internal::GlobPattern& glob, const Path& path, bool matches) {
  std::vector<std::string> keys;
  for (const Key& key : path.keys()) keys.push_back(TextOfKey(key));
  uint64_t budget = uint64_t{1} << 24;
  const auto captures = glob.Captures(keys, &budget);
  if (budget == 0) return;
  Require(captures.has_value() == matches, "a glob captures if it matches");
  Require(!captures || captures->size() == glob.wildcards().size(), "one capture per wildcard");
}

// The first two lines are a rule.
void CheckRename(absl::Span<const absl::string_view> lines) {
  if (lines.size() < 2) return;
  const RenameRule rule{std::string(lines[0]), std::string(lines[1])};
  const absl::StatusOr<RenameMap> map = RenameMap::Create({rule});
  if (!map.ok()) {
    RequireError(map.status(), {StatusCode::kInvalidArgument, StatusCode::kResourceExhausted});
    return;
  }
  std::vector<Path> paths;
  for (const absl::string_view line : lines.subspan(2)) {
    absl::StatusOr<Path> path = Path::Parse(line);
    if (path.ok()) paths.push_back(*std::move(path));
  }
  const absl::StatusOr<Layout> layout = Layout::Create(std::move(paths));
  if (!layout.ok()) return;  // a path occurs twice
  const auto renamed = map->Apply(*layout, /*allow_unused_rules=*/true);
  if (!renamed.ok()) {
    RequireError(renamed.status(), {StatusCode::kInvalidArgument, StatusCode::kResourceExhausted});
    return;
  }
  std::set<std::string> targets;
  for (const RenamedPath& path : *renamed) {
    Require(Path::Parse(path.to).ok(), "a new path is valid");
    Require(targets.insert(path.to).second, "new paths are unique");
    Require(path.rule.has_value() || path.from == path.to,
            "paths that no rule matches are unchanged");
  }
}

void CheckGlob(absl::string_view text, absl::Span<const absl::string_view> paths) {
  const absl::StatusOr<internal::GlobPattern> glob = internal::GlobPattern::Parse(text);
  if (!glob.ok()) {
    RequireError(glob.status(), {StatusCode::kInvalidArgument});
    return;
  }
  for (const absl::string_view line : paths) {
    const absl::StatusOr<Path> path = Path::Parse(line);
    if (!path.ok()) continue;
    const bool matches = glob->Matches(*path);
    CheckCaptures(*glob, *path, matches);
    if (!IsAscii(text) || !IsAscii(line)) continue;  // the simple matcher works on bytes
    std::vector<std::string> keys;
    for (const Key& key : path->keys()) keys.push_back(TextOfKey(key));
    Require(matches == GlobMatches(text, keys), "a glob matches like the simple matcher");
  }
}

void Run(absl::string_view input) {
  std::vector<absl::string_view> lines = absl::StrSplit(input, '\n');
  if (lines.empty()) lines.emplace_back("");  // StrSplit returns no lines for a null pointer
  CheckFilter(lines[0]);
  CheckGlob(lines[0], absl::MakeConstSpan(lines).subspan(1));
  CheckRename(lines);
}

}  // namespace
}  // namespace leafstore

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  leafstore::Run(absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
