#include "leafstore/tools/commands/input.h"

#include <algorithm>
#include <iterator>

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
#include "leafstore/treedef/internal/path_cursor.h"

namespace leafstore::tools {
namespace {

// Returns the end of a message about a glob that matches nothing: "" or "; did you mean ...?".
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

// Returns the places of the leaves at and below a node.
std::vector<uint32_t> PlacesBelow(const SourceItem& item, const TreeDef& def, NodeId node) {
  node = def.Resolve(node);
  std::vector<uint32_t> places;
  const uint32_t end = def.leaf_begin(def.end(node));
  for (uint32_t leaf = def.leaf_begin(node); leaf < end; ++leaf) {
    if (item.slots.Contains(leaf)) places.push_back(item.slots.PlaceOf(leaf));
  }
  return places;
}

std::vector<uint32_t> PlacesIn(const SourceItem& item, const std::string& text) {
  std::optional<Slot> slot = item.layout.Find(text);
  if (!slot) {
    if (const absl::StatusOr<Slot> dotted = item.layout.GetDotted(text); dotted.ok()) {
      slot = *dotted;
    }
  }
  if (slot) {
    if (!item.slots.Contains(*slot)) return {};
    return {item.slots.PlaceOf(*slot)};
  }
  if (const absl::StatusOr<TreeDef> def = item.layout.def(); def.ok()) {
    const absl::StatusOr<NodeId> node = def->Find(text);
    if (node.ok()) return PlacesBelow(item, *def, *node);
  }
  absl::StatusOr<internal::GlobPattern> glob = internal::GlobPattern::Parse(text);
  if (!glob.ok()) return {};
  const ItemRows rows(item, {*std::move(glob)});
  // If only aliases match, the first selects its owner.
  if (rows.places().empty() && !rows.rows().empty()) {
    return PlacesBelow(item, *rows.def(), rows.rows()[0].node);
  }
  return rows.places();
}

std::vector<ChosenLeaf> FindIn(const SourceItems& items, const std::string& text) {
  std::vector<ChosenLeaf> leaves;
  for (const SourceItem* item : items) {
    for (const uint32_t place : PlacesIn(*item, text)) leaves.push_back({item, place, {}});
  }
  return leaves;
}

absl::Status NotFound(const SourceItems& items, const std::string& text) {
  for (const SourceItem* item : items) {
    for (const UnreadableLeaf& one : item->unreadable) {
      if (one.name != text) continue;
      return absl::UnimplementedError(
          absl::StrCat(item->file, ": '", one.name, "' is not readable: ", one.what));
    }
  }
  const std::string why = absl::StrCat("no leaf '", text, "'");
  const absl::StatusOr<internal::GlobPattern> glob = internal::GlobPattern::Parse(text);
  if (glob.ok() && !glob->wildcards().empty()) {
    return UsageError("'", text, "' is a glob that matches no leaf", NearGlob(items, *glob));
  }
  if (!glob.ok() && absl::StrContains(text, "..")) {
    return UsageError(why, ": ", glob.status().message());
  }
  if (items.size() != 1) {
    const bool is_item = std::any_of(
        items.begin(), items.end(), [&text](const SourceItem* item) { return item->name == text; });
    return UsageError(why, " in any of ", items.size(), " items",
                      is_item     ? "; there is an item with this name: --item selects it"
                      : glob.ok() ? NearGlob(items, *glob)
                                  : "");
  }
  const bool canonical = absl::StartsWith(text, ".") || absl::StartsWith(text, "[");
  const absl::Status status =
      canonical ? items[0]->layout.Get(text).status() : items[0]->layout.GetDotted(text).status();
  if (status.ok()) return UsageError(why, " in this part of the structure");
  return UsageError(status.message());
}

absl::StatusOr<std::vector<ChosenLeaf>> FindLeaves(const SourceItems& items,
                                                   const std::string& text) {
  if (text.empty()) {
    return UsageError(
        "expected a path, found ''; without any path, all leaves are shown; the empty name is "
        "\"''\"");
  }
  std::vector<ChosenLeaf> leaves = FindIn(items, text);
  if (!leaves.empty()) return leaves;
  const size_t open = text.rfind('[');
  if (open == std::string::npos || open == 0 || text.back() != ']') return NotFound(items, text);
  absl::StatusOr<Slice> slice =
      Slice::Parse(absl::string_view(text).substr(open + 1, text.size() - open - 2));
  const std::string path = text.substr(0, open);
  leaves = FindIn(items, path);
  if (leaves.empty()) return NotFound(items, slice.ok() ? path : text);
  if (!slice.ok()) return UsageError("'", text, "': ", slice.status().message());
  const auto shared = std::make_shared<const Slice>(*std::move(slice));
  for (ChosenLeaf& leaf : leaves) leaf.slice = shared;
  return leaves;
}

// Keeps only the leaves that --match matches; all without it.
absl::Status KeepMatched(const Input& input, std::vector<ChosenLeaf>* leaves) {
  if (input.match.empty()) return absl::OkStatus();
  std::map<const SourceItem*, std::vector<uint32_t>> matched;
  for (const ChosenLeaf& leaf : *leaves) {
    const auto [at, is_new] = matched.try_emplace(leaf.item);
    if (is_new) at->second = ItemRows(*leaf.item, input.match).places();
  }
  std::erase_if(*leaves, [&matched](const ChosenLeaf& leaf) {
    const std::vector<uint32_t>& places = matched[leaf.item];
    return !std::binary_search(places.begin(), places.end(), leaf.place);
  });
  return leaves->empty() ? UsageError("--match matches none of the named leaves")
                         : absl::OkStatus();
}

// Sorts the leaves that one path selects, item by item. Keeps the ranks of each item in `*ranks`.
void SortRows(RowOrder order, std::map<const SourceItem*, std::vector<uint32_t>>* ranks,
              std::vector<ChosenLeaf>* leaves) {
  for (auto begin = leaves->begin(); begin != leaves->end();) {
    const SourceItem* const item = begin->item;
    const auto end = std::find_if(begin, leaves->end(),
                                  [item](const ChosenLeaf& leaf) { return leaf.item != item; });
    if (end - begin > 1) {
      const auto [at, is_new] = ranks->try_emplace(item);
      if (is_new) at->second = RanksOfPlaces(*item, order);
      std::sort(begin, end, [&rank = at->second](const ChosenLeaf& a, const ChosenLeaf& b) {
        return rank[a.place] < rank[b.place];
      });
    }
    begin = end;
  }
}

// Returns the leaves that are not readable, and that a glob matches. See LoadModel.
absl::StatusOr<std::vector<UnreadableLeaf>> LeftOut(const Source& source, const SourceItems& items,
                                                    bool skip_unreadable, const Globs& match) {
  std::vector<UnreadableLeaf> left_out;
  for (const SourceItem* item : items) {
    for (const UnreadableLeaf& one : item->unreadable) {
      if (match.empty() || MatchesName(match, one.name)) left_out.push_back(one);
    }
  }
  if (left_out.empty()) return left_out;
  const std::string what = CountOf(static_cast<int64_t>(left_out.size()), "leaf is", "leaves are");
  if (!skip_unreadable) {
    return UsageError(source.file, ": ", what, " not readable, such as '", left_out[0].name, "' (",
                      left_out[0].what, "); --skip-unreadable leaves such leaves out");
  }
  Note(source.file, ": note: ", what, " left out (--skip-unreadable)");
  return left_out;
}

// Returns the tensors that an index does not list, and that a glob matches, with a note.
std::vector<UnreadableLeaf> Unlisted(const Source& source, const SourceItems& items,
                                     const Globs& match) {
  std::vector<UnreadableLeaf> unlisted;
  for (const SourceItem* item : items) {
    for (const UnreadableLeaf& one : item->unlisted) {
      if (match.empty() || MatchesName(match, one.name)) unlisted.push_back(one);
    }
  }
  if (unlisted.empty()) return unlisted;
  Note(source.file,
       ": note: ", CountOf(static_cast<int64_t>(unlisted.size()), "tensor is", "tensors are"),
       " left out, such as '", unlisted[0].name, "': the index does not list it");
  return unlisted;
}

absl::StatusOr<ModelItem> LoadItem(const ItemRows& rows, Progress* progress) {
  const SourceItem& item = rows.item();
  ModelItem loaded;
  loaded.name = item.name;
  loaded.options = {item.grouping, item.metadata};
  if (item.save_options) {
    LEAFSTORE_ASSIGN_OR_RETURN(loaded.options, item.save_options());
  }
  std::vector<Leaf> leaves(rows.places().size());
  LEAFSTORE_RETURN_IF_ERROR(ForEachLeaf({{&item, rows.places()}}, /*threads=*/1, progress,
                                        [&](size_t i, absl::Span<const Leaf> found) {
                                          leaves[i] = found[0];
                                          return absl::OkStatus();
                                        }));
  loaded.store =
      ParamStore::FromParts(item.layout, item.slots.AtPlaces(rows.places()), std::move(leaves));
  return loaded;
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

absl::StatusOr<std::vector<ChosenLeaf>> ChooseLeaves(const Input& input,
                                                     const std::vector<std::string>& paths,
                                                     absl::string_view no_slice) {
  std::map<const SourceItem*, std::vector<uint32_t>> ranks;
  std::vector<ChosenLeaf> leaves;
  for (const SourceItem* item : input.items) {
    if (!paths.empty()) break;
    for (uint32_t place = 0; place < item->size(); ++place) leaves.push_back({item, place, {}});
  }
  SortRows(input.order, &ranks, &leaves);
  for (const std::string& path : paths) {
    LEAFSTORE_ASSIGN_OR_RETURN(auto found, FindLeaves(input.items, path));
    SortRows(input.order, &ranks, &found);
    if (found[0].slice && !no_slice.empty()) return UsageError("'", path, "': ", no_slice);
    leaves.insert(leaves.end(), found.begin(), found.end());
  }
  LEAFSTORE_RETURN_IF_ERROR(KeepMatched(input, &leaves));
  return leaves;
}

absl::Status CheckPathText(const std::vector<ChosenLeaf>& leaves) {
  internal::TextBudget budget(leaves.size());
  const SourceItem* item = nullptr;
  std::vector<uint64_t> sizes;  // of its nodes; empty if its paths are stored one by one
  TreeDef def;
  for (const ChosenLeaf& leaf : leaves) {
    if (leaf.item != item) {
      item = leaf.item;
      sizes.clear();
      if (item->layout.has_def()) {
        def = item->layout.def().value();
        sizes = internal::PathTextSizes(def);
      }
    }
    if (sizes.empty()) continue;
    LEAFSTORE_RETURN_IF_ERROR(
        FileError(item->file, budget.Spend(sizes[def.node_of_leaf(leaf.slot())])));
  }
  return absl::OkStatus();
}

absl::Status NoteDamage(const Source& source, const std::vector<ItemPlaces>& items) {
  if (!source.has_checksums()) return absl::OkStatus();
  LEAFSTORE_ASSIGN_OR_RETURN(const SourcePtr verifying, OpenSource({.name = source.file}));
  for (const auto& [item, places] : items) {
    LEAFSTORE_ASSIGN_OR_RETURN(const SourceItem* verified, verifying->item(item->name));
    for (const uint32_t place : places) {
      const absl::Status status = verified->load(std::vector{place}).status();
      if (!absl::IsDataLoss(status)) continue;
      absl::string_view what = status.message();
      absl::ConsumePrefix(&what, absl::StrCat(source.file, ": "));
      Note(source.file, ": warning: ", what,
           "; it is written unchanged (--no-verify), and the copy will look intact");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Model> LoadModel(const Source& source, const SourceItems& items,
                                bool skip_unreadable, const Globs& match) {
  Model model;
  LEAFSTORE_ASSIGN_OR_RETURN(model.left_out, LeftOut(source, items, skip_unreadable, match));
  std::vector<UnreadableLeaf> unlisted = Unlisted(source, items, match);
  model.left_out.insert(model.left_out.end(), std::make_move_iterator(unlisted.begin()),
                        std::make_move_iterator(unlisted.end()));
  model.notes = source.notes;
  if (source.format == SourceFormat::kLeaf) model.metadata = source.metadata;
  model.metrics = source.metrics;
  std::vector<ItemRows> rows;
  int64_t total = 0;
  for (const SourceItem* item : items) {
    total += rows.emplace_back(*item, match).ListedTotals().bytes;
  }
  if (!source.verifies) {
    std::vector<ItemPlaces> places;
    for (const ItemRows& one : rows) places.push_back({&one.item(), one.places()});
    LEAFSTORE_RETURN_IF_ERROR(NoteDamage(source, places));
  }
  Progress progress("reading", total);
  for (const ItemRows& one : rows) {
    LEAFSTORE_ASSIGN_OR_RETURN(ModelItem item, FileError(source.file, LoadItem(one, &progress)));
    model.items.push_back(std::move(item));
  }
  return model;
}

std::string PrintableName(const ChosenLeaf& leaf) { return leaf.item->PrintablePath(leaf.place); }

void PrintTitle(const Source& source, Output* out) {
  out->Write(out->Styled(Style::kBold, Printable(source.file)), ": ", source.description, "\n");
}

void NoteRootGroup(const std::string& group, Output* out) {
  out->Write("  note: the filter of group '", Printable(group),
             "' matched the root, so the group has every leaf; to match only leaves, write "
             "'leaf and (...)'\n");
}

}  // namespace leafstore::tools
