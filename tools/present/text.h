// Text for people: made harmless, measured and cut by columns of a terminal, numbers with units.
//
//   Printable("a\x1b[31m");        // "a\x1b[31m" with the escape written out
//   DisplayWidth("\u6a21\u578b");  // 4: two characters of two columns
//   HumanBytes(3'250'585);         // "3.1 MiB"
//
// What stands in a file is not trusted: everything from one that is printed goes through Printable.
#ifndef LEAFSTORE_TOOLS_PRESENT_TEXT_H_
#define LEAFSTORE_TOOLS_PRESENT_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

#include "leafstore/core/key.h"
#include "leafstore/core/path.h"

namespace leafstore::tools {

// `text`, any bytes, as one line of UTF-8 that does nothing to a terminal: control characters,
// those that change the direction of text, and bytes that are no UTF-8 are escaped as Python
// escapes them (`\n`, `\x1b`, `\u202e`). O(length).
std::string Printable(absl::string_view text);

// A key as part of a dotted path: its dotted form where that is harmless, else quoted and escaped
// as in canonical text. An empty key is quoted too.
std::string PrintableKey(const KeyRef& key);

// The dotted form of a path's canonical text; of what is none the text itself.
std::string DottedOfCanonical(absl::string_view canonical);

// A path is shown to about this many bytes: a file can hold paths of megabytes.
inline constexpr size_t kMaxShownPath = 4096;

// A dotted path that is harmless to a terminal: PrintableKey's keys; "(root)" for the root.
std::string PrintablePath(const Path& path);
// The same of canonical text.
std::string PrintableCanonical(absl::string_view canonical);

// Columns that `text`, which must be as Printable returns it, takes on a terminal. O(length).
size_t DisplayWidth(absl::string_view text);

// `text` in at most `width` columns, with `...` for what is left out: at the end, or in the middle.
std::string CutEnd(absl::string_view text, size_t width);
std::string CutMiddle(absl::string_view text, size_t width);

// "512 B", "3.1 MiB"; units of 1024.
std::string HumanBytes(int64_t bytes);
// "1,234,567".
std::string WithCommas(int64_t number);
// Four significant digits.
std::string ShortNumber(double number);
// "1 leaf", "1,234 leaves".
std::string CountOf(int64_t number, absl::string_view one, absl::string_view many);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_PRESENT_TEXT_H_
