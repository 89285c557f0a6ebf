// Groups: passing to a call, splitting, merging, and lookup by path.
#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "bench/models.h"
#include "bench/paired.h"
#include "bench/timer.h"
#include "benchmark/benchmark.h"

#include "leafstore/pack/pack.h"
#include "leafstore/select/filter.h"
#include "leafstore/select/groups.h"
#include "leafstore/select/partition.h"
#include "leafstore/store/layout.h"
#include "leafstore/store/merge.h"
#include "leafstore/store/param_store.h"

namespace leafstore {
namespace {

using bench::OneTensor;
using bench::Timer;
using bench::Transformer;

void StoreSizes(benchmark::internal::Benchmark* b) {
  b->Arg(1'000)->Arg(10'000)->Arg(100'000)->Arg(1'000'000)->Unit(benchmark::kMicrosecond);
}
void StoreSizesManual(benchmark::internal::Benchmark* b) {
  StoreSizes(b);
  b->UseManualTime();
}

void SetPerLeaf(benchmark::State& state) {
  state.counters["ns/leaf"] = benchmark::Counter(
      static_cast<double>(state.range(0)) * 1e-9,
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

std::vector<Filter> ByType() { return {IsStatic(), DTypeIs(DType::kBF16), RankIs(1)}; }
std::vector<Filter> ByGlobs() {
  return {Glob("layers.*.attn.**"), Glob("layers.*.mlp.up"), Glob("**.norm.*")};
}
std::vector<Filter> FiltersOf(int64_t kind) { return kind == 0 ? ByType() : ByGlobs(); }

[[gnu::noinline]] void Opaque(const void* pointer) { asm volatile("" : : "r"(pointer) : "memory"); }

// Measures passing a group of one tensor to a call, without the model's range(0) static leaves.
void BM_GroupAtCall(benchmark::State& state) {
  std::vector<ParamStore> groups = Partition(OneTensor(state.range(0)), {IsTensor()}).value();
  const ParamStore& group = groups[0];
  for (auto _ : state) {
    for (const Leaf& leaf : group.leaves()) Opaque(leaf.tensor().raw_data());
  }
}
BENCHMARK(BM_GroupAtCall)->Arg(1)->Arg(1'000)->Arg(100'000);

// Measures passing a group of range(0) tensors to a call each; and packed, to one call.
void BM_GroupOfManyAtCall(benchmark::State& state) {
  const ParamStore group = bench::Filled(bench::NamesDef(state.range(0)), 256);
  for (auto _ : state) {
    for (const Leaf& leaf : group.leaves()) Opaque(leaf.tensor().raw_data());
  }
}
BENCHMARK(BM_GroupOfManyAtCall)->Arg(9'000);

void BM_PackAtCall(benchmark::State& state) {
  const Packed packed =
      Packed::Create(bench::Filled(bench::NamesDef(state.range(0)), 256), DType::kF32).value();
  for (auto _ : state) Opaque(packed.span<float>().data());
}
BENCHMARK(BM_PackAtCall)->Arg(9'000);

// Measures moving handles, a lower bound for any partition.
void BM_MoveHandles(benchmark::State& state) {
  std::vector<Leaf> leaves = bench::TransformerLeaves(state.range(0));
  std::vector<Leaf> moved(leaves.size());
  for (auto _ : state) {
    std::move(leaves.begin(), leaves.end(), moved.begin());
    benchmark::ClobberMemory();
    std::swap(leaves, moved);
  }
  SetPerLeaf(state);
}
BENCHMARK(BM_MoveHandles)->Apply(StoreSizes);

void BM_CopyHandles(benchmark::State& state) {
  const std::vector<Leaf> leaves = bench::TransformerLeaves(state.range(0));
  for (auto _ : state) {
    const Timer timer;
    std::vector<Leaf> copy = leaves;
    benchmark::DoNotOptimize(copy.data());
    state.SetIterationTime(timer.Seconds());
  }
  SetPerLeaf(state);
}
BENCHMARK(BM_CopyHandles)->Apply(StoreSizesManual);

// Measures evaluating the filters for every node and splitting the store. range(1): types, or
// globs.
void BM_PartitionFresh(benchmark::State& state) {
  ParamStore store = Transformer(state.range(0));
  for (auto _ : state) {
    std::vector<Filter> filters = FiltersOf(state.range(1));
    const Timer timer;
    std::vector<ParamStore> groups = Partition(std::move(store), std::move(filters)).value();
    state.SetIterationTime(timer.Seconds());
    store = MergeGroups(std::move(groups)).value();
  }
  SetPerLeaf(state);
}
BENCHMARK(BM_PartitionFresh)
    ->ArgsProduct({{1'000, 10'000, 100'000, 1'000'000}, {0, 1}})
    ->Unit(benchmark::kMicrosecond)
    ->UseManualTime();

void BM_PartitionByPlan(benchmark::State& state) {
  ParamStore store = Transformer(state.range(0));
  const Grouping grouping = Grouping::Compile(store, ByGlobs()).value();
  for (auto _ : state) {
    const Timer timer;
    Groups groups = grouping.Split(std::move(store)).value();
    state.SetIterationTime(timer.Seconds());
    store = std::move(groups).Merge().value();
  }
  SetPerLeaf(state);
}
BENCHMARK(BM_PartitionByPlan)->Apply(StoreSizesManual);

void BM_PartitionByPlanCopied(benchmark::State& state) {
  const ParamStore store = Transformer(state.range(0));
  const Grouping grouping = Grouping::Compile(store, ByGlobs()).value();
  for (auto _ : state) {
    const Timer timer;
    Groups groups = grouping.Split(store).value();
    state.SetIterationTime(timer.Seconds());
  }
  SetPerLeaf(state);
}
BENCHMARK(BM_PartitionByPlanCopied)->Apply(StoreSizesManual);

void BM_MergeMoved(benchmark::State& state) {
  ParamStore store = Transformer(state.range(0));
  const Grouping grouping = Grouping::Compile(store, ByGlobs()).value();
  for (auto _ : state) {
    std::vector<ParamStore> groups = grouping.Split(std::move(store)).value().TakeStores();
    const Timer timer;
    store = MergeGroups(std::move(groups)).value();
    state.SetIterationTime(timer.Seconds());
  }
  SetPerLeaf(state);
}
BENCHMARK(BM_MergeMoved)->Apply(StoreSizesManual);

void BM_MergeCopied(benchmark::State& state) {
  const ParamStore store = Transformer(state.range(0));
  const std::vector<ParamStore> groups = Partition(store, ByGlobs()).value();
  const ParamStore* const pointers[] = {&groups[0], &groups[1], &groups[2], &groups[3]};
  for (auto _ : state) {
    const Timer timer;
    ParamStore merged = MergeGroups(store.layout(), pointers).value();
    state.SetIterationTime(timer.Seconds());
  }
  SetPerLeaf(state);
}
BENCHMARK(BM_MergeCopied)->Apply(StoreSizesManual);

// Returns the paths in random order, each in its own memory.
std::vector<std::string> ShuffledPaths(const ParamStore& store) {
  std::vector<std::string> paths;
  for (uint32_t place = 0; place < store.size(); ++place) paths.push_back(store.PathText(place));
  std::shuffle(paths.begin(), paths.end(), std::mt19937(42));
  return paths;
}

// A bare lookup table: a flat_hash_map from the same texts to an index.
class BareMap {
 public:
  explicit BareMap(const ParamStore& store) {
    for (uint32_t place = 0; place < store.size(); ++place) keys_.push_back(store.PathText(place));
    map_.reserve(keys_.size());
    for (uint32_t i = 0; i < keys_.size(); ++i) map_.emplace(keys_[i], i);
  }
  uint32_t Find(absl::string_view path) const { return map_.find(path)->second; }

 private:
  std::vector<std::string> keys_;
  absl::flat_hash_map<absl::string_view, uint32_t> map_;
};

// Finds all of `paths` in order, one batch per call.
template <typename Find>
class Batches {
 public:
  static constexpr size_t kSize = 2000;
  Batches(const std::vector<std::string>& paths, Find find) : paths_(paths), find_(find) {}
  void operator()() {
    for (size_t i = 0; i < kSize; ++i) {
      benchmark::DoNotOptimize(find_(paths_[next_]));
      if (++next_ == paths_.size()) next_ = 0;
    }
  }

 private:
  const std::vector<std::string>& paths_;
  Find find_;
  size_t next_ = 0;
};

// Compares Find with the bare map. range(1): the leaf is read as well.
void BM_Find(benchmark::State& state) {
  const ParamStore store = Transformer(state.range(0));
  const BareMap map(store);
  const std::vector<std::string> shuffled = ShuffledPaths(store);
  // Each side uses its own copies of the paths, so that neither loads them into the cache for the
  // other. The copies are in memory in the order of the lookups, so that reading them is cheap.
  const std::vector<std::string> paths = shuffled;
  const std::vector<std::string> copies = shuffled;
  benchmark::DoNotOptimize(store.Find(paths[0]));  // builds the index
  bench::Paired paired;
  Batches bare(copies, [&map](absl::string_view path) { return map.Find(path); });
  const auto run = [&](auto find) {
    Batches ours(paths, find);
    for (auto _ : state) {
      state.SetIterationTime(paired.Run([&] { ours(); }, [&] { bare(); }));
    }
  };
  if (state.range(1) == 0) {
    run([&store](absl::string_view path) { return store.Find(path); });
  } else {
    run([&store](absl::string_view path) { return store.Find(path)->generation(); });
  }
  paired.Report(state, static_cast<double>(decltype(bare)::kSize));
}
BENCHMARK(BM_Find)
    ->ArgsProduct({{100, 1'000, 10'000, 100'000, 1'000'000}, {0, 1}})
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond);

void BM_Snapshot(benchmark::State& state) {
  const ParamStore store = Transformer(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(store.Snapshot().value().size());
}
BENCHMARK(BM_Snapshot)->Arg(1'000)->Arg(10'000)->Arg(1'000'000);

}  // namespace
}  // namespace leafstore
