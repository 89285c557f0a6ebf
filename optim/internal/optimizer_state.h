// OptimizerState: the moments and step counts of one optimizer, and functions that build them from
// saved or adopted state.
#ifndef LEAFSTORE_OPTIM_INTERNAL_OPTIMIZER_STATE_H_
#define LEAFSTORE_OPTIM_INTERNAL_OPTIMIZER_STATE_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/optim/internal/group_spec.h"
#include "leafstore/pack/pack.h"
#include "leafstore/store/param_store.h"

namespace leafstore::internal {

inline constexpr absl::string_view kStepName = "step";

struct OptimizerState {
  std::vector<ParamStore> loose;  // one store for each moment, if the group is not packed
  std::vector<Packed> packed;     // one pack for each moment, if the group is packed
  std::vector<int64_t> steps;     // by place in the group; 0 for static leaves
};

// Names of moments.
using MomentNameSpan = absl::Span<const absl::string_view>;

// Returns the state at `places` of the group, which must be ascending.
std::vector<NamedStore> ExportState(const GroupSpec& spec, MomentNameSpan names,
                                    const OptimizerState& state, absl::Span<const uint32_t> places);
// Returns the state at all places.
std::vector<NamedStore> ExportState(const GroupSpec& spec, MomentNameSpan names,
                                    const OptimizerState& state);

// Returns the state in `given`, which must match the group exactly.
// error InvalidArgument: stores or leaves are missing, unexpected or do not fit (names all).
// error FailedPrecondition: a borrow of `given` is open.
absl::StatusOr<OptimizerState> RestoreState(const GroupSpec& spec, MomentNameSpan names,
                                            const std::vector<NamedStore>& given,
                                            const Packed* pack);

// Returns for each leaf its state in the first of `sources` that has it, or zeros. A source may
// hold the states of several optimizers one after the other, each ended by its "step". States with
// other moments are ignored, and so are stores with other names beside the right ones.
// error InvalidArgument: a state has only some of the names, or one of them twice; or leaves are
// with a different dtype or shape. error FailedPrecondition: as RestoreState.
absl::StatusOr<OptimizerState> GatherState(const GroupSpec& spec, MomentNameSpan names,
                                           absl::Span<const std::vector<NamedStore>* const> sources,
                                           const Packed* pack);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_OPTIM_INTERNAL_OPTIMIZER_STATE_H_
