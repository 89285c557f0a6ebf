#include "leafstore/io/io_options.h"

namespace leafstore {

absl::string_view ReadModeName(ReadMode mode) {
  switch (mode) {
    case ReadMode::kAuto:
      return "auto";
    case ReadMode::kMap:
      return "map";
    case ReadMode::kRead:
      return "read";
    case ReadMode::kDirect:
      return "direct";
  }
  return "auto";
}

}  // namespace leafstore
