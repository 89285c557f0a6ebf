// UTF-8 as the Unicode standard defines it (table 3-7): no overlong forms, no surrogates, nothing
// above U+10FFFF. Names and string values are checked before they enter a tree or a file, because
// protobuf and Python reject anything else.
#ifndef LEAFSTORE_CORE_INTERNAL_UTF8_H_
#define LEAFSTORE_CORE_INTERNAL_UTF8_H_

#include <cstddef>

#include "absl/strings/string_view.h"

namespace leafstore::internal {

// Returns the length in bytes of the longest prefix of `text` that consists of complete, valid
// characters. O(length).
size_t ValidUtf8PrefixSize(absl::string_view text);

// Returns whether all of `text` is UTF-8. O(length).
inline bool IsValidUtf8(absl::string_view text) { return ValidUtf8PrefixSize(text) == text.size(); }

// Returns whether `c` is a byte of a character, but not its first.
inline bool IsContinuationByte(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CORE_INTERNAL_UTF8_H_
