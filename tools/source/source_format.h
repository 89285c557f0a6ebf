// What a file is, by its first bytes.
//
//   FileKind kind = SniffFile("weights.bin").value();      // kSafetensors, whatever its name is
//
// A name decides only where the bytes do not: a damaged file is then opened as what its name says,
// so that the error is that format's, and says where the damage is.
#ifndef LEAFSTORE_TOOLS_SOURCE_SOURCE_FORMAT_H_
#define LEAFSTORE_TOOLS_SOURCE_SOURCE_FORMAT_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace leafstore::tools {

// kSafetensors: a file, or an index of several.
enum class FileKind : uint8_t { kLeaf, kSafetensors, kNpz, kNpy };

// error: the file system's. error DataLoss: none of them; says what was looked for, and what was
// found. O(1).
absl::StatusOr<FileKind> SniffFile(const std::string& file);

// The one file of a directory that is no managed one: `*.safetensors.index.json` if there is one
// such, else the only safetensors file. error InvalidArgument: neither, or several.
absl::StatusOr<std::string> FileOfDirectory(const std::string& directory);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_SOURCE_SOURCE_FORMAT_H_
