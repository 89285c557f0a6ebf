#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

#include "leafstore/tools/commands/commands.h"

namespace leafstore::tools {
namespace {

constexpr char kCompletionHelp[] = R"(Examples:
  leafstore completion bash >~/.local/share/bash-completion/completions/leafstore
  leafstore completion zsh >"${fpath[1]}/_leafstore"
  source <(leafstore completion bash)                 only in this shell

The script completes subcommands, options, the words that an option accepts, files, and, from a file
that is named before, its items (--item) and the paths of its leaves, a key at a time.

Exit codes: 0 success; 1 the output cannot be written; 2 usage.)";

// By ValueWords: the word for a kind of value, which the script for bash tests; the action of zsh.
constexpr size_t kKinds = static_cast<size_t>(ValueWords::kPath) + 1;
constexpr const char* kBashKinds[kKinds] = {"any", "file", "item", "path"};
constexpr const char* kZshActions[kKinds] = {" ", "_files", "_leafstore_items", "_leafstore_paths"};

// The option must have a value.
std::string BashKind(const OptionWords& option) {
  if (!option.choices.empty()) return absl::StrCat("words ", absl::StrJoin(option.choices, " "));
  return kBashKinds[static_cast<size_t>(*option.kind)];
}

std::string BashCase(absl::string_view pattern, absl::string_view answer) {
  return absl::StrCat("    ", pattern, ") echo '", answer, "' ;;\n");
}

std::string BashFunction(absl::string_view name, absl::string_view word, absl::string_view cases) {
  return absl::StrCat(name, "() {\n  case ", word, " in\n", cases, "  esac\n}\n");
}

std::string BashTables(const std::vector<CommandWords>& commands) {
  std::vector<std::string> names;
  std::string options, values, positionals;
  for (const CommandWords& command : commands) {
    if (!command.name.empty()) names.push_back(command.name);
    std::vector<std::string> all;
    int index = 0;
    for (const OptionWords& option : command.options) {
      if (option.positional) {
        // The last one may be repeated.
        const std::string others = option.repeated ? absl::StrCat(" | '", command.name, " '*") : "";
        const std::string pattern = absl::StrCat("'", command.name, " ", index++, "'", others);
        positionals += BashCase(pattern, BashKind(option));
        continue;
      }
      all.insert(all.end(), option.names.begin(), option.names.end());
      if (!option.kind) continue;
      for (const std::string& name : option.names) {
        values += BashCase(absl::StrCat("'", command.name, " ", name, "'"), BashKind(option));
      }
    }
    options += BashCase(command.name.empty() ? "''" : command.name, absl::StrJoin(all, " "));
  }
  return absl::StrCat("_leafstore_commands='", absl::StrJoin(names, " "), "'\n",
                      BashFunction("_leafstore_options", "$1", options),
                      "# Prints the kind of value of an option; nothing for a flag.\n",
                      BashFunction("_leafstore_value", "\"$1 $2\"", values),
                      "# Prints the kind of the positional with this index.\n",
                      BashFunction("_leafstore_positional", "\"$1 $2\"", positionals));
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
  if (!option.choices.empty()) return absl::StrCat("(", absl::StrJoin(option.choices, " "), ")");
  return kZshActions[static_cast<size_t>(*option.kind)];
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
      absl::StrAppend(&text, indent, "'", option.repeated ? "*" : "", name, option.kind ? "=" : "",
                      "[", ZshQuoted(option.description), "]");
      if (option.kind) {
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

// `leafstore complete-words items|paths FILE [PREFIX]`, which the scripts run: prints the items of
// a file, or the paths that continue a prefix by one key.
struct WordsArguments {
  std::string what;
  std::string file;
  std::string prefix;
};

// The maximum count of leaves: more would take too long to search at each key press.
constexpr uint32_t kMaxLeaves = 200'000;

// Returns whether the word needs no quotes in a shell.
bool IsPlain(absl::string_view word) {
  return !word.empty() &&
         word.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/+@%,:") ==
             absl::string_view::npos;
}

// Adds the paths that begin with the prefix, cut after the next key; a dot follows if there are
// more keys.
void AddPaths(const SourceItem& item, const std::string& prefix, std::set<std::string>* words) {
  if (item.size() > kMaxLeaves) return;
  // A path that is too long to print ends the suggestions.
  item.layout
      .ForEachPath(item.slots, PathForm::kDotted,
                   [&](uint32_t, absl::string_view dotted) {
                     if (!absl::StartsWith(dotted, prefix)) return;
                     const size_t dot = dotted.find('.', prefix.size());
                     words->emplace(dot == dotted.npos ? dotted : dotted.substr(0, dot + 1));
                   })
      .IgnoreError();
}

absl::Status CompleteWords(const WordsArguments& arguments) {
  LEAFSTORE_ASSIGN_OR_RETURN(const SourcePtr source,
                             OpenSource({.name = arguments.file, .verify = false}));
  std::set<std::string> words;
  for (const SourceItem& item : source->items) {
    if (arguments.what == "paths") {
      AddPaths(item, arguments.prefix, &words);
    } else if (absl::StartsWith(item.name, arguments.prefix)) {
      words.insert(item.name);
    }
  }
  std::string text;
  for (const std::string& word : words) {
    if (IsPlain(word)) absl::StrAppend(&text, word, "\n");
  }
  return Print(text);
}

}  // namespace

void AddCompletionCommand(CLI::App* program, CommandRun* run) {
  auto shell = std::make_shared<std::string>();
  CLI::App* command =
      program->add_subcommand("completion", "Prints a completion script for a shell.");
  command->footer(kCompletionHelp);
  OneOf(AddFile(command, "SHELL", shell.get(), "bash or zsh"), {"bash", "zsh"});
  command->callback([=] {
    run->function = [program, shell] {
      const std::vector<CommandWords> commands = CommandsOf(*program);
      return Print(*shell == "zsh" ? ZshScript(commands)
                                   : absl::StrCat(kBashHead, BashTables(commands), kBashBody));
    };
  });
}

void AddCompleteWordsCommand(CLI::App* program, CommandRun* run) {
  const auto [command, arguments] = AddCommand(
      program, run, "complete-words", "For the scripts of `completion`.", 0, "", CompleteWords);
  command->group("");
  OneOf(AddFile(command, "WHAT", &arguments->what, "items or paths"), {"items", "paths"});
  AddFile(command, "FILE", &arguments->file, "the file to read");
  command->add_option("PREFIX", arguments->prefix, "the beginning of the words");
}

}  // namespace leafstore::tools
