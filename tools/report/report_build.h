// Makes the data of a report out of what it is of.
//
//   ReportData model = ReportOfModel(*source, request).value();
//   ReportData change = ReportOfChange(*before, *after, request).value();
//   ReportData run = ReportOfSteps(*newest, StepsOfDirectory("run").value().value(), request).value();
//
// Leaves of two files meet by path, items by name. A leaf that is tied on one side and a leaf of
// its own on the other is a leaf.
//
// Errors: of reading (source.h), with the name of the file that they are of; a UsageError: no such
// item, or no leaf that is asked for. Progress is shown on standard error. Complexity: O(bytes) of
// all that is looked at.
#ifndef LEAFSTORE_TOOLS_REPORT_REPORT_BUILD_H_
#define LEAFSTORE_TOOLS_REPORT_REPORT_BUILD_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "leafstore/select/glob.h"
#include "leafstore/tools/report/report_data.h"
#include "leafstore/tools/source/item_groups.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

struct ReportRequest {
  std::vector<std::string> items;  // empty: all
  std::vector<GlobPattern> match;  // empty: all leaves
  GroupFilters groups;             // empty: those that were saved
  bool verify = true;
  int threads = 0;
};

absl::StatusOr<ReportData> ReportOfModel(const Source& source, const ReportRequest& request);

absl::StatusOr<ReportData> ReportOfChange(const Source& before, const Source& after,
                                          const ReportRequest& request);

// `newest` is what is shown in full, and the last of `steps`. They are read one after another, and
// besides the newest no more than two are open at a time. A step that cannot be read is left out,
// and said to be; error: what is not of one step (no memory, too many open files).
absl::StatusOr<ReportData> ReportOfSteps(const Source& newest,
                                         const std::vector<StepOfDirectory>& steps,
                                         const ReportRequest& request);

// At most `most` (2 at least) of the steps, evenly spread; the first and the last among them.
std::vector<StepOfDirectory> ThinSteps(const std::vector<StepOfDirectory>& steps, size_t most);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_REPORT_REPORT_BUILD_H_
