// ConvertDTypes: converts the floating leaves of a model to other dtypes, and counts what is lost.
//
//   std::vector<DTypeRule> rules = ParseDTypeRules({"norm.**=f32", "bf16"}).value();
//   std::vector<DTypeConversion> done = ConvertDTypes(rules, &model).value();
//
// Integers, bools, complex numbers and static leaves are unchanged. Numbers are rounded to nearest,
// ties to even (numeric/ops.h).
#ifndef LEAFSTORE_TOOLS_FILES_CONVERT_DTYPES_H_
#define LEAFSTORE_TOOLS_FILES_CONVERT_DTYPES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "leafstore/core/dtype.h"
#include "leafstore/select/internal/glob.h"
#include "leafstore/store/param_store.h"

namespace leafstore::tools {

// The dtype for leaves that a glob matches, or that are below a match.
struct DTypeRule {
  internal::GlobPattern glob;
  DType to = DType::kF32;
};

// What the conversion of some leaves to one dtype changed. Each element is counted once, in the
// first of these counts that applies. NaN, and elements that are exact in the new dtype, are not
// counted.
struct DTypeConversion {
  DType to = DType::kF32;
  int64_t leaves = 0;
  int64_t elements = 0;
  int64_t overflowed = 0;    // finite, now infinite
  int64_t to_zero = 0;       // not zero, now zero
  int64_t to_subnormal = 0;  // rounded, and now below the smallest normal number
  int64_t rounded = 0;
  std::string first_overflow;  // the path of the first leaf in which an element overflowed
};

// Parses texts DTYPE and GLOB=DTYPE. error: a UsageError: an invalid glob, or a dtype other than
// f64, f32, f16 and bf16.
absl::StatusOr<std::vector<DTypeRule>> ParseDTypeRules(const std::vector<std::string>& texts);

// Converts the leaves of a store, each by the first rule that matches it, and adds to `done`, which
// has an entry for each dtype. error ResourceExhausted: out of memory. O(bytes).
absl::Status ConvertDTypes(const std::vector<DTypeRule>& rules, ParamStore* store,
                           std::vector<DTypeConversion>* done);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_FILES_CONVERT_DTYPES_H_
