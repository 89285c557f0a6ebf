// Progress: how far long work is, on standard error, if that is a terminal and it takes a while.
//
//   Progress progress("reading", total_bytes);
//   for (...) progress.Advance(bytes);     // "reading 45%, 1.2 GiB of 2.7 GiB"
//
// The line is taken away again when this is destroyed. Threads: one at a time.
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
  // So many of so many, where it is not known before.
  void Set(int64_t done, int64_t total);
  // Takes the line away now: what is printed next may go to the same terminal.
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
