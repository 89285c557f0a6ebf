#include "leafstore/store/match_dotted.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "leafstore/core/status_macros.h"

namespace leafstore {
namespace {

struct Match {
  Slot slot;
  uint32_t place;  // in the store
};

// By growing slot.
absl::StatusOr<std::vector<Match>> Matches(const ParamStore& store, const Layout& layout) {
  std::vector<Match> matches;
  matches.reserve(store.size());
  std::vector<std::string> unknown;
  for (uint32_t place = 0; place < store.size(); ++place) {
    const absl::StatusOr<Slot> slot = layout.FindDotted(store.layout().Dotted(store.slot(place)));
    if (slot.ok()) {
      matches.push_back({*slot, place});
    } else if (absl::IsNotFound(slot.status())) {
      unknown.emplace_back(slot.status().message());
    } else {
      return slot.status();
    }
  }
  if (!unknown.empty()) {
    return absl::NotFoundError(
        absl::StrCat("expected every leaf to be one of the model by its dotted form, found ",
                     unknown.size(), " that are not: ", absl::StrJoin(unknown, "; ")));
  }
  std::sort(matches.begin(), matches.end(),
            [](const Match& a, const Match& b) { return a.slot < b.slot; });
  return matches;
}

}  // namespace

absl::StatusOr<ParamStore> MatchDotted(const ParamStore& store, const Layout& layout) {
  LEAFSTORE_RETURN_IF_ERROR(store.CheckNoBorrow("match by dotted form"));
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<Match> matches, Matches(store, layout));
  const auto twice =
      std::adjacent_find(matches.begin(), matches.end(),
                         [](const Match& a, const Match& b) { return a.slot == b.slot; });
  if (twice != matches.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected one leaf for ", layout.PathForMessage(twice->slot), ", found ",
                     store.layout().PathForMessage(store.slot(twice[0].place)), " and ",
                     store.layout().PathForMessage(store.slot(twice[1].place))));
  }
  std::vector<Slot> slots;
  std::vector<Leaf> leaves;
  for (const Match& match : matches) {
    slots.push_back(match.slot);
    leaves.push_back(store.leaf(match.place));
  }
  return ParamStore::FromParts(layout, SlotSet::FromSorted(layout.size(), std::move(slots)),
                               std::move(leaves));
}

}  // namespace leafstore
