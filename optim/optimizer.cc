#include "leafstore/optim/optimizer.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/optim/internal/optimizer_rep.h"
#include "leafstore/store/align.h"

namespace leafstore {

using internal::ConstGroupRef;
using internal::GroupRef;
using internal::GroupSpec;
using internal::OptimizerState;

std::optional<double> PerGroup::Find(absl::string_view group) const {
  for (const auto& [name, scalar] : by_name_) {
    if (name == group) return scalar;
  }
  return all_;
}

Optimizer::Optimizer(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
Optimizer::Optimizer(Optimizer&&) noexcept = default;
Optimizer& Optimizer::operator=(Optimizer&&) noexcept = default;
Optimizer::~Optimizer() = default;

absl::StatusOr<Optimizer> Optimizer::Create(const Rule& rule, const ParamStore& group) {
  LEAFSTORE_RETURN_IF_ERROR(CheckRule(rule));
  LEAFSTORE_ASSIGN_OR_RETURN(std::unique_ptr<Rep> rep, Rep::Adopting(rule, &group, {}));
  return Optimizer(std::move(rep));
}

absl::StatusOr<Optimizer> Optimizer::Create(const Rule& rule, const Packed& group) {
  LEAFSTORE_RETURN_IF_ERROR(CheckRule(rule));
  LEAFSTORE_ASSIGN_OR_RETURN(std::unique_ptr<Rep> rep, Rep::Adopting(rule, &group, {}));
  return Optimizer(std::move(rep));
}

absl::StatusOr<std::unique_ptr<Optimizer::Rep>> Optimizer::Rep::Adopting(
    const Rule& rule, ConstGroupRef group,
    absl::Span<const std::vector<NamedStore>* const> sources) {
  LEAFSTORE_ASSIGN_OR_RETURN(
      GroupSpec spec, std::visit([](const auto* one) { return GroupSpec::Create(*one); }, group));
  const Packed* const* packed = std::get_if<const Packed*>(&group);
  LEAFSTORE_ASSIGN_OR_RETURN(
      OptimizerState state,
      GatherState(spec, MomentNames(rule), sources, packed != nullptr ? *packed : nullptr));
  return std::make_unique<Rep>(rule, std::move(spec), std::move(state));
}

const Rule& Optimizer::rule() const { return rep_->rule; }
const Layout& Optimizer::layout() const { return rep_->spec.layout(); }
const SlotSet& Optimizer::slots() const { return rep_->spec.slots(); }
bool Optimizer::packed() const { return rep_->spec.pack().has_value(); }

absl::Status Optimizer::Rep::Step(GroupRef params, ConstGroupRef grads,
                                  const StepOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const auto numbers, internal::StepNumbers::Of(options, ""));
  LEAFSTORE_RETURN_IF_ERROR(plan.Prepare({spec, &state}, params, grads));
  plan.Commit({spec, &state}, rule, numbers);
  return absl::OkStatus();
}

absl::Status Optimizer::Step(ParamStore* params, const ParamStore& grads,
                             const StepOptions& options) {
  return rep_->Step(params, &grads, options);
}
absl::Status Optimizer::Step(Packed* params, const Packed& grads, const StepOptions& options) {
  return rep_->Step(params, &grads, options);
}
absl::Status Optimizer::Step(Packed* params, const ParamStore& grads, const StepOptions& options) {
  return rep_->Step(params, &grads, options);
}

int64_t Optimizer::StepCountOf(Slot slot) const {
  const uint32_t place = rep_->spec.slots().PlaceOf(slot);
  return place == kNoPlace ? 0 : rep_->state.steps[place];
}

std::vector<NamedStore> Optimizer::state() const {
  return ExportState(rep_->spec, MomentNames(rep_->rule), rep_->state);
}

absl::StatusOr<OptimizerState> Optimizer::Rep::Restored(
    const std::vector<NamedStore>& given) const {
  // A moment has the leaves of the group, which is all that CreateLike needs.
  const Packed* like = state.packed.empty() ? nullptr : &state.packed[0];
  return RestoreState(spec, MomentNames(rule), given, like);
}

absl::Status Optimizer::LoadState(const std::vector<NamedStore>& state) {
  LEAFSTORE_ASSIGN_OR_RETURN(rep_->state, rep_->Restored(state));
  return absl::OkStatus();
}

absl::Status Optimizer::LoadState(std::vector<NamedStore>&& state) {
  LEAFSTORE_RETURN_IF_ERROR(LoadState(std::as_const(state)));
  state.clear();
  return absl::OkStatus();
}

std::vector<NamedStore> Optimizer::Rep::LeftBy(absl::Span<const Rep* const> takers) const {
  std::vector<bool> taken(spec.size(), false);
  for (const Rep* taker : takers) {
    if (MomentNames(taker->rule) != MomentNames(rule)) continue;
    const Alignment there =
        Align({spec.layout(), spec.slots()}, {taker->spec.layout(), taker->spec.slots()});
    for (uint32_t place = 0; place < spec.size(); ++place) {
      if (there[place] != kNoPlace) taken[place] = true;
    }
  }
  std::vector<uint32_t> left;
  for (uint32_t place = 0; place < spec.size(); ++place) {
    if (spec.leaves().is_tensor(place) && !taken[place]) left.push_back(place);
  }
  if (left.empty()) return {};
  return ExportState(spec, MomentNames(rule), state, left);
}

absl::StatusOr<std::vector<NamedStore>> Optimizer::Rep::Regroup(
    ConstGroupRef group, const std::vector<NamedStore>& adopt) {
  const std::vector<NamedStore> own = ExportState(spec, MomentNames(rule), state);
  LEAFSTORE_ASSIGN_OR_RETURN(std::unique_ptr<Rep> next, Adopting(rule, group, {&own, &adopt}));
  std::vector<NamedStore> left = LeftBy({next.get()});
  *this = std::move(*next);
  return left;
}

absl::StatusOr<std::vector<NamedStore>> Optimizer::Regroup(const ParamStore& group,
                                                           const std::vector<NamedStore>& adopt) {
  return rep_->Regroup(&group, adopt);
}
absl::StatusOr<std::vector<NamedStore>> Optimizer::Regroup(const Packed& group,
                                                           const std::vector<NamedStore>& adopt) {
  return rep_->Regroup(&group, adopt);
}

}  // namespace leafstore
