// ReadPlan: byte ranges of files, read in disk order and checked as they arrive.
//
//   ReadPlan plan(io);
//   plan.Add({.file = file, .mode = file->ModeFor(total), .offset = 4096, .size = 64, ...});
//   LEAFSTORE_RETURN_IF_ERROR(plan.Run(
//       [&](size_t range, int64_t position, absl::Span<const std::byte> bytes) { ... },
//       [&](size_t range, int64_t, const absl::Status& error) { return Named(range, error); }));
//
// Small ranges that are close together are read together, with the gaps between them. Large ranges
// are divided among threads if their parts can be checked separately. Several threads read, so that
// the disk is busy while bytes are checked.
//
// Memory: buffers of at most IoOptions::max_bytes_in_flight together, except for ranges that must
// be complete.
//
// Threads: one thread at a time. Run calls `visit` and `fail` from several threads.
#ifndef LEAFSTORE_CHECKPOINT_INTERNAL_READ_PLAN_H_
#define LEAFSTORE_CHECKPOINT_INTERNAL_READ_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"

#include "leafstore/checkpoint/internal/file_bytes.h"
#include "leafstore/io/io_options.h"

namespace leafstore::internal {

class ReadPlan {
 public:
  struct Range {
    const FileBytes* file = nullptr;
    ReadMode mode = ReadMode::kMap;  // FileBytes::ModeFor
    uint32_t file_index = 0;         // files are read in this order
    int64_t offset = 0;
    int64_t size = 0;  // positive; the range is inside the file
    // Where to write the bytes, or null. With ReadMode::kDirect, the bytes around this memory may
    // be overwritten, up to the nearest multiples of kDirectAlignment.
    std::byte* out = nullptr;
    bool is_complete = false;  // `visit` needs all bytes at once
    bool verify = false;
    uint64_t checksum = 0;                   // of all bytes; used if there are no blocks
    absl::Span<const uint64_t> blocks = {};  // checksums of each kBlockSize
  };

  // Receives bytes of a range that begin at `position` in it, after their checksums were verified.
  // They are valid during the call, or as long as the mapping or Range::out if they are in it.
  // Empty for a range without `out` that was read and checked in steps.
  using Visit =
      absl::FunctionRef<absl::Status(size_t range, int64_t position, absl::Span<const std::byte>)>;
  // Receives an error in the bytes of a range that begin at `position`. Returns the error to
  // report, or OK to continue.
  using Fail =
      absl::FunctionRef<absl::Status(size_t range, int64_t position, const absl::Status& error)>;

  // Returns the size up to which ranges without `out` are read together. Larger ranges should have
  // `out`.
  static int64_t MaxShared(const IoOptions& io);

  // Uses only `threads` and `max_bytes_in_flight` of `io`, which must outlive the plan.
  explicit ReadPlan(const IoOptions& io) : io_(io) {}

  // Adds a range. Its index is the count of ranges added before it.
  void Add(const Range& range) { ranges_.push_back(range); }
  const Range& range(size_t index) const { return ranges_[index]; }

  // Reads all ranges. Returns the error of the first range in disk order for which `fail` returns
  // one; ranges after it may then not have been read.
  absl::Status Run(Visit visit, Fail fail) const;

 private:
  class Runner;

  const IoOptions& io_;
  std::vector<Range> ranges_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_READ_PLAN_H_
