#include "leafstore/tools/present/progress.h"

#include <unistd.h>

#include <cstdio>

#include "absl/strings/str_format.h"

#include "leafstore/tools/present/text.h"

namespace leafstore::tools {
namespace {

constexpr auto kFirst = std::chrono::milliseconds(400);
constexpr auto kBetween = std::chrono::milliseconds(100);

}  // namespace

Progress::Progress(absl::string_view what, int64_t total_bytes)
    : what_(what),
      total_(total_bytes),
      terminal_(isatty(STDERR_FILENO) != 0),
      next_(Clock::now() + kFirst) {}

void Progress::Clear() {
  if (shown_) std::fputs("\r\x1b[K", stderr);
  shown_ = false;
}

void Progress::Set(int64_t done, int64_t total) {
  done_ = done;
  total_ = total;
  if (!terminal_ || total_ <= 0) return;
  const Clock::time_point now = Clock::now();
  if (now < next_) return;
  next_ = now + kBetween;
  shown_ = true;
  const double part = static_cast<double>(done_) / static_cast<double>(total_);
  absl::FPrintF(stderr, "\r\x1b[K%s %.0f%%, %s of %s", what_, 100 * part, HumanBytes(done_),
                HumanBytes(total_));
  std::fflush(stderr);
}

}  // namespace leafstore::tools
