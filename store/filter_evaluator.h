// FilterEvaluator: asks filters of the nodes of one tree, in preorder. For store/ alone.
//
//   FilterEvaluator evaluator(def, store, filters);
//   for (NodeId node = 0; node < def.node_count();) {
//     evaluator.Enter(node);
//     node = evaluator.Matches(0) ? def.end(node) : node + 1;
//   }
//
// Entered nodes must come in preorder, each after its parent; whole subtrees may be left out. Globs
// go a step a key; what a key's string matches is found out once for all nodes that have it. Text
// of paths is made only where a regular expression asks for it.
//
// Threads: one at a time.
#ifndef LEAFSTORE_STORE_FILTER_EVALUATOR_H_
#define LEAFSTORE_STORE_FILTER_EVALUATOR_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "leafstore/store/filter.h"
#include "leafstore/store/filter_expr.h"
#include "leafstore/store/param_store.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore::internal {

class FilterEvaluator {
 public:
  // Most bytes of path text that a regular expression may be asked about in one walk: so many, and
  // so many a node. What a tree is deep cannot make it quadratic.
  static constexpr uint64_t kRegexBytes = uint64_t{1} << 26;
  static constexpr uint64_t kRegexBytesPerNode = 256;

  // Most answers of globs that are remembered, of all globs together: 64 MiB.
  static constexpr uint64_t kMaxRemembered = uint64_t{1} << 23;

  // The first three must outlive this. The filters must be OK. `max_remembered` is for tests.
  FilterEvaluator(const TreeDef& def, const ParamStore& store, absl::Span<const Filter> filters,
                  uint64_t max_remembered = kMaxRemembered);

  // Makes `node` the one that is asked about.
  void Enter(NodeId node);

  bool Matches(size_t filter) {
    const Term& term = terms_[roots_[filter]];
    return term.is_glob ? globs_[term.glob].accepts : Evaluate(roots_[filter]);
  }

  // error ResourceExhausted: the text for a regular expression is over the limit; matches since
  // then are meaningless.
  const absl::Status& status() const { return status_; }

  // How many answers of globs there is room for; at most `max_remembered`.
  uint64_t remembered() const { return remembered_; }

 private:
  // An expression with what it needs at hand.
  struct Term {
    const FilterExpr* expr;
    bool is_glob = false;
    uint32_t glob = 0;               // of a glob: its place in globs_
    uint64_t regex_bytes = 0;        // of a regular expression: how much text it was asked about
    std::vector<uint32_t> children;  // in terms_
  };
  // A glob of some filter, with its states at each node from the root to the one entered. What is
  // remembered is empty where there are too many globs and strings to remember all.
  struct ActiveGlob {
    const GlobPattern* pattern;
    bool accepts = false;                     // the node entered
    std::vector<GlobPattern::States> states;  // by depth
    std::vector<uint64_t> by_string;          // matching segments of a key's string, once known
    std::vector<uint64_t> by_index;           // the same for small numbers, where they differ
  };

  uint32_t AddTerm(const FilterExpr& expr);
  ActiveGlob MakeGlob(const GlobPattern& pattern);
  // So many unknown answers, or none where there is no room left for them.
  std::vector<uint64_t> RoomFor(uint64_t answers);
  // Of the key with this string, or where that is kNoString of `node`'s number.
  uint64_t MatchingSegments(ActiveGlob* glob, uint32_t string, NodeId node) const;
  bool Evaluate(uint32_t term);
  bool EvaluateRegex(Term* term);
  // Makes text_ the path of the node entered; what it had of the way there stays. False where that
  // has more than `most` bytes: no more are made.
  bool MakeText(uint64_t most);
  // Begins to load the header of the tensor some leaves ahead of `slot`.
  void Prefetch(Slot slot) const;

  const TreeDef& def_;
  const ParamStore& store_;
  std::vector<Term> terms_;
  std::vector<uint32_t> roots_;  // in terms_, one a filter
  std::vector<ActiveGlob> globs_;
  const uint64_t max_remembered_;
  uint64_t remembered_ = 0;
  std::vector<NodeId> ancestors_;  // from the root to the node entered
  bool wants_text_ = false;        // some filter has a regular expression
  std::string text_;               // the path of the first text_depth_ ancestors
  size_t text_depth_ = 0;
  std::vector<size_t> text_lengths_;  // by depth
  bool wants_leaf_ = false;           // some filter asks about more than structure
  NodeId node_ = kRootNode;
  const Leaf* leaf_ = nullptr;  // of the node entered; null: it is none, or the store lacks it
  absl::Status status_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_STORE_FILTER_EVALUATOR_H_
