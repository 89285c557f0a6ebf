#include "leafstore/select/internal/rename_rule.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/utf8.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/treedef/internal/path_cursor.h"

namespace leafstore::internal {
namespace {

using Wildcard = GlobPattern::Wildcard;

// The text of an empty key, as in globs.
constexpr absl::string_view kEmptyKey = "''";
// The text of each kind of wildcard.
constexpr absl::string_view kWildcards[] = {"?", "*", "*", "**"};
static_assert(std::size(kWildcards) == static_cast<size_t>(Wildcard::kKeys) + 1);

absl::Status CheckUtf8(absl::string_view name, absl::string_view text) {
  const size_t valid = internal::ValidUtf8PrefixSize(text);
  if (valid == text.size()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(name, ", column ", valid + 1, ": expected UTF-8, found byte 0x",
                   absl::Hex(static_cast<uint8_t>(text[valid]), absl::kZeroPad2)));
}

// Returns the integer that prints as `text`, or nullopt.
std::optional<int64_t> IndexOf(absl::string_view text) {
  int64_t index = 0;
  if (!absl::SimpleAtoi(text, &index) || absl::StrCat(index) != text) return std::nullopt;
  return index;
}

// Returns the key with this text at position `at` of the new path (rename_map.h).
Key KeyOf(absl::string_view text, size_t at, const PathToRename& old) {
  const std::optional<int64_t> index = IndexOf(text);
  if (index) {
    const bool was_item = at < old.path.size() && old.path.keys()[at].kind() == KeyKind::kItem &&
                          IndexOf(old.path.keys()[at].name());
    return was_item ? Key::Item(text) : Key::Index(*index);
  }
  const bool is_item =
      !old.names.empty() && old.names[std::min(at, old.names.size() - 1)] == KeyKind::kItem;
  return is_item ? Key::Item(text) : Key::Attribute(text);
}

// Parses a replacement into the segments of a rule.
class ReplacementParser {
 public:
  ReplacementParser(absl::string_view text, CompiledRename* rule) : text_(text), rule_(*rule) {}

  absl::Status Parse() {
    if (text_.empty()) return Error(0, "expected a key, found no replacement");
    while (true) {
      LEAFSTORE_RETURN_IF_ERROR(ParseSegment());
      if (at_ == text_.size()) break;
      ++at_;  // the dot
      if (at_ == text_.size()) return Error(at_, "expected a key, found the end");
    }
    const size_t count = rule_.wildcards.size();
    if (repeated_ == 0 || repeated_ == count) return absl::OkStatus();
    return Error(at_, absl::StrCat("expected all ", count, " wildcards of the pattern, found ",
                                   repeated_, "; to omit one, refer to them as {1}"));
  }

 private:
  absl::Status ParseSegment() {
    const size_t begin = at_;
    rule_.segments.emplace_back();
    if (text_.substr(at_, 2) == kEmptyKey && (at_ + 2 == text_.size() || text_[at_ + 2] == '.')) {
      at_ += 2;
      rule_.segments.back().emplace_back();  // an empty piece
      return absl::OkStatus();
    }
    for (; at_ < text_.size() && text_[at_] != '.'; ++at_) {
      LEAFSTORE_RETURN_IF_ERROR(ParsePiece());
    }
    CompiledRename::Segment& segment = rule_.segments.back();
    if (segment.empty()) return Error(begin, "expected a key, found an empty one");
    const bool has_keys = std::any_of(segment.begin(), segment.end(), [this](const auto& piece) {
      return piece.wildcard && rule_.wildcards[*piece.wildcard] == Wildcard::kKeys;
    });
    if (!has_keys || segment.size() == 1) return absl::OkStatus();
    return Error(begin, "expected `**`, or its index, alone between dots");
  }

  // Parses one piece, up to its last character.
  absl::Status ParsePiece() {
    const char c = text_[at_];
    switch (c) {
      case '[':
      case ']':
        return Error(at_,
                     "found a bracket; expected the dotted form (layers.0.w), or a backslash "
                     "before a bracket that is part of a key");
      case '{':
        return ParseIndex();
      case '}':
        return Error(at_, "found a brace; expected the index of a wildcard in two, as {1}");
      case '*':
      case '?':
        return ParseWildcard();
      case '\\':
        if (++at_ == text_.size()) {
          return Error(at_ - 1, "expected a character after the backslash, found the end");
        }
        break;
      default:
        break;
    }
    CompiledRename::Segment& segment = rule_.segments.back();
    if (segment.empty() || segment.back().wildcard) segment.emplace_back();
    segment.back().text.push_back(text_[at_]);
    return absl::OkStatus();
  }

  absl::Status ParseIndex() {
    const size_t begin = at_;
    const size_t end = text_.find('}', begin);
    const size_t count = rule_.wildcards.size();
    size_t number = 0;
    if (end == absl::string_view::npos ||
        !absl::SimpleAtoi(text_.substr(begin + 1, end - begin - 1), &number) || number < 1 ||
        number > count) {
      return Error(begin, absl::StrCat("expected the index of one of the pattern's ", count,
                                       " wildcards in braces, as {1}"));
    }
    indexed_ = true;
    at_ = end;
    return AddWildcard(begin, number - 1);
  }

  absl::Status ParseWildcard() {
    const size_t begin = at_;
    if (text_.substr(at_, 2) == "**") ++at_;
    const absl::string_view found = text_.substr(begin, at_ + 1 - begin);
    const size_t number = repeated_++;
    if (number >= rule_.wildcards.size()) {
      return Error(begin, absl::StrCat("expected no more than the pattern's ", number,
                                       " wildcards, found `", found, "`"));
    }
    const absl::string_view expected = kWildcards[static_cast<size_t>(rule_.wildcards[number])];
    if (found == expected) return AddWildcard(begin, number);
    return Error(begin,
                 absl::StrCat("expected the pattern's wildcards in their order, here `", expected,
                              "`, found `", found, "`; for another order, refer to them as {1}"));
  }

  absl::Status AddWildcard(size_t begin, size_t number) {
    if (indexed_ && repeated_ > 0) {
      return Error(begin, "expected wildcards or their indices, found both");
    }
    rule_.segments.back().push_back({{}, number});
    return absl::OkStatus();
  }

  absl::Status Error(size_t at, absl::string_view what) const {
    return absl::InvalidArgumentError(
        absl::StrCat("replacement '", text_, "', column ", at + 1, ": ", what));
  }

  absl::string_view text_;
  CompiledRename& rule_;
  size_t at_ = 0;
  size_t repeated_ = 0;  // the number of wildcards repeated as in the pattern
  bool indexed_ = false;
};

}  // namespace

PathToRename::PathToRename(Path of) : path(std::move(of)) {
  KeyKind last = KeyKind::kAttribute;
  for (const Key& key : path.keys()) {
    AppendDottedKey(key.ref(), &keys.emplace_back());
    if (key.kind() != KeyKind::kIndex) last = key.kind();
    names.push_back(last);
  }
}

absl::StatusOr<CompiledRename> CompiledRename::Parse(absl::string_view pattern,
                                                     absl::string_view replacement) {
  LEAFSTORE_RETURN_IF_ERROR(CheckUtf8("pattern", pattern));
  LEAFSTORE_RETURN_IF_ERROR(CheckUtf8("replacement", replacement));
  CompiledRename rule;
  LEAFSTORE_ASSIGN_OR_RETURN(rule.pattern, GlobPattern::Parse(pattern));
  rule.wildcards = rule.pattern.wildcards();
  LEAFSTORE_RETURN_IF_ERROR(ReplacementParser(replacement, &rule).Parse());
  return rule;
}

absl::StatusOr<std::string> CompiledRename::Rename(const PathToRename& old,
                                                   absl::Span<const GlobPattern::Capture> captures,
                                                   size_t* room) const {
  std::vector<Key> keys;
  bool full = false;
  const auto take = [&](size_t size) {
    full = full || size > *room;
    if (!full) *room -= size;
    return !full;
  };
  for (const Segment& segment : segments) {
    const std::optional<size_t> alone = segment.size() == 1 ? segment[0].wildcard : std::nullopt;
    if (alone && (wildcards[*alone] == Wildcard::kKeys || wildcards[*alone] == Wildcard::kKey)) {
      const GlobPattern::Capture& capture = captures[*alone];
      for (const Key& key : old.path.keys().subspan(capture.first_key, capture.key_count)) {
        if (take(KeyTextSize(key.ref()))) keys.push_back(key);
      }
      continue;
    }
    std::string text;
    for (const Piece& piece : segment) {
      const absl::string_view part = piece.wildcard ? captures[*piece.wildcard].text : piece.text;
      if (take(part.size() + 2)) absl::StrAppend(&text, part);
    }
    if (full) break;
    const bool is_empty_key = segment.size() == 1 && !segment[0].wildcard;
    if (text.empty() && !is_empty_key) {
      return absl::InvalidArgumentError(
          absl::StrCat("key ", keys.size(), " of the new path would be empty"));
    }
    keys.push_back(KeyOf(text, keys.size(), old));
  }
  if (full) return absl::ResourceExhaustedError("the new paths are too long");
  const Path path(std::move(keys));
  std::string text = path.ToString();
  if (text.size() <= Path::kMaxTextSize) return text;
  return PathTooLong(PathForMessage(path));  // it could not be parsed again
}

}  // namespace leafstore::internal
