// PathTexts: the texts of many paths, for a list in a report. For the library alone.
//
//   PathTexts texts;
//   for (Slot slot : missing) report.missing.push_back(texts.Of(layout, slot));
//
// Canonical, until there is more than anybody will read: a tree of few strings can have paths of
// gigabytes.
#ifndef LEAFSTORE_STORE_INTERNAL_PATH_TEXTS_H_
#define LEAFSTORE_STORE_INTERNAL_PATH_TEXTS_H_

#include <cstddef>
#include <string>

#include "leafstore/store/layout.h"
#include "leafstore/store/slot_set.h"

namespace leafstore::internal {

class PathTexts {
 public:
  // Text beyond which only ends are given.
  static constexpr size_t kMaxTotal = size_t{1} << 26;

  std::string Of(const Layout& layout, Slot slot);

 private:
  size_t total_ = 0;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_STORE_INTERNAL_PATH_TEXTS_H_
