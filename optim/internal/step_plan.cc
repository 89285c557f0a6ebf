#include "leafstore/optim/internal/step_plan.h"

#include <cmath>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/store/internal/fit_reporter.h"

namespace leafstore::internal {
namespace {

absl::Status SameObject() {
  return absl::InvalidArgumentError(
      "gradients: expected a store of their own, found that of the parameters");
}

// The gradients of a group, leaf by leaf, in a store.
class Gradients {
 public:
  Gradients(const GroupSpec& spec, const ParamStore& store)
      : spec_(spec), store_(store), by_place_(store.slots() == spec.slots()) {}

  absl::Status Check() const {
    if (!(store_.layout() == spec_.layout())) {
      return absl::InvalidArgumentError(absl::StrCat(
          "gradients: expected the Layout of the parameters, of ", spec_.layout().size(),
          " paths, found another one, of ", store_.layout().size(), " paths"));
    }
    return store_.CheckNoBorrow("step with gradients");
  }

  // Returns the gradient for a place of the group, or null.
  const Leaf* At(uint32_t place) const {
    return by_place_ ? &store_.leaf(place) : store_.FindSlot(spec_.slots().SlotAt(place));
  }

  // Returns an error that names all mismatches at `places`; at least one must exist.
  template <typename Places, typename ToGroupPlace>
  absl::Status Wrong(const Places& places, ToGroupPlace to_group_place) const {
    FitReporter reporter;
    for (const auto& at : places) {
      const uint32_t place = to_group_place(at);
      reporter.CheckLeaf(spec_.layout(), spec_.slots().SlotAt(place), spec_.leaves().spec(place),
                         At(place));
    }
    return reporter.report().ToStatus("gradients do not fit the parameters");
  }

 private:
  const GroupSpec& spec_;
  const ParamStore& store_;
  const bool by_place_;
};

using OpenOne = absl::StatusOr<Updated>(MutableLeaves* leaves, uint32_t place);

// Opens a leaf without copying shared bytes, since the step writes the full tensor.
absl::StatusOr<Updated> OpenToOverwrite(MutableLeaves* leaves, uint32_t place) {
  LEAFSTORE_ASSIGN_OR_RETURN(const MutableLeaves::Overwrite numbers, leaves->overwrite(place));
  return Updated{numbers.from, numbers.to};
}

absl::StatusOr<Updated> OpenInPlace(MutableLeaves* leaves, uint32_t place) {
  LEAFSTORE_ASSIGN_OR_RETURN(std::byte* const numbers, leaves->raw_data(place));
  return Updated{numbers, numbers};
}

// Adds a run for each tensor that is not packed. `open` are the parameters, then the moments.
absl::Status AddLooseRuns(const GroupSpec& spec, const OptimizerState& state,
                          const Gradients& grads, absl::Span<MutableLeaves> open, OpenOne open_one,
                          std::vector<Run>* runs) {
  const auto group_place = [](const GroupSpec::LoosePlace& at) { return at.group; };
  for (const GroupSpec::LoosePlace& at : spec.loose()) {
    const Leaf* leaf = grads.At(at.group);
    if (leaf == nullptr || !leaf->HasSameSpec(open[0].leaf(at.store))) {
      return grads.Wrong(spec.loose(), group_place);
    }
    const Tensor& grad = leaf->tensor();
    Run run = {{}, grad.raw_data(), grad.element_count(), state.steps[at.group] + 1, grad.dtype()};
    for (size_t i = 0; i < open.size(); ++i) {
      LEAFSTORE_ASSIGN_OR_RETURN(run.arrays[i], open_one(&open[i], at.store));
    }
    runs->push_back(run);
  }
  return absl::OkStatus();
}

// The first bytes of a pack and of the packs of its moments, as Run::arrays.
using PackBytes = std::array<Updated, 3>;

Run PackRun(const PackBytes& pack, DType dtype, int64_t offset, int64_t bytes,
            const std::byte* grad, int64_t step) {
  Run run = {{}, grad, bytes / static_cast<int64_t>(DTypeBits(dtype) / 8), step, dtype};
  for (size_t i = 0; i < pack.size(); ++i) {
    if (pack[i].to != nullptr) run.arrays[i] = {pack[i].from + offset, pack[i].to + offset};
  }
  return run;
}

// Adds one run for each range of adjacent packed leaves with equal step counts. Runs include the
// gaps between leaves, which stay zero or are cleared when the pack is closed.
void AddPackRuns(const GroupSpec& spec, const OptimizerState& state, const PackBytes& pack,
                 const std::byte* grads, std::vector<Run>* runs) {
  const PackLayout& plan = *spec.pack();
  const auto steps_of = [&](uint32_t place) { return state.steps[spec.packed()[place]]; };
  for (uint32_t begin = 0; begin < plan.size();) {
    const int64_t steps = steps_of(begin);
    uint32_t end = begin + 1;
    while (end < plan.size() && steps_of(end) == steps) ++end;
    const int64_t offset = plan.offset(begin);
    const int64_t bytes = plan.offset(end - 1) + plan.bytes(end - 1) - offset;
    runs->push_back(PackRun(pack, plan.dtype(), offset, bytes, grads + offset, steps + 1));
    begin = end;
  }
}

// Adds one run for each packed leaf.
void AddPackedLeafRuns(const GroupSpec& spec, const OptimizerState& state, const PackBytes& pack,
                       const Gradients& grads, std::vector<Run>* runs) {
  const PackLayout& plan = *spec.pack();
  for (uint32_t place = 0; place < plan.size(); ++place) {
    const uint32_t group_place = spec.packed()[place];
    const std::byte* grad = grads.At(group_place)->tensor().raw_data();
    runs->push_back(PackRun(pack, plan.dtype(), plan.offset(place), plan.bytes(place), grad,
                            state.steps[group_place] + 1));
  }
}

absl::Status CheckPackedGrads(const GroupSpec& spec, const Gradients& grads) {
  const PackLayout& plan = *spec.pack();
  for (uint32_t place = 0; place < plan.size(); ++place) {
    const Leaf* grad = grads.At(spec.packed()[place]);
    if (grad != nullptr && grad->spec() == plan.spec(place)) continue;
    return grads.Wrong(spec.packed(), [](uint32_t group_place) { return group_place; });
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<StepNumbers> StepNumbers::Of(const StepOptions& options, absl::string_view group) {
  const std::optional<double> lr = options.lr.Find(group);
  const std::optional<double> grad_scale = options.grad_scale.Find(group);
  if (!lr.has_value() || !grad_scale.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "expected ", lr.has_value() ? "a grad_scale" : "a learning rate", " for it, found none"));
  }
  if (!std::isfinite(*lr) || *lr < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("lr: expected a finite number from 0 on, found ", *lr));
  }
  if (!std::isfinite(*grad_scale)) {
    return absl::InvalidArgumentError(
        absl::StrCat("grad_scale: expected a finite number, found ", *grad_scale));
  }
  return StepNumbers{*lr, *grad_scale};
}

absl::Status StepPlan::PrepareStore(const Target& target, ParamStore* params,
                                    const ParamStore& grads) {
  if (params == &grads) return SameObject();
  LEAFSTORE_RETURN_IF_ERROR(target.spec.Check(*params));
  const Gradients gradients(target.spec, grads);
  LEAFSTORE_RETURN_IF_ERROR(gradients.Check());
  for (size_t i = 0; i <= target.state->loose.size(); ++i) {
    ParamStore& one = i == 0 ? *params : target.state->loose[i - 1];
    LEAFSTORE_ASSIGN_OR_RETURN(MutableLeaves leaves, one.MutateAll());
    open_leaves_.push_back(std::move(leaves));
  }
  return AddLooseRuns(target.spec, *target.state, gradients, absl::MakeSpan(open_leaves_),
                      OpenToOverwrite, &runs_);
}

// Prepares the tensors in the rest of a pack. A pack and its rest cannot be open together, so the
// rest is closed again. Its bytes are now unshared, and nothing can run between here and Commit.
absl::Status StepPlan::PrepareRest(const Target& target, Packed* params, const ParamStore& grads) {
  if (target.spec.loose().empty()) return absl::OkStatus();
  const Gradients gradients(target.spec, grads);
  std::vector<MutableLeaves> open;
  for (size_t i = 0; i <= target.state->packed.size(); ++i) {
    Packed& one = i == 0 ? *params : target.state->packed[i - 1];
    LEAFSTORE_ASSIGN_OR_RETURN(MutableLeaves leaves, one.MutateRest());
    open.push_back(std::move(leaves));
  }
  return AddLooseRuns(target.spec, *target.state, gradients, absl::MakeSpan(open), OpenInPlace,
                      &runs_);
}

absl::Status StepPlan::PreparePack(const Target& target, Packed* params, const ParamStore& grads,
                                   const std::byte* grad_bytes) {
  const Gradients gradients(target.spec, grads);
  LEAFSTORE_RETURN_IF_ERROR(gradients.Check());
  if (grad_bytes == nullptr) LEAFSTORE_RETURN_IF_ERROR(CheckPackedGrads(target.spec, gradients));
  LEAFSTORE_RETURN_IF_ERROR(PrepareRest(target, params, grads));
  PackBytes pack = {};
  for (size_t i = 0; i <= target.state->packed.size(); ++i) {
    Packed& one = i == 0 ? *params : target.state->packed[i - 1];
    LEAFSTORE_ASSIGN_OR_RETURN(MutablePack open, one.Overwrite());
    pack[i] = {open.before().data(), open.bytes().data()};
    open_packs_.push_back(std::move(open));
  }
  if (grad_bytes != nullptr) {
    AddPackRuns(target.spec, *target.state, pack, grad_bytes, &runs_);
  } else {
    AddPackedLeafRuns(target.spec, *target.state, pack, gradients, &runs_);
  }
  return absl::OkStatus();
}

absl::Status StepPlan::PreparePack(const Target& target, Packed* params, ConstGroupRef grads) {
  LEAFSTORE_RETURN_IF_ERROR(target.spec.Check(*params));
  if (const auto* store = std::get_if<const ParamStore*>(&grads)) {
    return PreparePack(target, params, **store, nullptr);
  }
  const Packed& packed = *std::get<const Packed*>(grads);
  if (&packed == params) return SameObject();
  if (packed.plan() == params->plan()) {
    LEAFSTORE_ASSIGN_OR_RETURN(const absl::Span<const std::byte> bytes, packed.bytes());
    return PreparePack(target, params, packed.rest(), bytes.data());
  }
  LEAFSTORE_ASSIGN_OR_RETURN(grads_view_, packed.store());
  return PreparePack(target, params, *grads_view_, nullptr);
}

absl::Status StepPlan::Prepare(const Target& target, GroupRef params, ConstGroupRef grads) {
  Abandon();
  absl::Cleanup abandon = [this] { Abandon(); };  // also after an exception
  absl::Status status;
  if (Packed** packed = std::get_if<Packed*>(&params)) {
    status = PreparePack(target, *packed, grads);
  } else {
    auto* store = std::get<ParamStore*>(params);
    if (const auto* packed_grads = std::get_if<const Packed*>(&grads)) {
      LEAFSTORE_ASSIGN_OR_RETURN(grads_view_, (*packed_grads)->store());
    }
    const bool is_view = grads_view_.has_value();
    status =
        PrepareStore(target, store, is_view ? *grads_view_ : *std::get<const ParamStore*>(grads));
  }
  if (status.ok()) std::move(abandon).Cancel();
  return status;
}

void StepPlan::Commit(const Target& target, const Rule& rule, const StepNumbers& numbers) {
  RuleRunner runner(rule, numbers.lr, numbers.grad_scale);
  for (const Run& run : runs_) runner.Apply(run);
  for (const GroupSpec::LoosePlace& at : target.spec.loose()) ++target.state->steps[at.group];
  for (const uint32_t place : target.spec.packed()) ++target.state->steps[place];
  Close();
}

void StepPlan::Abandon() {
  for (MutableLeaves& open : open_leaves_) open.RevertOverwrites();
  for (MutablePack& open : open_packs_) open.Revert();
  Close();
}

void StepPlan::Close() {
  runs_.clear();
  open_leaves_.clear();
  open_packs_.clear();
  grads_view_.reset();
}

}  // namespace leafstore::internal
