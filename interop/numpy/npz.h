// Reads and writes NumPy's archives: a store in a `.npz`, which is a zip file of `.npy` files.
//
//   LEAFSTORE_RETURN_IF_ERROR(SaveNpz("biases.npz", biases));
//   ParamStore biases = LoadNpz("biases.npz").value();
//
// Names follow names.h, with the suffix `.npy` in the archive; like NumPy, reading takes an array
// without it too. An archive cannot hold static leaves: a store with static leaves is error
// InvalidArgument without `drop_static`.
//
// libzip does not support control characters in names except tab and line ends: a name with others
// is neither written nor read.
//
// Other members. Strings, objects, other dtypes, encrypted members and members that are not arrays
// do not affect the rest: with NumpyOptions::skip_unreadable they are left out and listed,
// otherwise the first is error Unimplemented. Folders, and members that macOS adds (`__MACOSX`),
// are ignored. An archive without any array is an error (kForeign). Bytes after the archive are
// ignored.
//
// Reading trusts nothing. Members are stored or deflated; their names are UTF-8 and unique. Members
// are read into memory and their names are never used as file names, so `../x.npy`
// is harmless. Before memory is allocated for a tensor, its header is read and must match the size
// that the archive declares, and that size must be possible for the member's bytes (deflate expands
// at most 1032 times); the members' bytes together do not exceed the archive's. The CRC-32 of every
// member is checked, even if the member is unreadable, so damage is never reported as another kind
// of member. (Exceptions are members that are encrypted or compressed by another method.)
//
// Writing is deterministic: members in the order of places, dated 1980-01-01.
//
// Errors. DataLoss: damaged or inconsistent; names the member. Unimplemented: an unreadable member.
// ResourceExhausted: over the limit. Others as in npy.h.
//
// Threads: pure functions; thread-safe.
#ifndef LEAFSTORE_INTEROP_NUMPY_NPZ_H_
#define LEAFSTORE_INTEROP_NUMPY_NPZ_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/interop/names.h"
#include "leafstore/interop/numpy/npy.h"
#include "leafstore/select/load_into.h"
#include "leafstore/store/param_store.h"

namespace leafstore {

// Writes an archive. error InvalidArgument: a static leaf, a dtype that NumPy does not have (names
// the path), or two leaves with the same name. Commit and other errors: as SaveSafetensors.
// O(bytes).
absl::Status SaveNpz(const std::string& path, const ParamStore& store,
                     const NumpyOptions& options = {});
absl::Status SaveNpz(const std::string& path, absl::Span<const NamedTensor> tensors,
                     const NumpyOptions& options = {});

// Reads an archive; LoadNpzTensors also returns what was left out. error: see above. O(bytes).
absl::StatusOr<ParamStore> LoadNpz(const std::string& path, const NumpyOptions& options = {});
// Replaces leaves of a store with those of the archive (load_into.h), which is read completely
// first. error: LoadNpz's and LoadInto's. O(bytes).
absl::StatusOr<RestoreReport> LoadNpzInto(const std::string& path, ParamStore* store,
                                          const RestoreOptions& restore = {},
                                          const NumpyOptions& options = {});
// The members of an archive, in its order, with their names without `.npy`.
struct NpzContents {
  std::vector<NamedTensor> tensors;
  std::vector<UnreadableLeaf> unreadable;  // with NumpyOptions::skip_unreadable
};
// Reads the members by name. error: as LoadNpz. O(bytes).
absl::StatusOr<NpzContents> LoadNpzTensors(const std::string& path,
                                           const NumpyOptions& options = {});

}  // namespace leafstore

#endif  // LEAFSTORE_INTEROP_NUMPY_NPZ_H_
