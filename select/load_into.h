// LoadInto: replaces the leaves of a store with those of a file or of another store.
//
//   RestoreReport report = reader.LoadInto("params", &params).value();   // all of it, or an error
//   reader.LoadInto("params", &body, {.filter = Glob("body.**"),         // a part of another model
//                                     .renames = {{"encoder.**", "body.**"}}}).value();
//   safetensors.LoadInto(&params, {.by = AlignBy::kDotted}).value();     // PyTorch's names
//
// CheckpointReader, SafetensorsReader and LoadNpzInto share these options, errors and reports. All
// leaves are matched by path, dtype and shape before any bytes are read, and all are read before
// the store is changed.
#ifndef LEAFSTORE_SELECT_LOAD_INTO_H_
#define LEAFSTORE_SELECT_LOAD_INTO_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "leafstore/select/filter.h"
#include "leafstore/select/rename_map.h"
#include "leafstore/store/align.h"
#include "leafstore/store/param_store.h"

namespace leafstore {

// By default the source and the store must have the same paths.
struct RestoreOptions {
  // Leave leaves of the store unchanged if the source does not have them.
  bool allow_missing = false;
  // Skip leaves of the source that the store does not have.
  bool allow_unexpected = false;
  // Replace only the leaves of the store that this filter selects, as the first group of a
  // Partition. It is evaluated on the store's paths. Other leaves of the store do not change;
  // leaves of the source that the store does not have are then no error, but are reported.
  std::optional<Filter> filter = std::nullopt;
  // How leaves of the source are matched with those of the store. kDotted applies to leaves without
  // a match at their own path.
  AlignBy by = AlignBy::kPath;
  // Rename the source's leaves first (rename_map.h). A renamed leaf is matched by its new path, or
  // else by the dotted form of that.
  std::vector<RenameRule> renames = {};
  // Accept rules of `renames` that match no leaf of the source.
  bool allow_unused_renames = false;
};

// The result of LoadInto. Paths are as in a FitReport; those of the source are the renamed ones.
struct RestoreReport {
  // The number of leaves of the store that were replaced.
  uint32_t restored = 0;
  // Leaves of the store that were requested but that the source does not have.
  std::vector<std::string> missing;
  // Leaves of the source that the store does not have.
  std::vector<std::string> unexpected;
};

// Replaces leaves of `store` with those of `from`, which is not changed.
// error InvalidArgument: leaves are missing or unexpected (unless allowed), dtypes, shapes or kinds
// differ, two leaves of the source match one of the store, or two leaves of the store have the same
// dotted form; all are named (FitReport). Also: a filter is bad or matches no leaf of the store, or
// a rename is bad (RenameMap::Create, Apply).
// error ResourceExhausted: with renames or kDotted, the paths to compare exceed 64 MiB + 256 bytes
// per leaf (a hostile tree). error FailedPrecondition: a borrow is open. After an error the store is
// unchanged.
// O(leaves), plus the cost of the filter and the renames.
absl::StatusOr<RestoreReport> LoadInto(const ParamStore& from, ParamStore* store,
                                       const RestoreOptions& options = {});

}  // namespace leafstore

#endif  // LEAFSTORE_SELECT_LOAD_INTO_H_
