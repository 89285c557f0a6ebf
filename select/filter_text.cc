// Filter::Parse.
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

#include "leafstore/core/internal/suggest.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/select/filter.h"
#include "leafstore/select/internal/filter_expr.h"

namespace leafstore {
namespace {

constexpr int kMaxNesting = 200;
constexpr size_t kMaxTextSize = 1 << 16;

absl::Status Expected(absl::string_view what, absl::string_view found) {
  return absl::InvalidArgumentError(absl::StrCat("expected ", what, ", found '", found, "'"));
}

absl::StatusOr<Filter> OrError(Filter filter) {
  if (!filter.status().ok()) return filter.status();
  return filter;
}

absl::StatusOr<Filter> ParseKind(absl::string_view name) {
  if (name == "tensor") return IsTensor();
  for (const NodeKind kind : {NodeKind::kLeaf, NodeKind::kNone, NodeKind::kDict, NodeKind::kList,
                              NodeKind::kTuple, NodeKind::kStruct, NodeKind::kCustom}) {
    if (name == NodeKindName(kind)) return KindIs(kind);
  }
  for (const ValueKind kind : {ValueKind::kBool, ValueKind::kInt, ValueKind::kFloat,
                               ValueKind::kString, ValueKind::kBytes}) {
    if (name == ValueKindName(kind)) return ValueIs(kind);
  }
  return Expected(
      "one of leaf, tensor, bool, int, float, str, bytes, none, dict, list, tuple, struct, custom",
      name);
}

absl::StatusOr<Filter> ParseDTypeIs(absl::string_view name) {
  LEAFSTORE_ASSIGN_OR_RETURN(const DType dtype, ParseDType(name));
  return DTypeIs(dtype);
}

absl::StatusOr<Filter> ParseRank(absl::string_view text) {
  int rank = 0;
  if (absl::SimpleAtoi(text, &rank) && rank >= 0) return RankIs(rank);
  return Expected("a rank", text);
}

std::optional<int64_t> ParseBytes(absl::string_view text) {
  int shift = 0;
  if (absl::EndsWith(text, "k")) shift = 10;
  if (absl::EndsWith(text, "M")) shift = 20;
  if (absl::EndsWith(text, "G")) shift = 30;
  if (shift > 0) text.remove_suffix(1);
  int64_t number = 0;
  if (!absl::SimpleAtoi(text, &number) || number < 0 ||
      number > std::numeric_limits<int64_t>::max() >> shift) {
    return std::nullopt;
  }
  return number << shift;
}

absl::StatusOr<Filter> ParseByteSize(absl::string_view text) {
  for (const internal::SizeComparison& known : internal::kSizeComparisons) {
    absl::string_view number = text;
    if (!absl::ConsumePrefix(&number, known.text)) continue;
    if (const auto bytes = ParseBytes(number)) return ByteSizeIs(known.compare, *bytes);
    break;
  }
  return Expected("<, <=, =, >= or > and a number of bytes (64, 4k, 2M, 1G)", text);
}

struct Prefix {
  absl::string_view text;
  absl::StatusOr<Filter> (*parse)(absl::string_view body);
};
constexpr Prefix kPrefixes[] = {
    {"re", [](absl::string_view body) { return OrError(Regex(body)); }},
    {"glob", [](absl::string_view body) { return OrError(Glob(body)); }},
    {"dtype", ParseDTypeIs},
    {"rank", ParseRank},
    {"bytes", ParseByteSize},
    {"kind", ParseKind},
    {"type", [](absl::string_view body) { return OrError(TypeIs(body)); }},
    {"tag", [](absl::string_view body) { return OrError(HasTag(body)); }},
    {"has", [](absl::string_view body) { return OrError(HasChild(body)); }},
};

class Parser {
 public:
  explicit Parser(absl::string_view text) : text_(text) {}

  absl::StatusOr<Filter> Run() {
    LEAFSTORE_ASSIGN_OR_RETURN(Filter filter, Expression());
    SkipSpace();
    if (at_ < text_.size()) return Error(at_, "expected 'and', 'or' or the end");
    return filter;
  }

 private:
  // A word: a known `prefix:` if present, and the body, without quotes.
  struct Word {
    size_t begin = 0;       // in the text
    size_t body_begin = 0;  // in the text
    const Prefix* prefix = nullptr;
    std::string body;
    bool quoted = false;
  };

  absl::StatusOr<Filter> Expression() {
    LEAFSTORE_RETURN_IF_ERROR(Nest(1));
    LEAFSTORE_ASSIGN_OR_RETURN(Filter filter, Chain("or", filters::Or, &Parser::Term));
    --nesting_;
    return filter;
  }

  absl::StatusOr<Filter> Term() { return Chain("and", filters::And, &Parser::Factor); }

  absl::StatusOr<Filter> Chain(absl::string_view keyword, Filter (*combine)(Filter, Filter),
                               absl::StatusOr<Filter> (Parser::*operand)()) {
    LEAFSTORE_ASSIGN_OR_RETURN(Filter filter, (this->*operand)());
    while (ConsumeKeyword(keyword)) {
      LEAFSTORE_ASSIGN_OR_RETURN(Filter next, (this->*operand)());
      filter = combine(std::move(filter), std::move(next));
    }
    return filter;
  }

  absl::Status Nest(int levels) {
    nesting_ += levels;
    if (nesting_ <= kMaxNesting) return absl::OkStatus();
    return Error(at_, absl::StrCat("expected at most ", kMaxNesting, " levels of nesting"));
  }

  absl::StatusOr<Filter> Factor() {
    int negations = 0;
    while (ConsumeKeyword("not")) ++negations;
    LEAFSTORE_RETURN_IF_ERROR(Nest(negations));
    LEAFSTORE_ASSIGN_OR_RETURN(Filter filter, Primary());
    nesting_ -= negations;
    for (; negations > 0; --negations) filter = filters::Not(std::move(filter));
    return filter;
  }

  absl::StatusOr<Filter> Primary() {
    SkipSpace();
    if (at_ == text_.size()) return Error(at_, "expected a filter, found the end");
    if (text_[at_] == ')') return Error(at_, "expected a filter, found ')'");
    if (text_[at_] != '(') return Atom();
    const size_t open = at_++;
    LEAFSTORE_ASSIGN_OR_RETURN(Filter filter, Expression());
    SkipSpace();
    if (at_ == text_.size()) return Error(open, "expected a ')' for this '('");
    if (text_[at_] != ')') return Error(at_, "expected 'and', 'or' or ')'");
    ++at_;
    return filter;
  }

  absl::StatusOr<Filter> Atom() {
    LEAFSTORE_ASSIGN_OR_RETURN(const Word word, ConsumeWord());
    if (word.prefix == nullptr && !word.quoted) {
      for (const internal::FilterWord& known : internal::kFilterWords) {
        if (word.body != known.text) continue;
        if (known.make != nullptr) return known.make();
        return Error(word.begin, absl::StrCat("expected a filter, found '", word.body, "'"));
      }
      if (word.body.find(':') != std::string::npos) return UnknownPrefix(word);
    }
    if (word.body.empty() && !word.quoted) {
      return Error(word.body_begin, absl::StrCat("expected text after '", word.prefix->text, ":'"));
    }
    absl::StatusOr<Filter> filter =
        word.prefix != nullptr ? word.prefix->parse(word.body) : OrError(Glob(word.body));
    // The error may have a column within the pattern.
    if (!filter.ok()) return Error(word.body_begin, filter.status().message());
    return filter;
  }

  absl::Status UnknownPrefix(const Word& word) const {
    std::vector<absl::string_view> known;
    for (const Prefix& prefix : kPrefixes) known.push_back(prefix.text);
    const std::string found = word.body.substr(0, word.body.find(':'));
    return Error(word.begin,
                 absl::StrCat("expected one of the prefixes ", absl::StrJoin(known, ":, "),
                              ":, found '", found, ":'", internal::DidYouMean(found, known),
                              "; a glob with a colon is written glob:", word.body));
  }

  absl::StatusOr<Word> ConsumeWord() {
    Word word;
    word.begin = word.body_begin = at_;
    for (const Prefix& prefix : kPrefixes) {
      absl::string_view rest = text_.substr(at_);
      if (!absl::ConsumePrefix(&rest, prefix.text) || !absl::StartsWith(rest, ":")) continue;
      word.prefix = &prefix;
      word.body_begin = at_ += prefix.text.size() + 1;
      break;
    }
    if (at_ < text_.size() && text_[at_] == '"') {
      word.quoted = true;
      LEAFSTORE_ASSIGN_OR_RETURN(word.body, ConsumeQuoted());
    } else {
      word.body = ConsumeBare(word.prefix != nullptr && word.prefix->text == "re");
    }
    if (at_ < text_.size() && !IsSpace(text_[at_]) && text_[at_] != '(' && text_[at_] != ')') {
      return Error(at_, "expected a space after the closing quote");
    }
    return word;
  }

  // Consumes a word up to a space or parenthesis. A regular expression may contain balanced
  // parentheses.
  std::string ConsumeBare(bool regex) {
    const size_t begin = at_;
    int depth = 0;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (regex && c == '\\' && at_ + 1 < text_.size()) {
        ++at_;
        continue;
      }
      if (IsSpace(c)) break;
      if (c == '(' && !regex) break;
      if (c == ')' && depth == 0) break;
      if (c == '(') ++depth;
      if (c == ')') --depth;
    }
    return std::string(text_.substr(begin, at_ - begin));
  }

  // Consumes a quoted word, in which two quotes stand for one.
  absl::StatusOr<std::string> ConsumeQuoted() {
    const size_t open = at_++;
    std::string body;
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] != '"') {
        body.push_back(text_[at_]);
      } else if (at_ + 1 < text_.size() && text_[at_ + 1] == '"') {
        body.push_back(text_[at_++]);
      } else {
        ++at_;
        return body;
      }
    }
    return Error(open, "expected a closing quote for this one");
  }

  bool ConsumeKeyword(absl::string_view keyword) {
    SkipSpace();
    const absl::string_view rest = text_.substr(at_);
    if (!absl::StartsWith(rest, keyword)) return false;
    if (rest.size() > keyword.size() && !IsSpace(rest[keyword.size()]) &&
        rest[keyword.size()] != '(') {
      return false;
    }
    at_ += keyword.size();
    return true;
  }

  static bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
  void SkipSpace() {
    while (at_ < text_.size() && IsSpace(text_[at_])) ++at_;
  }

  absl::Status Error(size_t offset, absl::string_view what) const {
    return absl::InvalidArgumentError(
        absl::StrCat("filter '", text_, "', column ", offset + 1, ": ", what));
  }

  const absl::string_view text_;
  size_t at_ = 0;
  int nesting_ = 0;
};

}  // namespace

absl::StatusOr<Filter> Filter::Parse(absl::string_view text) {
  if (text.size() > kMaxTextSize) {
    return absl::InvalidArgumentError(
        absl::StrCat("filter of ", text.size(), " bytes: expected at most ", kMaxTextSize));
  }
  return Parser(text).Run();
}

}  // namespace leafstore
