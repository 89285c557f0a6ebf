// The members of an Optimizer; for optimizer.cc and optimizer_set.cc.
#ifndef LEAFSTORE_OPTIM_INTERNAL_OPTIMIZER_REP_H_
#define LEAFSTORE_OPTIM_INTERNAL_OPTIMIZER_REP_H_

#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/optim/internal/group_spec.h"
#include "leafstore/optim/internal/optimizer_state.h"
#include "leafstore/optim/internal/step_plan.h"
#include "leafstore/optim/optimizer.h"

namespace leafstore {

struct Optimizer::Rep {
  Rep(const Rule& r, internal::GroupSpec sp, internal::OptimizerState st)
      : rule(r), spec(std::move(sp)), state(std::move(st)) {}

  // Creates an optimizer of `group` with the state found in `sources`. Errors as Regroup.
  static absl::StatusOr<std::unique_ptr<Rep>> Adopting(
      const Rule& rule, internal::ConstGroupRef group,
      absl::Span<const std::vector<NamedStore>* const> sources);

  absl::Status Step(internal::GroupRef params, internal::ConstGroupRef grads,
                    const StepOptions& options);
  // Returns the state in `given`. Errors as LoadState.
  absl::StatusOr<internal::OptimizerState> Restored(const std::vector<NamedStore>& given) const;
  absl::StatusOr<std::vector<NamedStore>> Regroup(internal::ConstGroupRef group,
                                                  const std::vector<NamedStore>& adopt);

  // Returns the state of the leaves that no optimizer in `takers` with the same moments has.
  std::vector<NamedStore> LeftBy(absl::Span<const Rep* const> takers) const;

  Rule rule;
  internal::GroupSpec spec;
  internal::OptimizerState state;
  internal::StepPlan plan;  // kept to reuse its memory in each step
};

}  // namespace leafstore

#endif  // LEAFSTORE_OPTIM_INTERNAL_OPTIMIZER_REP_H_
