#include "leafstore/select/internal/filter_evaluator.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace leafstore::internal {

using Op = FilterExpr::Op;

FilterEvaluator::FilterEvaluator(const TreeDef& def, const LeafSpecs& leaves,
                                 absl::Span<const Filter> filters)
    : def_(def), leaves_(leaves), globs_(def), view_(def, kRootNode, std::nullopt, nullptr) {
  for (const Filter& filter : filters) {
    const FilterExpr& expr = *FilterAccess::Expr(filter);
    const uint32_t term = AddTerm(expr);
    roots_.push_back({term, terms_[term].glob, expr.predicate ? &expr.predicate : nullptr});
  }
}

uint32_t FilterEvaluator::AddTerm(const FilterExpr& expr) {
  Term term{&expr, kNoGlob, 0, {}};
  wants_text_ |= expr.op == Op::kRegex;
  wants_leaf_ |= expr.uses_leaf;
  if (expr.op == Op::kGlob) term.glob = static_cast<uint32_t>(globs_.Add(*expr.glob));
  for (const auto& child : expr.children) term.children.push_back(AddTerm(*child));
  terms_.push_back(std::move(term));
  return static_cast<uint32_t>(terms_.size() - 1);
}

void FilterEvaluator::Enter(NodeId node) {
  view_ = ViewOf(node);
  if (globs_.empty() && !wants_text_) return;
  while (!ancestors_.empty() && ancestors_.back() != def_.parent(node)) ancestors_.pop_back();
  const size_t depth = ancestors_.size();
  ancestors_.push_back(node);
  if (!globs_.empty()) globs_.Enter(node, depth);
  while (text_.depth() > 0 && text_.depth() >= depth) text_.Pop();
}

NodeView FilterEvaluator::ViewOf(NodeId node) const {
  uint32_t place = kNoPlace;
  if (wants_leaf_ && def_.kind(node) == NodeKind::kLeaf) {
    place = leaves_.slots().PlaceOf(def_.leaf_begin(node));
  }
  if (place == kNoPlace) return NodeView(def_, node, std::nullopt, nullptr);
  const ParamStore* const store = leaves_.store();
  if (store == nullptr) return NodeView(def_, node, leaves_.spec(place), nullptr);
  constexpr uint32_t kAhead = 8;
  if (place + kAhead < store->size()) store->leaf(place + kAhead).Prefetch();
  const Leaf& leaf = store->leaf(place);
  return NodeView(def_, node, leaf.spec(), &leaf);
}

bool FilterEvaluator::Evaluate(uint32_t term_index) {
  Term& term = terms_[term_index];
  const auto holds = [this](uint32_t child) { return Evaluate(child); };
  switch (term.expr->op) {
    case Op::kAnd:
      return std::all_of(term.children.begin(), term.children.end(), holds);
    case Op::kOr:
      return std::any_of(term.children.begin(), term.children.end(), holds);
    case Op::kNot:
      return !Evaluate(term.children[0]);
    case Op::kGlob:
      return globs_.Accepts(term.glob);
    case Op::kRegex:
      return EvaluateRegex(&term);
    case Op::kPredicate:
      return term.expr->predicate(view_);
  }
  return false;
}

bool FilterEvaluator::EvaluateRegex(Term* term) {
  const FilterExpr& expr = *term->expr;
  const uint64_t limit = MaxTotalText(def_.node_count());
  if (!MakeText(limit - term->regex_bytes)) {
    status_ = absl::ResourceExhaustedError(
        absl::StrCat("regular expression '", expr.regex->pattern(), "': expected paths of at most ",
                     limit, " bytes together, found more; use a glob"));
    return true;  // ignored, as status() is checked first
  }
  term->regex_bytes += text_.text().size();
  return RE2::FullMatch(re2::StringPiece(text_.text()), *expr.regex);
}

bool FilterEvaluator::MakeText(uint64_t most) {
  while (text_.depth() + 1 < ancestors_.size() && text_.text().size() <= most) {
    text_.Push(def_.key(ancestors_[text_.depth() + 1]));
  }
  return text_.text().size() <= most;
}

}  // namespace leafstore::internal
