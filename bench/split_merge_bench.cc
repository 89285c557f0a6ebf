// Splitting a model object into groups, merging it again, and updating it from a group, like split,
// merge and update of Flax NNX: 9,000 variables in 1,000 blocks of structs.
//
//   leafstore_bench --benchmark_filter=Model
#include <cstdint>
#include <utility>
#include <vector>

#include "bench/files.h"
#include "bench/timer.h"
#include "benchmark/benchmark.h"

#include "leafstore/select/filter.h"
#include "leafstore/select/grouping.h"
#include "leafstore/select/groups.h"
#include "leafstore/select/partition.h"
#include "leafstore/store/flatten.h"
#include "leafstore/store/merge.h"

namespace leafstore::bench {
namespace {

struct Block {
  Tensor attn_k, attn_norm, attn_o, attn_q, attn_v, ffn_down, ffn_gate, ffn_norm, ffn_up;
  LEAFSTORE_FIELDS(attn_k, attn_norm, attn_o, attn_q, attn_v, ffn_down, ffn_gate, ffn_norm, ffn_up)
};
struct Blocks {
  std::vector<Block> blocks;
  LEAFSTORE_FIELDS(blocks)
};

Tensor NewTensor() { return Tensor::Zeros(DType::kF32, {16}).value(); }

Blocks MakeBlocks(int64_t variables) {
  Blocks model;
  model.blocks.resize(static_cast<size_t>(variables / 9));
  for (Block& block : model.blocks) {
    for (Tensor* tensor :
         {&block.attn_k, &block.attn_norm, &block.attn_o, &block.attn_q, &block.attn_v,
          &block.ffn_down, &block.ffn_gate, &block.ffn_norm, &block.ffn_up}) {
      *tensor = NewTensor();
    }
  }
  return model;
}

// Returns the filters of two groups: the norms, and the rest.
std::vector<Filter> Norms() { return {Glob("**.*_norm")}; }

// A model with its structure and its groups, which are created once.
struct Prepared {
  Blocks model;
  TreeDef def;
  Grouping grouping;

  static Prepared Of(int64_t variables) {
    Blocks model = MakeBlocks(variables);
    const Flattened flat = Flatten(model).value();
    return {std::move(model), flat.def, Grouping::Compile(flat.params, Norms()).value()};
  }
  Groups Split() { return grouping.Split(FlattenLike(def, std::move(model)).value()).value(); }
  void Join(Groups groups) { Check(Unflatten(def, std::move(groups).Merge().value(), &model)); }
};

void NineThousandTensors(benchmark::internal::Benchmark* bench) {
  bench->Arg(9'000)->UseManualTime()->Unit(benchmark::kMicrosecond);
}

void ModelSplit(benchmark::State& state) {
  Prepared prepared = Prepared::Of(state.range(0));
  for (auto _ : state) {
    const Timer timer;
    Groups groups = prepared.Split();
    state.SetIterationTime(timer.Seconds());
    prepared.Join(std::move(groups));
  }
}
BENCHMARK(ModelSplit)->Apply(NineThousandTensors);

// Measures splitting a new model: creating its structure and evaluating the filters.
void ModelSplitFirst(benchmark::State& state) {
  Prepared prepared = Prepared::Of(state.range(0));
  for (auto _ : state) {
    const Timer timer;
    Flattened flat = Flatten(std::move(prepared.model)).value();
    std::vector<ParamStore> groups = Partition(std::move(flat.params), Norms()).value();
    state.SetIterationTime(timer.Seconds());
    Check(Unflatten(prepared.def, MergeGroups(std::move(groups)).value(), &prepared.model));
  }
}
BENCHMARK(ModelSplitFirst)->Apply(NineThousandTensors);

void ModelMerge(benchmark::State& state) {
  Prepared prepared = Prepared::Of(state.range(0));
  for (auto _ : state) {
    Groups groups = prepared.Split();
    const Timer timer;
    prepared.Join(std::move(groups));
    state.SetIterationTime(timer.Seconds());
  }
}
BENCHMARK(ModelMerge)->Apply(NineThousandTensors);

ParamStore NewParams(const TreeDef& def) {
  std::vector<Leaf> leaves;
  for (uint32_t i = 0; i < def.leaf_count(); ++i) leaves.emplace_back(NewTensor());
  return ParamStore::Create(def, std::move(leaves)).value();
}

// Measures replacing all tensors of the dictionary, which a program trains. As in the states of the
// peer, the new and the old tensors are also referenced elsewhere, so nothing is freed.
void ModelUpdate(benchmark::State& state) {
  const TreeDef def = Flatten(MakeBlocks(state.range(0))).value().def;
  const ParamStore others[] = {NewParams(def), NewParams(def)};
  ParamStore params = others[1].Snapshot().value();
  Check(Update(&params, others[0]));  // `params` has its own handles from here on
  size_t next = 1;
  for (auto _ : state) {
    const Timer timer;
    Check(Update(&params, others[next]));
    state.SetIterationTime(timer.Seconds());
    next = 1 - next;
  }
}
BENCHMARK(ModelUpdate)->Apply(NineThousandTensors);

// Like ModelUpdate, but replaces the tensors of the model object.
void ModelUpdateStructs(benchmark::State& state) {
  Blocks model = MakeBlocks(state.range(0));
  const TreeDef def = Flatten(model).value().def;
  const ParamStore others[] = {NewParams(def), NewParams(def)};
  size_t next = 0;
  for (auto _ : state) {
    const Timer timer;
    Check(Unflatten(def, others[next], &model));
    state.SetIterationTime(timer.Seconds());
    next = 1 - next;
  }
}
BENCHMARK(ModelUpdateStructs)->Apply(NineThousandTensors);

}  // namespace
}  // namespace leafstore::bench
