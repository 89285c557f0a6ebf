// IoOptions: how files are read and written. The options of every format embed it as `io`.
//
//   SaveCheckpoint("model.leaf", items, {.io = {.durable = false}});
//   CheckpointReader::Open("model.leaf", {.io = {.mode = ReadMode::kRead, .threads = 2}});
//
// Saves ignore the options for reading, and loads those for saving.
#ifndef LEAFSTORE_IO_IO_OPTIONS_H_
#define LEAFSTORE_IO_IO_OPTIONS_H_

#include <cstdint>
#include <functional>

#include "absl/strings/string_view.h"

#include "leafstore/io/file_system.h"

namespace leafstore {

enum class ReadMode : uint8_t {
  // Chooses for each load: kRead on network file systems and FUSE, and if the file cannot be
  // mapped; kDirect if at least kLeastDirect bytes are loaded from a file that is not in the page
  // cache; otherwise kMap.
  kAuto,
  // Tensors are views of the mapped file.
  kMap,
  // Tensors own their bytes, which are read into memory. For network file systems, and for files
  // that others write to.
  kRead,
  // Like kRead, but where the file system supports it, the bytes do not go through the page cache:
  // they arrive at the speed of the disk, and are read from the disk again next time.
  kDirect,
};

// The minimum size of a load for which ReadMode::kAuto bypasses the page cache.
inline constexpr int64_t kLeastDirect = int64_t{64} << 20;

// Returns "auto", "map", "read" or "direct". Static storage.
absl::string_view ReadModeName(ReadMode mode);

struct IoOptions {
  // Saving: syncs the file and its directory, so that a file reported as written survives a power
  // failure. Where the file system supports it, writes bypass the page cache and run at the speed
  // of the disk. If false, the file survives a crash of the process but not of the system, and its
  // bytes stay in the page cache.
  bool durable = true;
  // Reading, in formats that can be mapped.
  ReadMode mode = ReadMode::kAuto;
  // Reading: the maximum number of threads that read, verify and decompress; 0: one per processor,
  // up to eight, and at least six where the file is not mapped, so that the disk is always busy.
  int threads = 0;
  // Reading: the maximum total size of the buffers between the disk and the tensors, but at least 1
  // MiB per thread. A compressed tensor needs a buffer for its stored bytes as well.
  int64_t max_bytes_in_flight = 33'554'432;  // 32 MiB
  // Receives the bytes done and the total, every few MiB and at the end, while a file is saved or
  // verified. May be called from any thread, but never concurrently. Must not throw.
  std::function<void(int64_t done, int64_t total)> progress = {};
  // Null: FileSystem::Posix(). Must outlive everything that was opened through it.
  FileSystem* file_system = nullptr;

  // Returns the file system to use. Never null.
  FileSystem& files() const { return file_system != nullptr ? *file_system : FileSystem::Posix(); }
};

}  // namespace leafstore

#endif  // LEAFSTORE_IO_IO_OPTIONS_H_
