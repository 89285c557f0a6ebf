// Writes safetensors: one file or a set of shards, completely or not at all.
//
//   LEAFSTORE_RETURN_IF_ERROR(SaveSafetensors("model.safetensors", params));
//   LEAFSTORE_RETURN_IF_ERROR(SaveSafetensors("model.safetensors", params,
//                                             {.metadata = Metadata{{"format", "pt"}}}));
//   std::vector<std::string> files =
//       SaveSafetensorsShards("out/model.safetensors", params, 5'000'000'000).value();
//
// Bytes. Equal tensors, names and metadata produce equal bytes, which are those of the reference's
// writer. Static leaves and structure are stored in the metadata, under a key that other readers
// ignore (docs/safetensors.md).
//
// Streaming. The bytes of the tensors are written through four buffers of 8 MiB. Tensors may be
// views of the file that is replaced.
//
// Places. After a save, the directory is read as the saved model (safetensors/reader.h, Paths), or
// the saved model has a name of its own and the directory is read as before. Otherwise the save is
// error AlreadyExists before anything is written. With replace_set, the model with the same name is
// replaced: a file `<stem>.safetensors` by a set, a set by a file or another set. The files of a set
// are those that its index lists; without an index, the shards named after the stem, if they are
// one set. No other file is removed: if another model is in the way (one with another name, a run of
// checkpoints, or shards that the index does not list), the save is AlreadyExists even with
// replace_set. Single files with names of their own may be side by side.
//
// Commit. As for a checkpoint (checkpoint/writer.h): after a failure the temporary files are
// removed and the old files are unchanged. If only the sync of the directory fails after a file was
// replaced, the new files are in place, but may not survive a power failure: the error says so, and
// names the old files, which are kept.
//
// Sets. All shards are written and synced before the first is renamed, and the index is renamed
// last. Without the index, other programs find no set, and this library reads the shards with a
// note if all of them exist. Shards get names that do not exist yet and never replace a file, even
// one that is created meanwhile; after a failure the shards of this save are removed. So with
// replace_set the old index and shards are unchanged until the new index atomically replaces the
// old one; only then are the old shards removed. If a set replaces a single file, the last change
// is the new index; if a single file replaces a set, it is the removal of the old index. A crash
// leaves the old model or the new one. It may also leave shards that no index lists, or an old file
// that was kept aside (`<name>.old-<pid>-<count>`). Readers that opened the old model keep it. Two
// concurrent saves of one set are not safe.
//
// Errors. InvalidArgument, FailedPrecondition (a borrow is open): errors of the caller, found
// before anything is written. Others are the file system's (no space is ResourceExhausted).
//
// Threads: pure functions; the store is read during the call.
#ifndef LEAFSTORE_INTEROP_SAFETENSORS_WRITER_H_
#define LEAFSTORE_INTEROP_SAFETENSORS_WRITER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/core/metadata.h"
#include "leafstore/interop/names.h"
#include "leafstore/io/io_options.h"
#include "leafstore/select/grouping.h"
#include "leafstore/store/param_store.h"

namespace leafstore {

// When structure and static leaves are saved in the metadata.
enum class StructureSave : uint8_t {
  // If a reader with default options could not restore the store from names alone: it has a
  // TreeDef, static leaves or groups, or a path with an attribute, an index, or a dot in a key.
  kAuto,
  kAlways,
  // Never. error InvalidArgument for a store with static leaves, unless drop_static is set.
  kNever,
};

struct SafetensorsSaveOptions {
  IoOptions io = {};
  // The user's metadata. An empty map is written as such; without a value, the file has no
  // `__metadata__` unless it has a structure.
  std::optional<Metadata> metadata = {};
  StructureSave structure = StructureSave::kAuto;
  // With StructureSave::kNever: skips static leaves instead of reporting an error.
  bool drop_static = false;
  // Named groups of the store's leaves, on its Layout. Saved with the structure.
  std::optional<Grouping> grouping = {};
  // How paths become names (FormOf).
  NameStyle names = NameStyle::kSplit;
  // Replaces the model with this name, a file or a set (see Places and Sets above). Removes the
  // remaining shards of a replaced set. If the usual name of a shard exists, the names of the new
  // shards end in `-r1`.
  bool replace_set = false;
};

// Saves a store. error InvalidArgument: two leaves have the same name (names.h); a key, a static
// str or metadata is not UTF-8; metadata has the key of the structure and a structure is saved; or
// the grouping is on a different Layout. error ResourceExhausted: the header exceeds 100 MB. error
// AlreadyExists: the directory would have two models; with kExists, replace_set replaces the old
// one. A file at `path` is replaced. O(bytes), and O(n log n) for n names in the directory.
absl::Status SaveSafetensors(const std::string& path, const ParamStore& store,
                             const SafetensorsSaveOptions& options = {});
// Saves tensors by name, in any order, without a structure. error InvalidArgument also: a duplicate
// name, or a null tensor.
absl::Status SaveSafetensors(const std::string& path, absl::Span<const NamedTensor> tensors,
                             const SafetensorsSaveOptions& options = {});

// Saves a store in shards of at most `max_shard_bytes` of tensors; a larger tensor has its own
// shard. For a path `<stem>.safetensors` the files are `<stem>-00001-of-00003.safetensors`, ...
// and `<stem>.safetensors.index.json`; if one shard is enough, the only file is `path`. Shards are
// filled in the order of places. Metadata and structure are in every shard, so each is a complete
// file. Returns the names of the files, without a directory: the shards and, last, the index; or
// the single file.
// error InvalidArgument also: `path` does not end in `.safetensors`, the file name is not UTF-8, or
// the size is not positive. error AlreadyExists also: an index or a shard with this name exists
// (unless replace_set).
absl::StatusOr<std::vector<std::string>> SaveSafetensorsShards(
    const std::string& path, const ParamStore& store, int64_t max_shard_bytes,
    const SafetensorsSaveOptions& options = {});

}  // namespace leafstore

#endif  // LEAFSTORE_INTEROP_SAFETENSORS_WRITER_H_
