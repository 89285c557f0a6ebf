// Builds the data of a report from its sources.
//
//   ReportData model = ReportOfModel(*source, request).value();
//   ReportData change = ReportOfChange(*before, *after, request).value();
//   ReportData run = ReportOfSteps(*newest, StepsOfDirectory("run").value().value(), request).value();
//
// Items of two files are paired by name, leaves by path. A leaf that is tied on one side only is
// reported as a leaf.
//
// Errors: those of reading (source.h), with the name of the file; a UsageError: no such item, or no
// matching leaf. Progress is shown on standard error. O(bytes) of the leaves shown.
#ifndef LEAFSTORE_TOOLS_REPORT_REPORT_BUILD_H_
#define LEAFSTORE_TOOLS_REPORT_REPORT_BUILD_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "leafstore/select/internal/glob.h"
#include "leafstore/tools/report/report_data.h"
#include "leafstore/tools/source/item_groups.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

struct ReportRequest {
  std::vector<std::string> items;            // empty: all
  std::vector<internal::GlobPattern> match;  // empty: all leaves
  GroupFilters groups;                       // empty: the saved groups
  bool verify = true;
  int threads = 0;
};

absl::StatusOr<ReportData> ReportOfModel(const Source& source, const ReportRequest& request);

absl::StatusOr<ReportData> ReportOfChange(const Source& before, const Source& after,
                                          const ReportRequest& request);

// Shows `newest`, the last of `steps`, in full. Reads steps one by one: besides the newest at most
// two are open. A step that cannot be read is listed as skipped. error: one that does not concern a
// single step (no memory, too many open files).
absl::StatusOr<ReportData> ReportOfSteps(const Source& newest,
                                         const std::vector<StepOfDirectory>& steps,
                                         const ReportRequest& request);

// Returns at most `most` (at least 2) steps, evenly spread, including the first and the last.
std::vector<StepOfDirectory> ThinSteps(const std::vector<StepOfDirectory>& steps, size_t most);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_REPORT_REPORT_BUILD_H_
