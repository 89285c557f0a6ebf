#include "leafstore/tools/present/text.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/types/span.h"

#include "leafstore/core/internal/utf8.h"

namespace leafstore::tools {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

// Control characters, and characters that can make text look like other text: marks and overrides
// of direction, separators of lines, invisible characters. Joiners (U+200C, U+200D) are not among
// them, because some scripts need them.
constexpr Range kEscaped[] = {
    {0, 0x1f},        {0x7f, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},
    {0x115f, 0x1160}, {0x180e, 0x180e}, {0x200b, 0x200b}, {0x200e, 0x200f},
    {0x2028, 0x202e}, {0x2060, 0x206f}, {0x2800, 0x2800}, {0x3164, 0x3164},
    {0xfeff, 0xfeff}, {0xffa0, 0xffa0}, {0xfff9, 0xfffb}, {0xe0000, 0xe00ff}};

#include "leafstore/tools/present/character_widths.inc"

bool IsIn(absl::Span<const Range> ranges, char32_t c) {
  const auto range = std::lower_bound(ranges.begin(), ranges.end(), c,
                                      [](const Range& r, char32_t v) { return r.last < v; });
  return range != ranges.end() && range->first <= c;
}

bool IsPlainAscii(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

struct Character {
  char32_t code;
  size_t size;
};

// Returns the first character of `text`, which must be valid UTF-8 and not empty.
Character FirstOf(absl::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const size_t size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  char32_t code = lead & (0x7f >> size);
  for (size_t i = 1; i < size; ++i) code = code << 6 | (byte(i) & 0x3f);
  return {code, size};
}

void AppendEscape(char32_t c, std::string* out) {
  const auto number = static_cast<uint32_t>(c);
  if (c == '\n' || c == '\r' || c == '\t') {
    absl::StrAppend(out, c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
  } else if (c < 0x100) {
    absl::StrAppend(out, "\\x", absl::Hex(number, absl::kZeroPad2));
  } else if (c < 0x10000) {
    absl::StrAppend(out, "\\u", absl::Hex(number, absl::kZeroPad4));
  } else {
    absl::StrAppend(out, "\\U", absl::Hex(number, absl::kZeroPad8));
  }
}

// Returns the columns of a character, whatever the locale.
size_t WidthOf(char32_t c) {
  if (c < 0x300) return 1;
  if (IsIn(kZeroWidth, c)) return 0;
  return IsIn(kWide, c) ? 2 : 1;
}

// Returns the longest prefix of at most `width` columns.
absl::string_view Beginning(absl::string_view text, size_t width) {
  size_t at = 0;
  while (at < text.size()) {
    const Character c = FirstOf(text.substr(at));
    if (WidthOf(c.code) > width) break;
    width -= WidthOf(c.code);
    at += c.size;
  }
  return text.substr(0, at);
}

// Returns the longest suffix of at most `width` columns.
absl::string_view End(absl::string_view text, size_t width) {
  size_t begin = text.size();
  while (begin > 0) {
    size_t previous = begin - 1;
    while (previous > 0 && internal::IsContinuationByte(text[previous])) --previous;
    const size_t columns = WidthOf(FirstOf(text.substr(previous)).code);
    if (columns > width) break;
    width -= columns;
    begin = previous;
  }
  return text.substr(begin);
}

constexpr absl::string_view kDots = "...";

}  // namespace

std::string Printable(absl::string_view text) {
  if (IsPlainAscii(text)) return std::string(text);
  std::string out;
  while (!text.empty()) {
    size_t valid = internal::ValidUtf8PrefixSize(text);
    while (valid > 0) {
      const Character c = FirstOf(text);
      if (IsIn(kEscaped, c.code)) {
        AppendEscape(c.code, &out);
      } else {
        out.append(text.data(), c.size);
      }
      text.remove_prefix(c.size);
      valid -= c.size;
    }
    if (text.empty()) break;
    AppendEscape(static_cast<unsigned char>(text[0]), &out);
    text.remove_prefix(1);
  }
  return out;
}

std::string PrintableKey(const KeyRef& key) {
  std::string text;
  AppendDottedKey(key, &text);
  if (!text.empty() && (IsPlainAscii(text) || Printable(text) == text)) return text;
  return Printable(Quoted(key.name));
}

std::string PrintablePath(const Path& path) {
  std::string text;
  for (const Key& key : path.keys()) {
    absl::StrAppend(&text, text.empty() ? "" : ".", PrintableKey(key.ref()));
    if (text.size() > kMaxShownPath) return CutEnd(text, kMaxShownPath);
  }
  return text.empty() ? "(root)" : text;
}

std::string PrintableCanonical(absl::string_view canonical) {
  const absl::StatusOr<Path> path = Path::Parse(canonical);
  return path.ok() ? PrintablePath(*path) : Printable(canonical);
}

size_t DisplayWidth(absl::string_view text) {
  if (IsPlainAscii(text)) return text.size();
  size_t width = 0;
  while (!text.empty()) {
    const Character c = FirstOf(text);
    width += WidthOf(c.code);
    text.remove_prefix(c.size);
  }
  return width;
}

std::string CutEnd(absl::string_view text, size_t width) {
  if (DisplayWidth(text) <= width) return std::string(text);
  if (width < kDots.size()) return std::string(Beginning(text, width));
  return absl::StrCat(Beginning(text, width - kDots.size()), kDots);
}

std::string CutMiddle(absl::string_view text, size_t width) {
  if (DisplayWidth(text) <= width) return std::string(text);
  if (width < kDots.size() + 2) return CutEnd(text, width);
  const size_t kept = width - kDots.size();
  // The end of a path is more informative than its beginning.
  return absl::StrCat(Beginning(text, kept / 3), kDots, End(text, kept - kept / 3));
}

std::string HumanBytes(int64_t bytes) {
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  constexpr absl::string_view kUnits[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double number = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  // A value that would be printed as 1024.0 uses the next unit.
  while (number >= 1023.95 && unit + 1 < std::size(kUnits)) {
    number /= 1024;
    ++unit;
  }
  return absl::StrFormat("%.1f %s", number, kUnits[unit]);
}

std::string WithCommas(int64_t number) {
  std::string text = absl::StrCat(number);
  const size_t first_digit = number < 0 ? 1 : 0;
  for (size_t at = text.size(); at > first_digit + 3;) text.insert(at -= 3, 1, ',');
  return text;
}

std::string ShortNumber(double number) { return absl::StrFormat("%.4g", number); }

std::string CountOf(int64_t number, absl::string_view one, absl::string_view many) {
  return absl::StrCat(WithCommas(number), " ", number == 1 ? one : many);
}

}  // namespace leafstore::tools
