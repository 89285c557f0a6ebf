// CommandWords: what the program's declarations say, for those who describe it: completion of
// shells, the manual.
//
//   for (const CommandWords& command : CommandsOf(program)) ... command.options ...
//
// What may stand for a value follows from the name of its type, as options.h gives it: FILE, OUT
// and TEMPLATE are files, NAME an item, GLOB and PATH leaves; a list of words is what WithChoices
// told.
#ifndef LEAFSTORE_TOOLS_COMMANDS_COMMAND_WORDS_H_
#define LEAFSTORE_TOOLS_COMMANDS_COMMAND_WORDS_H_

#include <cstdint>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace leafstore::tools {

enum class ValueWords : uint8_t { kFlag, kAny, kFile, kItem, kPath, kChoice };

struct OptionWords {
  std::vector<std::string> names;  // with their dashes; of a positional its name alone
  std::string type;                // "GLOB"
  std::string description;
  ValueWords value = ValueWords::kFlag;
  std::vector<std::string> choices;
  bool positional = false;
  bool required = false;
  bool repeated = false;
};

struct CommandWords {
  std::string name;  // empty: the program
  std::string description;
  std::string footer;
  std::vector<OptionWords> options;  // positionals too, in their order

  std::vector<const OptionWords*> Positionals() const;
};

// The program, and its subcommands but for hidden ones, in their order.
std::vector<CommandWords> CommandsOf(const CLI::App& program);

// Tells the words that an option takes; returns it.
CLI::Option* WithChoices(CLI::Option* option, std::vector<std::string> choices);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_COMMAND_WORDS_H_
