// Small models for the tests of optimizers.
//
//   ParamStore params = Model({{"bias", F32({2}, {1, 2})}, {"name", Leaf(Value("gelu"))}});
//   ParamStore group = GroupOf(params, {"bias"});
//   Numbers(group, ".bias");                       // {1, 2}
#ifndef LEAFSTORE_TESTS_OPTIM_OPTIM_TESTING_H_
#define LEAFSTORE_TESTS_OPTIM_OPTIM_TESTING_H_

#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/optim/optimizer.h"
#include "leafstore/store/param_store.h"
#include "leafstore/treedef/treedef_builder.h"

#include "tests/core/status_matchers.h"

namespace leafstore {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

using Entries = std::map<std::string, Leaf>;

inline Leaf F32(const Shape& shape, std::vector<float> values) {
  return Tensor::From<float>(shape, absl::MakeConstSpan(values)).value();
}
inline Leaf F64(const Shape& shape, std::vector<double> values) {
  return Tensor::From<double>(shape, absl::MakeConstSpan(values)).value();
}

// Returns a struct whose attributes are the entries.
inline ParamStore Model(const Entries& entries) {
  TreeDefBuilder builder;
  builder.Open(NodeKind::kStruct, "Model");
  std::vector<Leaf> leaves;
  for (const auto& [name, leaf] : entries) {
    builder.SetKey(KeyRef::Attribute(name));
    builder.Leaf();
    leaves.push_back(leaf);
  }
  builder.Close();
  return ParamStore::Create(std::move(builder).Build().value(), std::move(leaves)).value();
}

// Returns the leaves with these names, as a group on the Layout of `all`.
inline ParamStore GroupOf(const ParamStore& all, const std::vector<std::string>& names) {
  std::vector<Slot> slots;
  std::vector<Leaf> leaves;
  for (uint32_t place = 0; place < all.size(); ++place) {
    for (const std::string& name : names) {
      if (all.PathText(place) != "." + name) continue;
      slots.push_back(all.slot(place));
      leaves.push_back(all.leaf(place));
    }
  }
  return ParamStore::Create(all.layout(), SlotSet::Create(all.layout().size(), slots).value(),
                            leaves)
      .value();
}

// Returns a store like `store` whose f32 and f64 tensors have random elements of very different
// magnitudes.
inline ParamStore RandomLike(const ParamStore& store, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> magnitude(-4, 2);
  const auto draw = [&] { return normal(random) * std::pow(10.0, magnitude(random)); };
  std::vector<Leaf> leaves;
  for (const Leaf& leaf : store.leaves()) {
    if (!leaf.is_tensor()) {
      leaves.push_back(leaf);
      continue;
    }
    const Shape shape(leaf.tensor().shape().begin(), leaf.tensor().shape().end());
    const auto count = static_cast<size_t>(leaf.tensor().element_count());
    std::vector<double> values(count);
    for (double& value : values) value = draw();
    if (leaf.tensor().dtype() == DType::kF64) {
      leaves.push_back(F64(shape, values));
    } else {
      leaves.push_back(F32(shape, std::vector<float>(values.begin(), values.end())));
    }
  }
  return ParamStore::Create(store.layout(), store.slots(), std::move(leaves)).value();
}

// Returns a model with f32 and f64 leaves of many shapes, and a static leaf between them.
inline ParamStore MixedModel(uint32_t seed) {
  return RandomLike(Model({{"a_scalar", F32({}, {0})},
                           {"b_empty", F32({0, 3}, {})},
                           {"c_name", Leaf(Value("gelu"))},
                           {"d_row", F32({17}, std::vector<float>(17))},
                           {"e_double", F64({3, 5}, std::vector<double>(15))},
                           {"f_matrix", F32({33, 7}, std::vector<float>(231))},
                           {"g_cube", F32({2, 2, 2}, std::vector<float>(8))},
                           {"h_doubles", F64({9}, std::vector<double>(9))}}),
                    seed);
}

inline std::vector<double> Numbers(const Leaf& leaf) {
  if (leaf.tensor().dtype() == DType::kF64) {
    const absl::Span<const double> numbers = leaf.tensor().span<double>();
    return {numbers.begin(), numbers.end()};
  }
  const absl::Span<const float> numbers = leaf.tensor().span<float>();
  return {numbers.begin(), numbers.end()};
}
inline std::vector<double> Numbers(const ParamStore& store, absl::string_view path) {
  return Numbers(*store.Get(path).value());
}

inline std::vector<Leaf> LeavesOf(const ParamStore& store) {
  return {store.leaves().begin(), store.leaves().end()};
}

// The contents of a store or a state, to compare bit for bit: leaves by path, prefixed with the
// store's name.
using Contents = std::map<std::string, Leaf>;
inline Contents ContentsOf(const ParamStore& store, const std::string& name = "") {
  Contents contents;
  for (uint32_t place = 0; place < store.size(); ++place) {
    const Leaf& leaf = store.leaf(place);
    // Clones the bytes, so that later writes to the tensor cannot change what is compared.
    contents[name + store.PathText(place)] =
        leaf.is_tensor() ? Leaf(leaf.tensor().Clone().value()) : leaf;
  }
  return contents;
}
inline Contents ContentsOf(const std::vector<NamedStore>& state) {
  Contents contents;
  for (const NamedStore& one : state) contents.merge(ContentsOf(one.store, one.name + ":"));
  return contents;
}

inline const ParamStore& StoreOf(const std::vector<NamedStore>& state, absl::string_view name) {
  for (const NamedStore& one : state) {
    if (one.name == name) return one.store;
  }
  ADD_FAILURE() << "no store '" << name << "'";
  return state.front().store;
}

inline int64_t StepOf(const Optimizer& optimizer, absl::string_view path) {
  return optimizer.StepCountOf(optimizer.layout().Find(path).value());
}

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_OPTIM_OPTIM_TESTING_H_
