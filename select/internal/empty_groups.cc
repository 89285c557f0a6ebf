#include "leafstore/select/internal/empty_groups.h"

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

#include "leafstore/select/internal/filter_evaluator.h"
#include "leafstore/select/internal/filter_expr.h"
#include "leafstore/select/internal/glob_suggestions.h"

namespace leafstore::internal {
namespace {

// The first leaf below a match of a filter with an empty group, which belongs to another filter, or
// else the first node that it matches.
struct FirstMatch {
  Slot taken = kNoSlot;
  NodeId node = kNoNode;
};

class FirstMatches {
 public:
  FirstMatches(const TreeDef& def, const LeafSpecs& leaves, absl::Span<const Filter> filters,
               GroupingRule rule)
      : def_(def), slots_(leaves.slots()), rule_(rule), found_(filters.size()) {
    FilterEvaluator evaluator(def, leaves, filters);
    for (NodeId node = kRootNode; node < def.node_count() && evaluator.status().ok(); ++node) {
      if (def.kind(node) == NodeKind::kAlias) continue;
      evaluator.Enter(node);
      for (size_t i = 0; i < filters.size(); ++i) {
        if (found_[i].taken == kNoSlot && evaluator.Matches(i)) Note(node, &found_[i]);
      }
    }
  }

  const FirstMatch& operator[](size_t filter) const { return found_[filter]; }

 private:
  void Note(NodeId node, FirstMatch* match) const {
    if (match->node == kNoNode) match->node = node;
    if (rule_ == GroupingRule::kFirstMatch && def_.kind(node) != NodeKind::kLeaf) return;
    const Slot end = def_.leaf_begin(def_.end(node));
    for (Slot slot = def_.leaf_begin(node); slot < end && match->taken == kNoSlot; ++slot) {
      if (slots_.Contains(slot)) match->taken = slot;
    }
  }

  const TreeDef& def_;
  const SlotSet& slots_;
  const GroupingRule rule_;
  std::vector<FirstMatch> found_;
};

// Returns "; did you mean ...?" for the first glob in an expression that has suggestions.
std::string NearGlob(const GlobSuggestions& globs, const FilterExpr& expr) {
  if (expr.glob) return globs.DidYouMean(*expr.glob);
  for (const auto& child : expr.children) {
    std::string near = NearGlob(globs, *child);
    if (!near.empty()) return near;
  }
  return "";
}

}  // namespace

absl::Status CheckNoEmptyGroups(const TreeDef& def, const LeafSpecs& leaves,
                                absl::Span<const Filter> filters, GroupingRule rule,
                                absl::Span<const SlotSet> groups,
                                absl::Span<const uint32_t> group_of_slot,
                                absl::Span<const std::string> names) {
  constexpr size_t kMostNamed = 10;
  std::vector<size_t> numbers;
  std::vector<Filter> idle;
  for (size_t i = 0; i < filters.size(); ++i) {
    if (!groups[i].empty()) continue;
    numbers.push_back(i);
    if (idle.size() < kMostNamed) idle.push_back(filters[i]);
  }
  if (idle.empty()) return absl::OkStatus();
  const FirstMatches matches(def, leaves, idle, rule);
  const GlobSuggestions globs = GlobSuggestions::Of(def);
  std::string text = absl::StrCat("partition: expected every filter to take a leaf, found ",
                                  numbers.size(), " that took none:");
  const auto name = [&](size_t filter) {
    const std::string group =
        names.empty() ? absl::StrCat(filter) : absl::StrCat("of group '", names[filter], "'");
    return absl::StrCat("filter ", group, " (", filters[filter].ToString(), ")");
  };
  for (size_t i = 0; i < idle.size(); ++i) {
    const FirstMatch& match = matches[i];
    absl::StrAppend(&text, "\n  ", name(numbers[i]));
    // A Callable may return another result than before; then the leaf may be in no filter's group.
    if (match.taken != kNoSlot && group_of_slot[match.taken] < filters.size()) {
      absl::StrAppend(&text, " matches '", def.PathForMessage(def.node_of_leaf(match.taken)),
                      "', which ", name(group_of_slot[match.taken]), " took");
    } else if (match.node != kNoNode) {
      absl::StrAppend(&text, " matches no leaf, only '", def.PathForMessage(match.node), "'");
    } else {
      absl::StrAppend(&text, " matches nothing", NearGlob(globs, *FilterAccess::Expr(idle[i])));
    }
  }
  if (numbers.size() > idle.size()) {
    absl::StrAppend(&text, "\n  and ", numbers.size() - idle.size(), " more");
  }
  return absl::InvalidArgumentError(text);
}

}  // namespace leafstore::internal
