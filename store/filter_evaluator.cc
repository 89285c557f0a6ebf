#include "leafstore/store/filter_evaluator.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace leafstore::internal {

using Op = FilterExpr::Op;

namespace {

constexpr uint64_t kSmallIndices = 256;
constexpr uint64_t kUnknown = ~uint64_t{0};  // no pattern has so many segments

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

bool AsksAboutLeaf(Op op) {
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

// The answer to `place`, asked for once where there is room to remember it.
template <typename F>
uint64_t Recall(std::vector<uint64_t>* answers, uint64_t place, const F& ask) {
  if (place >= answers->size()) return ask();
  uint64_t& answer = (*answers)[place];
  if (answer == kUnknown) answer = ask();
  return answer;
}

}  // namespace

FilterEvaluator::FilterEvaluator(const TreeDef& def, const ParamStore& store,
                                 absl::Span<const Filter> filters, uint64_t max_remembered)
    : def_(def), store_(store), max_remembered_(max_remembered) {
  for (const Filter& filter : filters) roots_.push_back(AddTerm(*FilterAccess::Expr(filter)));
}

uint32_t FilterEvaluator::AddTerm(const FilterExpr& expr) {
  Term term{&expr, expr.op == Op::kGlob, static_cast<uint32_t>(globs_.size()), 0, {}};
  wants_text_ |= expr.op == Op::kRegex;
  wants_leaf_ |= AsksAboutLeaf(expr.op);
  if (term.is_glob) globs_.push_back(MakeGlob(*expr.glob));
  for (const auto& child : expr.children) term.children.push_back(AddTerm(*child));
  terms_.push_back(std::move(term));
  return static_cast<uint32_t>(terms_.size() - 1);
}

void FilterEvaluator::Enter(NodeId node) {
  node_ = node;
  leaf_ = nullptr;
  if (wants_leaf_ && def_.kind(node) == NodeKind::kLeaf) {
    const Slot slot = def_.leaf_begin(node);
    leaf_ = store_.FindSlot(slot);
    Prefetch(slot);
  }
  if (globs_.empty() && !wants_text_) return;
  while (!ancestors_.empty() && ancestors_.back() != def_.parent(node)) ancestors_.pop_back();
  const size_t depth = ancestors_.size();
  ancestors_.push_back(node);
  const uint32_t string = def_.key_string(node);
  for (ActiveGlob& glob : globs_) {
    const GlobPattern& pattern = *glob.pattern;
    const GlobPattern::States above = depth == 0 ? 0 : glob.states[depth - 1];
    GlobPattern::States here = depth == 0 ? pattern.start() : 0;
    if (above != 0) here = pattern.Step(above, MatchingSegments(&glob, string, node));
    if (glob.states.size() <= depth) glob.states.resize(depth + 1);
    glob.states[depth] = here;
    glob.accepts = pattern.Accepts(here);
  }
  text_depth_ = std::min(text_depth_, depth);
}

FilterEvaluator::ActiveGlob FilterEvaluator::MakeGlob(const GlobPattern& pattern) {
  ActiveGlob glob{&pattern, false, {}, RoomFor(def_.string_count()), {}};
  if (!pattern.MatchingSegmentsOfNumbers()) glob.by_index = RoomFor(kSmallIndices);
  return glob;
}

std::vector<uint64_t> FilterEvaluator::RoomFor(uint64_t answers) {
  if (answers > max_remembered_ - remembered_) return {};
  remembered_ += answers;
  return std::vector<uint64_t>(answers, kUnknown);
}

uint64_t FilterEvaluator::MatchingSegments(ActiveGlob* glob, uint32_t string, NodeId node) const {
  const GlobPattern& pattern = *glob->pattern;
  if (string != TreeDef::kNoString) {
    return Recall(&glob->by_string, string,
                  [&] { return pattern.MatchingSegments(def_.string(string)); });
  }
  if (const auto of_numbers = pattern.MatchingSegmentsOfNumbers()) return *of_numbers;
  const int64_t index = def_.key(node).index;
  return Recall(&glob->by_index, static_cast<uint64_t>(index),
                [&] { return pattern.MatchingSegments(absl::StrCat(index)); });
}

void FilterEvaluator::Prefetch(Slot slot) const {
  constexpr Slot kAhead = 8;
  const Leaf* ahead = store_.FindSlot(slot + kAhead);
  if (ahead != nullptr) ahead->Prefetch();
}

bool FilterEvaluator::Evaluate(uint32_t term_index) {
  Term& term = terms_[term_index];
  const FilterExpr& expr = *term.expr;
  const auto holds = [this](uint32_t child) { return Evaluate(child); };
  const bool is_tensor = leaf_ != nullptr && leaf_->is_tensor();
  const bool is_value = leaf_ != nullptr && !is_tensor;
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
      return globs_[term.glob].accepts;
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
      return NodeView(def_, node_, nullptr).HasChild(expr.text);
    case Op::kCallable:
      return expr.callable(NodeView(def_, node_, leaf_));
    case Op::kStatic:
      return is_value;
    case Op::kValueKind:
      return is_value && leaf_->value().kind() == static_cast<ValueKind>(expr.number);
    case Op::kTensor:
      return is_tensor;
    case Op::kDType:
      return is_tensor && leaf_->tensor().dtype() == static_cast<DType>(expr.number);
    case Op::kRank:
      return is_tensor && leaf_->tensor().rank() == expr.number;
    case Op::kByteSize:
      return is_tensor && CompareHolds(expr.compare, leaf_->tensor().byte_size(), expr.number);
  }
  return false;
}

bool FilterEvaluator::EvaluateRegex(Term* term) {
  const FilterExpr& expr = *term->expr;
  const uint64_t limit = kRegexBytes + kRegexBytesPerNode * def_.node_count();
  if (!MakeText(limit - term->regex_bytes)) {
    status_ = absl::ResourceExhaustedError(absl::StrCat(
        "regular expression '", expr.text, "': the paths to ask it about are longer than ", limit,
        " bytes together; use a glob"));
    return true;  // whatever it is, status() is asked before it is used
  }
  term->regex_bytes += text_.size();
  return RE2::FullMatch(re2::StringPiece(text_), *expr.regex);
}

bool FilterEvaluator::MakeText(uint64_t most) {
  text_lengths_.resize(ancestors_.size());
  for (; text_depth_ < ancestors_.size(); ++text_depth_) {
    text_.resize(text_depth_ == 0 ? 0 : text_lengths_[text_depth_ - 1]);
    if (text_depth_ > 0) {
      const KeyRef key = def_.key(ancestors_[text_depth_]);
      if (text_.size() + KeyTextSize(key) > most) return false;
      AppendKeyText(key, &text_);
    }
    text_lengths_[text_depth_] = text_.size();
  }
  return text_.size() <= most;
}

}  // namespace leafstore::internal
