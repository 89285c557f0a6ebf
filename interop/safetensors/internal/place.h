// Finds what a path of safetensors is read as: a file, an index, or shards without an index. Only
// this code decides that, for readers and writers; see safetensors/reader.h, Paths.
//
// Errors do not name the path.
//
// Threads: pure functions; thread-safe.
#ifndef LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_PLACE_H_
#define LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_PLACE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/interop/internal/notes.h"

namespace leafstore::internal {

constexpr absl::string_view kFileSuffix = ".safetensors";  // of files and shards

// The parts of a shard's name: `model-00001-of-00003.safetensors` is shard 1 of 3.
struct ShardName {
  std::string set;    // the name without the index; equal for all shards of a set
  std::string stem;   // "model"
  int64_t index = 0;  // of the shards; from 0 or from 1 on, as both conventions exist
  int64_t count = 0;
  // The text before the index, its digits, and the text after it.
  std::string before;
  size_t digits = 0;
  std::string behind;

  // Returns the name of another shard of the set.
  std::string NameOf(int64_t other) const;
};
// Parses the name of a file; nullopt if it is not that of a shard. The separators and the count of
// digits may differ: `model_1_of_3.fp16.safetensors`.
std::optional<ShardName> ParseShardName(absl::string_view name);
// Checks that a file of safetensors under a name without their suffix is not named like a shard:
// the others of its set cannot be found by such a name. error NotFound (kIncomplete): it is.
absl::Status CheckNoShardWithoutSuffix(absl::string_view name);

// Returns whether the name is that of an index, including a variant's
// (`model.safetensors.index.fp16.json`). Hidden files, such as those that macOS adds, are not.
bool IsIndexName(absl::string_view name);
// Returns whether the index with this name is that of files with this stem.
bool IsIndexOf(absl::string_view index, absl::string_view stem);
// Returns those of `names` that are indexes which may list the file `name`, which IsModelName: for
// a shard all; otherwise that of the directory, and those with its stem. O(n).
std::vector<std::string> IndexesThatMayList(absl::string_view name,
                                            absl::Span<const std::string> names);
// Returns whether the name is that of safetensors or of an index. Hidden files are not.
bool IsModelName(absl::string_view name);

struct SafetensorsPlace {
  enum Kind : uint8_t {
    kFile,    // or an index, which is recognized by its content
    kShards,  // a set without an index
  };

  Kind kind = kFile;
  std::string file;                 // the file; the directory of shards
  std::vector<std::string> shards;  // the names of the shards in it, ascending
  std::string other;                // the name of a file of another model, which is not read
};

// Returns what the directory, which contains the files `names`, is read as. Adds a note for a set
// without an index. Other models in the directory are known only after the index was read
// (AddNotRead). error NotFound with kNotThisFormat: it has no safetensors. error NotFound with
// kIncomplete: shards are missing; lists which exist and which do not. error InvalidArgument: it
// has several models; lists them. O(n log n).
absl::StatusOr<SafetensorsPlace> FindInDirectory(const std::string& directory,
                                                 absl::Span<const std::string> names, Notes* notes);

// What a directory reads as, by its names.
struct DirectoryModel {
  enum Kind : uint8_t {
    kNothing,
    kFile,
    kSet,        // an index, or shards without one
    kRun,        // checkpoints (checkpoint/manager.h), which come before any safetensors
    kAmbiguous,  // several models, or a part of one
  };

  Kind kind = kNothing;
  std::string name;   // the file, the index, the first shard, or the first checkpoint
  std::string other;  // the name of a file of another model, which is not read
};

// Returns what a directory with these names, ascending, reads as. Readers ask it, and writers
// before and after (FindOtherModel). Decides with FindInDirectory. O(n log n).
DirectoryModel ModelOfDirectory(absl::Span<const std::string> names);

// Returns the name of a file of another model that stands against a change of a directory with
// these `names` that adds the files `saved` and removes those `removed`; "" if there is none. After
// the change
//   - a run, a set, or `model.safetensors`, that is neither replaced nor removed is still read;
//   - what is saved does not have another model beside it that hides it, or that it hides.
// A single file with a name of its own may have others beside it: it is read by that name.
// O(n log n).
std::string FindOtherModel(absl::Span<const std::string> names, absl::Span<const std::string> saved,
                           absl::Span<const std::string> removed = {});

// Returns those of `names` that are called like the shards that this library, or another program,
// writes for the model `stem`; divided into sets.
std::vector<std::vector<std::string>> ShardsOfStem(absl::string_view stem,
                                                   absl::Span<const std::string> names);

// Returns the set without an index that the file belongs to. The name of the file must be that of a
// shard, and `names` those in its directory. Adds a note. error NotFound with kIncomplete: as
// above.
absl::StatusOr<SafetensorsPlace> FindShards(const std::string& path, const ShardName& shard,
                                            absl::Span<const std::string> names, Notes* notes);

// Adds the note that `other`, in the same directory as `read`, is not read.
void AddNotRead(absl::string_view read, absl::string_view other, Notes* notes);

// Adds the note that the set of a shard is read instead of the shard.
void AddOneShard(const std::string& path, Notes* notes);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_PLACE_H_
