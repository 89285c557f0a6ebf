// The page of a report: one HTML file that loads nothing from a network.
//
//   std::string page = ReportPage(data.title, ReportJson(data));
//
// The build embeds its markup, style and scripts into the program (cmake/LeafstoreEmbed.cmake).
// Text from a checkpoint is in the page only as the title, escaped as HTML, and in the data, a
// block of JSON without characters of markup. The scripts of the page insert it as text nodes.
//
// The content security policy of the page runs only its own script and style, which a checksum over
// title and data identifies: text from a file cannot contain it. Equal data produce equal pages.
#ifndef LEAFSTORE_TOOLS_REPORT_REPORT_PAGE_H_
#define LEAFSTORE_TOOLS_REPORT_REPORT_PAGE_H_

#include <string>

#include "absl/strings/string_view.h"

namespace leafstore::tools {

// The embedded files, in static storage.
extern const absl::string_view kPageHtml;
extern const absl::string_view kPageStyle;
extern const absl::string_view kPageScript;

// Returns the complete page. O(length).
std::string ReportPage(absl::string_view title, absl::string_view json);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_REPORT_REPORT_PAGE_H_
