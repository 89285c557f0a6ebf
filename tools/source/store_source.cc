#include "leafstore/tools/source/store_source.h"

#include <utility>

#include "leafstore/core/status_macros.h"

namespace leafstore::tools {

StoreItem::StoreItem(std::string name, ParamStore store, std::vector<int64_t> offsets,
                     Metadata metadata)
    : SourceItem(std::move(name), store.layout(), store.slots()),
      store_(std::move(store)),
      offsets_(std::move(offsets)) {
  metadata_ = std::move(metadata);
}

EntryInfo StoreItem::entry(uint32_t place) const {
  const Leaf& leaf = store_.leaf(place);
  EntryInfo info{slots_.SlotAt(place), leaf.spec()};
  if (leaf.is_value()) {
    info.value = &leaf.value();
    return info;
  }
  info.stored_size = info.spec.byte_size();
  if (!offsets_.empty()) info.offset = offsets_[place];
  return info;
}

absl::StatusOr<ParamStore> StoreItem::Load(absl::Span<const uint32_t> places) const {
  return store_.Select(slots_.AtPlaces(places));
}

absl::StatusOr<PartitionPlan> StoreItem::CompilePlan(std::vector<Filter> filters) const {
  return PartitionPlan::Compile(store_, std::move(filters));
}

}  // namespace leafstore::tools
