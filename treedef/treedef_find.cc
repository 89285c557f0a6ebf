// TreeDef's lookups: by key, by path, by dotted name.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/hash_tables.h"
#include "leafstore/core/internal/suggest.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/treedef/internal/path_cursor.h"
#include "leafstore/treedef/internal/path_table.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore {

using internal::ChildLists;
using internal::NameForMessage;
using internal::StringOf;
using internal::TreeDefColumns;

namespace {

// O(nodes).
ChildLists MakeChildLists(const TreeDefColumns& columns) {
  ChildLists lists;
  lists.begins.reserve(columns.kinds.size());
  for (NodeId node = 0; node < columns.kinds.size(); ++node) {
    lists.begins.push_back(static_cast<uint32_t>(lists.children.size()));
    if (internal::HasAdjacentChildren(columns, node)) continue;
    for (NodeId child = node + 1; child != columns.ends[node]; child = columns.ends[child]) {
      lists.children.push_back(child);
    }
  }
  return lists;
}

// The children of one node by position. Makes the child lists if they are needed.
class Children {
 public:
  Children(const internal::TreeDefRep& rep, NodeId node)
      : first_(node + 1), size_(rep.columns.child_counts[node]) {
    if (internal::HasAdjacentChildren(rep.columns, node)) return;
    const ChildLists& lists =
        rep.derived->child_lists.Get([&rep] { return MakeChildLists(rep.columns); });
    listed_ = lists.children.data() + lists.begins[node];
  }

  uint32_t size() const { return size_; }
  NodeId operator[](uint32_t position) const {
    return listed_ == nullptr ? first_ + position : listed_[position];
  }

  // Returns the position of the first child for which `is_less` is false.
  template <typename Less>
  uint32_t FirstNotLess(const Less& is_less) const {
    uint32_t begin = 0;
    uint32_t end = size_;
    while (begin < end) {
      const uint32_t middle = begin + (end - begin) / 2;
      if (is_less((*this)[middle])) {
        begin = middle + 1;
      } else {
        end = middle;
      }
    }
    return begin;
  }

 private:
  NodeId first_;
  uint32_t size_;
  const NodeId* listed_ = nullptr;
};

bool HasNamedChildren(const TreeDef& def, NodeId node) {
  return internal::KindOfKeys(internal::RepOf(def).columns, node) != KeyKind::kIndex;
}

// The maximum count of children that are considered as suggestions.
constexpr uint32_t kMaxCandidates = 4096;

// Returns "; did you mean ...?" with children of `node`, each as `text` appends it.
template <typename Text>
std::string SuggestChild(const TreeDef& def, NodeId node, absl::string_view wanted,
                         const Text& text) {
  if (!HasNamedChildren(def, node)) return "";
  std::vector<std::string> candidates;
  for (NodeId child = def.first_child(node);
       child != def.end(node) && candidates.size() < kMaxCandidates; child = def.end(child)) {
    const KeyRef key = def.key(child);
    if (key.name.size() > internal::kMaxSuggestionSize) continue;
    text(key, &candidates.emplace_back());
  }
  return internal::DidYouMean(wanted, candidates);
}

// Returns "a dict of 3 without it" or "a leaf": what was found instead of the child.
std::string WhatItIs(const TreeDef& def, NodeId node) {
  return absl::StrCat(def.kind(node) == NodeKind::kNone ? "" : "a ",
                      internal::NodeForMessage(def, node),
                      IsContainer(def.kind(node)) ? " without it" : "");
}

// Finds the nodes that have a dotted name. A name can be read in several ways, since keys may
// contain dots; all are tried, depth first, until two nodes are found.
class DottedSearch {
 public:
  DottedSearch(const TreeDef& def, absl::string_view name)
      : def_(def), rep_(internal::RepOf(def)), name_(name) {
    if (name_.empty()) found_.push_back(0);
    Enter({kRootNode, 0, kNoStep});
    while (!open_.empty() && found_.size() < 2) {
      const uint32_t step = open_.back();
      open_.pop_back();
      Expand(step);
    }
  }

  // Returns the nodes that have the name, at most two.
  std::vector<NodeId> Nodes() const {
    std::vector<NodeId> nodes;
    for (const uint32_t step : found_) nodes.push_back(steps_[step].node);
    return nodes;
  }

  absl::StatusOr<NodeId> Result() const {
    if (found_.empty()) return NotFound();
    if (found_.size() == 1) return steps_[found_[0]].node;
    return absl::InvalidArgumentError(
        absl::StrCat("dotted name ", NameForMessage(name_), ": expected one node, found ",
                     WayForMessage(found_[0]), " and ", WayForMessage(found_[1])));
  }

 private:
  static constexpr uint32_t kNoStep = 0xffffffff;

  // A node that was reached, where the name of its child would begin, and the step before it.
  struct Step {
    NodeId node;
    size_t at;
    uint32_t from;
  };

  void Enter(const Step& step) {
    // Aliases can lead to a node along many paths; the search continues from it in the same way.
    if (def_.has_aliases() && !seen_.insert({def_.Resolve(step.node), step.at}).second) return;
    steps_.push_back(step);
    open_.push_back(static_cast<uint32_t>(steps_.size() - 1));
  }

  // Enters all children whose key is the rest of the name, or the rest up to a dot.
  void Expand(uint32_t from) {
    const Step step = steps_[from];
    if (step.at > deepest_at_) {
      deepest_at_ = step.at;
      deepest_ = step.node;
    }
    const NodeId node = def_.Resolve(step.node);
    if (HasNamedChildren(def_, node)) {
      ExpandNames(from, node, step.at);
    } else if (IsContainer(def_.kind(node))) {
      ExpandNumber(from, node, step.at);
    }
  }

  // Tries keys from the shortest to the longest: each key that begins like the rest of the name up
  // to a dot is at or after the lower bound of that part; none does if the lower bound does not.
  void ExpandNames(uint32_t from, NodeId node, size_t at) {
    const Children children(rep_, node);
    const absl::string_view rest = name_.substr(at);
    for (size_t size = 0; size <= rest.size(); ++size) {
      size = std::min(rest.find('.', size), rest.size());
      const absl::string_view part = rest.substr(0, size);
      const uint32_t position =
          children.FirstNotLess([&](NodeId child) { return KeyName(child) < part; });
      if (position == children.size()) return;
      const absl::string_view key = KeyName(children[position]);
      const size_t same =
          std::mismatch(key.begin(), key.end(), rest.begin(), rest.end()).first - key.begin();
      if (same < size) return;
      if (same == key.size() && EndsAt(at + same)) Arrive(children[position], from, at + same);
      size = same;  // no key ends between
    }
  }

  void ExpandNumber(uint32_t from, NodeId node, size_t at) {
    const size_t end = std::min(name_.find('.', at), name_.size());
    const absl::string_view digits = name_.substr(at, end - at);
    int64_t index = 0;
    if (!absl::SimpleAtoi(digits, &index) || absl::StrCat(index) != digits) return;
    const NodeId child = def_.FindChild(node, KeyRef::Index(index));
    if (child != kNoNode) Arrive(child, from, end);
  }

  void Arrive(NodeId node, uint32_t from, size_t end) {
    if (end < name_.size()) {
      Enter({node, end + 1, from});
      return;
    }
    for (const uint32_t other : found_) {
      if (steps_[other].node == node) return;
    }
    steps_.push_back({node, end, from});
    found_.push_back(static_cast<uint32_t>(steps_.size() - 1));
  }

  bool EndsAt(size_t end) const { return end == name_.size() || name_[end] == '.'; }
  absl::string_view KeyName(NodeId node) const {
    return StringOf(rep_.columns, rep_.columns.keys[node]);
  }

  // Returns the path that led to a step, for messages. It has the keys that the user typed, also
  // where it goes through an alias.
  std::string WayForMessage(uint32_t step) const {
    std::vector<Key> keys;
    for (; steps_[step].from != kNoStep; step = steps_[step].from) {
      keys.emplace_back(def_.key(steps_[step].node));
    }
    std::reverse(keys.begin(), keys.end());
    return internal::PathForMessage(Path(std::move(keys)));
  }

  absl::Status NotFound() const {
    const NodeId node = def_.Resolve(deepest_);
    const absl::string_view rest = name_.substr(deepest_at_);
    return absl::NotFoundError(
        absl::StrCat("dotted name ", NameForMessage(name_), ": at ", def_.PathForMessage(node),
                     ": expected a child ", NameForMessage(rest), ", found ", WhatItIs(def_, node),
                     SuggestChild(def_, node, rest.substr(0, rest.find('.')), AppendDottedKey)));
  }

  const TreeDef& def_;
  const internal::TreeDefRep& rep_;
  const absl::string_view name_;
  std::vector<Step> steps_;
  std::vector<uint32_t> open_;   // steps to go on from
  std::vector<uint32_t> found_;  // steps whose nodes have the name
  internal::HashSet<std::pair<NodeId, size_t>> seen_;
  NodeId deepest_ = kRootNode;
  size_t deepest_at_ = 0;
};

}  // namespace

NodeId TreeDef::FindChild(NodeId node, const KeyRef& key) const {
  const TreeDefColumns& c = columns();
  const KeyKind kind = internal::KindOfKeys(c, node);
  if (key.kind != kind) return kNoNode;
  const Children children(*rep_, node);
  if (!HasKeys(c.kinds[node])) {
    const bool exists = key.index >= 0 && key.index < children.size();
    return exists ? children[static_cast<uint32_t>(key.index)] : kNoNode;
  }
  const auto key_of = [&c, kind](NodeId child) {
    const uint32_t stored = c.keys[child];
    return kind == KeyKind::kIndex ? KeyRef::Index(c.ints[stored])
                                   : KeyRef{kind, StringOf(c, stored), 0};
  };
  const uint32_t position =
      children.FirstNotLess([&](NodeId child) { return key_of(child) < key; });
  if (position == children.size() || key_of(children[position]) != key) return kNoNode;
  return children[position];
}

absl::StatusOr<NodeId> TreeDef::GetChild(NodeId node, const KeyRef& key) const {
  const NodeId child = FindChild(node, key);
  if (child != kNoNode) return child;
  const std::string wanted = internal::KeyForMessage(key);
  return absl::NotFoundError(absl::StrCat("at ", PathForMessage(node), ": expected a child ",
                                          wanted, ", found ", WhatItIs(*this, node),
                                          SuggestChild(*this, node, wanted, AppendKeyText)));
}

absl::StatusOr<NodeId> TreeDef::Find(const Path& path) const {
  NodeId node = kRootNode;
  for (const Key& key : path.keys()) {
    LEAFSTORE_ASSIGN_OR_RETURN(node, GetChild(Resolve(node), key.ref()));
  }
  return node;
}

absl::StatusOr<NodeId> TreeDef::Find(absl::string_view path_text) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const Path path, Path::Parse(path_text));
  return Find(path);
}

absl::StatusOr<NodeId> TreeDef::FindDotted(absl::string_view dotted) const {
  if (dotted.size() > Path::kMaxTextSize) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "a dotted name: expected at most ", Path::kMaxTextSize, " bytes, found ", dotted.size()));
  }
  return DottedSearch(*this, dotted).Result();
}

std::vector<NodeId> TreeDef::NodesOfDotted(absl::string_view dotted) const {
  return DottedSearch(*this, dotted).Nodes();
}

}  // namespace leafstore
