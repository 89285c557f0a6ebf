// GlobWalk: matches many globs together while walking down a tree.
//
//   const GlobPattern pattern = GlobPattern::Parse("layers.*.attn.**").value();
//   GlobWalk walk(def);
//   const size_t glob = walk.Add(pattern);
//   walk.Enter(kRootNode, 0);
//   walk.Enter(node, depth);   // after its parent, at depth - 1
//   walk.Accepts(glob);        // whether it matches the current node
//
// The globs form one automaton that is built lazily: a state is the combination of the states of
// all globs, and transitions by key are cached. A model has few states and few distinct keys, so a
// node costs one lookup for any number of globs. When the cache is full, the globs step one by one.
//
// Memory: 16 bytes per node for up to 2^14 nodes, the cached states, and a word for each glob at
// each depth. Threads: one at a time.
#ifndef LEAFSTORE_SELECT_INTERNAL_GLOB_WALK_H_
#define LEAFSTORE_SELECT_INTERNAL_GLOB_WALK_H_

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "absl/hash/hash.h"

#include "leafstore/select/internal/glob.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore::internal {

class GlobWalk {
 public:
  // The limit of cached states in words; a state has one word per glob.
  static constexpr size_t kMaxCached = size_t{1} << 18;

  // `def` must outlive this. `max_cached` is for tests.
  explicit GlobWalk(const TreeDef& def, size_t max_cached = kMaxCached);
  GlobWalk(const GlobWalk&) = delete;  // points into itself
  GlobWalk& operator=(const GlobWalk&) = delete;

  // Adds a glob and returns its index. Must be called before the first Enter. The pattern must
  // outlive this.
  size_t Add(const GlobPattern& pattern);

  bool empty() const { return patterns_.empty(); }

  // Makes `node`, at `depth` below the root, the current node. The last node entered at depth - 1
  // must be its parent. O(1) if state and key are cached; else O(globs * length of the key * length
  // of a pattern).
  void Enter(NodeId node, size_t depth);

  // Returns whether the glob matches the current node, which must exist. O(1).
  bool Accepts(size_t glob) const { return (here_[glob] & accepting_[glob]) != 0; }

  // Returns the number of words of cached states, at most `max_cached`.
  size_t cached() const { return states_by_id_.size() * patterns_.size(); }

 private:
  // The index of a combination of the states of all globs.
  using State = uint32_t;
  using StatesOfAll = std::vector<GlobPattern::States>;
  static constexpr State kNoState = (State{1} << 30) - 1;  // not cached

  // The transition from a state and a key, which are packed into one word.
  static constexpr uint64_t kNoEdge = ~uint64_t{0};
  struct Edge {
    uint64_t from = kNoEdge;
    State to = kNoState;
  };
  // The state of the walk at a depth.
  struct Level {
    State state = kNoState;
    StatesOfAll states;  // if `state` is kNoState
  };

  // Returns the state of `node`, below `above`. Also stores it in `*states` if its edge was not
  // cached.
  State Follow(const Level& above, NodeId node, StatesOfAll* states);
  // Returns the word of an edge, which is the same for keys that no pattern distinguishes; kNoEdge
  // if it cannot be cached, as the state is not or the key is too large an integer.
  uint64_t EdgeFrom(State above, NodeId node) const;
  void Step(const GlobPattern::States* above, NodeId node, StatesOfAll* below) const;
  // Returns the index of these states, adding them if needed; kNoState if the cache is full.
  State Cache(const StatesOfAll& states);
  const GlobPattern::States* StatesOf(const Level& level) const {
    return level.state == kNoState ? level.states.data() : states_by_id_[level.state];
  }

  const TreeDef& def_;
  const size_t max_cached_;
  std::vector<const GlobPattern*> patterns_;
  std::vector<GlobPattern::States> accepting_;  // by glob
  bool distinguishes_integers_ = false;
  std::unordered_map<StatesOfAll, State, absl::Hash<StatesOfAll>> ids_;
  std::vector<const GlobPattern::States*> states_by_id_;  // in ids_
  std::vector<Edge> edges_;                    // a hash table; the size is a power of two
  std::vector<Level> levels_;                  // by depth
  const GlobPattern::States* here_ = nullptr;  // of the current node, by glob
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_SELECT_INTERNAL_GLOB_WALK_H_
