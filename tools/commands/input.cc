#include "leafstore/tools/commands/input.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "leafstore/core/internal/utf8.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/select/internal/glob_suggestions.h"
#include "leafstore/tools/present/errors.h"
#include "leafstore/tools/present/text.h"

namespace leafstore::tools {
namespace {

// Returns the count of leaves that each group receives.
absl::StatusOr<std::vector<uint64_t>> CountLeaves(const SourceItems& items,
                                                  const std::vector<NamedFilter>& groups) {
  std::vector<uint64_t> counts(groups.size());
  for (const SourceItem* item : items) {
    LEAFSTORE_ASSIGN_OR_RETURN(const Grouping grouping, item->CompileGrouping(groups));
    for (uint32_t i = 0; i < counts.size(); ++i) counts[i] += grouping.SizeOf(i);
  }
  return counts;
}

}  // namespace

absl::StatusOr<std::map<int, DType>> ParseVoidDTypes(const std::vector<std::string>& texts) {
  std::map<int, DType> dtypes;
  for (const std::string& text : texts) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
    absl::string_view type = parts.first;
    if (!type.empty() && absl::StrContains("<>|=", type[0])) type.remove_prefix(1);
    int size = 0;
    const absl::StatusOr<DType> dtype = ParseDType(parts.second);
    if (!absl::ConsumePrefix(&type, "V") || !absl::SimpleAtoi(type, &size)) {
      return UsageError("--dtype-of: expected TYPE=DTYPE such as '<V2=bf16', found '", text, "'");
    }
    if (!dtype.ok()) return UsageError("--dtype-of '", text, "': ", dtype.status().message());
    if (size < 1 || DTypeBits(*dtype) != 8 * static_cast<size_t>(size)) {
      return UsageError("--dtype-of '", text, "': expected a dtype of ",
                        CountOf(size, "byte", "bytes"), ", found ", DTypeName(*dtype));
    }
    if (dtypes.emplace(size, *dtype).first->second == *dtype) continue;
    return UsageError("--dtype-of '", text, "': expected one dtype for V", size, ", found ",
                      DTypeName(dtypes[size]), " too");
  }
  return dtypes;
}

absl::StatusOr<Input> OpenInput(const InputOptions& options, const InputNeeds& needs) {
  Input input;
  input.order = options.order;
  LEAFSTORE_ASSIGN_OR_RETURN(input.match, ParseMatch(options.match));
  LEAFSTORE_ASSIGN_OR_RETURN(input.groups, ParseGroups(options.groups));
  LEAFSTORE_ASSIGN_OR_RETURN(input.source, Open(options));
  LEAFSTORE_ASSIGN_OR_RETURN(input.items, ChooseItems(*input.source, options));
  if (needs.groups && input.groups.empty() &&
      std::none_of(input.items.begin(), input.items.end(),
                   [](const SourceItem* item) { return item->grouping.has_value(); })) {
    return UsageError(input.source->name,
                      ": expected --group NAME=FILTER, as no groups were saved with it");
  }
  LEAFSTORE_RETURN_IF_ERROR(CheckMatch(input.items, input.match, "--match", needs.match_leaves));
  if (needs.allow_no_leaves) return input;
  LEAFSTORE_RETURN_IF_ERROR(
      FileError(input.source->file, CheckGroups(input.items, input.groups, needs.own_leaves)));
  return input;
}

absl::StatusOr<SourcePtr> Open(const InputOptions& input, bool verify, absl::string_view what) {
  InputOptions options = input;
  options.verify = verify && input.verify;
  LEAFSTORE_ASSIGN_OR_RETURN(options.void_dtypes, ParseVoidDTypes(input.dtype_of));
  if (!input.max_header_text.empty()) {
    LEAFSTORE_ASSIGN_OR_RETURN(options.max_header,
                               ParseSize("--max-header", input.max_header_text));
  }
  // The source keeps it, and may verify later.
  const auto progress = std::make_shared<Progress>(what, 0);
  options.io.progress = [progress](int64_t done, int64_t total) { progress->Set(done, total); };
  options.note = [progress, name = input.name](absl::string_view line) {
    progress->Clear();
    Note(name, ": ", line);
  };
  absl::StatusOr<SourcePtr> source = OpenSource(options);
  progress->Clear();
  return source;
}

absl::StatusOr<SourceItems> ChooseItems(const Source& source, const InputOptions& options) {
  SourceItems items;
  if (options.items.empty()) {
    for (const SourceItem& item : source.items) items.push_back(&item);
  }
  for (const std::string& name : options.items) {
    LEAFSTORE_ASSIGN_OR_RETURN(const SourceItem* item, source.item(name));
    items.push_back(item);
  }
  return items;
}

absl::StatusOr<Globs> ParseMatch(const std::vector<std::string>& texts, absl::string_view option) {
  Globs globs;
  for (const std::string& text : texts) {
    absl::StatusOr<internal::GlobPattern> glob = internal::GlobPattern::Parse(text);
    if (!glob.ok()) return UsageError(option, " '", text, "': ", glob.status().message());
    globs.push_back(*std::move(glob));
  }
  return globs;
}

bool MatchesName(const Globs& globs, const std::string& name) {
  const std::vector<absl::string_view> names = {name};
  for (const NameStyle style : {NameStyle::kSplit, NameStyle::kSlash, NameStyle::kFlat}) {
    const absl::StatusOr<std::vector<Path>> path = PathsOfNames(names, style);
    if (path.ok() && std::any_of(globs.begin(), globs.end(), [&path](const auto& glob) {
          return glob.Matches((*path)[0], /*or_above=*/true);
        })) {
      return true;
    }
  }
  return false;
}

absl::StatusOr<std::vector<NamedFilter>> ParseGroups(const std::vector<std::string>& texts) {
  std::vector<NamedFilter> groups;
  for (const std::string& text : texts) {
    const auto wrong = [&text](absl::string_view what) {
      return UsageError("--group '", text, "': ", what);
    };
    const size_t equals = text.find('=');
    if (equals == std::string::npos) return wrong("expected NAME=FILTER, found no '='");
    const std::string name = text.substr(0, equals);
    if (name.empty() || !internal::IsValidUtf8(name)) {
      return wrong("expected a name in UTF-8 before the '='");
    }
    if (name == kRestName) {
      return wrong(
          "expected a different name: 'rest' is the group of leaves that no filter matches");
    }
    if (std::any_of(groups.begin(), groups.end(),
                    [&name](const NamedFilter& group) { return group.name == name; })) {
      return wrong("expected a new name, found that of another group");
    }
    absl::StatusOr<Filter> filter = Filter::Parse(absl::string_view(text).substr(equals + 1));
    if (!filter.ok()) return wrong(filter.status().message());
    groups.push_back({name, *std::move(filter)});
  }
  return groups;
}

std::string NearGlob(const SourceItems& items, const internal::GlobPattern& glob) {
  for (const SourceItem* item : items) {
    internal::GlobSuggestions names;
    if (const absl::StatusOr<TreeDef> def = item->layout.def(); def.ok()) {
      names = internal::GlobSuggestions::Of(*def);
    } else {
      for (uint32_t place = 0; place < item->size(); ++place) {
        names.Add(item->PathOf(place));
      }
    }
    std::string near = names.DidYouMean(glob);
    if (!near.empty()) return near;
  }
  return "";
}

absl::Status CheckMatch(const SourceItems& items, const Globs& globs, absl::string_view option,
                        bool leaves_only) {
  std::vector<std::string> wrong;
  for (const internal::GlobPattern& glob : globs) {
    bool any_leaf = false;
    bool any_alias = false;
    for (const SourceItem* item : items) {
      const ItemRows rows(*item, {glob});
      any_leaf = any_leaf || !rows.places().empty();
      any_alias = any_alias || rows.rows().size() > rows.places().size();
    }
    if (any_leaf || (any_alias && !leaves_only)) continue;
    wrong.push_back(
        absl::StrCat(option, " '", glob.text(), "' matches no leaf",
                     any_alias ? ", only an alias of one; name its owner" : NearGlob(items, glob)));
  }
  return wrong.empty() ? absl::OkStatus() : UsageErrors(absl::StrJoin(wrong, "\n"));
}

absl::Status CheckGroups(const SourceItems& items, const std::vector<NamedFilter>& groups,
                         bool own_leaves) {
  if (groups.empty()) return absl::OkStatus();
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<uint64_t> counts, CountLeaves(items, groups));
  std::vector<std::string> wrong;
  for (size_t i = 0; i < groups.size(); ++i) {
    if (counts[i] > 0) continue;
    const std::string filter = groups[i].filter->ToString();
    LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<uint64_t> alone, CountLeaves(items, {groups[i]}));
    std::string why;
    if (alone[0] > 0) {
      if (!own_leaves) continue;
      why = " (other groups have the leaves that it matches)";
    } else if (const absl::StatusOr<internal::GlobPattern> glob =
                   internal::GlobPattern::Parse(filter);
               glob.ok()) {
      why = NearGlob(items, *glob);
    }
    wrong.push_back(absl::StrCat("--group has no leaves: ", groups[i].name, "=", filter, why));
  }
  return wrong.empty() ? absl::OkStatus() : UsageErrors(absl::StrJoin(wrong, "\n"));
}

void PrintTitle(const Source& source, Output* out) {
  out->Write(out->Styled(Style::kBold, Printable(source.file)), ": ", source.description, "\n");
}

void NoteRootGroup(const std::string& group, Output* out) {
  out->Write("  note: the filter of group '", Printable(group),
             "' matched the root, so the group has every leaf; to match only leaves, write "
             "'leaf and (...)'\n");
}

}  // namespace leafstore::tools
