// SafetensorsFile: an open file or set whose headers have been read and checked. It implements
// SafetensorsReader.
//
// Threads: const calls are thread-safe.
#ifndef LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_FILE_H_
#define LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_FILE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/checkpoint/internal/file_bytes.h"
#include "leafstore/checkpoint/internal/stored_leaves.h"
#include "leafstore/core/internal/hash_tables.h"
#include "leafstore/core/internal/lazy.h"
#include "leafstore/interop/internal/notes.h"
#include "leafstore/interop/safetensors/internal/header.h"
#include "leafstore/interop/safetensors/internal/place.h"
#include "leafstore/interop/safetensors/internal/structure.h"
#include "leafstore/interop/safetensors/reader.h"

namespace leafstore::internal {

class SafetensorsFile {
 public:
  static absl::StatusOr<std::shared_ptr<const SafetensorsFile>> Open(
      const std::string& path, const SafetensorsReadOptions& options);

  // One open file.
  struct Shard {
    std::string name;  // relative to the directory of the index
    std::unique_ptr<FileBytes> bytes;
    SafetensorsHeader header;
    uint32_t first_tensor = 0;
  };

  const std::string& path() const { return path_; }
  // See SafetensorsReader::file.
  const std::string& file() const { return file_; }
  const IoOptions& io() const { return options_.io; }
  bool is_set() const { return is_set_; }
  const std::vector<Shard>& shards() const { return shards_; }
  const std::optional<Metadata>& metadata() const { return metadata_; }
  const std::vector<std::string>& notes() const { return note_lines_; }
  std::vector<UnreadableLeaf> unreadable() const;
  const std::vector<UnreadableLeaf>& unlisted() const { return unlisted_; }
  bool has_structure() const { return structure_.has_value(); }
  NameStyle name_style() const { return has_structure() ? structure_->names : options_.names; }

  uint32_t size() const { return size_; }
  // Returns the shard that has a tensor.
  const Shard& ShardOf(uint32_t tensor) const;
  absl::string_view name(uint32_t tensor) const;
  EntryInfo entry(uint32_t tensor) const;
  // Returns the index of the tensor with this name, or nullopt.
  std::optional<uint32_t> Find(absl::string_view name) const;
  absl::StatusOr<uint32_t> Get(absl::string_view name) const;

  // Checks that no tensor would be left out. error Unimplemented: one is not readable.
  absl::Status CheckReadable() const;

  // See SafetensorsReader::GetLeaves.
  absl::StatusOr<const SafetensorsLeaves*> leaves() const;

  absl::StatusOr<Tensor> LoadTensor(uint32_t tensor) const;
  // See SafetensorsReader.
  absl::StatusOr<bool> IsCanonical() const;
  absl::Status Verify() const;

  // Adds the path before an error, unless it is from the file system, which adds the path itself.
  absl::Status WithPath(const absl::Status& status) const;
  // Adds the path of the shard and the name of the tensor.
  absl::Status Named(uint32_t tensor, const absl::Status& status) const;

 private:
  SafetensorsFile() = default;

  absl::Status OpenPath();
  // If the file is a shard and is not to be read alone, opens its set. Returns whether it did. error:
  // also says how to read the file alone, where that may help.
  absl::StatusOr<bool> OpenSetOf(const std::string& path);
  // Opens what was found in a directory.
  absl::Status OpenPlace(const SafetensorsPlace& place);
  // Opens a file, or an index.
  absl::Status OpenFile(std::unique_ptr<FileBytes> bytes);
  absl::StatusOr<SafetensorsIndex> ReadIndex(const FileBytes& bytes) const;
  absl::Status OpenIndex(const std::string& path, SafetensorsIndex index);
  // Opens shards, whose names are relative to the directory of the path `beside`. error NotFound:
  // names all that do not exist.
  absl::Status OpenShards(const std::string& beside, absl::Span<const std::string> names);
  // Reads the header of a shard whose first bytes are `begin`.
  absl::Status AddShard(std::string name, std::unique_ptr<FileBytes> bytes,
                        absl::Span<const std::byte> begin);
  // Finishes opening after the last shard.
  absl::Status Finish();
  // Adds notes of other models in the directory, which are not read.
  void AddNotRead();
  // Combines the metadata of the shards. Adds a note where two differ.
  void CombineMetadata();
  // Checks that nothing is unusual and every tensor is readable: all that `strict` does.
  absl::Status CheckStrict() const;
  // Checks that each tensor of the index is in the file that the index names. Removes the other
  // tensors of these files, with notes. Unreadable tensors are checked like the others.
  absl::Status ApplyIndex(const SafetensorsIndex& index);
  // Checks that no two shards have a tensor with the same name. error kAmbiguous.
  absl::Status CheckDifferentNames() const;
  absl::Status NotReadable(const UnreadableLeaf& one) const;
  absl::Status ReadStructure();
  // Returns the tensor that the structure says has this name and spec. error DataLoss: none has.
  absl::StatusOr<uint32_t> FindAs(absl::string_view wanted, const LeafSpec& expected) const;
  absl::StatusOr<SafetensorsLeaves> LeavesOfStructure() const;
  absl::StatusOr<SafetensorsLeaves> LeavesOfNames() const;

  std::string path_;
  std::string file_;
  SafetensorsReadOptions options_;
  Notes notes_;
  std::vector<std::string> note_lines_;
  std::vector<std::string> beside_;  // the names in the directory, if one was opened
  std::vector<UnreadableLeaf> unlisted_;
  bool is_set_ = false;
  std::vector<Shard> shards_;
  uint32_t size_ = 0;
  int64_t tensor_bytes_ = 0;
  std::optional<Metadata> metadata_;
  std::optional<SafetensorsStructure> structure_;
  mutable Lazy<HashMap<absl::string_view, uint32_t>> index_;
  mutable Lazy<SafetensorsLeaves> leaves_;
};

// The leaves of a file.
class FileLeaves : public StoredLeaves {
 public:
  FileLeaves(const SafetensorsFile& file, const SafetensorsLeaves& leaves)
      : StoredLeaves(leaves.layout(), leaves.slots(), file.io(), /*verify=*/false),
        file_(file),
        leaves_(leaves) {}

  EntryInfo entry(uint32_t place) const override { return leaves_.entry(place); }
  bool needs_bytes() const override { return true; }
  absl::StatusOr<const FileBytes*> FileOf(uint32_t base) const override {
    return file_.shards()[base == 0 ? 0 : base - 1].bytes.get();
  }
  absl::Status Named(uint32_t place, const FileBytes*, const absl::Status& status) const override {
    return file_.Named(*leaves_.tensor(place), status);
  }
  absl::Status Named(const absl::Status& status) const override { return file_.WithPath(status); }

 private:
  const SafetensorsFile& file_;
  const SafetensorsLeaves& leaves_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_FILE_H_
