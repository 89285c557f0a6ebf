#include "leafstore/store/internal/fit_reporter.h"

#include "absl/strings/str_cat.h"

namespace leafstore::internal {
namespace {

// Returns "..." and the last keys. A Layout without a TreeDef bounds the total length of its paths.
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

std::string PathTexts::Of(const Layout& layout, Slot slot) {
  std::string text = total_ < MaxTotalText(0) ? layout.PathText(slot) : LastKeys(layout, slot);
  total_ += text.size();
  return text;
}

void FitReporter::AddMissing(const Layout& layout, Slot slot) {
  report_.missing.push_back(missing_texts_.Of(layout, slot));
}

void FitReporter::AddUnexpected(const Layout& layout, Slot slot) {
  report_.unexpected.push_back(unexpected_texts_.Of(layout, slot));
}

void FitReporter::AddDuplicate(const Layout& layout, Slot slot) {
  report_.duplicate.push_back({conflict_texts_.Of(layout, slot), "", ""});
}

void FitReporter::AddUnexpected(const LayoutPart& from, const Alignment& alignment) {
  for (const uint32_t place : alignment.Unexpected()) {
    AddUnexpected(from.layout, from.slots.SlotAt(place));
  }
}

void FitReporter::AddAmbiguous(const LayoutPart& from, const LayoutPart& to,
                               const Alignment& alignment) {
  for (const Alignment::Ambiguity& at : alignment.ambiguous()) {
    report_.ambiguous.push_back(
        {ConflictText(from, at.from), ConflictText(to, at.first), ConflictText(to, at.second)});
  }
}

void FitReporter::AddCollisions(const LayoutPart& from, const LayoutPart& to,
                                const Alignment& alignment) {
  for (const Alignment::Collision& at : alignment.Collisions()) {
    report_.duplicate.push_back(
        {ConflictText(to, at.to), ConflictText(from, at.first), ConflictText(from, at.second)});
  }
}

void FitReporter::AddMismatch(const Layout& layout, Slot slot, const LeafSpec& expected,
                              const LeafSpec& found) {
  const bool same_dtype =
      expected.is_tensor() && found.is_tensor() && expected.dtype() == found.dtype();
  (same_dtype ? report_.shape_mismatch : report_.dtype_mismatch)
      .push_back({mismatch_texts_.Of(layout, slot), expected.ToString(), found.ToString()});
}

bool FitReporter::CheckLeaf(const Layout& layout, Slot slot, const LeafSpec& expected,
                            const Leaf* found) {
  if (found != nullptr) return CheckSpec(layout, slot, expected, found->spec());
  AddMissing(layout, slot);
  return false;
}

void FitReporter::AddMismatch(const Layout& layout, Slot slot, std::string expected,
                              std::string found) {
  report_.dtype_mismatch.push_back(
      {mismatch_texts_.Of(layout, slot), std::move(expected), std::move(found)});
}

std::string FitReporter::ConflictText(const LayoutPart& part, uint32_t place) {
  return conflict_texts_.Of(part.layout, part.slots.SlotAt(place));
}

}  // namespace leafstore::internal
