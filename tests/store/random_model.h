// Random models with every feature of models, and random filters with equivalent predicates.
#ifndef LEAFSTORE_TESTS_STORE_RANDOM_MODEL_H_
#define LEAFSTORE_TESTS_STORE_RANDOM_MODEL_H_

#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "leafstore/select/filter.h"
#include "leafstore/select/internal/glob.h"
#include "leafstore/treedef/tree/tree.h"

#include "tests/core/random_keys.h"

namespace leafstore {

// Makes trees of all kinds of nodes: containers (including empty ones) with type names and tags,
// none, tensors, values, and nodes that occur more than once. Keys repeat, so that globs match.
class RandomModel {
 public:
  explicit RandomModel(Random& random) : random_(random) {}

  Tree Make(int depth = 4) {
    Tree tree = MakeNode(depth);
    if (Below(6) == 0) tree.Tag(Below(2) == 0 ? "frozen" : "no decay");
    if (Below(8) != 0 || depth == 4) return tree;
    shared_.push_back(std::make_shared<Tree>(std::move(tree)));
    return Tree::Shared(shared_.back());
  }

 private:
  size_t Below(size_t bound) { return RandomBelow(random_, bound); }

  Tree MakeNode(int depth) {
    if (!shared_.empty() && Below(8) == 0) return Tree::Shared(shared_[Below(shared_.size())]);
    if (Below(12) == 0) return Tree::None();
    if (depth == 0 || (depth < 4 && Below(3) == 0)) return MakeLeaf();
    const size_t children = Below(7);
    switch (Below(6)) {
      case 0:
        return AddItems(Tree::List(), children, depth);
      case 1:
        return AddItems(Tree::Tuple(), children, depth);
      case 2:
        return AddItems(Tree::Custom(TypeName()), children, depth);
      case 3: {
        Tree tree = Tree::Dict();
        for (size_t i = 0; i < children; ++i) {
          tree.With(static_cast<int64_t>(Below(30)) - 5, Make(depth - 1));
        }
        return tree;
      }
      case 4:
        return AddNames(Tree::Dict(), children, depth);
      default:
        return AddNames(Tree::Struct(TypeName()), children, depth);
    }
  }

  Tree AddItems(Tree tree, size_t children, int depth) {
    for (size_t i = 0; i < children; ++i) tree.Add(Make(depth - 1));
    return tree;
  }

  Tree AddNames(Tree tree, size_t children, int depth) {
    constexpr const char* kNames[] = {"a", "b", "w", "bias", "a.b", "été", "0", "x y", "layers"};
    for (size_t i = 0; i < children; ++i) {
      tree.With(kNames[Below(std::size(kNames))], Make(depth - 1));
    }
    return tree;
  }

  const char* TypeName() { return Below(2) == 0 ? "Linear" : "Norm"; }

  Tree MakeLeaf() {
    switch (Below(7)) {
      case 0:
        return Value(static_cast<int64_t>(Below(100)));
      case 1:
        return Value("gelu");
      case 2:
        return Value(0.5);
      default: {
        static const DType kDTypes[] = {DType::kF32, DType::kF64, DType::kI32};
        std::vector<int64_t> shape;
        for (size_t rank = Below(3); rank > 0; --rank) {
          shape.push_back(static_cast<int64_t>(Below(4)));
        }
        Tensor tensor = Tensor::Zeros(kDTypes[Below(3)], shape).value();
        MutableTensor open = tensor.Mutate().value();
        for (std::byte& byte : open.bytes()) byte = static_cast<std::byte>(random_());
        open.Close();
        return tensor;
      }
    }
  }

  Random& random_;
  std::vector<std::shared_ptr<Tree>> shared_;
};

// A filter and the equivalent predicate of a node, which does not read the leaf.
struct FilterAndMeaning {
  Filter filter;
  std::function<bool(const NodeView&)> meaning;
};

inline FilterAndMeaning RandomGlobFilter(Random& random) {
  static const char* const kGlobs[] = {"?",    "*",       "**.bias", "a.**",    "**.a.**", "*.*",
                                       "*.0",  "**.?",    "**.w",    "**.a*",   "**.-?",   "**.x y",
                                       "**.1", "a\\.b.*", "*.b.*",   "**.*.*.*"};
  const char* text = kGlobs[RandomBelow(random, std::size(kGlobs))];
  const internal::GlobPattern glob = internal::GlobPattern::Parse(text).value();
  return {Glob(text), [glob](const NodeView& node) { return glob.Matches(node.path()); }};
}

inline FilterAndMeaning RandomAtomFilter(Random& random) {
  switch (RandomBelow(random, 14)) {
    case 0:
      return {Regex(R"(.*\[[0-9]\].*)"), [](const NodeView& node) {
                const std::string text = node.path().ToString();
                for (size_t i = 0; i + 2 < text.size(); ++i) {
                  const bool digit = text[i + 1] >= '0' && text[i + 1] <= '9';
                  if (text[i] == '[' && digit && text[i + 2] == ']') return true;
                }
                return false;
              }};
    case 1:
      return {DTypeIs(DType::kF32), [](const NodeView& node) {
                return node.spec() && node.spec()->dtype() == DType::kF32;
              }};
    case 2:
      return {RankIs(1), [](const NodeView& node) {
                return node.spec() && node.spec()->is_tensor() && node.spec()->rank() == 1;
              }};
    case 3:
      return {ByteSizeIs(SizeCompare::kGreaterEqual, 9),
              [](const NodeView& node) { return node.spec() && node.spec()->byte_size() >= 9; }};
    case 4: {
      static const NodeKind kKinds[] = {NodeKind::kLeaf,  NodeKind::kNone,  NodeKind::kDict,
                                        NodeKind::kList,  NodeKind::kTuple, NodeKind::kStruct,
                                        NodeKind::kCustom};
      const NodeKind kind = kKinds[RandomBelow(random, std::size(kKinds))];
      return {KindIs(kind), [kind](const NodeView& node) { return node.kind() == kind; }};
    }
    case 5:
      return {ValueIs(ValueKind::kString), [](const NodeView& node) {
                return node.spec() && *node.spec() == LeafSpec(ValueKind::kString);
              }};
    case 6:
      return {TypeIs("Linear"), [](const NodeView& node) { return node.type_name() == "Linear"; }};
    case 7:
      return {HasTag("frozen"), [](const NodeView& node) { return node.has_tag("frozen"); }};
    case 8:
      return {HasChild("a"), [](const NodeView& node) { return node.HasChild("a"); }};
    case 9:
      return {IsStatic(),
              [](const NodeView& node) { return node.spec() && !node.spec()->is_tensor(); }};
    case 10:
      return {IsTensor(),
              [](const NodeView& node) { return node.spec() && node.spec()->is_tensor(); }};
    case 11:
      return {Regex(""), [](const NodeView& node) { return node.node() == kRootNode; }};
    default:
      return RandomGlobFilter(random);
  }
}

inline FilterAndMeaning RandomFilterAndMeaning(Random& random, int depth = 2) {
  if (depth == 0 || RandomBelow(random, 2) == 0) return RandomAtomFilter(random);
  FilterAndMeaning a = RandomFilterAndMeaning(random, depth - 1);
  if (RandomBelow(random, 4) == 0) {
    return {filters::Not(a.filter), [f = a.meaning](const NodeView& node) { return !f(node); }};
  }
  FilterAndMeaning b = RandomFilterAndMeaning(random, depth - 1);
  const auto f = a.meaning, g = b.meaning;
  if (RandomBelow(random, 2) == 0) {
    return {filters::And(a.filter, b.filter), [f, g](const NodeView& n) { return f(n) && g(n); }};
  }
  return {filters::Or(a.filter, b.filter), [f, g](const NodeView& n) { return f(n) || g(n); }};
}

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_STORE_RANDOM_MODEL_H_
