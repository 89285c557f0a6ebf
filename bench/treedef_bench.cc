// Comparing and hashing two separately built TreeDefs of one structure, with 9,000 leaves. Building
// makes equal TreeDefs one object; FlattenFirst in flatten_bench.cc includes the cost of this.
#include <cstdint>
#include <utility>

#include "absl/hash/hash.h"
#include "bench/models.h"
#include "benchmark/benchmark.h"

#include "leafstore/treedef/treedef.h"

namespace leafstore::bench {
namespace {

void TreeDefEqual(benchmark::State& state) {
  TreeDef a = TransformerDef(state.range(0));
  TreeDef b = TransformerDef(state.range(0));
  for (auto _ : state) {
    benchmark::DoNotOptimize(a);
    benchmark::DoNotOptimize(b);
    benchmark::DoNotOptimize(a == b);
  }
}
BENCHMARK(TreeDefEqual)->Arg(9'000);

void TreeDefHash(benchmark::State& state) {
  TreeDef def = TransformerDef(state.range(0));
  for (auto _ : state) {
    benchmark::DoNotOptimize(def);
    benchmark::DoNotOptimize(absl::HashOf(def));
  }
}
BENCHMARK(TreeDefHash)->Arg(9'000);

// Measures building the columns, hashing them, and finding an existing equal TreeDef.
void TreeDefBuild(benchmark::State& state) {
  const TreeDef alive = TransformerDef(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(TransformerDef(state.range(0)));
}
BENCHMARK(TreeDefBuild)->Arg(9'000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace leafstore::bench
