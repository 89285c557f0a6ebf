#include "leafstore/core/path.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/utf8.h"
#include "leafstore/core/status_macros.h"

namespace leafstore {
namespace {

using internal::IsContinuationByte;

// The length of the excerpt that an error message shows around its column.
constexpr size_t kExcerptBefore = 60;
constexpr size_t kExcerptAfter = 20;

// Returns the excerpt of `text` around `at`, quoted, for a message. `text` is UTF-8.
std::string Excerpt(absl::string_view text, size_t at) {
  size_t begin = at - std::min(at, kExcerptBefore);
  size_t end = std::min(text.size(), at + kExcerptAfter);
  while (begin > 0 && IsContinuationByte(text[begin])) --begin;
  while (end < text.size() && IsContinuationByte(text[end])) ++end;
  return absl::StrCat(begin > 0 ? "..." : "", Quoted(text.substr(begin, end - begin)),
                      end < text.size() ? "..." : "");
}

// Returns the character of `text` that begins at `at`, quoted, for a message. `text` is UTF-8.
std::string CharacterAt(absl::string_view text, size_t at) {
  if (at == text.size()) return "end of text";
  size_t end = at + 1;
  while (end < text.size() && IsContinuationByte(text[end])) ++end;
  return Quoted(text.substr(at, end - at));
}

// Parses canonical text key by key. It accepts slightly more than canonical text, then prints each
// key and compares: so it accepts exactly what printing produces, whatever the quoting rules are.
class Parser {
 public:
  explicit Parser(absl::string_view text) : text_(text) {}

  absl::StatusOr<std::vector<Key>> Parse() {
    if (size_t valid = internal::ValidUtf8PrefixSize(text_); valid != text_.size()) {
      return InvalidUtf8(valid);
    }
    std::vector<Key> keys;
    while (at_ < text_.size()) {
      const size_t begin = at_;
      LEAFSTORE_ASSIGN_OR_RETURN(KeyRef key, ParseKey());
      LEAFSTORE_RETURN_IF_ERROR(CheckCanonical(key, begin));
      keys.emplace_back(key);
    }
    return keys;
  }

 private:
  // Parses the key at `at_` and moves `at_` past it. The name points into `text_` or `name_`.
  absl::StatusOr<KeyRef> ParseKey() {
    if (Skip('.')) return ParseAttribute();
    if (!Skip('[')) return Error("'.' or '['");
    KeyRef key;
    if (AtQuote()) {
      LEAFSTORE_ASSIGN_OR_RETURN(absl::string_view name, ParseQuoted());
      key = KeyRef::Item(name);
    } else {
      LEAFSTORE_ASSIGN_OR_RETURN(int64_t index, ParseIndex());
      key = KeyRef::Index(index);
    }
    if (!Skip(']')) return Error("']'");
    return key;
  }

  absl::StatusOr<KeyRef> ParseAttribute() {
    if (AtQuote()) {
      LEAFSTORE_ASSIGN_OR_RETURN(absl::string_view name, ParseQuoted());
      return KeyRef::Attribute(name);
    }
    const size_t size = internal::IdentifierPrefixSize(text_.substr(at_));
    if (size == 0) return Error("an identifier or a quoted name");
    at_ += size;
    return KeyRef::Attribute(text_.substr(at_ - size, size));
  }

  absl::StatusOr<int64_t> ParseIndex() {
    const size_t begin = at_;
    if (at_ < text_.size() && text_[at_] == '-') ++at_;
    const size_t digits = at_;
    while (at_ < text_.size() && absl::ascii_isdigit(static_cast<unsigned char>(text_[at_]))) ++at_;
    if (at_ == digits) return Error(digits == begin ? "an integer or a quoted name" : "a digit");
    int64_t index = 0;
    const auto result = std::from_chars(text_.data() + begin, text_.data() + at_, index);
    if (result.ec != std::errc()) return ErrorAt(begin, "a 64-bit integer", "one out of range");
    return index;
  }

  // Parses a quoted string and returns its contents without quotes and escapes.
  absl::StatusOr<absl::string_view> ParseQuoted() {
    const char quote = text_[at_++];
    const size_t begin = at_;
    name_.clear();
    while (true) {
      const size_t run = at_;
      while (at_ < text_.size() && text_[at_] != quote && text_[at_] != '\\') ++at_;
      if (at_ == text_.size())
        return Error(absl::StrCat("the closing quote ", Quoted({&quote, 1})));
      const absl::string_view plain = text_.substr(run, at_ - run);
      if (text_[at_] == quote) {
        ++at_;
        if (run == begin) return plain;  // nothing was escaped
        name_.append(plain.data(), plain.size());
        return name_;
      }
      name_.append(plain.data(), plain.size());
      LEAFSTORE_RETURN_IF_ERROR(ParseEscape());
    }
  }

  // Parses an escape sequence and appends its character to `name_`.
  absl::Status ParseEscape() {
    constexpr absl::string_view kLetters = "\\'nrt";
    constexpr absl::string_view kMeanings = "\\'\n\r\t";
    const size_t begin = at_++;
    const char letter = at_ < text_.size() ? text_[at_] : '\0';
    if (letter == 'x') return ParseHexEscape(begin);
    const size_t found = kLetters.find(letter);
    if (found == absl::string_view::npos) return Error("one of \\ ' n r t x after a backslash");
    name_.push_back(kMeanings[found]);
    ++at_;
    return absl::OkStatus();
  }

  // Parses the rest of an escape sequence after its `x`. The sequence begins at `begin`.
  absl::Status ParseHexEscape(size_t begin) {
    const absl::string_view digits = text_.substr(++at_, 2);
    unsigned code = 0;
    const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    at_ += static_cast<size_t>(result.ptr - digits.data());
    if (result.ptr != digits.data() + 2) return Error("a hex digit");
    if (code >= 0xA0) {
      return ErrorAt(begin, "the character itself (only control characters are escaped)",
                     "an escape sequence");
    }
    if (code >= 0x80) name_.push_back('\xC2');
    name_.push_back(static_cast<char>(code));
    return absl::OkStatus();
  }

  // Returns an error unless the text from `begin` to `at_` is the canonical text of `key`.
  absl::Status CheckCanonical(const KeyRef& key, size_t begin) {
    const absl::string_view found = text_.substr(begin, at_ - begin);
    canonical_.clear();
    AppendKeyText(key, &canonical_);
    if (canonical_ == found) return absl::OkStatus();
    // Neither is a prefix of the other, because both are complete keys.
    size_t same =
        std::mismatch(found.begin(), found.end(), canonical_.begin(), canonical_.end()).first -
        found.begin();
    while (same > 0 && same < found.size() && IsContinuationByte(found[same])) --same;
    return ErrorAt(begin + same,
                   absl::StrCat(CharacterAt(canonical_, same), " (the canonical spelling)"),
                   CharacterAt(text_, begin + same));
  }

  bool Skip(char c) {
    const bool here = at_ < text_.size() && text_[at_] == c;
    if (here) ++at_;
    return here;
  }
  bool AtQuote() const { return at_ < text_.size() && (text_[at_] == '\'' || text_[at_] == '"'); }

  absl::Status Error(absl::string_view expected) const {
    return ErrorAt(at_, expected, CharacterAt(text_, at_));
  }
  absl::Status ErrorAt(size_t at, absl::string_view expected, absl::string_view found) const {
    return absl::InvalidArgumentError(absl::StrCat("not the text of a path: column ", at + 1,
                                                   ": expected ", expected, ", found ", found, ": ",
                                                   Excerpt(text_, at)));
  }
  absl::Status InvalidUtf8(size_t at) const {
    return absl::InvalidArgumentError(
        absl::StrCat("not the text of a path: column ", at + 1, ": expected UTF-8, found byte 0x",
                     absl::Hex(static_cast<uint8_t>(text_[at]), absl::kZeroPad2), ": ",
                     Excerpt(text_.substr(0, at), at)));
  }

  absl::string_view text_;
  size_t at_ = 0;
  std::string name_;       // of the key being read, if it had escapes
  std::string canonical_;  // the text of the key just read
};

// Longer texts are not typed by hand and get no suggestion.
constexpr size_t kMaxHintSize = 200;

// Returns the key of one part of a dotted text; digits are an index. Returns nullopt for a part
// that cannot occur in a dotted text.
std::optional<Key> KeyOfDottedPart(absl::string_view part) {
  if (part.empty() || part.find_first_of("'\"\\]") != absl::string_view::npos) return std::nullopt;
  int64_t index = 0;
  if (absl::SimpleAtoi(part, &index) && absl::StrCat(index) == part) return Key::Index(index);
  return Key::Attribute(part);
}

// Returns the keys of a text in dotted form, which may also have indices in brackets
// (`layers[0].weight`).
std::optional<std::vector<Key>> KeysOfDotted(absl::string_view text) {
  std::vector<Key> keys;
  size_t at = absl::StartsWith(text, ".") ? 1 : 0;
  while (true) {
    if (at < text.size() && text[at] == '[') {
      const size_t end = text.find(']', at);
      if (end == absl::string_view::npos) return std::nullopt;
      absl::StatusOr<std::vector<Key>> key = Parser(text.substr(at, end + 1 - at)).Parse();
      if (!key.ok()) return std::nullopt;
      keys.push_back(std::move((*key)[0]));
      at = end + 1;
    } else {
      const size_t end = std::min(text.find_first_of(".[", at), text.size());
      std::optional<Key> key = KeyOfDottedPart(text.substr(at, end - at));
      if (!key) return std::nullopt;
      keys.push_back(*std::move(key));
      at = end;
    }
    if (at == text.size()) return keys;
    if (text[at] == '.') ++at;
  }
}

// Returns the end of a message about an invalid path: for dotted text, the canonical paths that it
// may stand for, through structs and through dicts.
std::string DottedHint(absl::string_view text) {
  if (text.size() > kMaxHintSize || !internal::IsValidUtf8(text)) return "";
  std::optional<std::vector<Key>> keys = KeysOfDotted(text);
  if (!keys) return "";
  const std::string attributes = Path(*keys).ToString();
  for (Key& key : *keys) {
    if (key.kind() == KeyKind::kAttribute) key = Key::Item(key.name());
  }
  const std::string items = Path(*std::move(keys)).ToString();
  return absl::StrCat("; did you mean ", attributes, items == attributes ? "" : " or ",
                      items == attributes ? "" : items, "?");
}

}  // namespace

absl::StatusOr<Path> Path::Parse(absl::string_view text) {
  if (text.size() > kMaxTextSize) {
    return absl::ResourceExhaustedError(absl::StrCat("the text of a path has ", text.size(),
                                                     " bytes; the limit is ", kMaxTextSize));
  }
  absl::StatusOr<std::vector<Key>> keys = Parser(text).Parse();
  if (keys.ok()) return Path(*std::move(keys));
  return absl::Status(keys.status().code(),
                      absl::StrCat(keys.status().message(), DottedHint(text)));
}

Path& Path::Append(Key key) & {
  keys_.push_back(std::move(key));
  return *this;
}

std::string Path::ToString() const {
  std::string out;
  size_t size = 0;
  for (const Key& key : keys_) size += KeyTextSize(key.ref());
  out.reserve(size);
  for (const Key& key : keys_) AppendKeyText(key.ref(), &out);
  return out;
}

std::string Path::ToText(PathForm form) const {
  if (form == PathForm::kCanonical) return ToString();
  std::string out;
  for (size_t i = 0; i < keys_.size(); ++i) {
    if (i > 0) out.push_back(form == PathForm::kSlash ? '/' : '.');
    AppendDottedKey(keys_[i].ref(), &out);
  }
  return out;
}

}  // namespace leafstore
