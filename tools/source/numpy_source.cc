#include <utility>
#include <vector>

#include "leafstore/core/status_macros.h"
#include "leafstore/interop/numpy/npy.h"
#include "leafstore/interop/numpy/npz.h"
#include "leafstore/io/file_system.h"
#include "leafstore/tools/source/formats.h"

namespace leafstore::tools {
namespace {

// An item whose leaves are loaded when the file is opened.
class StoreItem : public SourceItem {
 public:
  explicit StoreItem(ParamStore store)
      : SourceItem(std::string(kOnlyItem), store.layout(), store.slots()),
        store_(std::move(store)) {}

  EntryInfo entry(uint32_t place) const override;
  absl::StatusOr<ParamStore> Load(absl::Span<const uint32_t> places) const override {
    return store_.Select(slots_.AtPlaces(places));
  }
  absl::StatusOr<Grouping> CompileGrouping(std::vector<NamedFilter> filters) const override {
    return Grouping::Compile(store_, std::move(filters), {.allow_empty = true});
  }

 private:
  ParamStore store_;
};

EntryInfo StoreItem::entry(uint32_t place) const {
  const Leaf& leaf = store_.leaf(place);
  EntryInfo info{leaf.spec()};
  if (leaf.is_value()) {
    info.value = &leaf.value();
  } else {
    info.stored_size = info.spec.byte_size();
  }
  return info;
}

absl::StatusOr<std::unique_ptr<Source>> SourceOf(SourceFormat format, const std::string& file,
                                                 ParamStore store) {
  LEAFSTORE_ASSIGN_OR_RETURN(const auto opened, FileSystem::Posix().Open(file));
  auto source = std::make_unique<Source>();
  source->format = format;
  source->file = file;
  source->file_size = opened->size();
  source->description = format == SourceFormat::kNpz ? "NumPy archive" : "NumPy array";
  source->items.push_back(std::make_unique<StoreItem>(std::move(store)));
  source->verify = [] { return absl::OkStatus(); };  // loading has read and checked everything
  return source;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Source>> OpenNpz(const std::string& file,
                                                const SourceOptions& options) {
  NumpyOptions read;
  read.names = options.names;
  LEAFSTORE_ASSIGN_OR_RETURN(ParamStore store, LoadNpz(file, read));
  return SourceOf(SourceFormat::kNpz, file, std::move(store));
}

absl::StatusOr<std::unique_ptr<Source>> OpenNpy(const std::string& file) {
  LEAFSTORE_ASSIGN_OR_RETURN(Tensor tensor, LoadNpy(file));
  std::vector<std::pair<Path, Leaf>> entries;
  entries.emplace_back(Path(), std::move(tensor));
  LEAFSTORE_ASSIGN_OR_RETURN(ParamStore store, ParamStore::FromEntries(std::move(entries)));
  return SourceOf(SourceFormat::kNpy, file, std::move(store));
}

}  // namespace leafstore::tools
