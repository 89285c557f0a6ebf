#include "tests/source_dir.h"

namespace leafstore {

std::string SourcePath(const std::string& path) { return LEAFSTORE_SOURCE_DIR "/" + path; }

}  // namespace leafstore
