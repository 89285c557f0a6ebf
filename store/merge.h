// Merge joins groups into one store; Update writes a group back into a store.
//
//   ParamStore all = Merge(std::move(biases), std::move(frozen), rest).value();
//   FitReport report = CheckMerge(layout, {&biases, &rest});   // report.missing: the frozen leaves
//   Update(&params, std::move(biases));                        // a changed group
//   Update(&params, LoadNpz("biases.npz").value(), {.by = AlignBy::kDotted});   // head.bias
//
// The order of the groups does not matter. Rvalues are moved without touching reference counts;
// const groups are shared by value and unchanged.
//
// The groups must together have each slot of the expected Layout once. This is the Layout that they
// share, or one passed by the caller; then the groups may have any Layouts and are matched by path.
// With `like`, dtypes, shapes and kinds must be those.
//
// Errors. error InvalidArgument: leaves are missing, unexpected, duplicate, or with a different
// dtype or shape, all in one message (FitReport has it as data). error FailedPrecondition: a borrow
// is open in a group. After an error the groups are unchanged.
//
// Complexity: O(leaves), by position, if the Layouts are equal; otherwise the trees are walked side
// by side, O(nodes * log children).
#ifndef LEAFSTORE_STORE_MERGE_H_
#define LEAFSTORE_STORE_MERGE_H_

#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/store/align.h"
#include "leafstore/store/fit_report.h"
#include "leafstore/store/layout.h"
#include "leafstore/store/leaf_specs.h"
#include "leafstore/store/param_store.h"

namespace leafstore {

struct MergeOptions {
  // A store with the expected dtypes, shapes and kinds, for the paths it has; null: any.
  const ParamStore* like = nullptr;
  // How leaves of groups on other Layouts are matched with slots.
  AlignBy by = AlignBy::kPath;
};

// Returns what Merge would report, with the unexpected paths sorted by text. O(leaves).
FitReport CheckMerge(const Layout& expected, absl::Span<const ParamStore* const> groups,
                     const MergeOptions& options = {});

// Merges groups into a store on `expected`. Rvalue groups are empty afterwards. `expected` may be
// the Layout of one of the groups, and `like` may point to one of them.
absl::StatusOr<ParamStore> MergeGroups(const Layout& expected, std::vector<ParamStore>&& groups,
                                       const MergeOptions& options = {});
absl::StatusOr<ParamStore> MergeGroups(const Layout& expected,
                                       absl::Span<const ParamStore* const> groups,
                                       const MergeOptions& options = {});
// Merges groups into a store on the Layout that all share.
// error InvalidArgument: as above, no groups, or their Layouts differ.
absl::StatusOr<ParamStore> MergeGroups(std::vector<ParamStore>&& groups);

namespace internal {

// A group to move from, or only to read.
struct MergeInput {
  MergeInput(const ParamStore* g) : group(g) {}           // NOLINT: implicit
  MergeInput(const ParamStore& g) : group(&g) {}          // NOLINT: implicit
  MergeInput(ParamStore&& g) : group(&g), movable(&g) {}  // NOLINT: implicit

  const ParamStore* group;
  ParamStore* movable = nullptr;
};

// Merges groups into a store of the slots of `expected`, or without it, of all slots of the Layout
// that the groups share. Passing a group twice is an error unless it is empty. `like` is as in
// MergeOptions, and must have specs.
absl::StatusOr<ParamStore> MergeInputs(std::optional<LeafSpecs> expected,
                                       absl::Span<const MergeInput> inputs,
                                       const LeafSpecs* like = nullptr,
                                       AlignBy by = AlignBy::kPath);
FitReport CheckMergeInputs(const LeafSpecs& expected, absl::Span<const MergeInput> inputs,
                           const LeafSpecs* like = nullptr, AlignBy by = AlignBy::kPath);

}  // namespace internal

// Merges any number of groups on the same Layout, rvalues and const groups mixed.
template <typename... Groups>
requires(std::is_same_v<std::remove_cvref_t<Groups>, ParamStore>&&...)
    absl::StatusOr<ParamStore> Merge(Groups&&... groups) {
  const internal::MergeInput inputs[] = {std::forward<Groups>(groups)...};
  return internal::MergeInputs(std::nullopt, inputs);
}

struct UpdateOptions {
  // How leaves of a group on a different Layout are matched with those of the store.
  AlignBy by = AlignBy::kPath;
  // Whether a leaf may be replaced by one with a different dtype, shape or kind, such as one from
  // Cast.
  bool any_spec = false;
};

// Replaces leaves of `store` with those of `group`, which keep their generations. An rvalue group
// is empty afterwards.
// error InvalidArgument: leaves of the group are not in the store, two of them match the same leaf,
// two leaves have the same dotted form, or (unless any_spec) dtypes, shapes or kinds differ; all
// are named (FitReport). With AlignBy::kDotted, unexpected paths are in dotted form.
// error FailedPrecondition: a borrow is open in one of the two. A failed call changes nothing.
// O(group), by position, if the Layouts are equal.
absl::Status Update(ParamStore* store, const ParamStore& group, const UpdateOptions& options = {});
absl::Status Update(ParamStore* store, ParamStore&& group, const UpdateOptions& options = {});

}  // namespace leafstore

#endif  // LEAFSTORE_STORE_MERGE_H_
