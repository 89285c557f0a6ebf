// FitReporter: builds a FitReport, leaf by leaf or from an Alignment.
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
#include "leafstore/store/leaf_specs.h"

namespace leafstore::internal {

class FitReporter {
 public:
  bool ok() const { return report_.ok(); }
  FitReport& report() { return report_; }

  void AddMissing(const Layout& layout, Slot slot) {
    report_.missing.push_back(Text(layout, slot));
  }
  void AddUnexpected(const Layout& layout, Slot slot) { AddUnexpected(Text(layout, slot)); }
  // Adds a path that is not in a Layout, such as a renamed one.
  void AddUnexpected(std::string path) { report_.unexpected.push_back(std::move(path)); }
  void AddDuplicate(const Layout& layout, Slot slot) {
    report_.duplicate.push_back({Text(layout, slot), "", ""});
  }
  void AddMismatch(const Layout& layout, Slot slot, std::string expected, std::string found);
  void AddMismatch(const Layout& layout, Slot slot, const LeafSpec& expected,
                   const LeafSpec& found);

  // Adds the leaves of `from` that matched nothing.
  void AddUnexpected(const LeafSpecs& from, const Alignment& alignment);
  // Adds the leaves of `from` whose dotted form two of `to` have.
  void AddAmbiguous(const LeafSpecs& from, const LeafSpecs& to, const Alignment& alignment);
  // Like AddAmbiguous, but also adds those of `to` that two of `from` match.
  void AddConflicts(const LeafSpecs& from, const LeafSpecs& to, const Alignment& alignment);

  // Returns whether the leaf `found` for this slot is as expected; adds a mismatch if not.
  bool CheckSpec(const Layout& layout, Slot slot, const LeafSpec& expected, const LeafSpec& found) {
    if (expected == found) return true;
    AddMismatch(layout, slot, expected, found);
    return false;
  }
  // Like CheckSpec, but for a leaf that is null if missing.
  bool CheckLeaf(const Layout& layout, Slot slot, const LeafSpec& expected, const Leaf* found);

 private:
  std::string Text(const Layout& layout, Slot slot);
  FitReport::Conflict NewConflict(const LeafSpecs& at, const LeafSpecs& between,
                                  const Alignment::Conflict& conflict);

  FitReport report_;
  uint64_t total_text_ = 0;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_STORE_INTERNAL_FIT_REPORTER_H_
