// TensorLoader: loads the leaves at some places of an item in order, as views of a mapping or as
// tensors that own their bytes.
//
//   TensorLoader loader(file, item, places, /*verify=*/true);
//   for (size_t i = 0; i < places.size(); ++i) leaves[i] = loader.Load(i).value();
//
// Small tensors that are close together in the file are read, or made resident, together.
//
// Threads: a loader belongs to one thread; several loaders may use one file at the same time.
#ifndef LEAFSTORE_CHECKPOINT_INTERNAL_TENSOR_LOADER_H_
#define LEAFSTORE_CHECKPOINT_INTERNAL_TENSOR_LOADER_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/checkpoint/internal/checkpoint_bytes.h"
#include "leafstore/checkpoint/internal/checkpoint_file.h"
#include "leafstore/checkpoint/internal/zstd_codec.h"
#include "leafstore/core/buffer.h"
#include "leafstore/core/leaf.h"
#include "leafstore/proto/manifest_codec.h"

namespace leafstore::internal {

class TensorLoader {
 public:
  // The arguments must outlive this object. Without `verify`, checksums are not checked.
  TensorLoader(const CheckpointFile& file, const ManifestItem& item,
               absl::Span<const uint32_t> places, bool verify)
      : file_(file), item_(item), places_(places), verify_(verify) {}

  // Loads the leaf at places[number]. Calls must be in order of ascending `number`. error:
  // CheckpointReader::Load's, with the item and path, but not the file.
  absl::StatusOr<Leaf> Load(size_t number);

 private:
  // The location of one tensor's stored bytes.
  struct Stored {
    const CheckpointBytes* bytes;
    uint32_t base;
    int64_t offset;
    int64_t size;
    uint64_t checksum;
  };

  Stored Find(uint32_t place) const;
  absl::StatusOr<Tensor> LoadTensor(size_t number, Stored stored);
  absl::StatusOr<Tensor> View(size_t number, const Stored& stored);
  absl::StatusOr<Tensor> Read(size_t number, const Stored& stored);
  absl::StatusOr<Tensor> Decompress(size_t number, const Stored& stored);
  // Returns the stored bytes, in memory. Valid until the next call.
  absl::StatusOr<absl::Span<const std::byte>> Get(size_t number, const Stored& stored);
  // Returns the end of a window that begins with the tensor at places[first] and includes the small
  // tensors after it.
  int64_t WindowEnd(size_t first, const Stored& stored) const;
  absl::Status CheckChecksum(const Stored& stored, absl::Span<const std::byte> bytes) const;

  const CheckpointFile& file_;
  const ManifestItem& item_;
  absl::Span<const uint32_t> places_;
  bool verify_;
  Buffer scratch_;
  std::optional<ZstdDecompressor> decompressor_;  // created when it is first needed
  // The window: a byte range of a file that is in memory.
  uint32_t window_base_ = 0;
  int64_t window_begin_ = 0;
  absl::Span<const std::byte> window_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_TENSOR_LOADER_H_
