// SaveHistory: where the bytes of the last checkpoint are, so that the next one writes only what
// has changed.
//
//   SaveHistory history;
//   LEAFSTORE_RETURN_IF_ERROR(
//       SaveCheckpoint("1.leaf", {{"params", params}}, {.history = &history}));
//   ... a few leaves are written ...
//   LEAFSTORE_RETURN_IF_ERROR(
//       SaveCheckpoint("2.leaf", {{"params", params}}, {.history = &history}));
//
// The second file has the leaves that changed, and for the others says in which earlier file
// (a base) they are. Whether a leaf changed is known from its generation: nothing is compared, and
// a leaf counts as unchanged wherever it went, into another group or under another path.
//
// Chain. Every tensor's base is the very file that has its bytes, so that reading never follows one
// file to another and opens at most kMaxBases of them. When a save would need more, the leaves of
// the base with the fewest bytes still in use are written anew. So leaves that never change stay
// where they are for good, and what changes at times is gathered again and again.
//
// Rules. All files of one history are in one directory: a save to another is error InvalidArgument.
// A base must stay as long as a checkpoint that needs it (CheckpointReader::bases;
// CheckpointManager sees to it); one that is gone, or is another file, when a save begins is not
// built on. A save that replaces one of the files does not build on it, and a durable save builds
// on durable ones alone. A history is of one process: generations begin anew in the next, whose
// first save is whole.
//
// Threads: one save at a time; nothing else may be called meanwhile.
#ifndef LEAFSTORE_CHECKPOINT_SAVE_HISTORY_H_
#define LEAFSTORE_CHECKPOINT_SAVE_HISTORY_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "leafstore/proto/manifest_codec.h"

namespace leafstore {

class SaveHistory {
 public:
  static constexpr size_t kMaxBases = 8;

  // Where the stored bytes of one tensor are.
  struct Location {
    uint32_t file = 0;  // in files()
    uint64_t offset = 0;
    uint64_t checksum = 0;
    int64_t stored_size = 0;
    uint8_t codec = 0;
  };

  // The next save is whole.
  void Clear() { *this = SaveHistory(); }

  // Of all its files; empty where there are none.
  const std::string& directory() const { return directory_; }
  // Whether all were saved with SaveOptions::durable.
  bool durable() const { return durable_; }
  // The files that the next save may have as bases: at most kMaxBases.
  const std::vector<BaseFile>& files() const { return files_; }
  // Where the bytes with this generation are. Valid until Replace. O(1).
  const Location* Find(uint64_t generation) const {
    const auto found = locations_.find(generation);
    return found == locations_.end() ? nullptr : &found->second;
  }

  // Says what a save to `directory` has written: `files` are its bases and itself, and
  // Location::file counts in them. What is in too small a file, when there are too many, is
  // forgotten.
  void Replace(std::string directory, bool durable, std::vector<BaseFile> files,
               absl::flat_hash_map<uint64_t, Location> locations);

 private:
  // The file with the fewest bytes in use, but not the last.
  uint32_t LeastUsed() const;
  void Forget(uint32_t file);

  std::string directory_;
  bool durable_ = true;
  std::vector<BaseFile> files_;
  absl::flat_hash_map<uint64_t, Location> locations_;  // by generation
};

}  // namespace leafstore

#endif  // LEAFSTORE_CHECKPOINT_SAVE_HISTORY_H_
