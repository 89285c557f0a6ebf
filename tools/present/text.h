// Text for people: escaped, measured and cut in columns of a terminal; and numbers with units.
//
//   Printable("a\x1b[31m");        // "a\x1b[31m" with the escape written out
//   DisplayWidth("\u6a21\u578b");  // 4: two characters of two columns
//   HumanBytes(3'250'585);         // "3.1 MiB"
//
// Text from a file is not trusted: Printable is applied to all of it before it is printed.
#ifndef LEAFSTORE_TOOLS_PRESENT_TEXT_H_
#define LEAFSTORE_TOOLS_PRESENT_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

#include "leafstore/core/key.h"
#include "leafstore/core/path.h"

namespace leafstore::tools {

// Returns arbitrary bytes as one line of UTF-8 that is safe for a terminal: control characters,
// characters that change the direction of text, and bytes that are not UTF-8 are escaped as in
// Python (`\n`, `\x1b`, `\u202e`). O(length).
std::string Printable(absl::string_view text);

// Returns a key as part of a dotted path: its dotted form where that is safe, otherwise quoted and
// escaped as in canonical text. An empty key is quoted too.
std::string PrintableKey(const KeyRef& key);

// Paths are cut to about this many bytes: a file can have paths of megabytes.
inline constexpr size_t kMaxShownPath = 4096;

// Returns a dotted path of PrintableKey's keys; "(root)" for the root.
std::string PrintablePath(const Path& path);
// Like PrintablePath, but for canonical text.
std::string PrintableCanonical(absl::string_view canonical);

// Returns the width of `text` in columns of a terminal. `text` must be as Printable returns it.
// O(length).
size_t DisplayWidth(absl::string_view text);

// Cut `text` to at most `width` columns, with `...` at the end, or in the middle.
std::string CutEnd(absl::string_view text, size_t width);
std::string CutMiddle(absl::string_view text, size_t width);

// Returns "512 B" or "3.1 MiB"; units of 1024.
std::string HumanBytes(int64_t bytes);
// Returns "1,234,567".
std::string WithCommas(int64_t number);
// Returns the number with four significant digits.
std::string ShortNumber(double number);
// Returns "1 leaf" or "1,234 leaves".
std::string CountOf(int64_t number, absl::string_view one, absl::string_view many);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_PRESENT_TEXT_H_
