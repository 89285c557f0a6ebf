// Cold and slow disks: a verified load of 64 large tensors compared with reading the bytes of the
// file and doing nothing with them, by the same calls.
//
//   leafstore_bench --benchmark_filter='Cold/|Slow/'
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/files.h"
#include "bench/models.h"
#include "bench/paired.h"
#include "bench/sizes.h"
#include "benchmark/benchmark.h"

#include "leafstore/checkpoint/reader.h"
#include "leafstore/io/internal/direct_buffer.h"
#include "leafstore/io/internal/forwarding_file_system.h"
#include "leafstore/io/internal/parallel.h"

namespace leafstore::bench {
namespace {

constexpr int64_t kStep = int64_t{8} << 20;

// Reads a file in steps, by `threads` threads, past the page cache if `direct`.
void ReadFileOf(FileSystem* files, const std::string& path, int threads, bool direct) {
  const std::unique_ptr<ReadableFile> file = files->Open(path).value();
  const int64_t size = file->size();
  std::vector<internal::DirectBuffer> buffers;
  for (int i = 0; i < threads; ++i) {
    buffers.push_back(internal::DirectBuffer::Allocate(kStep).value());
  }
  std::atomic<int64_t> next{0};
  internal::ParallelFor(buffers.size(), threads, [&](size_t i) {
    for (int64_t at = next.fetch_add(kStep); at < size; at = next.fetch_add(kStep)) {
      const int64_t left = direct ? kStep : std::min(kStep, size - at);
      const auto out = absl::MakeSpan(buffers[i].data, static_cast<size_t>(left));
      Check(direct ? file->ReadDirect(at, out) : file->ReadAt(at, out));
    }
  });
}

void LoadAll(FileSystem* files, const std::string& path, ReadMode mode) {
  const CheckpointReader reader =
      CheckpointReader::Open(path, {.io = {.mode = mode, .file_system = files}}).value();
  benchmark::DoNotOptimize(reader.Load("params").value().size());
}

const TreeDef& LargeDef() {
  static const TreeDef* const def = new TreeDef(NamesDef(kLargeTensors));
  return *def;
}

void Cold(benchmark::State& state, ReadMode mode) {
  const File file("cold", LargeDef(), Filled(LargeDef(), LargeElements()));
  FileSystem& files = FileSystem::Posix();
  Paired paired;
  for (auto _ : state) {
    state.SetIterationTime(paired.Run(
        [&] {
          file.Evict();
          LoadAll(&files, file.path(), mode);
        },
        [&] {
          file.Evict();
          ReadFileOf(&files, file.path(), 4, /*direct=*/true);
        }));
  }
  paired.Report(state, 1);
}
void SampledNine(benchmark::internal::Benchmark* bench) {
  bench->Iterations(9)->UseManualTime()->Unit(benchmark::kMillisecond);
}
BENCHMARK_CAPTURE(Cold, auto, ReadMode::kAuto) -> Apply(SampledNine);
BENCHMARK_CAPTURE(Cold, mapped, ReadMode::kMap)->Apply(SampledNine);

// The files of this machine, on a disk that takes a millisecond for each read.
class SlowDisk : public internal::ForwardingFileSystem {
 public:
  absl::StatusOr<std::unique_ptr<ReadableFile>> Open(const std::string& path) override {
    class Slow : public ReadableFile {
     public:
      explicit Slow(std::unique_ptr<ReadableFile> file) : file_(std::move(file)) {}
      int64_t size() const override { return file_->size(); }
      absl::Status ReadAt(int64_t offset, absl::Span<std::byte> out) const override {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        return file_->ReadAt(offset, out);
      }
      absl::StatusOr<Buffer> Map() const override { return file_->Map(); }
      bool IsLocal() const override { return false; }

     private:
      std::unique_ptr<ReadableFile> file_;
    };
    return std::make_unique<Slow>(ForwardingFileSystem::Open(path).value());
  }
};

// Compared with reading the file in order by one thread.
void Slow(benchmark::State& state, int64_t tensors, int64_t elements) {
  const TreeDef def = NamesDef(tensors);
  const File file("slow", def, Filled(def, elements));
  SlowDisk disk;
  ReadFileOf(&disk, file.path(), 1, /*direct=*/false);  // the rest is from the page cache
  Paired paired;
  for (auto _ : state) {
    state.SetIterationTime(
        paired.Run([&] { LoadAll(&disk, file.path(), ReadMode::kAuto); },
                   [&] { ReadFileOf(&disk, file.path(), 1, /*direct=*/false); }));
  }
  paired.Report(state, 1);
}
BENCHMARK_CAPTURE(Slow, large, kLargeTensors, LargeElements())->Apply(SampledNine);
BENCHMARK_CAPTURE(Slow, small, kSmallTensors, kSmallElements)->Apply(SampledNine);

}  // namespace
}  // namespace leafstore::bench
