// What an Optimizer consists of; for optimizer.cc and optimizer_set.cc.
#ifndef LEAFSTORE_OPTIM_INTERNAL_OPTIMIZER_REP_H_
#define LEAFSTORE_OPTIM_INTERNAL_OPTIMIZER_REP_H_

#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/optim/internal/group_ref.h"
#include "leafstore/optim/internal/group_spec.h"
#include "leafstore/optim/internal/optimizer_state.h"
#include "leafstore/optim/internal/step_plan.h"
#include "leafstore/optim/optimizer.h"

namespace leafstore {

struct Optimizer::Rep {
  Rep(const Rule& r, internal::GroupSpec sp, internal::OptimizerState st)
      : rule(r), spec(std::move(sp)), state(std::move(st)) {}

  // An optimizer of `group` with what it finds in `sources`. Errors as Regroup.
  static absl::StatusOr<std::unique_ptr<Rep>> Adopting(
      const Rule& rule, internal::ConstGroupRef group,
      absl::Span<const std::vector<NamedStore>* const> sources);

  absl::Status Step(internal::GroupRef params, internal::ConstGroupRef grads,
                    const StepOptions& options);
  // The state that `given` says. Errors as LoadState.
  absl::StatusOr<internal::OptimizerState> Restored(const std::vector<NamedStore>& given) const;
  absl::StatusOr<std::vector<NamedStore>> Regroup(internal::ConstGroupRef group,
                                                  const std::vector<NamedStore>& adopt);

  // The state of leaves that none of `takers` has and keeps the same moments of.
  std::vector<NamedStore> LeftBy(absl::Span<const Rep* const> takers) const;

  Rule rule;
  internal::GroupSpec spec;
  internal::OptimizerState state;
  internal::StepPlan plan;  // its memory is used again in each step
};

}  // namespace leafstore

#endif  // LEAFSTORE_OPTIM_INTERNAL_OPTIMIZER_REP_H_
