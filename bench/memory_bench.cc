// The memory per leaf: heap bytes beyond the text of its path, its handle (8 bytes) and its data,
// of a ParamStore with an index, and of a std::map from path to leaf.
//
//   leafstore_bench --benchmark_filter=BytesPerLeaf
#include <malloc.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "bench/models.h"
#include "benchmark/benchmark.h"

#include "leafstore/store/param_store.h"

namespace leafstore::bench {
namespace {

size_t HeapInUse() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// Returns the bytes that any dictionary needs: the texts, a handle each, and the bytes of tensors.
size_t PlainBytes(const ParamStore& store) {
  size_t plain = 0;
  for (uint32_t place = 0; place < store.size(); ++place) {
    const Leaf& leaf = store.leaf(place);
    plain += store.PathText(place).size() + sizeof(Leaf);
    if (leaf.is_tensor()) plain += static_cast<size_t>(leaf.byte_size());
  }
  return plain;
}

void Report(benchmark::State& state, size_t used, const ParamStore& store) {
  state.counters["bytes/leaf"] =
      (static_cast<double>(used) - static_cast<double>(PlainBytes(store))) / store.size();
}

void BytesPerLeaf(benchmark::State& state) {
  for (auto _ : state) {
    const size_t before = HeapInUse();
    const ParamStore store = Transformer(state.range(0));
    benchmark::DoNotOptimize(store.Find(".layers[0].attn.q"));  // builds the index
    Report(state, HeapInUse() - before, store);
  }
}
BENCHMARK(BytesPerLeaf)->Arg(10'000)->Arg(100'000)->Arg(1'000'000)->Iterations(1);

void BytesPerLeafOfMap(benchmark::State& state) {
  for (auto _ : state) {
    const TreeDef def = TransformerDef(state.range(0));
    std::vector<std::string> paths;
    {
      const ParamStore store = Transformer(state.range(0));
      for (uint32_t place = 0; place < store.size(); ++place) {
        paths.push_back(store.PathText(place));
      }
    }
    const size_t before = HeapInUse();
    std::map<std::string, Leaf> map;
    {
      std::vector<Leaf> leaves = TransformerLeaves(state.range(0));
      for (size_t i = 0; i < leaves.size(); ++i) map.emplace(paths[i], std::move(leaves[i]));
    }
    const size_t used = HeapInUse() - before;
    Report(state, used, Transformer(state.range(0)));
  }
}
BENCHMARK(BytesPerLeafOfMap)->Arg(10'000)->Arg(100'000)->Iterations(1);

}  // namespace
}  // namespace leafstore::bench
