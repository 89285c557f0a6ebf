#include "leafstore/treedef/diff.h"

#include <cstddef>
#include <iterator>

#include "absl/strings/str_cat.h"

#include "leafstore/treedef/internal/path_cursor.h"

namespace leafstore {
namespace {

using What = TreeDefDifference::What;

// Returns whether the children of `kind` have their position as key.
bool IsPositional(NodeKind kind) {
  return kind == NodeKind::kList || kind == NodeKind::kTuple || kind == NodeKind::kCustom;
}

// Compares both in preorder, with a stack of the remaining children of each pair of open
// containers.
class TreeDefDiffer {
 public:
  TreeDefDiffer(const TreeDef& a, const TreeDef& b) : a_(a), b_(b) {
    if (a.has_aliases() && b.has_aliases()) partners_.assign(a.node_count(), kNoNode);
  }

  std::vector<TreeDefDifference> Run() {
    Compare(kRootNode, kRootNode);
    while (!open_.empty()) {
      Pair& pair = open_.back();
      if (pair.a == pair.a_end && pair.b == pair.b_end) {
        open_.pop_back();
      } else {
        Step(&pair);
      }
    }
    return std::move(out_);
  }

 private:
  // The next children of two containers, and where these end.
  struct Pair {
    NodeId a, a_end;
    NodeId b, b_end;
  };

  // Steps over the child with the lesser key, in one or both.
  void Step(Pair* pair) {
    const NodeId a = pair->a;
    const NodeId b = pair->b;
    const bool a_ended = a == pair->a_end;
    const bool b_ended = b == pair->b_end;
    const auto order = a_ended   ? std::strong_ordering::greater
                       : b_ended ? std::strong_ordering::less
                                 : a_.key(a) <=> b_.key(b);
    if (order <= 0) pair->a = a_.end(a);
    if (order >= 0) pair->b = b_.end(b);
    if (order < 0) {
      Add(What::kOnlyInA, a, kNoNode);
    } else if (order > 0) {
      Add(What::kOnlyInB, kNoNode, b);
    } else {
      Compare(a, b);  // may move what `pair` points to
    }
  }

  void Compare(NodeId a, NodeId b) {
    if (!partners_.empty()) partners_[a] = b;
    const NodeKind kind = a_.kind(a);
    if (kind != b_.kind(b)) {
      Add(What::kKind, a, b);
    } else if (kind == NodeKind::kAlias) {
      if (!SameTarget(a, b)) Add(What::kAliasTarget, a, b);
    } else if (a_.type_name(a) != b_.type_name(b)) {
      Add(What::kTypeName, a, b);
    }
    if ((a_.has_tags() || b_.has_tags()) && a_.tags(a) != b_.tags(b)) Add(What::kTags, a, b);
    if (HaveSameKeys(a, b)) open_.push_back({a + 1, a_.end(a), b + 1, b_.end(b)});
  }

  // An owner precedes its alias, so the owners of two equal aliases have been compared.
  bool SameTarget(NodeId a, NodeId b) const {
    return partners_[a_.alias_target(a)] == b_.alias_target(b);
  }

  // Returns whether the children of both have keys of one kind, so that paths can be equal. A
  // container without children matches others of its kind.
  bool HaveSameKeys(NodeId a, NodeId b) {
    const NodeKind kind_a = a_.kind(a);
    const NodeKind kind_b = b_.kind(b);
    if (!IsContainer(kind_a) || !IsContainer(kind_b)) return false;
    const bool both = a_.child_count(a) > 0 && b_.child_count(b) > 0;
    if (!both) return kind_a == kind_b || (IsPositional(kind_a) && IsPositional(kind_b));
    if (a_.key(a + 1).kind == b_.key(b + 1).kind) return true;
    if (kind_a == kind_b) Add(What::kKeyType, a, b);
    return false;
  }

  void Add(What what, NodeId a, NodeId b) { out_.push_back({what, a, b}); }

  const TreeDef& a_;
  const TreeDef& b_;
  std::vector<Pair> open_;
  std::vector<NodeId> partners_;  // of the nodes of a, where both have aliases
  std::vector<TreeDefDifference> out_;
};

// Returns "struct Linear with 2 leaves" or "leaf".
std::string Describe(const TreeDef& def, NodeId node) {
  std::string out(NodeKindName(def.kind(node)));
  if (!def.type_name(node).empty()) {
    absl::StrAppend(&out, " ", internal::NameForMessage(def.type_name(node)));
  }
  if (IsContainer(def.kind(node))) {
    const uint32_t leaves = def.leaf_begin(def.end(node)) - def.leaf_begin(node);
    absl::StrAppend(&out, " with ", leaves, leaves == 1 ? " leaf" : " leaves");
  }
  return out;
}

// Returns what a node of one side has.
std::string Side(What what, const TreeDef& def, NodeId node) {
  switch (what) {
    case What::kTypeName:
      return def.type_name(node).empty() ? "none" : internal::NameForMessage(def.type_name(node));
    case What::kTags:
      return def.tags(node).empty() ? "none" : internal::TagsForMessage(def, node);
    case What::kAliasTarget:
      return def.PathForMessage(def.alias_target(node));
    case What::kKeyType:
      return def.has_int_keys(node) ? "int64 keys" : "string keys";
    case What::kOnlyInA:
    case What::kOnlyInB:
    case What::kKind:
      break;
  }
  return Describe(def, node);
}

}  // namespace

std::vector<TreeDefDifference> DiffTreeDefs(const TreeDef& a, const TreeDef& b) {
  if (a == b) return {};
  return TreeDefDiffer(a, b).Run();
}

std::string ToString(const TreeDefDifference& difference, const TreeDef& a, const TreeDef& b) {
  const auto [what, in_a, in_b] = difference;
  constexpr absl::string_view kBefore[] = {
      "only in the first: ", "only in the second: ", "", "type name ", "tags ", "alias of ", ""};
  static_assert(std::size(kBefore) == static_cast<size_t>(What::kKeyType) + 1);
  const std::string text =
      absl::StrCat("at ", in_a == kNoNode ? b.PathForMessage(in_b) : a.PathForMessage(in_a), ": ",
                   kBefore[static_cast<size_t>(what)]);
  if (in_a == kNoNode) return text + Side(what, b, in_b);
  if (in_b == kNoNode) return text + Side(what, a, in_a);
  return absl::StrCat(text, Side(what, a, in_a), what == What::kAliasTarget ? " and of " : " and ",
                      Side(what, b, in_b));
}

}  // namespace leafstore
