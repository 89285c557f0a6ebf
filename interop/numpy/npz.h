// NumPy's archives: a group of tensors in a `.npz`, which is a zip file of `.npy` files.
//
//   LEAFSTORE_RETURN_IF_ERROR(SaveNpz("biases.npz", biases));
//   ParamStore biases = LoadNpz("biases.npz").value();
//
// Names are those of names.h, with `.npy` behind them in the archive. Static leaves have no place
// in it: a store with some is error InvalidArgument, unless they are to be left out.
//
// Zip archives, as libzip has them, take no control characters but tab and line ends: a name with
// others is neither written nor read.
//
// Reading trusts nothing. Members are stored or deflated; their names are UTF-8, differ, and end in
// `.npy`; they are read into memory and never become names of files, so that `../x.npy` is a name
// like any other. Before memory is taken for a tensor, its header has been read and asks for
// exactly the size that the archive declares, and that size can come of the member's bytes (deflate
// shrinks at most 1032 times); the members' bytes together are no more than the archive's. What is
// read is checked against the archive's CRC-32.
//
// Writing is deterministic: members in the order of places, dated 1980-01-01.
//
// Errors. DataLoss: no archive, or a damaged or lying one; names the member. Unimplemented: another
// way of compression, encryption, or a dtype as in npy.h. ResourceExhausted: over the limit. Others
// as in npy.h.
//
// Threads: functions of their arguments.
#ifndef LEAFSTORE_INTEROP_NUMPY_NPZ_H_
#define LEAFSTORE_INTEROP_NUMPY_NPZ_H_

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/interop/names.h"
#include "leafstore/io/io_options.h"
#include "leafstore/select/load_into.h"
#include "leafstore/store/param_store.h"

namespace leafstore {

struct NpzSaveOptions {
  IoOptions io = {};
  // As numpy.savez_compressed does; otherwise as numpy.savez.
  bool deflate = false;
  NameStyle names = NameStyle::kSplit;
  // Static leaves are not saved, which is no error then.
  bool drop_static = false;
  // As NpySaveOptions::raw_bits.
  bool raw_bits = false;
};

struct NpzReadOptions {
  IoOptions io = {};
  NameStyle names = NameStyle::kSplit;
  // The most bytes that all tensors together may have.
  int64_t max_bytes = std::numeric_limits<int64_t>::max();
};

// error InvalidArgument: a static leaf, a dtype that NumPy has not (names the path), or two leaves
// have one name. Commit and others: as SaveSafetensors. O(bytes).
absl::Status SaveNpz(const std::string& path, const ParamStore& store,
                     const NpzSaveOptions& options = {});
absl::Status SaveNpz(const std::string& path, absl::Span<const NamedTensor> tensors,
                     const NpzSaveOptions& options = {});

// error: see above. O(bytes).
absl::StatusOr<ParamStore> LoadNpz(const std::string& path, const NpzReadOptions& options = {});
// Replaces leaves of a store by those of the archive (load_into.h), which is read as a whole first.
// error: LoadNpz's and LoadInto's. O(bytes).
absl::StatusOr<RestoreReport> LoadNpzInto(const std::string& path, ParamStore* store,
                                          const RestoreOptions& restore = {},
                                          const NpzReadOptions& options = {});
// In the order of the archive, by their names without `.npy`.
absl::StatusOr<std::vector<NamedTensor>> LoadNpzTensors(const std::string& path,
                                                        const NpzReadOptions& options = {});

}  // namespace leafstore

#endif  // LEAFSTORE_INTEROP_NUMPY_NPZ_H_
