// SafetensorsSource: a safetensors file, or a set of them with an index, as a Source.
#ifndef LEAFSTORE_TOOLS_SOURCE_SAFETENSORS_SOURCE_H_
#define LEAFSTORE_TOOLS_SOURCE_SAFETENSORS_SOURCE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "leafstore/interop/safetensors/reader.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

class SafetensorsSource : public Source {
 public:
  // error: as SafetensorsReader::Open, and its leaves().
  static absl::StatusOr<std::unique_ptr<SafetensorsSource>> Create(const std::string& file,
                                                                   const SourceOptions& options);

  absl::Status Verify() const override { return reader_.Verify(); }
  const SafetensorsReader& reader() const { return reader_; }

 private:
  SafetensorsSource(SafetensorsReader reader, const SafetensorsLeaves& leaves);

  SafetensorsReader reader_;
};

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_SOURCE_SAFETENSORS_SOURCE_H_
