#include "leafstore/tools/source/leaf_source.h"

#include <vector>

#include "absl/strings/str_cat.h"

namespace leafstore::tools {
namespace {

class LeafItem : public SourceItem {
 public:
  LeafItem(const CheckpointReader& reader, const CheckpointItemInfo& info)
      : SourceItem(info.name(), info.layout(), info.slots()), reader_(reader), info_(info) {
    labels_ = info.labels();
    metadata_ = info.metadata();
  }

  EntryInfo entry(uint32_t place) const override { return info_.entry(place); }
  bool has_checksums() const override { return true; }
  absl::StatusOr<ParamStore> Load(absl::Span<const uint32_t> places) const override {
    return reader_.Load(name_, {.places = std::vector<uint32_t>(places.begin(), places.end())});
  }
  absl::StatusOr<PartitionPlan> CompilePlan(std::vector<Filter> filters) const override {
    return reader_.CompilePlan(name_, std::move(filters));
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

LeafSource::LeafSource(CheckpointReader reader) : reader_(std::move(reader)) {
  format_ = SourceFormat::kLeaf;
  file_ = reader_.path();
  file_size_ = reader_.file_size();
  format_version_ = reader_.producer_version();
  description_ = absl::StrCat("format version ", format_version_);
  metadata_ = reader_.metadata();
  metrics_ = reader_.metrics();
  for (const BaseFile& base : reader_.bases()) other_files_.push_back(base.name);
  for (const std::string& name : reader_.items()) {
    items_.push_back(std::make_unique<LeafItem>(reader_, reader_.GetItem(name).value()));
  }
}

}  // namespace leafstore::tools
