// Says what a directory is, from which nothing can be read, and what to name instead.
#ifndef LEAFSTORE_TOOLS_SOURCE_DIRECTORY_KINDS_H_
#define LEAFSTORE_TOOLS_SOURCE_DIRECTORY_KINDS_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace leafstore::tools {

// Returns what a directory with these names holds and what to do, for a message after "found ":
//
//   an Orbax checkpoint; restore it in Python with orbax.checkpoint, and write safetensors
//   w.npz; name it
//   nothing to read in it, but in unet, vae; name one of them
//
// Another program's checkpoint comes first, then files that can be read, then directories below it
// in which there are some. Looks up to three directories below this one, at 1000 names.
std::string DescribeDirectory(const std::string& directory, const std::vector<std::string>& names);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_SOURCE_DIRECTORY_KINDS_H_
