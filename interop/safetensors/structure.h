// What safetensors has no place for, kept in its metadata: structure, static leaves, ties, tags,
// labels, and which of the structure's leaves a group holds.
//
//   metadata[kSafetensorsStructureKey] = EncodeSafetensorsStructure(structure).value();
//   SafetensorsStructure structure = DecodeSafetensorsStructure(text).value();
//
// The value is text of four parts with colons between them, `1:dotted:0123456789abcdef:CgoD...`:
// the version; how paths became names, `dotted` or `canonical`; XXH3-64 of the message in
// hexadecimal; and the message leafstore.proto.StoreSpec (proto/store_spec.proto) in base64 (RFC
// 4648, with padding). Names themselves are not in it: they follow from the paths.
//
// Errors of decoding. DataLoss: not as above, another checksum, or a message that cannot be.
// Unimplemented: another version.
//
// Threads: functions of their arguments.
#ifndef LEAFSTORE_INTEROP_SAFETENSORS_STRUCTURE_H_
#define LEAFSTORE_INTEROP_SAFETENSORS_STRUCTURE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/interop/names.h"
#include "leafstore/proto/store_spec_codec.h"

namespace leafstore {

inline constexpr absl::string_view kSafetensorsStructureKey = "leafstore.structure";

struct SafetensorsStructure {
  StoreSpec spec;
  // kSplit (for all dotted names) or kCanonical.
  NameStyle names = NameStyle::kSplit;
};

// error ResourceExhausted: over 2 GiB. O(leaves).
absl::StatusOr<std::string> EncodeSafetensorsStructure(const SafetensorsStructure& structure);
absl::StatusOr<SafetensorsStructure> DecodeSafetensorsStructure(absl::string_view text);

}  // namespace leafstore

#endif  // LEAFSTORE_INTEROP_SAFETENSORS_STRUCTURE_H_
