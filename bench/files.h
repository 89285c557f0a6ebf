// Temporary files of the benchmarks.
//
// A file is warm when its bytes are in the page cache, and cold after Evict. Settle waits until all
// written data is on the disk, so that no measurement pays for the previous one.
#ifndef LEAFSTORE_BENCH_FILES_H_
#define LEAFSTORE_BENCH_FILES_H_

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/store/param_store.h"

namespace leafstore::bench {

inline void Check(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "leafstore_bench: %s\n", status.ToString().c_str());
  std::abort();
}

// Returns a path in TMPDIR or /tmp, which is on the file system that is measured.
inline std::string FilePath(const std::string& name) {
  const char* directory = std::getenv("TMPDIR");
  return absl::StrCat(directory != nullptr ? directory : "/tmp", "/leafstore-bench-", getpid(), "-",
                      name);
}

inline void Settle() { sync(); }

// A file that the destructor removes.
class File {
 public:
  explicit File(const std::string& name) : path_(FilePath(name)) {}
  // Creates a checkpoint of one item, "params".
  File(const std::string& name, const TreeDef& def, const ParamStore& store) : File(name) {
    Check(SaveCheckpoint(path_, {{"params", def, store}}, {.io = {.durable = false}}));
    Settle();
  }
  ~File() { Remove(); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  const std::string& path() const { return path_; }
  void Remove() const {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  // Removes the pages of the file from the page cache. They must be on the disk and must not be
  // mapped.
  void Evict() const {
    const int fd = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) std::abort();
    if (fdatasync(fd) != 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0) std::abort();
    close(fd);
  }

 private:
  std::string path_;
};

}  // namespace leafstore::bench

#endif  // LEAFSTORE_BENCH_FILES_H_
