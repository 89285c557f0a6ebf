#include "leafstore/tools/commands/convert.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/tools/commands/match_check.h"
#include "leafstore/tools/commands/options.h"
#include "leafstore/tools/files/output_files.h"
#include "leafstore/tools/source/model.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {
namespace {

struct ConvertArguments {
  SourceArguments source;
  std::string out;
  ChoiceArguments choice;
  WriteArguments writing;
  FormArguments form;
};

constexpr char kConvertFooter[] =
    R"(A .leaf has items; the other formats have one, which is called `params` in a .leaf, and take one
(--item). What a format has no place for is an error: static leaves in .npz (--drop-static leaves
them out). safetensors keeps structure, static leaves and ties in its metadata, where they are more
than its names say. A safetensors file in canonical form, as the reference writes it, comes back from
a .leaf byte for byte.

OUT is there whole or not at all; OUT may be IN (with --force).

Examples:
  leafstore convert model.safetensors model.leaf
  leafstore convert model.leaf again.safetensors             the same bytes
  leafstore convert run params.safetensors --item params --shard-size 5G
  leafstore convert run small.leaf --zstd --match 'layers.0'
  leafstore convert run biases.npz --item params --match '**.bias'

Exit codes: 0 all is well; 1 something is wrong with a file, or OUT could not be written; 2 usage.)";

absl::Status Convert(const ConvertArguments& arguments) {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<GlobPattern> match,
                             ParseMatch(arguments.choice.match));
  LEAFSTORE_RETURN_IF_ERROR(FormatOfOutput(arguments.out, arguments.writing).status());
  OutputFiles files(arguments.writing.force);
  LEAFSTORE_RETURN_IF_ERROR(CheckOutputFree(arguments.out, arguments.writing, files));
  LEAFSTORE_ASSIGN_OR_RETURN(const SourcePtr source, Open(arguments.source));
  LEAFSTORE_ASSIGN_OR_RETURN(const auto items, ChooseItems(*source, arguments.choice));
  LEAFSTORE_RETURN_IF_ERROR(CheckMatchLeaves(items, match));
  LEAFSTORE_ASSIGN_OR_RETURN(Model model, LoadModel(*source, items, match));
  LEAFSTORE_ASSIGN_OR_RETURN(
      const std::vector<std::string> written,
      WriteModel(std::move(model), arguments.out, arguments.writing, &files));
  LEAFSTORE_RETURN_IF_ERROR(files.Commit());
  return PrintWritten(written, arguments.form);
}

}  // namespace

void AddConvertCommand(CLI::App* program, CommandRun* run) {
  auto arguments = std::make_shared<ConvertArguments>();
  CLI::App* command = program->add_subcommand(
      "convert", "Writes a file in another format: .leaf, .safetensors, .npz or .npy.");
  command->footer(absl::StrCat(kSourceHelp, "\n\n", kGlobHelp, "\n\n", kConvertFooter));
  command->add_option("IN", arguments->source.name, "what to read")->required()->type_name("");
  command->add_option("OUT", arguments->out, "the file to write")->required()->type_name("");
  AddStep(command, &arguments->source);
  AddItem(command, &arguments->choice);
  AddMatch(command, &arguments->choice);
  AddWriting(command, &arguments->writing);
  AddReading(command, &arguments->source);
  AddForm(command, &arguments->form);
  command->callback([=] { run->function = [arguments] { return Convert(*arguments); }; });
}

}  // namespace leafstore::tools
