// `leafstore report`: a page for the browser, in one file (docs/report.md).
#ifndef LEAFSTORE_TOOLS_REPORT_REPORT_H_
#define LEAFSTORE_TOOLS_REPORT_REPORT_H_

#include <CLI/CLI.hpp>

#include "leafstore/tools/commands/command.h"

namespace leafstore::tools {

void AddReportCommand(CLI::App* program, CommandRun* run);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_REPORT_REPORT_H_
