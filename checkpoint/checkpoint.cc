#include "leafstore/checkpoint/checkpoint.h"

#include <utility>

#include "leafstore/core/status_macros.h"

namespace leafstore {

absl::Status SaveCheckpoint(const std::string& path, std::vector<CheckpointItem> items,
                            SaveOptions options) {
  if (options.total_bytes == 0) {
    for (const CheckpointItem& item : items) options.total_bytes += item.tensor_bytes();
  }
  LEAFSTORE_ASSIGN_OR_RETURN(CheckpointWriter writer,
                             CheckpointWriter::Create(path, std::move(options)));
  for (CheckpointItem& item : items) LEAFSTORE_RETURN_IF_ERROR(writer.AddItem(std::move(item)));
  return writer.Finish();
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
