#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"

#include "leafstore/tools/commands/commands.h"
#include "leafstore/tools/commands/load_model.h"

namespace leafstore::tools {
namespace {

constexpr char kConvertHelp[] =
    R"(A .leaf file has any number of items, other formats have one. Converted to .leaf, it becomes the item
`params`; converted from .leaf, --item chooses it. Leaves that a format cannot hold are an error:
static leaves in .npz (--drop-static omits them). safetensors keeps structure, static leaves and ties
in its metadata, where the names alone do not restore them. A safetensors file in canonical form, as
the reference implementation writes it, converts to a .leaf file and back to the same bytes.

--dtype converts only floating leaves, rounds to nearest, and prints how many elements overflowed,
became zero or subnormal, or were rounded.

OUT is written in full or not at all; OUT may be IN (with --force). If OUT is a directory, or ends
with a slash, the items are saved as a checkpoint in that directory. --step is then the step to
save, which must be above the newest step there; to read a certain step, name it as IN@STEP.

Examples:
  leafstore convert model.safetensors model.leaf
  leafstore convert model.leaf again.safetensors             the same bytes
  leafstore convert run params.safetensors --item params --shard-size 5G
  leafstore convert pretrained.safetensors run/ --step 0      the first step of a run
  leafstore convert run small.leaf --zstd --match 'layers.0'
  leafstore convert run biases.npz --item params --match '**.bias'
  leafstore convert model.safetensors small.safetensors --dtype '**.norm.**=f32' --dtype bf16
  leafstore convert vit.npz out/vit.safetensors --names slash --write-names split --mkdirs

Exit codes: 0 success; 1 a file cannot be read, or OUT cannot be written; 2 usage.)";

struct ConvertArguments : WriteInput {
  std::vector<std::string> dtypes;
};

// Reads the model, and converts its dtypes.
absl::StatusOr<Model> ReadModel(const ConvertArguments& arguments,
                                const std::vector<DTypeRule>& rules) {
  LEAFSTORE_ASSIGN_OR_RETURN(const Input input, OpenInput(arguments, {.match_leaves = true}));
  Globs converted;
  for (const DTypeRule& rule : rules) converted.push_back(rule.glob);
  LEAFSTORE_RETURN_IF_ERROR(CheckMatch(input.items, converted, "--dtype", /*leaves_only=*/true));
  LEAFSTORE_ASSIGN_OR_RETURN(
      Model model,
      LoadModel(*input.source, input.items, arguments.writing.skip_unreadable, input.match));
  for (ModelItem& item : model.items) {
    if (rules.empty()) break;
    LEAFSTORE_RETURN_IF_ERROR(ConvertDTypes(rules, &item.store, &model.conversions));
  }
  return model;
}

// Saves the model as a step of the directory of checkpoints OUT.
absl::Status ConvertToStep(const ConvertArguments& arguments, const std::vector<DTypeRule>& rules) {
  int64_t step = 0;
  if (!absl::SimpleAtoi(arguments.step, &step) || step < 0) {
    return UsageError(arguments.out, ": expected --step with the step to save in this directory, ",
                      "an integer of at least 0, found '", arguments.step,
                      "'; a step to read is named as DIRECTORY@STEP");
  }
  ModelWriter writer(arguments.Writing());
  LEAFSTORE_RETURN_IF_ERROR(writer.CheckFormat("step.leaf"));
  ConvertArguments input = arguments;
  input.step.clear();
  LEAFSTORE_ASSIGN_OR_RETURN(Model model, ReadModel(input, rules));
  std::string directory = arguments.out;
  while (directory.size() > 1 && directory.back() == '/') directory.pop_back();
  LEAFSTORE_RETURN_IF_ERROR(writer.WriteStep(std::move(model), directory, step));
  return writer.CommitAndPrint(arguments.form);
}

absl::Status Convert(const ConvertArguments& arguments) {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<DTypeRule> rules, ParseDTypeRules(arguments.dtypes));
  // An invalid glob matters more than an existing OUT.
  LEAFSTORE_RETURN_IF_ERROR(ParseMatch(arguments.match).status());
  std::error_code ignored;
  if (std::filesystem::is_directory(arguments.out, ignored) || absl::EndsWith(arguments.out, "/")) {
    return ConvertToStep(arguments, rules);
  }
  ModelWriter writer(arguments.Writing());
  LEAFSTORE_RETURN_IF_ERROR(writer.Check(arguments.out));
  LEAFSTORE_ASSIGN_OR_RETURN(Model model, ReadModel(arguments, rules));
  LEAFSTORE_RETURN_IF_ERROR(writer.Write(std::move(model), arguments.out));
  return writer.CommitAndPrint(arguments.form);
}

}  // namespace

void AddConvertCommand(CLI::App* program, CommandRun* run) {
  const auto [command, arguments] =
      AddCommand(program, run, "convert",
                 "Writes a file in another format: .leaf, .safetensors, .npz or .npy.",
                 kHelpFile | kHelpGlob, kConvertHelp, Convert);
  AddFile(command, "IN", &arguments->name, "the file to read");
  AddFile(command, "OUT", &arguments->out, "the file to write");
  AddInput(command, {kStep, kItem, kMatch}, arguments);
  AddValue(
      command, "--dtype", &arguments->dtypes, "DTYPE",
      "convert floating leaves to f64, f32, f16 or bf16; GLOB=DTYPE converts those that the glob "
      "matches; may be repeated, and the first that matches applies");
  AddWriting(command, &arguments->writing);
  AddInput(command, {kReading, kForm}, arguments);
}

}  // namespace leafstore::tools
