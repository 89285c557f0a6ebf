// The structure of a store in the metadata of a safetensors file (docs/safetensors.md): TreeDef,
// static leaves, ties, tags, groups, and the slots of a group. The names are not stored: they
// follow from the paths.
//
// Errors of decoding. DataLoss: not in this form, a wrong checksum, or an invalid message.
// Unimplemented: another version.
#ifndef LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_STRUCTURE_H_
#define LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_STRUCTURE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/interop/names.h"
#include "leafstore/proto/internal/store_spec.h"

namespace leafstore::internal {

inline constexpr absl::string_view kSafetensorsStructureKey = "leafstore.structure";

struct SafetensorsStructure {
  StoreSpec spec;
  // kCanonical, kSlash, or for every dotted style kSplit.
  NameStyle names = NameStyle::kSplit;
};

// error ResourceExhausted: over 2 GiB. O(leaves).
absl::StatusOr<std::string> EncodeSafetensorsStructure(const SafetensorsStructure& structure);
absl::StatusOr<SafetensorsStructure> DecodeSafetensorsStructure(absl::string_view text);

// Returns DataLoss for the structure of a file.
absl::Status DamagedStructure(absl::string_view expected, absl::string_view found);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_INTEROP_SAFETENSORS_INTERNAL_STRUCTURE_H_
