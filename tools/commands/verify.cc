#include <algorithm>
#include <set>

#include "absl/functional/function_ref.h"
#include "absl/strings/strip.h"

#include "leafstore/interop/safetensors/internal/place.h"
#include "leafstore/io/file_system.h"
#include "leafstore/tools/commands/commands.h"

namespace leafstore::tools {
namespace {

struct VerifyOptions : InputOptions {
  std::vector<std::string> files;
};

constexpr char kVerifyHelp[] =
    R"(All checkpoints of a directory are verified, unless --step chooses one. Every byte of a checkpoint is
verified against its checksum, or must be zero. Of the earlier files that it is based on, the bytes
that it uses are verified. Formats without checksums are read in full and validated.

Examples:
  leafstore verify run/step-100.leaf
  leafstore verify run                           every checkpoint, a line each
  leafstore verify run --step latest             the newest checkpoint
  leafstore verify *.leaf --json | jq '.files[] | select(.ok | not)'

The JSON is one object with the fields schema, failed, damaged (counts), files; a file has file, ok,
format, step, bytes, error, notes, same_as, unreadable. If several shards of a set are named, the
set is verified once, and the other shards refer to the first one that was named (same_as), which
has the notes.

Exit codes: 0 every file is intact; 1 a file is damaged, missing or unreadable, or the output cannot
be written; 2 usage.)";

struct Verified {
  std::string file;
  std::optional<int64_t> step = {};
  std::optional<SourceFormat> format = {};
  int64_t bytes = 0;
  int64_t tensors = 0;
  absl::Status status = {};
  std::vector<std::string> notes = {};
  std::vector<UnreadableLeaf> unreadable = {};
  std::string set = {};      // the file of its set; empty without one
  std::string same_as = {};  // the file with which the set was verified
  // The paths that mean this set, as far as names tell.
  std::set<std::string> members = {};
};

bool IsDamage(const absl::Status& status) {
  const ErrorReason reason = ReasonOf(status);
  return absl::IsDataLoss(status) && reason != ErrorReason::kUnusual &&
         reason != ErrorReason::kAmbiguous;
}

// Returns the word for an error: only damage is called DAMAGED.
absl::string_view WordFor(const absl::Status& status) {
  if (ReasonOf(status) == ErrorReason::kUnusual) return "UNUSUAL";
  return IsDamage(status) ? "DAMAGED" : "ERROR";
}

// Returns the paths of the shards of a set, each of which means this set: its shards beside it, if
// no other index may list them.
std::set<std::string> MembersOf(const Source& set) {
  const bool has_index = internal::IsIndexName(FileNameOf(set.file));
  const std::string beside = has_index ? set.file : absl::StrCat(set.file, "/");
  const auto names = FileSystem::Posix().List(DirectoryOf(beside));
  if (!names.ok() || set.other_files.size() < 2 ||
      std::count_if(names->begin(), names->end(), internal::IsIndexName) != (has_index ? 1 : 0)) {
    return {};
  }
  std::set<std::string> members;
  for (const std::string& name : set.other_files) {
    if (FileNameOf(name) == name) members.insert(InDirectoryOf(beside, name));
  }
  return members;
}

// Returns the result of a file that is one of a set that was verified; null if it is not known to
// be, which opens nothing.
const Verified* FindSetOf(const std::string& file, const std::vector<Verified>& before) {
  for (const Verified& one : before) {
    if (one.members.contains(file)) return &one;
  }
  return nullptr;
}

// Verifies one file. The result holds the error. A set that one of `before` belongs to is not
// verified again, and mostly not opened again. (With --strict, a shard is an error of its own.)
Verified VerifyOne(const std::string& file, std::optional<int64_t> step, const InputOptions& input,
                   const std::vector<Verified>& before) {
  Verified verified{file, step};
  const Verified* set = input.one_shard || input.strict ? nullptr : FindSetOf(file, before);
  if (set != nullptr) {
    verified = *set;
    verified.file = file;
    verified.notes.clear();
    verified.members.clear();
    verified.same_as = set->file;
    return verified;
  }
  InputOptions options = input;
  options.name = file;
  options.step.clear();
  const absl::StatusOr<SourcePtr> source =
      Open(options, /*verify=*/true, absl::StrCat("verifying ", Printable(file)));
  verified.status = source.status();
  if (!source.ok()) return verified;
  verified.format = (*source)->format;
  verified.bytes = (*source)->file_size;
  verified.notes = (*source)->notes;
  for (const SourceItem& item : (*source)->items) {
    verified.tensors += ItemRows(item).ListedTotals().tensors;
    verified.unreadable.insert(verified.unreadable.end(), item.unreadable.begin(),
                               item.unreadable.end());
  }
  if ((*source)->format == SourceFormat::kSafetensors && !(*source)->other_files.empty()) {
    verified.set = (*source)->file;
    verified.members = MembersOf(**source);
  }
  for (const Verified& one : before) {
    if (verified.set.empty() || one.set != verified.set) continue;
    verified.same_as = one.file;
    verified.status = one.status;
    verified.members.clear();
    return verified;
  }
  verified.status = FileError((*source)->file, (*source)->verify());
  return verified;
}

void PrintVerified(const Verified& one, Output* out) {
  const std::string name = Printable(one.file);
  if (!one.same_as.empty()) {
    return out->Write(name, ": ",
                      one.status.ok() ? out->Styled(Style::kGreen, "ok")
                                      : out->Styled(Style::kRed, WordFor(one.status)),
                      ", in the set of ", Printable(one.same_as), "\n");
  }
  if (one.status.ok()) {
    return out->Write(
        name, ": ", out->Styled(Style::kGreen, "ok"), ", ", HumanBytes(one.bytes), ", ",
        CountOf(one.tensors, "tensor", "tensors"),
        one.unreadable.empty() ? "" : absl::StrCat(", ", one.unreadable.size(), " not readable"),
        "\n");
  }
  const std::string why = Printable(one.status.message());
  out->Write(name, ": ", out->Styled(Style::kRed, WordFor(one.status)), ": ",
             absl::StripPrefix(why, absl::StrCat(name, ": ")), "\n");
}

Json VerifiedToJson(const Verified& one) {
  return {{"file", one.file},
          {"ok", one.status.ok()},
          {"format", one.format ? Json(SourceFormatName(*one.format)) : Json(nullptr)},
          {"step", ToJson(one.step)},
          {"bytes", one.bytes},
          {"error", one.status.ok() ? Json(nullptr) : Json(one.status.message())},
          {"notes", one.notes},
          {"same_as", one.same_as.empty() ? Json(nullptr) : Json(one.same_as)},
          {"unreadable", ToJson(one.unreadable)}};
}

// Verifies all files that the names select. Calls `done` after each file, and stops when it returns
// false. error: a UsageError.
absl::StatusOr<std::vector<Verified>> VerifyAll(const VerifyOptions& options,
                                                absl::FunctionRef<bool(const Verified&)> done) {
  std::vector<Verified> all;
  for (const std::string& name : options.files) {
    VerifyOptions named = options;
    named.name = name;
    const absl::StatusOr<Steps> steps = NamedSteps(named);
    if (ReasonOf(steps.status()) == ErrorReason::kUsage) return steps.status();
    std::vector<std::pair<std::optional<int64_t>, std::string>> files;
    if (steps.ok()) files.assign(steps->begin(), steps->end());
    if (files.empty()) files.emplace_back(std::nullopt, name);
    for (const auto& [step, file] : files) {
      all.push_back(steps.ok() ? VerifyOne(file, step, named, all)
                               : Verified{.file = name, .status = steps.status()});
      if (!done(all.back())) return all;
    }
  }
  return all;
}

absl::Status Verify(const VerifyOptions& options) {
  const bool as_json = options.form.json;
  Output out(stdout, options.form.color);
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<Verified> all,
                             VerifyAll(options, [&](const Verified& one) {
                               if (!as_json) PrintVerified(one, &out);
                               return out.ok();
                             }));
  const auto failed =
      std::count_if(all.begin(), all.end(), [](const Verified& one) { return !one.status.ok(); });
  const auto damaged = std::count_if(all.begin(), all.end(),
                                     [](const Verified& one) { return IsDamage(one.status); });
  if (as_json) {
    JsonList list({{"schema", kJsonSchema}, {"failed", failed}, {"damaged", damaged}}, "files",
                  &out);
    for (const Verified& one : all) list.Add(VerifiedToJson(one));
  } else if (all.size() > 1) {
    out.Write(CountOf(static_cast<int64_t>(all.size()), "file", "files"), ", ",
              failed == 0 ? "all intact" : absl::StrCat(failed, " not intact"), "\n");
  }
  LEAFSTORE_RETURN_IF_ERROR(out.Finish());
  if (failed == 0) return absl::OkStatus();
  Note(absl::StrCat(failed, " of ", CountOf(static_cast<int64_t>(all.size()), "file", "files"),
                    " not intact"));
  return NegativeAnswer();
}

}  // namespace

void AddVerifyCommand(CLI::App* program, CommandRun* run) {
  const auto [command, options] =
      AddCommand(program, run, "verify", "Verifies every byte, and prints a line per file.",
                 kHelpFile, kVerifyHelp, Verify);
  AddFile(command, "FILE", &options->files, "the files to verify; may be repeated");
  AddInput(command, {kStep, kThreads, kForm}, options);
}

}  // namespace leafstore::tools
