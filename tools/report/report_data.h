// The data of a report, as JSON, which the page reads and which `leafstore report --json` prints.
// docs/report.md describes its fields. Text is as Printable (text.h) returns it, so that it is safe
// to show.
#ifndef LEAFSTORE_TOOLS_REPORT_REPORT_DATA_H_
#define LEAFSTORE_TOOLS_REPORT_REPORT_DATA_H_

#include <vector>

#include "leafstore/tools/present/json.h"
#include "leafstore/tools/report/report_item.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

inline constexpr int kReportSchema = 2;

// Returns an entry of `files`.
Json ReportFileJson(const Source& source);
// Returns an entry of `items`; `steps` are those of its series, null without one.
Json ReportItemJson(const ReportItem& item, const Json& steps);
// Returns `metrics`: a list with an entry per step, for each name that any step has.
Json MetricsByStep(const std::vector<Metrics>& by_step);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_REPORT_REPORT_DATA_H_
