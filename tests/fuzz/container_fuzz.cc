// Checkpoint files, as often as possible: the input with correct checksums is opened, listed,
// verified and loaded. checkpoint_fuzz checks much more of each input.
#include <string>

#include "leafstore/checkpoint/reader.h"

#include "tests/fuzz/checkpoint_inputs.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/require.h"

namespace leafstore {
namespace {

using absl::StatusCode;

void RequireReadError(const absl::Status& status) {
  RequireError(status,
               {StatusCode::kDataLoss, StatusCode::kUnimplemented, StatusCode::kResourceExhausted});
}

void Run(const std::string& bytes) {
  const absl::StatusOr<CheckpointReader> reader = OpenBytes(bytes, ReadMode::kMap);
  if (!reader.ok()) return RequireReadError(reader.status());
  const absl::Status verified = reader->Verify();
  if (!verified.ok()) RequireReadError(verified);
  for (const std::string& name : reader->items()) {
    const CheckpointItemInfo item = reader->GetItem(name).value();
    for (uint32_t place = 0; place < item.size(); ++place) {
      const EntryInfo entry = item.entry(place);
      Require(entry.offset >= 0 && entry.stored_size >= 0, "segments have a place");
    }
    const absl::StatusOr<ParamStore> loaded = reader->Load(name);
    if (loaded.ok()) continue;
    RequireReadError(loaded.status());
    Require(!verified.ok(), "what is verified can be loaded");
  }
}

}  // namespace
}  // namespace leafstore

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  leafstore::Run(leafstore::Repaired(std::string(reinterpret_cast<const char*>(data), size)));
  return 0;
}
