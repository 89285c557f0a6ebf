// The structure of a store in the metadata of a safetensors file: TreeDef, static leaves, ties,
// tags, groups, and the slots of a group.
//
//   metadata[kSafetensorsStructureKey] = EncodeSafetensorsStructure(structure).value();
//   SafetensorsStructure structure = DecodeSafetensorsStructure(text).value();
//
// The value is a text of four parts separated by colons, `1:dotted:0123456789abcdef:CgoD...`: the
// version; the style of the names, `dotted` or `canonical`; XXH3-64 of the message in hexadecimal;
// and the message leafstore.proto.StoreSpec (proto/store_spec.proto) in base64 (RFC 4648, with
// padding). The names are not stored: they follow from the paths.
//
// Errors of decoding. DataLoss: not in this form, a wrong checksum, or an invalid message.
// Unimplemented: another version.
//
// Threads: pure functions; safe.
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
  // kSplit (for every dotted style) or kCanonical.
  NameStyle names = NameStyle::kSplit;
};

// error ResourceExhausted: over 2 GiB. O(leaves).
absl::StatusOr<std::string> EncodeSafetensorsStructure(const SafetensorsStructure& structure);
absl::StatusOr<SafetensorsStructure> DecodeSafetensorsStructure(absl::string_view text);

}  // namespace leafstore

#endif  // LEAFSTORE_INTEROP_SAFETENSORS_STRUCTURE_H_
