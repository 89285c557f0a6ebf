// PathTexts: the texts of many paths, for a list in a report. For the library alone.
//
//   PathTexts texts;
//   for (Slot slot : missing) report.missing.push_back(texts.Of(layout, slot));
//
// Texts are canonical and full, until together they exceed what a reader could use; from there on
// they are cut as in messages. (A tree with few strings can have gigabytes of paths.)
#ifndef LEAFSTORE_STORE_INTERNAL_PATH_TEXTS_H_
#define LEAFSTORE_STORE_INTERNAL_PATH_TEXTS_H_

#include <cstdint>
#include <string>

#include "leafstore/store/layout.h"
#include "leafstore/treedef/internal/path_cursor.h"

namespace leafstore::internal {

class PathTexts {
 public:
  std::string Of(const Layout& layout, Slot slot) {
    std::string text =
        total_ < MaxTotalText(0) ? layout.PathText(slot) : layout.PathForMessage(slot);
    total_ += text.size();
    return text;
  }

 private:
  uint64_t total_ = 0;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_STORE_INTERNAL_PATH_TEXTS_H_
