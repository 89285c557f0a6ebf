// Models that several tests save.
#ifndef LEAFSTORE_TESTS_CHECKPOINT_MODELS_H_
#define LEAFSTORE_TESTS_CHECKPOINT_MODELS_H_

#include <string>
#include <utility>
#include <vector>

#include "leafstore/core/leaf.h"
#include "leafstore/store/param_store.h"
#include "leafstore/treedef/treedef_builder.h"

namespace leafstore {

// Returns a structure with every kind of node, a tie (.head is .embed) and tags. Its leaves: .act,
// .by_number[-3], .embed, .named['a b'], .named['é'][0], .named['é'][1][0].
inline TreeDef EveryKind() {
  TreeDefBuilder builder;
  const auto attribute = [&](const char* name) { builder.SetKey(KeyRef::Attribute(name)); };
  builder.Open(NodeKind::kStruct, "Model");
  builder.Tag("whole");
  attribute("act");
  builder.Leaf();
  attribute("by_number");
  builder.Open(NodeKind::kDict);
  builder.SetKey(KeyRef::Index(-3));
  builder.Leaf();
  builder.SetKey(KeyRef::Index(7));
  builder.None();
  builder.Close();
  attribute("embed");
  const NodeId embed = builder.next_node();
  builder.Leaf();
  builder.Tag("frozen");
  builder.Tag("table");
  attribute("empty");
  builder.Open(NodeKind::kList);
  builder.Close();
  attribute("head");
  builder.Alias(embed);
  attribute("named");
  builder.Open(NodeKind::kDict);
  builder.SetKey(KeyRef::Item("a b"));
  builder.Leaf();
  builder.SetKey(KeyRef::Item("\xc3\xa9"));
  builder.Open(NodeKind::kTuple);
  builder.Leaf();
  builder.Open(NodeKind::kCustom, "Pair");
  builder.Leaf();
  builder.Close();
  builder.Close();
  builder.Close();
  builder.Close();
  return std::move(builder).Build().value();
}

// Returns a store of this structure: static leaves, a scalar, an empty tensor, and one of 24 bytes.
inline ParamStore EveryKindStore() {
  std::vector<Leaf> leaves;
  leaves.push_back(Value("gelu"));
  leaves.push_back(Value(-12));
  leaves.push_back(Tensor::From<float>({2, 3}, {1, 2, 3, 4, 5, 6}).value());
  leaves.push_back(Tensor::Scalar<int64_t>(42));
  leaves.push_back(Value(Bytes{std::string("\0\xff", 2)}));
  leaves.push_back(Tensor::Zeros(DType::kBF16, {0, 4}).value());
  return ParamStore::Create(EveryKind(), std::move(leaves)).value();
}

// Returns a leaf of a temporary store.
inline Leaf LeafOf(const ParamStore& store, uint32_t place) { return store.leaf(place); }

// Returns the leaves of a store by path, to compare stores on different Layouts.
inline std::vector<std::pair<std::string, Leaf>> EntriesOf(const ParamStore& store) {
  std::vector<std::pair<std::string, Leaf>> entries;
  for (uint32_t place = 0; place < store.size(); ++place) {
    entries.emplace_back(store.PathText(place), store.leaf(place));
  }
  return entries;
}

// Returns an f32 tensor of `size` elements with one value.
inline Tensor Filled(float value, int64_t size) {
  const std::vector<float> values(static_cast<size_t>(size), value);
  return Tensor::From<float>({size}, values).value();
}

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_CHECKPOINT_MODELS_H_
