#include "leafstore/tools/commands/verify.h"

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
#include "leafstore/tools/commands/options.h"
#include "leafstore/tools/present/json.h"
#include "leafstore/tools/present/output.h"
#include "leafstore/tools/present/progress.h"
#include "leafstore/tools/present/text.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {
namespace {

struct VerifyOptions {
  std::vector<std::string> files;
  SourceArguments source;
  FormArguments form;
};

constexpr char kVerifyFooter[] =
    R"(Of a directory of checkpoints all are verified, unless --step chooses one. Of a checkpoint every byte
is checked against its checksum, or must be zero, those in earlier files that it is based on too.
Formats without checksums are read as a whole, and all that can be checked is.

Examples:
  leafstore verify run/step-100.leaf
  leafstore verify run                           every checkpoint, a line each
  leafstore verify run --step latest             the newest one that is there
  leafstore verify *.leaf --json | jq '.files[] | select(.ok | not)'

JSON has one object with the fields schema, files, damaged; of a file: file, ok, format, step, bytes,
error.

Exit codes: 0 every file is whole; 1 one is not (or missing, or not to be read), or the output could
not be written; 2 usage.)";

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
  for (const auto& item : source.items()) {
    for (uint32_t place = 0; place < item->size(); ++place) {
      if (item->entry(place).value == nullptr) ++tensors;
    }
  }
  return tensors;
}

// One file; what is wrong with it is its status.
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
    verified.format = (*source)->format();
    verified.bytes = (*source)->file_size();
    verified.tensors = TensorsOf(**source);
    verified.status = FileError((*source)->file(), (*source)->Verify());
  }
  progress->Clear();
  return verified;
}

// What a name on the command line stands for. error: what cannot be looked at at all.
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

// All that the names stand for, each told to `done` when it is; until that returns false. error: a
// UsageError.
absl::StatusOr<std::vector<Verified>> VerifyAll(const VerifyOptions& options,
                                                absl::FunctionRef<bool(const Verified&)> done) {
  std::vector<Verified> all;
  for (const std::string& name : options.files) {
    const absl::StatusOr<std::vector<StepOfDirectory>> files = FilesOf(name, options.source.step);
    if (!files.ok()) {
      if (ReasonOf(files.status()) == ErrorReason::kUsage) return files.status();
      all.push_back({name, {}, {}, 0, 0, files.status()});
      if (!done(all.back())) return all;
      continue;
    }
    for (const StepOfDirectory& file : *files) {
      const std::optional<int64_t> step =
          file.step >= 0 ? std::optional<int64_t>(file.step) : std::nullopt;
      all.push_back(VerifyOne(file.file, step, options.source.threads));
      if (!done(all.back())) return all;
    }
  }
  return all;
}

absl::Status Verify(const VerifyOptions& options) {
  Output out(stdout, options.form.color);
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<Verified> all,
                             VerifyAll(options, [&](const Verified& one) {
                               if (!options.form.json) PrintVerified(one, &out);
                               return out.ok();
                             }));
  int64_t damaged = 0;
  for (const Verified& one : all) damaged += one.status.ok() ? 0 : 1;
  if (options.form.json) {
    JsonList list({{"schema", kJsonSchema}, {"damaged", damaged}}, "files", &out);
    for (const Verified& one : all) list.Add(VerifiedToJson(one));
    list.Close();
    out.Write("\n");
  } else if (all.size() > 1) {
    out.Write(absl::StrCat(CountOf(static_cast<int64_t>(all.size()), "file", "files"), ", ",
                           damaged == 0 ? "all whole" : absl::StrCat(damaged, " not whole"), "\n"));
  }
  LEAFSTORE_RETURN_IF_ERROR(out.Finish());
  return damaged == 0 ? absl::OkStatus() : NegativeAnswer();
}

}  // namespace

void AddVerifyCommand(CLI::App* program, CommandRun* run) {
  auto options = std::make_shared<VerifyOptions>();
  CLI::App* command = program->add_subcommand("verify", "Checks every byte, a line a file.");
  command->footer(absl::StrCat(kSourceHelp, "\n\n", kVerifyFooter));
  command->add_option("FILE", options->files, "what to verify; several may be named")
      ->required()
      ->type_name("");
  AddStep(command, &options->source);
  AddThreads(command, &options->source);
  AddForm(command, &options->form);
  command->callback([=] { run->function = [options] { return Verify(*options); }; });
}

}  // namespace leafstore::tools
