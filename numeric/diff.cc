#include "leafstore/numeric/diff.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <concepts>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/numeric/elements.h"
#include "leafstore/store/align.h"
#include "leafstore/treedef/internal/path_cursor.h"

namespace leafstore {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

// Counts elements that differ.
class Counter {
 public:
  explicit Counter(const DiffOptions& options) : options_(options) {}

  // Compares the next two elements.
  void Compare(double a, double b) {
    if (a == b) return Same();
    if (std::isnan(a) || std::isnan(b)) return CompareNaNs(std::isnan(a), std::isnan(b));
    const bool infinite = std::isinf(a) || std::isinf(b);
    CompareDistance(infinite ? kInf : std::fabs(a - b), std::fabs(b), infinite);
  }
  void Compare(std::complex<float> a, std::complex<float> b) {
    if (a == b) return Same();
    const auto is_nan = [](std::complex<float> z) {
      return std::isnan(z.real()) || std::isnan(z.imag());
    };
    if (is_nan(a) || is_nan(b)) return CompareNaNs(is_nan(a), is_nan(b));
    const std::complex<double> wide_a = a;
    const std::complex<double> wide_b = b;
    const bool infinite = std::isinf(std::abs(wide_a)) || std::isinf(std::abs(wide_b));
    CompareDistance(infinite ? kInf : std::abs(wide_a - wide_b), std::abs(wide_b), infinite);
  }
  template <std::integral Integer>
  void Compare(Integer a, Integer b) {
    if (a == b) return Same();
    // The distance of two int64_t is a uint64_t.
    const uint64_t distance = a > b ? static_cast<uint64_t>(a) - static_cast<uint64_t>(b)
                                    : static_cast<uint64_t>(b) - static_cast<uint64_t>(a);
    CompareDistance(static_cast<double>(distance), std::fabs(static_cast<double>(b)), false);
  }

  // Returns the differences of tensors of this shape; no value if there are none.
  std::optional<LeafDiff> Result(ShapeRef shape) && {
    if (diff_.differing == 0) return std::nullopt;
    diff_.count = index_;
    diff_.first.resize(shape.size());
    for (size_t axis = shape.size(); axis-- > 0; first_ /= shape[axis]) {
      diff_.first[axis] = first_ % shape[axis];
    }
    return std::move(diff_);
  }

 private:
  void Same() { ++index_; }
  void Differs() {
    if (diff_.differing++ == 0) first_ = index_;
    ++index_;
  }
  void CompareNaNs(bool a, bool b) {
    if (a && b && options_.nan_equals_nan) return Same();
    Differs();
  }
  // Infinities differ whatever the tolerance, which would be infinite too.
  void CompareDistance(double distance, double size, bool infinite) {
    if (!infinite && distance <= options_.atol + options_.rtol * size) return Same();
    diff_.max_abs = std::max(diff_.max_abs, distance);
    diff_.max_rel = std::max(diff_.max_rel, infinite || size == 0 ? kInf : distance / size);
    Differs();
  }

  const DiffOptions& options_;
  int64_t index_ = 0;
  int64_t first_ = 0;  // the index of the first element that differs
  LeafDiff diff_;
};

// Compares two tensors of the same shape, and the same dtype or dtypes that are compared as f64.
std::optional<LeafDiff> CompareNumbers(const Tensor& a, const Tensor& b,
                                       const DiffOptions& options) {
  if (options.nan_equals_nan && a == b) return std::nullopt;
  Counter counter(options);
  const auto compare = [&](auto zero) {
    const auto x = a.span<decltype(zero)>();
    const auto y = b.span<decltype(zero)>();
    for (size_t i = 0; i < x.size(); ++i) counter.Compare(x[i], y[i]);
  };
  // A double is not exact for the integers, and has only the magnitude of a complex number.
  if (a.dtype() == b.dtype() &&
      internal::VisitType<int64_t, uint64_t, std::complex<float>>(a.dtype(), compare)) {
    return std::move(counter).Result(a.shape());
  }
  internal::ForEachBlock(a.element_count(), [&](int64_t begin, size_t size) {
    std::array<double, kElementBlock> x;
    std::array<double, kElementBlock> y;
    ReadElements(a, begin, absl::MakeSpan(x.data(), size));
    ReadElements(b, begin, absl::MakeSpan(y.data(), size));
    for (size_t i = 0; i < size; ++i) counter.Compare(x[i], y[i]);
  });
  return std::move(counter).Result(a.shape());
}

// Returns what differs first between two leaves, without comparing the elements of tensors.
std::optional<LeafDiff::What> FirstDifference(const Leaf& a, const Leaf& b,
                                              const DiffOptions& options) {
  if (a.is_tensor() != b.is_tensor()) return LeafDiff::What::kKind;
  if (a.is_value()) {
    return a.value() == b.value() ? std::nullopt : std::optional(LeafDiff::What::kValue);
  }
  const DType dtype = a.tensor().dtype();
  const DType other = b.tensor().dtype();
  const bool comparable =
      dtype == other || (options.across_dtypes && dtype != DType::kC64 && other != DType::kC64);
  if (!comparable) return LeafDiff::What::kDType;
  if (a.tensor().shape() != b.tensor().shape()) return LeafDiff::What::kShape;
  return std::nullopt;
}

// Appends the path of a leaf that differs.
absl::Status AddPath(const ParamStore& store, uint32_t place, internal::TextBudget* budget,
                     std::vector<std::string>* paths) {
  paths->push_back(store.PathText(place));
  return budget->Spend(paths->back().size());
}

absl::Status AddLeaf(const ParamStore& store, uint32_t place, const Leaf& a, const Leaf& b,
                     const DiffOptions& options, internal::TextBudget* budget, StoreDiff* diff) {
  if (options.nan_equals_nan && a.generation() == b.generation()) {
    ++diff->same_count;
    ++diff->skipped_count;
    return absl::OkStatus();
  }
  std::optional<LeafDiff> different = DiffLeaves(a, b, options);
  if (!different) {
    ++diff->same_count;
    return absl::OkStatus();
  }
  different->path = store.PathText(place);
  const size_t size = different->path.size();
  diff->leaves.push_back(*std::move(different));
  return budget->Spend(size);
}

void AddStructure(const Layout& a, const Layout& b, StoreDiff* diff) {
  if (!a.has_def() || !b.has_def() || a == b) return;
  const TreeDef def_a = a.def().value();  // cannot fail: has_def() is true
  const TreeDef def_b = b.def().value();
  for (const TreeDefDifference& difference : DiffTreeDefs(def_a, def_b)) {
    diff->structure.push_back(ToString(difference, def_a, def_b));
  }
}

void AppendLines(absl::string_view before, absl::Span<const std::string> lines, size_t max,
                 std::string* text) {
  for (size_t i = 0; i < lines.size() && i < max; ++i) {
    absl::StrAppend(text, before, lines[i], "\n");
  }
  if (lines.size() > max) absl::StrAppend(text, before, "... ", lines.size() - max, " more\n");
}

absl::Status CheckTolerance(absl::string_view name, double value) {
  if (value >= 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(name, ": expected 0 or more, found ", value));
}

}  // namespace

std::string LeafDiff::ToString() const {
  if (what != What::kNumbers) return absl::StrCat("at ", path, ": ", a, " and ", b);
  std::string text = absl::StrCat("at ", path, ": ", differing, " of ", count,
                                  count == 1 ? " element differs" : " elements differ",
                                  ", first at ", ShapeToString(first));
  if (max_abs > 0) {
    absl::StrAppend(&text, "; by at most ", max_abs, ", relatively ", max_rel);
  }
  return text;
}

std::string StoreDiff::ToString(size_t max) const {
  if (same()) return absl::StrCat("no difference, ", same_count, " leaves are the same\n");
  std::string text =
      absl::StrCat(leaves.size(), leaves.size() == 1 ? " leaf differs, " : " leaves differ, ",
                   same_count, same_count == 1 ? " is the same\n" : " are the same\n");
  std::vector<std::string> lines(leaves.size());
  for (size_t i = 0; i < std::min(max, lines.size()); ++i) lines[i] = leaves[i].ToString();
  AppendLines("", lines, max, &text);
  AppendLines("only in the first: ", only_in_a, max, &text);
  AppendLines("only in the second: ", only_in_b, max, &text);
  AppendLines("structure: ", structure, max, &text);
  return text;
}

std::optional<LeafDiff> DiffLeaves(const Leaf& a, const Leaf& b, const DiffOptions& options) {
  std::optional<LeafDiff> different;
  if (const std::optional<LeafDiff::What> what = FirstDifference(a, b, options)) {
    different.emplace().what = *what;
  } else if (a.is_tensor()) {
    different = CompareNumbers(a.tensor(), b.tensor(), options);
  }
  if (!different) return different;
  const bool values = different->what == LeafDiff::What::kValue;
  different->a = values ? a.value().ToString() : a.spec().ToString();
  different->b = values ? b.value().ToString() : b.spec().ToString();
  return different;
}

absl::StatusOr<StoreDiff> DiffStores(const ParamStore& a, const ParamStore& b,
                                     const DiffOptions& options) {
  LEAFSTORE_RETURN_IF_ERROR(CheckTolerance("rtol", options.rtol));
  LEAFSTORE_RETURN_IF_ERROR(CheckTolerance("atol", options.atol));
  LEAFSTORE_RETURN_IF_ERROR(a.CheckNoBorrow("compare a store"));
  LEAFSTORE_RETURN_IF_ERROR(b.CheckNoBorrow("compare a store"));
  StoreDiff diff;
  internal::TextBudget budget(a.size() + uint64_t{b.size()});
  const Alignment in_b = Align(a, b);
  for (uint32_t place = 0; place < a.size(); ++place) {
    if (in_b[place] == kNoPlace) {
      LEAFSTORE_RETURN_IF_ERROR(AddPath(a, place, &budget, &diff.only_in_a));
    } else {
      LEAFSTORE_RETURN_IF_ERROR(
          AddLeaf(a, place, a.leaf(place), b.leaf(in_b[place]), options, &budget, &diff));
    }
  }
  // Not in_b.Missing(): a leaf of `b` may be an alias of `a`.
  for (const uint32_t place : Align(b, a).Unexpected()) {
    LEAFSTORE_RETURN_IF_ERROR(AddPath(b, place, &budget, &diff.only_in_b));
  }
  AddStructure(a.layout(), b.layout(), &diff);
  return diff;
}

}  // namespace leafstore
