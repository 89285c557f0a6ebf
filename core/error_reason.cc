#include "leafstore/core/error_reason.h"

#include <string>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"

namespace leafstore {
namespace {

constexpr absl::string_view kPayload = "leafstore/reason";

}  // namespace

absl::Status WithReason(absl::Status status, ErrorReason reason) {
  status.SetPayload(kPayload, absl::Cord(std::string(1, static_cast<char>(reason))));
  return status;
}

ErrorReason ReasonOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kPayload);
  return payload.has_value() ? static_cast<ErrorReason>((*payload)[0]) : ErrorReason::kNone;
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
