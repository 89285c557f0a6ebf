// GlobWalk: many globs that go down one tree together. For store/ alone.
//
//   const GlobPattern pattern = GlobPattern::Parse("layers.*.attn.**").value();
//   GlobWalk walk(def);
//   const size_t glob = walk.Add(pattern);
//   walk.Enter(kRootNode, 0);
//   walk.Enter(node, depth);   // after its parent, at depth - 1
//   walk.Accepts(glob);        // does it match the node entered?
//
// The globs are one automaton, made as far as it is walked: a state is the states of all of them,
// and what a key leads to from there is remembered. A model has few states and few keys, so that a
// node costs one lookup however many globs there are. Where there are too many to remember, the
// globs take their steps one by one.
//
// Memory: 16 bytes a node for up to 2^14 nodes, what the states take that are remembered, and a word
// for each glob at each depth. Threads: one at a time.
#ifndef LEAFSTORE_SELECT_INTERNAL_GLOB_WALK_H_
#define LEAFSTORE_SELECT_INTERNAL_GLOB_WALK_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/container/node_hash_map.h"

#include "leafstore/select/glob.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore::internal {

class GlobWalk {
 public:
  // Most words of states that are remembered, a glob a word.
  static constexpr size_t kMaxRemembered = size_t{1} << 18;

  // `def` must outlive this. `max_remembered` is for tests.
  explicit GlobWalk(const TreeDef& def, size_t max_remembered = kMaxRemembered);
  GlobWalk(const GlobWalk&) = delete;  // points into itself
  GlobWalk& operator=(const GlobWalk&) = delete;

  // Adds a glob, before the first node is entered, and returns its number. The pattern must outlive
  // this.
  size_t Add(const GlobPattern& pattern);

  bool empty() const { return patterns_.empty(); }

  // Makes `node`, at `depth` below the root, the one that is asked about. The last one entered at
  // the depth above must be its parent. O(1) where state and key are remembered; else
  // O(globs * the length of the key * the length of a pattern).
  void Enter(NodeId node, size_t depth);

  // Whether the glob matches the node entered; there must be one. O(1).
  bool Accepts(size_t glob) const { return (here_[glob] & accepting_[glob]) != 0; }

  // How many words of states are remembered; at most `max_remembered`.
  size_t remembered() const { return by_number_.size() * patterns_.size(); }

 private:
  // The states of all globs together, by number.
  using State = uint32_t;
  using StatesOfAll = std::vector<GlobPattern::States>;
  static constexpr State kNoState = (State{1} << 30) - 1;  // one that is not remembered

  // What a state and a key, which are one word, lead to.
  static constexpr uint64_t kNoEdge = ~uint64_t{0};
  struct Edge {
    uint64_t from = kNoEdge;
    State to = kNoState;
  };
  // Where the walk is at a depth.
  struct Level {
    State state = kNoState;
    StatesOfAll states;  // what they are, where the state is not remembered
  };

  // The state of `node`, below `above`; where it was not remembered as an edge, also into `*states`.
  State Follow(const Level& above, NodeId node, StatesOfAll* states);
  // The word of an edge: the same for keys that no pattern tells apart. kNoEdge: none is remembered,
  // since the state is not, or the key is too large a number.
  uint64_t EdgeFrom(State above, NodeId node) const;
  void Step(const GlobPattern::States* above, NodeId node, StatesOfAll* below) const;
  // Their number; kNoState where there is no room for more.
  State Remember(const StatesOfAll& states);
  const GlobPattern::States* StatesOf(const Level& level) const {
    return level.state == kNoState ? level.states.data() : by_number_[level.state];
  }

  const TreeDef& def_;
  const size_t max_remembered_;
  std::vector<const GlobPattern*> patterns_;
  std::vector<GlobPattern::States> accepting_;  // by glob
  bool tells_numbers_apart_ = false;
  absl::node_hash_map<StatesOfAll, State> numbers_;
  std::vector<const GlobPattern::States*> by_number_;  // in numbers_
  std::vector<Edge> edges_;                            // a power of two; each where its hash says
  std::vector<Level> levels_;                          // by depth
  const GlobPattern::States* here_ = nullptr;          // of the node entered, by glob
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_SELECT_INTERNAL_GLOB_WALK_H_
