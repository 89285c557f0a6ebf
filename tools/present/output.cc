#include "leafstore/tools/present/output.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "absl/strings/str_format.h"

#include "leafstore/tools/present/text.h"

namespace leafstore::tools {
namespace {

// When progress is shown first, and how often.
constexpr auto kFirst = std::chrono::milliseconds(400);
constexpr auto kBetween = std::chrono::milliseconds(100);

bool WantsColor(ColorMode mode, bool terminal) {
  if (mode != ColorMode::kAuto) return mode == ColorMode::kAlways;
  const char* no_color = std::getenv("NO_COLOR");
  if (no_color != nullptr && *no_color != '\0') return false;
  const char* term = std::getenv("TERM");
  return terminal && (term == nullptr || absl::string_view(term) != "dumb");
}

}  // namespace

Output::Output(std::FILE* file, ColorMode color) : file_(file) {
  const bool terminal = isatty(fileno(file)) != 0;
  color_ = WantsColor(color, terminal);
  winsize size = {};
  if (terminal && ioctl(fileno(file), TIOCGWINSZ, &size) == 0) width_ = size.ws_col;
}

void Output::Write(absl::string_view text) {
  if (error_ != 0 || text.empty()) return;
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), file_) != text.size()) {
    error_ = errno != 0 ? errno : EIO;
  }
}

std::string Output::Styled(Style style, absl::string_view text) const {
  if (!color_ || style == Style::kPlain || text.empty()) return std::string(text);
  return absl::StrCat("\x1b[", static_cast<int>(style), "m", text, "\x1b[0m");
}

absl::Status Output::Finish() {
  errno = 0;
  if (error_ == 0 && std::fflush(file_) != 0) error_ = errno != 0 ? errno : EIO;
  if (error_ == 0) return absl::OkStatus();
  if (error_ == EPIPE) return absl::CancelledError("standard output was closed");
  return absl::ErrnoToStatus(error_, "cannot write to standard output");
}

absl::Status Print(absl::string_view text) {
  Output out(stdout, ColorMode::kNever);
  out.Write(text);
  return out.Finish();
}

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
