#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "leafstore/tools/source/formats.h"

namespace leafstore::tools {
namespace {

class LeafItem : public SourceItem {
 public:
  LeafItem(const CheckpointReader& reader, const CheckpointItemInfo& info)
      : SourceItem(info.name(), info.layout(), info.slots()), reader_(reader), info_(info) {
    grouping_ = info.grouping();
    metadata_ = info.metadata();
  }

  EntryInfo entry(uint32_t place) const override { return info_.entry(place); }
  bool has_checksums() const override { return true; }
  absl::StatusOr<ParamStore> Load(absl::Span<const uint32_t> places) const override {
    return reader_.Load(name_, {.places = std::vector<uint32_t>(places.begin(), places.end())});
  }
  absl::StatusOr<Grouping> CompileGrouping(std::vector<NamedFilter> filters) const override {
    return reader_.CompileGrouping(name_, std::move(filters), {.allow_empty = true});
  }

 private:
  CheckpointReader reader_;  // a copy shares the open file
  CheckpointItemInfo info_;
};

}  // namespace

ReadOptions ReadOptionsOf(const SourceOptions& options) {
  ReadOptions read;
  read.verify = options.verify;
  read.io = options.io;
  return read;
}

std::unique_ptr<Source> LeafSource(CheckpointReader reader) {
  auto source = std::make_unique<Source>();
  source->format = SourceFormat::kLeaf;
  source->file = reader.path();
  source->file_size = reader.file_size();
  source->format_version = reader.producer_version();
  source->description = absl::StrCat("format version ", source->format_version);
  source->metadata = reader.metadata();
  source->metrics = reader.metrics();
  for (const BaseFile& base : reader.bases()) source->other_files.push_back(base.name);
  for (const std::string& name : reader.items()) {
    source->items.push_back(std::make_unique<LeafItem>(reader, reader.GetItem(name).value()));
  }
  source->verify = [reader] { return reader.Verify(); };
  return source;
}

}  // namespace leafstore::tools
