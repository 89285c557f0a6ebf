// OptimizerState: the moments and step counts of one optimizer, and how they are put together from
// what others have saved or handed over.
#ifndef LEAFSTORE_OPTIM_INTERNAL_OPTIMIZER_STATE_H_
#define LEAFSTORE_OPTIM_INTERNAL_OPTIMIZER_STATE_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/optim/internal/group_spec.h"
#include "leafstore/pack/pack.h"
#include "leafstore/store/named_store.h"
#include "leafstore/store/param_store.h"

namespace leafstore::internal {

inline constexpr absl::string_view kStepName = "step";

struct OptimizerState {
  std::vector<ParamStore> loose;  // of a group that is not packed: a store for each moment
  std::vector<Packed> packed;     // of a packed group: a pack for each moment
  std::vector<int64_t> steps;     // by place in the group; 0 for static leaves
};

// Names of moments.
using MomentNameSpan = absl::Span<const absl::string_view>;

// Zeros. `pack` is the group, where it is packed. error ResourceExhausted: no memory.
absl::StatusOr<OptimizerState> ZeroState(const GroupSpec& spec, MomentNameSpan names,
                                         const Packed* pack);

// The state at some places of the group, which grow, as stores by value.
std::vector<NamedStore> ExportState(const GroupSpec& spec, MomentNameSpan names,
                                    const OptimizerState& state, absl::Span<const uint32_t> places);
// That of all.
std::vector<NamedStore> ExportState(const GroupSpec& spec, MomentNameSpan names,
                                    const OptimizerState& state);

// Exactly what `given` says.
// error InvalidArgument: not all of it is there, or something else is (names all).
// error FailedPrecondition: a borrow is open in it.
absl::StatusOr<OptimizerState> RestoreState(const GroupSpec& spec, MomentNameSpan names,
                                            const std::vector<NamedStore>& given,
                                            const Packed* pack);

// For each leaf what the first of `sources` that knows it has, zeros where none does. A source may
// be the states of several optimizers one after the other, each ended by its "step"; those of other
// moments are passed by, and stores of other names beside the right ones.
// error InvalidArgument: some of the names are there but not all, or one is there twice; or leaves
// are of another dtype or shape. error FailedPrecondition: as RestoreState.
absl::StatusOr<OptimizerState> GatherState(const GroupSpec& spec, MomentNameSpan names,
                                           absl::Span<const std::vector<NamedStore>* const> sources,
                                           const Packed* pack);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_OPTIM_INTERNAL_OPTIMIZER_STATE_H_
