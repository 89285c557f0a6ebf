// Merge: groups become one store again.
//
//   ParamStore all = Merge(std::move(biases), std::move(frozen), rest).value();
//   MergeReport report = CheckMerge(layout, {&biases, &rest});   // report.missing: the frozen
//
// The order of the groups does not matter. Rvalues are moved in, no count is touched; const groups
// are shared by value and stay as they are.
//
// Expected is the Layout that the groups share, each of its slots once; or one that is given, and
// then the groups may have any Layouts: they meet by path. Given a store to be `like`, dtype and
// shape (a value's kind) are expected to be as in it.
//
// Errors. error InvalidArgument: all that is missing, unexpected, there twice, or of another dtype
// or shape, together in one message (MergeReport has it as data). error FailedPrecondition: a
// borrow is open in a group. After an error the groups are as before.
//
// Complexity: O(leaves), by position where the Layouts are equal; otherwise the trees are walked
// side by side, O(nodes * log children).
#ifndef LEAFSTORE_STORE_MERGE_H_
#define LEAFSTORE_STORE_MERGE_H_

#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/store/layout.h"
#include "leafstore/store/param_store.h"

namespace leafstore {

// A leaf that is not as expected.
struct SpecMismatch {
  std::string path;
  std::string expected;  // "f32[2, 3]"
  std::string found;
};

// All that keeps groups from being what is expected. Paths are canonical; but where those of a
// field have over 64 MiB of text (a very deep tree), of the rest only the end is given. They are in
// the order of the expected Layout; what is unexpected has none there, and is sorted by text. A
// field names each path once.
struct MergeReport {
  std::vector<std::string> missing;
  std::vector<std::string> unexpected;
  std::vector<std::string> duplicate;
  std::vector<SpecMismatch> dtype_mismatch;
  std::vector<SpecMismatch> shape_mismatch;

  bool ok() const {
    return missing.empty() && unexpected.empty() && duplicate.empty() && dtype_mismatch.empty() &&
           shape_mismatch.empty();
  }
  // All of it, a line each, up to 1 MiB a field; near names among the unexpected beside the first
  // that are missing.
  std::string ToString() const;
  // OK, or InvalidArgument with ToString() behind `what`.
  absl::Status ToStatus(absl::string_view what = "the groups do not make the whole") const;
};

struct MergeOptions {
  // Expected dtypes, shapes and kinds, where it has the path. Not owned; may be null.
  const ParamStore* like = nullptr;
};

// What Merge would say. O(leaves).
MergeReport CheckMerge(const Layout& expected, absl::Span<const ParamStore* const> groups,
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

inline MergeInput ToMergeInput(const ParamStore& group) { return {&group, nullptr}; }
inline MergeInput ToMergeInput(ParamStore& group) { return {&group, nullptr}; }
inline MergeInput ToMergeInput(ParamStore&& group) { return {&group, &group}; }

// On the Layout that all share, and on one that is given. The same group may be given twice, which
// is an error unless it is empty.
absl::StatusOr<ParamStore> MergeInputs(absl::Span<const MergeInput> inputs,
                                       const MergeOptions& options);
absl::StatusOr<ParamStore> MergeInputs(const Layout& expected, absl::Span<const MergeInput> inputs,
                                       const MergeOptions& options);

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
