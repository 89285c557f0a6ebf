// Models that tests of store/ flatten, and functions that return what the tests check.
#ifndef LEAFSTORE_TESTS_STORE_SAMPLE_MODELS_H_
#define LEAFSTORE_TESTS_STORE_SAMPLE_MODELS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "leafstore/store/flatten.h"
#include "leafstore/store/param_store.h"

#include "tests/store/sample_stores.h"

namespace leafstore {

inline Tree LinearOf(float first) {
  return Tree::Struct("Linear")
      .With("bias", Floats({first, first + 1}))
      .With("weight", Tensor::From<float>({2, 2}, {first, first, first, first}).value());
}

// Returns a tree with the leaves
//   .activation          'gelu'
//   .head.bias           f32[2], 30 and 31
//   .head.weight         f32[2, 2]
//   .layers[0].bias      10 and 11
//   .layers[0].weight
//   .layers[1].bias      20 and 21
//   .layers[1].weight
//   .steps               12
// and two nodes without leaves: .empty, a dict, and .nothing, a none. The type names are Mlp and
// Linear; .head has the tag "frozen".
inline Tree SampleTree() {
  return Tree::Struct("Mlp")
      .With("activation", Value("gelu"))
      .With("empty", Tree::Dict())
      .With("head", LinearOf(30).Tag("frozen"))
      .With("layers", Tree::List().Add(LinearOf(10)).Add(LinearOf(20)))
      .With("nothing", Tree::None())
      .With("steps", Value(12));
}
inline Flattened SampleModel() { return Flatten(SampleTree()).value(); }
inline ParamStore SampleParams() { return SampleModel().params; }

// Returns a store in which .output is tied to .embedding, a struct with one tensor, .table.
inline ParamStore TiedParams() {
  const auto node = std::make_shared<Tree>(Tree::Struct().With("table", Floats({1, 2, 3})));
  return Flatten(Tree::Struct()
                     .With("embedding", Tree::Shared(node))
                     .With("output", Tree::Shared(node))
                     .With("scale", Floats({4})))
      .value()
      .params;
}

inline std::vector<std::string> PathsOf(const ParamStore& store) {
  std::vector<std::string> paths;
  for (uint32_t place = 0; place < store.size(); ++place) paths.push_back(store.PathText(place));
  return paths;
}

inline std::vector<uint64_t> GenerationsOf(const ParamStore& store) {
  std::vector<uint64_t> generations;
  for (const Leaf& leaf : store.leaves()) generations.push_back(leaf.generation());
  return generations;
}

// Returns the address of each leaf's bytes; null for static leaves.
inline std::vector<const void*> AddressesOf(const ParamStore& store) {
  std::vector<const void*> addresses;
  for (const Leaf& leaf : store.leaves()) {
    addresses.push_back(leaf.is_tensor() ? leaf.tensor().raw_data() : nullptr);
  }
  return addresses;
}

// The observable state of a store, to check later that nothing has changed.
struct StoreState {
  explicit StoreState(const ParamStore& store)
      : layout(store.layout()),
        slots(store.slots()),
        leaves(store.leaves().begin(), store.leaves().end()),
        generations(GenerationsOf(store)) {}

  friend bool operator==(const StoreState&, const StoreState&) = default;

  Layout layout;
  SlotSet slots;
  std::vector<Leaf> leaves;  // copies; that of a leaf being written has its current bytes
  std::vector<uint64_t> generations;
};

// A model as a struct, for tests that unflatten it.
struct Linear {
  Tensor weight = Floats({1, 2, 3});
  Tensor bias = Floats({4});
  LEAFSTORE_FIELDS(weight, bias)
};

inline Path PathFrom(absl::string_view text) { return Path::Parse(text).value(); }

// Returns a store of leaves at canonical paths, on a new Layout.
inline ParamStore StoreAt(std::vector<std::pair<std::string, Leaf>> entries) {
  std::vector<std::pair<Path, Leaf>> by_path;
  for (auto& [text, leaf] : entries) by_path.emplace_back(PathFrom(text), std::move(leaf));
  return ParamStore::FromEntries(std::move(by_path)).value();
}

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_STORE_SAMPLE_MODELS_H_
