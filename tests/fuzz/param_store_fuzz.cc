// The message of a ParamStore: decoding, encoding and decoding gives the same, and the memory needed is
// limited by the length of the message.
#include <string>

#include "leafstore/proto/param_store_codec.h"

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/message_limits.h"
#include "tests/fuzz/require.h"
#include "tests/memory_use.h"

namespace leafstore {
namespace {

using absl::StatusCode;

void Run(absl::string_view bytes) {
  const MemoryUse use;
  const absl::StatusOr<ParamStore> store = DecodeParamStore(bytes);
  Require(use.peak() < MostMemoryFor(bytes.size()),
          "memory is limited by the length of the message");
  if (!store.ok()) {
    RequireError(store.status(), {StatusCode::kDataLoss, StatusCode::kResourceExhausted});
    return;
  }
  const absl::StatusOr<std::string> encoded = EncodeParamStore(*store);
  Require(encoded.ok(), "what was decoded can be encoded");
  const absl::StatusOr<ParamStore> again = DecodeParamStore(*encoded);
  Require(again.ok(), "it can be decoded again");
  Require(again->slots() == store->slots(), "the same slots");
  for (uint32_t place = 0; place < store->size(); ++place) {
    Require(again->leaf(place) == store->leaf(place), "the same leaves");
  }
  const absl::StatusOr<std::string> encoded_again = EncodeParamStore(*again);
  Require(encoded_again.ok() && *encoded_again == *encoded, "equal stores have equal bytes");
}

}  // namespace
}  // namespace leafstore

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  leafstore::Run(absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
