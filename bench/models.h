// Models of any size for the benchmarks. bench/peers/trees.py builds the same models in Python:
// keep both in sync (a test compares them).
//
// Transformer: blocks of ten small leaves, so that benchmarks measure the work per leaf, not per
// byte.
//
//   .layers[i].attn.{k,o,q,v}   f32[2, 4]     .layers[i].norm.{bias,scale}   f32[4]
//   .layers[i].mlp.{down,up}    bf16[2, 4]    .layers[i].rate, .name         static
//
// Blocks: .blocks[i].attn.{bias,...}, ten f32 tensors each.
// Names: a dict of f32 tensors with distinct names: ['parameter_0000017'].
#ifndef LEAFSTORE_BENCH_MODELS_H_
#define LEAFSTORE_BENCH_MODELS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "leafstore/core/tensor.h"
#include "leafstore/core/value.h"
#include "leafstore/store/flatten.h"
#include "leafstore/store/param_store.h"
#include "leafstore/treedef/treedef_builder.h"

namespace leafstore::bench {

inline constexpr int64_t kLeavesPerBlock = 10;

inline void AddStruct(TreeDefBuilder* builder, absl::string_view key, absl::string_view type,
                      std::initializer_list<absl::string_view> fields) {
  builder->SetKey(KeyRef::Attribute(key));
  builder->Open(NodeKind::kStruct, type);
  for (const absl::string_view field : fields) {
    builder->SetKey(KeyRef::Attribute(field));
    builder->Leaf();
  }
  builder->Close();
}

inline TreeDef TransformerDef(int64_t leaves) {
  TreeDefBuilder builder;
  builder.Open(NodeKind::kStruct, "Transformer");
  builder.SetKey(KeyRef::Attribute("layers"));
  builder.Open(NodeKind::kList);
  for (int64_t block = 0; block < leaves / kLeavesPerBlock; ++block) {
    builder.Open(NodeKind::kStruct, "Block");
    AddStruct(&builder, "attn", "Attention", {"k", "o", "q", "v"});
    AddStruct(&builder, "mlp", "Mlp", {"down", "up"});
    builder.SetKey(KeyRef::Attribute("name"));
    builder.Leaf();
    AddStruct(&builder, "norm", "Norm", {"bias", "scale"});
    builder.SetKey(KeyRef::Attribute("rate"));
    builder.Leaf();
    builder.Close();
  }
  builder.Close();
  builder.Close();
  return std::move(builder).Build().value();
}

// Returns new leaves for a TransformerDef, each with bytes of its own.
inline std::vector<Leaf> TransformerLeaves(int64_t leaves) {
  std::vector<Leaf> out;
  out.reserve(static_cast<size_t>(leaves));
  const auto add = [&out](DType dtype, std::initializer_list<int64_t> shape, int count) {
    for (int i = 0; i < count; ++i) {
      out.emplace_back(Tensor::Zeros(dtype, std::vector<int64_t>(shape)).value());
    }
  };
  for (int64_t block = 0; block < leaves / kLeavesPerBlock; ++block) {
    add(DType::kF32, {2, 4}, 4);
    add(DType::kBF16, {2, 4}, 2);
    out.emplace_back(Value("block"));
    add(DType::kF32, {4}, 2);
    out.emplace_back(Value(0.1));
  }
  return out;
}

inline ParamStore Transformer(int64_t leaves) {
  return ParamStore::Create(TransformerDef(leaves), TransformerLeaves(leaves)).value();
}

// Returns one tensor and `statics` static leaves.
inline ParamStore OneTensor(int64_t statics) {
  TreeDefBuilder builder;
  builder.Open(NodeKind::kStruct);
  builder.SetKey(KeyRef::Attribute("config"));
  builder.Open(NodeKind::kList);
  std::vector<Leaf> leaves;
  for (int64_t i = 0; i < statics; ++i) {
    builder.Leaf();
    leaves.emplace_back(Value(i));
  }
  builder.Close();
  builder.SetKey(KeyRef::Attribute("weight"));
  builder.Leaf();
  leaves.emplace_back(Tensor::Zeros(DType::kF32, Shape{4}).value());
  builder.Close();
  return ParamStore::Create(std::move(builder).Build().value(), std::move(leaves)).value();
}

inline TreeDef BlocksDef(int64_t leaves) {
  TreeDefBuilder builder;
  builder.Open(NodeKind::kStruct, "Model");
  builder.SetKey(KeyRef::Attribute("blocks"));
  builder.Open(NodeKind::kList);
  for (int64_t block = 0; block < leaves / kLeavesPerBlock; ++block) {
    builder.Open(NodeKind::kStruct, "Block");
    AddStruct(&builder, "attn", "Attention",
              {"bias", "gamma", "scale", "shift", "wk", "wo", "wq", "wv", "x", "y"});
    builder.Close();
  }
  builder.Close();
  builder.Close();
  return std::move(builder).Build().value();
}

inline TreeDef NamesDef(int64_t leaves) {
  TreeDefBuilder builder;
  builder.Open(NodeKind::kDict);
  for (int64_t i = 0; i < leaves; ++i) {
    builder.SetKey(KeyRef::Item(absl::StrCat("parameter_", absl::Dec(i, absl::kZeroPad7))));
    builder.Leaf();
  }
  builder.Close();
  return std::move(builder).Build().value();
}

// Returns the element at this position in a model, in [-1, 1) as in an initialized model. The
// values are as hard to compress as weights.
inline float Element(uint32_t place) {
  uint32_t bits = place * 0x9E3779B1u;
  bits ^= bits >> 15;
  bits *= 0x85EBCA6Bu;
  bits ^= bits >> 13;
  return static_cast<float>(bits >> 8) * 0x1p-23f - 1;
}

// Returns a store with a tensor of `elements` f32 in every leaf. The positions of elements continue
// from leaf to leaf.
inline ParamStore Filled(const TreeDef& def, int64_t elements) {
  std::vector<Leaf> leaves;
  uint32_t place = 0;
  for (uint32_t i = 0; i < def.leaf_count(); ++i) {
    Tensor tensor = Tensor::Uninitialized(DType::kF32, {elements}).value();
    MutableTensor borrowed = tensor.Mutate().value();
    const absl::Span<float> numbers = borrowed.span<float>();
    for (float& number : numbers) number = Element(place++);
    leaves.push_back(std::move(tensor));
  }
  return ParamStore::Create(def, std::move(leaves)).value();
}

// A named model, for the test that compares the models with those of the peers.
struct NamedModel {
  absl::string_view name;
  ParamStore (*make)(int64_t leaves);
};
inline constexpr NamedModel kModels[] = {
    {"transformer", Transformer},
    {"one_tensor", OneTensor},
    {"blocks", [](int64_t leaves) { return Filled(BlocksDef(leaves), 4); }},
    {"names", [](int64_t leaves) { return Filled(NamesDef(leaves), 4); }},
};

}  // namespace leafstore::bench

#endif  // LEAFSTORE_BENCH_MODELS_H_
