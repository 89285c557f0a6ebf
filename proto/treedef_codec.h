// Converts a TreeDef to bytes (proto/treedef.proto) and back.
//
//   std::string bytes = EncodeTreeDef(def).value();
//   DecodeTreeDef(bytes).value() == def;
//
// Bytes. Equal structures have equal bytes, on every machine. They are not the canonical bytes that
// TreeDef::hash() covers: those never change, while a message may get new fields.
//
// Decoding trusts nothing: TreeDefBuilder makes the structure and checks every key, type name, tag
// and alias, and memory is allocated only for bytes that are present, never for a declared count. A
// message has each string once, in order of first use, so a structure has exactly one message.
//
// Errors. DataLoss: not a message, or not a structure; names the column or the path.
#ifndef LEAFSTORE_PROTO_TREEDEF_CODEC_H_
#define LEAFSTORE_PROTO_TREEDEF_CODEC_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/treedef/treedef.h"
#include "leafstore/treedef/treedef_builder.h"

namespace leafstore {

// Encodes a structure. error ResourceExhausted: over 2 GiB, the limit of a protobuf message;
// detected before encoding. O(nodes + strings).
absl::StatusOr<std::string> EncodeTreeDef(const TreeDef& def);

// Decodes a structure. error DataLoss: see above. error ResourceExhausted: over `limits`. O(bytes).
absl::StatusOr<TreeDef> DecodeTreeDef(absl::string_view bytes,
                                      const TreeDefBuilder::Limits& limits = {});

}  // namespace leafstore

#endif  // LEAFSTORE_PROTO_TREEDEF_CODEC_H_
