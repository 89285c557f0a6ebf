// Diff: the differences of two stores, by structure, shape, dtype and value.
//
//   StoreDiff diff = DiffStores(before, after, {.rtol = 1e-5, .atol = 1e-8}).value();
//   if (!diff.same()) std::cerr << diff.ToString();
//   // 2 leaves differ, 7 are the same
//   // at .head.bias: 3 of 4 elements differ, first at [1]; by at most 0.5, relatively 0.1
//   // at .layers[0].weight: f32[2, 3] and f32[3, 2]
//   // only in the first: .old
//
// Leaves are matched by path (by slot if the Layouts are equal). If both stores have a TreeDef, the
// structures are compared too, including empty containers, kinds and type names.
//
// Values. Two elements differ if |a - b| > atol + rtol * |b|, as in numpy.isclose: b is the
// expected value. With both 0, the default, they differ if a != b; 0 and -0 are equal. Infinities
// of one sign are equal; other infinities differ by infinity whatever the tolerance. A NaN equals a
// NaN unless the options say otherwise, and differs from every other value. Integers are compared
// exactly, all 64 bits; c64 by the magnitude of the difference. Tensors of different dtype or shape
// are reported as such; their elements are not compared. With `across_dtypes`, the elements of
// tensors of different dtypes are compared as f64 (c64 only with c64); tensors with equal elements
// are then equal.
//
// Cost. A leaf with equal generations on both sides is equal, in O(1) (unless NaN differs from
// NaN); other leaves cost O(bytes). So the diff of two snapshots costs what was written between
// them.
//
// Errors: FailedPrecondition: a borrow is open in one of the stores. InvalidArgument: a tolerance
// is negative or NaN. Threads: a pure function; thread-safe.
#ifndef LEAFSTORE_NUMERIC_DIFF_H_
#define LEAFSTORE_NUMERIC_DIFF_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "leafstore/core/leaf.h"
#include "leafstore/core/shape.h"
#include "leafstore/store/param_store.h"
#include "leafstore/treedef/diff.h"

namespace leafstore {

struct DiffOptions {
  double rtol = 0;
  double atol = 0;
  bool nan_equals_nan = true;
  bool across_dtypes = false;
};

// A leaf that both stores have and that differs. Paths are canonical.
struct LeafDiff {
  enum class What : uint8_t { kKind, kDType, kShape, kNumbers, kValue };

  std::string path = {};
  What what = What::kNumbers;
  // The specs ("f32[2, 3]"), or the values of two static leaves.
  std::string a = {};
  std::string b = {};

  // For kNumbers: how many of `count` elements differ, the index of the first of them, and the
  // largest |a - b| and |a - b| / |b| (infinite if b is 0) of those that differ. A NaN on one side
  // counts as a difference and is in neither maximum.
  int64_t differing = 0;
  int64_t count = 0;
  Shape first = {};
  double max_abs = 0;
  double max_rel = 0;

  // Returns one line, without a line end.
  std::string ToString() const;
};

struct StoreDiff {
  std::vector<std::string> only_in_a;
  std::vector<std::string> only_in_b;
  std::vector<LeafDiff> leaves;  // in a's order
  // If both have a TreeDef: the differences of the structures as text, including leaves that only
  // one of them has.
  std::vector<std::string> structure;
  int64_t same_count = 0;     // leaves that are equal
  int64_t skipped_count = 0;  // of these, leaves that were not read: their generations are equal

  bool same() const {
    return only_in_a.empty() && only_in_b.empty() && leaves.empty() && structure.empty();
  }
  // Returns the first `max` entries of each list as lines, and the count of the others.
  std::string ToString(size_t max = 20) const;
};

// Compares two leaves. Returns no value if they are equal; the path of the result is empty.
// Negative tolerances count as 0. O(bytes).
std::optional<LeafDiff> DiffLeaves(const Leaf& a, const Leaf& b, const DiffOptions& options = {});
// Compares two stores. O(leaves), and O(bytes) of the leaves that are read.
absl::StatusOr<StoreDiff> DiffStores(const ParamStore& a, const ParamStore& b,
                                     const DiffOptions& options = {});

}  // namespace leafstore

#endif  // LEAFSTORE_NUMERIC_DIFF_H_
