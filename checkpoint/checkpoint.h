// SaveCheckpoint and LoadCheckpoint: save and load a complete checkpoint file with one call.
//
//   LEAFSTORE_RETURN_IF_ERROR(SaveCheckpoint(
//       "run/step-100.leaf", {{"params", all}, {"adamw", adamw.state()}, {"settings", settings}}));
//
//   ParamStore params = LoadCheckpoint("run/step-100.leaf", "params").value();
//
// To write item by item, see writer.h; to read part of a file or its metadata, see reader.h. They
// describe how files are committed, mapped and verified.
//
// Threads: thread-safe.
#ifndef LEAFSTORE_CHECKPOINT_CHECKPOINT_H_
#define LEAFSTORE_CHECKPOINT_CHECKPOINT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/checkpoint/reader.h"
#include "leafstore/checkpoint/writer.h"
#include "leafstore/store/param_store.h"

namespace leafstore {

// Saves the items to a file. error: as CheckpointWriter's Create, AddItem and Finish; the old file
// is unchanged then, unless syncing the directory failed (see Finish).
absl::Status SaveCheckpoint(const std::string& path, std::vector<CheckpointItem> items,
                            SaveOptions options = {});

// Loads one complete item of a file. error: as CheckpointReader::Open and Load.
absl::StatusOr<ParamStore> LoadCheckpoint(const std::string& path, absl::string_view item,
                                          const ReadOptions& options = {});
// Loads all items of a file, in the order in which they were saved.
absl::StatusOr<std::vector<NamedStore>> LoadCheckpoint(const std::string& path,
                                                       const ReadOptions& options = {});

}  // namespace leafstore

#endif  // LEAFSTORE_CHECKPOINT_CHECKPOINT_H_
