// Between safetensors and checkpoints, without loss: names, metadata and bytes come back.
//
//   SafetensorsReader in = SafetensorsReader::Open("model.safetensors").value();
//   LEAFSTORE_RETURN_IF_ERROR(SaveCheckpoint("model.leaf", {ItemFromSafetensors(in).value()}));
//
//   CheckpointReader back = CheckpointReader::Open("model.leaf").value();
//   SafetensorsContent content = SafetensorsFromItem(back, "params").value();
//   LEAFSTORE_RETURN_IF_ERROR(
//       SaveSafetensors("again.safetensors", content.store, content.options));
//
// A file as the reference or this library writes it (in canonical form:
// SafetensorsReader::IsCanonical) comes back byte for byte. Of others the tensors, names and
// metadata come back, in canonical form.
//
// In the checkpoint the file is one item. Its metadata is the item's; how it was read is noted
// beside it, under the key `leafstore.safetensors`. An item that no safetensors file was made into
// can be exported all the same: its structure goes along (safetensors_structure.h).
//
// Threads: functions of their arguments.
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

// The item metadata's key for how the file was: `1`, `dotted` or `canonical` names, `plain` or with
// a `structure`, and with `metadata` or `none`; with a space between two of them.
inline constexpr absl::string_view kSafetensorsOriginKey = "leafstore.safetensors";

// The whole file or set as an item: its leaves (views, in ReadMode::kMap), structure, labels and
// metadata. error: as SafetensorsReader::Load; InvalidArgument: the file's metadata has the key
// above.
absl::StatusOr<CheckpointItem> ItemFromSafetensors(const SafetensorsReader& reader,
                                                   std::string name = "params");

// The labels and the metadata of that item, with the note of its origin. Errors as above. O(1)
// beyond the leaves' paths.
absl::StatusOr<ItemOptions> ItemOptionsFromSafetensors(const SafetensorsReader& reader);

// What SaveSafetensors takes.
struct SafetensorsContent {
  ParamStore store;
  SafetensorsSaveOptions options;
};

// An item as a safetensors file: its leaves and, in the options, its metadata, labels and how names
// are made. error: as CheckpointReader::Load; DataLoss: the note of its origin is damaged.
absl::StatusOr<SafetensorsContent> SafetensorsFromItem(const CheckpointReader& reader,
                                                       absl::string_view item);
// The same of an item that is in memory: its leaves, labels and metadata. error DataLoss: as above.
absl::StatusOr<SafetensorsContent> SafetensorsFromStore(ParamStore store, ItemOptions item);

}  // namespace leafstore

#endif  // LEAFSTORE_INTEROP_SAFETENSORS_CHECKPOINT_H_
