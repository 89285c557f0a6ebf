// The formats of a Source: detecting the format of a file, and opening each.
//
//   SourceFormat format = DetectFormat("weights.bin").value();  // kSafetensors, whatever its name
//
// The name decides only where the bytes do not: a damaged file is then opened in the format of its
// name, so that the error is that of the format, with the position of the damage.
#ifndef LEAFSTORE_TOOLS_SOURCE_FORMATS_H_
#define LEAFSTORE_TOOLS_SOURCE_FORMATS_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "leafstore/checkpoint/reader.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

// Returns the format by the first bytes of a file; kSafetensors is a file, or an index of several.
// error: the file system's; DataLoss: none of the formats, with what was expected and found. O(1).
absl::StatusOr<SourceFormat> DetectFormat(const std::string& file);

// Returns the file to read in a directory that is not a managed one: the only
// `*.safetensors.index.json`, else the only safetensors file. error InvalidArgument: neither, or
// several.
absl::StatusOr<std::string> FileOfDirectory(const std::string& directory);

ReadOptions ReadOptionsOf(const SourceOptions& options);

// Each returns a source, of which OpenSource fills in `name`, `step` and `verifies`. error: the
// reader's of that format. OpenNpz and OpenNpy read the full file.
std::unique_ptr<Source> LeafSource(CheckpointReader reader);
absl::StatusOr<std::unique_ptr<Source>> OpenSafetensors(const std::string& file,
                                                        const SourceOptions& options);
absl::StatusOr<std::unique_ptr<Source>> OpenNpz(const std::string& file,
                                                const SourceOptions& options);
// Returns a source whose only leaf, at the empty path, is the array.
absl::StatusOr<std::unique_ptr<Source>> OpenNpy(const std::string& file);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_SOURCE_FORMATS_H_
