// Output: the standard output of the program, with colours and errors. Progress: the progress of
// long work, on standard error.
//
//   Output out(stdout, ColorMode::kAuto);
//   out.Write(out.Styled(Style::kBold, "layers"), "\n");
//   return out.Finish();             // was all of it written?
//
//   Progress progress("reading", total_bytes);
//   for (...) progress.Advance(bytes);     // "reading 45%, 1.2 GiB of 2.7 GiB"
//
// kAuto uses colours only on a terminal, and not where NO_COLOR is set (see no-color.org) or TERM
// is "dumb". Errors are kept until Finish; after one, nothing more is written, and ok() is false,
// so that long work can end. A closed pipe is an error without a message.
//
// Threads: one at a time.
#ifndef LEAFSTORE_TOOLS_PRESENT_OUTPUT_H_
#define LEAFSTORE_TOOLS_PRESENT_OUTPUT_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace leafstore::tools {

enum class ColorMode : uint8_t { kAuto, kAlways, kNever };

// The form of the output: text, or JSON for programs.
struct OutputForm {
  bool json = false;
  ColorMode color = ColorMode::kAuto;
};

// The values are those of the escape codes of terminals.
enum class Style : uint8_t {
  kPlain = 0,
  kBold = 1,
  kDim = 2,
  kRed = 31,
  kGreen = 32,
  kYellow = 33,
  kBlue = 34,
  kMagenta = 35,
  kCyan = 36
};

class Output {
 public:
  Output(std::FILE* file, ColorMode color);

  // Returns the count of columns of the terminal; 0 without one.
  size_t width() const { return width_; }
  void Write(absl::string_view text);
  // Writes the parts one after another, as by StrCat.
  template <typename First, typename Second, typename... Rest>
  void Write(const First& first, const Second& second, const Rest&... rest) {
    Write(absl::string_view(absl::StrCat(first, second, rest...)));
  }
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

// Writes a text to standard output. error: as Output::Finish.
absl::Status Print(absl::string_view text);

// Shows the progress if standard error is a terminal. The destructor removes the line.
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

#endif  // LEAFSTORE_TOOLS_PRESENT_OUTPUT_H_
