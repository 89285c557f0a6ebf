#include "leafstore/store/internal/fit_reporter.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/treedef/internal/path_cursor.h"

namespace leafstore::internal {
namespace {

// Returns "..." and the last keys, which takes less time than PathForMessage on a deep tree. A
// Layout without a TreeDef bounds the total length of its paths.
std::string LastKeys(const Layout& layout, Slot slot) {
  if (!layout.has_def()) return layout.PathText(slot);
  constexpr int kKeys = 4;
  const TreeDef def = layout.def().value();
  std::string text;
  NodeId node = def.node_of_leaf(slot);
  for (int i = 0; i < kKeys && node != kRootNode; ++i, node = def.parent(node)) {
    text.insert(0, KeyForMessage(def.key(node)));
  }
  return node == kRootNode ? text : absl::StrCat("...", text);
}

}  // namespace

// Prints paths in full until their total length exceeds a limit, as a tree with few strings can
// have gigabytes of paths.
std::string FitReporter::Text(const Layout& layout, Slot slot) {
  std::string text = total_text_ < MaxTotalText(0) ? layout.PathText(slot) : LastKeys(layout, slot);
  total_text_ += text.size();
  return text;
}

void FitReporter::AddMismatch(const Layout& layout, Slot slot, std::string expected,
                              std::string found) {
  report_.dtype_mismatch.push_back({Text(layout, slot), std::move(expected), std::move(found)});
}

void FitReporter::AddUnexpected(const LeafSpecs& from, const Alignment& alignment) {
  for (const uint32_t place : alignment.Unexpected()) {
    AddUnexpected(from.layout(), from.slot(place));
  }
}

FitReport::Conflict FitReporter::NewConflict(const LeafSpecs& at, const LeafSpecs& between,
                                             const Alignment::Conflict& conflict) {
  return {Text(at.layout(), at.slot(conflict.place)),
          Text(between.layout(), between.slot(conflict.first)),
          Text(between.layout(), between.slot(conflict.second))};
}

void FitReporter::AddAmbiguous(const LeafSpecs& from, const LeafSpecs& to,
                               const Alignment& alignment) {
  for (const Alignment::Conflict& conflict : alignment.ambiguous()) {
    report_.ambiguous.push_back(NewConflict(from, to, conflict));
  }
}

void FitReporter::AddConflicts(const LeafSpecs& from, const LeafSpecs& to,
                               const Alignment& alignment) {
  AddAmbiguous(from, to, alignment);
  for (const Alignment::Conflict& conflict : alignment.Collisions()) {
    report_.duplicate.push_back(NewConflict(to, from, conflict));
  }
}

void FitReporter::AddMismatch(const Layout& layout, Slot slot, const LeafSpec& expected,
                              const LeafSpec& found) {
  const bool same_dtype =
      expected.is_tensor() && found.is_tensor() && expected.dtype() == found.dtype();
  (same_dtype ? report_.shape_mismatch : report_.dtype_mismatch)
      .push_back({Text(layout, slot), expected.ToString(), found.ToString()});
}

bool FitReporter::CheckLeaf(const Layout& layout, Slot slot, const LeafSpec& expected,
                            const Leaf* found) {
  if (found != nullptr) return CheckSpec(layout, slot, expected, found->spec());
  AddMissing(layout, slot);
  return false;
}

}  // namespace leafstore::internal
