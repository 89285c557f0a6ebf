// Progress: shows the progress of long work on standard error, if that is a terminal.
//
//   Progress progress("reading", total_bytes);
//   for (...) progress.Advance(bytes);     // "reading 45%, 1.2 GiB of 2.7 GiB"
//
// The destructor removes the line. Threads: one at a time.
#ifndef LEAFSTORE_TOOLS_PRESENT_PROGRESS_H_
#define LEAFSTORE_TOOLS_PRESENT_PROGRESS_H_

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace leafstore::tools {

class Progress {
 public:
  Progress(absl::string_view what, int64_t total_bytes);
  ~Progress() { Clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Advance(int64_t bytes) { Set(done_ + bytes, total_); }
  // Sets both values, for work whose total is not known in advance.
  void Set(int64_t done, int64_t total);
  // Removes the line, so that other text can be printed to the same terminal.
  void Clear();

 private:
  using Clock = std::chrono::steady_clock;

  std::string what_;
  int64_t total_;
  int64_t done_ = 0;
  bool terminal_;
  bool shown_ = false;
  Clock::time_point next_;
};

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_PRESENT_PROGRESS_H_
