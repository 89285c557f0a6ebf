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
#include "leafstore/select/glob.h"

namespace leafstore::internal {

class FilterExpr {
 public:
  // The limit of nested levels of `and`, `or` and `not`, as code that walks expressions recurses. A
  // chain of `and` or of `or` is one level.
  static constexpr int kMaxLevels = 1000;

  enum class Op : uint8_t {
    kGlob,
    kRegex,
    kDType,
    kRank,
    kByteSize,
    kKind,
    kValueKind,
    kTypeName,
    kTag,
    kHasChild,
    kStatic,
    kTensor,
    kLeaf,
    kAll,
    kCallable,
    kAnd,
    kOr,
    kNot,
  };

  explicit FilterExpr(Op o) : op(o) {}

  Op op;
  std::string text;    // a pattern, type name, tag, or name of a child or callable
  int64_t number = 0;  // a rank, byte count, DType, NodeKind or ValueKind
  SizeCompare compare = SizeCompare::kEqual;
  std::optional<GlobPattern> glob;
  std::unique_ptr<RE2> regex;
  std::function<bool(const NodeView&)> callable;
  std::vector<std::shared_ptr<const FilterExpr>> children;  // of and, or (two or more), not (one)
  int levels = 1;                                           // including this one
  absl::Status status;                                      // of this expression and its children
};

// Converts between Filter and FilterExpr.
struct FilterAccess {
  static Filter Make(std::shared_ptr<const FilterExpr> expr) { return Filter(std::move(expr)); }
  static const std::shared_ptr<const FilterExpr>& Expr(const Filter& filter) {
    return filter.expr_;
  }
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_SELECT_INTERNAL_FILTER_EXPR_H_
