#include "leafstore/core/internal/fatal.h"

#include <cstdio>
#include <cstdlib>

namespace leafstore::internal {

void Fatal(absl::string_view message) {
  std::fprintf(stderr, "leafstore: %.*s\n", static_cast<int>(message.size()), message.data());
  std::abort();
}

}  // namespace leafstore::internal
