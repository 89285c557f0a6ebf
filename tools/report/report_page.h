// The page of a report: one HTML file that asks no network for anything.
//
//   std::string page = ReportPage(data.title, ReportJson(data));
//
// Its markup, style and scripts are files beside this one, made part of the program when it is
// built (cmake/LeafstoreEmbed.cmake). Whatever comes out of a checkpoint is in it twice at most: as
// the title, escaped as HTML, and in the data, a block of JSON in which no character is one of
// markup (`<`, `>`, `&` are escaped). The page's own scripts make text nodes of it.
//
// Besides, the page's policy runs no script and takes no style but its own, which are named by a
// checksum over title and data: text from a file cannot know it, as it is part of what is summed. Equal
// data give equal pages.
#ifndef LEAFSTORE_TOOLS_REPORT_REPORT_PAGE_H_
#define LEAFSTORE_TOOLS_REPORT_REPORT_PAGE_H_

#include <string>

#include "absl/strings/string_view.h"

namespace leafstore::tools {

// Parts of the page, from files; static storage.
extern const absl::string_view kPageHtml;
extern const absl::string_view kPageStyle;
extern const absl::string_view kPageScript;

// O(length).
std::string ReportPage(absl::string_view title, absl::string_view json);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_REPORT_REPORT_PAGE_H_
