#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/interop/safetensors/checkpoint.h"
#include "leafstore/interop/safetensors/reader.h"
#include "leafstore/tools/present/text.h"
#include "leafstore/tools/source/formats.h"

namespace leafstore::tools {
namespace {

class SafetensorsItem : public SourceItem {
 public:
  SafetensorsItem(const SafetensorsReader& reader, const SafetensorsLeaves& leaves)
      : SourceItem(std::string(kOnlyItem), leaves.layout(), leaves.slots()),
        reader_(reader),
        leaves_(leaves) {
    grouping_ = leaves.grouping();
  }

  EntryInfo entry(uint32_t place) const override { return leaves_.entry(place); }
  absl::StatusOr<ParamStore> Load(absl::Span<const uint32_t> places) const override {
    return reader_.Load({.places = std::vector<uint32_t>(places.begin(), places.end())});
  }
  absl::StatusOr<ItemOptions> SavedWith() const override {
    return ItemOptionsFromSafetensors(reader_);
  }
  absl::StatusOr<Grouping> CompileGrouping(std::vector<NamedFilter> filters) const override {
    return reader_.CompileGrouping(std::move(filters), {.allow_empty = true});
  }

 private:
  SafetensorsReader reader_;  // a copy shares the open files
  const SafetensorsLeaves& leaves_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Source>> OpenSafetensors(const std::string& file,
                                                        const SourceOptions& options) {
  SafetensorsReadOptions read;
  read.names = options.names;
  read.io = options.io;
  LEAFSTORE_ASSIGN_OR_RETURN(const SafetensorsReader reader, SafetensorsReader::Open(file, read));
  LEAFSTORE_ASSIGN_OR_RETURN(const SafetensorsLeaves* leaves, reader.GetLeaves());
  auto source = std::make_unique<Source>();
  source->format = SourceFormat::kSafetensors;
  source->file = reader.path();
  source->file_size = reader.file_size();
  source->description = "safetensors";
  if (reader.metadata()) source->metadata = *reader.metadata();
  if (reader.is_set()) {
    source->other_files = reader.shards();
    absl::StrAppend(&source->description, ", ",
                    CountOf(static_cast<int64_t>(source->other_files.size()), "shard", "shards"));
  }
  source->items.push_back(std::make_unique<SafetensorsItem>(reader, *leaves));
  source->verify = [reader] { return reader.Verify(); };
  return source;
}

}  // namespace leafstore::tools
