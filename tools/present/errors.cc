#include "leafstore/tools/present/errors.h"

#include <csignal>
#include <cstddef>
#include <cstdio>
#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/types/optional.h"

#include "leafstore/tools/present/text.h"

namespace leafstore::tools {
namespace {

// Payloads: of an error of the command line; of a status that chooses its exit code; of a message
// with several lines.
constexpr char kUsageMark[] = "leafstore/usage";
constexpr char kExitMark[] = "leafstore/exit";
constexpr char kLinesMark[] = "leafstore/lines";

constexpr int kFailed = 1;
constexpr int kUsage = 2;
// What a shell returns for a program that SIGPIPE ended.
constexpr int kReaderGone = 128 + SIGPIPE;

// Returns advice about an error of a file, as the end of its message.
std::string WhatToDo(const absl::Status& status) {
  const bool may_be_gone = absl::IsNotFound(status) || absl::IsDataLoss(status);
  if (may_be_gone && absl::StrContains(status.message(), "base: cannot open")) {
    return "; copy it into the same directory, or use another checkpoint";
  }
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
      return "; check the name";
    case absl::StatusCode::kPermissionDenied:
      return "; check its permissions";
    case absl::StatusCode::kUnimplemented:
      // A newer version does not help where, for example, a dtype is not numeric.
      return absl::StrContains(status.message(), "version") ? "; use a newer leafstore to read it"
                                                            : "";
    case absl::StatusCode::kDataLoss:
      if (absl::StrContains(status.message(), "preamble: ")) {
        return "; is it a leafstore checkpoint? If so, its beginning is damaged: use another copy";
      }
      return absl::StrContains(status.message(), "the file was cut short")
                 ? "; use another copy or an older checkpoint"
                 : "; it is damaged: use another copy or an older checkpoint";
    default:
      return "";
  }
}

// Replaces the names of temporary files beside `file` by its own.
std::string WithoutTemporary(absl::string_view file, std::string message) {
  const std::string temporary = absl::StrCat(file, ".tmp-");
  for (size_t at = 0; (at = message.find(temporary, at)) != std::string::npos;) {
    const size_t begin = at + file.size();
    const size_t end = message.find_first_not_of("0123456789-", begin + 5);
    message.erase(begin, end == std::string::npos ? end : end - begin);
    at = begin;
  }
  return message;
}

}  // namespace

absl::Status UsageError(absl::string_view message) {
  absl::Status status = absl::InvalidArgumentError(message);
  status.SetPayload(kUsageMark, absl::Cord());
  return status;
}

bool IsUsageError(const absl::Status& status) { return status.GetPayload(kUsageMark).has_value(); }

absl::Status FileError(absl::string_view file, const absl::Status& status) {
  if (status.ok() || IsUsageError(status)) return status;
  std::string message = WithoutTemporary(file, std::string(status.message()));
  if (!absl::StartsWith(message, absl::StrCat(file, ": "))) {
    // "cannot open FILE: No such file" names it elsewhere.
    const std::string named = absl::StrCat(" ", file, ":");
    const size_t at = message.find(named);
    if (at != std::string::npos) message.replace(at, named.size(), ":");
    message = absl::StrCat(file, ": ", message);
  }
  return absl::Status(status.code(), absl::StrCat(message, WhatToDo(status)));
}

absl::Status InLines(absl::Status status) {
  if (!status.ok()) status.SetPayload(kLinesMark, absl::Cord());
  return status;
}

absl::Status ExitWith(int code) {
  absl::Status status = absl::UnknownError("");
  status.SetPayload(kExitMark, absl::Cord(absl::StrCat(code)));
  return status;
}

absl::Status AsTrouble(absl::Status status) {
  if (!status.ok() && !status.GetPayload(kExitMark)) {
    status.SetPayload(kExitMark, absl::Cord(absl::StrCat(kUsage)));
  }
  return status;
}

void Note(absl::string_view line) {
  const std::string text = absl::StrCat("leafstore: ", Printable(line), "\n");
  std::fputs(text.c_str(), stderr);
}

int Report(const absl::Status& status) {
  if (status.ok()) return 0;
  if (absl::IsCancelled(status)) return kReaderGone;
  const bool usage = IsUsageError(status);
  int code = usage ? kUsage : kFailed;
  if (const absl::optional<absl::Cord> chosen = status.GetPayload(kExitMark)) {
    if (!absl::SimpleAtoi(std::string(*chosen), &code)) code = kFailed;
  }
  if (status.message().empty()) return code;
  const std::string message = absl::StrCat(status.message(), usage ? " (see --help)" : "");
  if (status.GetPayload(kLinesMark).has_value()) {
    for (const absl::string_view line : absl::StrSplit(message, '\n')) Note(line);
  } else {
    Note(message);
  }
  return code;
}

}  // namespace leafstore::tools
