#include "leafstore/checkpoint/internal/run_files.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace leafstore::internal {
namespace {

constexpr absl::string_view kPrefix = "step-";
constexpr absl::string_view kSuffix = ".leaf";
constexpr absl::string_view kAbandoned = "abandoned-";

}  // namespace

std::string StepFileName(int64_t step) {
  return absl::StrCat(kPrefix, absl::Dec(step, absl::kZeroPad20), kSuffix);
}

std::optional<RunFile> ParseRunFile(absl::string_view name) {
  const absl::string_view before = NameBeforeAbandoned(name);
  RunFile file{0, std::string(name), !before.empty()};
  absl::string_view digits = file.abandoned ? before : name;
  if (!absl::ConsumePrefix(&digits, kPrefix) || !absl::ConsumeSuffix(&digits, kSuffix) ||
      !absl::SimpleAtoi(digits, &file.step) || file.step < 0 ||
      StepFileName(file.step) != (file.abandoned ? before : name)) {
    return std::nullopt;
  }
  return file;
}

std::string AbandonedName(absl::string_view name, int count) {
  return count == 1 ? absl::StrCat(kAbandoned, name) : absl::StrCat(kAbandoned, count, "-", name);
}

absl::string_view NameBeforeAbandoned(absl::string_view name) {
  if (!absl::ConsumePrefix(&name, kAbandoned)) return "";
  const size_t dash = name.find('-');
  int count = 0;
  if (dash != absl::string_view::npos && absl::SimpleAtoi(name.substr(0, dash), &count)) {
    name.remove_prefix(dash + 1);
  }
  return name;
}

}  // namespace leafstore::internal
