// safetensors: opening and listing, loading, saving. tests/interop/differential.py --bench compares
// with the reference implementation.
//
//   leafstore_bench --benchmark_filter=Safetensors
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "benchmark/benchmark.h"

#include "leafstore/interop/safetensors/reader.h"
#include "leafstore/interop/safetensors/writer.h"

namespace leafstore {
namespace {

// Returns the folder of files of this process, which removes it at exit.
const std::string& BenchFolder() {
  static const std::string* const folder = [] {
    std::string name = std::filesystem::temp_directory_path() / "safetensors_bench-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) std::abort();
    std::atexit([] { std::filesystem::remove_all(BenchFolder()); });
    return new std::string(name);
  }();
  return *folder;
}

// Returns `count` tensors of `elements` floats each, which share their bytes.
std::vector<NamedTensor> Tensors(int64_t count, int64_t elements) {
  const Tensor tensor = Tensor::Zeros(DType::kF32, {elements}).value();
  std::vector<NamedTensor> tensors;
  for (int64_t i = 0; i < count; ++i) {
    tensors.push_back(
        {absl::StrCat("model.layers.", i / 10, ".block.", i % 10, ".weight"), tensor});
  }
  return tensors;
}

std::string FileOf(int64_t count, int64_t elements) {
  const std::string path = absl::StrCat(BenchFolder(), "/", count, "x", elements);
  if (!std::filesystem::exists(path)) {
    if (!SaveSafetensors(path, Tensors(count, elements), {.io = {.durable = false}}).ok())
      std::abort();
  }
  return path;
}

void BM_SafetensorsOpenAndList(benchmark::State& state) {
  const std::string path = FileOf(state.range(0), state.range(1));
  for (auto _ : state) {
    const SafetensorsReader reader = SafetensorsReader::Open(path).value();
    size_t length = 0;
    for (uint32_t i = 0; i < reader.size(); ++i) length += reader.name(i).size();
    benchmark::DoNotOptimize(length);
  }
}
BENCHMARK(BM_SafetensorsOpenAndList)
    ->Args({104, 200'000})
    ->Args({100'000, 2})
    ->Unit(benchmark::kMicrosecond);

void BM_SafetensorsOpenAndReadOne(benchmark::State& state) {
  const std::string path = FileOf(state.range(0), 2);
  for (auto _ : state) {
    const SafetensorsReader reader = SafetensorsReader::Open(path).value();
    benchmark::DoNotOptimize(reader.LoadTensor("model.layers.5.block.0.weight").value());
  }
}
BENCHMARK(BM_SafetensorsOpenAndReadOne)->Arg(100'000)->Unit(benchmark::kMillisecond);

// Measures loading from an open, mapped file. No bytes are read, so all work is per leaf.
void BM_SafetensorsLoadMapped(benchmark::State& state) {
  const std::string path = FileOf(state.range(0), state.range(1));
  for (auto _ : state) {
    const SafetensorsReader reader = SafetensorsReader::Open(path).value();
    benchmark::DoNotOptimize(reader.Load().value());
  }
}
BENCHMARK(BM_SafetensorsLoadMapped)
    ->Args({104, 200'000})
    ->Args({9'000, 256})
    ->Args({100'000, 2})
    ->Unit(benchmark::kMillisecond);

void BM_SafetensorsLoadRead(benchmark::State& state) {
  const std::string path = FileOf(state.range(0), state.range(1));
  for (auto _ : state) {
    SafetensorsReadOptions options;
    options.io.mode = ReadMode::kRead;
    benchmark::DoNotOptimize(SafetensorsReader::Open(path, options)->Load().value());
  }
  state.SetBytesProcessed(state.iterations() * state.range(0) * state.range(1) * 4);
}
BENCHMARK(BM_SafetensorsLoadRead)
    ->Args({64, 4 << 20})
    ->Args({9'000, 256})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

// Measures saving 1 GiB in 64 tensors, and 9,000 tensors of 1 KiB, without syncing (like the
// reference) and durable.
void BM_SafetensorsSave(benchmark::State& state) {
  const std::vector<NamedTensor> tensors = Tensors(state.range(0), state.range(1));
  SafetensorsSaveOptions options;
  options.io.durable = state.range(2) != 0;
  for (auto _ : state) {
    if (!SaveSafetensors(absl::StrCat(BenchFolder(), "/saved"), tensors, options).ok()) {
      state.SkipWithError("cannot save");
    }
  }
  std::filesystem::remove(absl::StrCat(BenchFolder(), "/saved"));
  state.SetBytesProcessed(state.iterations() * state.range(0) * state.range(1) * 4);
}
BENCHMARK(BM_SafetensorsSave)
    ->ArgNames({"", "", "durable"})
    ->Args({64, 4 << 20, 0})
    ->Args({64, 4 << 20, 1})
    ->Args({9'000, 256, 0})
    ->Args({9'000, 256, 1})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace leafstore
