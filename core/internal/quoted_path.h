// QuotedPath: quotes the text of a path in a message.
#ifndef LEAFSTORE_CORE_INTERNAL_QUOTED_PATH_H_
#define LEAFSTORE_CORE_INTERNAL_QUOTED_PATH_H_

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace leafstore::internal {

// Returns canonical or dotted text in quotes, or unchanged if it contains quotes: 'a.b', but
// ['a']['b'].
inline std::string QuotedPath(absl::string_view text) {
  const bool has_quotes = text.find_first_of("'\"") != absl::string_view::npos;
  return has_quotes ? std::string(text) : absl::StrCat("'", text, "'");
}

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CORE_INTERNAL_QUOTED_PATH_H_
