#include "leafstore/select/filter.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

#include "leafstore/core/internal/utf8.h"
#include "leafstore/select/internal/filter_expr.h"

namespace leafstore {

using internal::FilterAccess;
using internal::FilterExpr;
using Op = internal::FilterExpr::Op;

namespace {

// Returns a filter with this text form, for nodes or for leaves.
Filter OnNode(std::string text, std::function<bool(const NodeView&)> predicate,
              bool uses_leaf = false) {
  auto expr = std::make_shared<FilterExpr>(Op::kPredicate);
  expr->text = std::move(text);
  expr->predicate = std::move(predicate);
  expr->uses_leaf = uses_leaf;
  return FilterAccess::Make(std::move(expr));
}

// Returns a filter for tensors whose spec `holds` accepts.
template <typename Holds>
Filter OnTensor(std::string text, Holds holds) {
  const auto predicate = [holds](const NodeView& node) {
    return node.spec() && node.spec()->is_tensor() && holds(*node.spec());
  };
  return OnNode(std::move(text), predicate, /*uses_leaf=*/true);
}

// Returns a filter for static leaves whose spec `holds` accepts.
template <typename Holds>
Filter OnValue(std::string text, Holds holds) {
  const auto predicate = [holds](const NodeView& node) {
    return node.spec() && !node.spec()->is_tensor() && holds(*node.spec());
  };
  return OnNode(std::move(text), predicate, /*uses_leaf=*/true);
}

Filter Bad(absl::Status status) {
  auto expr = std::make_shared<FilterExpr>(Op::kPredicate);
  expr->text = "all";
  expr->status = std::move(status);
  return FilterAccess::Make(std::move(expr));
}

Filter Negative(absl::string_view what, int64_t number) {
  return Bad(
      absl::InvalidArgumentError(absl::StrCat(what, ": expected 0 or more, found ", number)));
}

// Adds `filter` as a child of `expr`.
void AddChild(const Filter& filter, FilterExpr* expr) {
  const std::shared_ptr<const FilterExpr>& child = FilterAccess::Expr(filter);
  expr->status.Update(filter.status());
  expr->levels = std::max(expr->levels, child->levels + 1);
  expr->has_callable |= child->has_callable;
  expr->children.push_back(child);
}

Filter CheckLevels(std::shared_ptr<FilterExpr> expr) {
  if (expr->levels <= FilterExpr::kMaxLevels) return FilterAccess::Make(std::move(expr));
  return Bad(absl::ResourceExhaustedError(absl::StrCat(
      "filter: expected at most ", FilterExpr::kMaxLevels, " levels of nesting, found more")));
}

// Makes all operands of a chain children of one expression, so that a chain of 100,000 filters is
// no deeper than one of two.
Filter Combine(Op op, Filter a, Filter b) {
  const std::shared_ptr<const FilterExpr>& first = FilterAccess::Expr(a);
  std::shared_ptr<FilterExpr> expr;
  if (first->op == op && first.use_count() == 1) {
    expr = std::const_pointer_cast<FilterExpr>(first);  // not shared
  } else {
    expr = std::make_shared<FilterExpr>(op);
    if (first->op == op) {
      for (const auto& child : first->children) AddChild(FilterAccess::Make(child), expr.get());
    } else {
      AddChild(a, expr.get());
    }
  }
  AddChild(b, expr.get());
  return CheckLevels(std::move(expr));
}

// Returns the offset of the error. RE2 quotes the bad part of the pattern, but not its offset, and
// for some errors not even the part.
size_t OffsetOfRegexError(absl::string_view pattern, const RE2& regex) {
  if (regex.error_code() == RE2::ErrorTrailingBackslash) return pattern.size() - 1;
  if (regex.error_code() == RE2::ErrorBadUTF8) return internal::ValidUtf8PrefixSize(pattern);
  const size_t at = pattern.find(absl::string_view(regex.error_arg()));
  return regex.error_arg().empty() || at == absl::string_view::npos ? 0 : at;
}

// Returns `prefix` and a name or pattern, in quotes if the bare word would be parsed differently.
std::string Text(absl::string_view prefix, absl::string_view word) {
  const bool bare = word.find_first_of(" \t\r\n()\"") == absl::string_view::npos && !word.empty();
  if (bare) return absl::StrCat(prefix, word);
  return absl::StrCat(prefix, "\"", absl::StrReplaceAll(word, {{"\"", "\"\""}}), "\"");
}

std::string TextOf(const FilterExpr& expr) {
  const auto child_text = [](const FilterExpr& child) {
    const bool compound = child.op == Op::kAnd || child.op == Op::kOr;
    return compound ? absl::StrCat("(", TextOf(child), ")") : TextOf(child);
  };
  if (expr.op == Op::kNot) return absl::StrCat("not ", child_text(*expr.children[0]));
  if (expr.children.empty()) return expr.text;
  return absl::StrJoin(
      expr.children, expr.op == Op::kAnd ? " and " : " or ",
      [&](std::string* out, const auto& child) { absl::StrAppend(out, child_text(*child)); });
}

}  // namespace

const absl::Status& Filter::status() const { return expr_->status; }
bool Filter::has_callable() const { return expr_->has_callable; }
std::string Filter::ToString() const { return TextOf(*expr_); }

bool NodeView::HasChild(absl::string_view name) const {
  if (kind() == NodeKind::kDict) return def_->FindChild(node_, KeyRef::Item(name)) != kNoNode;
  return kind() == NodeKind::kStruct && def_->FindChild(node_, KeyRef::Attribute(name)) != kNoNode;
}

Filter Glob(absl::string_view pattern) {
  auto expr = std::make_shared<FilterExpr>(Op::kGlob);
  const bool is_word =
      std::any_of(std::begin(internal::kFilterWords), std::end(internal::kFilterWords),
                  [pattern](const internal::FilterWord& word) { return word.text == pattern; });
  const bool has_colon = pattern.find(':') != absl::string_view::npos;
  expr->text = Text(is_word || has_colon ? "glob:" : "", pattern);
  absl::StatusOr<internal::GlobPattern> glob = internal::GlobPattern::Parse(pattern);
  expr->status = glob.status();
  if (glob.ok()) expr->glob = *std::move(glob);
  return FilterAccess::Make(std::move(expr));
}

Filter Regex(absl::string_view pattern) {
  auto expr = std::make_shared<FilterExpr>(Op::kRegex);
  expr->text = Text("re:", pattern);
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

Filter DTypeIs(DType dtype) {
  return OnTensor(absl::StrCat("dtype:", DTypeName(dtype)),
                  [dtype](const LeafSpec& spec) { return spec.dtype() == dtype; });
}

Filter RankIs(int rank) {
  if (rank < 0) return Negative("rank", rank);
  return OnTensor(absl::StrCat("rank:", rank),
                  [rank](const LeafSpec& spec) { return spec.rank() == rank; });
}

Filter ByteSizeIs(SizeCompare compare, int64_t bytes) {
  if (bytes < 0) return Negative("bytes", bytes);
  const auto* const known = std::find_if(
      std::begin(internal::kSizeComparisons), std::end(internal::kSizeComparisons),
      [compare](const internal::SizeComparison& one) { return one.compare == compare; });
  return OnTensor(absl::StrCat("bytes:", known->text, bytes),
                  [holds = known->holds, bytes](const LeafSpec& spec) {
                    return holds(spec.byte_size(), bytes);
                  });
}

Filter KindIs(NodeKind kind) {
  if (kind == NodeKind::kAlias) {
    return Bad(absl::InvalidArgumentError(
        "kind: expected a kind of node that filters are evaluated on, found alias"));
  }
  return OnNode(absl::StrCat("kind:", NodeKindName(kind)),
                [kind](const NodeView& node) { return node.kind() == kind; });
}

Filter ValueIs(ValueKind kind) {
  return OnValue(absl::StrCat("kind:", ValueKindName(kind)),
                 [kind](const LeafSpec& spec) { return spec.value_kind() == kind; });
}

Filter TypeIs(absl::string_view type_name) {
  return OnNode(Text("type:", type_name), [name = std::string(type_name)](const NodeView& node) {
    return node.type_name() == name;
  });
}

Filter HasTag(absl::string_view tag) {
  return OnNode(Text("tag:", tag), [tag = std::string(tag)](const NodeView& node) {
    return node.def().has_tags() && node.has_tag(tag);
  });
}

Filter HasChild(absl::string_view name) {
  return OnNode(Text("has:", name),
                [name = std::string(name)](const NodeView& node) { return node.HasChild(name); });
}

Filter IsStatic() {
  return OnValue("static", [](const LeafSpec&) { return true; });
}
Filter IsTensor() {
  return OnTensor("tensor", [](const LeafSpec&) { return true; });
}
Filter IsLeaf() {
  return OnNode("leaf", [](const NodeView& node) { return node.kind() == NodeKind::kLeaf; });
}
Filter LeavesOnly(Filter filter) { return filters::And(IsLeaf(), std::move(filter)); }

namespace filters {

Filter All() {
  return OnNode("all", [](const NodeView&) { return true; });
}

Filter Callable(std::function<bool(const NodeView&)> predicate, absl::string_view name) {
  auto expr = std::make_shared<FilterExpr>(Op::kPredicate);
  expr->text = absl::StrCat("<", name, ">");
  if (!predicate) {
    expr->status = absl::InvalidArgumentError("callable filter: expected a function, found none");
  }
  expr->predicate = std::move(predicate);
  expr->has_callable = expr->uses_leaf = true;
  return FilterAccess::Make(std::move(expr));
}

Filter And(Filter a, Filter b) { return Combine(Op::kAnd, std::move(a), std::move(b)); }
Filter Or(Filter a, Filter b) { return Combine(Op::kOr, std::move(a), std::move(b)); }
Filter Not(Filter a) {
  auto expr = std::make_shared<FilterExpr>(Op::kNot);
  AddChild(a, expr.get());
  return CheckLevels(std::move(expr));
}

}  // namespace filters
}  // namespace leafstore
