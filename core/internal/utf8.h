// UTF-8 as the Unicode standard has it (table 3-7): no overlong forms, no surrogates, nothing over
// U+10FFFF. Names and string values are checked with this before they enter a tree or a file,
// because protobuf and Python refuse anything else.
#ifndef LEAFSTORE_CORE_INTERNAL_UTF8_H_
#define LEAFSTORE_CORE_INTERNAL_UTF8_H_

#include <cstddef>

#include "absl/strings/string_view.h"

namespace leafstore {

// The length in bytes of the longest beginning of `text` that is whole, valid characters.
// O(length).
size_t ValidUtf8PrefixSize(absl::string_view text);

// Whether all of `text` is UTF-8. O(length).
inline bool IsValidUtf8(absl::string_view text) { return ValidUtf8PrefixSize(text) == text.size(); }

}  // namespace leafstore

#endif  // LEAFSTORE_CORE_INTERNAL_UTF8_H_
