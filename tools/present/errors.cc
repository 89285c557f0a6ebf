#include "leafstore/tools/present/errors.h"

#include <csignal>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"

#include "leafstore/tools/present/text.h"

namespace leafstore::tools {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr absl::string_view kSeeHelp = " (see --help)";
// The exit code that a shell reports for a program that SIGPIPE ended.
constexpr int kReaderGone = 128 + SIGPIPE;

// Advice for file errors.
constexpr std::pair<ErrorReason, const char*> kAdviceByReason[] = {
    {ErrorReason::kMissingBase, "; copy it into the same directory, or use another checkpoint"},
    {ErrorReason::kNewerVersion, "; use a newer leafstore to read it"},
    {ErrorReason::kNotThisFormat,
     "; if it should be one, its beginning is damaged: use another copy"},
    {ErrorReason::kUnusual, "; without --strict it is read, with a note"},
    {ErrorReason::kForeign, ""},
    {ErrorReason::kIncomplete, "; copy all of them into one directory"},
    {ErrorReason::kAmbiguous, "; it contradicts itself, so it must be written again"},
    {ErrorReason::kTruncated, "; use another copy or an older checkpoint"}};
constexpr std::pair<absl::StatusCode, const char*> kAdviceByCode[] = {
    {absl::StatusCode::kNotFound, "; check the name"},
    {absl::StatusCode::kPermissionDenied, "; check its permissions"},
    {absl::StatusCode::kDataLoss, "; it is damaged: use another copy or an older checkpoint"}};

std::string AdviceFor(absl::string_view file, const absl::Status& status) {
  std::error_code error;
  const std::filesystem::path target =
      std::filesystem::read_symlink(std::filesystem::path(std::string(file)), error);
  if (!error && absl::IsNotFound(status) && !std::filesystem::exists(std::string(file), error)) {
    return absl::StrCat("; it is a symbolic link to ", target.string(), ", which does not exist");
  }
  for (const auto& [reason, advice] : kAdviceByReason) {
    if (ReasonOf(status) == reason) return advice;
  }
  for (const auto& [code, advice] : kAdviceByCode) {
    if (status.code() == code) return advice;
  }
  return "";
}

// Replaces the names of temporary files of `file` by `file`.
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

absl::Status UsageErrors(absl::string_view lines) {
  for (const absl::string_view line : absl::StrSplit(absl::StrCat(lines, kSeeHelp), '\n')) {
    Note(line);
  }
  return WithReason(absl::InvalidArgumentError(lines), ErrorReason::kReported);
}

absl::Status NegativeAnswer() {
  return WithReason(absl::UnknownError("the answer is no"), ErrorReason::kReported);
}

absl::Status FileError(absl::string_view file, const absl::Status& status) {
  const ErrorReason reason = ReasonOf(status);
  if (status.ok() || reason == ErrorReason::kUsage || reason == ErrorReason::kReported) {
    return status;
  }
  std::string message = WithoutTemporary(file, std::string(status.message()));
  if (!absl::StartsWith(message, absl::StrCat(file, ": "))) {
    // "cannot open FILE: No such file" names the file elsewhere, and so does "write 5 bytes to FILE".
    const std::string named = absl::StrCat(" ", file, ":");
    const size_t at = message.find(named);
    if (at != std::string::npos) {
      const absl::string_view before = absl::string_view(message).substr(0, at);
      const bool is_object = absl::EndsWith(before, " to") || absl::EndsWith(before, " of");
      message.replace(at, named.size(), is_object ? " it:" : ":");
    }
    message = absl::StrCat(file, ": ", message);
  }
  const std::string advice = AdviceFor(file, status);
  if (!absl::EndsWith(message, advice)) message += advice;
  return WithMessage(status, message);
}

void Note(absl::string_view line) {
  const std::string text = absl::StrCat("leafstore: ", Printable(line), "\n");
  std::fputs(text.c_str(), stderr);
}

int Report(const absl::Status& status, int error_code) {
  if (status.ok()) return 0;
  if (absl::IsCancelled(status)) return kReaderGone;
  switch (ReasonOf(status)) {
    case ErrorReason::kReported:
      return absl::IsInvalidArgument(status) ? kUsage : kFailed;
    case ErrorReason::kUsage:
      Note(status.message(), kSeeHelp);
      return kUsage;
    default:
      Note(status.message());
      return error_code;
  }
}

}  // namespace leafstore::tools
