// Flattening and unflattening, compared with moving or copying as many bare handles. Models are
// blocks of nine tensors, as in a transformer. They are moved, so that no reference count changes.
// Each time is for one direction only.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/timer.h"
#include "benchmark/benchmark.h"

#include "leafstore/treedef/bind/flatten.h"

namespace leafstore {
namespace {

using internal::FlattenTree;
using internal::FlattenTreeLike;
using internal::FlatTree;
using internal::UnflattenTree;

struct Block {
  Tensor attn_k, attn_norm, attn_o, attn_q, attn_v, ffn_down, ffn_gate, ffn_norm, ffn_up;
  LEAFSTORE_FIELDS(attn_k, attn_norm, attn_o, attn_q, attn_v, ffn_down, ffn_gate, ffn_norm, ffn_up)
  LEAFSTORE_TYPE_NAME("Block")
};
struct BlockModel {
  std::vector<Block> blocks;
  LEAFSTORE_FIELDS(blocks)
};
constexpr int64_t kTensorsOfABlock = 9;

Tensor MakeTensor() { return Tensor::Zeros(DType::kF32, {16}).value(); }

BlockModel MakeStructs(int64_t leaves) {
  BlockModel model;
  model.blocks.resize(static_cast<size_t>(leaves / kTensorsOfABlock));
  for (Block& block : model.blocks) {
    for (Tensor* tensor :
         {&block.attn_k, &block.attn_norm, &block.attn_o, &block.attn_q, &block.attn_v,
          &block.ffn_down, &block.ffn_gate, &block.ffn_norm, &block.ffn_up}) {
      *tensor = MakeTensor();
    }
  }
  return model;
}

// Returns the same model as nested dicts.
Tree MakeTree(int64_t leaves) {
  const FlatTree flat = FlattenTree(MakeStructs(kTensorsOfABlock)).value();
  Tree model = Tree::Dict();
  for (int64_t i = 0; i < leaves / kTensorsOfABlock; ++i) {
    Tree block = Tree::Dict();
    for (uint32_t leaf = 0; leaf < kTensorsOfABlock; ++leaf) {
      block.With(flat.def.key(flat.def.node_of_leaf(leaf)).name, MakeTensor());
    }
    model.With(absl::StrCat("block_", absl::Dec(i, absl::kZeroPad6)), std::move(block));
  }
  return model;
}

void SetLeaves(benchmark::State& state, size_t leaves) {
  state.SetItemsProcessed(static_cast<int64_t>(leaves) * state.iterations());
}

// Measures flattening without a TreeDef: every key and the structure are hashed.
template <typename M>
void FlattenFirst(benchmark::State& state, M make) {
  auto model = make(state.range(0));
  size_t leaves = 0;
  for (auto _ : state) {
    const bench::Timer timer;
    FlatTree flat = FlattenTree(std::move(model)).value();
    state.SetIterationTime(timer.Seconds());
    leaves = flat.leaves.size();
    UnflattenTree(flat.def, std::move(flat.leaves), &model).IgnoreError();
  }
  SetLeaves(state, leaves);
}

// Measures flattening with the TreeDef of an earlier call.
template <typename M>
void Flatten(benchmark::State& state, M make) {
  auto model = make(state.range(0));
  const TreeDef def = FlattenTree(model).value().def;
  for (auto _ : state) {
    const bench::Timer timer;
    std::vector<Leaf> leaves = FlattenTreeLike(def, std::move(model)).value();
    state.SetIterationTime(timer.Seconds());
    UnflattenTree(def, std::move(leaves), &model).IgnoreError();
  }
  SetLeaves(state, def.leaf_count());
}

template <typename M>
void Unflatten(benchmark::State& state, M make) {
  auto model = make(state.range(0));
  const TreeDef def = FlattenTree(model).value().def;
  for (auto _ : state) {
    std::vector<Leaf> leaves = FlattenTreeLike(def, std::move(model)).value();
    const bench::Timer timer;
    UnflattenTree(def, std::move(leaves), &model).IgnoreError();
    state.SetIterationTime(timer.Seconds());
  }
  SetLeaves(state, def.leaf_count());
}

void MoveHandles(benchmark::State& state) {
  BlockModel model = MakeStructs(state.range(0));
  std::vector<Leaf> leaves = FlattenTree(std::move(model)).value().leaves;
  for (auto _ : state) {
    const bench::Timer timer;
    std::vector<Leaf> moved;
    moved.reserve(leaves.size());
    for (Leaf& leaf : leaves) moved.push_back(std::move(leaf));
    benchmark::DoNotOptimize(moved.data());
    state.SetIterationTime(timer.Seconds());
    leaves = std::move(moved);
  }
  SetLeaves(state, leaves.size());
}

void CopyHandles(benchmark::State& state) {
  BlockModel model = MakeStructs(state.range(0));
  const std::vector<Leaf> leaves = FlattenTree(std::move(model)).value().leaves;
  for (auto _ : state) {
    const bench::Timer timer;
    std::vector<Leaf> copy = leaves;
    benchmark::DoNotOptimize(copy.data());
    state.SetIterationTime(timer.Seconds());
  }
  SetLeaves(state, leaves.size());
}

void FlattenSizes(benchmark::internal::Benchmark* benchmark) {
  for (const int64_t leaves : {1000, 9000, 10000, 100000, 1000000}) benchmark->Arg(leaves);
  benchmark->UseManualTime()->Unit(benchmark::kMicrosecond);
}

BENCHMARK_CAPTURE(FlattenFirst, structs, MakeStructs)->Apply(FlattenSizes);
BENCHMARK_CAPTURE(Flatten, structs, MakeStructs)->Apply(FlattenSizes);
BENCHMARK_CAPTURE(Unflatten, structs, MakeStructs)->Apply(FlattenSizes);
BENCHMARK_CAPTURE(FlattenFirst, tree, MakeTree)->Apply(FlattenSizes);
BENCHMARK_CAPTURE(Flatten, tree, MakeTree)->Apply(FlattenSizes);
BENCHMARK_CAPTURE(Unflatten, tree, MakeTree)->Apply(FlattenSizes);
BENCHMARK(MoveHandles)->Apply(FlattenSizes);
BENCHMARK(CopyHandles)->Apply(FlattenSizes);

}  // namespace
}  // namespace leafstore
