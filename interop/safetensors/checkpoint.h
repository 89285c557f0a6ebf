// Converts between safetensors and checkpoints without loss of names, metadata or bytes.
//
//   SafetensorsReader in = SafetensorsReader::Open("model.safetensors").value();
//   LEAFSTORE_RETURN_IF_ERROR(SaveCheckpoint("model.leaf", {ItemFromSafetensors(in).value()}));
//
//   CheckpointReader back = CheckpointReader::Open("model.leaf").value();
//   SafetensorsContent content = SafetensorsFromItem(back, "params").value();
//   LEAFSTORE_RETURN_IF_ERROR(
//       SaveSafetensors("again.safetensors", content.store, content.options));
//
// A file in canonical form (SafetensorsReader::IsCanonical), as the reference and this library
// write it, is restored byte for byte. For other files the tensors, names and metadata are
// restored, in canonical form.
//
// In the checkpoint the file is one item with the file's metadata. The key `leafstore.safetensors`
// records the form of the file. Items of any origin can be exported, with their structure
// (structure.h).
//
// Threads: pure functions; safe.
#ifndef LEAFSTORE_INTEROP_SAFETENSORS_CHECKPOINT_H_
#define LEAFSTORE_INTEROP_SAFETENSORS_CHECKPOINT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/reader.h"
#include "leafstore/checkpoint/writer.h"
#include "leafstore/interop/safetensors/reader.h"
#include "leafstore/interop/safetensors/writer.h"

namespace leafstore {

// The key in the item's metadata that records the form of the file: `1`, `dotted` or `canonical`
// names, `plain` or `structure`, and `metadata` or `none`, separated by spaces.
inline constexpr absl::string_view kSafetensorsOriginKey = "leafstore.safetensors";

// Converts a file or set to an item with its leaves (views, with ReadMode::kMap), structure, groups
// and metadata. error: as SafetensorsReader::Load; InvalidArgument: the file's metadata has the key
// above.
absl::StatusOr<CheckpointItem> ItemFromSafetensors(const SafetensorsReader& reader,
                                                   std::string name = "params");

// Returns the groups and the metadata of that item, including the record of its origin. Errors as
// above. O(1) once the paths of the leaves exist.
absl::StatusOr<ItemOptions> ItemOptionsFromSafetensors(const SafetensorsReader& reader);

// The arguments of SaveSafetensors.
struct SafetensorsContent {
  ParamStore store;
  SafetensorsSaveOptions options;
};

// Converts an item to the contents of a safetensors file: its leaves and, in the options, its
// metadata, groups and name style. error: as CheckpointReader::Load; DataLoss: the record of its
// origin is damaged.
absl::StatusOr<SafetensorsContent> SafetensorsFromItem(const CheckpointReader& reader,
                                                       absl::string_view item);
// Like the above, for the leaves, groups and metadata of an item in memory.
absl::StatusOr<SafetensorsContent> SafetensorsFromStore(ParamStore store, ItemOptions item);

}  // namespace leafstore

#endif  // LEAFSTORE_INTEROP_SAFETENSORS_CHECKPOINT_H_
