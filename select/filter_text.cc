// The text form of filters: Filter::Parse and Filter::ToString.
#include <cctype>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

#include "leafstore/core/internal/suggest.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/select/filter.h"
#include "leafstore/select/internal/filter_expr.h"

namespace leafstore {

using internal::FilterExpr;
using Op = internal::FilterExpr::Op;

namespace {

constexpr int kMaxNesting = 200;
constexpr size_t kMaxTextSize = 1 << 16;

constexpr NodeKind kNodeKinds[] = {NodeKind::kLeaf,  NodeKind::kNone,  NodeKind::kDict,
                                   NodeKind::kList,  NodeKind::kTuple, NodeKind::kStruct,
                                   NodeKind::kCustom};
constexpr ValueKind kValueKinds[] = {ValueKind::kBool, ValueKind::kInt, ValueKind::kFloat,
                                     ValueKind::kString, ValueKind::kBytes};

constexpr absl::string_view kPrefixes[] = {"re",   "glob", "dtype", "rank", "bytes",
                                           "kind", "type", "tag",   "has"};

struct CompareText {
  SizeCompare compare;
  absl::string_view text;
};
// Tried in this order, so longer ones come first.
constexpr CompareText kCompares[] = {{SizeCompare::kLessEqual, "<="},
                                     {SizeCompare::kGreaterEqual, ">="},
                                     {SizeCompare::kLess, "<"},
                                     {SizeCompare::kGreater, ">"},
                                     {SizeCompare::kEqual, "="}};

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
    absl::string_view prefix;
    std::string body;
    bool quoted = false;
  };

  absl::StatusOr<Filter> Expression() {
    LEAFSTORE_RETURN_IF_ERROR(Nest(1));
    LEAFSTORE_ASSIGN_OR_RETURN(Filter filter, Term());
    while (TakeKeyword("or")) {
      LEAFSTORE_ASSIGN_OR_RETURN(Filter next, Term());
      filter = filters::Or(std::move(filter), std::move(next));
    }
    --nesting_;
    return filter;
  }

  absl::Status Nest(int levels) {
    nesting_ += levels;
    if (nesting_ <= kMaxNesting) return absl::OkStatus();
    return Error(at_, absl::StrCat("expected at most ", kMaxNesting, " levels of nesting"));
  }

  absl::StatusOr<Filter> Term() {
    LEAFSTORE_ASSIGN_OR_RETURN(Filter filter, Factor());
    while (TakeKeyword("and")) {
      LEAFSTORE_ASSIGN_OR_RETURN(Filter next, Factor());
      filter = filters::And(std::move(filter), std::move(next));
    }
    return filter;
  }

  absl::StatusOr<Filter> Factor() {
    int negations = 0;
    while (TakeKeyword("not")) ++negations;
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
    LEAFSTORE_ASSIGN_OR_RETURN(const Word word, TakeWord());
    if (word.prefix.empty() && !word.quoted) {
      if (word.body == "static") return IsStatic();
      if (word.body == "tensor") return IsTensor();
      if (word.body == "leaf") return IsLeaf();
      if (word.body == "all") return filters::All();
      if (word.body == "and" || word.body == "or") {
        return Error(word.begin, absl::StrCat("expected a filter, found '", word.body, "'"));
      }
      if (word.body.find(':') != std::string::npos) return UnknownPrefix(word);
    }
    if (word.body.empty() && !word.quoted) {
      return Error(word.body_begin, absl::StrCat("expected something after '", word.prefix, ":'"));
    }
    if (word.prefix.empty() || word.prefix == "glob") return Checked(word, Glob(word.body));
    if (word.prefix == "re") return Checked(word, Regex(word.body));
    if (word.prefix == "tag") return HasTag(word.body);
    if (word.prefix == "type") return TypeIs(word.body);
    if (word.prefix == "has") return HasChild(word.body);
    if (word.prefix == "kind") return Kind(word);
    if (word.prefix == "dtype") return DTypeFilter(word);
    if (word.prefix == "rank") return RankFilter(word);
    return BytesFilter(word);
  }

  // Adds the column of the pattern to its error, which has a column within the pattern.
  absl::StatusOr<Filter> Checked(const Word& word, Filter filter) {
    if (filter.status().ok()) return filter;
    return Error(word.body_begin, filter.status().message());
  }

  absl::Status UnknownPrefix(const Word& word) const {
    const std::string prefix = word.body.substr(0, word.body.find(':'));
    return Error(word.begin,
                 absl::StrCat("expected one of the prefixes ", absl::StrJoin(kPrefixes, ":, "),
                              ":, found '", prefix, ":'", internal::DidYouMean(prefix, kPrefixes),
                              "; a glob with a colon is written glob:", word.body));
  }

  absl::StatusOr<Filter> Kind(const Word& word) {
    if (word.body == "tensor") return IsTensor();
    for (const NodeKind kind : kNodeKinds) {
      if (word.body == NodeKindName(kind)) return KindIs(kind);
    }
    for (const ValueKind kind : kValueKinds) {
      if (word.body == ValueKindName(kind)) return ValueIs(kind);
    }
    return Error(word.body_begin,
                 absl::StrCat("expected one of leaf, tensor, bool, int, float, str, bytes, none, "
                              "dict, list, tuple, struct, custom, found '",
                              word.body, "'"));
  }

  absl::StatusOr<Filter> DTypeFilter(const Word& word) {
    const absl::StatusOr<DType> dtype = ParseDType(word.body);
    if (!dtype.ok()) return Error(word.body_begin, dtype.status().message());
    return DTypeIs(*dtype);
  }

  absl::StatusOr<Filter> RankFilter(const Word& word) {
    int rank = 0;
    if (!absl::SimpleAtoi(word.body, &rank) || rank < 0) {
      return Error(word.body_begin, absl::StrCat("expected a rank, found '", word.body, "'"));
    }
    return RankIs(rank);
  }

  absl::StatusOr<Filter> BytesFilter(const Word& word) {
    absl::string_view body = word.body;
    for (const CompareText& known : kCompares) {
      if (!absl::StartsWith(body, known.text)) continue;
      body.remove_prefix(known.text.size());
      if (const std::optional<int64_t> bytes = ParseBytes(body)) {
        return ByteSizeIs(known.compare, *bytes);
      }
      break;
    }
    return Error(word.body_begin,
                 absl::StrCat("expected <, <=, =, >= or > and a number of bytes (64, 4k, 2M, 1G), "
                              "found '",
                              word.body, "'"));
  }

  static std::optional<int64_t> ParseBytes(absl::string_view text) {
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

  absl::StatusOr<Word> TakeWord() {
    Word word;
    word.begin = word.body_begin = at_;
    for (const absl::string_view prefix : kPrefixes) {
      const absl::string_view rest = text_.substr(at_);
      if (absl::StartsWith(rest, prefix) && rest.size() > prefix.size() &&
          rest[prefix.size()] == ':') {
        word.prefix = prefix;
        at_ += prefix.size() + 1;
        word.body_begin = at_;
        break;
      }
    }
    if (at_ < text_.size() && text_[at_] == '"') {
      word.quoted = true;
      LEAFSTORE_ASSIGN_OR_RETURN(word.body, TakeQuoted());
    } else {
      word.body = TakeBare(word.prefix == "re");
    }
    if (at_ < text_.size() && !IsSpace(text_[at_]) && text_[at_] != '(' && text_[at_] != ')') {
      return Error(at_, "expected a space after the closing quote");
    }
    return word;
  }

  // Consumes a word up to a space or parenthesis. A regular expression may contain balanced
  // parentheses.
  std::string TakeBare(bool regex) {
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
  absl::StatusOr<std::string> TakeQuoted() {
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

  bool TakeKeyword(absl::string_view keyword) {
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

// Returns a name or pattern, in quotes if the bare word would be parsed differently.
std::string Quoted(absl::string_view text) {
  const bool bare = text.find_first_of(" \t\r\n()\"") == absl::string_view::npos && !text.empty();
  if (bare) return std::string(text);
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

// Returns the text of a glob, with `glob:` if it looks like a keyword or has a prefix.
std::string GlobText(absl::string_view text) {
  const bool plain = text.find(':') == absl::string_view::npos && text != "static" &&
                     text != "tensor" && text != "leaf" && text != "all" && text != "and" &&
                     text != "or" && text != "not";
  return absl::StrCat(plain ? "" : "glob:", Quoted(text));
}

std::string ToText(const FilterExpr& expr);

// Returns the text of a child, in parentheses if it is an `and` or `or`.
std::string Child(const FilterExpr& expr) {
  const bool compound = expr.op == Op::kAnd || expr.op == Op::kOr;
  return compound ? absl::StrCat("(", ToText(expr), ")") : ToText(expr);
}

absl::string_view CompareName(SizeCompare compare) {
  for (const CompareText& known : kCompares) {
    if (known.compare == compare) return known.text;
  }
  return "?";
}

std::string Chain(const FilterExpr& expr, absl::string_view separator) {
  return absl::StrJoin(expr.children, separator, [](std::string* out, const auto& child) {
    absl::StrAppend(out, Child(*child));
  });
}

std::string ToText(const FilterExpr& expr) {
  switch (expr.op) {
    case Op::kGlob:
      return GlobText(expr.text);
    case Op::kRegex:
      return absl::StrCat("re:", Quoted(expr.text));
    case Op::kDType:
      return absl::StrCat("dtype:", DTypeName(static_cast<DType>(expr.number)));
    case Op::kRank:
      return absl::StrCat("rank:", expr.number);
    case Op::kByteSize:
      return absl::StrCat("bytes:", CompareName(expr.compare), expr.number);
    case Op::kKind:
      return absl::StrCat("kind:", NodeKindName(static_cast<NodeKind>(expr.number)));
    case Op::kValueKind:
      return absl::StrCat("kind:", ValueKindName(static_cast<ValueKind>(expr.number)));
    case Op::kTypeName:
      return absl::StrCat("type:", Quoted(expr.text));
    case Op::kTag:
      return absl::StrCat("tag:", Quoted(expr.text));
    case Op::kHasChild:
      return absl::StrCat("has:", Quoted(expr.text));
    case Op::kStatic:
      return "static";
    case Op::kTensor:
      return "tensor";
    case Op::kLeaf:
      return "leaf";
    case Op::kAll:
      return "all";
    case Op::kCallable:
      return absl::StrCat("<", expr.text, ">");
    case Op::kNot:
      return absl::StrCat("not ", Child(*expr.children[0]));
    case Op::kAnd:
      return Chain(expr, " and ");
    case Op::kOr:
      return Chain(expr, " or ");
  }
  return "";
}

}  // namespace

absl::StatusOr<Filter> Filter::Parse(absl::string_view text) {
  if (text.size() > kMaxTextSize) {
    return absl::InvalidArgumentError(absl::StrCat("filter of ", text.size(),
                                                   " bytes: expected at "
                                                   "most ",
                                                   kMaxTextSize));
  }
  return Parser(text).Run();
}

std::string Filter::ToString() const { return ToText(*expr_); }

}  // namespace leafstore
