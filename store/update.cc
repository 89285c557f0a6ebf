// ParamStore::Update: a group goes back into its parent.
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/store/param_store.h"
#include "leafstore/store/spec.h"

namespace leafstore {
namespace {

// For each leaf of `group`, its place in `parent`.
// error NotFound or InvalidArgument as ParamStore::Update.
absl::StatusOr<std::vector<uint32_t>> PlacesInParent(const ParamStore& parent,
                                                     const ParamStore& group, SetCheck check) {
  const bool same_layout = parent.layout() == group.layout();
  std::vector<uint32_t> places(group.size());
  std::vector<std::string> unknown;
  std::vector<std::string> different;
  for (uint32_t i = 0; i < group.size(); ++i) {
    uint32_t place = kNoPlace;
    if (same_layout) {
      place = parent.slots().PlaceOf(group.slot(i));
    } else if (const auto slot = parent.layout().Find(group.PathText(i))) {
      place = parent.slots().PlaceOf(*slot);
    }
    places[i] = place;
    if (place == kNoPlace) {
      unknown.push_back(group.PathText(i));
    } else if (check == SetCheck::kSameSpec && !SameSpec(parent.leaf(place), group.leaf(i))) {
      different.push_back(absl::StrCat(group.PathText(i), ": expected ",
                                       SpecToString(parent.leaf(place)), ", found ",
                                       SpecToString(group.leaf(i))));
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
  return places;
}

}  // namespace

absl::Status ParamStore::Update(const ParamStore& group, SetCheck check) {
  LEAFSTORE_RETURN_IF_ERROR(CheckNoBorrow("update from a group"));
  LEAFSTORE_RETURN_IF_ERROR(group.CheckNoBorrow("give a group back"));
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<uint32_t> places,
                             PlacesInParent(*this, group, check));
  for (uint32_t i = 0; i < group.size(); ++i) ReplaceLeaf(places[i], group.leaf(i));
  return absl::OkStatus();
}

absl::Status ParamStore::Update(ParamStore&& group, SetCheck check) {
  LEAFSTORE_RETURN_IF_ERROR(CheckNoBorrow("update from a group"));
  LEAFSTORE_RETURN_IF_ERROR(group.CheckNoBorrow("give a group back"));
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<uint32_t> places,
                             PlacesInParent(*this, group, check));
  std::vector<Leaf> leaves = std::move(group).TakeLeaves();
  for (uint32_t i = 0; i < leaves.size(); ++i) ReplaceLeaf(places[i], std::move(leaves[i]));
  return absl::OkStatus();
}

}  // namespace leafstore
