// The message of a TreeDef: encoding a decoded message gives the same bytes, and the memory needed is
// limited by the length of the message.
#include <string>

#include "leafstore/proto/treedef.pb.h"
#include "leafstore/proto/treedef_codec.h"
#include "leafstore/treedef/treedef.h"

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/message_limits.h"
#include "tests/fuzz/require.h"
#include "tests/memory_use.h"

namespace leafstore {
namespace {

using absl::StatusCode;

// Returns the message in the form that the encoder writes: no unknown fields, fields in order, and no
// empty `strings` message.
std::string Plain(absl::string_view bytes) {
  proto::TreeDef message;
  message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  message.DiscardUnknownFields();
  if (message.strings().ByteSizeLong() == 0) message.clear_strings();
  return message.SerializeAsString();
}

void Run(absl::string_view bytes) {
  const MemoryUse use;
  const absl::StatusOr<TreeDef> def = DecodeTreeDef(bytes);
  Require(use.peak() < MostMemoryFor(bytes.size()),
          "memory is limited by the length of the message");
  if (!def.ok()) {
    RequireError(def.status(), {StatusCode::kDataLoss});
    return;
  }
  const absl::StatusOr<std::string> encoded = EncodeTreeDef(*def);
  Require(encoded.ok(), "what was decoded can be encoded");
  Require(*encoded == Plain(bytes), "equal structures have equal messages");
  const absl::StatusOr<TreeDef> again = DecodeTreeDef(*encoded);
  Require(again.ok() && *again == *def, "decoding again gives the same structure");
  Require(again->hash() == def->hash(), "with the same hash");
  for (NodeId node = 0; node < def->node_count() && node < 1'000; ++node) {
    const absl::StatusOr<std::string> text = def->PathText(node);
    if (!text.ok()) continue;
    const absl::StatusOr<NodeId> found = def->Find(*text);
    Require(found.ok() && *found == node, "each node is found by its path");
  }
}

}  // namespace
}  // namespace leafstore

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  leafstore::Run(absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
