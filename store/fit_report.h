// FitReport: all mismatches between given and expected leaves, as data and in one message.
//
//   FitReport report = CheckMerge(params.layout(), {&biases, &rest});
//   report.missing;           // {".head.weight"}
//   report.ToString();        // missing (1):
//                             //   '.head.weight'; did you mean .head.wieght?
//                             // unexpected (1):
//                             //   '.head.wieght'
//
// Merge, Update, Definition, LoadInto, Pack and optimizer state report errors in this form.
//
// Paths are canonical, unless the function that returns the report documents otherwise, and in the
// order of the expected leaves. A field names each path once. After 64 MiB of text (a very deep
// tree), further paths are shortened to their last keys.
#ifndef LEAFSTORE_STORE_FIT_REPORT_H_
#define LEAFSTORE_STORE_FIT_REPORT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace leafstore {

struct FitReport {
  // Two paths that conflict at `path`; both empty if they are `path` itself.
  struct Conflict {
    std::string path;
    std::string first;
    std::string second;
  };
  // Two specs, such as "f32[2, 3]".
  struct Mismatch {
    std::string path;
    std::string expected;
    std::string found;
  };

  std::vector<std::string> missing;
  std::vector<std::string> unexpected;
  std::vector<Conflict> duplicate;       // expected leaves that two given leaves match
  std::vector<Conflict> ambiguous;       // given leaves that match two expected by dotted form
  std::vector<Mismatch> dtype_mismatch;  // including mismatches of kind (tensor, int, ...)
  std::vector<Mismatch> shape_mismatch;

  bool ok() const;
  // Returns the report with one line per mismatch, up to 1 MiB per field. The first ten missing
  // paths get suggestions from the unexpected ones, and the first ten unexpected ones from
  // `candidates`.
  std::string ToString(absl::Span<const std::string> candidates = {}) const;
  // Returns OK, or InvalidArgument with `what` followed by ToString().
  absl::Status ToStatus(absl::string_view what,
                        absl::Span<const std::string> candidates = {}) const;
};

}  // namespace leafstore

#endif  // LEAFSTORE_STORE_FIT_REPORT_H_
