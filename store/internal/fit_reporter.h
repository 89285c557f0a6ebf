// FitReporter: makes a FitReport, leaf by leaf. For the library alone.
#ifndef LEAFSTORE_STORE_INTERNAL_FIT_REPORTER_H_
#define LEAFSTORE_STORE_INTERNAL_FIT_REPORTER_H_

#include <cstdint>
#include <string>
#include <utility>

#include "leafstore/core/leaf.h"
#include "leafstore/core/leaf_spec.h"
#include "leafstore/store/align.h"
#include "leafstore/store/fit_report.h"
#include "leafstore/store/layout.h"
#include "leafstore/treedef/internal/path_cursor.h"

namespace leafstore::internal {

// Makes the texts of many paths: in full, until together they exceed what a reader could use, and
// only the last keys from there on. (A tree with few strings can have gigabytes of paths.)
class PathTexts {
 public:
  std::string Of(const Layout& layout, Slot slot);

 private:
  uint64_t total_ = 0;
};

class FitReporter {
 public:
  bool ok() const { return report_.ok(); }

  void AddMissing(const Layout& layout, Slot slot);
  void AddUnexpected(const Layout& layout, Slot slot);
  // Adds a path that is made by hand, such as a renamed one.
  void AddUnexpected(std::string path) { report_.unexpected.push_back(std::move(path)); }
  void AddDuplicate(const Layout& layout, Slot slot);

  // Adds the leaves of `from` that are nowhere in what they were aligned with.
  void AddUnexpected(const LayoutPart& from, const Alignment& alignment);
  // Adds the leaves of `from` whose dotted form two of `to` have, and those of `to` where two of
  // `from` are.
  void AddAmbiguous(const LayoutPart& from, const LayoutPart& to, const Alignment& alignment);
  void AddCollisions(const LayoutPart& from, const LayoutPart& to, const Alignment& alignment);

  // Returns whether the leaf `found` for this slot is as expected; adds a mismatch if not.
  bool CheckSpec(const Layout& layout, Slot slot, const LeafSpec& expected, const LeafSpec& found);
  // The same for a leaf that may be missing, which is null.
  bool CheckLeaf(const Layout& layout, Slot slot, const LeafSpec& expected, const Leaf* found);
  // Adds a mismatch in these words.
  void AddMismatch(const Layout& layout, Slot slot, std::string expected, std::string found);

  // What has been added so far.
  FitReport& report() { return report_; }

 private:
  std::string ConflictText(const LayoutPart& part, uint32_t place);

  FitReport report_;
  PathTexts missing_texts_;
  PathTexts unexpected_texts_;
  PathTexts conflict_texts_;
  PathTexts mismatch_texts_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_STORE_INTERNAL_FIT_REPORTER_H_
