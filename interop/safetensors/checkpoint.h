// Converts between safetensors and checkpoints without loss of names, metadata or bytes.
//
//   SafetensorsReader in = SafetensorsReader::Open("model.safetensors").value();
//   LEAFSTORE_RETURN_IF_ERROR(SaveCheckpoint(
//       "model.leaf", {{"params", in.Load().value(), ItemOptionsFromSafetensors(in).value()}}));
//
//   CheckpointReader back = CheckpointReader::Open("model.leaf").value();
//   CheckpointItemInfo info = back.GetItem("params").value();
//   ParamStore params = back.Load("params").value();
//   LEAFSTORE_RETURN_IF_ERROR(SaveSafetensors(
//       "again.safetensors", params,
//       SafetensorsOptionsFromItem(params, {info.grouping(), info.metadata()}).value()));
//
// A file in canonical form (SafetensorsReader::IsCanonical), as the reference and this library
// write it, is restored byte for byte. For other files the tensors, names and metadata are
// restored, in canonical form.
//
// In the checkpoint the file is one item with the file's metadata. The key `leafstore.safetensors`
// records the form of the file. Items of any origin can be exported, with their structure.
//
// Threads: pure functions; thread-safe.
#ifndef LEAFSTORE_INTEROP_SAFETENSORS_CHECKPOINT_H_
#define LEAFSTORE_INTEROP_SAFETENSORS_CHECKPOINT_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/checkpoint/writer.h"
#include "leafstore/interop/safetensors/reader.h"
#include "leafstore/interop/safetensors/writer.h"

namespace leafstore {

// The key in the item's metadata that records the form of the file: `1`, `dotted` or `canonical`
// names, `plain` or `structure`, and `metadata` or `none`, separated by spaces.
inline constexpr absl::string_view kSafetensorsOriginKey = "leafstore.safetensors";

// Returns the groups and the metadata of an item for the leaves of a file or set, including the
// record of its form. error: as SafetensorsReader::GetLeaves; InvalidArgument: the file's metadata
// has the key above. O(1) once the paths of the leaves exist.
absl::StatusOr<ItemOptions> ItemOptionsFromSafetensors(const SafetensorsReader& reader);

// Returns the options to save an item as safetensors: its metadata, groups and name style. error
// DataLoss: the record of its form is damaged. O(leaves).
absl::StatusOr<SafetensorsSaveOptions> SafetensorsOptionsFromItem(const ParamStore& store,
                                                                  ItemOptions item);

}  // namespace leafstore

#endif  // LEAFSTORE_INTEROP_SAFETENSORS_CHECKPOINT_H_
