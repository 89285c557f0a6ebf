// IoOptions: how files are read and written. The options of every format embed it as `io`.
//
//   SaveCheckpoint("model.leaf", items, {.io = {.durable = false}});
//   CheckpointReader::Open("model.leaf", {.io = {.mode = ReadMode::kRead, .threads = 2}});
//
// A save ignores what concerns reading, and a load what concerns saving.
#ifndef LEAFSTORE_IO_IO_OPTIONS_H_
#define LEAFSTORE_IO_IO_OPTIONS_H_

#include <cstdint>
#include <functional>

#include "leafstore/io/file_system.h"

namespace leafstore {

enum class ReadMode : uint8_t {
  // Tensors are views of the mapped file.
  kMap,
  // Tensors own their bytes, which plain reads bring in. For network file systems, and for files
  // that others write to.
  kRead,
};

struct IoOptions {
  // Saving: syncs the file and its directory, so that a file reported as written survives a loss of
  // power. Its bytes go past the page cache where the file system can do that, at the speed of the
  // disk. Otherwise the file survives the end of the process only, and its bytes stay in the cache.
  bool durable = true;
  // Reading, in formats that can be mapped.
  ReadMode mode = ReadMode::kMap;
  // Reading: the most threads that read, check and decompress; 0: one for each processor, up to
  // eight.
  int threads = 0;
  // Receives how many bytes of how many are done, after every few MiB and at the end, while a file
  // is saved or verified. Calls may come from any thread, but from one at a time. Must not throw.
  std::function<void(int64_t done, int64_t total)> progress = {};
  // Null: FileSystem::Posix(). Must outlive everything that was opened through it.
  FileSystem* file_system = nullptr;

  // Returns the file system to use. Never null.
  FileSystem& files() const { return file_system != nullptr ? *file_system : FileSystem::Posix(); }
};

}  // namespace leafstore

#endif  // LEAFSTORE_IO_IO_OPTIONS_H_
