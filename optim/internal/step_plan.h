// StepPlan: one step of one group, in two phases. Prepare checks everything and opens all that will
// be written; Commit cannot fail. So a step changes all or nothing, and so does a step of several
// groups, which are all prepared before the first is committed.
#ifndef LEAFSTORE_OPTIM_INTERNAL_STEP_PLAN_H_
#define LEAFSTORE_OPTIM_INTERNAL_STEP_PLAN_H_

#include <optional>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/optim/internal/group_spec.h"
#include "leafstore/optim/internal/optimizer_state.h"
#include "leafstore/optim/internal/rule_runner.h"
#include "leafstore/optim/optimizer.h"
#include "leafstore/optim/rules.h"
#include "leafstore/pack/pack.h"
#include "leafstore/select/groups.h"
#include "leafstore/store/param_store.h"

namespace leafstore::internal {

// The group to step, and a group that is only read, such as gradients. Never null.
using GroupRef = std::variant<ParamStore*, Packed*>;
using ConstGroupRef = std::variant<const ParamStore*, const Packed*>;

inline GroupRef RefTo(Group* group) {
  if (group->packed()) return &group->pack();
  return &group->store();
}
inline ConstGroupRef RefTo(const Group& group) {
  if (group.packed()) return &group.pack();
  return &group.store();
}

// The hyperparameters of one group.
struct StepNumbers {
  // Returns those of `options` for a group. error InvalidArgument: one is missing or out of range.
  static absl::StatusOr<StepNumbers> Of(const StepOptions& options, absl::string_view group);

  double lr;
  double grad_scale;
};

class StepPlan {
 public:
  StepPlan() = default;
  StepPlan(StepPlan&&) = default;
  StepPlan& operator=(StepPlan&&) = default;
  ~StepPlan() { Abandon(); }

  class Gradients;  // step_plan.cc
  // The group and the state to step.
  struct Target {
    const GroupSpec& spec;
    OptimizerState* state;
  };

  // Checks and opens everything. Errors as Optimizer::Step. May be called again after Commit or
  // Abandon, which keep the memory.
  absl::Status Prepare(const Target& target, GroupRef params, ConstGroupRef grads);
  // Computes the step and closes. Prepare must have succeeded with the same target.
  void Commit(const Target& target, const Rule& rule, const StepNumbers& numbers);
  // Closes what is open. No element has changed, but what was open may have new generations.
  void Abandon();

 private:
  absl::Status Open(const Target& target, GroupRef params, ConstGroupRef grads);
  absl::Status OpenStore(const Target& target, ParamStore* params, const Gradients& grads);
  absl::Status OpenRest(const Target& target, Packed* params, const Gradients& grads);
  absl::Status OpenPack(const Target& target, Packed* params, const Gradients& grads);
  void Close();

  std::vector<Run> runs_;
  std::vector<MutableLeaves> open_leaves_;
  std::vector<MutablePack> open_packs_;
  std::optional<ParamStore> grads_view_;  // of gradients in a pack of another plan
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_OPTIM_INTERNAL_STEP_PLAN_H_
