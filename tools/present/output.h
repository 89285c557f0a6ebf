// Output: the standard output of the program, with colours and errors.
//
//   Output out(stdout, ColorMode::kAuto);
//   out.Write(out.Styled(Style::kBold, "layers"));
//   return out.Finish();             // was all of it written?
//
// kAuto uses colours only on a terminal, and not where NO_COLOR is set (see no-color.org) or TERM
// is "dumb". Only a terminal has a width(), so that the content of a file does not depend on a
// window.
//
// Errors are kept until Finish; after one, nothing more is written, and ok() is false, so that long
// work can end. A closed pipe (EPIPE, where SIGPIPE is ignored) is an error without a message.
//
// Threads: one at a time.
#ifndef LEAFSTORE_TOOLS_PRESENT_OUTPUT_H_
#define LEAFSTORE_TOOLS_PRESENT_OUTPUT_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace leafstore::tools {

enum class ColorMode : uint8_t { kAuto, kAlways, kNever };

// The form of the output: text, or JSON for programs.
struct OutputForm {
  bool json = false;
  ColorMode color = ColorMode::kAuto;
};

enum class Style : uint8_t { kPlain, kBold, kDim, kRed, kGreen, kYellow, kBlue, kMagenta, kCyan };

class Output {
 public:
  Output(std::FILE* file, ColorMode color);

  bool color() const { return color_; }
  // Returns the count of columns of the terminal; 0 without one.
  size_t width() const { return width_; }

  void Write(absl::string_view text);
  // Returns `text` between the escape codes of the style; unchanged without colours.
  std::string Styled(Style style, absl::string_view text) const;

  bool ok() const { return error_ == 0; }
  // Flushes. Must be called once, at the end. error: that of the first failed write; Cancelled for
  // a closed pipe.
  absl::Status Finish();

 private:
  std::FILE* file_;
  bool color_;
  size_t width_ = 0;
  int error_ = 0;
};

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_PRESENT_OUTPUT_H_
