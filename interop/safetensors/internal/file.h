// SafetensorsFile: an open file or set whose headers have been read and checked. It implements
// SafetensorsReader.
//
// Threads: const calls are safe from many threads.
#ifndef LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_FILE_H_
#define LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_FILE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/core/buffer.h"
#include "leafstore/core/internal/lazy.h"
#include "leafstore/core/tensor.h"
#include "leafstore/interop/safetensors/header.h"
#include "leafstore/interop/safetensors/internal/index.h"
#include "leafstore/interop/safetensors/reader.h"
#include "leafstore/interop/safetensors/structure.h"
#include "leafstore/io/file_system.h"

namespace leafstore::internal {

class SafetensorsFile {
 public:
  static absl::StatusOr<std::shared_ptr<const SafetensorsFile>> Open(
      const std::string& path, const SafetensorsReadOptions& options);

  // One open file.
  struct Shard {
    std::string path;
    std::unique_ptr<ReadableFile> file;
    SafetensorsHeader header;
    uint32_t first_tensor = 0;
    // The mapping of the file, made when the first tensor is loaded, because mapping would be most
    // of the cost of opening a small file.
    std::unique_ptr<Lazy<Buffer>> map = std::make_unique<Lazy<Buffer>>();
  };
  // Returns the mapping of a file; null with ReadMode::kRead. error: ReadableFile's.
  absl::StatusOr<const Buffer*> MapOf(const Shard& shard) const;

  const std::string& path() const { return path_; }
  bool is_set() const { return is_set_; }
  const SafetensorsReadOptions& options() const { return options_; }
  const std::vector<Shard>& files() const { return files_; }
  absl::Span<const SafetensorsShard> shards() const { return shards_; }
  const std::optional<Metadata>& metadata() const { return metadata_; }
  bool has_structure() const { return structure_.has_value(); }
  // Returns the name style of the structure. has_structure() must be true.
  NameStyle structure_names() const { return structure_->names; }

  uint32_t size() const { return size_; }
  int64_t tensor_bytes() const { return tensor_bytes_; }
  // Returns the index of the shard that has a tensor.
  uint32_t ShardOf(uint32_t tensor) const;
  absl::string_view name(uint32_t tensor) const;
  SafetensorsInfo entry(uint32_t tensor) const;
  // Returns the index of the tensor with this name, or nullopt.
  std::optional<uint32_t> Find(absl::string_view name) const;
  absl::StatusOr<uint32_t> Get(absl::string_view name) const;

  absl::StatusOr<const SafetensorsLeaves*> leaves() const;

  // Loads tensors in any order; element i of the result is tensors[i].
  absl::StatusOr<std::vector<Tensor>> Load(absl::Span<const uint32_t> tensors) const;
  // See SafetensorsReader::IsCanonical.
  absl::StatusOr<bool> IsCanonical() const;

  // Brings mapped tensors into memory; does nothing with ReadMode::kRead. error: ReadableFile's.
  absl::Status MakeResident(absl::Span<const uint32_t> tensors) const;

  // Adds the path before an error, unless it is from the file system, which adds the path itself.
  absl::Status WithPath(const absl::Status& status) const;

 private:
  SafetensorsFile() = default;

  absl::Status OpenPath();
  absl::Status OpenIndex(const std::string& path);
  absl::Status OpenShard(const std::string& path);
  // Finishes opening after the last shard.
  absl::Status Finish();
  absl::Status CheckIndex(const SafetensorsIndex& index) const;
  absl::Status CheckNamesOf(const SafetensorsIndex& index) const;
  absl::Status CheckAllNamedBy(const SafetensorsIndex& index) const;
  absl::Status TakeStructure();
  absl::StatusOr<SafetensorsLeaves> LeavesOfStructure() const;
  absl::StatusOr<SafetensorsLeaves> LeavesOfNames() const;

  std::string path_;
  SafetensorsReadOptions options_;
  FileSystem* file_system_ = nullptr;
  bool is_set_ = false;
  std::vector<Shard> files_;
  std::vector<SafetensorsShard> shards_;
  uint32_t size_ = 0;
  int64_t tensor_bytes_ = 0;
  std::optional<Metadata> metadata_;
  std::optional<SafetensorsStructure> structure_;
  mutable Lazy<absl::flat_hash_map<absl::string_view, uint32_t>> index_;
  mutable Lazy<SafetensorsLeaves> leaves_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_FILE_H_
