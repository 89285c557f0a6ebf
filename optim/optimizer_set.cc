#include "leafstore/optim/optimizer_set.h"

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "leafstore/core/internal/suggest.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/optim/internal/optimizer_rep.h"

namespace leafstore {

using internal::OptimizerState;

namespace {

absl::Status InGroup(absl::string_view name, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat("group '", name, "': ", status.message()));
}

const Rule* FindRule(const RuleMap& rules, const std::string& name) {
  const auto found = rules.find(name);
  return found == rules.end() ? nullptr : &found->second;
}

bool IsNull(const GroupRef& group) {
  return std::visit([](const auto* pointer) { return pointer == nullptr; }, group);
}
bool IsNull(const ConstGroupRef& group) {
  return std::visit([](const auto* pointer) { return pointer == nullptr; }, group);
}

ConstGroupRef Readable(const GroupRef& group) {
  return std::visit([](auto* pointer) { return ConstGroupRef(std::as_const(pointer)); }, group);
}

absl::Status CheckGroup(const Labels& labels, uint32_t group, const GroupRef& found) {
  if (IsNull(found)) {
    return absl::InvalidArgumentError("expected a store, as there is a rule for it, found null");
  }
  return std::visit(
      [&](const auto* store) {
        if (store->layout() == labels.layout() && store->slots() == labels.SlotsOf(group)) {
          return absl::OkStatus();
        }
        return absl::InvalidArgumentError(absl::StrCat(
            "expected the ", labels.SlotsOf(group).size(),
            " leaves that the labels give it, found other leaves (", store->slots().size(), ")"));
      },
      found);
}

// `state` by the name of the group, which is taken off. What has none is under "".
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
    const RuleMap& rules, const Labels& labels, absl::Span<const GroupRef> groups,
    absl::Span<const State> sources) {
  if (groups.size() != labels.group_count()) {
    return absl::InvalidArgumentError(
        absl::StrCat("groups: expected ", labels.group_count(), ", found ", groups.size()));
  }
  std::vector<const State*> source_pointers;
  for (const State& source : sources) source_pointers.push_back(&source);
  std::vector<std::optional<Optimizer>> optimizers(groups.size());
  for (uint32_t i = 0; i < groups.size(); ++i) {
    const Rule* rule = FindRule(rules, labels.name(i));
    if (rule == nullptr) continue;
    absl::Status status = CheckGroup(labels, i, groups[i]);
    if (!status.ok()) return InGroup(labels.name(i), status);
    auto rep = Optimizer::Rep::Adopting(*rule, Readable(groups[i]), source_pointers);
    if (!rep.ok()) return InGroup(labels.name(i), rep.status());
    optimizers[i] = Optimizer(*std::move(rep));
  }
  return optimizers;
}

absl::StatusOr<OptimizerSet> OptimizerSet::Create(RuleMap rules, const Labels& labels,
                                                  absl::Span<const GroupRef> groups) {
  for (const auto& [name, rule] : rules) {
    if (absl::Status status = labels.Get(name).status(); !status.ok()) {
      return absl::Status(status.code(), absl::StrCat("rule: ", status.message()));
    }
    if (absl::Status status = CheckRule(rule); !status.ok()) return InGroup(name, status);
  }
  LEAFSTORE_ASSIGN_OR_RETURN(auto optimizers, MakeOptimizers(rules, labels, groups, {}));
  return OptimizerSet(std::move(rules), labels, std::move(optimizers));
}

const Optimizer* OptimizerSet::Find(absl::string_view name) const& {
  const std::optional<uint32_t> group = labels_.Find(name);
  if (!group.has_value() || !optimizers_[*group].has_value()) return nullptr;
  return &*optimizers_[*group];
}

absl::Status OptimizerSet::CheckCount(absl::string_view what, size_t found) const {
  if (found == optimizers_.size()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(what, ": expected ", optimizers_.size(), " for the groups, found ", found));
}

absl::Status OptimizerSet::PrepareAll(absl::Span<const GroupRef> groups,
                                      absl::Span<const ConstGroupRef> grads,
                                      absl::Span<const StepOptions> options) {
  LEAFSTORE_RETURN_IF_ERROR(CheckCount("groups", groups.size()));
  LEAFSTORE_RETURN_IF_ERROR(CheckCount("gradients", grads.size()));
  LEAFSTORE_RETURN_IF_ERROR(CheckCount("options", options.size()));
  for (uint32_t i = 0; i < groups.size(); ++i) {
    if (!optimizers_[i].has_value()) continue;
    absl::Status status = CheckGroup(labels_, i, groups[i]);
    if (status.ok() && IsNull(grads[i])) {
      status = absl::InvalidArgumentError("gradients: expected a store, found null");
    }
    Optimizer::Rep& rep = *optimizers_[i]->rep_;
    if (status.ok()) {
      status = rep.plan.Prepare({rep.spec, &rep.state}, groups[i], grads[i], options[i]);
    }
    if (!status.ok()) return InGroup(labels_.name(i), status);
  }
  return absl::OkStatus();
}

absl::Status OptimizerSet::Step(absl::Span<const GroupRef> groups,
                                absl::Span<const ConstGroupRef> grads,
                                absl::Span<const StepOptions> options) {
  // Of all, after an exception too.
  absl::Cleanup abandon = [this] {
    for (std::optional<Optimizer>& optimizer : optimizers_) {
      if (optimizer.has_value()) optimizer->rep_->plan.Abandon();
    }
  };
  LEAFSTORE_RETURN_IF_ERROR(PrepareAll(groups, grads, options));
  std::move(abandon).Cancel();
  for (uint32_t i = 0; i < optimizers_.size(); ++i) {
    if (!optimizers_[i].has_value()) continue;
    Optimizer::Rep& rep = *optimizers_[i]->rep_;
    rep.plan.Commit({rep.spec, &rep.state}, rep.rule, options[i]);
  }
  return absl::OkStatus();
}

absl::Status OptimizerSet::Step(absl::Span<const GroupRef> groups,
                                absl::Span<const ConstGroupRef> grads, const StepOptions& options) {
  return Step(groups, grads, std::vector<StepOptions>(optimizers_.size(), options));
}

absl::Status OptimizerSet::Step(absl::Span<const GroupRef> groups, const ParamStore& grads,
                                const StepOptions& options) {
  return Step(groups, std::vector<ConstGroupRef>(optimizers_.size(), &grads), options);
}

std::vector<NamedStore> OptimizerSet::state() const {
  std::vector<NamedStore> all;
  for (uint32_t i = 0; i < optimizers_.size(); ++i) {
    if (optimizers_[i].has_value()) AppendState(labels_.name(i), optimizers_[i]->state(), &all);
  }
  return all;
}

absl::Status OptimizerSet::LoadState(const std::vector<NamedStore>& state) {
  LEAFSTORE_ASSIGN_OR_RETURN(auto given, ByGroup(state));
  std::vector<std::string> problems;
  std::vector<OptimizerState> states(optimizers_.size());
  for (uint32_t i = 0; i < optimizers_.size(); ++i) {
    if (!optimizers_[i].has_value()) continue;
    absl::StatusOr<OptimizerState> one = optimizers_[i]->rep_->Restored(given[labels_.name(i)]);
    given.erase(labels_.name(i));
    if (one.ok()) {
      states[i] = *std::move(one);
    } else if (absl::IsInvalidArgument(one.status())) {
      problems.emplace_back(InGroup(labels_.name(i), one.status()).message());
    } else {
      return InGroup(labels_.name(i), one.status());
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
  const std::vector<NamedStore>& readable = state;
  LEAFSTORE_RETURN_IF_ERROR(LoadState(readable));
  state.clear();
  return absl::OkStatus();
}

absl::StatusOr<std::vector<NamedStore>> OptimizerSet::Repartition(
    const Labels& labels, absl::Span<const GroupRef> groups, const std::vector<NamedStore>& adopt) {
  std::vector<State> sources;
  for (const std::optional<Optimizer>& optimizer : optimizers_) {
    if (optimizer.has_value()) sources.push_back(optimizer->state());
  }
  LEAFSTORE_ASSIGN_OR_RETURN(auto adopted, ByGroup(adopt));
  for (auto& [name, stores] : adopted) sources.push_back(std::move(stores));
  LEAFSTORE_ASSIGN_OR_RETURN(auto next, MakeOptimizers(rules_, labels, groups, sources));

  std::vector<NamedStore> left;
  for (uint32_t i = 0; i < optimizers_.size(); ++i) {
    if (!optimizers_[i].has_value()) continue;
    std::vector<const Optimizer::Rep*> takers;
    for (const std::optional<Optimizer>& one : next) {
      if (one.has_value()) takers.push_back(one->rep_.get());
    }
    AppendState(labels_.name(i), optimizers_[i]->rep_->LeftBy(takers), &left);
  }
  labels_ = labels;
  optimizers_ = std::move(next);
  return left;
}

}  // namespace leafstore
