// FitReport: all that keeps leaves from fitting where they are expected, as data and in one message.
//
//   FitReport report = CheckMerge(params.layout(), {&biases, &rest});
//   report.missing;           // {".head.weight"}
//   report.ToString();        // missing (1):
//                             //   '.head.weight'; did you mean .head.wieght?
//                             // unexpected (1):
//                             //   '.head.wieght'
//
// Merge, Update, Definition, LoadInto, Pack and the state of optimizers report in these words.
//
// Paths are canonical unless the function that makes a report says otherwise, and in the order of
// what is expected; a field names each path once. Where those of a field have over 64 MiB of text (a
// very deep tree), the rest are cut in the middle.
#ifndef LEAFSTORE_STORE_FIT_REPORT_H_
#define LEAFSTORE_STORE_FIT_REPORT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace leafstore {

// A leaf of another kind, dtype or shape than expected.
struct SpecMismatch {
  std::string path;
  std::string expected;  // "f32[2, 3]"
  std::string found;
};

// A path and the two others that it is in conflict with; these are empty where they are the same.
struct PathConflict {
  std::string path;
  std::string first;
  std::string second;
};

struct FitReport {
  std::vector<std::string> missing;
  std::vector<std::string> unexpected;
  // Leaves that two others want to be.
  std::vector<PathConflict> duplicate;
  // Leaves that could be either of two, by dotted form.
  std::vector<PathConflict> ambiguous;
  std::vector<SpecMismatch> dtype_mismatch;  // also a static leaf for a tensor, or of another kind
  std::vector<SpecMismatch> shape_mismatch;

  bool ok() const {
    return missing.empty() && unexpected.empty() && duplicate.empty() && ambiguous.empty() &&
           dtype_mismatch.empty() && shape_mismatch.empty();
  }
  // Returns all of it, a line each, up to 1 MiB a field. The first ten missing paths have
  // suggestions among the unexpected ones, and the first ten unexpected ones among `candidates`.
  std::string ToString(absl::Span<const std::string> candidates = {}) const;
  // Returns OK, or InvalidArgument with ToString() behind `what`.
  absl::Status ToStatus(absl::string_view what,
                        absl::Span<const std::string> candidates = {}) const;
};

}  // namespace leafstore

#endif  // LEAFSTORE_STORE_FIT_REPORT_H_
