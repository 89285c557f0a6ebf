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

// The valid forms of a character by its first byte: its length (0: invalid first byte) and the
// range of the second byte. All later bytes are 0x80 to 0xBF.
struct Lead {
  size_t size;
  uint8_t second_min;
  uint8_t second_max;
};

Lead LeadOf(uint8_t byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xC2) return {0, 0, 0};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};  // below are overlong forms
  if (byte == 0xED) return {3, 0x80, 0x9F};  // above are surrogates
  if (byte < 0xF0) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};  // below are overlong forms
  if (byte < 0xF4) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};  // above is over U+10FFFF
  return {0, 0, 0};
}

// Returns the length of the first character of `text`, which is not empty; 0 if it is invalid.
size_t CharacterSize(absl::string_view text) {
  const Lead lead = LeadOf(static_cast<uint8_t>(text[0]));
  if (lead.size <= 1) return lead.size;
  if (text.size() < lead.size) return 0;
  const auto second = static_cast<uint8_t>(text[1]);
  if (second < lead.second_min || second > lead.second_max) return 0;
  for (size_t i = 2; i < lead.size; ++i) {
    if (!IsContinuationByte(text[i])) return 0;
  }
  return lead.size;
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
