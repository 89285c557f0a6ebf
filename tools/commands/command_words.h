// CommandWords: the declared subcommands and options, for --help, completion scripts and the manual
// page.
//
// The kind of a value follows from the name of its type in options.h: FILE, OUT and TEMPLATE are
// files, NAME is an item, GLOB and PATH are leaves. WithChoices sets a list of words.
#ifndef LEAFSTORE_TOOLS_COMMANDS_COMMAND_WORDS_H_
#define LEAFSTORE_TOOLS_COMMANDS_COMMAND_WORDS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace leafstore::tools {

// What the value of an option names, for completion.
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

// Registers the words that an option accepts; returns the option.
CLI::Option* WithChoices(CLI::Option* option, std::vector<std::string> choices);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_COMMAND_WORDS_H_
