// FilterEvaluator: evaluates filters on the nodes of one tree, in preorder.
//
//   FilterEvaluator evaluator(def, leaves, filters);
//   for (NodeId node = 0; node < def.node_count();) {
//     evaluator.Enter(node);
//     node = evaluator.Matches(0) ? def.end(node) : node + 1;
//   }
//
// Nodes must be entered in preorder, each after its parent; complete subtrees may be skipped. All
// globs advance together, one step per key. Paths are printed only for regular expressions.
//
// Threads: one at a time.
#ifndef LEAFSTORE_SELECT_INTERNAL_FILTER_EVALUATOR_H_
#define LEAFSTORE_SELECT_INTERNAL_FILTER_EVALUATOR_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "leafstore/select/filter.h"
#include "leafstore/select/internal/filter_expr.h"
#include "leafstore/select/internal/glob_walk.h"
#include "leafstore/store/leaf_specs.h"
#include "leafstore/treedef/internal/path_cursor.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore::internal {

class FilterEvaluator {
 public:
  // The arguments must outlive this. The filters must be OK.
  FilterEvaluator(const TreeDef& def, const LeafSpecs& leaves, absl::Span<const Filter> filters);

  // Makes `node` the one that filters are evaluated on.
  void Enter(NodeId node);

  bool Matches(size_t filter) {
    const Root& root = roots_[filter];
    if (root.glob != kNoGlob) return globs_.Accepts(root.glob);
    return root.predicate != nullptr ? (*root.predicate)(view_) : Evaluate(root.term);
  }

  // Returns OK or an error. ResourceExhausted: the text for regular expressions exceeds the limit;
  // later results of Matches are meaningless.
  const absl::Status& status() const { return status_; }

 private:
  // An expression with its evaluation state.
  static constexpr uint32_t kNoGlob = ~uint32_t{0};
  struct Term {
    const FilterExpr* expr;
    uint32_t glob = kNoGlob;         // for a glob: its index in globs_
    uint64_t regex_bytes = 0;        // for a regular expression: bytes of text matched so far
    std::vector<uint32_t> children;  // indices in terms_
  };
  // The term of a filter, and its index in globs_ or its predicate if the filter is just that.
  struct Root {
    uint32_t term;
    uint32_t glob;
    const std::function<bool(const NodeView&)>* predicate;
  };

  uint32_t AddTerm(const FilterExpr& expr);
  bool Evaluate(uint32_t term);
  bool EvaluateRegex(Term* term);
  // Extends text_ to the path of the current node. Returns false if it exceeds `most` bytes.
  bool MakeText(uint64_t most);
  NodeView ViewOf(NodeId node) const;

  const TreeDef& def_;
  const LeafSpecs& leaves_;
  std::vector<Term> terms_;
  std::vector<Root> roots_;  // by filter
  GlobWalk globs_;
  std::vector<NodeId> ancestors_;  // from the root to the current node
  bool wants_text_ = false;        // some filter has a regular expression
  bool wants_leaf_ = false;        // some filter depends on more than structure
  // The path of those ancestors that a regular expression needed so far.
  PathCursor text_{PathForm::kCanonical, PathCursor::kNoLimit};
  NodeView view_;  // of the current node
  absl::Status status_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_SELECT_INTERNAL_FILTER_EVALUATOR_H_
