#include "leafstore/core/key.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/utf8.h"

namespace leafstore {
namespace {

// The classes of a byte of a name, in an identifier and between quotes.
enum ByteFlag : uint8_t {
  // Allowed in an identifier.
  kIdentifier = 1,
  // Allowed in an identifier, but not as its first byte.
  kDigit = 2,
  // Needs a check when it is quoted; all other bytes are copied.
  kSpecial = 4,
  // Escaped with two characters; other control characters need four (hexadecimal).
  kLetterEscape = 8,
};

constexpr std::array<uint8_t, 256> MakeByteFlags() {
  std::array<uint8_t, 256> flags = {};
  for (int c = 0; c < 256; ++c) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80) {
      flags[c] |= kIdentifier;
    }
    if (c >= '0' && c <= '9') flags[c] |= kIdentifier | kDigit;
    if (c < 0x20 || c == 0x7F) flags[c] |= kSpecial;
  }
  for (char c : {'\n', '\r', '\t', '\\'}) {
    flags[static_cast<uint8_t>(c)] |= kSpecial | kLetterEscape;
  }
  flags['\''] |= kSpecial;
  flags['"'] |= kSpecial;
  flags[0xC2] |= kSpecial;  // the first byte of U+0080 to U+009F
  return flags;
}

constexpr std::array<uint8_t, 256> kByteFlags = MakeByteFlags();

uint8_t FlagsOf(char c) { return kByteFlags[static_cast<uint8_t>(c)]; }

// Returns whether a control character of two bytes (U+0080 to U+009F) begins at `at`.
bool IsTwoByteControl(absl::string_view text, size_t at) {
  return static_cast<uint8_t>(text[at]) == 0xC2 && at + 1 < text.size() &&
         (static_cast<uint8_t>(text[at + 1]) & 0xE0) == 0x80;
}

bool IsPlain(absl::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return (FlagsOf(c) & kSpecial) != 0; });
}

char QuoteOf(absl::string_view text) {
  const auto has = [text](char c) { return text.find(c) != absl::string_view::npos; };
  return has('\'') && !has('"') ? '"' : '\'';
}

// Calls `fn(at, size, escape)` for each character of `text`, of `size` bytes, that is replaced by
// an escape sequence between quotes.
template <typename Fn>
void ForEachEscape(absl::string_view text, char quote, Fn fn) {
  for (size_t at = 0; at < text.size(); ++at) {
    const uint8_t flags = FlagsOf(text[at]);
    if ((flags & kSpecial) == 0) continue;
    const char c = text[at];
    if ((flags & kLetterEscape) != 0 || c == quote) {
      const char escape[2] = {'\\', c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : c};
      fn(at, size_t{1}, absl::string_view(escape, 2));
      continue;
    }
    const size_t size = IsTwoByteControl(text, at) ? 2 : 1;
    if (c == '\'' || c == '"' || (size == 1 && static_cast<uint8_t>(c) == 0xC2)) continue;
    const auto code = static_cast<uint8_t>(text[at + size - 1]);
    constexpr char kDigits[] = "0123456789abcdef";
    const char escape[4] = {'\\', 'x', kDigits[code >> 4], kDigits[code & 15]};
    fn(at, size, absl::string_view(escape, 4));
    at += size - 1;
  }
}

size_t QuotedSize(absl::string_view text) {
  size_t quoted = text.size() + 2;
  if (IsPlain(text)) return quoted;
  ForEachEscape(text, QuoteOf(text), [&quoted](size_t, size_t size, absl::string_view escape) {
    quoted += escape.size() - size;
  });
  return quoted;
}

void AppendQuoted(absl::string_view text, std::string* out) {
  const char quote = QuoteOf(text);
  size_t copied = 0;
  out->push_back(quote);
  if (!IsPlain(text)) {
    ForEachEscape(text, quote, [&](size_t at, size_t size, absl::string_view escape) {
      absl::StrAppend(out, text.substr(copied, at - copied), escape);
      copied = at + size;
    });
  }
  out->append(text.data() + copied, text.size() - copied);
  out->push_back(quote);
}

bool IsIdentifier(absl::string_view name) {
  return !name.empty() && internal::IdentifierPrefixSize(name) == name.size();
}

}  // namespace

namespace internal {

size_t IdentifierPrefixSize(absl::string_view text) {
  if (text.empty() || (FlagsOf(text[0]) & kDigit) != 0) return 0;
  size_t size = 0;
  while (size < text.size() && (FlagsOf(text[size]) & kIdentifier) != 0 &&
         !IsTwoByteControl(text, size)) {
    ++size;
  }
  return size;
}

}  // namespace internal

bool KeyRef::IsValid() const { return kind == KeyKind::kIndex || internal::IsValidUtf8(name); }

std::string Quoted(absl::string_view text) {
  std::string out;
  AppendQuoted(text, &out);
  return out;
}

void AppendKeyText(const KeyRef& key, std::string* out) {
  switch (key.kind) {
    case KeyKind::kAttribute:
      out->push_back('.');
      if (IsIdentifier(key.name)) {
        out->append(key.name.data(), key.name.size());
      } else {
        AppendQuoted(key.name, out);
      }
      return;
    case KeyKind::kItem:
      out->push_back('[');
      AppendQuoted(key.name, out);
      out->push_back(']');
      return;
    case KeyKind::kIndex:
      absl::StrAppend(out, "[", key.index, "]");
      return;
  }
}

void AppendDottedKey(const KeyRef& key, std::string* out) {
  if (key.kind == KeyKind::kIndex) {
    absl::StrAppend(out, key.index);
  } else {
    out->append(key.name.data(), key.name.size());
  }
}

size_t KeyTextSize(const KeyRef& key) {
  switch (key.kind) {
    case KeyKind::kAttribute:
      return 1 + (IsIdentifier(key.name) ? key.name.size() : QuotedSize(key.name));
    case KeyKind::kItem:
      return 2 + QuotedSize(key.name);
    case KeyKind::kIndex:
      return 2 + absl::AlphaNum(key.index).size();
  }
  return 0;
}

}  // namespace leafstore
