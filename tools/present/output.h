// Output: a program's standard output, with what it needs to know of it.
//
//   Output out(stdout, ColorMode::kAuto);
//   out.Write(out.Styled(Style::kBold, "layers"));
//   return out.Finish();             // did all of it arrive?
//
// Colour is for terminals: kAuto gives none to a pipe or a file, none where NO_COLOR is set (see
// no-color.org) or TERM is "dumb". width() is that of the terminal; elsewhere there is none, so
// that nothing in a file depends on the window it was made in.
//
// Errors are kept until Finish; after one, nothing more is written (ok() tells, so that long work
// can end). A reader that went away (EPIPE, where SIGPIPE is ignored) is one without a message.
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

// How a subcommand prints its answer: as text, or as JSON for programs.
struct OutputForm {
  bool json = false;
  ColorMode color = ColorMode::kAuto;
};

enum class Style : uint8_t { kPlain, kBold, kDim, kRed, kGreen, kYellow, kBlue, kMagenta, kCyan };

class Output {
 public:
  Output(std::FILE* file, ColorMode color);

  bool color() const { return color_; }
  // Columns; 0 for any number.
  size_t width() const { return width_; }

  void Write(absl::string_view text);
  // `text` with the style's escape codes around it; as it is where there is no colour.
  std::string Styled(Style style, absl::string_view text) const;

  bool ok() const { return error_ == 0; }
  // Writes what is left. error: what stood in the way of this or an earlier write; Cancelled where
  // the reader went away. To be called once, at the end.
  absl::Status Finish();

 private:
  std::FILE* file_;
  bool color_;
  size_t width_ = 0;
  int error_ = 0;
};

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_PRESENT_OUTPUT_H_
