#include "leafstore/optim/optimizer_set.h"

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/optim/internal/optimizer_rep.h"

namespace leafstore {

using internal::ConstGroupRef;
using internal::OptimizerState;
using internal::StepNumbers;

namespace {

absl::Status InGroup(absl::string_view name, const absl::Status& status) {
  return WithContext(status, absl::StrCat("group '", name, "'"));
}

// error NotFound: `numbers` names a group that does not exist.
absl::Status CheckNames(const Grouping& grouping, absl::string_view what, const PerGroup& numbers) {
  for (const auto& [name, number] : numbers.by_name()) {
    LEAFSTORE_RETURN_IF_ERROR(WithContext(grouping.Get(name).status(), what));
  }
  return absl::OkStatus();
}

// Groups the stores of `state` by the name of their group, which is removed from their names.
// Stores without one are under "".
absl::StatusOr<std::map<std::string, std::vector<NamedStore>>> ByGroup(
    const std::vector<NamedStore>& state) {
  std::map<std::string, std::vector<NamedStore>> groups;
  for (const NamedStore& one : state) {
    const size_t slash = one.name.rfind('/');
    const bool has_group = slash != std::string::npos;
    absl::StatusOr<ParamStore> store = one.store.Snapshot();
    if (!store.ok()) return InGroup(one.name, store.status());
    groups[has_group ? one.name.substr(0, slash) : ""].push_back(
        {has_group ? one.name.substr(slash + 1) : one.name, *std::move(store)});
  }
  return groups;
}

void AppendState(absl::string_view group, std::vector<NamedStore> state,
                 std::vector<NamedStore>* all) {
  for (NamedStore& one : state) {
    all->push_back({absl::StrCat(group, "/", one.name), std::move(one.store)});
  }
}

}  // namespace

absl::StatusOr<std::vector<std::optional<Optimizer>>> OptimizerSet::MakeOptimizers(
    const std::map<std::string, Rule>& rules, const Groups& groups,
    absl::Span<const State> sources) {
  std::vector<const State*> source_pointers;
  for (const State& source : sources) source_pointers.push_back(&source);
  std::vector<std::optional<Optimizer>> optimizers(groups.size());
  for (uint32_t i = 0; i < groups.size(); ++i) {
    const Group& group = groups.group(i);
    const auto rule = rules.find(group.name());
    if (rule == rules.end()) continue;
    LEAFSTORE_RETURN_IF_ERROR(group.CheckSlots());
    auto rep = Optimizer::Rep::Adopting(rule->second, internal::RefTo(group), source_pointers);
    if (!rep.ok()) return InGroup(group.name(), rep.status());
    optimizers[i] = Optimizer(*std::move(rep));
  }
  return optimizers;
}

absl::StatusOr<OptimizerSet> OptimizerSet::Create(std::map<std::string, Rule> rules,
                                                  const Groups& groups) {
  for (const auto& [name, rule] : rules) {
    LEAFSTORE_RETURN_IF_ERROR(WithContext(groups.grouping().Get(name).status(), "rule"));
    LEAFSTORE_RETURN_IF_ERROR(InGroup(name, CheckRule(rule)));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(auto optimizers, MakeOptimizers(rules, groups, {}));
  return OptimizerSet(std::move(rules), groups.grouping(), std::move(optimizers));
}

const Optimizer* OptimizerSet::Find(absl::string_view name) const& {
  const std::optional<uint32_t> group = grouping_.Find(name);
  if (!group.has_value() || !optimizers_[*group].has_value()) return nullptr;
  return &*optimizers_[*group];
}

// Adopts `found` if it is equal, so that the slots are compared only once.
absl::Status OptimizerSet::CheckGrouping(absl::string_view what, const Grouping& found) {
  if (found == grouping_) {
    grouping_ = found;
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat(what, ": expected groups of the grouping that the ", "optimizers are for (",
                   grouping_.ToString(), "), found others (", found.ToString(), ")"));
}

absl::Status OptimizerSet::Step(Groups* groups, const ParamStore* grads, const Groups* grad_groups,
                                const StepOptions& options) {
  LEAFSTORE_RETURN_IF_ERROR(CheckNames(grouping_, "lr", options.lr));
  LEAFSTORE_RETURN_IF_ERROR(CheckNames(grouping_, "grad_scale", options.grad_scale));
  LEAFSTORE_RETURN_IF_ERROR(CheckGrouping("groups", groups->grouping()));
  if (grad_groups != nullptr) {
    LEAFSTORE_RETURN_IF_ERROR(CheckGrouping("gradients", grad_groups->grouping()));
  }
  // Abandons the plans that are still open, also after an exception.
  const absl::Cleanup abandon = [this] {
    for (std::optional<Optimizer>& optimizer : optimizers_) {
      if (optimizer.has_value()) optimizer->rep_->plan.Abandon();
    }
  };
  std::vector<std::pair<Optimizer::Rep*, StepNumbers>> prepared;
  for (uint32_t i = 0; i < optimizers_.size(); ++i) {
    if (!optimizers_[i].has_value()) continue;
    Group& group = groups->group(i);
    LEAFSTORE_RETURN_IF_ERROR(group.CheckSlots());
    const absl::StatusOr<StepNumbers> own = StepNumbers::Of(options, group.name());
    if (!own.ok()) return InGroup(group.name(), own.status());
    Optimizer::Rep& rep = *optimizers_[i]->rep_;
    const ConstGroupRef own_grads =
        grad_groups != nullptr ? internal::RefTo(grad_groups->group(i)) : ConstGroupRef(grads);
    absl::Status status =
        rep.plan.Prepare({rep.spec, &rep.state}, internal::RefTo(&group), own_grads);
    if (!status.ok()) return InGroup(group.name(), status);
    prepared.emplace_back(&rep, *own);
  }
  for (auto& [rep, own] : prepared) rep->plan.Commit({rep->spec, &rep->state}, rep->rule, own);
  return absl::OkStatus();
}

std::vector<NamedStore> OptimizerSet::state() const {
  std::vector<NamedStore> all;
  for (uint32_t i = 0; i < optimizers_.size(); ++i) {
    if (optimizers_[i].has_value()) AppendState(grouping_.name(i), optimizers_[i]->state(), &all);
  }
  return all;
}

absl::Status OptimizerSet::LoadState(const std::vector<NamedStore>& state) {
  LEAFSTORE_ASSIGN_OR_RETURN(auto given, ByGroup(state));
  std::vector<std::string> problems;
  std::vector<OptimizerState> states(optimizers_.size());
  for (uint32_t i = 0; i < optimizers_.size(); ++i) {
    if (!optimizers_[i].has_value()) continue;
    absl::StatusOr<OptimizerState> one = optimizers_[i]->rep_->Restored(given[grouping_.name(i)]);
    given.erase(grouping_.name(i));
    if (one.ok()) {
      states[i] = *std::move(one);
    } else if (absl::IsInvalidArgument(one.status())) {
      problems.emplace_back(InGroup(grouping_.name(i), one.status()).message());
    } else {
      return InGroup(grouping_.name(i), one.status());
    }
  }
  for (const auto& [name, stores] : given) {
    problems.push_back(
        absl::StrCat("group '", name, "': expected no state, found ", stores.size(), " stores"));
  }
  if (!problems.empty()) return absl::InvalidArgumentError(absl::StrJoin(problems, "\n"));
  for (uint32_t i = 0; i < optimizers_.size(); ++i) {
    if (optimizers_[i].has_value()) optimizers_[i]->rep_->state = std::move(states[i]);
  }
  return absl::OkStatus();
}

absl::Status OptimizerSet::LoadState(std::vector<NamedStore>&& state) {
  LEAFSTORE_RETURN_IF_ERROR(LoadState(std::as_const(state)));
  state.clear();
  return absl::OkStatus();
}

absl::StatusOr<std::vector<NamedStore>> OptimizerSet::Regroup(
    const Grouping& grouping, Groups* groups, const std::vector<NamedStore>& adopt) {
  LEAFSTORE_ASSIGN_OR_RETURN(Groups next_groups, groups->Regroup(grouping));
  std::vector<State> sources;
  for (const std::optional<Optimizer>& optimizer : optimizers_) {
    if (optimizer.has_value()) sources.push_back(optimizer->state());
  }
  LEAFSTORE_ASSIGN_OR_RETURN(auto adopted, ByGroup(adopt));
  for (auto& [name, stores] : adopted) sources.push_back(std::move(stores));
  LEAFSTORE_ASSIGN_OR_RETURN(auto next, MakeOptimizers(rules_, next_groups, sources));

  std::vector<NamedStore> left;
  for (uint32_t i = 0; i < optimizers_.size(); ++i) {
    if (!optimizers_[i].has_value()) continue;
    std::vector<const Optimizer::Rep*> takers;
    for (const std::optional<Optimizer>& one : next) {
      if (one.has_value()) takers.push_back(one->rep_.get());
    }
    AppendState(grouping_.name(i), optimizers_[i]->rep_->LeftBy(takers), &left);
  }
  grouping_ = grouping;
  *groups = std::move(next_groups);
  optimizers_ = std::move(next);
  return left;
}

absl::StatusOr<std::vector<NamedStore>> OptimizerSet::Regroup(
    std::vector<NamedFilter> filters, Groups* groups, const std::vector<NamedStore>& adopt) {
  LEAFSTORE_ASSIGN_OR_RETURN(const ParamStore all, groups->Merge());
  LEAFSTORE_ASSIGN_OR_RETURN(const Grouping grouping, Grouping::Compile(all, std::move(filters)));
  return Regroup(grouping, groups, adopt);
}

}  // namespace leafstore
