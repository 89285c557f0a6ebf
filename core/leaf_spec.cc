#include "leafstore/core/leaf_spec.h"

#include "absl/strings/str_cat.h"

namespace leafstore {

std::string LeafSpec::ToString() const {
  if (!is_tensor()) return absl::StrCat("static ", ValueKindName(value_kind_));
  return absl::StrCat(DTypeName(dtype_), ShapeToString(shape_));
}

}  // namespace leafstore
