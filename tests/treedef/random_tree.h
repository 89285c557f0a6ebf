// Random Trees, with every kind of node, leaf, tie and tag.
#ifndef LEAFSTORE_TESTS_TREEDEF_RANDOM_TREE_H_
#define LEAFSTORE_TESTS_TREEDEF_RANDOM_TREE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "leafstore/core/tensor.h"
#include "leafstore/core/value.h"
#include "leafstore/treedef/tree/tree.h"

#include "tests/core/random_keys.h"

namespace leafstore {

// Returns a valid leaf: a small tensor or a value.
inline Leaf RandomLeaf(Random& random) {
  switch (RandomBelow(random, 8)) {
    case 0:
      return Value(RandomBelow(random, 2) == 0);
    case 1:
      return Value(RandomIndex(random));
    case 2:
      return Value(0.25 * static_cast<double>(RandomBelow(random, 100)));
    case 3:
      return Value(RandomName(random));
    case 4:
      return Value(Bytes{std::string("\xff\0", 2) + RandomName(random)});
    case 5:
      return Tensor::Zeros(DType::kI32, {static_cast<int64_t>(RandomBelow(random, 3)), 2}).value();
    default:
      return Tensor::Scalar(static_cast<float>(RandomBelow(random, 1000)));
  }
}

// Makes a Tree of about `max_nodes` nodes at most, which can be flattened without an error.
//
//   const uint64_t seed = ...;                     // print the seed when a test fails
//   Random random(seed);
//   Tree tree = RandomTree(random, 50).Make();
class RandomTree {
 public:
  RandomTree(Random& random, size_t max_nodes) : random_(random), left_(max_nodes) {}

  // Returns a list of two: a random tree, and a node that may already occur in it.
  Tree Make() {
    late_ = std::make_shared<Tree>(Tree::Tuple().Add(RandomLeaf(random_)).Add(Value("late")));
    Tree list = Tree::List();
    list.Add(MakeNode(0));
    list.Add(Tree::Shared(late_));
    return list;
  }

 private:
  Tree MakeNode(int depth) {
    if (left_ > 0) --left_;
    Tree tree = depth == 0 || (left_ > 0 && OneIn(2)) ? MakeContainer(depth) : MakeSingle();
    if (OneIn(6)) tree.Tag(OneIn(2) ? "decay" : "frozen");
    if (OneIn(12)) tree.Tag("Ω 'quoted', and (more)");
    return MaybeShare(std::move(tree));
  }

  Tree MakeSingle() {
    switch (RandomBelow(random_, 8)) {
      case 0:
        return Tree::None();
      case 1:
        return Tree::Shared(late_);
      case 2:
        if (!shared_.empty()) return Tree::Shared(shared_[RandomBelow(random_, shared_.size())]);
        break;
    }
    return Tree(RandomLeaf(random_));
  }

  Tree MakeContainer(int depth) {
    const size_t count = std::min(left_, depth == 0 ? 8 : RandomBelow(random_, 6));
    const bool int_keys = OneIn(3);
    switch (RandomBelow(random_, 5)) {
      case 0:
        return WithItems(Tree::List(), count, depth);
      case 1:
        return WithItems(Tree::Tuple(), count, depth);
      case 2:
        return WithItems(Tree::Custom("Ring"), count, depth);
      case 3:
        return WithEntries(Tree::Struct(OneIn(2) ? "Linear" : ""), count, depth, false);
      default:
        return WithEntries(Tree::Dict(), count, depth, int_keys);
    }
  }

  Tree WithItems(Tree tree, size_t count, int depth) {
    for (size_t i = 0; i < count; ++i) tree.Add(MakeNode(depth + 1));
    return tree;
  }
  Tree WithEntries(Tree tree, size_t count, int depth, bool int_keys) {
    // Distinct keys are made first, so that no node replaces another.
    std::set<Key> keys;
    for (size_t i = 0; i < count; ++i) {
      keys.insert(int_keys ? Key::Index(RandomIndex(random_)) : Key::Item(RandomName(random_)));
    }
    for (const Key& key : keys) {
      if (int_keys) {
        tree.With(key.index(), MakeNode(depth + 1));
      } else {
        tree.With(key.name(), MakeNode(depth + 1));
      }
    }
    return tree;
  }

  // Only complete nodes are shared, so that there are no cycles.
  Tree MaybeShare(Tree tree) {
    if (OneIn(6)) {
      shared_.push_back(std::make_shared<Tree>(std::move(tree)));
      return Tree::Shared(shared_.back());
    }
    return tree;
  }

  bool OneIn(size_t n) { return RandomBelow(random_, n) == 0; }

  Random& random_;
  size_t left_;
  std::vector<std::shared_ptr<Tree>> shared_;
  std::shared_ptr<Tree> late_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_TREEDEF_RANDOM_TREE_H_
