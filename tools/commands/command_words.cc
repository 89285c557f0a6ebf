#include "leafstore/tools/commands/command_words.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace leafstore::tools {
namespace {

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

// Appends a name and its description, in two columns.
void AppendEntry(const std::string& name, const std::string& description, std::string* text) {
  constexpr size_t kColumn = 30;
  std::string line = absl::StrCat("  ", name);
  line += line.size() + 2 > kColumn ? "\n" + std::string(kColumn, ' ')
                                    : std::string(kColumn - line.size(), ' ');
  absl::StrAppend(text, line, description, "\n");
}

}  // namespace

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
