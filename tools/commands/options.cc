#include "leafstore/tools/commands/options.h"

#include <algorithm>

#include "absl/strings/numbers.h"

#include "leafstore/core/internal/suggest.h"

namespace leafstore::tools {
namespace {

constexpr char kFileHelp[] =
    R"(FILE is detected by its content: a checkpoint (.leaf), safetensors, an index of safetensors
(*.safetensors.index.json) or the directory that has it, a NumPy archive (.npz) or array (.npy), or a
directory of checkpoints, of which the newest intact one is read, or with --step (or DIR@STEP)
another.)";

constexpr char kGlobHelp[] =
    R"(A GLOB is matched key by key: `*` is one key, `**` zero or more; inside a key, `?` is one
character and `*` any number: 'layers.*.attn.**'. It selects leaves that match, or are below a match.)";

constexpr char kFilterHelp[] =
    R"(A FILTER is a glob or an expression: dtype:f32, rank:2, 'bytes:>1M', kind:str, type:Linear,
tag:frozen, has:bias, static, tensor, leaf, all, re:REGEX, and, or, not, parentheses. A leaf belongs
to the group of its outermost matching ancestor; leaves that no filter matches are the group `rest`.)";

void AddThreads(CLI::App* command, InputOptions* options) {
  AddValue(command, "--threads", &options->io.threads, "N",
           "the number of threads that read and verify; 0: one per processor, up to eight")
      ->check(WholeNumber(0, 1024));
}

void AddStep(CLI::App* command, InputOptions* options) {
  WithChoices(AddValue(command, "--step", &options->step, "STEP",
                       "for a directory of checkpoints: a step, latest, best=METRIC or "
                       "lowest=METRIC"),
              {"latest", "best=", "lowest="});
  AddChoice<NameStyle>(command, "--names",
                       {{"split", NameStyle::kSplit},
                        {"lists", NameStyle::kLists},
                        {"flat", NameStyle::kFlat},
                        {"canonical", NameStyle::kCanonical}},
                       &options->names,
                       "how names in safetensors and npz become paths: split at dots, lists "
                       "(numbers are positions), flat (one key), or canonical")
      ->type_name("STYLE");
}

void AddForm(CLI::App* command, OutputForm* form) {
  command->add_flag("--json", form->json, "print everything as JSON, for programs");
  AddChoice<ColorMode>(
      command, "--color",
      {{"auto", ColorMode::kAuto}, {"always", ColorMode::kAlways}, {"never", ColorMode::kNever}},
      &form->color, "auto (on a terminal, unless NO_COLOR is set), always or never")
      ->type_name("WHEN");
}

void AddOne(CLI::App* command, InputOption which, InputOptions* options) {
  switch (which) {
    case kStep:
      return AddStep(command, options);
    case kItem:
      AddRepeated(command, "--item", &options->items, "only this item; may be repeated", "NAME");
      return;
    case kMatch:
      AddRepeated(command, "--match", &options->match,
                  "only leaves that a glob matches; may be repeated", "GLOB");
      return;
    case kGroup:
      AddRepeated(command, "--group", &options->groups,
                  "a group of the leaves that a filter matches; may be repeated. Default: the "
                  "groups that were saved",
                  "NAME=FILTER");
      return;
    case kDepth:
      AddValue(command, "--depth", &options->depth, "N",
               "print subtrees that are N keys deep as one row")
          ->check(WholeNumber(0));
      return;
    case kReading:
      command->add_flag("--no-verify{false}", options->verify,
                        "also read tensors whose checksums are wrong");
      return AddThreads(command, options);
    case kThreads:
      return AddThreads(command, options);
    case kForm:
      return AddForm(command, &options->form);
  }
}

}  // namespace

void AddInput(CLI::App* command, std::initializer_list<InputOption> which, InputOptions* options) {
  for (const InputOption one : which) AddOne(command, one, options);
}

CLI::Validator OneOf(std::vector<std::string> words) {
  const auto check = [words = std::move(words)](const std::string& found) -> std::string {
    if (std::find(words.begin(), words.end(), found) != words.end()) return "";
    std::string expected;
    for (size_t i = 0; i < words.size(); ++i) {
      absl::StrAppend(&expected, i == 0 ? "" : i + 1 == words.size() ? " or " : ", ", words[i]);
    }
    return absl::StrCat("expected ", expected, ", found '", found, "'",
                        internal::DidYouMean(found, words));
  };
  return CLI::Validator(check, "");
}

CLI::Validator WholeNumber(int64_t least, int64_t most) {
  const auto check = [least, most](const std::string& found) -> std::string {
    int64_t number = 0;
    // " 2", "+2" and "02" mean something else where CLI11 parses the text again.
    if (absl::SimpleAtoi(found, &number) && absl::StrCat(number) == found && number >= least &&
        number <= most) {
      return "";
    }
    return absl::StrCat("expected an integer from ", least, " to ", most, ", found '", found, "'");
  };
  return CLI::Validator(check, "");
}

CLI::Validator NumberOfAtLeast(double least) {
  const auto check = [least](const std::string& found) -> std::string {
    double number = 0;
    if (absl::SimpleAtod(found, &number) && number >= least) return "";
    return absl::StrCat("expected a number of at least ", least, ", found '", found, "'");
  };
  return CLI::Validator(check, "");
}

CLI::Option* AddRepeated(CLI::App* command, const std::string& name,
                         std::vector<std::string>* values, const std::string& description,
                         const std::string& type_name) {
  return command->add_option(name, *values, description)
      ->type_name(type_name)
      ->allow_extra_args(false);
}

void AddWriting(CLI::App* command, WriteOptions* options) {
  AddChoice<std::optional<SourceFormat>>(
      command, "--to",
      {{"leaf", SourceFormat::kLeaf},
       {"safetensors", SourceFormat::kSafetensors},
       {"npz", SourceFormat::kNpz},
       {"npy", SourceFormat::kNpy}},
      &options->to, "leaf, safetensors, npz or npy; default: by the name of the file")
      ->type_name("FORMAT");
  command->add_flag("--zstd", options->zstd, "for .leaf: compress tensors, where that helps");
  AddValue(command, "--zstd-level", &options->zstd_level, "N",
           "from 1 (fastest) to 22 (smallest files); default: 3")
      ->check(WholeNumber(1, 22));
  AddValue(command, "--shard-size", &options->shard_size, "SIZE",
           "for .safetensors: write shards with at most this many bytes of tensors each "
           "(500M, 5G; a larger tensor has its own file), and an index");
  AddChoice<StructureSave>(
      command, "--structure",
      {{"auto", StructureSave::kAuto},
       {"always", StructureSave::kAlways},
       {"never", StructureSave::kNever}},
      &options->structure,
      "for .safetensors: keep structure, static leaves and ties in the metadata: auto (where "
      "names alone do not restore them), always or never")
      ->type_name("WHEN");
  command->add_flag("--drop-static", options->drop_static,
                    "omit static leaves if the format cannot hold them");
  command->add_flag("--raw-bits", options->raw_bits,
                    "for .npz and .npy: dtypes that NumPy lacks (bf16, ...) as unsigned integers");
  command->add_flag("--deflate", options->deflate, "for .npz: compress");
  command->add_flag("--force", options->force, "replace existing files");
}

std::string HelpText(int about, const std::string& own) {
  return absl::StrCat((about & kHelpFile) != 0 ? absl::StrCat(kFileHelp, "\n\n") : "",
                      (about & kHelpGlob) != 0 ? absl::StrCat(kGlobHelp, "\n\n") : "",
                      (about & kHelpFilter) != 0 ? absl::StrCat(kFilterHelp, "\n\n") : "", own);
}

}  // namespace leafstore::tools
