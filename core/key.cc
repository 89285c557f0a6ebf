#include "leafstore/core/key.h"

#include <array>

#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/utf8.h"

namespace leafstore {
namespace {

// How a byte of a name is written in an identifier and between quotes.
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

// How a text is quoted.
struct Quoting {
  char quote;
  size_t size;  // with its quotes
  bool plain;   // contains no escapes
};

Quoting QuotingOf(absl::string_view text) {
  size_t single_quotes = 0;
  size_t extra = 0;
  bool has_double_quote = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const uint8_t flags = FlagsOf(text[i]);
    if ((flags & kSpecial) == 0) continue;
    if (text[i] == '\'') {
      ++single_quotes;
    } else if (text[i] == '"') {
      has_double_quote = true;
    } else if ((flags & kLetterEscape) != 0) {
      extra += 1;
    } else if (static_cast<uint8_t>(text[i]) != 0xC2) {
      extra += 3;
    } else if (IsTwoByteControl(text, i)) {
      extra += 2;
      ++i;
    }
  }
  if (single_quotes > 0 && !has_double_quote) return {'"', text.size() + 2 + extra, extra == 0};
  extra += single_quotes;
  return {'\'', text.size() + 2 + extra, extra == 0};
}

void AppendHexEscape(uint8_t code, std::string* out) {
  constexpr char kDigits[] = "0123456789abcdef";
  const char escape[4] = {'\\', 'x', kDigits[code >> 4], kDigits[code & 15]};
  out->append(escape, sizeof(escape));
}

void AppendLetterEscape(char c, std::string* out) {
  const char escape[2] = {'\\', c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : c};
  out->append(escape, sizeof(escape));
}

// Appends the text between the quotes. Copies runs of bytes that need no escape.
void AppendEscaped(absl::string_view text, char quote, std::string* out) {
  size_t run = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const uint8_t flags = FlagsOf(text[i]);
    if ((flags & kSpecial) == 0) continue;
    const bool is_quote = text[i] == '\'' || text[i] == '"';
    const bool two_bytes = IsTwoByteControl(text, i);
    if (is_quote && text[i] != quote) continue;
    if (static_cast<uint8_t>(text[i]) == 0xC2 && !two_bytes) continue;
    out->append(text.data() + run, i - run);
    if (is_quote || (flags & kLetterEscape) != 0) {
      AppendLetterEscape(text[i], out);
    } else {
      if (two_bytes) ++i;
      AppendHexEscape(static_cast<uint8_t>(text[i]), out);
    }
    run = i + 1;
  }
  out->append(text.data() + run, text.size() - run);
}

bool IsIdentifier(absl::string_view name) {
  return !name.empty() && internal::IdentifierPrefixSize(name) == name.size();
}

size_t IndexTextSize(int64_t index) {
  // As uint64_t, which can hold the magnitude of the least int64_t.
  uint64_t magnitude = static_cast<uint64_t>(index);
  size_t size = 3;  // two brackets and a digit
  if (index < 0) {
    magnitude = 0 - magnitude;
    ++size;
  }
  for (; magnitude >= 10; magnitude /= 10) ++size;
  return size;
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

void AppendQuoted(absl::string_view text, std::string* out) {
  const Quoting quoting = QuotingOf(text);
  out->push_back(quoting.quote);
  if (quoting.plain) {
    out->append(text.data(), text.size());
  } else {
    AppendEscaped(text, quoting.quote, out);
  }
  out->push_back(quoting.quote);
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
      return 1 + (IsIdentifier(key.name) ? key.name.size() : QuotingOf(key.name).size);
    case KeyKind::kItem:
      return 2 + QuotingOf(key.name).size;
    case KeyKind::kIndex:
      return IndexTextSize(key.index);
  }
  return 0;
}

}  // namespace leafstore
