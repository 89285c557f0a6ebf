#include "leafstore/select/internal/group_compiler.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "leafstore/core/internal/quoted_path.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/select/internal/filter_evaluator.h"
#include "leafstore/select/internal/filter_expr.h"
#include "leafstore/select/internal/glob_suggestions.h"

namespace leafstore::internal {
namespace {

// Assigns each slot the index of the filter that matches it, or `rest`.
absl::Status Assign(const LeafSpecs& leaves, uint32_t rest, CompiledGroups* out) {
  const TreeDef& def = out->def;
  const size_t filter_count = out->filters.size();
  FilterEvaluator evaluator(def, leaves, out->filters);
  out->group_of_slot.assign(def.leaf_count(), rest);
  out->matched_node.assign(def.leaf_count(), kNoNode);
  for (NodeId node = kRootNode; node < def.node_count();) {
    size_t filter = filter_count;
    if (def.kind(node) != NodeKind::kAlias) {
      evaluator.Enter(node);
      if (!out->first_match || def.kind(node) == NodeKind::kLeaf) filter = 0;
      while (filter < filter_count && !evaluator.Matches(filter)) ++filter;
      LEAFSTORE_RETURN_IF_ERROR(evaluator.status());
    }
    if (filter == filter_count) {
      ++node;
      continue;
    }
    if (node == kRootNode) out->root_group = static_cast<uint32_t>(filter);
    for (Slot slot = def.leaf_begin(node); slot < def.leaf_begin(def.end(node)); ++slot) {
      out->group_of_slot[slot] = static_cast<uint32_t>(filter);
      out->matched_node[slot] = node;
    }
    node = def.end(node);
  }
  return absl::OkStatus();
}

std::string SomePaths(const Layout& layout, const SlotSet& slots) {
  constexpr uint32_t kShown = 10;
  std::vector<std::string> paths;
  for (uint32_t i = 0; i < std::min(slots.size(), kShown); ++i) {
    paths.push_back(QuotedPath(layout.PathForMessage(slots.SlotAt(i))));
  }
  if (slots.size() > kShown) paths.push_back(absl::StrCat("and ", slots.size() - kShown, " more"));
  return absl::StrJoin(paths, ", ");
}

absl::Status CheckNoneLeft(const Layout& layout, const SlotSet& left) {
  if (left.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("partition: expected every leaf in a group, found ", left.size(),
                   " that no filter matches: ", SomePaths(layout, left)));
}

absl::Status CheckCounts(const CompiledGroups& groups, const Layout& layout,
                         absl::Span<const int64_t> expected) {
  if (expected.empty()) return absl::OkStatus();
  if (expected.size() != groups.names.size()) {
    return absl::InvalidArgumentError(absl::StrCat("partition: expected a count for each of ",
                                                   groups.names.size(), " groups, found ",
                                                   expected.size()));
  }
  for (size_t i = 0; i < expected.size(); ++i) {
    const SlotSet& group = groups.groups[i];
    if (expected[i] < 0 || expected[i] == group.size()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("partition: ", GroupText(groups.named, groups.names[i]), ": expected ",
                     expected[i], expected[i] == 1 ? " leaf" : " leaves", ", found ", group.size(),
                     group.empty() ? "" : ": ", SomePaths(layout, group)));
  }
  return absl::OkStatus();
}

// The first leaf below a match of a filter with an empty group, which belongs to another filter, or
// else the first node that it matches.
struct FirstMatch {
  Slot leaf = kNoSlot;
  NodeId node = kNoNode;
};

std::vector<FirstMatch> FindFirstMatches(const CompiledGroups& groups, const LeafSpecs& leaves,
                                         absl::Span<const Filter> filters) {
  const TreeDef& def = groups.def;
  std::vector<FirstMatch> matches(filters.size());
  FilterEvaluator evaluator(def, leaves, filters);
  for (NodeId node = kRootNode; node < def.node_count() && evaluator.status().ok(); ++node) {
    if (def.kind(node) == NodeKind::kAlias) continue;
    evaluator.Enter(node);
    const bool decides = !groups.first_match || def.kind(node) == NodeKind::kLeaf;
    const Slot end = decides ? def.leaf_begin(def.end(node)) : 0;
    for (size_t i = 0; i < filters.size(); ++i) {
      FirstMatch& match = matches[i];
      if (match.leaf != kNoSlot || !evaluator.Matches(i)) continue;
      if (match.node == kNoNode) match.node = node;
      for (Slot slot = def.leaf_begin(node); slot < end && match.leaf == kNoSlot; ++slot) {
        if (leaves.slots().Contains(slot)) match.leaf = slot;
      }
    }
  }
  return matches;
}

// Returns "; did you mean ...?" for the first glob in an expression that has suggestions.
std::string SuggestGlob(const GlobSuggestions& globs, const FilterExpr& expr) {
  if (expr.glob) return globs.DidYouMean(*expr.glob);
  for (const auto& child : expr.children) {
    std::string suggestion = SuggestGlob(globs, *child);
    if (!suggestion.empty()) return suggestion;
  }
  return "";
}

// Returns "filter of group 'bias' (**.bias)", or without names "filter 0 (**.bias)".
std::string FilterText(const CompiledGroups& groups, size_t filter) {
  const std::string& name = groups.names[filter];
  return absl::StrCat("filter ", groups.named ? absl::StrCat("of ", GroupText(true, name)) : name,
                      " (", groups.filters[filter].ToString(), ")");
}

// Returns the message for filters with empty groups, with a line for each: it matches nothing (with
// suggestions for a glob), or its matches belong to another filter.
std::string EmptyGroupsText(const CompiledGroups& groups, const LeafSpecs& leaves,
                            absl::Span<const size_t> indices) {
  constexpr size_t kMaxNamed = 10;
  std::vector<Filter> empty;
  for (const size_t i : indices.subspan(0, kMaxNamed)) empty.push_back(groups.filters[i]);
  const TreeDef& def = groups.def;
  const std::vector<FirstMatch> matches = FindFirstMatches(groups, leaves, empty);
  const GlobSuggestions globs = GlobSuggestions::Of(def);
  std::string text = absl::StrCat("partition: expected a leaf in the group of every filter, found ",
                                  indices.size(), " empty:");
  for (size_t i = 0; i < empty.size(); ++i) {
    const auto& [leaf, node] = matches[i];
    absl::StrAppend(&text, "\n  ", FilterText(groups, indices[i]));
    // A Callable may return another result than before; then the leaf may be in no filter's group.
    if (leaf != kNoSlot && groups.group_of_slot[leaf] < groups.filters.size()) {
      absl::StrAppend(&text, " matches ", QuotedPath(def.PathForMessage(def.node_of_leaf(leaf))),
                      ", which belongs to ", FilterText(groups, groups.group_of_slot[leaf]));
    } else if (node != kNoNode) {
      absl::StrAppend(&text, " matches no leaf, only ", QuotedPath(def.PathForMessage(node)));
    } else {
      absl::StrAppend(&text, " matches nothing", SuggestGlob(globs, *FilterAccess::Expr(empty[i])));
    }
  }
  if (indices.size() > empty.size()) {
    absl::StrAppend(&text, "\n  and ", indices.size() - empty.size(), " more");
  }
  return text;
}

// error InvalidArgument: an option is violated. O(filters); for the error that groups are empty,
// O(nodes * filters with empty groups).
absl::Status CheckOptions(const CompiledGroups& groups, const LeafSpecs& leaves,
                          const GroupingOptions& options) {
  if (options.exhaustive && groups.groups.size() > groups.filters.size()) {
    LEAFSTORE_RETURN_IF_ERROR(CheckNoneLeft(leaves.layout(), groups.groups.back()));
  }
  LEAFSTORE_RETURN_IF_ERROR(CheckCounts(groups, leaves.layout(), options.expected_counts));
  std::vector<size_t> empty;
  for (size_t i = 0; i < groups.filters.size(); ++i) {
    if (groups.groups[i].empty()) empty.push_back(i);
  }
  if (empty.empty() || options.allow_empty.value_or(!groups.named)) return absl::OkStatus();
  return absl::InvalidArgumentError(EmptyGroupsText(groups, leaves, empty));
}

}  // namespace

GroupedSlots SlotsByGroup(const SlotSet& held, absl::Span<const uint32_t> group_of_slot,
                          size_t group_count) {
  const auto group_at = [&](uint32_t place) {
    return std::min(size_t{group_of_slot[held.SlotAt(place)]}, group_count);
  };
  GroupedSlots out;
  out.slots.resize(held.size());
  // One more at the front: begins[i + 1] is the next position in group i, at last its end, where
  // the next group begins.
  out.begins.assign(group_count + 3, 0);
  for (uint32_t place = 0; place < held.size(); ++place) ++out.begins[group_at(place) + 2];
  for (size_t i = 2; i < out.begins.size(); ++i) out.begins[i] += out.begins[i - 1];
  for (uint32_t place = 0; place < held.size(); ++place) {
    out.slots[out.begins[group_at(place) + 1]++] = held.SlotAt(place);
  }
  out.begins.pop_back();
  return out;
}

std::string GroupText(bool named, const std::string& name) {
  return named ? absl::StrCat("group '", name, "'") : absl::StrCat("group ", name);
}

absl::StatusOr<CompiledGroups> CompileGroups(const LeafSpecs& leaves, std::vector<Filter> filters,
                                             std::optional<std::vector<std::string>> names,
                                             const GroupingOptions& options) {
  if (leaves.store() != nullptr) {
    LEAFSTORE_RETURN_IF_ERROR(leaves.store()->CheckNoBorrow("partition"));
  }
  for (const Filter& filter : filters) LEAFSTORE_RETURN_IF_ERROR(filter.status());
  CompiledGroups out{.named = names.has_value(), .first_match = options.first_match};
  LEAFSTORE_ASSIGN_OR_RETURN(out.def, leaves.layout().def());
  if (names) {
    out.names = *std::move(names);
  } else {
    for (size_t i = 0; i <= filters.size(); ++i) out.names.push_back(absl::StrCat(i));
  }
  const uint32_t rest =
      out.names.size() > filters.size() ? static_cast<uint32_t>(filters.size()) : kNoGroup;
  out.filters = std::move(filters);
  LEAFSTORE_RETURN_IF_ERROR(Assign(leaves, rest, &out));
  const uint32_t universe = leaves.layout().size();
  const size_t count = out.names.size();
  const GroupedSlots grouped = SlotsByGroup(leaves.slots(), out.group_of_slot, count);
  for (size_t group = 0; group < count; ++group) {
    out.groups.push_back(grouped.SlotsOf(group, universe));
  }
  LEAFSTORE_RETURN_IF_ERROR(CheckNoneLeft(leaves.layout(), grouped.SlotsOf(count, universe)));
  LEAFSTORE_RETURN_IF_ERROR(CheckOptions(out, leaves, options));
  if (leaves.slots().is_all()) return out;
  for (Slot slot = 0; slot < universe; ++slot) {
    if (!leaves.slots().Contains(slot)) out.group_of_slot[slot] = kNoGroup;
  }
  return out;
}

}  // namespace leafstore::internal
