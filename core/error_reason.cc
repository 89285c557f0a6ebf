#include "leafstore/core/error_reason.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"

namespace leafstore {
namespace {

constexpr absl::string_view kPayload = "leafstore/reason";

// The text of each reason in a printed status, indexed by reason.
constexpr absl::string_view kNames[] = {
    "none",          "not this format", "truncated",  "newer version",
    "missing base",  "exists",          "unusual",    "foreign",
    "incomplete",    "ambiguous",       "not a file", "no checkpoint",
    "behind newest", "unknown name",    "usage",      "reported"};
static_assert(std::size(kNames) == static_cast<size_t>(ErrorReason::kReported) + 1);

}  // namespace

absl::Status WithReason(absl::Status status, ErrorReason reason) {
  status.SetPayload(kPayload, absl::Cord(kNames[static_cast<size_t>(reason)]));
  return status;
}

ErrorReason ReasonOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kPayload);
  if (!payload.has_value()) return ErrorReason::kNone;
  const auto* found = std::find(std::begin(kNames), std::end(kNames), *payload);
  return found != std::end(kNames) ? static_cast<ErrorReason>(found - kNames) : ErrorReason::kNone;
}

absl::Status WithMessage(const absl::Status& status, absl::string_view message) {
  absl::Status out(status.code(), message);
  const ErrorReason reason = ReasonOf(status);
  return reason == ErrorReason::kNone ? out : WithReason(std::move(out), reason);
}

absl::Status WithContext(const absl::Status& status, absl::string_view context) {
  return status.ok() ? status : WithMessage(status, absl::StrCat(context, ": ", status.message()));
}

}  // namespace leafstore
