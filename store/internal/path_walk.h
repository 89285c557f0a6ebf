// The texts of many paths one after another, in one walk along the structure: each node's key is
// printed once, where asking for one path after another would print that of a common ancestor each
// time. For store/ and checkpoint/ alone.
#ifndef LEAFSTORE_STORE_INTERNAL_PATH_WALK_H_
#define LEAFSTORE_STORE_INTERNAL_PATH_WALK_H_

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "leafstore/store/layout.h"
#include "leafstore/store/slot_set.h"

namespace leafstore::internal {

// Calls `visit` with place and canonical text, valid during the call, of each of these slots in
// order. error ResourceExhausted: a text is longer than Path::kMaxTextSize; those before it were
// visited. O(nodes + the length of what is printed).
absl::Status WalkPaths(const Layout& layout, const SlotSet& slots,
                       absl::FunctionRef<void(uint32_t place, absl::string_view path)> visit);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_STORE_INTERNAL_PATH_WALK_H_
