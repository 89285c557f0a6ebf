// FilterExpr: the expression behind a Filter. For store/ alone.
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
  // Most levels of `and`, `or` and `not` in one another; a chain of one of the first two is one
  // level. All that walks expressions recurses.
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
  std::string text;    // a pattern, type name, tag, child's name, or a callable's name
  int64_t number = 0;  // a rank, a number of bytes, a DType, NodeKind or ValueKind
  SizeCompare compare = SizeCompare::kEqual;
  std::optional<GlobPattern> glob;
  std::unique_ptr<RE2> regex;
  std::function<bool(const NodeView&)> callable;
  std::vector<std::shared_ptr<const FilterExpr>> children;  // of and, or (two or more), not (one)
  int levels = 1;                                           // this one and those below
  absl::Status status;                                      // of this expression and all below it
};

// What a Filter is made of.
struct FilterAccess {
  static Filter Make(std::shared_ptr<const FilterExpr> expr) { return Filter(std::move(expr)); }
  static const std::shared_ptr<const FilterExpr>& Expr(const Filter& filter) {
    return filter.expr_;
  }
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_SELECT_INTERNAL_FILTER_EXPR_H_
