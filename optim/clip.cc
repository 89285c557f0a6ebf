#include "leafstore/optim/clip.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace leafstore {

absl::StatusOr<double> ClipScale(double norm, double max_norm) {
  if (!(max_norm > 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_norm: expected a number over 0, found ", max_norm));
  }
  if (!std::isfinite(norm) || norm < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("norm of the gradients: expected a finite number from 0 on, found ", norm));
  }
  return std::min(1.0, max_norm / (norm + 1e-6));
}

}  // namespace leafstore
