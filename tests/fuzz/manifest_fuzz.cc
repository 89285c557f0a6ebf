// The message of a manifest: decoding, encoding and decoding gives the same, and the memory needed is
// limited by the length of the message.
#include <string>

#include "leafstore/proto/manifest_codec.h"

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/message_limits.h"
#include "tests/fuzz/require.h"
#include "tests/memory_use.h"

namespace leafstore {
namespace {

using absl::StatusCode;

void CheckItem(const ManifestItem& item) {
  Require(item.slots.universe() == item.layout.size(), "slots are in the layout");
  Require(item.leaves.size() == item.slots.size(), "one leaf per slot");
  Require(item.segments.offsets.size() == item.leaves.tensor_count(), "one segment per tensor");
  Require(!item.grouping.has_value() || item.grouping->layout() == item.layout,
          "groups have the same layout");
}

void Run(absl::string_view bytes) {
  const MemoryUse use;
  const absl::StatusOr<Manifest> manifest = DecodeManifest(bytes);
  Require(use.peak() < MostMemoryFor(bytes.size()),
          "memory is limited by the length of the message");
  if (!manifest.ok()) {
    RequireError(manifest.status(), {StatusCode::kDataLoss, StatusCode::kResourceExhausted});
    return;
  }
  for (const ManifestItem& item : manifest->items) CheckItem(item);
  const absl::StatusOr<std::string> encoded = EncodeManifest(*manifest);
  Require(encoded.ok(), "what was decoded can be encoded");
  const absl::StatusOr<Manifest> again = DecodeManifest(*encoded);
  Require(again.ok(), "it can be decoded again");
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
