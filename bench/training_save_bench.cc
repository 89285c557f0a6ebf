// The cost of saving during training, with 9,000 leaves and 1 GiB (sizes.h): the snapshot, the call
// of SaveAsync, and the steps after it, which write tensors that the snapshot still shares; the
// time of an incremental save, and the memory of a save. (save_load_bench.cc measures the speed of
// saves.)
//
// Counters of times are medians over the iterations, each of which does all compared work. The
// iterations are few because scripts/bench runs each benchmark in several rounds.
#include <malloc.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/files.h"
#include "bench/peak_memory.h"
#include "bench/sizes.h"
#include "bench/timer.h"
#include "benchmark/benchmark.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/manager.h"
#include "leafstore/checkpoint/reader.h"
#include "leafstore/numeric/ops.h"
#include "leafstore/optim/optimizer.h"
#include "leafstore/pack/pack.h"

namespace leafstore {
namespace {

using bench::Check;

constexpr int64_t kLeaves = 9'000;
const int64_t kElements = bench::BigBytes() / 4 / kLeaves;  // f32
const int64_t kBytes = kLeaves * kElements * 4;

template <typename Work>
double Seconds(Work work) {
  const bench::Timer timer;
  work();
  return timer.Seconds();
}

class Samples {
 public:
  void Add(double sample) { samples_.push_back(sample); }
  double Median() const {
    std::vector<double> sorted = samples_;
    std::sort(sorted.begin(), sorted.end());
    return sorted.empty() ? 0 : sorted[sorted.size() / 2];
  }
  double Max() const {
    return samples_.empty() ? 0 : *std::max_element(samples_.begin(), samples_.end());
  }

 private:
  std::vector<double> samples_;
};

ParamStore Params(float value) {
  std::vector<std::pair<Path, Leaf>> entries;
  for (int64_t i = 0; i < kLeaves; ++i) {
    Tensor tensor = Tensor::Uninitialized(DType::kF32, {kElements}).value();
    {
      MutableTensor writing = tensor.Mutate().value();
      const auto numbers = writing.span<float>();
      std::fill(numbers.begin(), numbers.end(), value + static_cast<float>(i));
    }
    entries.emplace_back(Path::Parse(absl::StrCat("['w", i, "']")).value(), std::move(tensor));
  }
  return ParamStore::FromEntries(std::move(entries)).value();
}

// A directory that the destructor removes.
class BenchDirectory {
 public:
  explicit BenchDirectory(const std::string& name) {
    path_ = bench::FilePath(name);
    std::filesystem::create_directory(path_);
  }
  ~BenchDirectory() { std::filesystem::remove_all(path_); }
  BenchDirectory(const BenchDirectory&) = delete;
  BenchDirectory& operator=(const BenchDirectory&) = delete;
  const std::string& path() const { return path_; }
  std::string File(const std::string& name) const { return absl::StrCat(path_, "/", name); }

 private:
  std::string path_;
};

// Returns the free memory of malloc to the system, so that the next allocation is fresh memory.
void GiveBackMemory() { malloc_trim(0); }

// Copies each leaf once into fresh memory, as a copy-on-write does. Returns the seconds.
double SecondsToCopyFresh(const ParamStore& params) {
  std::vector<Tensor> copies;
  copies.reserve(params.size());
  return Seconds([&] {
    for (const Leaf& leaf : params.leaves()) copies.push_back(leaf.tensor().Clone().value());
  });
}

ParamStore ZerosLikeOf(const ParamStore& params) { return ZerosLike(params).value(); }
Packed ZerosLikeOf(const Packed& params) { return Packed::ZerosLike(params).value(); }

// Measures creating and dropping a snapshot.
void SnapshotOfAll(benchmark::State& state) {
  const ParamStore params = Params(0);
  for (auto _ : state) benchmark::DoNotOptimize(params.Snapshot().value().size());
}
BENCHMARK(SnapshotOfAll);

// Measures copying all leaves into fresh memory, the reference for a snapshot and the next step.
void CopyOfAll(benchmark::State& state) {
  const ParamStore params = Params(0);
  for (auto _ : state) state.SetIterationTime(SecondsToCopyFresh(params));
}
BENCHMARK(CopyOfAll)->UseManualTime()->Unit(benchmark::kMillisecond);

// Measures only the call; nothing else runs during the save. The first call is reported separately:
// it is the first allocation after the model was created, when malloc does deferred work on behalf
// of the model.
void SaveAsyncCall(benchmark::State& state) {
  const BenchDirectory directory("async-call");
  CheckpointManager manager =
      CheckpointManager::Open(directory.path(), {.retention = {.last = 1}}).value();
  const ParamStore params = Params(0);
  int64_t step = 0;
  Samples calls;
  double first = 0;
  for (auto _ : state) {
    const double call = Seconds([&] {
      std::vector<CheckpointItem> items;
      items.emplace_back("params", params);
      Check(manager.SaveAsync(++step, std::move(items)).status());
    });
    state.SetIterationTime(call);
    if (step == 1) {
      first = call;
    } else {
      calls.Add(call);
    }
    Check(manager.Wait());
  }
  state.counters["first_us"] = first * 1e6;
  state.counters["call_us"] = calls.Median() * 1e6;
  state.counters["longest_us"] = calls.Max() * 1e6;
}
BENCHMARK(SaveAsyncCall)->UseManualTime()->Iterations(20)->Unit(benchmark::kMicrosecond);

// Measures a step over all parameters (a store, or a pack of it) while a snapshot of them exists,
// beyond a step without one, and compares with one copy into fresh memory, which takes `copy()`
// seconds.
template <typename Params, typename Copy>
void MeasureStepAfterSnapshot(benchmark::State& state, Params params, Copy copy) {
  const Params grads = ZerosLikeOf(params);
  Optimizer sgd = Optimizer::Create(Sgd{}, params).value();
  Samples plain, after, copied;
  for (auto _ : state) {
    plain.Add(Seconds([&] { Check(sgd.Step(&params, grads, {.lr = 0.1})); }));
    GiveBackMemory();
    copied.Add(copy(params));
    GiveBackMemory();
    const Params held = params.Snapshot().value();
    const double seconds = Seconds([&] { Check(sgd.Step(&params, grads, {.lr = 0.1})); });
    after.Add(seconds);
    state.SetIterationTime(seconds);
  }
  state.counters["plain_ms"] = plain.Median() * 1e3;
  state.counters["after_ms"] = after.Median() * 1e3;
  state.counters["copy_ms"] = copied.Median() * 1e3;
  state.counters["beyond_ms"] = (after.Median() - plain.Median()) * 1e3;
  state.counters["beyond/copy"] = (after.Median() - plain.Median()) / copied.Median();
}

void StepAfterSnapshot(benchmark::State& state) {
  MeasureStepAfterSnapshot(state, Params(0), SecondsToCopyFresh);
}
BENCHMARK(StepAfterSnapshot)->UseManualTime()->Iterations(3)->Unit(benchmark::kMillisecond);

void PackedStepAfterSnapshot(benchmark::State& state) {
  MeasureStepAfterSnapshot(
      state, Packed::Create(Params(0), DType::kF32).value(), [](const Packed& params) {
        return Seconds([&] {
          Buffer fresh = Buffer::AllocateUninitialized(kBytes).value();
          std::memcpy(fresh.mutable_data(), params.bytes()->data(), static_cast<size_t>(kBytes));
        });
      });
}
BENCHMARK(PackedStepAfterSnapshot)->UseManualTime()->Iterations(3)->Unit(benchmark::kMillisecond);

// Measures steps during saves of the manager. The first writes into fresh memory, later ones into
// memory that previous saves have released.
void StepsBesideSaves(benchmark::State& state) {
  const BenchDirectory directory("beside");
  CheckpointManager manager =
      CheckpointManager::Open(directory.path(),
                              {.retention = {.last = 1}, .keep_memory = state.range(0) != 0})
          .value();
  ParamStore params = Params(0);
  const ParamStore grads = ZerosLike(params).value();
  Optimizer sgd = Optimizer::Create(Sgd{}, params).value();
  Samples plain, beside, copy;
  int64_t step = 0;
  for (auto _ : state) {
    plain.Add(Seconds([&] { Check(sgd.Step(&params, grads, {.lr = 0.1})); }));
    copy.Add(SecondsToCopyFresh(params));
    std::vector<CheckpointItem> items;
    items.emplace_back("params", params);
    Check(manager.SaveAsync(++step, std::move(items)).status());
    const double seconds = Seconds([&] { Check(sgd.Step(&params, grads, {.lr = 0.1})); });
    beside.Add(seconds);
    state.SetIterationTime(seconds);
    Check(manager.Wait());
  }
  state.counters["plain_ms"] = plain.Median() * 1e3;
  state.counters["beside_ms"] = beside.Median() * 1e3;
  state.counters["copy_ms"] = copy.Median() * 1e3;
}
BENCHMARK(StepsBesideSaves)
    ->ArgName("keep_memory")
    ->Arg(1)
    ->Arg(0)
    ->UseManualTime()
    ->Iterations(3)
    ->Unit(benchmark::kMillisecond);

// Measures the peak memory of a save, beyond the store.
void SaveMemory(benchmark::State& state) {
  const BenchDirectory directory("memory");
  const ParamStore params = Params(0);
  Samples memory;
  for (auto _ : state) {
    GiveBackMemory();
    const bench::PeakMemory peak;
    Check(SaveCheckpoint(directory.File("a.leaf"), {{"params", params}}));
    memory.Add(static_cast<double>(peak.BytesBeyond()));
    std::filesystem::remove(directory.File("a.leaf"));
  }
  state.counters["peak_bytes"] = memory.Max();
  state.SetBytesProcessed(state.iterations() * kBytes);
}
BENCHMARK(SaveMemory)->Iterations(3)->Unit(benchmark::kMillisecond);

// Compares an incremental save, with one leaf in a hundred changed, with a full save.
void IncrementalSave(benchmark::State& state) {
  const BenchDirectory directory("incremental");
  ParamStore params = Params(0);
  SaveHistory history;
  Check(SaveCheckpoint(directory.File("0.leaf"), {{"params", params}}, {.history = &history}));
  Samples whole, increment;
  int64_t step = 0;
  for (auto _ : state) {
    whole.Add(Seconds([&] {
      Check(SaveCheckpoint(directory.File("whole.leaf"), {{"params", params}}));
    }));
    std::filesystem::remove(directory.File("whole.leaf"));
    sync();
    for (uint32_t place = 0; place < params.size(); place += 100) {
      MutableTensor writing = params.MutateAt(place).value();
      writing.span<float>()[0] += 1;
    }
    const std::string path = directory.File(absl::StrCat(++step, ".leaf"));
    const double seconds = Seconds([&] {
      Check(SaveCheckpoint(path, {{"params", params}}, {.history = &history}));
    });
    increment.Add(seconds);
    state.SetIterationTime(seconds);
  }
  state.counters["whole_ms"] = whole.Median() * 1e3;
  state.counters["share"] = increment.Median() / whole.Median();
}
BENCHMARK(IncrementalSave)->UseManualTime()->Iterations(3)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace leafstore
