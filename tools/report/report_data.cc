#include "leafstore/tools/report/report_data.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

#include "leafstore/tools/present/text.h"

namespace leafstore::tools {
namespace {

// Values of static leaves are cut to this many bytes: a file can hold megabytes.
constexpr size_t kMaxShownValue = 4096;
// Larger integers are not exact as numbers in JavaScript.
constexpr int64_t kMaxExactInteger = int64_t{1} << 53;

// Returns an object with the names of a map, and the result of `fn` for each value. Names of a map
// are unique and stay different, so no search for duplicates is needed: a file can have millions.
template <typename Map, typename Fn>
Json Fields(const Map& map, const Fn& fn) {
  Json json = Json::object();
  auto& fields = json.get_ref<Json::object_t&>();
  fields.reserve(map.size());
  for (const auto& [name, value] : map) {
    fields.emplace_back(Printable(absl::StrReplaceAll(name, {{"\\", "\\\\"}})), fn(value));
  }
  return json;
}

}  // namespace

const StatField kStatFields[9] = {
    {"count", [](const TensorStats& s) -> Json { return s.count; }},
    {"nan", [](const TensorStats& s) -> Json { return s.nan_count; }},
    {"inf", [](const TensorStats& s) -> Json { return s.inf_count; }},
    {"zero", [](const TensorStats& s) -> Json { return s.zero_count; }},
    {"min", [](const TensorStats& s) { return PageNumber(s.min); }},
    {"max", [](const TensorStats& s) { return PageNumber(s.max); }},
    {"mean", [](const TensorStats& s) { return PageNumber(s.mean); }},
    {"std", [](const TensorStats& s) { return PageNumber(s.stddev()); }},
    {"l2", [](const TensorStats& s) { return PageNumber(s.l2()); }},
};

Json PageText(absl::string_view text) { return Printable(text); }

Json PageNumber(double number) {
  if (std::isnan(number)) return nullptr;
  if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
  return number;
}

Json ChartNumber(double number) {
  if (!std::isfinite(number)) return PageNumber(number);
  return std::strtod(absl::StrCat(number).c_str(), nullptr);
}

Json PageJson(const Metadata& metadata) { return Fields(metadata, PageText); }

Json PageJson(const Totals& totals) {
  return {{"leaves", totals.leaves},
          {"tensors", totals.tensors},
          {"parameters", totals.parameters},
          {"bytes", totals.bytes},
          {"stored", totals.stored}};
}

Json PageJson(const Value& value) {
  if (const auto* const number = value.As<int64_t>()) {
    if (*number > kMaxExactInteger || *number < -kMaxExactInteger) return absl::StrCat(*number);
  } else if (const auto* const text = value.As<std::string>()) {
    return CutEnd(Printable(*text), kMaxShownValue);
  } else if (const auto* const bytes = value.As<Bytes>()) {
    const auto shown = absl::string_view(bytes->data).substr(0, kMaxShownValue);
    return CutEnd(absl::BytesToHexString(shown), kMaxShownValue);
  }
  return ToJson(value);
}

Json PageJson(const Source& source) {
  Json bases = Json::array();
  for (const std::string& base : source.other_files) bases.push_back(PageText(base));
  return {{"name", PageText(source.file)},
          {"bytes", source.file_size},
          {"format", PageText(source.description)},
          {"has_checksums", source.has_checksums()},
          {"step", ToJson(source.step)},
          {"metrics", Fields(source.metrics, PageNumber)},
          {"metadata", PageJson(source.metadata)},
          {"bases", std::move(bases)}};
}

Json MetricsByStep(const std::vector<Metrics>& by_step) {
  std::map<std::string, std::vector<Json>> lists;
  for (size_t step = 0; step < by_step.size(); ++step) {
    for (const auto& [name, value] : by_step[step]) {
      lists.try_emplace(name, by_step.size(), nullptr).first->second[step] = PageNumber(value);
    }
  }
  return Fields(lists, [](const std::vector<Json>& list) { return Json(list); });
}

}  // namespace leafstore::tools
