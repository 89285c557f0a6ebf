#include "leafstore/core/internal/utf8.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace leafstore {
namespace {

// Returns the UTF-8 encoding of any code point, including those that are not allowed.
std::string Encode(uint32_t code) {
  std::string out;
  const auto tail = [code](int shift) {
    return static_cast<char>(0x80 | ((code >> shift) & 0x3F));
  };
  if (code < 0x80) {
    out = {static_cast<char>(code)};
  } else if (code < 0x800) {
    out = {static_cast<char>(0xC0 | (code >> 6)), tail(0)};
  } else if (code < 0x10000) {
    out = {static_cast<char>(0xE0 | (code >> 12)), tail(6), tail(0)};
  } else {
    out = {static_cast<char>(0xF0 | (code >> 18)), tail(12), tail(6), tail(0)};
  }
  return out;
}

TEST(Utf8Test, EmptyText_IsValid) { EXPECT_TRUE(internal::IsValidUtf8("")); }

TEST(Utf8Test, EveryCodePoint_IsValidExceptSurrogates) {
  for (uint32_t code = 0; code < 0x200000; ++code) {
    const bool valid = code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
    ASSERT_EQ(internal::IsValidUtf8(Encode(code)), valid) << std::hex << code;
  }
}

TEST(Utf8Test, OverlongForms_AreInvalid) {
  for (const char* text : {"\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xE0\x9F\xBF",
                           "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF"}) {
    EXPECT_FALSE(internal::IsValidUtf8(text)) << testing::PrintToString(text);
  }
}

TEST(Utf8Test, InvalidFirstBytes_AreRejected) {
  for (int byte = 0x80; byte < 0x100; ++byte) {
    const std::string text = {static_cast<char>(byte)};
    EXPECT_FALSE(internal::IsValidUtf8(text)) << std::hex << byte;
    EXPECT_FALSE(internal::IsValidUtf8(text + "aaa")) << std::hex << byte;
  }
}

TEST(Utf8Test, ValidPrefix_EndsBeforeATruncatedCharacter) {
  const std::string text = "0123456789é层😀";
  for (size_t size = 0; size <= text.size(); ++size) {
    size_t full = size <= 10 ? size : size < 12 ? 10 : size < 15 ? 12 : size < 19 ? 15 : 19;
    EXPECT_EQ(internal::ValidUtf8PrefixSize(absl::string_view(text).substr(0, size)), full) << size;
  }
}

TEST(Utf8Test, ValidPrefix_EndsAtTheFirstInvalidByte) {
  for (size_t at = 0; at < 40; ++at) {
    std::string text(40, 'a');
    text[at] = '\xFF';
    EXPECT_EQ(internal::ValidUtf8PrefixSize(text), at);
  }
}

}  // namespace
}  // namespace leafstore
