#include "leafstore/tools/command.h"

#include <csignal>
#include <cstdio>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "leafstore/tools/text.h"

namespace leafstore::tools {
namespace {

// Marks an error of the command line.
constexpr char kUsageMark[] = "leafstore/usage";

constexpr int kFailed = 1;
constexpr int kUsage = 2;
// What a shell reports of a program that SIGPIPE ended.
constexpr int kReaderGone = 128 + SIGPIPE;

std::string WhatToDo(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
      return "; check the name";
    case absl::StatusCode::kPermissionDenied:
      return "; check its permissions";
    case absl::StatusCode::kUnimplemented:
      return "; use a newer leafstore to read it";
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

}  // namespace

absl::Status UsageError(absl::string_view message) {
  absl::Status status = absl::InvalidArgumentError(message);
  status.SetPayload(kUsageMark, absl::Cord());
  return status;
}

absl::Status FileError(absl::string_view file, const absl::Status& status) {
  if (status.ok()) return status;
  std::string message(status.message());
  if (!absl::StartsWith(message, absl::StrCat(file, ": "))) {
    // "cannot open FILE: No such file" names it at another place.
    const std::string named = absl::StrCat(" ", file, ":");
    const size_t at = message.find(named);
    if (at != std::string::npos) message.replace(at, named.size(), ":");
    message = absl::StrCat(file, ": ", message);
  }
  return absl::Status(status.code(), absl::StrCat(message, WhatToDo(status)));
}

absl::StatusOr<CheckpointReader> OpenCheckpoint(const std::string& file,
                                                const ReadOptions& options) {
  absl::StatusOr<CheckpointReader> reader = CheckpointReader::Open(file, options);
  if (reader.ok()) return reader;
  absl::Status status = FileError(file, reader.status());
  if (!absl::IsInvalidArgument(status)) return status;
  return absl::InvalidArgumentError(absl::StrCat(status.message(), "; name a checkpoint's file"));
}

int Report(const absl::Status& status) {
  if (status.ok()) return 0;
  if (absl::IsCancelled(status)) return kReaderGone;
  const bool usage = status.GetPayload(kUsageMark).has_value();
  const std::string line =
      absl::StrCat("leafstore: ", Printable(status.message()), usage ? " (see --help)" : "", "\n");
  std::fputs(line.c_str(), stderr);
  return usage ? kUsage : kFailed;
}

}  // namespace leafstore::tools
