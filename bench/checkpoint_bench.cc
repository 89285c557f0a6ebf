// Checkpoints: opening and listing, one leaf out of many, saving and loading beside memcpy.
//
//   leafstore_bench --benchmark_filter=Checkpoint
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "benchmark/benchmark.h"

#include "leafstore/checkpoint/reader.h"
#include "leafstore/checkpoint/writer.h"
#include "leafstore/proto/treedef_codec.h"
#include "leafstore/treedef/path_table.h"
#include "leafstore/treedef/treedef_builder.h"

namespace leafstore {
namespace {

// A model of blocks with ten parameters each: `.blocks[17].attn.wq`.
TreeDef BlocksDef(int64_t leaves) {
  static const char* const kNames[] = {"bias", "gamma", "scale", "shift", "wk",
                                       "wo",   "wq",    "wv",    "x",     "y"};
  TreeDefBuilder builder;
  builder.Open(NodeKind::kStruct, "Model");
  builder.SetKey(KeyRef::Attribute("blocks"));
  builder.Open(NodeKind::kList);
  for (int64_t i = 0; i < leaves; i += 10) {
    builder.Open(NodeKind::kStruct, "Block");
    builder.SetKey(KeyRef::Attribute("attn"));
    builder.Open(NodeKind::kStruct, "Attention");
    for (const char* name : kNames) {
      builder.SetKey(KeyRef::Attribute(name));
      builder.Leaf();
    }
    builder.Close();
    builder.Close();
  }
  builder.Close();
  builder.Close();
  return std::move(builder).Build().value();
}

// A dict of leaves that all have a name of their own: `['parameter_0000017']`.
TreeDef NamedDef(int64_t leaves) {
  TreeDefBuilder builder;
  builder.Open(NodeKind::kDict);
  for (int64_t i = 0; i < leaves; ++i) {
    builder.SetKey(KeyRef::Item(absl::StrCat("parameter_", absl::Dec(i, absl::kZeroPad7))));
    builder.Leaf();
  }
  builder.Close();
  return std::move(builder).Build().value();
}

ParamStore Filled(const TreeDef& def, int64_t elements) {
  std::vector<Leaf> leaves;
  for (uint32_t i = 0; i < def.leaf_count(); ++i) {
    Tensor tensor = Tensor::Uninitialized(DType::kF32, {elements}).value();
    std::memset(tensor.Mutate().value().raw_data(), static_cast<int>(i & 63),
                static_cast<size_t>(elements) * 4);
    leaves.push_back(std::move(tensor));
  }
  return ParamStore::Create(def, std::move(leaves)).value();
}

std::string BenchPath(const std::string& name) {
  const char* directory = std::getenv("TMPDIR");
  return absl::StrCat(directory != nullptr ? directory : "/tmp", "/leafstore-bench-", name);
}

// A file that goes away with the benchmark that made it.
class BenchFile {
 public:
  explicit BenchFile(const std::string& name) : path_(BenchPath(name)) {}
  BenchFile(const std::string& name, const TreeDef& def, int64_t elements) : BenchFile(name) {
    const absl::Status status =
        SaveCheckpoint(path_, {{"params", def, Filled(def, elements)}}, {.durable = false});
    if (!status.ok()) std::abort();
  }
  ~BenchFile() { std::filesystem::remove(path_); }
  BenchFile(const BenchFile&) = delete;
  BenchFile& operator=(const BenchFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

void SetBytes(benchmark::State& state, int64_t bytes) {
  state.SetBytesProcessed(state.iterations() * bytes);
}

// Opening, checking, and the text of every path.
template <TreeDef (*kDef)(int64_t)>
void CheckpointOpenAndList(benchmark::State& state) {
  const BenchFile file("list", kDef(state.range(0)), 4);
  for (auto _ : state) {
    const CheckpointReader reader = CheckpointReader::Open(file.path()).value();
    const CheckpointItemInfo item = reader.item("params").value();
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
BENCHMARK(CheckpointOpenAndList<NamedDef>)->Arg(100'000)->Unit(benchmark::kMillisecond);

template <TreeDef (*kDef)(int64_t)>
void CheckpointOpen(benchmark::State& state) {
  const BenchFile file("open", kDef(state.range(0)), 4);
  for (auto _ : state) benchmark::DoNotOptimize(CheckpointReader::Open(file.path()).value());
}
BENCHMARK(CheckpointOpen<BlocksDef>)
    ->Arg(1'000)
    ->Arg(10'000)
    ->Arg(100'000)
    ->Arg(1'000'000)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(CheckpointOpen<NamedDef>)->Arg(100'000)->Unit(benchmark::kMillisecond);

// The structure alone.
template <TreeDef (*kDef)(int64_t)>
void TreeDefDecode(benchmark::State& state) {
  const std::string bytes = EncodeTreeDef(kDef(state.range(0))).value();
  for (auto _ : state) benchmark::DoNotOptimize(DecodeTreeDef(bytes).value());
}
BENCHMARK(TreeDefDecode<BlocksDef>)->Arg(100'000)->Unit(benchmark::kMillisecond);
BENCHMARK(TreeDefDecode<NamedDef>)->Arg(100'000)->Unit(benchmark::kMillisecond);

void CheckpointOneLeafCold(benchmark::State& state) {
  const BenchFile file("cold", BlocksDef(state.range(0)), 256);
  const std::string path = absl::StrCat(".blocks[", state.range(0) / 10 - 1, "].attn.wq");
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        CheckpointReader::Open(file.path()).value().LoadPath("params", path).value());
  }
}
BENCHMARK(CheckpointOneLeafCold)
    ->Arg(1'000)
    ->Arg(10'000)
    ->Arg(100'000)
    ->Unit(benchmark::kMillisecond);

template <ReadMode kMode>
void CheckpointOneLeafOpen(benchmark::State& state) {
  const BenchFile file("warm", BlocksDef(100'000), 256);
  const CheckpointReader reader = CheckpointReader::Open(file.path(), {.mode = kMode}).value();
  int64_t next = 0;
  for (auto _ : state) {
    next = (next + 7919) % 10'000;
    benchmark::DoNotOptimize(
        reader.LoadPath("params", absl::StrCat(".blocks[", next, "].attn.wq")).value());
  }
}
BENCHMARK(CheckpointOneLeafOpen<ReadMode::kMap>)->Unit(benchmark::kMicrosecond);
BENCHMARK(CheckpointOneLeafOpen<ReadMode::kRead>)->Unit(benchmark::kMicrosecond);

// {leaves, elements of each}: 64 tensors of 4 MiB; 9,000 of 1 KiB.
void Sizes(benchmark::internal::Benchmark* bench) {
  bench->Args({64, 1 << 20})->Args({9'000, 256})->Unit(benchmark::kMillisecond);
}

void CheckpointSave(benchmark::State& state, bool durable) {
  const TreeDef def = NamedDef(state.range(0));
  const ParamStore store = Filled(def, state.range(1));
  const BenchFile file("save");
  for (auto _ : state) {
    const absl::Status status =
        SaveCheckpoint(file.path(), {{"params", def, store}}, {.durable = durable});
    if (!status.ok()) std::abort();
  }
  SetBytes(state, state.range(0) * state.range(1) * 4);
}
BENCHMARK_CAPTURE(CheckpointSave, no_sync, false)->Apply(Sizes);
BENCHMARK_CAPTURE(CheckpointSave, durable, true)->Apply(Sizes);

void CheckpointLoad(benchmark::State& state, ReadOptions options) {
  const BenchFile file("load", NamedDef(state.range(0)), state.range(1));
  for (auto _ : state) {
    const CheckpointReader reader = CheckpointReader::Open(file.path(), options).value();
    benchmark::DoNotOptimize(reader.Load("params").value());
  }
  SetBytes(state, state.range(0) * state.range(1) * 4);
}
BENCHMARK_CAPTURE(CheckpointLoad, mapped, ReadOptions{})->Apply(Sizes);
BENCHMARK_CAPTURE(CheckpointLoad, mapped_unverified, ReadOptions{.verify = false})->Apply(Sizes);
BENCHMARK_CAPTURE(CheckpointLoad, read, ReadOptions{.mode = ReadMode::kRead})->Apply(Sizes);

// What this machine does at best.
void CheckpointMemcpy(benchmark::State& state) {
  const auto bytes = static_cast<size_t>(state.range(0));
  std::vector<char> from(bytes, 1);
  std::vector<char> to(bytes, 2);
  for (auto _ : state) {
    std::memcpy(to.data(), from.data(), bytes);
    benchmark::ClobberMemory();
  }
  SetBytes(state, state.range(0));
}
BENCHMARK(CheckpointMemcpy)->Arg(int64_t{256} << 20)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace leafstore
