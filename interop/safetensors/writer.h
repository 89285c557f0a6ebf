// Writing safetensors: one file or a set of shards, there whole or not at all.
//
//   LEAFSTORE_RETURN_IF_ERROR(SaveSafetensors("model.safetensors", params));
//   LEAFSTORE_RETURN_IF_ERROR(SaveSafetensors("model.safetensors", params,
//                                             {.metadata = Metadata{{"format", "pt"}}}));
//   SavedShards shards =
//       SaveSafetensorsShards("out/model.safetensors", params, 5'000'000'000).value();
//
// Bytes. Equal tensors, names and metadata give equal bytes, and those that the reference's writer
// gives (safetensors_header.h). Static leaves and structure cannot be in tensors: they go into the
// metadata, under a key of this library's that other readers pass over (safetensors_structure.h).
//
// Streamed: the tensors' bytes go to the file through four buffers of 8 MiB; nothing is copied
// whole. Tensors may be views of the very file that is replaced.
//
// Commit. As a checkpoint's (checkpoint/writer.h): a temporary file beside it, fsync, rename, fsync
// of the directory. After a failure the temporary file is gone and the old one is as it was, save
// where the last step alone fails, the sync of the directory: then the new file is there, and
// whether it is after a loss of power is not known.
//
// Of a set all shards are written and synced before the first is renamed, and the index is renamed
// last: without it there is no set. Shards take names that are free, and never another file's
// place, whoever made that meanwhile; after a failure those of this save are gone. So of a set that
// is replaced (replace_set) the old index and shards are as they were until the new index takes the
// old one's place, in one step; only then are the old shards removed. A crash leaves the old set or
// the new one, and perhaps shards that no index names: the next save with replace_set removes them.
// Readers that opened the old set keep it. One file that replaces a set comes into its place first,
// and then the old index goes. Two saves of one set at once are not safe.
//
// Errors. InvalidArgument, FailedPrecondition (a borrow is open): the caller's, found before
// anything is written. Others are the file system's (no space is ResourceExhausted).
//
// Threads: functions of their arguments; the store is read meanwhile.
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
#include "leafstore/select/labels.h"
#include "leafstore/store/param_store.h"

namespace leafstore {

// Whether structure and static leaves go into the metadata.
enum class StructureSave : uint8_t {
  // Where the names alone would not give the store back to a reader of default options: its Layout
  // is that of a TreeDef, it has static leaves or labels, or a path is not the one that
  // NameStyle::kSplit makes of its name, since it has an attribute, an index, or a dot in a key.
  kAuto,
  kAlways,
  // Never. error InvalidArgument where there are static leaves, unless these may be left out.
  kNever,
};

struct SafetensorsSaveOptions {
  IoOptions io = {};
  // No value: the file has no `__metadata__` (but for a structure); an empty one is written as
  // such.
  std::optional<Metadata> metadata = {};
  StructureSave structure = StructureSave::kAuto;
  // With StructureSave::kNever: static leaves are not saved, which is no error then.
  bool drop_static = false;
  // Named groups of the store's leaves, on its Layout; saved with the structure.
  std::optional<Labels> labels = {};
  // How paths become names: kCanonical, or any other for dotted forms.
  NameStyle names = NameStyle::kSplit;
  // Of a set: there may be an index, or shards of this name, already. The set is replaced in one
  // step (see Commit above), and shards that were left of others (of these names, whatever their
  // numbers) are removed. Where a shard's usual name is taken, the new set's end in `-r1`.
  bool replace_set = false;
};

// A store. error InvalidArgument: two leaves have one name (names.h), a key, a static str or
// metadata is no UTF-8, metadata has the structure's key although one is saved, or the labels are
// on another Layout. error ResourceExhausted: the header would be longer than 100 MB. O(bytes).
absl::Status SaveSafetensors(const std::string& path, const ParamStore& store,
                             const SafetensorsSaveOptions& options = {});
// Tensors by their names, in any order. No structure is saved. error InvalidArgument also: a name
// is there twice, or a tensor is null.
absl::Status SaveSafetensors(const std::string& path, absl::Span<const NamedTensor> tensors,
                             const SafetensorsSaveOptions& options = {});

struct SavedShards {
  // The files, without their directory: the shards, or where all fits into one the only file.
  std::vector<std::string> files;
  // The index; empty where all fits into one.
  std::string index;
};

// A store in shards of at most `max_shard_bytes` of tensors, a larger tensor being a shard of its
// own: `<stem>-00001-of-00003.safetensors` and `<stem>.safetensors.index.json` for a path
// `<stem>.safetensors`. Where one shard is enough, it is `path`, without an index. Shards are
// filled in the order of places. Metadata and structure are in every shard: each is a file of the
// format. error InvalidArgument also: `path` does not end in `.safetensors`, the file's name is no
// UTF-8, or the size is not positive. error AlreadyExists: there is an index of such a name, which
// would be read rather than one file, or a shard of a set (unless replace_set).
absl::StatusOr<SavedShards> SaveSafetensorsShards(const std::string& path, const ParamStore& store,
                                                  int64_t max_shard_bytes,
                                                  const SafetensorsSaveOptions& options = {});

}  // namespace leafstore

#endif  // LEAFSTORE_INTEROP_SAFETENSORS_WRITER_H_
