// NumpySource: a NumPy archive (.npz), or one array (.npy) as the leaf of an empty path, as a
// Source.
#ifndef LEAFSTORE_TOOLS_SOURCE_NUMPY_SOURCE_H_
#define LEAFSTORE_TOOLS_SOURCE_NUMPY_SOURCE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

class NumpySource : public Source {
 public:
  // All of it is read, and checked as far as it can be. error: as LoadNpz and LoadNpy.
  static absl::StatusOr<std::unique_ptr<NumpySource>> OpenNpz(const std::string& file,
                                                              const SourceOptions& options);
  static absl::StatusOr<std::unique_ptr<NumpySource>> OpenNpy(const std::string& file);

  absl::Status Verify() const override { return absl::OkStatus(); }

 private:
  NumpySource(SourceFormat format, const std::string& file, int64_t file_size, ParamStore store);
};

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_SOURCE_NUMPY_SOURCE_H_
