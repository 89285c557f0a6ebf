#include "leafstore/select/filter.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/utf8.h"
#include "leafstore/select/internal/filter_expr.h"

namespace leafstore {

using internal::FilterAccess;
using internal::FilterExpr;
using Op = internal::FilterExpr::Op;

namespace {

Filter Make(Op op, absl::string_view text = {}, int64_t number = 0) {
  auto expr = std::make_shared<FilterExpr>(op);
  expr->text = std::string(text);
  expr->number = number;
  return FilterAccess::Make(std::move(expr));
}

Filter Bad(absl::Status status) {
  auto expr = std::make_shared<FilterExpr>(Op::kAll);
  expr->status = std::move(status);
  return FilterAccess::Make(std::move(expr));
}

// Adds `filter` as a child of `expr`.
void AddChild(const Filter& filter, FilterExpr* expr) {
  expr->status.Update(filter.status());
  expr->levels = std::max(expr->levels, FilterAccess::Expr(filter)->levels + 1);
  expr->children.push_back(FilterAccess::Expr(filter));
}

Filter CheckLevels(std::shared_ptr<FilterExpr> expr) {
  if (expr->levels <= FilterExpr::kMaxLevels) return FilterAccess::Make(std::move(expr));
  return Bad(absl::ResourceExhaustedError(absl::StrCat(
      "filter: expected at most ", FilterExpr::kMaxLevels, " levels of nesting, found more")));
}

// Makes all operands of a chain children of one expression, so that a chain of 100,000 filters is
// no deeper than one of two.
Filter Combine(Op op, Filter a, Filter b) {
  std::shared_ptr<FilterExpr> expr;
  if (FilterAccess::Expr(a)->op == op && FilterAccess::Expr(a).use_count() == 1) {
    expr = std::const_pointer_cast<FilterExpr>(FilterAccess::Expr(a));  // not shared
  } else if (FilterAccess::Expr(a)->op == op) {
    expr = std::make_shared<FilterExpr>(op);
    expr->status = a.status();
    expr->levels = FilterAccess::Expr(a)->levels;
    expr->children = FilterAccess::Expr(a)->children;
  } else {
    expr = std::make_shared<FilterExpr>(op);
    AddChild(a, expr.get());
  }
  AddChild(b, expr.get());
  return CheckLevels(std::move(expr));
}

bool HasCallable(const FilterExpr& expr) {
  return expr.op == Op::kCallable ||
         std::any_of(expr.children.begin(), expr.children.end(),
                     [](const auto& child) { return HasCallable(*child); });
}

// Returns the offset of the error. RE2 quotes the bad part of the pattern, but not its offset, and
// for some errors not even the part.
size_t OffsetOfRegexError(absl::string_view pattern, const RE2& regex) {
  if (regex.error_code() == RE2::ErrorTrailingBackslash) return pattern.size() - 1;
  if (regex.error_code() == RE2::ErrorBadUTF8) return internal::ValidUtf8PrefixSize(pattern);
  const size_t at = pattern.find(absl::string_view(regex.error_arg()));
  return regex.error_arg().empty() || at == absl::string_view::npos ? 0 : at;
}

}  // namespace

const absl::Status& Filter::status() const { return expr_->status; }

bool Filter::has_callable() const { return HasCallable(*expr_); }

bool NodeView::HasChild(absl::string_view name) const {
  if (kind() == NodeKind::kDict) return def_.FindChild(node_, KeyRef::Item(name)) != kNoNode;
  if (kind() == NodeKind::kStruct) return def_.FindChild(node_, KeyRef::Attribute(name)) != kNoNode;
  return false;
}

namespace filters {

Filter Glob(absl::string_view pattern) {
  auto expr = std::make_shared<FilterExpr>(Op::kGlob);
  expr->text = std::string(pattern);
  absl::StatusOr<GlobPattern> glob = GlobPattern::Parse(pattern);
  expr->status = glob.status();
  if (glob.ok()) expr->glob = *std::move(glob);
  return FilterAccess::Make(std::move(expr));
}

Filter Regex(absl::string_view pattern) {
  auto expr = std::make_shared<FilterExpr>(Op::kRegex);
  expr->text = std::string(pattern);
  RE2::Options options;
  options.set_log_errors(false);
  expr->regex = std::make_unique<RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (!expr->regex->ok()) {
    expr->status = absl::InvalidArgumentError(
        absl::StrCat("regular expression '", pattern, "', column ",
                     OffsetOfRegexError(pattern, *expr->regex) + 1, ": ", expr->regex->error()));
  }
  return FilterAccess::Make(std::move(expr));
}

Filter DTypeIs(DType dtype) { return Make(Op::kDType, {}, static_cast<int64_t>(dtype)); }

Filter RankIs(int rank) {
  if (rank >= 0) return Make(Op::kRank, {}, rank);
  return Bad(absl::InvalidArgumentError(absl::StrCat("rank: expected 0 or more, found ", rank)));
}

Filter KindIs(NodeKind kind) {
  if (kind != NodeKind::kAlias) return Make(Op::kKind, {}, static_cast<int64_t>(kind));
  return Bad(
      absl::InvalidArgumentError("kind: found alias; expected another, as no filter is "
                                 "asked of aliases"));
}

Filter ValueIs(ValueKind kind) { return Make(Op::kValueKind, {}, static_cast<int64_t>(kind)); }
Filter TypeIs(absl::string_view type_name) { return Make(Op::kTypeName, type_name); }
Filter HasTag(absl::string_view tag) { return Make(Op::kTag, tag); }
Filter HasChild(absl::string_view name) { return Make(Op::kHasChild, name); }
Filter IsStatic() { return Make(Op::kStatic); }
Filter IsTensor() { return Make(Op::kTensor); }
Filter IsLeaf() { return Make(Op::kLeaf); }
Filter All() { return Make(Op::kAll); }

Filter ByteSizeIs(SizeCompare compare, int64_t bytes) {
  if (bytes < 0) {
    return Bad(
        absl::InvalidArgumentError(absl::StrCat("bytes: expected 0 or more, found ", bytes)));
  }
  auto expr = std::make_shared<FilterExpr>(Op::kByteSize);
  expr->compare = compare;
  expr->number = bytes;
  return FilterAccess::Make(std::move(expr));
}

Filter Callable(std::function<bool(const NodeView&)> predicate, absl::string_view name) {
  auto expr = std::make_shared<FilterExpr>(Op::kCallable);
  expr->text = std::string(name);
  if (!predicate) expr->status = absl::InvalidArgumentError("callable filter: no function");
  expr->callable = std::move(predicate);
  return FilterAccess::Make(std::move(expr));
}

Filter And(Filter a, Filter b) { return Combine(Op::kAnd, std::move(a), std::move(b)); }
Filter Or(Filter a, Filter b) { return Combine(Op::kOr, std::move(a), std::move(b)); }
Filter Not(Filter a) {
  auto expr = std::make_shared<FilterExpr>(Op::kNot);
  AddChild(a, expr.get());
  return CheckLevels(std::move(expr));
}
Filter LeavesOnly(Filter filter) { return And(IsLeaf(), std::move(filter)); }

}  // namespace filters
}  // namespace leafstore
