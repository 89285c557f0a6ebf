// FilterExpr: the expression behind a Filter.
#ifndef LEAFSTORE_SELECT_INTERNAL_FILTER_EXPR_H_
#define LEAFSTORE_SELECT_INTERNAL_FILTER_EXPR_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "re2/re2.h"

#include "leafstore/select/filter.h"
#include "leafstore/select/internal/glob.h"

namespace leafstore::internal {

struct FilterExpr {
  // The limit of nested levels of `and`, `or` and `not`, as code that walks expressions recurses. A
  // chain of `and` or of `or` is one level.
  static constexpr int kMaxLevels = 1000;

  enum class Op : uint8_t { kGlob, kRegex, kPredicate, kAnd, kOr, kNot };

  explicit FilterExpr(Op o) : op(o) {}

  Op op;
  std::string text;  // the text form; empty for and, or, not
  std::optional<GlobPattern> glob;
  std::unique_ptr<RE2> regex;

  std::function<bool(const NodeView&)> predicate;
  bool uses_leaf = false;  // the predicate depends on more than the structure
  std::vector<std::shared_ptr<const FilterExpr>> children;  // of and, or (two or more), not (one)
  int levels = 1;                                           // including this one
  bool has_callable = false;                                // in this expression or its children
  absl::Status status;                                      // of this expression and its children
};

// Converts between Filter and FilterExpr.
struct FilterAccess {
  static Filter Make(std::shared_ptr<const FilterExpr> expr) { return Filter(std::move(expr)); }
  static const std::shared_ptr<const FilterExpr>& Expr(const Filter& filter) {
    return filter.expr_;
  }
};

// The comparisons of byte sizes. A text that begins with another comes first.
struct SizeComparison {
  SizeCompare compare;
  absl::string_view text;
  bool (*holds)(int64_t a, int64_t b);
};
inline constexpr SizeComparison kSizeComparisons[] = {
    {SizeCompare::kLessEqual, "<=", [](int64_t a, int64_t b) { return a <= b; }},
    {SizeCompare::kGreaterEqual, ">=", [](int64_t a, int64_t b) { return a >= b; }},
    {SizeCompare::kLess, "<", [](int64_t a, int64_t b) { return a < b; }},
    {SizeCompare::kGreater, ">", [](int64_t a, int64_t b) { return a > b; }},
    {SizeCompare::kEqual, "=", [](int64_t a, int64_t b) { return a == b; }},
};

// The words that the text form does not parse as globs.
struct FilterWord {
  absl::string_view text;
  Filter (*make)();  // null: an operator
};
inline constexpr FilterWord kFilterWords[] = {
    {"static", IsStatic}, {"tensor", IsTensor}, {"leaf", IsLeaf}, {"all", filters::All},
    {"and", nullptr},     {"or", nullptr},      {"not", nullptr},
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_SELECT_INTERNAL_FILTER_EXPR_H_
