// Suggestions for a name that is not there.
//
//   Suggest(".layers[0].wieght", {".layers[0].weight", ".layers[0].bias"});
//                                                     // {".layers[0].weight"}
//   absl::NotFoundError(absl::StrCat("no leaf ", name, DidYouMean(name, names)));
//                                // "no leaf .wieght; did you mean .weight?"
//
// Distance. What the slips cost that make one name of the other: 1 for each byte added, dropped or
// replaced and for each pair of neighbours exchanged, 1/4 for a letter in the wrong case. (Optimal
// string alignment: no byte is part of two slips. Boytsov, "Indexing methods for approximate
// dictionary searching", 2011, section 2.2.)
//
// Near. A candidate is near when its distance is at most a third of the name's length (at least 1,
// at most 8), and shorter than the longer of the two, so that "w" does not suggest "b". The name
// itself is never suggested.
//
// Bounds. Names and candidates over 256 bytes are passed over, and so is what is left of the
// candidates when 2^24 entries of distance tables have been computed: about a tenth of a second,
// whoever chose the names. Within these bounds the answer depends on the set of candidates alone.
//
// This belongs into error messages, a few for each call; not into a loop over all missing paths.
#ifndef LEAFSTORE_CORE_INTERNAL_SUGGEST_H_
#define LEAFSTORE_CORE_INTERNAL_SUGGEST_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace leafstore {

// Longest name or candidate that is looked at, in bytes.
inline constexpr size_t kMaxSuggestionSize = 256;

// The `max` candidates nearest to `name`, nearest first; of equally near ones the first in byte
// order. Candidates may repeat, and are suggested once.
std::vector<std::string> Suggest(absl::string_view name,
                                 absl::Span<const absl::string_view> candidates, size_t max = 3);
std::vector<std::string> Suggest(absl::string_view name, absl::Span<const std::string> candidates,
                                 size_t max = 3);

// The end of an error message: "", "; did you mean .a?" or "; did you mean .a, .b or .c?".
std::string DidYouMean(absl::string_view name, absl::Span<const absl::string_view> candidates,
                       size_t max = 3);
std::string DidYouMean(absl::string_view name, absl::Span<const std::string> candidates,
                       size_t max = 3);

}  // namespace leafstore

#endif  // LEAFSTORE_CORE_INTERNAL_SUGGEST_H_
