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
// A group whose name has no rule is frozen: no step looks at it. A group is a store or packed, as it
// was when the set was made.
//
// Gradients are a store of the whole model (or of as much of it as is trained), of which each group
// takes its own by slot; or Groups of the same Grouping.
//
// Freezing. Regroup goes over to another Grouping of the same parameters: each leaf keeps its state
// where its new group's optimizer keeps the same moments as the old one's; so it may move between an
// Adam and an AdamW, and keeps its place in time. A leaf that was frozen begins with zeros and a
// step of its own. The state of leaves that are frozen now is returned.
//
// Errors are those of Optimizer, after the name of the group. A step of several groups, as every
// other call, changes all or nothing.
//
// Threads: as Optimizer.
#ifndef LEAFSTORE_OPTIM_OPTIMIZER_SET_H_
#define LEAFSTORE_OPTIM_OPTIMIZER_SET_H_

#include <cstdint>
#include <initializer_list>
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
#include "leafstore/store/named_store.h"
#include "leafstore/store/param_store.h"

namespace leafstore {

// By the name of the group.
using RuleMap = std::map<std::string, Rule>;

// A number for each group: one for all, or one by name, of names that need only live for the call.
class PerGroup {
 public:
  // For no group.
  PerGroup() = default;
  PerGroup(double all) : all_(all) {}  // NOLINT: {.lr = 1e-3}
  PerGroup(std::initializer_list<std::pair<absl::string_view, double>> by_name)
      : by_name_(by_name) {}
  explicit PerGroup(std::vector<std::pair<absl::string_view, double>> by_name)
      : by_name_(std::move(by_name)) {}

  // Returns the number of a group; none where others are given by name. O(names).
  std::optional<double> Find(absl::string_view group) const;
  // The names that have a number of their own.
  absl::Span<const std::pair<absl::string_view, double>> by_name() const { return by_name_; }

 private:
  std::optional<double> all_;
  std::vector<std::pair<absl::string_view, double>> by_name_;
};

// The numbers of one step of several groups. Each group that is stepped needs both; those of frozen
// groups are ignored.
struct GroupStepOptions {
  PerGroup lr = {};         // as StepOptions::lr
  PerGroup grad_scale = 1;  // as StepOptions::grad_scale
};

class OptimizerSet {
 public:
  // error InvalidArgument: as CheckRule and Optimizer::Create; or a group has not the leaves that
  //       its Grouping gives it.
  // error NotFound: a rule has the name of no group; with suggestions.
  // error FailedPrecondition, ResourceExhausted: as Optimizer::Create. O(bytes).
  static absl::StatusOr<OptimizerSet> Create(RuleMap rules, const Groups& groups);

  const Grouping& grouping() const { return grouping_; }
  // Returns the optimizer of a group, or null: there is no such group, or it is frozen. Valid until
  // this set is written, moved from or destroyed.
  const Optimizer* Find(absl::string_view name) const&;
  const Optimizer* Find(absl::string_view name) && = delete;  // would dangle

  // Makes one step of all groups.
  // error InvalidArgument: as Optimizer::Step; `groups` are of another Grouping, or one has not its
  //       leaves; or a group with a rule has no number in `options`.
  // error NotFound: `options` has the name of no group; with suggestions.
  absl::Status Step(Groups* groups, const ParamStore& grads, const GroupStepOptions& options);
  // Like Step, with gradients in groups of the same Grouping; those of frozen groups are ignored.
  absl::Status Step(Groups* groups, const Groups& grads, const GroupStepOptions& options);

  // All state by value: "bias/momentum_buffer", "bias/step", "rest/exp_avg" and so on, by group.
  std::vector<NamedStore> state() const;
  // Takes up what state() gave. error InvalidArgument: as Optimizer::LoadState, for all groups
  // together; or stores of no group.
  absl::Status LoadState(const std::vector<NamedStore>& state);
  // The same; moved in. Empty afterwards, but after an error as before.
  absl::Status LoadState(std::vector<NamedStore>&& state);

  // Goes over to another Grouping, and so do `groups` (Groups::Regroup); the rules stay. State of
  // leaves that no optimizer here has is looked for in `adopt`: what an earlier Regroup returned, or
  // the state() of another set. Returns the state of leaves that are in no group with a rule now,
  // named as state() names it.
  // Errors as Create (but a rule without a group is no error: it rests), as Groups::Regroup and as
  // Optimizer::Regroup; `groups` is then as before. O(leaves); packed: O(bytes).
  absl::StatusOr<std::vector<NamedStore>> Regroup(const Grouping& grouping, Groups* groups,
                                                  const std::vector<NamedStore>& adopt = {});

 private:
  using State = std::vector<NamedStore>;

  OptimizerSet(RuleMap rules, Grouping grouping, std::vector<std::optional<Optimizer>> optimizers)
      : rules_(std::move(rules)),
        grouping_(std::move(grouping)),
        optimizers_(std::move(optimizers)) {}

  static absl::StatusOr<std::vector<std::optional<Optimizer>>> MakeOptimizers(
      const RuleMap& rules, const Groups& groups, absl::Span<const State> sources);
  // `grads` or `grad_groups` is null.
  absl::Status Step(Groups* groups, const ParamStore* grads, const Groups* grad_groups,
                    const GroupStepOptions& options);
  absl::Status CheckGrouping(absl::string_view what, const Grouping& found);
  absl::StatusOr<StepOptions> OptionsOf(uint32_t group, const GroupStepOptions& options) const;

  RuleMap rules_;
  Grouping grouping_;
  std::vector<std::optional<Optimizer>> optimizers_;  // by group; none for a frozen one
};

}  // namespace leafstore

#endif  // LEAFSTORE_OPTIM_OPTIMIZER_SET_H_
