// Suggestions for a name that does not exist.
//
//   Suggest(".layers[0].wieght", {".layers[0].weight", ".layers[0].bias"});
//                                                     // {".layers[0].weight"}
//   absl::NotFoundError(absl::StrCat("no leaf ", name, DidYouMean(name, names)));
//                                // "no leaf .wieght; did you mean .weight?"
//
// Distance. The cost of the edits that turn one name into the other: 1 for each byte inserted,
// deleted or replaced and for each swap of neighbours, 1/4 for a letter in the wrong case. (Optimal
// string alignment: no byte is part of two edits. Boytsov, "Indexing methods for approximate
// dictionary searching", 2011, section 2.2.)
//
// Threshold. A candidate is suggested if its distance is at most a third of the name's length (at
// least 1, at most 8), and less than the length of the longer name, so that "w" does not suggest
// "b". The name itself is never suggested.
//
// Bounds. Names and candidates over 256 bytes are skipped, and so are the remaining candidates once
// 2^24 table entries have been computed: about a tenth of a second, even for hostile names. Within
// these bounds the result depends only on the set of candidates.
//
// Use this in error messages, a few times per call; not in a loop over all missing paths.
#ifndef LEAFSTORE_CORE_INTERNAL_SUGGEST_H_
#define LEAFSTORE_CORE_INTERNAL_SUGGEST_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace leafstore::internal {

// The longest name or candidate that is considered, in bytes.
inline constexpr size_t kMaxSuggestionSize = 256;

// Returns up to `max` candidates by ascending distance to `name`, then in byte order. A candidate
// that occurs several times is suggested once.
std::vector<std::string> Suggest(absl::string_view name,
                                 absl::Span<const absl::string_view> candidates, size_t max = 3);

// Returns the end of an error message: "", "; did you mean .a?" or "; did you mean .a, .b or .c?".
std::string DidYouMean(absl::string_view name, absl::Span<const absl::string_view> candidates);
std::string DidYouMean(absl::string_view name, absl::Span<const std::string> candidates);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CORE_INTERNAL_SUGGEST_H_
