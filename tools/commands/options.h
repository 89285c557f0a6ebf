// Options that several subcommands share, validators of values, and CommandWords: the declared
// options as data, for --help, completion scripts and the manual page.
//
//   AddFile(command, "FILE", &options->input.name, "the file to read");
//   AddInput(command, {kStep, kItem, kMatch, kReading, kForm}, &options->input);
#ifndef LEAFSTORE_TOOLS_COMMANDS_OPTIONS_H_
#define LEAFSTORE_TOOLS_COMMANDS_OPTIONS_H_

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "leafstore/tools/files/model.h"
#include "leafstore/tools/present/output.h"
#include "leafstore/tools/source/row_order.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

// The file to read, the part of it to use, and the form of the output.
struct InputOptions : SourceOptions {
  std::vector<std::string> items;
  std::vector<std::string> match;
  std::vector<std::string> groups;
  std::vector<std::string> dtype_of;  // texts of --dtype-of; Open parses them
  std::string max_header_text;        // of --max-header; likewise
  std::optional<uint32_t> depth;
  RowOrder order = RowOrder::kNatural;
  OutputForm form;
};

// Of a subcommand that also writes files.
struct WriteInput : InputOptions {
  std::string out;
  WriteOptions writing;

  // Returns `writing`; without --write-names, names have the form of --names.
  WriteOptions Writing() const;
};

enum InputOption : uint8_t {
  kStep,     // --step, and those of kFormat
  kFormat,   // --names, --strict, --one-shard, --ignore-structure, --dtype-of
  kItem,     // --item
  kMatch,    // --match
  kGroup,    // --group
  kDepth,    // --depth
  kOrder,    // --order
  kReading,  // --no-verify, --threads
  kThreads,  // --threads
  kForm,     // --json, --color
};
// Declares these options, in this order.
void AddInput(CLI::App* command, std::initializer_list<InputOption> which, InputOptions* options);

// Declares a positional: required, `T` a string or a vector of strings.
template <typename T>
CLI::Option* AddFile(CLI::App* command, const std::string& name, T* value,
                     const std::string& description =
                         "a checkpoint, a directory of checkpoints, safetensors, or npz") {
  return command->add_option(name, *value, description)->required()->type_name("");
}

// Declares an option with a value. With a vector of values it may be repeated, and accepts one each
// time: the word after the value does not belong to it.
template <typename T>
CLI::Option* AddValue(CLI::App* command, const std::string& name, T* value,
                      const std::string& type_name, const std::string& description) {
  return command->add_option(name, *value, description)
      ->type_name(type_name)
      ->allow_extra_args(false);
}

// Declares --to, --zstd, --zstd-level, --shard-size, --structure, --drop-static, --skip-unreadable,
// --raw-bits, --deflate and --force.
void AddWriting(CLI::App* command, WriteOptions* options);

// Validators of values. Their errors have the usual form: expected ..., found '...'.
CLI::Validator WholeNumber(int64_t least, int64_t most = std::numeric_limits<uint32_t>::max());
// NaN is an error.
CLI::Validator NumberOfAtLeast(double least);

// Registers the words that completion offers for an option; OneOf also rejects all others. Both
// return the option.
CLI::Option* WithChoices(CLI::Option* option, std::vector<std::string> choices);
CLI::Option* OneOf(CLI::Option* option, const std::vector<std::string>& words);

// Declares an option that accepts one of these words, and stores the value beside the word.
template <typename T>
CLI::Option* AddChoice(CLI::App* command, const std::string& name,
                       std::vector<std::pair<std::string, T>> choices, T* value,
                       const std::string& type_name, const std::string& description) {
  std::vector<std::string> words;
  for (const auto& [word, choice] : choices) words.push_back(word);
  const auto store = [choices = std::move(choices), value](const std::string& found) {
    for (const auto& [word, choice] : choices) {
      if (word == found) *value = choice;
    }
  };
  return OneOf(command->add_option_function<std::string>(name, store, description), words)
      ->type_name(type_name);
}

// CLI11 treats an argument in brackets, such as the path ['a'], as a list and splits it at commas.
// MarkBrackets marks such arguments so that they are not split; UnmarkBrackets returns the original
// argument. UnmarkValues applies UnmarkBrackets to the values of all options of a program and its
// subcommands.
std::vector<std::string> MarkBrackets(std::vector<std::string> args);
std::string UnmarkBrackets(std::string arg);
void UnmarkValues(CLI::App* program);

// Returns the end of a --help text: the meaning of FILE, GLOB and FILTER, as selected by `about`,
// and `own`, the text of the subcommand.
enum HelpAbout : uint8_t { kHelpFile = 1, kHelpGlob = 2, kHelpFilter = 4 };
std::string HelpText(int about, const std::string& own);

// What the value of an option names, for completion. It follows from the name of its type: FILE,
// OUT and TEMPLATE are files, NAME is an item, GLOB and PATH are leaves.
enum class ValueWords : uint8_t { kAny, kFile, kItem, kPath };

struct OptionWords {
  std::vector<std::string> names;  // including dashes; a positional has one name
  std::string type;                // "GLOB"
  std::string description;
  std::optional<ValueWords> kind;  // of its value; none for a flag
  std::vector<std::string> choices;
  bool positional = false;
  bool required = false;
  bool repeated = false;
};

struct CommandWords {
  std::string name;  // empty: the program
  std::string description;
  std::string footer;
  std::vector<OptionWords> options;  // including positionals, in order
};

// Returns the program, then its visible subcommands in order.
std::vector<CommandWords> CommandsOf(const CLI::App& program);

// Returns the text of --help for `command`, which is `program` or one of its subcommands.
std::string HelpOf(const CLI::App& program, const CLI::App& command);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_OPTIONS_H_
