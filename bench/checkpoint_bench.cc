// Checkpoints of many leaves: opening and listing, and loading one leaf, with a warm and a cold
// page cache.
//
//   leafstore_bench --benchmark_filter=Checkpoint
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "bench/files.h"
#include "bench/models.h"
#include "bench/timer.h"
#include "benchmark/benchmark.h"

#include "leafstore/checkpoint/reader.h"
#include "leafstore/proto/treedef_codec.h"

namespace leafstore {
namespace {

using bench::BlocksDef;
using bench::Filled;
using bench::NamesDef;
using bench::Timer;

// Measures opening, checking, and the text of every path.
template <TreeDef (*kDef)(int64_t)>
void CheckpointOpenAndList(benchmark::State& state) {
  const bench::File file("list", kDef(state.range(0)), Filled(kDef(state.range(0)), 4));
  for (auto _ : state) {
    const CheckpointReader reader = CheckpointReader::Open(file.path()).value();
    const CheckpointItemInfo item = reader.GetItem("params").value();
    size_t length = 0;
    const absl::Status status = item.ForEachPath(
        [&](uint32_t, absl::string_view path) { length += std::string(path).size(); });
    if (!status.ok()) std::abort();
    benchmark::DoNotOptimize(length);
  }
}
BENCHMARK(CheckpointOpenAndList<BlocksDef>)
    ->Arg(1'000)
    ->Arg(10'000)
    ->Arg(100'000)
    ->Arg(1'000'000)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(CheckpointOpenAndList<NamesDef>)->Arg(100'000)->Unit(benchmark::kMillisecond);

template <TreeDef (*kDef)(int64_t)>
void CheckpointOpen(benchmark::State& state) {
  const bench::File file("open", kDef(state.range(0)), Filled(kDef(state.range(0)), 4));
  for (auto _ : state) benchmark::DoNotOptimize(CheckpointReader::Open(file.path()).value());
}
BENCHMARK(CheckpointOpen<BlocksDef>)
    ->Arg(1'000)
    ->Arg(10'000)
    ->Arg(100'000)
    ->Arg(1'000'000)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(CheckpointOpen<NamesDef>)->Arg(100'000)->Unit(benchmark::kMillisecond);

// Measures decoding only the structure.
template <TreeDef (*kDef)(int64_t)>
void TreeDefDecode(benchmark::State& state) {
  const std::string bytes = EncodeTreeDef(kDef(state.range(0))).value();
  for (auto _ : state) benchmark::DoNotOptimize(DecodeTreeDef(bytes).value());
}
BENCHMARK(TreeDefDecode<BlocksDef>)->Arg(100'000)->Unit(benchmark::kMillisecond);
BENCHMARK(TreeDefDecode<NamesDef>)->Arg(100'000)->Unit(benchmark::kMillisecond);

// Measures opening a file that is not open in this process, loading one leaf, and closing.
// range(1): its pages are not in the page cache either.
void CheckpointOneLeaf(benchmark::State& state) {
  const TreeDef def = BlocksDef(state.range(0));
  const bench::File file("one", def, Filled(def, 256));
  const std::string path = absl::StrCat(".blocks[", state.range(0) / 10 - 1, "].attn.wq");
  // One-time work of the process is not measured, as with the peers.
  benchmark::DoNotOptimize(CheckpointReader::Open(file.path()).value());
  for (auto _ : state) {
    if (state.range(1) != 0) file.Evict();
    const Timer timer;
    benchmark::DoNotOptimize(
        CheckpointReader::Open(file.path()).value().LoadLeaf("params", path).value());
    state.SetIterationTime(timer.Seconds());
  }
}
BENCHMARK(CheckpointOneLeaf)
    ->ArgNames({"leaves", "cold"})
    ->ArgsProduct({{1'000, 10'000, 100'000}, {0, 1}})
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

template <ReadMode kMode>
void CheckpointOneLeafOpen(benchmark::State& state) {
  const bench::File file("warm", BlocksDef(100'000), Filled(BlocksDef(100'000), 256));
  const CheckpointReader reader =
      CheckpointReader::Open(file.path(), {.io = {.mode = kMode}}).value();
  int64_t next = 0;
  for (auto _ : state) {
    next = (next + 7919) % 10'000;
    benchmark::DoNotOptimize(
        reader.LoadLeaf("params", absl::StrCat(".blocks[", next, "].attn.wq")).value());
  }
}
BENCHMARK(CheckpointOneLeafOpen<ReadMode::kMap>)->Unit(benchmark::kMicrosecond);
BENCHMARK(CheckpointOneLeafOpen<ReadMode::kRead>)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace leafstore
