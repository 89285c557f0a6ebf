// Clipping by global norm, without a separate pass over the gradients.
//
//   double norm = GlobalNorm(grads).value();                                  // numeric/ops.h
//   LEAFSTORE_RETURN_IF_ERROR(adamw.Step(&params, grads, {lr, ClipScale(norm, 1.0).value()}));
//
// torch.nn.utils.clip_grad_norm_ writes the gradients; here they stay unchanged, and the step
// scales them as it reads them. With several groups, use the norm of all gradients together, so
// that every group steps with the same scale. ClipByGlobalNorm (numeric/ops.h) clips the gradients
// themselves.
#ifndef LEAFSTORE_OPTIM_CLIP_H_
#define LEAFSTORE_OPTIM_CLIP_H_

#include "absl/status/statusor.h"

namespace leafstore {

// Returns the factor that scales gradients of the L2 norm `norm` to a norm of at most `max_norm`:
// min(1, max_norm / (norm + 1e-6)), as in torch.
// error InvalidArgument: `max_norm` is not positive, or `norm` is not finite or is negative (no
// step is possible with such gradients).
absl::StatusOr<double> ClipScale(double norm, double max_norm);

}  // namespace leafstore

#endif  // LEAFSTORE_OPTIM_CLIP_H_
