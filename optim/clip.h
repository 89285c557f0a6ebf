// Clipping by global norm, without a pass over the gradients of its own.
//
//   double norm = GlobalNorm(grads).value();                                  // numeric/ops.h
//   LEAFSTORE_RETURN_IF_ERROR(adamw.Step(&params, grads, {lr, ClipScale(norm, 1.0).value()}));
//
// torch.nn.utils.clip_grad_norm_ writes the gradients; here they stay as they are, and the step
// multiplies them on the way. With several groups the norm is that of all gradients together, so
// that each of the groups steps with the same scale. ClipByGlobalNorm (numeric/ops.h) is there for
// who wants clipped gradients.
#ifndef LEAFSTORE_OPTIM_CLIP_H_
#define LEAFSTORE_OPTIM_CLIP_H_

#include "absl/status/statusor.h"

namespace leafstore {

// What gradients of the L2 norm `norm` are to be multiplied by for a norm of at most `max_norm`:
// min(1, max_norm / (norm + 1e-6)), as torch has it.
// error InvalidArgument: `max_norm` is not over 0, or `norm` is not finite or below 0 (there is no
// step that such gradients could make).
absl::StatusOr<double> ClipScale(double norm, double max_norm);

}  // namespace leafstore

#endif  // LEAFSTORE_OPTIM_CLIP_H_
