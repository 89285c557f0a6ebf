// Saving and loading full checkpoints: 64 large tensors (sizes.h) and 9,000 of 1 KiB, with and
// without syncing, with and without checking, mapped and read, with a warm and a cold page cache.
//
//   leafstore_bench --benchmark_filter='Save/|Load/'
//
// A load that maps and checks nothing touches no byte of the tensors. The `read_all` cases then
// read each byte once, as a real use would.
#include <cstddef>
#include <cstdint>
#include <thread>
#include <utility>

#include "absl/types/span.h"
#include "bench/files.h"
#include "bench/memory_read.h"
#include "bench/models.h"
#include "bench/sizes.h"
#include "bench/timer.h"
#include "benchmark/benchmark.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/reader.h"

namespace leafstore::bench {
namespace {

struct Model {
  int64_t tensors;
  int64_t elements;
  TreeDef def() const { return NamesDef(tensors); }
  int64_t bytes() const { return tensors * elements * 4; }
};
Model Large() { return {kLargeTensors, LargeElements()}; }
Model Small() { return {kSmallTensors, kSmallElements}; }

void Sampled(benchmark::internal::Benchmark* bench) {
  bench->UseManualTime()->Unit(benchmark::kMillisecond);
}
// Takes one sample per round, because the setup takes longer than the sample.
void SampledOnce(benchmark::internal::Benchmark* bench) { bench->Iterations(1)->Apply(Sampled); }

// Measures saving to a new file. As with the peers, removing the file, pending writes of the disk,
// and the first save are not measured. A virtual machine must request memory that the page cache
// has not used recently from its host, which takes five times as long, so a sample is the median of
// three; the peers have several samples in a round.
void Save(benchmark::State& state, Model (*model)(), bool durable) {
  const TreeDef def = model().def();
  const ParamStore store = Filled(def, model().elements);
  const File file("save");
  const auto save = [&] {
    Settle();
    const Timer timer;
    Check(SaveCheckpoint(file.path(), {{"params", def, store}}, {.io = {.durable = durable}}));
    const double seconds = timer.Seconds();
    file.Remove();
    return seconds;
  };
  save();
  for (auto _ : state) state.SetIterationTime(MedianOfThree(save));
  Settle();
  state.SetBytesProcessed(state.iterations() * model().bytes());
}
BENCHMARK_CAPTURE(Save, large_durable, Large, true)->Apply(SampledOnce);
BENCHMARK_CAPTURE(Save, large_not_synced, Large, false)->Apply(SampledOnce);
BENCHMARK_CAPTURE(Save, small_durable, Small, true)->Apply(Sampled);
BENCHMARK_CAPTURE(Save, small_not_synced, Small, false)->Apply(Sampled);

uint64_t SumOfLeaves(absl::Span<const Leaf> leaves) {
  uint64_t sum = 0;
  for (const Leaf& leaf : leaves) {
    const Tensor& tensor = leaf.tensor();
    sum += SumOf(tensor.raw_data(), static_cast<size_t>(tensor.byte_size()));
  }
  return sum;
}

// Reads all tensors with two threads, as the peers do.
uint64_t ReadAll(const ParamStore& store) {
  const absl::Span<const Leaf> leaves = store.leaves();
  const size_t half = leaves.size() / 2;
  uint64_t first = 0;
  std::thread other([&] { first = SumOfLeaves(leaves.first(half)); });
  const uint64_t second = SumOfLeaves(leaves.subspan(half));
  other.join();
  return first + second;
}

enum class Cache { kWarm, kCold };
enum class Then { kDrop, kReadAll };

void Load(benchmark::State& state, Model (*model)(), Cache cache, ReadOptions options,
          Then then = Then::kDrop) {
  const File file("load", model().def(), Filled(model().def(), model().elements));
  // One-time work of the process is not measured, as with the peers.
  benchmark::DoNotOptimize(CheckpointReader::Open(file.path(), options).value().Load("params"));
  for (auto _ : state) {
    if (cache == Cache::kCold) file.Evict();
    const Timer timer;
    {
      const CheckpointReader reader = CheckpointReader::Open(file.path(), options).value();
      const ParamStore store = reader.Load("params").value();
      benchmark::DoNotOptimize(store.size());
      if (then == Then::kReadAll) benchmark::DoNotOptimize(ReadAll(store));
    }
    state.SetIterationTime(timer.Seconds());
  }
  state.SetBytesProcessed(state.iterations() * model().bytes());
}
const ReadOptions kVerified = {.io = {.threads = 2}};
const ReadOptions kUnverified = {.io = {.threads = 2}, .verify = false};
const ReadOptions kRead = {.io = {.mode = ReadMode::kRead, .threads = 2}};
const ReadOptions kReadUnverified = {.io = {.mode = ReadMode::kRead, .threads = 2},
                                     .verify = false};

BENCHMARK_CAPTURE(Load, large_verified, Large, Cache::kWarm, kVerified)->Apply(Sampled);
BENCHMARK_CAPTURE(Load, large_unverified, Large, Cache::kWarm, kUnverified)->Apply(Sampled);
BENCHMARK_CAPTURE(Load, large_unverified_read_all, Large, Cache::kWarm, kUnverified, Then::kReadAll)
    ->Apply(Sampled);
BENCHMARK_CAPTURE(Load, large_read, Large, Cache::kWarm, kRead)->Apply(Sampled);
BENCHMARK_CAPTURE(Load, large_read_unverified, Large, Cache::kWarm, kReadUnverified)
    ->Apply(Sampled);
BENCHMARK_CAPTURE(Load, large_verified_cold, Large, Cache::kCold, kVerified)->Apply(SampledOnce);
BENCHMARK_CAPTURE(Load, small_verified, Small, Cache::kWarm, kVerified)->Apply(Sampled);
BENCHMARK_CAPTURE(Load, small_unverified, Small, Cache::kWarm, kUnverified)->Apply(Sampled);
BENCHMARK_CAPTURE(Load, small_verified_cold, Small, Cache::kCold, kVerified)->Apply(Sampled);

}  // namespace
}  // namespace leafstore::bench
