#include "leafstore/core/metadata.h"

#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/utf8.h"
#include "leafstore/core/value.h"

namespace leafstore {

absl::Status CheckMetadata(const Metadata& metadata) {
  for (const auto& [key, value] : metadata) {
    for (const std::string* text : {&key, &value}) {
      if (internal::IsValidUtf8(*text)) continue;
      return absl::InvalidArgumentError(absl::StrCat("expected metadata in UTF-8, found in '",
                                                     internal::IsValidUtf8(key) ? key : "a key",
                                                     "': ", Value(Bytes{*text}).ToString()));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckMetrics(const Metrics& metrics) {
  for (const auto& [name, value] : metrics) {
    if (!name.empty() && internal::IsValidUtf8(name)) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "expected a metric's name in UTF-8 and not empty, found ", Value(Bytes{name}).ToString()));
  }
  return absl::OkStatus();
}

}  // namespace leafstore
