#include "leafstore/tools/commands/options.h"

#include <algorithm>
#include <limits>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "leafstore/core/internal/suggest.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/core/value.h"
#include "leafstore/tools/commands/command.h"
#include "leafstore/tools/present/progress.h"

namespace leafstore::tools {

const char kGlobHelp[] =
    R"(A GLOB is matched key by key: `*` is one key, `**` none or more, `?` and `*` inside a key are
characters: 'layers.*.attn.**'. It takes the leaves that it matches, and those below what it matches.)";

const char kFilterHelp[] =
    R"(A FILTER is a glob or an expression: dtype:f32, rank:2, 'bytes:>1M', kind:str, type:Linear,
tag:frozen, has:bias, static, tensor, leaf, all, re:REGEX, and, or, not, parentheses. A leaf goes
with its oldest ancestor that a filter matches; what no filter takes is the group `rest`.)";

const char kSourceHelp[] =
    R"(FILE is told by its content: a checkpoint (.leaf), safetensors, an index of safetensors
(*.safetensors.index.json) or the directory it lies in, a NumPy archive (.npz) or array (.npy), or a
directory of checkpoints, of which the newest that is whole is taken, or with --step (or DIR@STEP)
another.)";

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
    // As it is written: " 2", "+2" and "02" mean something else where it is read again.
    if (absl::SimpleAtoi(found, &number) && absl::StrCat(number) == found && number >= least &&
        number <= most) {
      return "";
    }
    return absl::StrCat("expected a whole number from ", least, " to ", most, ", found '", found,
                        "'");
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

CLI::Option* AddDepth(CLI::App* command, std::optional<uint32_t>* depth,
                      const std::string& description) {
  return command->add_option("--depth", *depth, description)
      ->type_name("N")
      ->check(WholeNumber(0, std::numeric_limits<uint32_t>::max()));
}

CLI::Option* AddRepeated(CLI::App* command, const std::string& name,
                         std::vector<std::string>* values, const std::string& description,
                         const std::string& type_name) {
  return command->add_option(name, *values, description)
      ->type_name(type_name)
      ->allow_extra_args(false);
}

void AddSource(CLI::App* command, SourceArguments* arguments, const std::string& what) {
  command->add_option("FILE", arguments->name, what)->required()->type_name("");
  AddStep(command, arguments);
}

void AddStep(CLI::App* command, SourceArguments* arguments) {
  WithChoices(command->add_option(
                  "--step", arguments->step,
                  "of a directory of checkpoints: a number, latest, best=METRIC or lowest=METRIC"),
              {"latest", "best=", "lowest="})
      ->type_name("STEP");
  AddNames(command, &arguments->names,
           "how names of safetensors and npz become paths: split at dots, lists (numbers are "
           "positions), whole, or canonical");
}

void AddNames(CLI::App* command, NameStyle* names, const std::string& description) {
  std::vector<std::pair<std::string, NameStyle>> styles;
  for (const NameStyle style :
       {NameStyle::kSplit, NameStyle::kLists, NameStyle::kWhole, NameStyle::kCanonical}) {
    styles.emplace_back(std::string(NameStyleName(style)), style);
  }
  AddChoice(command, "--names", std::move(styles), names, description)->type_name("STYLE");
}

void AddReading(CLI::App* command, SourceArguments* arguments) {
  command->add_flag("--no-verify", arguments->no_verify,
                    "take tensors whose checksums are wrong, too");
  AddThreads(command, arguments);
}

void AddThreads(CLI::App* command, SourceArguments* arguments) {
  command
      ->add_option("--threads", arguments->threads,
                   "so many threads read and check; 0: one a processor, up to eight")
      ->type_name("N")
      ->check(WholeNumber(0, 1024));
}

absl::StatusOr<SourcePtr> Open(const SourceArguments& arguments, bool verify) {
  SourceOptions options;
  options.name = arguments.name;
  options.step = arguments.step;
  options.verify = verify && !arguments.no_verify;
  options.names = arguments.names;
  options.io.threads = arguments.threads;
  // The source keeps it, and may verify later.
  const auto progress = std::make_shared<Progress>("verifying", 0);
  options.io.progress = [progress](int64_t done, int64_t total) { progress->Set(done, total); };
  options.note = [progress, &arguments](absl::string_view line) {
    progress->Clear();
    Note(absl::StrCat(arguments.name, ": ", line));
  };
  absl::StatusOr<SourcePtr> source = OpenSource(options);
  progress->Clear();
  return source;
}

void AddItem(CLI::App* command, ChoiceArguments* arguments) {
  AddRepeated(command, "--item", &arguments->items, "only this item; may be repeated", "NAME");
}

void AddMatch(CLI::App* command, ChoiceArguments* arguments) {
  AddRepeated(command, "--match", &arguments->match,
              "only leaves that a glob matches; may be repeated", "GLOB");
}

CLI::Option* AddGroup(CLI::App* command, ChoiceArguments* arguments,
                      const std::string& description) {
  return AddRepeated(command, "--group", &arguments->groups, description, "NAME=FILTER");
}

absl::StatusOr<std::vector<const SourceItem*>> ChooseItems(const Source& source,
                                                           const ChoiceArguments& arguments) {
  std::vector<const SourceItem*> items;
  if (arguments.items.empty()) {
    for (const auto& item : source.items()) items.push_back(item.get());
  }
  for (const std::string& name : arguments.items) {
    LEAFSTORE_ASSIGN_OR_RETURN(const SourceItem* item, source.item(name));
    items.push_back(item);
  }
  return items;
}

absl::StatusOr<const SourceItem*> ChooseItem(const Source& source,
                                             const ChoiceArguments& arguments) {
  LEAFSTORE_ASSIGN_OR_RETURN(const auto items, ChooseItems(source, arguments));
  if (items.size() == 1) return items[0];
  constexpr size_t kMostNamed = 10;
  std::vector<std::string> names;
  for (const SourceItem* item : items) {
    if (names.size() == kMostNamed) break;
    names.push_back(Value(item->name()).ToString());
  }
  if (names.size() < items.size()) names.push_back("...");
  return UsageError(absl::StrCat(source.name(), ": expected --item to name one item, found ",
                                 items.size(), ": ", absl::StrJoin(names, ", ")));
}

absl::StatusOr<std::vector<GlobPattern>> ParseMatch(const std::vector<std::string>& texts,
                                                    absl::string_view option) {
  std::vector<GlobPattern> globs;
  for (const std::string& text : texts) {
    absl::StatusOr<GlobPattern> glob = GlobPattern::Parse(text);
    if (!glob.ok()) {
      return UsageError(absl::StrCat(option, " '", text, "': ", glob.status().message()));
    }
    globs.push_back(*std::move(glob));
  }
  return globs;
}

void AddForm(CLI::App* command, FormArguments* arguments) {
  command->add_flag("--json", arguments->json, "everything, for programs");
  AddChoice<ColorMode>(
      command, "--color",
      {{"auto", ColorMode::kAuto}, {"always", ColorMode::kAlways}, {"never", ColorMode::kNever}},
      &arguments->color, "auto (on a terminal, unless NO_COLOR is set), always or never")
      ->type_name("WHEN");
}

}  // namespace leafstore::tools
