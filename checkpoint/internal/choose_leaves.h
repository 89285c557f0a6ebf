// Which leaves LoadOptions choose, for the readers of all formats.
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

// Leaves that are loaded, and the dictionary that they make.
struct ChosenLeaves {
  std::vector<uint32_t> places;  // in what is loaded from, ascending
  Layout layout;                 // of the result, with its slots
  SlotSet slots;
};

// Returns what `options` choose of the leaves at `slots` of `layout`. `matched` are the slots
// that the filter takes, where there is one. error: see LoadOptions.
absl::StatusOr<ChosenLeaves> ChooseLeaves(const Layout& layout, const SlotSet& slots,
                                          const LoadOptions& options,
                                          const std::optional<SlotSet>& matched);

// Returns the place of the leaf at a canonical path. A path through an alias finds the owner's.
// Makes no index of the paths: that would cost more than one leaf does. error NotFound: no such path,
// or its leaf is not at any of `slots`. error InvalidArgument: not a canonical path, or that of a
// container. O(depth * log children) with a TreeDef.
absl::StatusOr<uint32_t> GetPlace(const Layout& layout, const SlotSet& slots,
                                  absl::string_view path);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_CHOOSE_LEAVES_H_
