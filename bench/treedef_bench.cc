// Two TreeDefs of one structure, made apart, of 9,000 leaves: compared, hashed. They are one object
// from their making on, which is what making one pays for: FlattenFirst in flatten_bench.cc.
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

// The columns, their hash, and the search for an equal one that lives.
void TreeDefBuild(benchmark::State& state) {
  const TreeDef alive = TransformerDef(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(TransformerDef(state.range(0)));
}
BENCHMARK(TreeDefBuild)->Arg(9'000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace leafstore::bench
