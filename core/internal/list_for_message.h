// ListForMessage: lists a limited count of names in an error message.
//
//   ListForMessage({"a", "b", "c"});          // "a, b, c"
//   ListForMessage({"a", "b", "c", "d"}, 2);  // "a, b and 2 more"
#ifndef LEAFSTORE_CORE_INTERNAL_LIST_FOR_MESSAGE_H_
#define LEAFSTORE_CORE_INTERNAL_LIST_FOR_MESSAGE_H_

#include <algorithm>
#include <cstddef>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace leafstore::internal {

// The maximum count of names in a message by default.
inline constexpr size_t kMaxListed = 10;

// Returns up to `max` of the entries, which absl::StrAppend must accept, and how many more exist.
// `total` is the count of all entries if `entries` has only some of them.
template <typename T>
std::string ListForMessage(absl::Span<const T> entries, size_t max = kMaxListed, size_t total = 0) {
  const size_t listed = std::min(entries.size(), max);
  const size_t more = std::max(entries.size(), total) - listed;
  return absl::StrCat(absl::StrJoin(entries.subspan(0, listed), ", "),
                      more > 0 ? absl::StrCat(listed > 0 ? " and " : "", more, " more") : "");
}
inline std::string ListForMessage(absl::Span<const std::string> entries, size_t max = kMaxListed,
                                  size_t total = 0) {
  return ListForMessage<std::string>(entries, max, total);
}

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CORE_INTERNAL_LIST_FOR_MESSAGE_H_
