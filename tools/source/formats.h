// The formats of a Source: how each is recognized and opened.
#ifndef LEAFSTORE_TOOLS_SOURCE_FORMATS_H_
#define LEAFSTORE_TOOLS_SOURCE_FORMATS_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "leafstore/checkpoint/reader.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

// Return a source, of which OpenSource fills in `name`, `step` and `verifies`. The content of the
// file decides its format. error: the reader's of that format. NumPy files are read in full; an
// array is the only leaf, at the empty path.
absl::StatusOr<std::unique_ptr<Source>> OpenFile(const std::string& file,
                                                 const SourceOptions& options);
std::unique_ptr<Source> LeafSource(CheckpointReader reader);

ReadOptions ReadOptionsOf(const SourceOptions& options);

// Returns the file to read in a directory that is not a managed one: the only
// `*.safetensors.index.json`, else the only safetensors file. error InvalidArgument: neither, or
// several.
absl::StatusOr<std::string> FileOfDirectory(const std::string& directory);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_SOURCE_FORMATS_H_
