// Diff: the differences of two stores, by structure, shape, dtype and value.
//
//   StoreDiff diff = DiffStores(before, after, {.rtol = 1e-5, .atol = 1e-8}).value();
//   if (!diff.same()) std::cerr << diff.ToString();
//   // 2 leaves differ, 7 are the same
//   // at .head.bias: 3 of 4 numbers differ, first at [1]; by at most 0.5, relatively 0.1
//   // at .layers[0].weight: f32[2, 3] and f32[3, 2]
//   // only in the first: .old
//
// Leaves meet by path (by slot where the Layouts are equal). Where both stores are of a TreeDef the
// structures are compared too, empty containers, kinds and type names included.
//
// Values. Two numbers differ when |a - b| > atol + rtol * |b|, as in numpy.isclose: b is what is
// expected. With both 0, the default, they differ when a != b; 0 and -0 are the same. Infinities of
// one sign are the same, other infinities differ by infinity whatever the tolerance. A NaN equals a
// NaN unless options say otherwise, and differs from every number. Integers are compared as
// integers, to the last digit of 64 bits; c64 by the magnitude of the difference. Tensors of
// different dtype or shape are reported so; their numbers are not compared.
//
// Cost. A leaf whose generation is the same on both sides is the same, in O(1) (unless NaN differs
// from NaN); all others O(bytes). So two snapshots around one step cost what was written between.
//
// Errors: FailedPrecondition: a borrow is open in one of the stores. InvalidArgument: a tolerance
// is negative or NaN. Threads: a function of values; safe.
#ifndef LEAFSTORE_NUMERIC_DIFF_H_
#define LEAFSTORE_NUMERIC_DIFF_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "leafstore/core/shape.h"
#include "leafstore/store/param_store.h"
#include "leafstore/treedef/diff.h"

namespace leafstore {

struct DiffOptions {
  double rtol = 0;
  double atol = 0;
  bool nan_equals_nan = true;
};

// A leaf that is there twice and differs. Paths are canonical.
struct LeafDiff {
  enum class What : uint8_t { kKind, kDType, kShape, kNumbers, kValue };

  std::string path;
  What what = What::kNumbers;
  // The specs ("f32[2, 3]"); of two static leaves the values.
  std::string a;
  std::string b;

  // Of kNumbers: how many of how many differ, the first of them, and over those that differ the
  // largest |a - b| and the largest |a - b| / |b| (infinite where b is 0). A NaN on one side counts
  // as differing and is in neither maximum.
  int64_t differing = 0;
  int64_t count = 0;
  Shape first;
  double max_abs = 0;
  double max_rel = 0;

  // A line without its end.
  std::string ToString() const;
};

struct StoreDiff {
  std::vector<std::string> only_in_a;
  std::vector<std::string> only_in_b;
  std::vector<LeafDiff> leaves;  // in a's order
  // Where both are of a TreeDef: what differs in them, in words, leaves that are in one alone too.
  std::vector<std::string> structure;
  int64_t same_count = 0;     // leaves that are the same
  int64_t skipped_count = 0;  // those of them that were not read, their generations being equal

  bool same() const {
    return only_in_a.empty() && only_in_b.empty() && leaves.empty() && structure.empty();
  }
  // The first `max` of each list as lines, and how many more there are.
  std::string ToString(size_t max = 20) const;
};

absl::StatusOr<StoreDiff> DiffStores(const ParamStore& a, const ParamStore& b,
                                     const DiffOptions& options = {});

}  // namespace leafstore

#endif  // LEAFSTORE_NUMERIC_DIFF_H_
