#include "leafstore/tools/present/output.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "absl/strings/str_cat.h"

namespace leafstore::tools {
namespace {

bool WantsColor(ColorMode mode, bool terminal) {
  if (mode != ColorMode::kAuto) return mode == ColorMode::kAlways;
  const char* no_color = std::getenv("NO_COLOR");
  if (no_color != nullptr && *no_color != '\0') return false;
  const char* term = std::getenv("TERM");
  return terminal && (term == nullptr || absl::string_view(term) != "dumb");
}

absl::string_view CodeOf(Style style) {
  switch (style) {
    case Style::kPlain:
      return "";
    case Style::kBold:
      return "1";
    case Style::kDim:
      return "2";
    case Style::kRed:
      return "31";
    case Style::kGreen:
      return "32";
    case Style::kYellow:
      return "33";
    case Style::kBlue:
      return "34";
    case Style::kMagenta:
      return "35";
    case Style::kCyan:
      return "36";
  }
  return "";
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
  return absl::StrCat("\x1b[", CodeOf(style), "m", text, "\x1b[0m");
}

absl::Status Output::Finish() {
  errno = 0;
  if (error_ == 0 && std::fflush(file_) != 0) error_ = errno != 0 ? errno : EIO;
  if (error_ == 0) return absl::OkStatus();
  if (error_ == EPIPE) return absl::CancelledError("standard output was closed");
  return absl::ErrnoToStatus(error_, "standard output: cannot write");
}

}  // namespace leafstore::tools
