// The limits of this machine: reading and copying memory, the disk, a call, a comparison. Compared
// with the times of leafstore, they show the possible gain. (store_bench.cc measures a lookup in a
// bare hash map, BM_Find, and moving and copying bare handles.)
//
//   leafstore_bench --benchmark_filter=Limit
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "bench/files.h"
#include "bench/memory_read.h"
#include "bench/models.h"
#include "bench/sizes.h"
#include "bench/timer.h"
#include "benchmark/benchmark.h"

namespace leafstore::bench {
namespace {

constexpr size_t kPiece = size_t{8} << 20;

[[gnu::noinline]] void Opaque(const void* pointer) { asm volatile("" : : "r"(pointer) : "memory"); }

// Measures the bare call that receives a group of one tensor.
void LimitOpaqueCall(benchmark::State& state) {
  const int target = 0;
  for (auto _ : state) Opaque(&target);
}
BENCHMARK(LimitOpaqueCall);

void LimitComparePointers(benchmark::State& state) {
  const int target = 0;
  const int* a = &target;
  const int* b = &target;
  for (auto _ : state) {
    benchmark::DoNotOptimize(a);
    benchmark::DoNotOptimize(b);
    benchmark::DoNotOptimize(a == b);
  }
}
BENCHMARK(LimitComparePointers);

// Measures making 100,000 strings of the length of a path, a lower bound for listing paths.
void LimitMakeStrings(benchmark::State& state) {
  const std::vector<std::string> texts(static_cast<size_t>(state.range(0)),
                                       ".blocks[9999].attn.wq");
  for (auto _ : state) {
    for (const std::string& text : texts) benchmark::DoNotOptimize(std::string(text));
  }
}
BENCHMARK(LimitMakeStrings)->Arg(100'000)->Unit(benchmark::kMillisecond);

void LimitMemoryRead(benchmark::State& state) {
  const std::vector<std::byte> bytes(static_cast<size_t>(BigBytes()), std::byte{1});
  for (auto _ : state) {
    const Timer timer;
    benchmark::DoNotOptimize(
        SumByThreads(bytes.data(), bytes.size(), static_cast<size_t>(state.range(0))));
    state.SetIterationTime(timer.Seconds());
  }
  state.SetBytesProcessed(state.iterations() * BigBytes());
}
BENCHMARK(LimitMemoryRead)->Arg(1)->Arg(2)->UseManualTime()->Unit(benchmark::kMillisecond);

// Memory fresh from the system: each page is allocated when it is first written.
class FreshMemory {
 public:
  explicit FreshMemory(size_t size)
      : size_(size),
        data_(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    if (data_ == MAP_FAILED) std::abort();
  }
  ~FreshMemory() { munmap(data_, size_); }
  FreshMemory(const FreshMemory&) = delete;
  FreshMemory& operator=(const FreshMemory&) = delete;
  void* data() const { return data_; }

 private:
  size_t size_;
  void* data_;
};

// range(0): copies into fresh memory each time.
void LimitMemcpy(benchmark::State& state) {
  const std::vector<std::byte> from(static_cast<size_t>(BigBytes()), std::byte{1});
  auto to = std::make_unique<FreshMemory>(from.size());
  std::memset(to->data(), 2, from.size());
  for (auto _ : state) {
    if (state.range(0) != 0) {
      to.reset();
      to = std::make_unique<FreshMemory>(from.size());
    }
    const Timer timer;
    std::memcpy(to->data(), from.data(), from.size());
    benchmark::ClobberMemory();
    state.SetIterationTime(timer.Seconds());
  }
  state.SetBytesProcessed(state.iterations() * BigBytes());
}
BENCHMARK(LimitMemcpy)
    ->ArgName("fresh")
    ->Arg(0)
    ->Arg(1)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

// Memory for reading and writing files without the page cache.
class Piece {
 public:
  Piece() {
    if (posix_memalign(&data_, 4096, kPiece) != 0) std::abort();
    std::memset(data_, 7, kPiece);
  }
  ~Piece() { std::free(data_); }
  Piece(const Piece&) = delete;
  Piece& operator=(const Piece&) = delete;
  void* data() const { return data_; }

 private:
  void* data_ = nullptr;
};

// Writes a file. Returns false on failure: not every file system can bypass the page cache.
bool WriteFile(const std::string& path, int flags, int64_t bytes, bool synced) {
  const Piece piece;
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | flags, 0666);
  if (fd < 0) return false;
  const absl::Cleanup close_file = [fd] { close(fd); };
  for (int64_t done = 0; done < bytes; done += kPiece) {
    if (write(fd, piece.data(), kPiece) != static_cast<ssize_t>(kPiece)) return false;
  }
  return !synced || fsync(fd) == 0;
}

// Measures plain writes in pieces of 8 MiB: without the page cache and synced, like
// `dd oflag=direct conv=fsync`; or only into the page cache.
void LimitWrite(benchmark::State& state, int flags, bool synced, int64_t (*bytes)()) {
  const File file("limit");
  bool could = true;
  const auto write = [&] {
    Settle();
    const Timer timer;
    could = could && WriteFile(file.path(), flags, bytes(), synced);
    const double seconds = timer.Seconds();
    file.Remove();
    return seconds;
  };
  write();  // not measured, like the first save
  for (auto _ : state) {
    state.SetIterationTime(MedianOfThree(write));
    if (could) continue;
    state.SkipWithError("cannot write the file");
    break;
  }
  Settle();
  state.SetBytesProcessed(state.iterations() * bytes());
}
int64_t SmallBytes() { return int64_t{16} << 20; }  // 9,000 KiB, rounded up to full pieces
BENCHMARK_CAPTURE(LimitWrite, disk, O_DIRECT, true, BigBytes)
    ->Iterations(1)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(LimitWrite, page_cache, 0, false, BigBytes)
    ->Iterations(1)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(LimitWrite, disk_small, O_DIRECT, true, SmallBytes)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(LimitWrite, page_cache_small, 0, false, SmallBytes)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

bool ReadFile(const std::string& path, int flags) {
  const Piece piece;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | flags);
  if (fd < 0) return false;
  ssize_t count = 1;
  while (count > 0) count = read(fd, piece.data(), kPiece);
  close(fd);
  return count == 0;
}

// range(0): reads from the disk, without the page cache; otherwise from the page cache.
void LimitRead(benchmark::State& state) {
  const File file("limit-read");
  if (!WriteFile(file.path(), 0, BigBytes(), true)) state.SkipWithError("cannot create the file");
  for (auto _ : state) {
    const Timer timer;
    if (!ReadFile(file.path(), state.range(0) != 0 ? O_DIRECT : 0)) {
      state.SkipWithError("cannot read the file");
      break;
    }
    state.SetIterationTime(timer.Seconds());
  }
  state.SetBytesProcessed(state.iterations() * BigBytes());
}
BENCHMARK(LimitRead)->ArgName("disk")->Arg(0)->Arg(1)->UseManualTime()->Unit(
    benchmark::kMillisecond);

// Measures opening, mapping and closing a file without reading it.
void LimitOpenMapClose(benchmark::State& state) {
  const File file("limit-open");
  if (!WriteFile(file.path(), 0, kPiece, false)) state.SkipWithError("cannot create the file");
  for (auto _ : state) {
    const int fd = open(file.path().c_str(), O_RDONLY | O_CLOEXEC);
    void* const mapped = mmap(nullptr, kPiece, PROT_READ, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED) std::abort();
    munmap(mapped, kPiece);
    close(fd);
  }
}
BENCHMARK(LimitOpenMapClose);

}  // namespace
}  // namespace leafstore::bench
