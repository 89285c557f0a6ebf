// `leafstore complete-words items|paths FILE [PREFIX]`, which completion scripts run: prints the
// items of a file, or the paths that continue a prefix by one key.
#include <cstdio>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/tools/commands/commands.h"
#include "leafstore/tools/commands/options.h"
#include "leafstore/tools/present/output.h"
#include "leafstore/tools/present/text.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {
namespace {

struct WordsArguments {
  std::string what;
  std::string file;
  std::string prefix;
};

// The maximum count of leaves: more would take too long to search at each key press.
constexpr uint32_t kMostLeaves = 200'000;

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
  if (item.size() > kMostLeaves) return;
  // A path that is too long to print ends the suggestions.
  item.layout()
      .ForEachPath(item.slots(), PathForm::kDotted,
                   [&](uint32_t, absl::string_view dotted) {
                     if (!absl::StartsWith(dotted, prefix)) return;
                     const size_t dot = dotted.find('.', prefix.size());
                     words->emplace(dot == dotted.npos ? dotted : dotted.substr(0, dot + 1));
                   })
      .IgnoreError();
}

absl::Status CompleteWords(const WordsArguments& arguments) {
  SourceOptions options;
  options.name = arguments.file;
  options.verify = false;
  LEAFSTORE_ASSIGN_OR_RETURN(const SourcePtr source, OpenSource(options));
  std::set<std::string> words;
  for (const auto& item : source->items) {
    if (arguments.what == "paths") {
      AddPaths(*item, arguments.prefix, &words);
    } else if (absl::StartsWith(item->name(), arguments.prefix)) {
      words.insert(item->name());
    }
  }
  Output out(stdout, ColorMode::kNever);
  for (const std::string& word : words) {
    if (IsPlain(word)) out.Write(absl::StrCat(word, "\n"));
  }
  return out.Finish();
}

}  // namespace

void AddCompleteWordsCommand(CLI::App* program, CommandRun* run) {
  auto arguments = std::make_shared<WordsArguments>();
  CLI::App* command = program->add_subcommand("complete-words", "For the scripts of `completion`.");
  command->group("");
  command->add_option("WHAT", arguments->what, "items or paths")
      ->required()
      ->check(OneOf({"items", "paths"}));
  command->add_option("FILE", arguments->file, "the file to read")->required();
  command->add_option("PREFIX", arguments->prefix, "the beginning of the words");
  command->callback([=] { run->function = [arguments] { return CompleteWords(*arguments); }; });
}

}  // namespace leafstore::tools
