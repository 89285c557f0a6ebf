#include "leafstore/tools/source/numpy_source.h"

#include <utility>
#include <vector>

#include "leafstore/core/status_macros.h"
#include "leafstore/interop/numpy/npy.h"
#include "leafstore/interop/numpy/npz.h"
#include "leafstore/io/file_system.h"
#include "leafstore/tools/source/store_source.h"

namespace leafstore::tools {
namespace {

absl::StatusOr<int64_t> FileSize(const std::string& file) {
  LEAFSTORE_ASSIGN_OR_RETURN(const auto opened, FileSystem::Posix().Open(file));
  return opened->size();
}

}  // namespace

NumpySource::NumpySource(SourceFormat format, const std::string& file, int64_t file_size,
                         ParamStore store) {
  format_ = format;
  file_ = file;
  file_size_ = file_size;
  description_ = format == SourceFormat::kNpz ? "NumPy archive" : "NumPy array";
  items_.push_back(std::make_unique<StoreItem>(std::string(kOnlyItem), std::move(store),
                                               std::vector<int64_t>(), Metadata()));
}

absl::StatusOr<std::unique_ptr<NumpySource>> NumpySource::OpenNpz(const std::string& file,
                                                                  const SourceOptions& options) {
  NpzReadOptions read;
  read.names = options.names;
  LEAFSTORE_ASSIGN_OR_RETURN(ParamStore store, LoadNpz(file, read));
  LEAFSTORE_ASSIGN_OR_RETURN(const int64_t size, FileSize(file));
  return std::unique_ptr<NumpySource>(
      new NumpySource(SourceFormat::kNpz, file, size, std::move(store)));
}

absl::StatusOr<std::unique_ptr<NumpySource>> NumpySource::OpenNpy(const std::string& file) {
  LEAFSTORE_ASSIGN_OR_RETURN(Tensor tensor, LoadNpy(file));
  LEAFSTORE_ASSIGN_OR_RETURN(const int64_t size, FileSize(file));
  std::vector<std::pair<Path, Leaf>> entries;
  entries.emplace_back(Path(), std::move(tensor));
  LEAFSTORE_ASSIGN_OR_RETURN(ParamStore store, ParamStore::FromEntries(std::move(entries)));
  return std::unique_ptr<NumpySource>(
      new NumpySource(SourceFormat::kNpy, file, size, std::move(store)));
}

}  // namespace leafstore::tools
