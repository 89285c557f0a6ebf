#include "leafstore/store/filter.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/store/filter_expr.h"

namespace leafstore {

using internal::FilterExpr;
using Op = internal::FilterExpr::Op;

namespace {

Filter Make(Op op, absl::string_view text = {}, int64_t number = 0) {
  auto expr = std::make_shared<FilterExpr>(op);
  expr->text = std::string(text);
  expr->number = number;
  return Filter(std::move(expr));
}

Filter Combine(Op op, std::vector<Filter> filters) {
  auto expr = std::make_shared<FilterExpr>(op);
  for (Filter& filter : filters) {
    expr->status.Update(filter.status());
    expr->children.push_back(filter.expr());
  }
  return Filter(std::move(expr));
}

// RE2 says what is wrong and quotes the part, but not where it is.
size_t OffsetOfRegexError(absl::string_view pattern, const RE2& regex) {
  const size_t at = pattern.find(absl::string_view(regex.error_arg()));
  return regex.error_arg().empty() || at == absl::string_view::npos ? 0 : at;
}

}  // namespace

const absl::Status& Filter::status() const { return expr_->status; }

bool NodeView::HasChild(absl::string_view name) const {
  if (kind() == NodeKind::kDict) return def_.FindChild(node_, KeyRef::Item(name)) != kNoNode;
  if (kind() == NodeKind::kStruct) return def_.FindChild(node_, KeyRef::Attribute(name)) != kNoNode;
  return false;
}

Filter Glob(absl::string_view pattern) {
  auto expr = std::make_shared<FilterExpr>(Op::kGlob);
  expr->text = std::string(pattern);
  absl::StatusOr<GlobPattern> glob = GlobPattern::Parse(pattern);
  expr->status = glob.status();
  if (glob.ok()) expr->glob = *std::move(glob);
  return Filter(std::move(expr));
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
  return Filter(std::move(expr));
}

Filter DTypeIs(DType dtype) { return Make(Op::kDType, {}, static_cast<int64_t>(dtype)); }
Filter Rank(int rank) { return Make(Op::kRank, {}, rank); }
Filter KindIs(NodeKind kind) { return Make(Op::kKind, {}, static_cast<int64_t>(kind)); }
Filter ValueIs(ValueKind kind) { return Make(Op::kValueKind, {}, static_cast<int64_t>(kind)); }
Filter TypeIs(absl::string_view type_name) { return Make(Op::kTypeName, type_name); }
Filter HasTag(absl::string_view tag) { return Make(Op::kTag, tag); }
Filter HasChild(absl::string_view name) { return Make(Op::kHasChild, name); }
Filter Static() { return Make(Op::kStatic); }
Filter IsTensor() { return Make(Op::kTensor); }
Filter IsLeaf() { return Make(Op::kLeaf); }
Filter All() { return Make(Op::kAll); }

Filter ByteSizeIs(Compare compare, int64_t bytes) {
  auto expr = std::make_shared<FilterExpr>(Op::kByteSize);
  expr->compare = compare;
  expr->number = bytes;
  return Filter(std::move(expr));
}

Filter Callable(std::function<bool(const NodeView&)> predicate, absl::string_view name) {
  auto expr = std::make_shared<FilterExpr>(Op::kCallable);
  expr->text = std::string(name);
  if (!predicate) expr->status = absl::InvalidArgumentError("callable filter: no function");
  expr->callable = std::move(predicate);
  return Filter(std::move(expr));
}

Filter And(Filter a, Filter b) { return Combine(Op::kAnd, {std::move(a), std::move(b)}); }
Filter Or(Filter a, Filter b) { return Combine(Op::kOr, {std::move(a), std::move(b)}); }
Filter Not(Filter a) { return Combine(Op::kNot, {std::move(a)}); }
Filter LeavesOnly(Filter filter) { return And(IsLeaf(), std::move(filter)); }

}  // namespace leafstore
