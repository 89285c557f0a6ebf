#include "leafstore/tools/commands/rename_rules.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/types/span.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/tools/present/errors.h"

namespace leafstore::tools {
namespace {

constexpr int64_t kMaxFileSize = int64_t{64} << 20;

// Parses a rule and appends it. Error messages begin with `where`.
absl::Status AddRule(absl::string_view text, absl::string_view where,
                     std::vector<RenameRule>* rules) {
  size_t equals = 0;
  while (equals < text.size() && text[equals] != '=') equals += text[equals] == '\\' ? 2 : 1;
  if (equals >= text.size()) {
    return UsageError(where, "'", text, "': expected PATTERN=TEMPLATE, found no '='",
                      absl::StrContains(text, '=') ? " without a backslash before it" : "");
  }
  rules->push_back({std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))});
  return absl::OkStatus();
}

absl::Status AddFileOfRules(const std::string& file, std::vector<RenameRule>* rules) {
  LEAFSTORE_ASSIGN_OR_RETURN(const auto opened, FileError(file, FileSystem::Posix().Open(file)));
  if (opened->size() > kMaxFileSize) {
    return UsageError(file, ": expected rules of at most ", kMaxFileSize, " bytes, found ",
                      opened->size());
  }
  std::string text(static_cast<size_t>(opened->size()), '\0');
  LEAFSTORE_RETURN_IF_ERROR(FileError(
      file,
      opened->ReadAt(0, absl::MakeSpan(reinterpret_cast<std::byte*>(text.data()), text.size()))));
  size_t number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    absl::ConsumeSuffix(&line, "\r");
    if (line.empty() || line[0] == '#') continue;
    LEAFSTORE_RETURN_IF_ERROR(AddRule(line, absl::StrCat(file, ", line ", number, ": "), rules));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RenameMap> ParseRules(const std::vector<std::string>& texts,
                                     const std::vector<std::string>& files) {
  std::vector<RenameRule> rules;
  for (const std::string& text : texts) LEAFSTORE_RETURN_IF_ERROR(AddRule(text, "", &rules));
  for (const std::string& file : files) LEAFSTORE_RETURN_IF_ERROR(AddFileOfRules(file, &rules));
  absl::StatusOr<RenameMap> map = RenameMap::Create(rules);
  if (!map.ok()) return UsageErrors(map.status().message());
  return map;
}

absl::StatusOr<std::vector<std::vector<RenamedPath>>> RenameItems(const SourceItems& items,
                                                                  const RenameMap& map) {
  std::vector<std::vector<RenamedPath>> renamed;
  std::vector<bool> used(map.rules().size());
  for (const SourceItem* item : items) {
    absl::StatusOr<std::vector<RenamedPath>> paths =
        map.Apply(LeafSpecs(item->layout, item->slots), /*allow_unused_rules=*/true);
    if (!paths.ok()) return UsageErrors(paths.status().message());
    for (const RenamedPath& path : *paths) {
      if (path.rule) used[*path.rule] = true;
    }
    renamed.push_back(*std::move(paths));
  }
  const auto unused = std::find(used.begin(), used.end(), false);
  if (unused == used.end()) return renamed;
  // Without allow_unused_rules, the error has suggestions, or names the rule that renamed the
  // leaves instead.
  for (const SourceItem* item : items) {
    const auto paths = map.Apply(LeafSpecs(item->layout, item->slots));
    if (!paths.ok()) return UsageErrors(paths.status().message());
  }
  const auto rule = static_cast<size_t>(unused - used.begin());
  return UsageError("rule '", map.rules()[rule].pattern, "' matches no leaf");
}

}  // namespace leafstore::tools
