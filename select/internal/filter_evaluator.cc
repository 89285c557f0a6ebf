#include "leafstore/select/internal/filter_evaluator.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace leafstore::internal {

using Op = FilterExpr::Op;

namespace {

bool CompareHolds(SizeCompare compare, int64_t a, int64_t b) {
  switch (compare) {
    case SizeCompare::kLess:
      return a < b;
    case SizeCompare::kLessEqual:
      return a <= b;
    case SizeCompare::kEqual:
      return a == b;
    case SizeCompare::kGreaterEqual:
      return a >= b;
    case SizeCompare::kGreater:
      return a > b;
  }
  return false;
}

bool DependsOnLeaf(Op op) {
  switch (op) {
    case Op::kStatic:
    case Op::kValueKind:
    case Op::kTensor:
    case Op::kDType:
    case Op::kRank:
    case Op::kByteSize:
    case Op::kCallable:
      return true;
    default:
      return false;
  }
}

}  // namespace

FilterEvaluator::FilterEvaluator(const TreeDef& def, const LeafSpecs& leaves,
                                 absl::Span<const Filter> filters)
    : def_(def), leaves_(leaves), globs_(def) {
  for (const Filter& filter : filters) {
    const uint32_t term = AddTerm(*FilterAccess::Expr(filter));
    roots_.push_back({term, terms_[term].glob});
  }
}

uint32_t FilterEvaluator::AddTerm(const FilterExpr& expr) {
  Term term{&expr, kNoGlob, 0, {}};
  wants_text_ |= expr.op == Op::kRegex;
  wants_leaf_ |= DependsOnLeaf(expr.op);
  if (expr.op == Op::kGlob) term.glob = static_cast<uint32_t>(globs_.Add(*expr.glob));
  for (const auto& child : expr.children) term.children.push_back(AddTerm(*child));
  terms_.push_back(std::move(term));
  return static_cast<uint32_t>(terms_.size() - 1);
}

void FilterEvaluator::Enter(NodeId node) {
  node_ = node;
  spec_.reset();
  leaf_ = nullptr;
  if (wants_leaf_ && def_.kind(node) == NodeKind::kLeaf) EnterLeaf(def_.leaf_begin(node));
  if (globs_.empty() && !wants_text_) return;
  while (!ancestors_.empty() && ancestors_.back() != def_.parent(node)) ancestors_.pop_back();
  const size_t depth = ancestors_.size();
  ancestors_.push_back(node);
  if (!globs_.empty()) globs_.Enter(node, depth);
  while (text_.depth() > 0 && text_.depth() >= depth) text_.Pop();
}

void FilterEvaluator::EnterLeaf(Slot slot) {
  const uint32_t place = leaves_.slots().PlaceOf(slot);
  if (place == kNoPlace) return;
  if (const ParamStore* store = leaves_.store()) {
    constexpr uint32_t kAhead = 8;
    if (place + kAhead < store->size()) store->leaf(place + kAhead).Prefetch();
    leaf_ = &store->leaf(place);
  }
  spec_ = leaves_.spec(place);
}

bool FilterEvaluator::Evaluate(uint32_t term_index) {
  Term& term = terms_[term_index];
  const FilterExpr& expr = *term.expr;
  const auto holds = [this](uint32_t child) { return Evaluate(child); };
  const bool is_tensor = spec_.has_value() && spec_->is_tensor();
  const bool is_value = spec_.has_value() && !is_tensor;
  switch (expr.op) {
    case Op::kAnd:
      return std::all_of(term.children.begin(), term.children.end(), holds);
    case Op::kOr:
      return std::any_of(term.children.begin(), term.children.end(), holds);
    case Op::kNot:
      return !Evaluate(term.children[0]);
    case Op::kAll:
      return true;
    case Op::kGlob:
      return globs_.Accepts(term.glob);
    case Op::kRegex:
      return EvaluateRegex(&term);
    case Op::kKind:
      return def_.kind(node_) == static_cast<NodeKind>(expr.number);
    case Op::kLeaf:
      return def_.kind(node_) == NodeKind::kLeaf;
    case Op::kTypeName:
      return def_.type_name(node_) == expr.text;
    case Op::kTag:
      return def_.has_tags() && def_.has_tag(node_, expr.text);
    case Op::kHasChild:
      return NodeView(def_, node_, spec_, leaf_).HasChild(expr.text);
    case Op::kCallable:
      return expr.callable(NodeView(def_, node_, spec_, leaf_));
    case Op::kStatic:
      return is_value;
    case Op::kValueKind:
      return is_value && spec_->value_kind() == static_cast<ValueKind>(expr.number);
    case Op::kTensor:
      return is_tensor;
    case Op::kDType:
      return is_tensor && spec_->dtype() == static_cast<DType>(expr.number);
    case Op::kRank:
      return is_tensor && spec_->rank() == expr.number;
    case Op::kByteSize:
      return is_tensor && CompareHolds(expr.compare, spec_->byte_size(), expr.number);
  }
  return false;
}

bool FilterEvaluator::EvaluateRegex(Term* term) {
  const FilterExpr& expr = *term->expr;
  const uint64_t limit = MaxTotalText(def_.node_count());
  if (!MakeText(limit - term->regex_bytes)) {
    status_ = absl::ResourceExhaustedError(absl::StrCat(
        "regular expression '", expr.text, "': the paths to ask it about are longer than ", limit,
        " bytes together; use a glob"));
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
