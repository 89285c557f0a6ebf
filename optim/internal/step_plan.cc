#include "leafstore/optim/internal/step_plan.h"

#include <cmath>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/store/internal/fit_reporter.h"

namespace leafstore::internal {

// The gradients of a group, leaf by leaf, in a store.
class StepPlan::Gradients {
 public:
  // If `pack` is not null, the packed gradients are there, as in the pack of the parameters, and
  // `store` has only the others.
  Gradients(const GroupSpec& spec, const ParamStore& store, const std::byte* pack)
      : spec_(spec), store_(store), pack_(pack), by_place_(store.slots() == spec.slots()) {}

  const std::byte* pack() const { return pack_; }

  absl::Status Check() const {
    if (!(store_.layout() == spec_.layout())) {
      return absl::InvalidArgumentError(absl::StrCat(
          "gradients: expected the Layout of the parameters, of ", spec_.layout().size(),
          " paths, found a different one, of ", store_.layout().size(), " paths"));
    }
    return store_.CheckNoBorrow("step with gradients");
  }

  // Returns the gradient for a place of the group, or null.
  const Leaf* At(uint32_t place) const {
    return by_place_ ? &store_.leaf(place) : store_.FindSlot(spec_.slots().SlotAt(place));
  }

  // Returns an error that names all mismatches among the loose or the packed tensors; at least one
  // must exist.
  absl::Status WrongLoose() const {
    FitReporter reporter;
    for (const GroupSpec::LoosePlace& place : spec_.loose()) CheckLeaf(place.in_group, &reporter);
    return reporter.report().ToStatus(kWrong);
  }
  absl::Status WrongPacked() const {
    FitReporter reporter;
    for (const uint32_t place : spec_.packed()) CheckLeaf(place, &reporter);
    return reporter.report().ToStatus(kWrong);
  }

 private:
  static constexpr char kWrong[] = "gradients do not fit the parameters";

  void CheckLeaf(uint32_t place, FitReporter* reporter) const {
    reporter->CheckLeaf(spec_.layout(), spec_.slots().SlotAt(place), spec_.leaves().spec(place),
                        At(place));
  }

  const GroupSpec& spec_;
  const ParamStore& store_;
  const std::byte* const pack_;
  const bool by_place_;
};

namespace {

using Gradients = StepPlan::Gradients;
using OpenOne = absl::StatusOr<InOut<std::byte>>(MutableLeaves* leaves, uint32_t place);

// Opens a leaf without copying shared bytes, since the step writes the full tensor.
absl::StatusOr<InOut<std::byte>> OpenToOverwrite(MutableLeaves* leaves, uint32_t place) {
  LEAFSTORE_ASSIGN_OR_RETURN(const MutableLeaves::Overwrite numbers, leaves->overwrite(place));
  return InOut<std::byte>{numbers.from, numbers.to};
}

absl::StatusOr<InOut<std::byte>> OpenInPlace(MutableLeaves* leaves, uint32_t place) {
  LEAFSTORE_ASSIGN_OR_RETURN(std::byte* const numbers, leaves->raw_data(place));
  return InOut<std::byte>{numbers, numbers};
}

// The distance of prefetching, in leaves.
constexpr size_t kPrefetchLeaves = 8;

void PrefetchLeaf(const GroupSpec::LoosePlace& place, const Gradients& grads,
                  absl::Span<MutableLeaves> open) {
  if (const Leaf* grad = grads.At(place.in_group)) grad->Prefetch();
  for (const MutableLeaves& leaves : open) leaves.leaf(place.in_store).Prefetch();
}

// Prefetches the first elements of each array. A tensor ends before the hardware has recognized
// where the next one is.
void PrefetchRun(const Run& run) {
  __builtin_prefetch(run.grad);
  for (const InOut<std::byte>& array : run.arrays) __builtin_prefetch(array.from);
}

// Adds a run for each tensor that is not packed. `open` are the parameters, then the moments.
absl::Status AddLooseRuns(const GroupSpec& spec, const OptimizerState& state,
                          const Gradients& grads, absl::Span<MutableLeaves> open, OpenOne open_one,
                          std::vector<Run>* runs) {
  const absl::Span<const GroupSpec::LoosePlace> places = spec.loose();
  runs->reserve(runs->size() + places.size());
  for (size_t i = 0; i < places.size(); ++i) {
    if (i + kPrefetchLeaves < places.size()) {
      PrefetchLeaf(places[i + kPrefetchLeaves], grads, open);
    }
    const auto [in_group, in_store] = places[i];
    const Leaf* leaf = grads.At(in_group);
    if (leaf == nullptr || !leaf->HasSameSpec(open[0].leaf(in_store))) return grads.WrongLoose();
    const Tensor& grad = leaf->tensor();
    Run run = {{}, grad.raw_data(), grad.element_count(), state.steps[in_group] + 1, grad.dtype()};
    for (size_t array = 0; array < open.size(); ++array) {
      LEAFSTORE_ASSIGN_OR_RETURN(run.arrays[array], open_one(&open[array], in_store));
    }
    runs->push_back(run);
  }
  return absl::OkStatus();
}

// The first bytes of a pack and of the packs of its moments, as Run::arrays.
using PackBytes = std::array<InOut<std::byte>, 3>;

// Adds one run for each packed leaf, or for each range of adjacent ones with equal step counts if
// the gradients are packed too. Such a run includes the gaps between leaves, which stay zero or are
// cleared when the pack is closed.
void AddPackRuns(const GroupSpec& spec, const OptimizerState& state, const PackBytes& pack,
                 const Gradients& grads, std::vector<Run>* runs) {
  const PackLayout& plan = *spec.pack();
  const auto element = static_cast<int64_t>(DTypeBits(plan.dtype()) / 8);
  const auto steps_of = [&](uint32_t place) { return state.steps[spec.packed()[place]]; };
  uint32_t end = 0;
  for (uint32_t begin = 0; begin < plan.size(); begin = end) {
    end = begin + 1;
    const int64_t steps = steps_of(begin);
    while (grads.pack() != nullptr && end < plan.size() && steps_of(end) == steps) ++end;
    const int64_t offset = plan.offset(begin);
    const int64_t bytes = plan.offset(end - 1) + plan.bytes(end - 1) - offset;
    const std::byte* const grad = grads.pack() != nullptr
                                      ? grads.pack() + offset
                                      : grads.At(spec.packed()[begin])->tensor().raw_data();
    Run& run = runs->emplace_back(Run{{}, grad, bytes / element, steps + 1, plan.dtype()});
    for (size_t i = 0; i < pack.size(); ++i) {
      if (pack[i].to != nullptr) run.arrays[i] = {pack[i].from + offset, pack[i].to + offset};
    }
  }
}

absl::Status CheckPackedGrads(const GroupSpec& spec, const Gradients& grads) {
  const PackLayout& plan = *spec.pack();
  for (uint32_t place = 0; place < plan.size(); ++place) {
    const Leaf* grad = grads.At(spec.packed()[place]);
    if (grad == nullptr || !(grad->spec() == plan.spec(place))) return grads.WrongPacked();
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
        absl::StrCat("lr: expected a finite number of at least 0, found ", *lr));
  }
  if (!std::isfinite(*grad_scale)) {
    return absl::InvalidArgumentError(
        absl::StrCat("grad_scale: expected a finite number, found ", *grad_scale));
  }
  return StepNumbers{*lr, *grad_scale};
}

absl::Status StepPlan::OpenStore(const Target& target, ParamStore* params, const Gradients& grads) {
  for (size_t i = 0; i <= target.state->loose.size(); ++i) {
    ParamStore& one = i == 0 ? *params : target.state->loose[i - 1];
    LEAFSTORE_ASSIGN_OR_RETURN(MutableLeaves leaves, one.MutateAll());
    open_leaves_.push_back(std::move(leaves));
  }
  return AddLooseRuns(target.spec, *target.state, grads, absl::MakeSpan(open_leaves_),
                      OpenToOverwrite, &runs_);
}

// Opens the tensors in the rest of a pack. A pack and its rest cannot be open together, so the rest
// is closed again. Its bytes are now unshared, and nothing can run between here and Commit.
absl::Status StepPlan::OpenRest(const Target& target, Packed* params, const Gradients& grads) {
  if (target.spec.loose().empty()) return absl::OkStatus();
  std::vector<MutableLeaves> open;
  for (size_t i = 0; i <= target.state->packed.size(); ++i) {
    Packed& one = i == 0 ? *params : target.state->packed[i - 1];
    LEAFSTORE_ASSIGN_OR_RETURN(MutableLeaves leaves, one.MutateRest());
    open.push_back(std::move(leaves));
  }
  return AddLooseRuns(target.spec, *target.state, grads, absl::MakeSpan(open), OpenInPlace, &runs_);
}

absl::Status StepPlan::OpenPack(const Target& target, Packed* params, const Gradients& grads) {
  if (grads.pack() == nullptr) LEAFSTORE_RETURN_IF_ERROR(CheckPackedGrads(target.spec, grads));
  LEAFSTORE_RETURN_IF_ERROR(OpenRest(target, params, grads));
  PackBytes pack = {};
  // A pack that is open, and not among these, would not be reverted.
  open_packs_.reserve(target.state->packed.size() + 1);
  for (size_t i = 0; i <= target.state->packed.size(); ++i) {
    Packed& one = i == 0 ? *params : target.state->packed[i - 1];
    LEAFSTORE_ASSIGN_OR_RETURN(MutablePack open, one.Overwrite());
    pack[i] = {open.before().data(), open.bytes().data()};
    open_packs_.push_back(std::move(open));
  }
  AddPackRuns(target.spec, *target.state, pack, grads, &runs_);
  return absl::OkStatus();
}

absl::Status StepPlan::Open(const Target& target, GroupRef params, ConstGroupRef grads) {
  const auto as_const = [](const auto* group) { return ConstGroupRef(group); };
  if (std::visit(as_const, params) == grads) {
    return absl::InvalidArgumentError(
        "gradients: expected a store of their own, found that of the parameters");
  }
  LEAFSTORE_RETURN_IF_ERROR(
      std::visit([&](const auto* group) { return target.spec.Check(*group); }, params));
  Packed* const* const packed = std::get_if<Packed*>(&params);
  const ParamStore* leaves = nullptr;
  const std::byte* pack = nullptr;
  if (const auto* packed_grads = std::get_if<const Packed*>(&grads)) {
    const Packed& given = **packed_grads;
    if (packed != nullptr && given.pack_layout() == (*packed)->pack_layout()) {
      LEAFSTORE_ASSIGN_OR_RETURN(const absl::Span<const std::byte> bytes, given.bytes());
      pack = bytes.data();
      leaves = &given.rest();
    } else {
      LEAFSTORE_ASSIGN_OR_RETURN(grads_view_, given.store());
      leaves = &*grads_view_;
    }
  } else {
    leaves = std::get<const ParamStore*>(grads);
  }
  const Gradients gradients(target.spec, *leaves, pack);
  LEAFSTORE_RETURN_IF_ERROR(gradients.Check());
  return packed != nullptr ? OpenPack(target, *packed, gradients)
                           : OpenStore(target, std::get<ParamStore*>(params), gradients);
}

absl::Status StepPlan::Prepare(const Target& target, GroupRef params, ConstGroupRef grads) {
  Abandon();
  absl::Cleanup abandon = [this] { Abandon(); };  // also after an exception
  LEAFSTORE_RETURN_IF_ERROR(Open(target, params, grads));
  std::move(abandon).Cancel();
  return absl::OkStatus();
}

void StepPlan::Commit(const Target& target, const Rule& rule, const StepNumbers& numbers) {
  RuleRunner runner(rule, numbers.lr, numbers.grad_scale);
  for (size_t i = 0; i < runs_.size(); ++i) {
    if (i + 1 < runs_.size()) PrefetchRun(runs_[i + 1]);
    runner.Apply(runs_[i]);
  }
  for (const auto& place : target.spec.loose()) ++target.state->steps[place.in_group];
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
