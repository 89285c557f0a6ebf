#include "leafstore/checkpoint/checkpoint.h"

#include <utility>

#include "leafstore/core/status_macros.h"

namespace leafstore {

CheckpointItem::CheckpointItem(std::string name, const TreeDef& def, const ParamStore& store,
                               ItemOptions options)
    : name_(std::move(name)), def_(def), options_(std::move(options)) {
  HoldSnapshot(store);
}

CheckpointItem::CheckpointItem(std::string name, const TreeDef& def, ParamStore&& store,
                               ItemOptions options)
    : name_(std::move(name)), def_(def), options_(std::move(options)) {
  stores_.push_back({"", std::move(store)});
}

CheckpointItem::CheckpointItem(std::string name, const ParamStore& store, ItemOptions options)
    : name_(std::move(name)), options_(std::move(options)) {
  HoldSnapshot(store);
}

CheckpointItem::CheckpointItem(std::string name, ParamStore&& store, ItemOptions options)
    : name_(std::move(name)), options_(std::move(options)) {
  stores_.push_back({"", std::move(store)});
}

CheckpointItem::CheckpointItem(std::string name, const Groups& groups, ItemOptions options)
    : name_(std::move(name)), options_(std::move(options)) {
  options_.grouping = groups.grouping();
  absl::StatusOr<ParamStore> all = groups.Merge();
  status_ = all.status();
  if (all.ok()) stores_.push_back({"", *std::move(all)});
}

CheckpointItem::CheckpointItem(std::string prefix, std::vector<NamedStore> stores,
                               ItemOptions options)
    : name_(std::move(prefix)),
      options_(std::move(options)),
      is_prefix_(true),
      stores_(std::move(stores)) {}

CheckpointItem::CheckpointItem(std::string name, absl::StatusOr<Flattened> model,
                               ItemOptions options)
    : name_(std::move(name)), options_(std::move(options)), status_(model.status()) {
  if (model.ok()) stores_.push_back({"", std::move(model->params)});
}

void CheckpointItem::HoldSnapshot(const ParamStore& store, std::string name) {
  status_ = store.CheckNoBorrow("save");
  if (!status_.ok()) return;
  absl::StatusOr<ParamStore> snapshot = store.Snapshot();
  status_ = snapshot.status();
  if (snapshot.ok()) stores_.push_back({std::move(name), *std::move(snapshot)});
}

CheckpointItem CheckpointItem::Share() const {
  CheckpointItem out;
  out.name_ = name_;
  out.def_ = def_;
  out.options_ = options_;
  out.is_prefix_ = is_prefix_;
  out.status_ = status_;
  for (const NamedStore& one : stores_) {
    if (out.status_.ok()) out.HoldSnapshot(one.store, one.name);
  }
  return out;
}

int64_t CheckpointItem::tensor_bytes() const {
  int64_t bytes = 0;
  for (const NamedStore& one : stores_) {
    for (const Leaf& leaf : one.store.leaves()) {
      if (leaf.is_tensor()) bytes += leaf.byte_size();
    }
  }
  return bytes;
}

absl::Status CheckpointItem::AddTo(CheckpointWriter* writer) const {
  LEAFSTORE_RETURN_IF_ERROR(status_);
  if (is_prefix_) return writer->AddItems(name_, stores_, options_);
  const ParamStore& store = stores_.front().store;
  return def_.has_value() ? writer->AddItem(name_, *def_, store, options_)
                          : writer->AddItem(name_, store, options_);
}

absl::Status CheckpointItem::GiveTo(CheckpointWriter* writer) && {
  LEAFSTORE_RETURN_IF_ERROR(status_);
  if (is_prefix_) return writer->AddItems(name_, std::move(stores_), options_);
  ParamStore store = std::move(stores_.front().store);
  return def_.has_value() ? writer->AddItem(name_, *def_, std::move(store), options_)
                          : writer->AddItem(name_, std::move(store), options_);
}

absl::StatusOr<CheckpointWriter> CheckpointItem::WriterFor(const std::string& path,
                                                           absl::Span<const CheckpointItem> items,
                                                           SaveOptions options) {
  if (options.total_bytes == 0) {
    for (const CheckpointItem& item : items) options.total_bytes += item.tensor_bytes();
  }
  return CheckpointWriter::Create(path, std::move(options));
}

absl::Status SaveCheckpoint(const std::string& path, absl::Span<const CheckpointItem> items,
                            const SaveOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(CheckpointWriter writer,
                             CheckpointItem::WriterFor(path, items, options));
  for (const CheckpointItem& item : items) LEAFSTORE_RETURN_IF_ERROR(item.AddTo(&writer));
  return writer.Finish();
}

absl::Status SaveCheckpoint(const std::string& path, std::vector<CheckpointItem>&& items,
                            const SaveOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(CheckpointWriter writer,
                             CheckpointItem::WriterFor(path, items, options));
  for (CheckpointItem& item : items) {
    LEAFSTORE_RETURN_IF_ERROR(std::move(item).GiveTo(&writer));
  }
  return writer.Finish();
}

absl::Status SaveCheckpoint(const std::string& path, std::initializer_list<CheckpointItem> items,
                            const SaveOptions& options) {
  return SaveCheckpoint(path, absl::MakeConstSpan(items.begin(), items.size()), options);
}

absl::StatusOr<ParamStore> LoadCheckpoint(const std::string& path, absl::string_view item,
                                          const ReadOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const CheckpointReader reader, CheckpointReader::Open(path, options));
  return reader.Load(item);
}

absl::StatusOr<std::vector<NamedStore>> LoadCheckpoint(const std::string& path,
                                                       const ReadOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const CheckpointReader reader, CheckpointReader::Open(path, options));
  std::vector<NamedStore> stores;
  for (const std::string& item : reader.items()) {
    LEAFSTORE_ASSIGN_OR_RETURN(ParamStore store, reader.Load(item));
    stores.push_back({item, std::move(store)});
  }
  return stores;
}

}  // namespace leafstore
