// NumPy files: a `.npy` or `.npz` input is either a documented error, or its tensors can be saved and
// loaded again.
#include <string>
#include <vector>

#include "leafstore/interop/numpy/npy.h"
#include "leafstore/interop/numpy/npz.h"

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/require.h"
#include "tests/interop/memory_disk.h"
#include "tests/io/memory_file.h"

namespace leafstore {
namespace {

using absl::StatusCode;

// More than the tensors of any valid input need.
constexpr int64_t kMaxBytes = int64_t{16} << 20;

void RequireReadError(const absl::Status& status) {
  RequireError(status, {StatusCode::kDataLoss, StatusCode::kUnimplemented,
                        StatusCode::kResourceExhausted, StatusCode::kInvalidArgument});
}

void RunNpy(const std::string& bytes) {
  MemoryFile file(bytes);
  const absl::StatusOr<Tensor> tensor =
      LoadNpy("x", {.io = {.file_system = &file}, .void_dtypes = {{2, DType::kBF16}}});
  if (!tensor.ok()) {
    RequireReadError(tensor.status());
    return;
  }
  MemoryDisk disk;
  if (tensor->dtype() == DType::kBF16) return;
  Require(SaveNpy("x", *tensor, {.io = {.durable = false, .file_system = &disk}}).ok(),
          "loaded tensors can be saved");
  MemoryFile saved(disk.bytes());
  const absl::StatusOr<Tensor> again = LoadNpy("x", {.io = {.file_system = &saved}});
  Require(again.ok() && *again == *tensor, "and loaded again");
}

void RunNpz(const std::string& bytes) {
  MemoryFile file(bytes);
  const absl::StatusOr<NpzContents> contents = LoadNpzTensors(
      "x", {.io = {.file_system = &file}, .max_bytes = kMaxBytes, .skip_unreadable = true});
  if (!contents.ok()) {
    RequireReadError(contents.status());
    return;
  }
  const std::vector<NamedTensor>& tensors = contents->tensors;
  MemoryDisk disk;
  Require(SaveNpz("x", tensors, {.io = {.durable = false, .file_system = &disk}}).ok(),
          "loaded tensors can be saved");
  MemoryFile saved(disk.bytes());
  const absl::StatusOr<NpzContents> again = LoadNpzTensors("x", {.io = {.file_system = &saved}});
  Require(again.ok() && again->tensors.size() == tensors.size(), "and loaded again");
  for (size_t i = 0; i < tensors.size(); ++i) {
    const NamedTensor& one = again->tensors[i];
    Require(one.name == tensors[i].name && one.tensor == tensors[i].tensor,
            "each tensor is the same");
  }
}

}  // namespace
}  // namespace leafstore

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  leafstore::RunNpy(bytes);
  leafstore::RunNpz(bytes);
  return 0;
}
