// OptimizerSet: an optimizer for each named group.
//
//   Groups groups = grouping.Split(std::move(params)).value();
//   OptimizerSet optimizers =
//       OptimizerSet::Create({{"no_decay", Adam{}}, {"weights", AdamW{}}}, groups).value();
//   LEAFSTORE_RETURN_IF_ERROR(optimizers.Step(&groups, grads, {.lr = 1e-3}));
//   ... with a learning rate for each group
//   LEAFSTORE_RETURN_IF_ERROR(optimizers.Step(
//       &groups, grads, {.lr = {{"no_decay", 2e-3}, {"weights", 1e-3}}, .grad_scale = scale}));
//
// A group without a rule is frozen: steps ignore it. A group that is packed when the set is created
// must stay packed, and one that is not must stay so.
//
// Gradients are either a store of the full model (or at least of the trained part), from which each
// group takes its own by slot, or Groups of the same Grouping.
//
// Freezing. Regroup switches to another Grouping of the same parameters. A leaf keeps its state and
// step count if the optimizer of its new group has the same moments as that of its old one; so it
// can move between Adam and AdamW. A leaf that was frozen begins with zeros and step count 0.
// Regroup returns the state of leaves that are frozen now.
//
// Errors are those of Optimizer, prefixed with the name of the group. Every call, also a step of
// several groups, succeeds completely or changes nothing.
//
// Threads: see Optimizer.
#ifndef LEAFSTORE_OPTIM_OPTIMIZER_SET_H_
#define LEAFSTORE_OPTIM_OPTIMIZER_SET_H_

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/optim/optimizer.h"
#include "leafstore/optim/rules.h"
#include "leafstore/select/grouping.h"
#include "leafstore/select/groups.h"
#include "leafstore/store/param_store.h"

namespace leafstore {

class OptimizerSet {
 public:
  // Creates a set without groups.
  OptimizerSet() = default;

  // Creates an optimizer for each group with a rule. `rules` maps names of groups to rules.
  // error InvalidArgument: as CheckRule and Optimizer::Create; or a group does not have the leaves
  //       that its Grouping assigns to it.
  // error NotFound: a rule names a group that does not exist; with suggestions.
  // error FailedPrecondition, ResourceExhausted: as Optimizer::Create. O(bytes).
  static absl::StatusOr<OptimizerSet> Create(std::map<std::string, Rule> rules,
                                             const Groups& groups);

  const Grouping& grouping() const { return grouping_; }
  // Returns the optimizer of a group, or null if no such group exists or it is frozen. Valid until
  // this set is written, moved from or destroyed.
  const Optimizer* Find(absl::string_view name) const&;
  const Optimizer* Find(absl::string_view name) && = delete;  // would dangle

  // Makes one step of all groups.
  // error InvalidArgument: as Optimizer::Step; `groups` are of another Grouping, or a group does
  //       not have its leaves; or `options` has no scalar for a group with a rule (scalars for
  //       frozen groups are ignored).
  // error NotFound: `options` names a group that does not exist; with suggestions.
  absl::Status Step(Groups* groups, const ParamStore& grads, const StepOptions& options) {
    return Step(groups, &grads, nullptr, options);
  }
  // Like Step above, but with gradients in groups of the same Grouping. Frozen groups are ignored.
  absl::Status Step(Groups* groups, const Groups& grads, const StepOptions& options) {
    return Step(groups, nullptr, &grads, options);
  }

  // Returns all state by group: "bias/momentum_buffer", "bias/step", "rest/exp_avg" and so on.
  // Otherwise like Optimizer::state.
  std::vector<NamedStore> state() const;
  // Replaces the state with one that state() returned. error InvalidArgument: as
  // Optimizer::LoadState, for all groups together; or stores of a group that has no optimizer.
  absl::Status LoadState(const std::vector<NamedStore>& state);
  // Like LoadState above, but moves `state`: it is empty afterwards, or unchanged after an error.
  absl::Status LoadState(std::vector<NamedStore>&& state);

  // Switches this set and `groups` (Groups::Regroup) to another Grouping, with the same rules.
  // State that no optimizer here has is taken from `adopt`: the results of earlier Regroups, one
  // after the other, or the state() of another set. Returns the state of leaves that are now in no
  // group with a rule, named as by state(). O(leaves); packed: O(bytes).
  // Errors: those of Create (but a rule without a group is unused, not an error), Groups::Regroup
  // and Optimizer::Regroup; `groups` is then unchanged.
  absl::StatusOr<std::vector<NamedStore>> Regroup(const Grouping& grouping, Groups* groups,
                                                  const std::vector<NamedStore>& adopt = {});
  // Like Regroup above, but first compiles a Grouping from these filters. Errors: also those of
  // Grouping::Compile. O(nodes * filters) in addition.
  absl::StatusOr<std::vector<NamedStore>> Regroup(std::vector<NamedFilter> filters, Groups* groups,
                                                  const std::vector<NamedStore>& adopt = {});

 private:
  using State = std::vector<NamedStore>;

  OptimizerSet(std::map<std::string, Rule> rules, Grouping grouping,
               std::vector<std::optional<Optimizer>> optimizers)
      : rules_(std::move(rules)),
        grouping_(std::move(grouping)),
        optimizers_(std::move(optimizers)) {}

  static absl::StatusOr<std::vector<std::optional<Optimizer>>> MakeOptimizers(
      const std::map<std::string, Rule>& rules, const Groups& groups,
      absl::Span<const State> sources);
  // One of `grads` and `grad_groups` is null.
  absl::Status Step(Groups* groups, const ParamStore* grads, const Groups* grad_groups,
                    const StepOptions& options);
  absl::Status CheckGrouping(absl::string_view what, const Grouping& found);

  std::map<std::string, Rule> rules_;
  Grouping grouping_;
  std::vector<std::optional<Optimizer>> optimizers_;  // by group; none for a frozen one
};

}  // namespace leafstore

#endif  // LEAFSTORE_OPTIM_OPTIMIZER_SET_H_
