#include "leafstore/core/internal/utf8.h"

#include <cstdint>
#include <cstring>

namespace leafstore::internal {
namespace {

// Returns how many bytes of `text` from `at` on are ASCII. Reads eight at a time where possible.
size_t AsciiWords(absl::string_view text, size_t at) {
  constexpr uint64_t kHighBits = 0x8080808080808080u;
  size_t end = at;
  while (text.size() - end >= sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, text.data() + end, sizeof(word));
    if ((word & kHighBits) != 0) break;
    end += sizeof(word);
  }
  return end - at;
}

// Returns the length of the first character of `text`, which is not empty; 0 if it is invalid.
size_t CharacterSize(absl::string_view text) {
  const auto lead = static_cast<uint8_t>(text[0]);
  if (lead < 0x80) return 1;
  const size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return 0;
  uint32_t code = lead & (0x7Fu >> size);
  for (size_t i = 1; i < size; ++i) {
    if (!IsContinuationByte(text[i])) return 0;
    code = code << 6 | (static_cast<uint8_t>(text[i]) & 0x3F);
  }
  constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};  // below are overlong forms
  const bool is_surrogate = code >= 0xD800 && code < 0xE000;
  return code < kSmallest[size] || is_surrogate || code > 0x10FFFF ? 0 : size;
}

}  // namespace

size_t ValidUtf8PrefixSize(absl::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    at += AsciiWords(text, at);
    if (at == text.size()) break;
    const size_t size = CharacterSize(text.substr(at));
    if (size == 0) break;
    at += size;
  }
  return at;
}

}  // namespace leafstore::internal
