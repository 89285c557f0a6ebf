#include "leafstore/tools/commands/input.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/select/internal/glob_suggestions.h"
#include "leafstore/tools/present/errors.h"
#include "leafstore/tools/present/progress.h"
#include "leafstore/tools/present/text.h"
#include "leafstore/tools/source/item_rows.h"

namespace leafstore::tools {
namespace {

using Items = absl::Span<const SourceItem* const>;

// Returns the end of a message about a glob that matches nothing: "" or "; did you mean ...?".
std::string NearGlob(Items items, const internal::GlobPattern& glob) {
  for (const SourceItem* item : items) {
    internal::GlobSuggestions names;
    if (const absl::StatusOr<TreeDef> def = item->layout().def(); def.ok()) {
      names = internal::GlobSuggestions::Of(*def);
    } else {
      for (uint32_t place = 0; place < item->size(); ++place) {
        names.Add(item->layout().PathOf(item->slots().SlotAt(place)));
      }
    }
    std::string near = names.DidYouMean(glob);
    if (!near.empty()) return near;
  }
  return "";
}

bool MatchesRows(const SourceItem& item, const internal::GlobPattern& glob) {
  const absl::StatusOr<ItemRows> rows = ItemRows::Create(item, {{glob}, std::nullopt});
  return rows.ok() && !rows->rows().empty();
}

bool MatchesLeaves(const SourceItem& item, const internal::GlobPattern& glob) {
  const absl::StatusOr<ItemRows> rows = ItemRows::Create(item, {{glob}, std::nullopt});
  return rows.ok() && !rows->places().empty();
}

// `why` returns the end of the message about a glob that matches nothing.
template <typename Matches, typename Why>
absl::Status CheckGlobs(Items items, const std::vector<internal::GlobPattern>& globs,
                        absl::string_view option, Matches matches, Why why) {
  std::vector<std::string> wrong;
  for (const internal::GlobPattern& glob : globs) {
    if (std::any_of(items.begin(), items.end(),
                    [&](const SourceItem* item) { return matches(*item, glob); })) {
      continue;
    }
    wrong.push_back(absl::StrCat(option, " '", glob.text(), "' matches no leaf", why(glob)));
  }
  if (wrong.empty()) return absl::OkStatus();
  return UsageErrors(absl::StrJoin(wrong, "\n"));
}

// Returns the count of leaves that each group receives.
absl::StatusOr<std::vector<uint64_t>> CountLeaves(Items items, const std::vector<Filter>& filters) {
  std::vector<uint64_t> counts(filters.size());
  for (const SourceItem* item : items) {
    std::vector<NamedFilter> groups;
    for (const Filter& filter : filters) groups.push_back({absl::StrCat(groups.size()), filter});
    groups.push_back({"rest", Rest()});
    LEAFSTORE_ASSIGN_OR_RETURN(const Grouping grouping, item->CompileGrouping(std::move(groups)));
    for (uint32_t i = 0; i < counts.size(); ++i) counts[i] += grouping.SizeOf(i);
  }
  return counts;
}

// Returns the reason why a group receives no leaf.
absl::StatusOr<std::string> WhyNone(Items items, const Filter& filter) {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<uint64_t> alone, CountLeaves(items, {filter}));
  if (alone[0] > 0) return std::string(" (other groups have the leaves that it matches)");
  const absl::StatusOr<internal::GlobPattern> glob =
      internal::GlobPattern::Parse(filter.ToString());
  return glob.ok() ? NearGlob(items, *glob) : "";
}

absl::Status CheckMatchLeaves(Items items, const std::vector<internal::GlobPattern>& globs) {
  return CheckGlobs(
      items, globs, "--match", MatchesLeaves, [items](const internal::GlobPattern& glob) {
        const bool tied = std::any_of(items.begin(), items.end(), [&glob](const SourceItem* item) {
          return MatchesRows(*item, glob);
        });
        return tied ? std::string(", only an alias of one; name its owner") : NearGlob(items, glob);
      });
}

void AddPlace(const SourceItem& item, Slot slot, std::vector<uint32_t>* places) {
  const uint32_t place = item.slots().PlaceOf(slot);
  if (place != kNoPlace) places->push_back(place);
}

// Adds the leaves at and below a node.
void AddBelow(const SourceItem& item, const TreeDef& def, NodeId node,
              std::vector<uint32_t>* places) {
  node = def.Resolve(node);
  const uint32_t end = def.leaf_begin(def.end(node));
  for (uint32_t leaf = def.leaf_begin(node); leaf < end; ++leaf) AddPlace(item, leaf, places);
}

std::vector<uint32_t> PlacesIn(const SourceItem& item, const std::string& text) {
  std::vector<uint32_t> places;
  if (const std::optional<Slot> slot = item.layout().Find(text)) {
    AddPlace(item, *slot, &places);
    return places;
  }
  if (const absl::StatusOr<Slot> slot = item.layout().GetDotted(text); slot.ok()) {
    AddPlace(item, *slot, &places);
    return places;
  }
  if (const absl::StatusOr<TreeDef> def = item.layout().def(); def.ok()) {
    if (const absl::StatusOr<NodeId> node = def->Find(text); node.ok()) {
      AddBelow(item, *def, *node, &places);
      return places;
    }
  }
  absl::StatusOr<internal::GlobPattern> glob = internal::GlobPattern::Parse(text);
  if (!glob.ok()) return places;
  const absl::StatusOr<ItemRows> rows = ItemRows::Create(item, {{*std::move(glob)}, std::nullopt});
  if (!rows.ok()) return places;
  places = rows->places();
  // If only aliases match, the first selects its owner.
  for (const Row& row : rows->rows()) {
    if (places.empty() && row.kind == Row::kAlias) AddBelow(item, *rows->def(), row.node, &places);
  }
  return places;
}

void FindIn(Items items, const std::string& text, const std::optional<Slice>& slice,
            std::vector<ChosenLeaf>* leaves) {
  for (const SourceItem* item : items) {
    for (const uint32_t place : PlacesIn(*item, text)) leaves->push_back({item, place, slice});
  }
}

absl::Status NotThere(Items items, const std::string& text) {
  std::string why = absl::StrCat("no leaf '", text, "'");
  const absl::StatusOr<internal::GlobPattern> glob = internal::GlobPattern::Parse(text);
  if (glob.ok() && !glob->wildcards().empty()) {
    return UsageError(
        absl::StrCat("'", text, "' is a glob that matches no leaf", NearGlob(items, *glob)));
  }
  if (!glob.ok() && absl::StrContains(text, "..")) {
    return UsageError(absl::StrCat(why, ": ", glob.status().message()));
  }
  if (items.size() != 1) {
    const bool is_item = std::any_of(items.begin(), items.end(), [&text](const SourceItem* item) {
      return item->name() == text;
    });
    return UsageError(absl::StrCat(why, " in any of ", items.size(), " items",
                                   is_item ? "; there is an item with this name: --item selects it"
                                   : glob.ok() ? NearGlob(items, *glob)
                                               : ""));
  }
  const bool canonical = absl::StartsWith(text, ".") || absl::StartsWith(text, "[");
  const absl::Status status = canonical ? items[0]->layout().Get(text).status()
                                        : items[0]->layout().GetDotted(text).status();
  return UsageError(status.ok() ? absl::StrCat(why, " in this part of the structure")
                                : std::string(status.message()));
}

absl::StatusOr<std::vector<ChosenLeaf>> FindLeaves(Items items, const std::string& text) {
  if (text.empty())
    return UsageError("expected a path, found ''; without any path, all leaves are printed");
  std::vector<ChosenLeaf> leaves;
  FindIn(items, text, std::nullopt, &leaves);
  if (!leaves.empty()) return leaves;
  const size_t open = text.rfind('[');
  if (open == std::string::npos || open == 0 || text.back() != ']') return NotThere(items, text);
  absl::StatusOr<Slice> slice =
      Slice::Parse(absl::string_view(text).substr(open + 1, text.size() - open - 2));
  const std::string path = text.substr(0, open);
  FindIn(items, path, std::nullopt, &leaves);
  if (leaves.empty()) return NotThere(items, path);
  if (!slice.ok()) return UsageError(absl::StrCat("'", text, "': ", slice.status().message()));
  for (ChosenLeaf& leaf : leaves) leaf.slice = *slice;
  return leaves;
}

// Keeps only the leaves that a glob of `match` matches; all if `match` is empty.
absl::Status KeepMatched(const std::vector<internal::GlobPattern>& match,
                         std::vector<ChosenLeaf>* leaves) {
  if (match.empty()) return absl::OkStatus();
  std::map<const SourceItem*, std::vector<uint32_t>> matched;
  const auto is_matched = [&](const ChosenLeaf& leaf) {
    auto at = matched.find(leaf.item);
    if (at == matched.end()) {
      const absl::StatusOr<ItemRows> rows = ItemRows::Create(*leaf.item, {match, std::nullopt});
      at = matched.emplace(leaf.item, rows.ok() ? rows->places() : std::vector<uint32_t>()).first;
    }
    return std::binary_search(at->second.begin(), at->second.end(), leaf.place);
  };
  leaves->erase(std::remove_if(leaves->begin(), leaves->end(),
                               [&](const ChosenLeaf& leaf) { return !is_matched(leaf); }),
                leaves->end());
  if (!leaves->empty()) return absl::OkStatus();
  return UsageError("--match matches none of the named leaves");
}

absl::Status CheckHasGroups(const Input& input) {
  if (!input.groups.filters.empty() ||
      std::any_of(input.items.begin(), input.items.end(),
                  [](const SourceItem* item) { return item->grouping().has_value(); })) {
    return absl::OkStatus();
  }
  return UsageError(absl::StrCat(
      input.source->name, ": expected --group NAME=FILTER, as no groups were saved with it"));
}

}  // namespace

absl::StatusOr<Input> OpenInput(const InputOptions& options, const InputNeeds& needs) {
  Input input;
  LEAFSTORE_ASSIGN_OR_RETURN(input.match, ParseMatch(options.match));
  LEAFSTORE_ASSIGN_OR_RETURN(input.groups, GroupFilters::Parse(options.groups));
  LEAFSTORE_ASSIGN_OR_RETURN(input.source, Open(options));
  LEAFSTORE_ASSIGN_OR_RETURN(input.items, ChooseItems(*input.source, options));
  if (needs.groups) LEAFSTORE_RETURN_IF_ERROR(CheckHasGroups(input));
  LEAFSTORE_RETURN_IF_ERROR(needs.match_leaves ? CheckMatchLeaves(input.items, input.match)
                                               : CheckMatch(input.items, input.match));
  if (!needs.allow_no_leaves) {
    LEAFSTORE_RETURN_IF_ERROR(
        FileError(input.source->file, CheckGroups(input.items, input.groups, needs.own_leaves)));
  }
  return input;
}

absl::StatusOr<SourcePtr> Open(const InputOptions& input, bool verify) {
  SourceOptions options;
  options.name = input.name;
  options.step = input.step;
  options.verify = verify && !input.no_verify;
  options.names = input.names;
  options.io.threads = input.threads;
  // The source keeps it, and may verify later.
  const auto progress = std::make_shared<Progress>("verifying", 0);
  options.io.progress = [progress](int64_t done, int64_t total) { progress->Set(done, total); };
  options.note = [progress, name = input.name](absl::string_view line) {
    progress->Clear();
    Note(absl::StrCat(name, ": ", line));
  };
  absl::StatusOr<SourcePtr> source = OpenSource(options);
  progress->Clear();
  return source;
}

absl::StatusOr<SourceItems> ChooseItems(const Source& source, const InputOptions& options) {
  SourceItems items;
  if (options.items.empty()) {
    for (const auto& item : source.items) items.push_back(item.get());
  }
  for (const std::string& name : options.items) {
    LEAFSTORE_ASSIGN_OR_RETURN(const SourceItem* item, source.item(name));
    items.push_back(item);
  }
  return items;
}

absl::StatusOr<std::vector<internal::GlobPattern>> ParseMatch(const std::vector<std::string>& texts,
                                                              absl::string_view option) {
  std::vector<internal::GlobPattern> globs;
  for (const std::string& text : texts) {
    absl::StatusOr<internal::GlobPattern> glob = internal::GlobPattern::Parse(text);
    if (!glob.ok()) {
      return UsageError(absl::StrCat(option, " '", text, "': ", glob.status().message()));
    }
    globs.push_back(*std::move(glob));
  }
  return globs;
}

absl::Status CheckMatch(absl::Span<const SourceItem* const> items,
                        const std::vector<internal::GlobPattern>& globs, absl::string_view option) {
  return CheckGlobs(items, globs, option, MatchesRows,
                    [items](const internal::GlobPattern& glob) { return NearGlob(items, glob); });
}

absl::Status CheckGroups(absl::Span<const SourceItem* const> items, const GroupFilters& groups,
                         bool own_leaves) {
  if (groups.filters.empty()) return absl::OkStatus();
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<uint64_t> taken, CountLeaves(items, groups.filters));
  std::vector<std::string> wrong;
  for (size_t i = 0; i < taken.size(); ++i) {
    if (taken[i] > 0) continue;
    if (!own_leaves) {
      LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<uint64_t> alone,
                                 CountLeaves(items, {groups.filters[i]}));
      if (alone[0] > 0) continue;
    }
    LEAFSTORE_ASSIGN_OR_RETURN(const std::string why, WhyNone(items, groups.filters[i]));
    wrong.push_back(absl::StrCat("--group gets no leaf: ", groups.names[i], "=",
                                 groups.filters[i].ToString(), why));
  }
  if (wrong.empty()) return absl::OkStatus();
  return UsageErrors(absl::StrJoin(wrong, "\n"));
}

absl::StatusOr<std::vector<ChosenLeaf>> ChooseLeaves(const Input& input,
                                                     const std::vector<std::string>& paths,
                                                     absl::string_view no_slice) {
  std::vector<ChosenLeaf> leaves;
  for (const SourceItem* item : input.items) {
    if (!paths.empty()) break;
    for (uint32_t place = 0; place < item->size(); ++place) {
      leaves.push_back({item, place, std::nullopt});
    }
  }
  for (const std::string& path : paths) {
    LEAFSTORE_ASSIGN_OR_RETURN(const auto found, FindLeaves(input.items, path));
    if (found[0].slice && !no_slice.empty()) {
      return UsageError(absl::StrCat("'", path, "': ", no_slice));
    }
    leaves.insert(leaves.end(), found.begin(), found.end());
  }
  LEAFSTORE_RETURN_IF_ERROR(KeepMatched(input.match, &leaves));
  return leaves;
}

std::string PrintableName(const ChosenLeaf& leaf) {
  return PrintablePath(leaf.item->layout().PathOf(leaf.slot()));
}

void PrintTitle(const Source& source, Output* out) {
  out->Write(absl::StrCat(out->Styled(Style::kBold, Printable(source.file)), ": ",
                          source.description, "\n"));
}

}  // namespace leafstore::tools
