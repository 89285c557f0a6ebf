#include "leafstore/checkpoint/internal/read_plan.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <numeric>
#include <optional>
#include <thread>
#include <utility>

#include "leafstore/checkpoint/internal/free_list.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/io/internal/checksum.h"
#include "leafstore/io/internal/direct_buffer.h"
#include "leafstore/io/internal/file_stream.h"
#include "leafstore/io/internal/parallel.h"
#include "leafstore/proto/manifest_codec.h"

namespace leafstore::internal {
namespace {

// Ranges separated by at most this gap are read together: reading the gap costs less than another
// read.
constexpr int64_t kMappedGap = int64_t{16} << 10;
constexpr int64_t kReadGap = int64_t{64} << 10;
// How many bytes are read into memory at a time.
constexpr int64_t kMappedWindow = int64_t{4} << 20;
constexpr int64_t kMaxWindow = int64_t{8} << 20;
constexpr int64_t kMinWindow = kBlockSize;
// The minimum number of threads for plain and direct reads, unless the caller sets one: most wait
// for the disk.
constexpr int kReadThreads = 6;

// Checks bytes of a range that begin at `position` in it and end at the end of a block.
absl::Status CheckBytes(const ReadPlan::Range& range, int64_t position,
                        absl::Span<const std::byte> bytes) {
  if (!range.verify) return absl::OkStatus();
  if (range.blocks.empty()) {
    return CompareChecksum(range.offset, range.size, range.checksum, Checksum(bytes));
  }
  for (; !bytes.empty(); position += kBlockSize) {
    const auto block = bytes.subspan(0, static_cast<size_t>(kBlockSize));
    LEAFSTORE_RETURN_IF_ERROR(
        CompareChecksum(range.offset + position, static_cast<int64_t>(block.size()),
                        range.blocks[static_cast<size_t>(position / kBlockSize)], Checksum(block)));
    bytes.remove_prefix(block.size());
  }
  return absl::OkStatus();
}

}  // namespace

int64_t ReadPlan::MaxShared(const IoOptions& io) {
  const int threads =
      io.threads > 0 ? io.threads : std::max(ThreadsFor(0, INT64_MAX), kReadThreads);
  return std::clamp(io.max_bytes_in_flight / threads, kMinWindow, kMaxWindow / 2);
}

class ReadPlan::Runner {
 public:
  // Bytes that one thread reads at once: ranges, or a part of one.
  struct Window {
    size_t first;  // in disk order
    size_t count;
    int64_t begin;
    int64_t end;
  };

  Runner(const IoOptions& io, const std::vector<Range>& ranges, Visit visit, Fail fail)
      : ranges_(ranges), visit_(visit), fail_(fail) {
    Sort();
    ChooseThreads(io);
    for (size_t i = 0; i < ranges.size(); ++i) AddToWindows(i);
  }

  absl::Status Run() {
    std::vector<absl::Status> statuses(windows_.size());
    // The first window that failed; all before it are run.
    std::atomic<size_t> failed = windows_.size();
    ParallelFor(windows_.size(), threads_, [&](size_t i) {
      if (i > failed.load(std::memory_order_relaxed)) return;
      statuses[i] = RunWindow(windows_[i]);
      if (!statuses[i].ok()) failed.store(i, std::memory_order_relaxed);
    });
    for (const absl::Status& status : statuses) LEAFSTORE_RETURN_IF_ERROR(status);
    return absl::OkStatus();
  }

 private:
  size_t IndexOf(size_t in_order) const { return order_.empty() ? in_order : order_[in_order]; }
  const Range& At(size_t in_order) const { return ranges_[IndexOf(in_order)]; }

  void Sort() {
    const auto before = [](const Range& a, const Range& b) {
      return a.file_index != b.file_index ? a.file_index < b.file_index : a.offset < b.offset;
    };
    if (std::is_sorted(ranges_.begin(), ranges_.end(), before)) return;
    order_.resize(ranges_.size());
    std::iota(order_.begin(), order_.end(), 0);
    std::stable_sort(order_.begin(), order_.end(),
                     [&](uint32_t a, uint32_t b) { return before(ranges_[a], ranges_[b]); });
  }

  void ChooseThreads(const IoOptions& io) {
    int64_t bytes = 0;
    bool all_mapped = true;
    for (const Range& range : ranges_) {
      // Ranges of a base can overlap, so the sum can be anything.
      if (__builtin_add_overflow(bytes, range.size, &bytes)) bytes = INT64_MAX;
      all_mapped = all_mapped && range.mode == ReadMode::kMap;
    }
    threads_ = ThreadsFor(io.threads, bytes);
    if (all_mapped) return;
    if (io.threads == 0) threads_ = ThreadsFor(std::max(threads_, kReadThreads), bytes);
    const int64_t allowed = io.max_bytes_in_flight / threads_ / kBlockSize * kBlockSize;
    const int64_t share = (bytes / threads_ / kBlockSize + 1) * kBlockSize;
    read_window_ = std::clamp(std::min(allowed, share), kMinWindow, kMaxWindow);
  }

  void AddToWindows(size_t in_order) {
    const Range& range = At(in_order);
    const int64_t most = range.mode == ReadMode::kMap ? kMappedWindow : read_window_;
    const int64_t end = range.offset + range.size;
    const bool is_divisible = !range.is_complete && (!range.verify || !range.blocks.empty());
    if (range.size > most && is_divisible) {
      // A large segment with blocks begins at a multiple of kDirectAlignment.
      int64_t begin = range.offset;
      int64_t next = range.offset + most;
      if (!range.verify) next -= range.offset % static_cast<int64_t>(kDirectAlignment);
      for (; begin < end; begin = std::exchange(next, next + most)) {
        windows_.push_back({in_order, 1, begin, std::min(next, end)});
      }
      may_join_ = range.out == nullptr;
      return;
    }
    const bool may_join = range.out == nullptr;
    if (may_join && may_join_ && IsNear(range, most)) {
      Window& last = windows_.back();
      ++last.count;
      last.end = std::max(last.end, end);
    } else {
      windows_.push_back({in_order, 1, range.offset, end});
    }
    may_join_ = may_join;
  }

  // Returns whether a range can be read with the last window.
  bool IsNear(const Range& range, int64_t most) const {
    const Window& last = windows_.back();
    const Range& before = At(last.first);
    const int64_t gap = range.mode == ReadMode::kMap ? kMappedGap : kReadGap;
    // A part of a divided range may begin after a range that shares its bytes.
    return before.file == range.file && before.mode == range.mode && range.offset >= last.begin &&
           range.offset - last.end <= gap &&
           std::max(last.end, range.offset + range.size) - last.begin <= most;
  }

  absl::Status RunWindow(const Window& window) {
    if (window.count == 1) return RunOne(window.first, window.begin, window.end);
    std::optional<DirectBuffer> scratch = scratch_.Take();
    absl::Status status;
    const auto bytes = Read(At(window.first), window.begin, window.end, &scratch);
    for (size_t i = window.first; i < window.first + window.count && status.ok(); ++i) {
      const Range& range = At(i);
      const int64_t begin = std::max(range.offset, window.begin);
      const int64_t end = std::min(range.offset + range.size, window.end);
      if (bytes.ok()) {
        status = Deliver(i, begin - range.offset,
                         bytes->subspan(static_cast<size_t>(begin - window.begin),
                                        static_cast<size_t>(end - begin)));
      } else {  // perhaps only some of the ranges cannot be read
        status = RunOne(i, begin, end);
      }
    }
    if (scratch.has_value()) scratch_.Give(*std::move(scratch));
    return status;
  }

  // Reads the part [begin, end) of a range.
  absl::Status RunOne(size_t in_order, int64_t begin, int64_t end) {
    const Range& range = At(in_order);
    const int64_t most = range.mode == ReadMode::kMap ? kMappedWindow : read_window_;
    if (end - begin > most && !range.is_complete) return RunInSteps(in_order, most);
    std::optional<DirectBuffer> scratch = scratch_.Take();
    const auto bytes = Read(range, begin, end, &scratch);
    const absl::Status status =
        bytes.ok() ? Deliver(in_order, begin - range.offset, *bytes)
                   : fail_(IndexOf(in_order), begin - range.offset, bytes.status());
    if (scratch.has_value()) scratch_.Give(*std::move(scratch));
    return status;
  }

  // Reads a large range that can only be checked as a whole.
  absl::Status RunInSteps(size_t in_order, int64_t most) {
    const Range& range = At(in_order);
    const absl::StatusOr<absl::Span<const std::byte>> bytes = ReadInSteps(range, most);
    absl::Status status = bytes.status();
    if (status.ok()) status = visit_(IndexOf(in_order), 0, *bytes);
    return status.ok() ? status : fail_(IndexOf(in_order), 0, status);
  }

  // Returns the bytes if they stay in memory, and otherwise none.
  absl::StatusOr<absl::Span<const std::byte>> ReadInSteps(const Range& range, int64_t most) {
    LEAFSTORE_ASSIGN_OR_RETURN(ChecksumStream checksum, ChecksumStream::Create());
    std::optional<DirectBuffer> scratch = scratch_.Take();
    const std::byte* first = nullptr;
    for (int64_t done = 0; done < range.size; done += most) {
      const int64_t begin = range.offset + done;
      LEAFSTORE_ASSIGN_OR_RETURN(
          const auto bytes,
          Read(range, begin, begin + std::min(most, range.size - done), &scratch));
      if (done == 0) first = bytes.data();
      checksum.Append(bytes);
    }
    if (scratch.has_value()) scratch_.Give(*std::move(scratch));
    LEAFSTORE_RETURN_IF_ERROR(
        CompareChecksum(range.offset, range.size, range.checksum, checksum.Value()));
    const bool stays = range.out != nullptr || range.mode == ReadMode::kMap;
    return absl::MakeConstSpan(first, stays ? static_cast<size_t>(range.size) : 0);
  }

  absl::Status Deliver(size_t in_order, int64_t position, absl::Span<const std::byte> bytes) {
    absl::Status status = CheckBytes(At(in_order), position, bytes);
    if (status.ok()) status = visit_(IndexOf(in_order), position, bytes);
    return status.ok() ? status : fail_(IndexOf(in_order), position, status);
  }

  // Brings the bytes [begin, end) of a file, which begin inside `range`, into memory.
  static absl::StatusOr<absl::Span<const std::byte>> Read(const Range& range, int64_t begin,
                                                          int64_t end,
                                                          std::optional<DirectBuffer>* scratch) {
    const auto size = static_cast<size_t>(end - begin);
    std::byte* const out = range.out == nullptr ? nullptr : range.out + (begin - range.offset);
    absl::Span<const std::byte> bytes;
    if (range.mode == ReadMode::kMap) {
      Buffer unused;
      LEAFSTORE_ASSIGN_OR_RETURN(bytes, range.file->Get(begin, end - begin, &unused));
    } else {
      // A direct read begins before the bytes, at a multiple of the alignment.
      const bool is_direct = range.mode == ReadMode::kDirect;
      const size_t before = is_direct ? static_cast<size_t>(begin) % kDirectAlignment : 0;
      const bool is_aligned =
          !is_direct || reinterpret_cast<uintptr_t>(out) % kDirectAlignment == before;
      std::byte* to = out == nullptr || !is_aligned ? nullptr : out - before;
      const int64_t all = AlignUp(static_cast<int64_t>(before + size), kDirectAlignment);
      if (to == nullptr) {
        if (!scratch->has_value() || (*scratch)->size < all) {
          scratch->reset();
          LEAFSTORE_ASSIGN_OR_RETURN(*scratch, DirectBuffer::Allocate(all));
        }
        to = (*scratch)->data;
      }
      LEAFSTORE_RETURN_IF_ERROR(
          is_direct ? range.file->ReadDirect(begin - static_cast<int64_t>(before),
                                             absl::MakeSpan(to, static_cast<size_t>(all)))
                    : range.file->ReadAt(begin, absl::MakeSpan(to, size)));
      bytes = absl::MakeConstSpan(to + before, size);
    }
    if (out == nullptr || out == bytes.data()) return bytes;
    std::memcpy(out, bytes.data(), size);
    return absl::MakeConstSpan(out, size);
  }

  const std::vector<Range>& ranges_;
  const Visit visit_;
  const Fail fail_;
  // The indices of ranges in disk order; empty if they were added in that order.
  std::vector<uint32_t> order_;
  std::vector<Window> windows_;
  bool may_join_ = false;  // whether ranges can be added to the last window
  int threads_ = 1;
  int64_t read_window_ = kMinWindow;  // the most bytes that are read at once
  FreeList<DirectBuffer> scratch_;
};

absl::Status ReadPlan::Run(Visit visit, Fail fail) const {
  return ranges_.empty() ? absl::OkStatus() : Runner(io_, ranges_, visit, fail).Run();
}

}  // namespace leafstore::internal
