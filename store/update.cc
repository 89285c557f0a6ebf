// ParamStore::Update: a group goes back into its parent.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/store/internal/slot_match.h"
#include "leafstore/store/param_store.h"

namespace leafstore {
namespace {

// For each leaf of `group`, its place in `parent`.
// error NotFound or InvalidArgument as ParamStore::Update.
absl::StatusOr<std::vector<uint32_t>> PlacesInParent(const ParamStore& parent,
                                                     const ParamStore& group, SetCheck check) {
  std::vector<uint32_t> places = internal::SlotsIn(parent.layout(), group);
  std::vector<std::string> unknown;
  std::vector<std::string> different;
  for (uint32_t i = 0; i < group.size(); ++i) {
    places[i] = parent.slots().PlaceOf(places[i]);
    if (places[i] == kNoPlace) {
      unknown.push_back(group.layout().PathForMessage(group.slot(i)));
    } else if (check == SetCheck::kSameSpec &&
               !(parent.leaf(places[i]).spec() == group.leaf(i).spec())) {
      different.push_back(absl::StrCat(group.layout().PathForMessage(group.slot(i)), ": expected ",
                                       parent.leaf(places[i]).spec().ToString(), ", found ",
                                       group.leaf(i).spec().ToString()));
    }
  }
  if (!unknown.empty()) {
    return absl::NotFoundError(
        absl::StrCat("the group has ", unknown.size(),
                     " path(s) that are not in this store: ", absl::StrJoin(unknown, ", ")));
  }
  if (!different.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the group has ", different.size(),
                     " leaves of another dtype or shape: ", absl::StrJoin(different, "; ")));
  }
  if (parent.layout() == group.layout()) return places;
  // A path and an alias of it.
  std::vector<uint32_t> sorted = places;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice == sorted.end()) return places;
  return absl::InvalidArgumentError(
      absl::StrCat("the group has two paths that both lead to ",
                   parent.layout().PathForMessage(parent.slot(*twice)), " in this store"));
}

}  // namespace

absl::Status ParamStore::Update(const ParamStore& group, SetCheck check) {
  LEAFSTORE_RETURN_IF_ERROR(CheckNoBorrow("update from a group"));
  LEAFSTORE_RETURN_IF_ERROR(group.CheckNoBorrow("give a group back"));
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<uint32_t> places,
                             PlacesInParent(*this, group, check));
  const bool same_spec = check == SetCheck::kSameSpec;
  for (uint32_t i = 0; i < group.size(); ++i) ReplaceLeaf(places[i], group.leaf(i), same_spec);
  return absl::OkStatus();
}

absl::Status ParamStore::Update(ParamStore&& group, SetCheck check) {
  LEAFSTORE_RETURN_IF_ERROR(CheckNoBorrow("update from a group"));
  if (&group == this) return absl::OkStatus();
  LEAFSTORE_RETURN_IF_ERROR(group.CheckNoBorrow("give a group back"));
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<uint32_t> places,
                             PlacesInParent(*this, group, check));
  std::vector<Leaf> leaves = std::move(group).TakeLeaves();
  const bool same_spec = check == SetCheck::kSameSpec;
  for (uint32_t i = 0; i < leaves.size(); ++i) {
    ReplaceLeaf(places[i], std::move(leaves[i]), same_spec);
  }
  return absl::OkStatus();
}

}  // namespace leafstore
