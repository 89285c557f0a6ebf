// Merge: groups become one store again.
//
//   ParamStore all = Merge(std::move(biases), std::move(frozen), rest).value();
//   FitReport report = CheckMerge(layout, {&biases, &rest});   // report.missing: the frozen
//
// The order of the groups does not matter. Rvalues are moved in, no count is touched; const groups
// are shared by value and stay as they are.
//
// Expected is the Layout that the groups share, each of its slots once; or one that is given, and
// then the groups may have any Layouts: they meet by path. Given a store to be `like`, dtype and
// shape (a value's kind) are expected to be as in it.
//
// Errors. error InvalidArgument: all that is missing, unexpected, duplicate, or of another dtype
// or shape, together in one message (FitReport has it as data). error FailedPrecondition: a
// borrow is open in a group. After an error the groups are as before.
//
// Complexity: O(leaves), by position where the Layouts are equal; otherwise the trees are walked
// side by side, O(nodes * log children).
#ifndef LEAFSTORE_STORE_MERGE_H_
#define LEAFSTORE_STORE_MERGE_H_

#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/core/leaf_spec.h"
#include "leafstore/store/align.h"
#include "leafstore/store/fit_report.h"
#include "leafstore/store/layout.h"
#include "leafstore/store/param_store.h"

namespace leafstore {

struct MergeOptions {
  // Expected dtypes, shapes and kinds, where it has the path. Not owned; may be null.
  const ParamStore* like = nullptr;
  // How leaves of groups on other Layouts find their slots.
  AlignBy by = AlignBy::kPath;
};

// Returns what Merge would report: what is unexpected sorted by text. O(leaves).
FitReport CheckMerge(const Layout& expected, absl::Span<const ParamStore* const> groups,
                     const MergeOptions& options = {});

// One store on `expected`. What is given is empty afterwards. `expected` may be the Layout of one
// of the groups, and `like` one of them.
absl::StatusOr<ParamStore> MergeGroups(const Layout& expected, std::vector<ParamStore>&& groups,
                                       const MergeOptions& options = {});
absl::StatusOr<ParamStore> MergeGroups(const Layout& expected,
                                       absl::Span<const ParamStore* const> groups,
                                       const MergeOptions& options = {});
// One store on the Layout that all share.
// error InvalidArgument also: no groups, or their Layouts differ.
absl::StatusOr<ParamStore> MergeGroups(std::vector<ParamStore>&& groups,
                                       const MergeOptions& options = {});

namespace internal {

// A group that is given away, or only read.
struct MergeInput {
  const ParamStore* group;
  ParamStore* given;  // null: only read
};

// What is expected in a slot; where there is no value, or no function at all: anything.
using ExpectedSpec = std::optional<absl::FunctionRef<std::optional<LeafSpec>(Slot)>>;

inline MergeInput ToMergeInput(const ParamStore& group) { return {&group, nullptr}; }
inline MergeInput ToMergeInput(ParamStore& group) { return {&group, nullptr}; }
inline MergeInput ToMergeInput(ParamStore&& group) { return {&group, &group}; }

// On the Layout that all share, and on one that is given. The same group may be given twice, which
// is an error unless it is empty.
absl::StatusOr<ParamStore> MergeInputs(absl::Span<const MergeInput> inputs,
                                       const MergeOptions& options);
absl::StatusOr<ParamStore> MergeInputs(const Layout& expected, absl::Span<const MergeInput> inputs,
                                       const ExpectedSpec& spec, AlignBy by = AlignBy::kPath);
FitReport CheckMergeInputs(const Layout& expected, absl::Span<const MergeInput> inputs,
                           const ExpectedSpec& spec, AlignBy by = AlignBy::kPath);

}  // namespace internal

// Any number of groups of one Layout, rvalues and const mixed.
template <typename... Groups>
requires(std::is_same_v<std::remove_cvref_t<Groups>, ParamStore>&&...)
    absl::StatusOr<ParamStore> Merge(Groups&&... groups) {
  const internal::MergeInput inputs[] = {internal::ToMergeInput(std::forward<Groups>(groups))...};
  return internal::MergeInputs(inputs, {});
}

}  // namespace leafstore

#endif  // LEAFSTORE_STORE_MERGE_H_
