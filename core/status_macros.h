// Macros that return early on an error of absl::Status or absl::StatusOr.
//
//   LEAFSTORE_RETURN_IF_ERROR(store.Set(".bias", tensor));
//   LEAFSTORE_ASSIGN_OR_RETURN(Path path, Path::Parse(text));
#ifndef LEAFSTORE_CORE_STATUS_MACROS_H_
#define LEAFSTORE_CORE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define LEAFSTORE_RETURN_IF_ERROR(expr)                    \
  do {                                                     \
    ::absl::Status leafstore_status_ = (expr);             \
    if (!leafstore_status_.ok()) return leafstore_status_; \
  } while (false)

#define LEAFSTORE_ASSIGN_OR_RETURN(lhs, expr) \
  LEAFSTORE_ASSIGN_OR_RETURN_(LEAFSTORE_CONCAT_(leafstore_or_, __LINE__), lhs, expr)

#define LEAFSTORE_ASSIGN_OR_RETURN_(statusor, lhs, expr)   \
  auto statusor = (expr);                                  \
  if (!statusor.ok()) return std::move(statusor).status(); \
  lhs = std::move(statusor).value()

#define LEAFSTORE_CONCAT_(a, b) LEAFSTORE_CONCAT_INNER_(a, b)
#define LEAFSTORE_CONCAT_INNER_(a, b) a##b

#endif  // LEAFSTORE_CORE_STATUS_MACROS_H_
