#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

#include "leafstore/tools/commands/commands.h"

namespace leafstore::tools {
namespace {

// Escapes text for roff (groff_man(7)).
std::string Escaped(absl::string_view text) {
  std::string out = absl::StrReplaceAll(text, {{"\\", "\\(rs"},
                                               {"-", "\\-"},
                                               {"'", "\\(aq"},
                                               {"`", "\\(ga"},
                                               {"^", "\\(ha"},
                                               {"~", "\\(ti"}});
  // A line that begins with a dot is a request.
  if (absl::StartsWith(out, ".")) out.insert(0, "\\&");
  return out;
}

std::string Bold(absl::string_view text) { return absl::StrCat("\\fB", Escaped(text), "\\fR"); }
std::string Italic(absl::string_view text) { return absl::StrCat("\\fI", Escaped(text), "\\fR"); }

std::string Synopsis(const CommandWords& command) {
  std::string text = absl::StrCat(".B leafstore ", Escaped(command.name), "\n");
  for (const OptionWords& option : command.options) {
    if (!option.positional) continue;
    absl::StrAppend(&text, option.required ? "" : "[", Italic(option.type),
                    option.repeated ? "..." : "", option.required ? "" : "]", "\n");
  }
  return text + "[" + Italic("options") + "]\n";
}

void AppendOption(const OptionWords& option, std::string* text) {
  absl::StrAppend(text, ".TP\n");
  bool first = true;
  for (const std::string& name : option.names) {
    absl::StrAppend(text, first ? "" : ", ", option.positional ? Italic(name) : Bold(name));
    first = false;
  }
  if (!option.positional && !option.type.empty()) {
    absl::StrAppend(text, " ", Italic(option.type));
  }
  absl::StrAppend(text, "\n", Escaped(option.description), option.required ? " (required)" : "",
                  "\n");
}

// Appends the help text after the options: paragraphs, and indented lines unchanged.
void AppendFooter(absl::string_view footer, std::string* text) {
  bool as_is = false;
  bool paragraph = true;
  for (const absl::string_view line : absl::StrSplit(footer, '\n')) {
    const bool indented = absl::StartsWith(line, "  ");
    if (indented != as_is) absl::StrAppend(text, indented ? ".PP\n.nf\n.RS 4\n" : ".RE\n.fi\n");
    if (as_is && !indented) paragraph = true;
    as_is = indented;
    if (line.empty()) {
      paragraph = true;
      continue;
    }
    if (!indented && paragraph) absl::StrAppend(text, ".PP\n");
    paragraph = false;
    absl::StrAppend(text, Escaped(indented ? line.substr(2) : line), "\n");
  }
  if (as_is) absl::StrAppend(text, ".RE\n.fi\n");
}

std::string Manual(const std::vector<CommandWords>& commands) {
  std::string text =
      absl::StrCat(".TH LEAFSTORE 1 \"\" \"leafstore ", LEAFSTORE_VERSION,
                   "\" \"User Commands\"\n.SH NAME\nleafstore \\- ",
                   "show model parameters, and convert them between formats\n.SH SYNOPSIS\n");
  for (const CommandWords& command : commands) {
    if (command.name.empty()) continue;
    absl::StrAppend(&text, Synopsis(command), ".br\n");
  }
  absl::StrAppend(&text, ".SH DESCRIPTION\n", Escaped(commands[0].description), "\n");
  AppendFooter(commands[0].footer, &text);
  absl::StrAppend(&text, ".SH OPTIONS\n");
  for (const OptionWords& option : commands[0].options) AppendOption(option, &text);
  absl::StrAppend(&text, ".SH COMMANDS\n");
  for (const CommandWords& command : commands) {
    if (command.name.empty()) continue;
    absl::StrAppend(&text, ".SS leafstore ", Escaped(command.name), "\n",
                    Escaped(command.description), "\n");
    for (const OptionWords& option : command.options) AppendOption(option, &text);
    AppendFooter(command.footer, &text);
  }
  absl::StrAppend(
      &text,
      ".SH ENVIRONMENT\n.TP\n.B NO_COLOR\nIf it is set and not empty, the output has no colour "
      "without \\fB\\-\\-color\\fR.\n.TP\n.B TERM\nIf it is ",
      Escaped("`dumb`"), ", the output has no colour either.\n");
  return text;
}

}  // namespace

void AddManualCommand(CLI::App* program, CommandRun* run) {
  CLI::App* command = program->add_subcommand("manual", "Prints the manual page.");
  command->group("");
  command->callback(
      [=] { run->function = [program] { return Print(Manual(CommandsOf(*program))); }; });
}

}  // namespace leafstore::tools
