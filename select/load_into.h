// LoadInto: the leaves of a file, or of another store, replace those of an existing store.
//
//   RestoreReport report = reader.LoadInto("params", &params).value();   // all of it, or an error
//   reader.LoadInto("params", &body, {.filter = Glob("body.**"),         // a part of another model
//                                     .renames = {{"encoder.**", "body.**"}}}).value();
//   safetensors.LoadInto(&params, {.by = AlignBy::kDotted}).value();     // PyTorch's names
//
// CheckpointReader, SafetensorsReader and LoadNpzInto have this in common: what is matched with
// what, what is an error, and what the report says. Everything is matched by path, dtype and shape
// before a byte is read, and everything is read before the store is touched.
#ifndef LEAFSTORE_SELECT_LOAD_INTO_H_
#define LEAFSTORE_SELECT_LOAD_INTO_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/core/leaf.h"
#include "leafstore/core/leaf_spec.h"
#include "leafstore/select/filter.h"
#include "leafstore/select/rename_map.h"
#include "leafstore/store/align.h"
#include "leafstore/store/param_store.h"

namespace leafstore {

// By default every leaf of the source must be in the store under the same path, and the reverse.
struct RestoreOptions {
  // Leaves of the store that the source does not have stay as they are.
  bool allow_missing = false;
  // Leaves of the source that the store does not have are skipped.
  bool allow_unexpected = false;
  // Only the leaves of the store that a partition by this one filter puts into its first group are
  // replaced. It matches the store's paths, not those that `renames` begin with. The others stay,
  // whether the source has them or not; and what else the source has does not matter then.
  std::optional<Filter> filter = std::nullopt;
  // How leaves find those of the store. By kDotted, those that have no leaf at their own path do.
  AlignBy by = AlignBy::kPath;
  // The source's leaves get new paths first (rename_map.h), so that their paths are the store's. A
  // leaf that a rule renames finds the store's by its new path, or else by the dotted form of that.
  std::vector<RenameRule> renames = {};
  // A rule of `renames` that matches no leaf of the source is not an error.
  bool allow_unused_renames = false;
};

// What became of the leaves. Paths as in a FitReport, those of the source under their new names.
struct RestoreReport {
  // Leaves of the store that were replaced.
  uint32_t restored = 0;
  // Leaves of the store that were to be replaced, and that the source does not have.
  std::vector<std::string> missing;
  // Leaves of the source that the store does not have.
  std::vector<std::string> unexpected;
};

// Replaces leaves of `store` by those of `from`, which is read only.
// error InvalidArgument: leaves are missing or unexpected (unless that is allowed), dtypes, shapes
// or kinds differ, two leaves would become one, or a dotted form is that of two leaves of the store;
// all are named (FitReport). Also: a filter is bad or matches no leaf of the store, or a rename is
// bad (RenameMap::Create, Apply).
// error FailedPrecondition: a borrow is open. After an error the store is as before.
// O(leaves), and what the filter and the renames cost.
absl::StatusOr<RestoreReport> LoadInto(const ParamStore& from, ParamStore* store,
                                       const RestoreOptions& options = {});

namespace internal {

// Leaves that can be loaded. All functions take places of `part`.
struct LeafSource {
  LayoutPart part;
  absl::FunctionRef<LeafSpec(uint32_t place)> spec;
  // Loads the leaves at these places, which are in no order and may repeat.
  absl::FunctionRef<absl::StatusOr<std::vector<Leaf>>(absl::Span<const uint32_t> places)> load;
  // Puts the name of the source before an error that is not of `load`.
  absl::FunctionRef<absl::Status(const absl::Status&)> named;
};

absl::StatusOr<RestoreReport> LoadInto(const LeafSource& source, ParamStore* store,
                                       const RestoreOptions& options);

}  // namespace internal
}  // namespace leafstore

#endif  // LEAFSTORE_SELECT_LOAD_INTO_H_
