// What the command lines of subcommands have in common: options are declared, described and read
// here, once.
//
//   struct TreeOptions { SourceArguments source; ChoiceArguments choice; FormArguments form; };
//   AddSource(command, &options->source);                      // FILE, --step
//   AddItem(command, &options->choice);                        // --item
//   AddForm(command, &options->form);                          // --json, --color
//   ...
//   SourcePtr source = Open(options.source).value();           // with progress and notes
//   for (const SourceItem* item : ChooseItems(*source, options.choice).value()) ...
#ifndef LEAFSTORE_TOOLS_COMMANDS_OPTIONS_H_
#define LEAFSTORE_TOOLS_COMMANDS_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include <CLI/CLI.hpp>

#include "leafstore/select/glob.h"
#include "leafstore/tools/commands/command_words.h"
#include "leafstore/tools/present/output.h"
#include "leafstore/tools/source/item_groups.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

// What is read, and how.
struct SourceArguments {
  std::string name;
  std::string step;
  NameStyle names = NameStyle::kSplit;
  bool no_verify = false;
  int threads = 0;
};
// The positional FILE, --step and --names. `what` is the positional's description.
void AddSource(CLI::App* command, SourceArguments* arguments,
               const std::string& what = "a checkpoint, a directory of them, safetensors, or npz");
// --step and --names.
void AddStep(CLI::App* command, SourceArguments* arguments);
void AddNames(CLI::App* command, NameStyle* names, const std::string& description);
// --no-verify and --threads, for whoever reads tensors.
void AddReading(CLI::App* command, SourceArguments* arguments);
// The latter alone.
void AddThreads(CLI::App* command, SourceArguments* arguments);
// OpenSource, with progress and notes on standard error. `verify`: whether tensors are read, so
// that their checksums matter; --no-verify overrules it.
absl::StatusOr<SourcePtr> Open(const SourceArguments& arguments, bool verify = true);

// What of it.
struct ChoiceArguments {
  std::vector<std::string> items;
  std::vector<std::string> match;
  std::vector<std::string> groups;
};
void AddItem(CLI::App* command, ChoiceArguments* arguments);
void AddMatch(CLI::App* command, ChoiceArguments* arguments);
CLI::Option* AddGroup(
    CLI::App* command, ChoiceArguments* arguments,
    const std::string& description =
        "a group of the leaves that a filter takes; may be repeated. Without: the "
        "groups that were saved");
// Those named, or all. error: a UsageError that names those there are.
absl::StatusOr<std::vector<const SourceItem*>> ChooseItems(const Source& source,
                                                           const ChoiceArguments& arguments);
// For a subcommand that works on one item: the one named, or the only one. error: a UsageError.
absl::StatusOr<const SourceItem*> ChooseItem(const Source& source,
                                             const ChoiceArguments& arguments);
// error: a UsageError, with the glob's column.
absl::StatusOr<std::vector<GlobPattern>> ParseMatch(const std::vector<std::string>& texts,
                                                    absl::string_view option = "--match");

// A depth in keys.
CLI::Option* AddDepth(CLI::App* command, std::optional<uint32_t>* depth,
                      const std::string& description);

// How it is answered.
struct FormArguments {
  bool json = false;
  ColorMode color = ColorMode::kAuto;
};
void AddForm(CLI::App* command, FormArguments* arguments);

// Validators of values; what is wrong they say as all else does: expected ..., found '...'.
CLI::Validator OneOf(std::vector<std::string> words);
CLI::Validator WholeNumber(int64_t least, int64_t most);
// Not NaN.
CLI::Validator NumberOfAtLeast(double least);

// An option that takes one of these words: the value beside it is put into `*value`.
template <typename T>
CLI::Option* AddChoice(CLI::App* command, const std::string& name,
                       std::vector<std::pair<std::string, T>> choices, T* value,
                       const std::string& description) {
  std::vector<std::string> words;
  for (const auto& [word, choice] : choices) words.push_back(word);
  const auto take = [choices = std::move(choices), value](const std::string& found) {
    for (const auto& [word, choice] : choices) {
      if (word == found) *value = choice;
    }
  };
  CLI::Option* option = command->add_option_function<std::string>(name, take, description);
  return WithChoices(option, words)->check(OneOf(words));
}

// An option that takes one value each time and may be repeated: what follows the value is no more
// of it.
CLI::Option* AddRepeated(CLI::App* command, const std::string& name,
                         std::vector<std::string>* values, const std::string& description,
                         const std::string& type_name);

// What stands at the end of several --help texts.
extern const char kGlobHelp[];
extern const char kFilterHelp[];
extern const char kSourceHelp[];

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_OPTIONS_H_
