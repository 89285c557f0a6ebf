// FilterEvaluator: asks filters of the nodes of one tree, in preorder. For store/ alone.
//
//   FilterEvaluator evaluator(def, store, filters);
//   for (NodeId node = 0; node < def.node_count();) {
//     evaluator.Enter(node);
//     node = evaluator.Matches(0) ? def.end(node) : node + 1;
//   }
//
// Entered nodes must come in preorder, each after its parent; whole subtrees may be left out. Globs
// go a step a key, all of them together. Text of paths is made only where a regular expression asks
// for it.
//
// Threads: one at a time.
#ifndef LEAFSTORE_SELECT_INTERNAL_FILTER_EVALUATOR_H_
#define LEAFSTORE_SELECT_INTERNAL_FILTER_EVALUATOR_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "leafstore/select/filter.h"
#include "leafstore/select/internal/filter_expr.h"
#include "leafstore/select/internal/glob_walk.h"
#include "leafstore/store/param_store.h"
#include "leafstore/treedef/internal/path_cursor.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore::internal {

class FilterEvaluator {
 public:
  // The first three must outlive this. The filters must be OK.
  FilterEvaluator(const TreeDef& def, const ParamStore& store, absl::Span<const Filter> filters);

  // Makes `node` the one that is asked about.
  void Enter(NodeId node);

  bool Matches(size_t filter) {
    const Root& root = roots_[filter];
    return root.glob != kNoGlob ? globs_.Accepts(root.glob) : Evaluate(root.term);
  }

  // error ResourceExhausted: the text for a regular expression is over the limit; matches since
  // then are meaningless.
  const absl::Status& status() const { return status_; }

 private:
  // An expression with what it needs at hand.
  static constexpr uint32_t kNoGlob = ~uint32_t{0};
  struct Term {
    const FilterExpr* expr;
    uint32_t glob = kNoGlob;         // of a glob: its number in globs_
    uint64_t regex_bytes = 0;        // of a regular expression: how much text it was asked about
    std::vector<uint32_t> children;  // in terms_
  };
  // A filter: its term, and where that is a glob and no more, its number.
  struct Root {
    uint32_t term;
    uint32_t glob;
  };

  uint32_t AddTerm(const FilterExpr& expr);
  bool Evaluate(uint32_t term);
  bool EvaluateRegex(Term* term);
  // Extends text_ to the path of the node entered. Returns false if that has more than `most` bytes.
  bool MakeText(uint64_t most);
  // Begins to load the header of the tensor some leaves ahead of `slot`.
  void Prefetch(Slot slot) const;

  const TreeDef& def_;
  const ParamStore& store_;
  std::vector<Term> terms_;
  std::vector<Root> roots_;  // one a filter
  GlobWalk globs_;
  std::vector<NodeId> ancestors_;  // from the root to the node entered
  bool wants_text_ = false;        // some filter has a regular expression
  bool wants_leaf_ = false;        // some filter asks about more than structure
  // The path of as many ancestors as a regular expression was evaluated for.
  PathCursor text_{PathForm::kCanonical, PathCursor::kNoLimit};
  NodeId node_ = kRootNode;
  const Leaf* leaf_ = nullptr;  // of the node entered; null: it is none, or the store lacks it
  absl::Status status_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_SELECT_INTERNAL_FILTER_EVALUATOR_H_
