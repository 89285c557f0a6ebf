// Metadata and Metrics: strings and scalars that users attach to a checkpoint. Items and
// safetensors files can have metadata too.
#ifndef LEAFSTORE_CORE_METADATA_H_
#define LEAFSTORE_CORE_METADATA_H_

#include <map>
#include <string>

#include "absl/status/status.h"

namespace leafstore {

// UTF-8 strings by UTF-8 keys.
using Metadata = std::map<std::string, std::string>;
// Metrics of the parameters: scalars by non-empty UTF-8 name ("loss", "accuracy").
using Metrics = std::map<std::string, double>;

// Checks that keys, values and names are as above; metrics may have any value.
// error InvalidArgument: one is not; names it.
absl::Status CheckMetadata(const Metadata& metadata);
absl::Status CheckMetrics(const Metrics& metrics);

}  // namespace leafstore

#endif  // LEAFSTORE_CORE_METADATA_H_
