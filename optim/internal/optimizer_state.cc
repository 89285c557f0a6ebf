#include "leafstore/optim/internal/optimizer_state.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/core/value.h"
#include "leafstore/store/internal/fit_reporter.h"

namespace leafstore::internal {
namespace {

// The maximum step count in a loaded state: a double counts exactly up to it, and it is far from
// overflow.
constexpr int64_t kMaxSteps = int64_t{1} << 53;

// Returns the step count in a leaf of a "step" store, if it is valid.
std::optional<int64_t> StepOf(const Leaf& leaf) {
  if (!leaf.is_value()) return std::nullopt;
  const int64_t* step = leaf.value().As<int64_t>();
  if (step == nullptr || *step < 0 || *step > kMaxSteps) return std::nullopt;
  return *step;
}

using GivenSpan = absl::Span<const NamedStore>;

absl::Status WrongNames(MomentNameSpan names, GivenSpan given) {
  const auto quoted = [](std::string* out, absl::string_view name) {
    absl::StrAppend(out, "'", name, "'");
  };
  const std::string found = absl::StrJoin(
      given, ", ", [&quoted](std::string* out, const NamedStore& one) { quoted(out, one.name); });
  return absl::InvalidArgumentError(absl::StrCat(
      "optimizer state: expected the stores ", absl::StrJoin(names, ", ", quoted),
      names.empty() ? "'" : ", '", kStepName, "', found ", found.empty() ? "none" : found));
}

// One store of a state, and the places of the group's leaves in it.
struct SourceStore {
  const ParamStore* store;
  Alignment places;

  // Returns the leaf for a place of the group, or null.
  const Leaf* At(uint32_t place) const {
    return places[place] == kNoPlace ? nullptr : &store->leaf(places[place]);
  }
};

// The state that an optimizer exported: its moments, then "step".
using Source = std::vector<SourceStore>;

// error InvalidArgument: `given` lacks a store for one of `names` or for "step", or has two.
// error FailedPrecondition: a borrow of `given` is open.
absl::StatusOr<Source> SourceIn(const GroupSpec& spec, MomentNameSpan names, GivenSpan given) {
  Source source;
  for (size_t i = 0; i <= names.size(); ++i) {
    const absl::string_view name = i < names.size() ? names[i] : kStepName;
    for (const NamedStore& one : given) {
      if (one.name != name) continue;
      if (source.size() > i) return WrongNames(names, given);
      source.push_back({&one.store, Align({spec.layout(), spec.slots()}, one.store)});
      LEAFSTORE_RETURN_IF_ERROR(one.store.CheckNoBorrow("load the state of an optimizer"));
    }
    if (source.size() == i) return WrongNames(names, given);
  }
  return source;
}

// Splits `given` into the states of single optimizers: each ends with its "step". A single state
// may be in any order.
std::vector<GivenSpan> StatesIn(GivenSpan given) {
  const auto is_step = [](const NamedStore& one) { return one.name == kStepName; };
  std::vector<GivenSpan> states;
  while (std::count_if(given.begin(), given.end(), is_step) > 1) {
    const auto step = std::find_if(given.begin(), given.end(), is_step);
    states.push_back(given.first(static_cast<size_t>(step - given.begin()) + 1));
    given.remove_prefix(states.back().size());
  }
  states.push_back(given);
  return states;
}

// Returns whether the state of an optimizer has some of these moments, so that it is adopted.
bool HasMoments(MomentNameSpan names, GivenSpan given) {
  if (names.empty()) return given.size() == 1 && given[0].name == kStepName;
  return std::any_of(given.begin(), given.end(), [names](const NamedStore& one) {
    return std::find(names.begin(), names.end(), one.name) != names.end();
  });
}

// Assembles a state leaf by leaf.
class Assembler {
 public:
  Assembler(const GroupSpec& spec, MomentNameSpan names)
      : spec_(spec), names_(names), moments_(names.size()), reporters_(names.size() + 1) {
    steps_.resize(spec.size());
  }

  // Adds the state of a leaf from `source`, or zeros if that is null. Records what is missing or
  // does not fit.
  absl::Status Add(uint32_t place, const Source* source) {
    const LeafSpec expected = spec_.leaves().spec(place);
    const Slot slot = spec_.slots().SlotAt(place);
    for (size_t i = 0; i < moments_.size(); ++i) {
      if (!expected.is_tensor()) {
        moments_[i].emplace_back(spec_.leaves().value(place));
      } else if (source == nullptr) {
        LEAFSTORE_ASSIGN_OR_RETURN(Tensor zeros, Tensor::Zeros(expected.dtype(), expected.shape()));
        moments_[i].emplace_back(std::move(zeros));
      } else if (const Leaf* found = (*source)[i].At(place);
                 reporters_[i].CheckLeaf(spec_.layout(), slot, expected, found)) {
        moments_[i].push_back(*found);
      }
    }
    if (expected.is_tensor() && source != nullptr) AddStep(place, slot, source->back().At(place));
    return absl::OkStatus();
  }

  // Records what a source has besides the group's tensors. Static leaves are optional.
  void NoteUnexpected(const Source& source) {
    for (size_t i = 0; i < reporters_.size(); ++i) {
      const ParamStore& store = *source[i].store;
      reporters_[i].AddUnexpected(store, Align(store, {spec_.layout(), spec_.slots()}));
    }
  }

  absl::StatusOr<OptimizerState> Finish(const Packed* pack) && {
    LEAFSTORE_RETURN_IF_ERROR(Problems());
    OptimizerState state;
    state.steps = std::move(steps_);
    for (std::vector<Leaf>& moment : moments_) {
      LEAFSTORE_ASSIGN_OR_RETURN(
          ParamStore store, ParamStore::Create(spec_.layout(), spec_.slots(), std::move(moment)));
      if (pack == nullptr) {
        state.loose.push_back(std::move(store));
        continue;
      }
      LEAFSTORE_ASSIGN_OR_RETURN(Packed packed, Packed::CreateLike(*pack, store));
      state.packed.push_back(std::move(packed));
    }
    return state;
  }

 private:
  void AddStep(uint32_t place, Slot slot, const Leaf* found) {
    if (found == nullptr) {
      reporters_.back().AddMissing(spec_.layout(), slot);
    } else if (const std::optional<int64_t> step = StepOf(*found)) {
      steps_[place] = *step;
    } else {
      reporters_.back().AddMismatch(
          spec_.layout(), slot, absl::StrCat("an int from 0 to ", kMaxSteps),
          found->is_value() ? found->ToString() : found->spec().ToString());
    }
  }

  absl::Status Problems() {
    std::string text;
    for (size_t i = 0; i < reporters_.size(); ++i) {
      if (reporters_[i].ok()) continue;
      const absl::string_view name = i < names_.size() ? names_[i] : kStepName;
      absl::StrAppend(&text, "\n'", name, "':\n", reporters_[i].report().ToString());
    }
    if (text.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("state does not fit the group of this optimizer:", text));
  }

  const GroupSpec& spec_;
  const MomentNameSpan names_;
  std::vector<std::vector<Leaf>> moments_;
  std::vector<int64_t> steps_;
  std::vector<FitReporter> reporters_;  // for the moments, then for "step"
};

}  // namespace

std::vector<NamedStore> ExportState(const GroupSpec& spec, MomentNameSpan names,
                                    const OptimizerState& state,
                                    absl::Span<const uint32_t> places) {
  const SlotSet slots = spec.slots().AtPlaces(places);
  std::vector<NamedStore> stores;
  const auto add = [&](absl::string_view name, const auto& leaf_at) {
    std::vector<Leaf> leaves;
    leaves.reserve(places.size());
    for (const uint32_t place : places) leaves.push_back(leaf_at(place));
    stores.push_back(
        {std::string(name), ParamStore::FromParts(spec.layout(), slots, std::move(leaves))});
  };
  for (size_t i = 0; i < names.size(); ++i) {
    const ParamStore moment = spec.pack().has_value() ? state.packed[i].store().value()
                                                      : state.loose[i].Snapshot().value();
    add(names[i], [&](uint32_t place) { return moment.leaf(place); });
  }
  // The step counts, with the group's static leaves.
  add(kStepName, [&](uint32_t place) {
    return spec.leaves().is_tensor(place) ? Value(state.steps[place]) : spec.leaves().value(place);
  });
  return stores;
}

std::vector<NamedStore> ExportState(const GroupSpec& spec, MomentNameSpan names,
                                    const OptimizerState& state) {
  std::vector<uint32_t> places(spec.size());
  std::iota(places.begin(), places.end(), 0);
  return ExportState(spec, names, state, places);
}

absl::StatusOr<OptimizerState> RestoreState(const GroupSpec& spec, MomentNameSpan names,
                                            const std::vector<NamedStore>& given,
                                            const Packed* pack) {
  if (given.size() != names.size() + 1) return WrongNames(names, given);
  LEAFSTORE_ASSIGN_OR_RETURN(const Source source, SourceIn(spec, names, given));
  Assembler assembler(spec, names);
  for (uint32_t place = 0; place < spec.size(); ++place) {
    LEAFSTORE_RETURN_IF_ERROR(assembler.Add(place, &source));
  }
  assembler.NoteUnexpected(source);
  return std::move(assembler).Finish(pack);
}

absl::StatusOr<OptimizerState> GatherState(const GroupSpec& spec, MomentNameSpan names,
                                           absl::Span<const std::vector<NamedStore>* const> sources,
                                           const Packed* pack) {
  std::vector<Source> matching;
  for (const std::vector<NamedStore>* given : sources) {
    for (const GivenSpan state : StatesIn(*given)) {
      if (!HasMoments(names, state)) continue;
      LEAFSTORE_ASSIGN_OR_RETURN(Source source, SourceIn(spec, names, state));
      matching.push_back(std::move(source));
    }
  }
  if (matching.empty() && pack != nullptr) {  // all zeros
    OptimizerState state;
    state.steps.resize(spec.size());
    for (size_t i = 0; i < names.size(); ++i) {
      LEAFSTORE_ASSIGN_OR_RETURN(Packed zeros, Packed::ZerosLike(*pack));
      state.packed.push_back(std::move(zeros));
    }
    return state;
  }
  Assembler assembler(spec, names);
  for (uint32_t place = 0; place < spec.size(); ++place) {
    const auto source = std::find_if(matching.begin(), matching.end(), [place](const Source& one) {
      return one.back().At(place) != nullptr;
    });
    LEAFSTORE_RETURN_IF_ERROR(assembler.Add(place, source == matching.end() ? nullptr : &*source));
  }
  return std::move(assembler).Finish(pack);
}

}  // namespace leafstore::internal
