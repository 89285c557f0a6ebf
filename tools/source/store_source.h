// StoreItem: the item of a source whose leaves are there as a ParamStore as soon as it is open,
// such as a mapped file's without a manifest of its own.
#ifndef LEAFSTORE_TOOLS_SOURCE_STORE_SOURCE_H_
#define LEAFSTORE_TOOLS_SOURCE_STORE_SOURCE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

class StoreItem : public SourceItem {
 public:
  // `offsets`: where each leaf's bytes begin in the file, by place; empty where that is not known.
  StoreItem(std::string name, ParamStore store, std::vector<int64_t> offsets, Metadata metadata);

  EntryInfo entry(uint32_t place) const override;
  absl::StatusOr<ParamStore> Load(absl::Span<const uint32_t> places) const override;
  absl::StatusOr<Grouping> CompileGrouping(std::vector<NamedFilter> filters) const override;

  const ParamStore& store() const { return store_; }

 private:
  ParamStore store_;
  std::vector<int64_t> offsets_;
};

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_SOURCE_STORE_SOURCE_H_
