#include "leafstore/optim/rules.h"

#include <cmath>

#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"

namespace leafstore {
namespace {

constexpr absl::string_view kMomentum[] = {"momentum_buffer"};
constexpr absl::string_view kAdamMoments[] = {"exp_avg", "exp_avg_sq"};

absl::Status Wrong(absl::string_view name, absl::string_view expected, double found) {
  return absl::InvalidArgumentError(absl::StrCat(name, ": expected ", expected, ", found ", found));
}

absl::Status CheckNotNegative(absl::string_view name, double value) {
  if (std::isfinite(value) && value >= 0) return absl::OkStatus();
  return Wrong(name, "a finite number of at least 0", value);
}

absl::Status CheckBeta(absl::string_view name, double value) {
  if (value >= 0 && value < 1) return absl::OkStatus();
  return Wrong(name, "a number from 0 to below 1", value);
}

absl::Status CheckSgd(const Sgd& sgd) {
  LEAFSTORE_RETURN_IF_ERROR(CheckNotNegative("sgd: momentum", sgd.momentum));
  LEAFSTORE_RETURN_IF_ERROR(CheckNotNegative("sgd: weight_decay", sgd.weight_decay));
  if (!std::isfinite(sgd.dampening)) {
    return Wrong("sgd: dampening", "a finite number", sgd.dampening);
  }
  if (sgd.nesterov && (sgd.momentum == 0 || sgd.dampening != 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("sgd: nesterov: expected positive momentum and dampening 0, found momentum ",
                     sgd.momentum, " and dampening ", sgd.dampening));
  }
  return absl::OkStatus();
}

template <typename AnyAdam>
absl::Status CheckAdam(absl::string_view rule, const AnyAdam& adam) {
  LEAFSTORE_RETURN_IF_ERROR(CheckBeta(absl::StrCat(rule, ": beta1"), adam.beta1));
  LEAFSTORE_RETURN_IF_ERROR(CheckBeta(absl::StrCat(rule, ": beta2"), adam.beta2));
  LEAFSTORE_RETURN_IF_ERROR(CheckNotNegative(absl::StrCat(rule, ": eps"), adam.eps));
  return CheckNotNegative(absl::StrCat(rule, ": weight_decay"), adam.weight_decay);
}

}  // namespace

absl::string_view RuleName(const Rule& rule) {
  if (std::holds_alternative<Sgd>(rule)) return "sgd";
  return std::holds_alternative<Adam>(rule) ? "adam" : "adamw";
}

absl::Status CheckRule(const Rule& rule) {
  if (const Sgd* sgd = std::get_if<Sgd>(&rule)) return CheckSgd(*sgd);
  if (const Adam* adam = std::get_if<Adam>(&rule)) return CheckAdam(RuleName(rule), *adam);
  return CheckAdam(RuleName(rule), std::get<AdamW>(rule));
}

absl::Span<const absl::string_view> MomentNames(const Rule& rule) {
  const Sgd* sgd = std::get_if<Sgd>(&rule);
  if (sgd == nullptr) return kAdamMoments;
  if (sgd->momentum == 0) return {};
  return kMomentum;
}

}  // namespace leafstore
