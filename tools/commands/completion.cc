#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

#include "leafstore/tools/commands/command_words.h"
#include "leafstore/tools/commands/commands.h"
#include "leafstore/tools/commands/options.h"
#include "leafstore/tools/present/output.h"

namespace leafstore::tools {
namespace {

constexpr char kCompletionHelp[] = R"(Examples:
  leafstore completion bash >~/.local/share/bash-completion/completions/leafstore
  leafstore completion zsh >"${fpath[1]}/_leafstore"
  source <(leafstore completion bash)                 only in this shell

The script completes subcommands, options, the words that an option accepts, files, and, from a file
that is named before, its items (--item) and the paths of its leaves, a key at a time.

Exit codes: 0 success; 1 the output cannot be written; 2 usage.)";

// Returns the name of a kind of value in the scripts.
std::string KindOf(const OptionWords& option) {
  switch (option.value) {
    case ValueWords::kFlag:
      return "";
    case ValueWords::kAny:
      return "any";
    case ValueWords::kFile:
      return "file";
    case ValueWords::kItem:
      return "item";
    case ValueWords::kPath:
      return "path";
    case ValueWords::kChoice:
      return absl::StrCat("words ", absl::StrJoin(option.choices, " "));
  }
  return "any";
}

// Returns shell functions with the options and positionals of each subcommand.
std::string BashTables(const std::vector<CommandWords>& commands) {
  std::vector<std::string> names;
  std::string options;
  std::string values;
  std::string positionals;
  for (const CommandWords& command : commands) {
    if (!command.name.empty()) names.push_back(command.name);
    const std::string key = command.name.empty() ? "''" : command.name;
    std::vector<std::string> all;
    for (const OptionWords& option : command.options) {
      if (option.positional) continue;
      all.insert(all.end(), option.names.begin(), option.names.end());
      if (option.value == ValueWords::kFlag) continue;
      for (const std::string& name : option.names) {
        absl::StrAppend(&values, "    '", command.name, " ", name, "') echo '", KindOf(option),
                        "' ;;\n");
      }
    }
    absl::StrAppend(&options, "    ", key, ") echo '", absl::StrJoin(all, " "), "' ;;\n");
    int number = 0;
    for (const OptionWords* positional : command.Positionals()) {
      // The last one may be repeated.
      absl::StrAppend(&positionals, "    '", command.name, " ", number++, "'",
                      positional->repeated ? absl::StrCat(" | '", command.name, " '*") : "",
                      ") echo '", KindOf(*positional), "' ;;\n");
    }
  }
  return absl::StrCat("_leafstore_commands='", absl::StrJoin(names, " "), "'\n",
                      "_leafstore_options() {\n  case $1 in\n", options, "  esac\n}\n",
                      "# Prints the kind of value of an option; nothing for a flag.\n",
                      "_leafstore_value() {\n  case \"$1 $2\" in\n", values, "  esac\n}\n",
                      "# Prints the kind of the positional with this index.\n",
                      "_leafstore_positional() {\n  case \"$1 $2\" in\n", positionals,
                      "  esac\n}\n");
}

constexpr char kBashHead[] =
    R"(# Completion of leafstore for bash: source it, or put it where bash-completion looks.
# Made by `leafstore completion bash`.
)";

constexpr char kBashBody[] = R"sh(_leafstore() {
  local cur=${COMP_WORDS[COMP_CWORD]} command= file= option= kind= word i count=0
  COMPREPLY=()
  # Words before this one: the subcommand, the file, and how many positionals. bash makes words of
  # `--option=value`: the option, `=` and the value.
  for ((i = 1; i < COMP_CWORD; ++i)); do
    word=${COMP_WORDS[i]}
    if [[ -n $option ]]; then
      [[ $word == '=' ]] || option=
    elif [[ $word == -* ]]; then
      [[ -z $(_leafstore_value "$command" "$word") ]] || option=$word
    elif [[ -z $command ]]; then
      command=$word
    else
      [[ -n $file ]] || file=$word
      count=$((count + 1))
    fi
  done
  [[ $cur != '=' ]] || cur=
  if [[ -n $option ]]; then
    kind=$(_leafstore_value "$command" "$option")
  elif [[ $cur == -* ]]; then
    kind="words $(_leafstore_options "$command")"
  elif [[ -z $command ]]; then
    kind="words $_leafstore_commands"
  else
    kind=$(_leafstore_positional "$command" "$count")
  fi
  case $kind in
    words\ *) mapfile -t COMPREPLY < <(compgen -W "${kind#words }" -- "$cur") ;;
    file)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
    item | path)
      [[ -n $file ]] || return 0
      # As it was typed: with a ~, or with backslashes.
      [[ $file != \~/* ]] || file=$HOME/${file:2}
      file=${file//\\/}
      mapfile -t COMPREPLY < <("${COMP_WORDS[0]}" complete-words "${kind}s" "$file" -- "$cur" 2>/dev/null)
      [[ ${#COMPREPLY[@]} -ne 1 || ${COMPREPLY[0]} != *. ]] || compopt -o nospace 2>/dev/null ;;
  esac
  return 0
}
complete -F _leafstore leafstore
)sh";

// Escapes text for an entry of zsh's _arguments.
std::string ZshQuoted(std::string text) {
  text = absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"[", "\\["}, {"]", "\\]"}, {":", "\\:"}});
  return absl::StrReplaceAll(text, {{"'", "'\\''"}});
}

std::string ZshAction(const OptionWords& option) {
  switch (option.value) {
    case ValueWords::kFlag:
      return "";
    case ValueWords::kAny:
      return " ";
    case ValueWords::kFile:
      return "_files";
    case ValueWords::kItem:
      return "_leafstore_items";
    case ValueWords::kPath:
      return "_leafstore_paths";
    case ValueWords::kChoice:
      return absl::StrCat("(", absl::StrJoin(option.choices, " "), ")");
  }
  return " ";
}

std::string ZshEntries(const CommandWords& command, absl::string_view indent) {
  std::string text;
  for (const OptionWords& option : command.options) {
    if (option.positional) {
      absl::StrAppend(&text, indent, "'", option.repeated ? "*" : "", ":", ZshQuoted(option.type),
                      ":", ZshAction(option), "' \\\n");
      continue;
    }
    for (const std::string& name : option.names) {
      absl::StrAppend(&text, indent, "'", option.repeated ? "*" : "", name,
                      option.value == ValueWords::kFlag ? "" : "=", "[",
                      ZshQuoted(option.description), "]");
      if (option.value != ValueWords::kFlag) {
        absl::StrAppend(&text, ":", ZshQuoted(option.type), ":", ZshAction(option));
      }
      text += "' \\\n";
    }
  }
  return text;
}

constexpr char kZshHead[] = R"sh(#compdef leafstore
# Completion of leafstore for zsh: put it into a directory of $fpath as _leafstore.
# Made by `leafstore completion zsh`.
_leafstore_file() {
  # The first word after the subcommand that is not an option.
  local word
  for word in "${(@)words[2,-1]}"; do
    if [[ $word != -* ]]; then print -r -- "${(Q)word}"; return; fi
  done
}
_leafstore_items() {
  local -a items
  items=("${(@f)$(leafstore complete-words items "$(_leafstore_file)" 2>/dev/null)}")
  compadd -- "$items[@]"
}
_leafstore_paths() {
  local -a paths
  paths=("${(@f)$(leafstore complete-words paths "$(_leafstore_file)" -- "$PREFIX" 2>/dev/null)}")
  compadd -S '' -- "$paths[@]"
}
)sh";

std::string ZshScript(const std::vector<CommandWords>& commands) {
  std::string names;
  std::string cases;
  for (const CommandWords& command : commands) {
    if (command.name.empty()) continue;
    absl::StrAppend(&names, "    '", command.name, ":", ZshQuoted(command.description), "'\n");
    absl::StrAppend(&cases, "    ", command.name, ")\n      _arguments \\\n",
                    ZshEntries(command, "        "), "        && return 0 ;;\n");
  }
  return absl::StrCat(
      kZshHead, "_leafstore() {\n  local context state line\n  local -a commands\n  commands=(\n",
      names, "  )\n  _arguments -C \\\n", ZshEntries(commands[0], "    "),
      "    '1: :->command' '*:: :->rest' && return 0\n"
      "  if [[ $state == command ]]; then\n"
      "    _describe -t commands command commands\n    return\n  fi\n"
      "  case $words[1] in\n",
      cases,
      "  esac\n}\nif [[ $funcstack[1] == _leafstore ]]; then _leafstore \"$@\"; "
      "else compdef _leafstore leafstore; fi\n");
}

}  // namespace

void AddCompletionCommand(CLI::App* program, CommandRun* run) {
  auto shell = std::make_shared<std::string>();
  CLI::App* command =
      program->add_subcommand("completion", "Prints a completion script for a shell.");
  command->footer(kCompletionHelp);
  WithChoices(command->add_option("SHELL", *shell, "bash or zsh"), {"bash", "zsh"})
      ->required()
      ->type_name("")
      ->check(OneOf({"bash", "zsh"}));
  command->callback([=] {
    run->function = [program, shell] {
      const std::vector<CommandWords> commands = CommandsOf(*program);
      Output out(stdout, ColorMode::kNever);
      out.Write(*shell == "zsh" ? ZshScript(commands)
                                : absl::StrCat(kBashHead, BashTables(commands), kBashBody));
      return out.Finish();
    };
  });
}

}  // namespace leafstore::tools
