// ChooseLeaves: applies LoadOptions, for the readers of all formats.
#ifndef LEAFSTORE_CHECKPOINT_INTERNAL_CHOOSE_LEAVES_H_
#define LEAFSTORE_CHECKPOINT_INTERNAL_CHOOSE_LEAVES_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/checkpoint/load_options.h"
#include "leafstore/store/layout.h"
#include "leafstore/store/slot_set.h"

namespace leafstore::internal {

// The leaves to load, and the Layout and slots of the result.
struct ChosenLeaves {
  std::vector<uint32_t> places;  // in the source, ascending
  Layout layout;
  SlotSet slots;
};

// Returns the leaves at `slots` of `layout` that `options` select. `matched` has the slots that the
// filter matches, if there is a filter. error: see LoadOptions.
absl::StatusOr<ChosenLeaves> ChooseLeaves(const Layout& layout, const SlotSet& slots,
                                          const LoadOptions& options,
                                          const std::optional<SlotSet>& matched);

// Returns the place of the leaf at a canonical path. A path through an alias finds the owner's
// leaf. Does not build an index of the paths, which would cost more than loading one leaf. error
// NotFound: no such path, or its leaf is not at any of `slots`. error InvalidArgument: not a
// canonical path, or that of a container. O(depth * log children) with a TreeDef.
absl::StatusOr<uint32_t> GetPlace(const Layout& layout, const SlotSet& slots,
                                  absl::string_view path);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_CHOOSE_LEAVES_H_
