#include "leafstore/checkpoint/internal/step_file.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

namespace leafstore {
namespace {

constexpr absl::string_view kPrefix = "step-";
constexpr absl::string_view kSuffix = ".leaf";

}  // namespace

std::string StepFileName(int64_t step) {
  return absl::StrFormat("%s%020d%s", kPrefix, step, kSuffix);
}

std::optional<int64_t> StepOfFileName(absl::string_view name) {
  absl::string_view digits = name;
  int64_t step = 0;
  if (!absl::ConsumePrefix(&digits, kPrefix) || !absl::ConsumeSuffix(&digits, kSuffix) ||
      !absl::SimpleAtoi(digits, &step) || step < 0 || StepFileName(step) != name) {
    return std::nullopt;
  }
  return step;
}

bool IsUnfinishedStepFile(absl::string_view name) {
  const size_t end = name.find(".tmp-");
  return end != absl::string_view::npos && StepOfFileName(name.substr(0, end)).has_value();
}

}  // namespace leafstore
