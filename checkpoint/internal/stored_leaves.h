// StoredLeaves: loads the leaves of a file, all or parts, as views of a mapping or as tensors that
// own their bytes. The readers of all formats use it.
//
// The bytes are read by a ReadPlan (read_plan.h), in disk order and by several threads.
#ifndef LEAFSTORE_CHECKPOINT_INTERNAL_STORED_LEAVES_H_
#define LEAFSTORE_CHECKPOINT_INTERNAL_STORED_LEAVES_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/checkpoint/internal/file_bytes.h"
#include "leafstore/checkpoint/load_options.h"
#include "leafstore/core/leaf.h"
#include "leafstore/core/leaf_spec.h"
#include "leafstore/io/io_options.h"
#include "leafstore/select/grouping.h"
#include "leafstore/select/load_into.h"
#include "leafstore/store/layout.h"
#include "leafstore/store/param_store.h"
#include "leafstore/store/slot_set.h"

namespace leafstore::internal {

// The virtual functions are called from many threads.
class StoredLeaves {
 public:
  // The leaves have these slots of the Layout. All arguments must outlive this object.
  StoredLeaves(const Layout& layout, const SlotSet& slots, const IoOptions& io, bool verify)
      : layout_(layout), slots_(slots), io_(io), verify_(verify) {}
  virtual ~StoredLeaves() = default;

  const Layout& layout() const { return layout_; }
  const SlotSet& slots() const { return slots_; }
  // Return the entry and the spec of a leaf. Called several times per leaf, so they must be cheap.
  virtual EntryInfo entry(uint32_t place) const = 0;
  virtual LeafSpec spec(uint32_t place) const { return entry(place).spec; }
  // Returns whether a load should read bytes into memory (ReadMode::kAuto); otherwise it can return
  // views of a file, whose bytes are read when they are needed.
  virtual bool needs_bytes() const { return verify_; }
  // Returns the file with this EntryInfo::base.
  virtual absl::StatusOr<const FileBytes*> FileOf(uint32_t base) const = 0;
  // Prefixes an error of a leaf with its name. `file` is null if it could not be opened.
  virtual absl::Status Named(uint32_t place, const FileBytes* file,
                             const absl::Status& status) const = 0;
  // Prefixes an error that concerns all leaves.
  virtual absl::Status Named(const absl::Status& status) const = 0;

  // Loads the leaves at these places, which may be unsorted and may repeat. With `verify`, checks
  // their checksums; bools are always checked, as a byte other than 0 and 1 is undefined behavior
  // in C++. Errors: those of CheckpointReader::Load, as Named returns them.
  absl::StatusOr<std::vector<Leaf>> Load(absl::Span<const uint32_t> places) const;
  // See CheckpointReader::LoadRows.
  absl::StatusOr<Tensor> LoadRows(uint32_t place, const RowRange& rows) const;

 private:
  const Layout& layout_;
  const SlotSet& slots_;
  const IoOptions& io_;
  const bool verify_;
};

// Loads the leaves that `options` select. error: see LoadOptions; and those of loading.
absl::StatusOr<ParamStore> LoadChosen(const StoredLeaves& stored, const LoadOptions& options);

// Loads the leaf at a canonical path. A path through an alias finds the owner's leaf. Does not
// build an index of the paths, which would cost more than loading one leaf. error NotFound: no such
// path, or its leaf is not stored. error InvalidArgument: not a canonical path, or that of a
// container. O(depth * log children) with a TreeDef.
absl::StatusOr<Leaf> LoadLeaf(const StoredLeaves& stored, absl::string_view path);
// Returns the place of that leaf, with the same errors.
absl::StatusOr<uint32_t> GetPlace(const StoredLeaves& stored, absl::string_view path);

// Compiles a grouping of the leaves from their specs. If a filter is a Callable, which may read
// bytes, loads them. error: Grouping::Compile's, and those of loading.
absl::StatusOr<Grouping> CompileGrouping(const StoredLeaves& stored,
                                         std::vector<NamedFilter> filters,
                                         const GroupingOptions& options);

// Replaces leaves of a store. error: LoadInto's (load_into.h), and those of loading.
absl::StatusOr<RestoreReport> LoadInto(const StoredLeaves& stored, ParamStore* store,
                                       const RestoreOptions& options);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_STORED_LEAVES_H_
