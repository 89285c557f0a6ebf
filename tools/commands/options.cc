#include "leafstore/tools/commands/options.h"

#include <algorithm>
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"

#include "leafstore/core/internal/suggest.h"

namespace leafstore::tools {
namespace {

constexpr char kFileHelp[] =
    R"(FILE is detected by its content: a checkpoint (.leaf), safetensors, an index of safetensors
(*.safetensors.index.json) or a directory with one of these, a NumPy archive (.npz) or array (.npy),
or a directory of checkpoints. Of a directory, the newest intact checkpoint is read, or the one that
--step (or DIR@STEP) selects.)";

constexpr char kGlobHelp[] =
    R"(A GLOB is matched key by key: `*` is one key, `**` zero or more; inside a key, `?` is one
character and `*` any number: 'layers.*.attn.**'. It selects leaves that match, or are below a match.)";

constexpr char kFilterHelp[] =
    R"(A FILTER is a glob or an expression: dtype:f32, rank:2, 'bytes:>1M', kind:str, type:Linear,
tag:frozen, has:bias, static, tensor, leaf, all, re:REGEX, and, or, not, parentheses. A leaf belongs
to the group of its outermost matching ancestor; leaves that no filter matches are the group `rest`.)";

// A character that does not occur in names that people type.
constexpr char kBracketMark = '\x1f';

// The words of WithChoices.
std::map<const CLI::Option*, std::vector<std::string>>& Choices() {
  static auto* const choices = new std::map<const CLI::Option*, std::vector<std::string>>();
  return *choices;
}

ValueWords KindOf(const std::string& type) {
  for (const char* file : {"FILE", "OUT", "IN", "A", "B", "TEMPLATE"}) {
    if (type == file) return ValueWords::kFile;
  }
  if (type == "NAME") return ValueWords::kItem;
  return type == "GLOB" || type == "PATH" ? ValueWords::kPath : ValueWords::kAny;
}

OptionWords WordsOf(const CLI::Option& option) {
  OptionWords words;
  words.positional = option.get_positional();
  words.description = option.get_description();
  words.required = option.get_required();
  words.repeated = option.get_expected_max() > 1;
  if (words.positional) {
    words.type = option.get_name(true);
    words.names = {words.type};
  } else {
    for (const std::string& name : option.get_snames()) words.names.push_back("-" + name);
    for (const std::string& name : option.get_lnames()) words.names.push_back("--" + name);
    if (option.get_items_expected_max() > 0) words.type = option.get_type_name();
  }
  if (!words.type.empty()) words.kind = KindOf(words.type);
  if (const auto at = Choices().find(&option); at != Choices().end()) words.choices = at->second;
  return words;
}

CommandWords WordsOf(const CLI::App& app) {
  CommandWords words;
  words.description = app.get_description();
  words.footer = app.get_footer();
  for (const CLI::Option* option : app.get_options()) words.options.push_back(WordsOf(*option));
  return words;
}

void AppendEntry(const std::string& name, const std::string& description, std::string* text) {
  constexpr size_t kColumn = 30;
  std::string line = absl::StrCat("  ", name);
  line += line.size() + 2 > kColumn ? "\n" + std::string(kColumn, ' ')
                                    : std::string(kColumn - line.size(), ' ');
  absl::StrAppend(text, line, description, "\n");
}

void AddStep(CLI::App* command, InputOptions* options) {
  WithChoices(AddValue(command, "--step", &options->step, "STEP",
                       "for a directory of checkpoints: a step, latest, best=METRIC or "
                       "lowest=METRIC"),
              {"latest", "best=", "lowest="});
}

void AddFormat(CLI::App* command, InputOptions* options) {
  AddChoice<NameStyle>(
      command, "--names",
      {{"split", NameStyle::kSplit},
       {"lists", NameStyle::kLists},
       {"flat", NameStyle::kFlat},
       {"canonical", NameStyle::kCanonical},
       {"slash", NameStyle::kSlash}},
      &options->names, "STYLE",
      "how names in safetensors and npz become paths, and vice versa: split at "
      "dots, lists (integers are list indices), slash (split at slashes), flat (one "
      "key), or canonical");
  command->add_flag("--strict", options->strict,
                    "reject unusual files and unreadable leaves, instead of printing notes");
  command->add_flag("--one-shard", options->one_shard,
                    "read only the named shard of safetensors, instead of its set");
  command->add_flag("--ignore-structure", options->ignore_structure,
                    "read safetensors by name, and ignore the structure in their metadata");
  AddValue(command, "--dtype-of", &options->dtype_of, "TYPE=DTYPE",
           "the dtype of a void type of NumPy, such as '<V2=bf16'; may be repeated");
  AddValue(command, "--max-header", &options->max_header_text, "SIZE",
           "the maximum size of a header or an index of safetensors; default: 100000000");
}

void AddForm(CLI::App* command, OutputForm* form) {
  command->add_flag("--json", form->json, "print everything as JSON, for programs");
  AddChoice<ColorMode>(
      command, "--color",
      {{"auto", ColorMode::kAuto}, {"always", ColorMode::kAlways}, {"never", ColorMode::kNever}},
      &form->color, "WHEN", "auto (on a terminal, unless NO_COLOR is set), always or never");
}

void AddOrder(CLI::App* command, InputOptions* options) {
  AddChoice<RowOrder>(command, "--order",
                      {{"natural", RowOrder::kNatural}, {"bytes", RowOrder::kBytes}},
                      &options->order, "ORDER",
                      "natural (the default: where all keys are digits, 2 before 10) or bytes");
}

void AddReading(CLI::App* command, InputOptions* options) {
  command->add_flag("--no-verify{false}", options->verify,
                    "also read tensors whose checksums are wrong");
  command->add_flag_callback(
      "--read", [options] { options->io.mode = ReadMode::kRead; },
      "read files into memory instead of mapping them, as on network file systems");
}

void AddOne(CLI::App* command, InputOption which, InputOptions* options) {
  switch (which) {
    case kStep:
      AddStep(command, options);
      [[fallthrough]];
    case kFormat:
      return AddFormat(command, options);
    case kItem:
      AddValue(command, "--item", &options->items, "NAME", "only this item; may be repeated");
      return;
    case kMatch:
      AddValue(command, "--match", &options->match, "GLOB",
               "only leaves that a glob matches; may be repeated");
      return;
    case kGroup:
      AddValue(command, "--group", &options->groups, "NAME=FILTER",
               "a group of the leaves that a filter matches; may be repeated. Default: the "
               "groups that were saved");
      return;
    case kDepth:
      AddValue(command, "--depth", &options->depth, "N",
               "print subtrees that are N keys deep as one row")
          ->check(WholeNumber(0));
      return;
    case kOrder:
      return AddOrder(command, options);
    case kReading:
      AddReading(command, options);
      [[fallthrough]];
    case kThreads:
      AddValue(command, "--threads", &options->io.threads, "N",
               "the number of threads that read and verify; 0 (the default): as many as are useful")
          ->check(WholeNumber(0, 1024));
      return;
    case kForm:
      return AddForm(command, &options->form);
  }
}

// Adds what determines the format of the files to write, and how it has a model.
void AddOutputFormat(CLI::App* command, WriteOptions* options) {
  AddChoice<std::optional<SourceFormat>>(
      command, "--to",
      {{"leaf", SourceFormat::kLeaf},
       {"safetensors", SourceFormat::kSafetensors},
       {"npz", SourceFormat::kNpz},
       {"npy", SourceFormat::kNpy}},
      &options->to, "FORMAT", "leaf, safetensors, npz or npy; default: by the name of the file");
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
      &options->structure, "WHEN",
      "for .safetensors: keep structure, static leaves and ties in the metadata: auto (where "
      "names alone do not restore them), always or never");
}

}  // namespace

WriteOptions WriteInput::Writing() const {
  WriteOptions options = writing;
  // Dotted names are the default, or those that the source recorded.
  if (!options.names && FormOf(names) != PathForm::kDotted) options.names = names;
  return options;
}

void AddInput(CLI::App* command, std::initializer_list<InputOption> which, InputOptions* options) {
  for (const InputOption one : which) AddOne(command, one, options);
}

CLI::Option* OneOf(CLI::Option* option, const std::vector<std::string>& words) {
  const auto check = [words](const std::string& found) -> std::string {
    if (std::find(words.begin(), words.end(), found) != words.end()) return "";
    std::string expected;
    for (size_t i = 0; i < words.size(); ++i) {
      absl::StrAppend(&expected, i == 0 ? "" : i + 1 == words.size() ? " or " : ", ", words[i]);
    }
    return absl::StrCat("expected ", expected, ", found '", found, "'",
                        internal::DidYouMean(found, words));
  };
  return WithChoices(option, words)->check(CLI::Validator(check, ""));
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

void AddWriting(CLI::App* command, WriteOptions* options) {
  AddOutputFormat(command, options);
  AddChoice<std::optional<NameStyle>>(
      command, "--write-names",
      {{"split", NameStyle::kSplit},
       {"slash", NameStyle::kSlash},
       {"canonical", NameStyle::kCanonical}},
      &options->names, "STYLE",
      "for safetensors and npz: names with dots (split), with slashes, or canonical; default: as "
      "--names");
  command->add_flag("--drop-static", options->drop_static,
                    "omit static leaves if the format cannot hold them");
  command->add_flag("--skip-unreadable", options->skip_unreadable, "leave out unreadable leaves");
  command->add_flag("--raw-bits", options->raw_bits,
                    "for .npz and .npy: dtypes that NumPy lacks (bf16, ...) as unsigned integers");
  command->add_flag("--deflate", options->deflate, "for .npz: compress");
  command->add_flag("--force", options->force, "replace existing files");
  command->add_flag("--mkdirs", options->mkdirs, "create the directories of the files to write");
}

std::vector<std::string> MarkBrackets(std::vector<std::string> args) {
  for (std::string& arg : args) {
    if (!arg.empty() && arg.front() == '[' && arg.back() == ']') arg.push_back(kBracketMark);
  }
  return args;
}

std::string UnmarkBrackets(std::string arg) {
  if (arg.size() > 1 && arg.back() == kBracketMark && arg[arg.size() - 2] == ']') arg.pop_back();
  return arg;
}

void UnmarkValues(CLI::App* program) {
  for (CLI::Option* option : program->get_options()) {
    if (option->get_items_expected_max() > 0) option->transform(UnmarkBrackets);
  }
  for (CLI::App* command : program->get_subcommands({})) UnmarkValues(command);
}

std::string HelpText(int about, const std::string& own) {
  return absl::StrCat((about & kHelpFile) != 0 ? absl::StrCat(kFileHelp, "\n\n") : "",
                      (about & kHelpGlob) != 0 ? absl::StrCat(kGlobHelp, "\n\n") : "",
                      (about & kHelpFilter) != 0 ? absl::StrCat(kFilterHelp, "\n\n") : "", own);
}

std::vector<CommandWords> CommandsOf(const CLI::App& program) {
  std::vector<CommandWords> commands = {WordsOf(program)};
  for (const CLI::App* command : program.get_subcommands({})) {
    if (command->get_group().empty()) continue;
    commands.push_back(WordsOf(*command));
    commands.back().name = command->get_name();
  }
  return commands;
}

std::string HelpOf(const CLI::App& program, const CLI::App& command) {
  const bool is_program = &command == &program;
  const CommandWords words = WordsOf(command);
  std::string usage = is_program
                          ? "Usage: leafstore [OPTIONS] SUBCOMMAND"
                          : absl::StrCat("Usage: leafstore ", command.get_name(), " [OPTIONS]");
  std::string positionals;
  std::string options;
  for (const OptionWords& option : words.options) {
    const std::string name = absl::StrJoin(option.names, ", ");
    if (option.positional) {
      absl::StrAppend(&usage, " ", option.required ? "" : "[", name, option.repeated ? "..." : "",
                      option.required ? "" : "]");
      AppendEntry(name, option.description, &positionals);
    } else {
      AppendEntry(absl::StrCat(name, option.type.empty() ? "" : " ", option.type),
                  absl::StrCat(option.description, option.required ? " (required)" : ""), &options);
    }
  }
  std::string subcommands;
  for (const CommandWords& one : CommandsOf(program)) {
    if (is_program && !one.name.empty()) AppendEntry(one.name, one.description, &subcommands);
  }
  const auto section = [](absl::string_view title, const std::string& entries) {
    return entries.empty() ? "" : absl::StrCat("\n", title, ":\n", entries);
  };
  return absl::StrCat(words.description, "\n", usage, "\n", section("Positionals", positionals),
                      section("Options", options), section("Subcommands", subcommands), "\n",
                      words.footer, "\n");
}

CLI::Option* WithChoices(CLI::Option* option, std::vector<std::string> choices) {
  Choices()[option] = std::move(choices);
  return option;
}

}  // namespace leafstore::tools
