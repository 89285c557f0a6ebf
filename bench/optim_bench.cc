// One step of AdamW over many small tensors, one by one and packed, compared with a memcpy that
// moves as many bytes: a step reads four arrays and writes three, the memcpy reads and writes 3.5.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "benchmark/benchmark.h"

#include "leafstore/core/key.h"
#include "leafstore/core/tensor.h"
#include "leafstore/optim/internal/kernels.h"
#include "leafstore/optim/optimizer.h"
#include "leafstore/optim/rules.h"
#include "leafstore/pack/pack.h"
#include "leafstore/store/param_store.h"
#include "leafstore/treedef/treedef_builder.h"

namespace leafstore {
namespace {

constexpr int64_t kTensors = 9000;
constexpr int64_t kSize = 256;
constexpr int64_t kNumbers = kTensors * kSize;
constexpr int64_t kBytesMoved = 7 * kNumbers * static_cast<int64_t>(sizeof(float));

ParamStore ManySmallTensors(float value) {
  TreeDefBuilder builder;
  builder.Open(NodeKind::kList);
  std::vector<Leaf> leaves;
  const std::vector<float> values(static_cast<size_t>(kSize), value);
  for (int64_t i = 0; i < kTensors; ++i) {
    builder.Leaf();
    leaves.push_back(Tensor::From<float>({kSize}, absl::MakeConstSpan(values)).value());
  }
  builder.Close();
  return ParamStore::Create(std::move(builder).Build().value(), std::move(leaves)).value();
}

void Report(benchmark::State& state) { state.SetBytesProcessed(state.iterations() * kBytesMoved); }

void BM_MemcpyOfAsManyBytes(benchmark::State& state) {
  const std::vector<std::byte> from(static_cast<size_t>(kBytesMoved) / 2, std::byte{1});
  std::vector<std::byte> to(from.size());
  for (auto _ : state) {
    std::memcpy(to.data(), from.data(), from.size());
    benchmark::ClobberMemory();
  }
  Report(state);
}
BENCHMARK(BM_MemcpyOfAsManyBytes)->Unit(benchmark::kMillisecond);

void BM_AdamWOneByOne(benchmark::State& state) {
  ParamStore params = ManySmallTensors(1);
  const ParamStore grads = ManySmallTensors(0.5f);
  Optimizer adamw = Optimizer::Create(AdamW{}, params).value();
  for (auto _ : state) {
    if (!adamw.Step(&params, grads, {.lr = 1e-3}).ok()) state.SkipWithError("step failed");
  }
  Report(state);
}
BENCHMARK(BM_AdamWOneByOne)->Unit(benchmark::kMillisecond);

void PackedSteps(benchmark::State& state) {
  Packed params = Packed::Create(ManySmallTensors(1), DType::kF32).value();
  const Packed grads = Packed::CreateLike(params, ManySmallTensors(0.5f)).value();
  Optimizer adamw = Optimizer::Create(AdamW{}, params).value();
  for (auto _ : state) {
    if (!adamw.Step(&params, grads, {.lr = 1e-3}).ok()) state.SkipWithError("step failed");
  }
  Report(state);
}

// Measures with the best instruction set of this machine.
void BM_AdamWPacked(benchmark::State& state) { PackedSteps(state); }
BENCHMARK(BM_AdamWPacked)->Unit(benchmark::kMillisecond);

void BM_AdamWPackedBy(benchmark::State& state) {
  const auto isa = static_cast<internal::Isa>(state.range(0));
  if (!internal::IsaIsSupported(isa)) {
    state.SkipWithError("this machine does not have these instructions");
    return;
  }
  const internal::ScopedIsa scoped(isa);
  PackedSteps(state);
}
BENCHMARK(BM_AdamWPackedBy)
    ->ArgName("isa")  // 0: baseline, 1: AVX2, 2: AVX-512
    ->Arg(static_cast<int64_t>(internal::Isa::kBaseline))
    ->Arg(static_cast<int64_t>(internal::Isa::kAvx2))
    ->Arg(static_cast<int64_t>(internal::Isa::kAvx512))
    ->Unit(benchmark::kMillisecond);

// Measures with one tensor per gradient, as a model produces them.
void BM_AdamWPackedWithLooseGradients(benchmark::State& state) {
  Packed params = Packed::Create(ManySmallTensors(1), DType::kF32).value();
  const ParamStore grads = ManySmallTensors(0.5f);
  Optimizer adamw = Optimizer::Create(AdamW{}, params).value();
  for (auto _ : state) {
    if (!adamw.Step(&params, grads, {.lr = 1e-3}).ok()) state.SkipWithError("step failed");
  }
  Report(state);
}
BENCHMARK(BM_AdamWPackedWithLooseGradients)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace leafstore
