// ReadPlan: byte ranges of files, read in the order of the disk and checked as they arrive.
//
//   ReadPlan plan(io);
//   plan.Add({.file = file, .mode = file->ModeFor(total), .offset = 4096, .size = 64, ...});
//   LEAFSTORE_RETURN_IF_ERROR(plan.Run(
//       [&](size_t range, int64_t position, absl::Span<const std::byte> bytes) { ... },
//       [&](size_t range, int64_t, const absl::Status& error) { return Named(range, error); }));
//
// Small ranges that are close together are read together, with the gaps between them. Large ranges
// are divided among threads if their parts can be checked alone. Several threads read, so that the
// disk always has work while bytes are checked.
//
// Memory: buffers of at most IoOptions::max_bytes_in_flight together, except for ranges that must
// be complete.
//
// Threads: one thread at a time. Run calls its arguments from several threads.
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
    int64_t size = 0;  // over 0; the range is inside the file
    // Where the bytes are to be, if anywhere. For ReadMode::kDirect, from the last multiple of
    // kDirectAlignment before it up to the first one after its end, other bytes may be changed.
    std::byte* out = nullptr;
    bool is_complete = false;  // `visit` needs all bytes at once
    bool verify = false;
    uint64_t checksum = 0;                   // of all bytes; used if there are no blocks
    absl::Span<const uint64_t> blocks = {};  // checksums of each kBlockSize
  };

  // Receives bytes of a range, from `position` of it on, after their checksums were found correct.
  // They are valid during the call; if they are in a mapping or in Range::out, as long as that. Of a
  // range without `out` that was read and checked in steps there are none.
  using Visit =
      absl::FunctionRef<absl::Status(size_t range, int64_t position, absl::Span<const std::byte>)>;
  // Receives an error of a range, in its bytes from `position` on. Returns the error to report, or OK
  // to go on.
  using Fail =
      absl::FunctionRef<absl::Status(size_t range, int64_t position, const absl::Status& error)>;

  // Returns the size up to which ranges without `out` are read together. Larger ones should have it.
  static int64_t MaxShared(const IoOptions& io);

  // Of `io`, the threads and max_bytes_in_flight matter.
  explicit ReadPlan(const IoOptions& io) : io_(io) {}

  // Adds a range, which is called by the number of ranges before it.
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
