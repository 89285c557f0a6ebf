// The bytes of a TreeDef (proto/treedef.proto) and back.
//
//   std::string bytes = EncodeTreeDef(def).value();
//   DecodeTreeDef(bytes).value() == def;
//
// Bytes. Equal structures have equal bytes, on every machine. They differ from the canonical bytes
// that TreeDef::hash() is of: those never change, while a message may get fields.
//
// Decoding trusts nothing: a structure is made by TreeDefBuilder alone, which checks every key,
// type name, tag and alias, and memory is taken for bytes that are there, never for a number that
// says how many should be. A message has its strings once each, in order of first use, so that one
// structure has one message.
//
// Errors. DataLoss: no message, or no structure; the words name the column or the path.
#ifndef LEAFSTORE_PROTO_TREEDEF_CODEC_H_
#define LEAFSTORE_PROTO_TREEDEF_CODEC_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/treedef/treedef.h"
#include "leafstore/treedef/treedef_builder.h"

namespace leafstore {

// error ResourceExhausted: over 2 GiB, where a protobuf message ends; found out before any is made.
// O(nodes + strings).
absl::StatusOr<std::string> EncodeTreeDef(const TreeDef& def);

// error DataLoss: see above. error ResourceExhausted: over `limits`. O(bytes).
absl::StatusOr<TreeDef> DecodeTreeDef(absl::string_view bytes,
                                      const TreeDefBuilder::Limits& limits = {});

}  // namespace leafstore

#endif  // LEAFSTORE_PROTO_TREEDEF_CODEC_H_
