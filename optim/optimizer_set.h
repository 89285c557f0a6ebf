// OptimizerSet: an optimizer for each named group of a partition.
//
//   Labels labels = Labels::Create(params.layout(), plan, {"bias", "frozen", "rest"}).value();
//   auto [bias, frozen, rest] = plan.Split<3>(std::move(params)).value();
//   OptimizerSet optimizers =
//       OptimizerSet::Create({{"bias", Sgd{.momentum = 0.9}}, {"rest", AdamW{}}}, labels,
//                            {&bias, &frozen, &rest}).value();
//   LEAFSTORE_RETURN_IF_ERROR(optimizers.Step({&bias, &frozen, &rest}, grads, lr));
//
// Groups are given in the order of the labels, each a ParamStore or a Packed one. A group whose
// name has no rule is frozen: no step looks at it, and null may be given for it.
//
// Gradients are a store of the whole model (or of as much of it as is trained), of which each group
// takes its own by slot; or one for each group.
//
// Freezing. Repartition goes over to other labels over the same parameters: each leaf keeps its
// state where its new group's optimizer keeps the same moments as the old one's; so it may move
// between an Adam and an AdamW, and keeps its place in time. A leaf that was frozen begins with
// zeros and a step of its own. The state of leaves that are frozen now is handed back.
//
// Errors are those of Optimizer, after the name of the group. A step of several groups, as every
// other call, changes all or nothing.
//
// Threads: as Optimizer.
#ifndef LEAFSTORE_OPTIM_OPTIMIZER_SET_H_
#define LEAFSTORE_OPTIM_OPTIMIZER_SET_H_

#include <cstdint>
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
#include "leafstore/select/labels.h"
#include "leafstore/store/named_store.h"
#include "leafstore/store/param_store.h"

namespace leafstore {

// By the name of the group.
using RuleMap = std::map<std::string, Rule>;

class OptimizerSet {
 public:
  // error InvalidArgument: as CheckRule and Optimizer::Create; not as many groups as labels, one
  //       that is not what the labels say, or null where there is a rule.
  // error NotFound: a rule has the name of no group; with near names.
  // error FailedPrecondition, ResourceExhausted: as Optimizer::Create. O(bytes).
  static absl::StatusOr<OptimizerSet> Create(RuleMap rules, const Labels& labels,
                                             absl::Span<const GroupRef> groups);

  const Labels& labels() const { return labels_; }
  // The optimizer of a group, or null: there is no such group, or it is frozen. Valid until this
  // set is written, moved from or destroyed.
  const Optimizer* Find(absl::string_view name) const&;
  const Optimizer* Find(absl::string_view name) && = delete;  // would dangle

  // One step of all groups. Errors as Optimizer::Step, and as Create for `groups`.
  absl::Status Step(absl::Span<const GroupRef> groups, const ParamStore& grads,
                    const StepOptions& options);
  // The same with gradients for each group; what is given for a frozen one is not looked at.
  absl::Status Step(absl::Span<const GroupRef> groups, absl::Span<const ConstGroupRef> grads,
                    const StepOptions& options);
  // The same with options for each group (a learning rate of its own).
  // error InvalidArgument also: not as many as groups.
  absl::Status Step(absl::Span<const GroupRef> groups, absl::Span<const ConstGroupRef> grads,
                    absl::Span<const StepOptions> options);

  // All state by value: "bias/momentum_buffer", "bias/step", "rest/exp_avg" and so on, by group.
  std::vector<NamedStore> state() const;
  // Takes up what state() gave. error InvalidArgument: as Optimizer::LoadState, for all groups
  // together; or stores of no group.
  absl::Status LoadState(const std::vector<NamedStore>& state);
  // The same; moved in. Empty afterwards, but after an error as before.
  absl::Status LoadState(std::vector<NamedStore>&& state);

  // Goes over to new groups, named by new labels; the rules stay. `adopt` is looked at for leaves
  // that no optimizer here has state of: what an earlier Repartition handed back, or the state() of
  // another set. Returns the state of leaves that are in no group with a rule now, named as state()
  // names it.
  // Errors as Create (but a rule without a group is no error: it rests), and as Optimizer::Rebind.
  // O(leaves); packed: O(bytes).
  absl::StatusOr<std::vector<NamedStore>> Repartition(const Labels& labels,
                                                      absl::Span<const GroupRef> groups,
                                                      const std::vector<NamedStore>& adopt = {});

 private:
  using State = std::vector<NamedStore>;

  OptimizerSet(RuleMap rules, Labels labels, std::vector<std::optional<Optimizer>> optimizers)
      : rules_(std::move(rules)), labels_(std::move(labels)), optimizers_(std::move(optimizers)) {}

  static absl::StatusOr<std::vector<std::optional<Optimizer>>> MakeOptimizers(
      const RuleMap& rules, const Labels& labels, absl::Span<const GroupRef> groups,
      absl::Span<const State> sources);
  absl::Status CheckCount(absl::string_view what, size_t found) const;
  absl::Status PrepareAll(absl::Span<const GroupRef> groups, absl::Span<const ConstGroupRef> grads,
                          absl::Span<const StepOptions> options);

  RuleMap rules_;
  Labels labels_;
  std::vector<std::optional<Optimizer>> optimizers_;  // by group; none for a frozen one
};

}  // namespace leafstore

#endif  // LEAFSTORE_OPTIM_OPTIMIZER_SET_H_
