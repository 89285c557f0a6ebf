// FitReporter: builds a FitReport, leaf by leaf.
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

// Prints many paths: in full until their total length exceeds a limit, then only their last keys.
// (A tree with few strings can have gigabytes of paths.)
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
  // Adds a path that is not in a Layout, such as a renamed one.
  void AddUnexpected(std::string path) { report_.unexpected.push_back(std::move(path)); }
  void AddDuplicate(const Layout& layout, Slot slot);

  // Adds the leaves of `from` that matched nothing.
  void AddUnexpected(const LayoutPart& from, const Alignment& alignment);
  // Add the leaves of `from` whose dotted form two of `to` have, and those of `to` that two of
  // `from` match.
  void AddAmbiguous(const LayoutPart& from, const LayoutPart& to, const Alignment& alignment);
  void AddCollisions(const LayoutPart& from, const LayoutPart& to, const Alignment& alignment);

  // Returns whether the leaf `found` for this slot is as expected; adds a mismatch if not.
  bool CheckSpec(const Layout& layout, Slot slot, const LeafSpec& expected, const LeafSpec& found) {
    if (expected == found) return true;
    AddMismatch(layout, slot, expected, found);
    return false;
  }
  // Like CheckSpec, but for a leaf that is null if missing.
  bool CheckLeaf(const Layout& layout, Slot slot, const LeafSpec& expected, const Leaf* found);
  // Adds a mismatch with these texts.
  void AddMismatch(const Layout& layout, Slot slot, std::string expected, std::string found);

  // Returns the report so far.
  FitReport& report() { return report_; }

 private:
  void AddMismatch(const Layout& layout, Slot slot, const LeafSpec& expected,
                   const LeafSpec& found);
  std::string ConflictText(const LayoutPart& part, uint32_t place);

  FitReport report_;
  PathTexts missing_texts_;
  PathTexts unexpected_texts_;
  PathTexts conflict_texts_;
  PathTexts mismatch_texts_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_STORE_INTERNAL_FIT_REPORTER_H_
