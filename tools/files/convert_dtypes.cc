#include "leafstore/tools/files/convert_dtypes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/types/span.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/numeric/elements.h"
#include "leafstore/numeric/ops.h"
#include "leafstore/tools/present/errors.h"
#include "leafstore/tools/present/text.h"

namespace leafstore::tools {
namespace {

// Returns the smallest normal number; 0 for a dtype that is not a target.
double SmallestNormal(DType dtype) {
  constexpr std::pair<DType, int> kExponents[] = {
      {DType::kF64, -1022}, {DType::kF32, -126}, {DType::kBF16, -126}, {DType::kF16, -14}};
  for (const auto& [target, exponent] : kExponents) {
    if (target == dtype) return std::ldexp(1.0, exponent);
  }
  return 0;
}

void CountLosses(const Tensor& before, const Tensor& after, DTypeConversion* done) {
  const double smallest = SmallestNormal(done->to);
  internal::ForEachBlock(before.element_count(), [&](int64_t begin, size_t size) {
    std::array<double, kElementBlock> x;
    std::array<double, kElementBlock> y;
    ReadElements(before, begin, absl::MakeSpan(x.data(), size));
    ReadElements(after, begin, absl::MakeSpan(y.data(), size));
    for (size_t i = 0; i < size; ++i) {
      if (x[i] == y[i] || std::isnan(x[i])) continue;
      int64_t& count = !std::isfinite(y[i])         ? done->overflowed
                       : y[i] == 0                  ? done->to_zero
                       : std::fabs(y[i]) < smallest ? done->to_subnormal
                                                    : done->rounded;
      ++count;
    }
  });
}

DTypeConversion* ConversionTo(DType to, std::vector<DTypeConversion>* done) {
  for (DTypeConversion& one : *done) {
    if (one.to == to) return &one;
  }
  return &done->emplace_back(DTypeConversion{to});
}

}  // namespace

absl::StatusOr<std::vector<DTypeRule>> ParseDTypeRules(const std::vector<std::string>& texts) {
  std::vector<DTypeRule> rules;
  for (const std::string& text : texts) {
    const size_t equals = text.rfind('=');  // a glob may have others
    const std::string glob = equals == std::string::npos ? "**" : text.substr(0, equals);
    const absl::StatusOr<DType> dtype =
        ParseDType(equals == std::string::npos ? text : text.substr(equals + 1));
    absl::StatusOr<internal::GlobPattern> parsed = internal::GlobPattern::Parse(glob);
    if (!parsed.ok()) return UsageError("--dtype '", text, "': ", parsed.status().message());
    if (!dtype.ok()) return UsageError("--dtype '", text, "': ", dtype.status().message());
    if (SmallestNormal(*dtype) == 0) {
      return UsageError("--dtype '", text, "': expected f64, f32, f16 or bf16, found ",
                        DTypeName(*dtype));
    }
    rules.push_back({*std::move(parsed), *dtype});
  }
  return rules;
}

absl::Status ConvertDTypes(const std::vector<DTypeRule>& rules, ParamStore* store,
                           std::vector<DTypeConversion>* done) {
  std::vector<Leaf> leaves(store->leaves().begin(), store->leaves().end());
  for (uint32_t place = 0; place < store->size(); ++place) {
    Leaf& leaf = leaves[place];
    if (!leaf.is_tensor() || !IsFloating(leaf.tensor().dtype())) continue;
    const Path path = store->layout().PathOf(store->slot(place));
    const auto rule = std::find_if(rules.begin(), rules.end(), [&path](const DTypeRule& one) {
      return one.glob.Matches(path, /*or_above=*/true);
    });
    if (rule == rules.end() || rule->to == leaf.tensor().dtype()) continue;
    LEAFSTORE_ASSIGN_OR_RETURN(Tensor converted, CastTensor(leaf.tensor(), rule->to));
    DTypeConversion* const conversion = ConversionTo(rule->to, done);
    ++conversion->leaves;
    conversion->elements += converted.element_count();
    const int64_t overflowed = conversion->overflowed;
    CountLosses(leaf.tensor(), converted, conversion);
    if (overflowed == 0 && conversion->overflowed > 0) {
      conversion->first_overflow = PrintablePath(path);
    }
    leaf = Leaf(std::move(converted));
  }
  *store = ParamStore::FromParts(store->layout(), store->slots(), std::move(leaves));
  return absl::OkStatus();
}

}  // namespace leafstore::tools
