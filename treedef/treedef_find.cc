// TreeDef's lookups: by key, by path, by dotted name.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/suggest.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/treedef/internal/path_cursor.h"
#include "leafstore/treedef/internal/treedef_derived.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore {

using internal::Children;
using internal::StringOf;
using internal::TreeDefColumns;

namespace {

// Returns the position of the first child for which `is_less` is false.
template <typename Less>
uint32_t FirstNotLess(const Children& children, const Less& is_less) {
  uint32_t begin = 0;
  uint32_t end = children.size();
  while (begin < end) {
    const uint32_t middle = begin + (end - begin) / 2;
    if (is_less(children[middle])) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return begin;
}

uint32_t LowerBound(const TreeDefColumns& columns, const Children& children,
                    absl::string_view name) {
  return FirstNotLess(children,
                      [&](NodeId child) { return StringOf(columns, columns.keys[child]) < name; });
}

NodeId FindByName(const TreeDefColumns& columns, const Children& children, absl::string_view name) {
  const uint32_t position = LowerBound(columns, children, name);
  if (position == children.size()) return kNoNode;
  const NodeId child = children[position];
  return StringOf(columns, columns.keys[child]) == name ? child : kNoNode;
}

NodeId FindByInt(const TreeDefColumns& columns, const Children& children, int64_t index) {
  const auto int_of = [&columns](NodeId child) { return columns.ints[columns.keys[child]]; };
  const uint32_t position =
      FirstNotLess(children, [&](NodeId child) { return int_of(child) < index; });
  if (position == children.size() || int_of(children[position]) != index) return kNoNode;
  return children[position];
}

NodeId FindByPosition(const Children& children, int64_t index) {
  if (index < 0 || index >= children.size()) return kNoNode;
  return children[static_cast<uint32_t>(index)];
}

bool HasNamedChildren(const TreeDef& def, NodeId node) {
  return def.kind(node) == NodeKind::kStruct ||
         (def.kind(node) == NodeKind::kDict && !def.has_int_keys(node));
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
  DottedSearch(const TreeDef& def, const internal::TreeDefRep& rep, absl::string_view name)
      : def_(def), rep_(rep), name_(name) {}

  absl::StatusOr<NodeId> Run() {
    Search();
    if (found_.empty()) return NotFound();
    if (found_.size() == 2) return Ambiguous();
    return steps_[found_[0]].node;
  }
  // Returns the nodes that have the name, at most two.
  std::vector<NodeId> Nodes() {
    Search();
    std::vector<NodeId> nodes;
    for (const uint32_t step : found_) nodes.push_back(steps_[step].node);
    return nodes;
  }

 private:
  void Search() {
    if (name_.empty()) found_.push_back(0);
    Enter({kRootNode, 0, kNoStep});
    while (!open_.empty() && found_.size() < 2) {
      const uint32_t step = open_.back();
      open_.pop_back();
      Expand(step);
    }
  }

  static constexpr uint32_t kNoStep = 0xffffffff;

  // A node that was reached, and where the name of its child would begin.
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
  // to a dot is at or after the lower bound of that part, and none does if the lower bound does not.
  void ExpandNames(uint32_t from, NodeId node, size_t at) {
    const Children children(rep_, node);
    const absl::string_view rest = name_.substr(at);
    for (size_t size = 0; size <= rest.size(); ++size) {
      size = std::min(rest.find('.', size), rest.size());
      const uint32_t position = LowerBound(rep_.columns, children, rest.substr(0, size));
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
    for (uint32_t other : found_) {
      if (steps_[other].node == node) return;
    }
    steps_.push_back({node, end, from});
    found_.push_back(static_cast<uint32_t>(steps_.size() - 1));
  }

  bool EndsAt(size_t end) const { return end == name_.size() || name_[end] == '.'; }
  absl::string_view KeyName(NodeId node) const {
    return StringOf(rep_.columns, rep_.columns.keys[node]);
  }

  // Returns the canonical text of the path that led to a step.
  std::string TextOf(uint32_t step) const {
    std::vector<NodeId> way;
    for (; steps_[step].from != kNoStep; step = steps_[step].from) way.push_back(steps_[step].node);
    if (way.empty()) return "(root)";
    internal::PathCursor path(PathForm::kCanonical);
    for (size_t i = way.size(); i > 0; --i) path.Push(def_.key(way[i - 1]));
    return path.text();
  }

  absl::Status Ambiguous() const {
    return absl::InvalidArgumentError(
        absl::StrCat("dotted name ", Shown(name_), ": expected one node, found ",
                     Shown(TextOf(found_[0])), " and ", Shown(TextOf(found_[1]))));
  }

  absl::Status NotFound() const {
    const NodeId node = def_.Resolve(deepest_);
    const absl::string_view rest = name_.substr(deepest_at_);
    return absl::NotFoundError(
        absl::StrCat("dotted name ", Shown(name_), ": at ", def_.PathForMessage(node),
                     ": expected a child ", Shown(rest), ", found ", WhatItIs(def_, node),
                     SuggestChild(def_, node, rest.substr(0, rest.find('.')), AppendDottedKey)));
  }

  static std::string Shown(absl::string_view text) { return internal::NameForMessage(text); }

  const TreeDef& def_;
  const internal::TreeDefRep& rep_;
  const absl::string_view name_;
  std::vector<Step> steps_;
  std::vector<uint32_t> open_;   // steps to go on from
  std::vector<uint32_t> found_;  // steps whose nodes have the name
  absl::flat_hash_set<std::pair<NodeId, size_t>> seen_;
  NodeId deepest_ = kRootNode;
  size_t deepest_at_ = 0;
};

}  // namespace

NodeId TreeDef::FindChild(NodeId node, const KeyRef& key) const {
  const bool by_name = key.kind != KeyKind::kIndex;
  switch (kind(node)) {
    case NodeKind::kStruct:
      if (key.kind != KeyKind::kAttribute) return kNoNode;
      return FindByName(columns(), Children(*rep_, node), key.name);
    case NodeKind::kDict:
      if (key.kind == KeyKind::kAttribute || by_name == has_int_keys(node)) return kNoNode;
      if (by_name) return FindByName(columns(), Children(*rep_, node), key.name);
      return FindByInt(columns(), Children(*rep_, node), key.index);
    case NodeKind::kList:
    case NodeKind::kTuple:
    case NodeKind::kCustom:
      return by_name ? kNoNode : FindByPosition(Children(*rep_, node), key.index);
    default:
      return kNoNode;
  }
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
  return DottedSearch(*this, *rep_, dotted).Run();
}

std::vector<NodeId> TreeDef::NodesOfDotted(absl::string_view dotted) const {
  return DottedSearch(*this, *rep_, dotted).Nodes();
}

}  // namespace leafstore
