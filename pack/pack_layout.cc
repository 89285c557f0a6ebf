#include "leafstore/pack/pack_layout.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/fatal.h"
#include "leafstore/store/param_store.h"

namespace leafstore {

absl::StatusOr<PackLayout> PackLayout::Create(const ParamStore& store, DType dtype) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  auto rep = std::make_shared<Rep>();
  rep->dtype = dtype;
  rep->layout = store.layout();
  std::vector<Slot> slots;
  int64_t end = 0;
  for (uint32_t place = 0; place < store.size(); ++place) {
    const Leaf& leaf = store.leaf(place);
    if (!leaf.is_tensor() || leaf.tensor().dtype() != dtype) continue;
    const int64_t bytes = leaf.tensor().byte_size();
    const int64_t gap = (kPackAlignment - bytes % kPackAlignment) % kPackAlignment;
    if (bytes > kMax - end || gap > kMax - end - bytes) {
      return absl::ResourceExhaustedError(absl::StrCat("at ", store.PathText(place),
                                                       ": expected a pack of at most ", kMax,
                                                       " bytes, found more"));
    }
    const ShapeRef shape = leaf.tensor().shape();
    slots.push_back(store.slot(place));
    rep->offsets.push_back(end);
    rep->bytes.push_back(bytes);
    rep->shapes.emplace_back(shape.begin(), shape.end());
    if (gap != 0) rep->gaps.push_back({end + bytes, gap});
    end += bytes + gap;
  }
  rep->byte_size = end;
  // Shares the store's SlotSet if all its leaves are packed, so that comparing them stays O(1).
  rep->slots = slots.size() == store.size()
                   ? store.slots()
                   : SlotSet::FromSorted(store.layout().size(), std::move(slots));
  return PackLayout(std::move(rep));
}

size_t PackLayout::CheckedOffset(uint32_t place) const {
  if (place < size()) return static_cast<size_t>(offset(place));
  internal::Fatal(absl::StrCat("place in a pack: expected one below ", size(), ", found ", place));
}

bool PackLayout::Equals(const PackLayout& other) const {
  if (rep_ == other.rep_) return true;
  return dtype() == other.dtype() && layout() == other.layout() && slots() == other.slots() &&
         rep_->shapes == other.rep_->shapes;
}

}  // namespace leafstore
