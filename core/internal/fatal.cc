#include "leafstore/core/internal/fatal.h"

#include <unistd.h>

#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"

namespace leafstore::internal {

void Fatal(absl::string_view message) {
  const std::string line = absl::StrCat("leafstore: ", message, "\n");
  // An error of write has no remedy here.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
  std::abort();
}

}  // namespace leafstore::internal
