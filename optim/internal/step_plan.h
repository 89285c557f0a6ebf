// StepPlan: one step of one group, in two halves. Preparing checks everything and opens all that
// will be written; committing cannot fail. So a step changes all or nothing, and so does a step of
// several groups, which are prepared before the first is committed.
#ifndef LEAFSTORE_OPTIM_INTERNAL_STEP_PLAN_H_
#define LEAFSTORE_OPTIM_INTERNAL_STEP_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "leafstore/optim/internal/group_ref.h"
#include "leafstore/optim/internal/group_spec.h"
#include "leafstore/optim/internal/optimizer_state.h"
#include "leafstore/optim/internal/rule_runner.h"
#include "leafstore/optim/optimizer.h"
#include "leafstore/optim/rules.h"
#include "leafstore/pack/pack.h"
#include "leafstore/store/param_store.h"

namespace leafstore::internal {

class StepPlan {
 public:
  StepPlan() = default;
  StepPlan(StepPlan&&) = default;
  StepPlan& operator=(StepPlan&&) = default;
  ~StepPlan() { Abandon(); }

  // Whose step it is.
  struct Target {
    const GroupSpec& spec;
    OptimizerState* state;
  };

  // Errors as Optimizer::Step. May be called again after Commit or Abandon, which keep the memory.
  absl::Status Prepare(const Target& target, GroupRef params, ConstGroupRef grads,
                       const StepOptions& options);
  // Prepare must have succeeded, with the same target and options.
  void Commit(const Target& target, const Rule& rule, const StepOptions& options);
  // Closes what is open; no number has changed, though what was open may have new generations.
  void Abandon();

 private:
  void Close();
  absl::Status PrepareStore(const Target& target, ParamStore* params, const ParamStore& grads);
  absl::Status PreparePack(const Target& target, Packed* params, ConstGroupRef grads);
  // `grads` are at `grad_bytes` if these are not null, and then those of the rest in `grads`.
  absl::Status PreparePack(const Target& target, Packed* params, const ParamStore& grads,
                           const std::byte* grad_bytes);
  absl::Status PrepareRest(const Target& target, Packed* params, const ParamStore& grads);

  std::vector<Run> runs_;
  std::vector<MutableLeaves> open_leaves_;
  std::vector<MutablePack> open_packs_;
  std::optional<ParamStore> grads_view_;  // of gradients in a pack of another plan
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_OPTIM_INTERNAL_STEP_PLAN_H_
