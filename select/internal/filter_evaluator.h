// FilterEvaluator: evaluates filters on the nodes of one tree, in preorder.
//
//   FilterEvaluator evaluator(def, leaves, filters);
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
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "leafstore/select/filter.h"
#include "leafstore/select/internal/filter_expr.h"
#include "leafstore/select/internal/glob_walk.h"
#include "leafstore/select/leaf_specs.h"
#include "leafstore/treedef/internal/path_cursor.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore::internal {

class FilterEvaluator {
 public:
  // The first three must outlive this. The filters must be OK.
  FilterEvaluator(const TreeDef& def, const LeafSpecs& leaves, absl::Span<const Filter> filters);

  // Makes `node` the one that filters are evaluated on.
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
  // Makes spec_ and leaf_ those of the leaf in `slot`.
  void EnterLeaf(Slot slot);

  const TreeDef& def_;
  const LeafSpecs& leaves_;
  std::vector<Term> terms_;
  std::vector<Root> roots_;  // one a filter
  GlobWalk globs_;
  std::vector<NodeId> ancestors_;  // from the root to the node entered
  bool wants_text_ = false;        // some filter has a regular expression
  bool wants_leaf_ = false;        // some filter depends on more than structure
  // The path of as many ancestors as a regular expression was evaluated for.
  PathCursor text_{PathForm::kCanonical, PathCursor::kNoLimit};
  // Of the node entered, as a NodeView has them.
  NodeId node_ = kRootNode;
  std::optional<LeafSpec> spec_;
  const Leaf* leaf_ = nullptr;
  absl::Status status_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_SELECT_INTERNAL_FILTER_EVALUATOR_H_
