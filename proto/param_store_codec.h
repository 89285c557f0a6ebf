// A complete ParamStore in one message (proto/param_store.proto), including the bytes of tensors.
//
//   std::string bytes = EncodeParamStore(store).value();
//   ParamStore copy = DecodeParamStore(bytes).value();
//
// For small stores: to send one to another process, or to save a configuration. A protobuf message
// is limited to 2 GiB and must be read as a whole; use a checkpoint for larger stores. The message
// has no checksum: use that of the transport.
//
// The message includes the structure (or the paths, if the Layout has no TreeDef), so a decoded
// store is on the same Layout as a live store with an equal structure.
//
// Deterministic: equal stores have equal bytes. Decoding trusts nothing (treedef_codec.h).
#ifndef LEAFSTORE_PROTO_PARAM_STORE_CODEC_H_
#define LEAFSTORE_PROTO_PARAM_STORE_CODEC_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/store/param_store.h"

namespace leafstore {

// Encodes a store. error ResourceExhausted: over 2 GiB; detected before anything is copied. error
// InvalidArgument: a static str is not UTF-8; names the path. error FailedPrecondition: a borrow is
// open. O(bytes).
absl::StatusOr<std::string> EncodeParamStore(const ParamStore& store);

// Decodes a store, whose tensors own their bytes. error DataLoss: not a valid message; names the
// column or path. O(bytes).
absl::StatusOr<ParamStore> DecodeParamStore(absl::string_view bytes);

}  // namespace leafstore

#endif  // LEAFSTORE_PROTO_PARAM_STORE_CODEC_H_
