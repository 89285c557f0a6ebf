// A whole ParamStore in one message (proto/param_store.proto), tensors' bytes and all.
//
//   std::string bytes = EncodeParamStore(store).value();
//   ParamStore copy = DecodeParamStore(bytes).value();
//
// For small stores: to send one to another process, to keep a configuration. A protobuf message
// ends at 2 GiB, and all of it is read to get one leaf; what is larger goes into a checkpoint.
// There is no checksum here: whoever carries the bytes has one.
//
// The structure comes along (or the paths, where the Layout has no TreeDef), so a store decoded
// here is on the same Layout as one of an equal structure that is alive.
//
// Deterministic: equal stores have equal bytes. Decoding trusts nothing (treedef_codec.h).
#ifndef LEAFSTORE_PROTO_PARAM_STORE_CODEC_H_
#define LEAFSTORE_PROTO_PARAM_STORE_CODEC_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/store/param_store.h"

namespace leafstore {

// error ResourceExhausted: over 2 GiB; found out before anything is copied. error InvalidArgument:
// a static str is no UTF-8; names the path. error FailedPrecondition: a borrow is open. O(bytes).
absl::StatusOr<std::string> EncodeParamStore(const ParamStore& store);

// The tensors own their bytes. error DataLoss: no message, or one that cannot be; names the column
// or path. O(bytes).
absl::StatusOr<ParamStore> DecodeParamStore(absl::string_view bytes);

}  // namespace leafstore

#endif  // LEAFSTORE_PROTO_PARAM_STORE_CODEC_H_
