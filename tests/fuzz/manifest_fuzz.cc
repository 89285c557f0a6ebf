// The message of a manifest: decoded, encoded and decoded it is the same, and it takes memory by
// its length.
#include <string>

#include "leafstore/proto/manifest_codec.h"

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/memory.h"
#include "tests/fuzz/message_limits.h"
#include "tests/fuzz/require.h"

namespace leafstore {
namespace {

using absl::StatusCode;

void CheckItem(const ManifestItem& item) {
  Require(item.slots.universe() == item.layout.size(), "slots are those of the layout");
  Require(item.leaves.size() == item.slots.size(), "a leaf a slot");
  Require(item.segments.offsets.size() == item.leaves.tensor_count(), "a segment a tensor");
  Require(!item.grouping.has_value() || item.grouping->layout() == item.layout,
          "groups of the layout");
}

void Run(absl::string_view bytes) {
  const MemoryUse use;
  const absl::StatusOr<Manifest> manifest = DecodeManifest(bytes);
  Require(use.peak() < MostMemoryFor(bytes.size()), "memory by the length of the message");
  if (!manifest.ok()) {
    RequireError(manifest.status(), {StatusCode::kDataLoss, StatusCode::kResourceExhausted});
    return;
  }
  for (const ManifestItem& item : manifest->items) CheckItem(item);
  const absl::StatusOr<std::string> encoded = EncodeManifest(*manifest);
  Require(encoded.ok(), "what was decoded can be encoded");
  const absl::StatusOr<Manifest> again = DecodeManifest(*encoded);
  Require(again.ok(), "and decoded again");
  Require(again->items.size() == manifest->items.size() && again->metadata == manifest->metadata,
          "the same manifest");
  const absl::StatusOr<std::string> encoded_again = EncodeManifest(*again);
  Require(encoded_again.ok() && *encoded_again == *encoded, "equal manifests have equal bytes");
}

}  // namespace
}  // namespace leafstore

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  leafstore::Run(absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
