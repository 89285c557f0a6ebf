#include "leafstore/select/internal/glob_walk.h"

#include <algorithm>
#include <bit>
#include <string>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace leafstore::internal {
namespace {

// A key is packed into kKeyBits: the 32-bit id of its string, or kFirstInteger plus an integer.
constexpr int kKeyBits = 33;
constexpr uint64_t kFirstInteger = uint64_t{1} << 32;
constexpr int64_t kIntegers = int64_t{1} << 32;

constexpr size_t kMaxEdges = size_t{1} << 14;

}  // namespace

GlobWalk::GlobWalk(const TreeDef& def, size_t max_cached)
    : def_(def), max_cached_(std::min(max_cached, kMaxCached)) {}

size_t GlobWalk::Add(const GlobPattern& pattern) {
  edges_.resize(std::bit_ceil(std::min<size_t>(def_.node_count(), kMaxEdges)));
  distinguishes_integers_ |= pattern.DistinguishesIntegers();
  patterns_.push_back(&pattern);
  accepting_.push_back(pattern.accepting());
  return patterns_.size() - 1;
}

void GlobWalk::Enter(NodeId node, size_t depth) {
  if (levels_.size() <= depth) levels_.resize(depth + 1);
  Level& here = levels_[depth];
  if (depth == 0) {
    here.states.clear();
    for (const GlobPattern* pattern : patterns_) here.states.push_back(pattern->start());
    here.state = Cache(here.states);
  } else {
    here.state = Follow(levels_[depth - 1], node, &here.states);
  }
  here_ = StatesOf(here);
}

GlobWalk::State GlobWalk::Follow(const Level& above, NodeId node, StatesOfAll* states) {
  const uint64_t from = EdgeFrom(above.state, node);
  Edge& edge = edges_[absl::HashOf(from) & (edges_.size() - 1)];
  if (edge.from == from && from != kNoEdge) return edge.to;
  Step(StatesOf(above), node, states);
  const State to = Cache(*states);
  if (to != kNoState) edge = Edge{from, to};
  return to;
}

uint64_t GlobWalk::EdgeFrom(State above, NodeId node) const {
  static_assert(kMaxCached <= kNoState && uint64_t{kNoState} >> (64 - kKeyBits) == 0);
  if (above == kNoState) return kNoEdge;
  uint64_t key = def_.key_string(node);
  if (key == TreeDef::kNoString) {
    const int64_t number = distinguishes_integers_ ? def_.key(node).index : 0;
    if (number < 0 || number >= kIntegers) return kNoEdge;
    key = kFirstInteger + static_cast<uint64_t>(number);
  }
  return uint64_t{above} << kKeyBits | key;
}

void GlobWalk::Step(const GlobPattern::States* above, NodeId node, StatesOfAll* below) const {
  const uint32_t string = def_.key_string(node);
  std::string number;
  if (string == TreeDef::kNoString) number = absl::StrCat(def_.key(node).index);
  const absl::string_view key = string == TreeDef::kNoString ? number : def_.string(string);
  below->assign(patterns_.size(), 0);
  for (size_t i = 0; i < patterns_.size(); ++i) {
    if (above[i] == 0) continue;
    (*below)[i] = patterns_[i]->Step(above[i], patterns_[i]->MatchingSegments(key));
  }
}

GlobWalk::State GlobWalk::Cache(const StatesOfAll& states) {
  if (const auto known = ids_.find(states); known != ids_.end()) return known->second;
  if (cached() + patterns_.size() > max_cached_) return kNoState;
  const auto number = static_cast<State>(states_by_id_.size());
  states_by_id_.push_back(ids_.emplace(states, number).first->first.data());
  return number;
}

}  // namespace leafstore::internal
