#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/tools/commands/commands.h"
#include "leafstore/tools/commands/options.h"
#include "leafstore/tools/present/errors.h"
#include "leafstore/tools/present/json.h"
#include "leafstore/tools/present/output.h"
#include "leafstore/tools/present/progress.h"
#include "leafstore/tools/present/text.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {
namespace {

struct VerifyOptions {
  std::vector<std::string> files;
  InputOptions input;
};

constexpr char kVerifyHelp[] =
    R"(All checkpoints of a directory are verified, unless --step chooses one. Every byte of a checkpoint is
verified against its checksum, or must be zero, including those of the earlier files that it is based
on. Formats without checksums are read in full and validated.

Examples:
  leafstore verify run/step-100.leaf
  leafstore verify run                           every checkpoint, a line each
  leafstore verify run --step latest             the newest checkpoint
  leafstore verify *.leaf --json | jq '.files[] | select(.ok | not)'

The JSON is one object with the fields schema, files, damaged; a file has file, ok, format, step,
bytes, error.

Exit codes: 0 every file is intact; 1 a file is damaged, missing or unreadable, or the output cannot
be written; 2 usage.)";

struct Verified {
  std::string file;
  std::optional<int64_t> step;
  std::optional<SourceFormat> format;
  int64_t bytes = 0;
  int64_t tensors = 0;
  absl::Status status;
};

int64_t TensorsOf(const Source& source) {
  int64_t tensors = 0;
  for (const auto& item : source.items) {
    for (uint32_t place = 0; place < item->size(); ++place) {
      if (item->entry(place).value == nullptr) ++tensors;
    }
  }
  return tensors;
}

// Verifies one file. The result holds the error.
Verified VerifyOne(const std::string& file, std::optional<int64_t> step, int threads) {
  Verified verified;
  verified.file = file;
  verified.step = step;
  const auto progress = std::make_shared<Progress>(absl::StrCat("verifying ", Printable(file)), 0);
  SourceOptions options;
  options.name = file;
  options.io.threads = threads;
  options.io.progress = [progress](int64_t done, int64_t total) { progress->Set(done, total); };
  const absl::StatusOr<SourcePtr> source = OpenSource(options);
  verified.status = source.status();
  if (source.ok()) {
    verified.format = (*source)->format;
    verified.bytes = (*source)->file_size;
    verified.tensors = TensorsOf(**source);
    verified.status = FileError((*source)->file, (*source)->verify());
  }
  progress->Clear();
  return verified;
}

// Returns the files that a name on the command line selects. error: they cannot be listed.
absl::StatusOr<std::vector<StepOfDirectory>> FilesOf(const std::string& name,
                                                     const std::string& step) {
  SourceOptions options;
  options.name = name;
  options.step = step;
  options.verify = false;
  LEAFSTORE_ASSIGN_OR_RETURN(const std::optional<std::vector<StepOfDirectory>> steps,
                             NamedSteps(options));
  if (steps) return *steps;
  return std::vector<StepOfDirectory>{{-1, name}};
}

void PrintVerified(const Verified& one, Output* out) {
  const std::string name = Printable(one.file);
  if (one.status.ok()) {
    out->Write(absl::StrCat(name, ": ", out->Styled(Style::kGreen, "ok"), ", ",
                            HumanBytes(one.bytes), ", ", CountOf(one.tensors, "tensor", "tensors"),
                            "\n"));
    return;
  }
  std::string why = Printable(one.status.message());
  why = std::string(absl::StripPrefix(why, absl::StrCat(name, ": ")));
  out->Write(absl::StrCat(
      name, ": ", out->Styled(Style::kRed, absl::IsDataLoss(one.status) ? "DAMAGED" : "ERROR"),
      ": ", why, "\n"));
}

Json VerifiedToJson(const Verified& one) {
  Json json = {{"file", one.file}, {"ok", one.status.ok()}};
  json["format"] = one.format ? Json(std::string(SourceFormatName(*one.format))) : Json(nullptr);
  json["step"] = one.step ? Json(*one.step) : Json(nullptr);
  json["bytes"] = one.bytes;
  json["error"] = one.status.ok() ? Json(nullptr) : Json(std::string(one.status.message()));
  return json;
}

// Verifies all files that the names select. Calls `done` after each file, and stops when it returns
// false. error: a UsageError.
absl::StatusOr<std::vector<Verified>> VerifyAll(const VerifyOptions& options,
                                                absl::FunctionRef<bool(const Verified&)> done) {
  std::vector<Verified> all;
  for (const std::string& name : options.files) {
    const absl::StatusOr<std::vector<StepOfDirectory>> files = FilesOf(name, options.input.step);
    if (!files.ok()) {
      if (ReasonOf(files.status()) == ErrorReason::kUsage) return files.status();
      all.push_back({name, {}, {}, 0, 0, files.status()});
      if (!done(all.back())) return all;
      continue;
    }
    for (const StepOfDirectory& file : *files) {
      const std::optional<int64_t> step =
          file.step >= 0 ? std::optional<int64_t>(file.step) : std::nullopt;
      all.push_back(VerifyOne(file.file, step, options.input.threads));
      if (!done(all.back())) return all;
    }
  }
  return all;
}

absl::Status Verify(const VerifyOptions& options) {
  const bool as_json = options.input.form.json;
  Output out(stdout, options.input.form.color);
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<Verified> all,
                             VerifyAll(options, [&](const Verified& one) {
                               if (!as_json) PrintVerified(one, &out);
                               return out.ok();
                             }));
  int64_t damaged = 0;
  for (const Verified& one : all) damaged += one.status.ok() ? 0 : 1;
  if (as_json) {
    JsonList list({{"schema", kJsonSchema}, {"damaged", damaged}}, "files", &out);
    for (const Verified& one : all) list.Add(VerifiedToJson(one));
    list.Close();
  } else if (all.size() > 1) {
    out.Write(absl::StrCat(CountOf(static_cast<int64_t>(all.size()), "file", "files"), ", ",
                           damaged == 0 ? "all intact" : absl::StrCat(damaged, " not intact"),
                           "\n"));
  }
  LEAFSTORE_RETURN_IF_ERROR(out.Finish());
  return damaged == 0 ? absl::OkStatus() : NegativeAnswer();
}

}  // namespace

void AddVerifyCommand(CLI::App* program, CommandRun* run) {
  auto options = std::make_shared<VerifyOptions>();
  CLI::App* command =
      program->add_subcommand("verify", "Verifies every byte, and prints a line per file.");
  command->footer(HelpText(kHelpFile, kVerifyHelp));
  AddFile(command, "FILE", &options->files, "the files to verify; may be repeated");
  AddInput(command, {kStep, kThreads, kForm}, &options->input);
  command->callback([=] { run->function = [options] { return Verify(*options); }; });
}

}  // namespace leafstore::tools
