#include <algorithm>
#include <limits>

#include "leafstore/core/dtype.h"
#include "leafstore/tools/commands/choose_leaves.h"
#include "leafstore/tools/commands/commands.h"
#include "leafstore/tools/commands/load_model.h"
#include "leafstore/tools/present/array_text.h"

namespace leafstore::tools {
namespace {

struct CatOptions : WriteInput {
  std::vector<std::string> paths;
  std::string slice;
  bool all = false;
};

constexpr char kCatHelp[] =
    R"(A PATH is canonical (.layers[0].weight), dotted (layers.0.weight) or a glob ('layers.*.bias'); a
container selects the leaves below it. A slice may follow, as in Python:
'layers.0.weight[0:3, ::2]'. Several leaves are each preceded by a line `# item: path dtype[shape]`.

Examples:
  leafstore cat run/step-100.leaf heads                      the value of a static leaf
  leafstore cat model.safetensors 'encoder.*.bias'
  leafstore cat run 'layers.0.weight[0:3, ::2]' --all
  leafstore cat run embed.weight --npy embed.npy             for numpy.load
  leafstore cat embed.npy                                    a file that numpy.save wrote
  leafstore cat run head.bias --json | jq '.leaves[0].values'

The JSON is one object with the fields schema, file, format, ..., leaves; a leaf has item, path,
dotted, kind, dtype, shape, values (nested lists; null for NaN and infinities, [real, imaginary] for
c64).

Exit codes: 0 success; 1 the file cannot be read, or the output cannot be written; 2 usage (an
unknown path, a slice outside of the shape).)";

// A chosen leaf, loaded.
struct ReadLeaf {
  ChosenLeaf chosen;
  Leaf leaf;
  TensorView view;  // of a tensor
};

absl::StatusOr<std::vector<ChosenLeaf>> Choose(const Input& input, const CatOptions& options) {
  const absl::string_view no_slice =
      options.slice.empty() ? "" : "expected one slice, found --slice as well";
  LEAFSTORE_ASSIGN_OR_RETURN(auto leaves, ChooseLeaves(input, options.paths, no_slice));
  if (options.slice.empty()) return leaves;
  absl::StatusOr<Slice> slice = Slice::Parse(options.slice);
  if (!slice.ok()) {
    return UsageError("--slice '", options.slice, "': ", slice.status().message());
  }
  const auto shared = std::make_shared<const Slice>(*std::move(slice));
  for (ChosenLeaf& leaf : leaves) leaf.slice = shared;
  return leaves;
}

// Checks all slices before any leaf is read or printed. error: a UsageError: a slice of a static
// leaf, or outside of the shape.
absl::Status CheckSlices(const Source& source, const std::vector<ChosenLeaf>& leaves) {
  for (const ChosenLeaf& leaf : leaves) {
    if (!leaf.slice) continue;
    const EntryInfo entry = leaf.item->entry(leaf.place);
    std::string why = " is a static leaf: it has no slices";
    if (entry.value == nullptr) {
      const absl::Status fits = leaf.slice->Check(entry.spec.shape());
      if (fits.ok()) continue;
      why = absl::StrCat(": ", fits.message());
    }
    const bool several = source.items.size() > 1;
    const bool elsewhere =
        std::any_of(leaves.begin(), leaves.end(),
                    [&leaf](const ChosenLeaf& other) { return other.item != leaf.item; });
    return UsageError("'", PrintableName(leaf), "'",
                      several ? absl::StrCat(" of item '", leaf.item->name, "'") : "", why,
                      elsewhere ? "; --item chooses one of the items that have such a leaf" : "");
  }
  return absl::OkStatus();
}

// Reads only the rows that a slice needs.
absl::StatusOr<ReadLeaf> ReadRows(const ChosenLeaf& chosen, const EntryInfo& entry) {
  const SourceItem& item = *chosen.item;
  const ShapeRef shape = entry.spec.shape();
  LEAFSTORE_ASSIGN_OR_RETURN(const RowRange rows, chosen.slice->RowsOf(shape));
  LEAFSTORE_ASSIGN_OR_RETURN(const Tensor tensor,
                             FileError(item.file, item.load_rows(chosen.place, rows)));
  ReadLeaf read{chosen, Leaf(tensor), {}};
  LEAFSTORE_ASSIGN_OR_RETURN(read.view, chosen.slice->ApplyToRows(tensor, shape, rows.begin));
  return read;
}

absl::StatusOr<ReadLeaf> Read(const ChosenLeaf& chosen) {
  const SourceItem& item = *chosen.item;
  const EntryInfo entry = item.entry(chosen.place);
  if (chosen.slice && item.load_rows && entry.value == nullptr && !entry.spec.shape().empty() &&
      DTypeBits(entry.spec.dtype()) % 8 == 0) {
    return ReadRows(chosen, entry);
  }
  LEAFSTORE_ASSIGN_OR_RETURN(const ParamStore loaded,
                             FileError(item.file, item.load(std::vector{chosen.place})));
  ReadLeaf read{chosen, loaded.leaf(0), {}};
  if (read.leaf.is_value()) return read;
  read.view = TensorView::Of(read.leaf.tensor());
  if (!chosen.slice) return read;
  LEAFSTORE_ASSIGN_OR_RETURN(read.view, chosen.slice->Apply(read.leaf.tensor()));
  return read;
}

void PrintLeaf(const ReadLeaf& read, bool with_name, const CatOptions& options, Output* out) {
  if (with_name) {
    const std::string what =
        read.leaf.is_value()
            ? std::string(ValueKindName(read.leaf.value().kind()))
            : absl::StrCat(DTypeName(read.view.tensor.dtype()), ShapeToString(read.view.shape));
    const std::string line = absl::StrCat("# ", Printable(read.chosen.item->name), ": ",
                                          PrintableName(read.chosen), " ", what);
    out->Write(out->Styled(Style::kDim, line), "\n");
  }
  if (read.leaf.is_value()) return out->Write(Printable(read.leaf.value().ToString()), "\n");
  ArrayTextOptions text;
  if (options.all) {
    text.threshold = std::numeric_limits<int64_t>::max();
    text.digits = std::numeric_limits<int>::max();
  }
  if (out->width() > text.width) text.width = out->width();
  PrintArray(read.view, text, out);
}

void PrintLeafAsJson(const ReadLeaf& read, Output* out) {
  const SourceItem& item = *read.chosen.item;
  Json json = {{"item", item.name},
               {"path", item.PathText(read.chosen.place)},
               {"dotted", item.layout.Dotted(read.chosen.slot())}};
  if (read.leaf.is_value()) {
    json["kind"] = "static";
    json["value_kind"] = ValueKindName(read.leaf.value().kind());
    json["value"] = ToJson(read.leaf.value());
    return out->Write(JsonText(json));
  }
  json["kind"] = "tensor";
  json["dtype"] = DTypeName(read.view.tensor.dtype());
  json["shape"] = ShapeToJson(read.view.shape);
  std::string text = JsonText(json);
  text.pop_back();
  out->Write(text, ",\"values\":");
  PrintArrayAsJson(read.view, out);
  out->Write("}");
}

absl::Status WriteNpy(const Source& source, const std::vector<ChosenLeaf>& leaves,
                      const CatOptions& options) {
  if (leaves.size() != 1) {
    return UsageError("--npy: expected one leaf, found ", leaves.size(),
                      "; --item and PATH choose one; `convert` writes several to a .npz");
  }
  ModelWriter writer(options.writing);
  LEAFSTORE_RETURN_IF_ERROR(writer.Check(options.out));
  LEAFSTORE_ASSIGN_OR_RETURN(const ReadLeaf read, Read(leaves[0]));
  if (read.leaf.is_value()) {
    return UsageError("--npy: expected a tensor, found '", PrintableName(leaves[0]),
                      "', a static leaf");
  }
  if (!source.verifies) {
    LEAFSTORE_RETURN_IF_ERROR(NoteDamage(source, {{leaves[0].item, {leaves[0].place}}}));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(Tensor tensor, FileError(options.out, read.view.ToTensor()));
  Model model;
  LEAFSTORE_ASSIGN_OR_RETURN(ParamStore store, ParamStore::FromEntries({{Path(), tensor}}));
  model.items.push_back({"", std::move(store), {}});
  LEAFSTORE_RETURN_IF_ERROR(writer.Write(std::move(model), options.out));
  return options.form.json ? writer.CommitAndPrint(options.form) : writer.Commit();
}

absl::Status Cat(const CatOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const Input input, OpenInput(options, {.match_leaves = true}));
  const Source& source = *input.source;
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<ChosenLeaf> leaves, Choose(input, options));
  LEAFSTORE_RETURN_IF_ERROR(CheckSlices(source, leaves));
  if (!options.out.empty()) return WriteNpy(source, leaves, options);
  if (options.form.json) LEAFSTORE_RETURN_IF_ERROR(CheckPathText(leaves));
  Output out(stdout, options.form.color);
  std::optional<JsonList> list;
  if (options.form.json) list.emplace(SourceHead(source), "leaves", &out);
  for (const ChosenLeaf& chosen : leaves) {
    if (!out.ok()) break;
    LEAFSTORE_ASSIGN_OR_RETURN(const ReadLeaf read, Read(chosen));
    if (list) {
      list->Next();
      PrintLeafAsJson(read, &out);
    } else {
      if (&chosen != leaves.data()) out.Write("\n");
      PrintLeaf(read, leaves.size() > 1, options, &out);
    }
  }
  list.reset();
  return out.Finish();
}

}  // namespace

void AddCatCommand(CLI::App* program, CommandRun* run) {
  const auto [command, options] =
      AddCommand(program, run, "cat", "Prints the values of leaves.", kHelpFile, kCatHelp, Cat);
  options->writing.to = SourceFormat::kNpy;
  AddFile(command, "FILE", &options->name, "the file to read");
  command->add_option("PATH", options->paths, "the leaves; default: all")->type_name("");
  AddInput(command, {kStep, kItem, kMatch}, options);
  AddValue(command, "--slice", &options->slice, "SLICE",
           "only this part of each leaf: '0:3, ::2', as in Python");
  command->add_flag("--all", options->all, "print every element, with all digits");
  CLI::Option* const npy =
      AddValue(command, "--npy", &options->out, "OUT", "write the leaf to a .npy file instead");
  command
      ->add_flag("--raw-bits", options->writing.raw_bits,
                 "with --npy: dtypes that NumPy lacks (bf16, ...) as unsigned integers")
      ->needs(npy);
  command->add_flag("--force", options->writing.force, "with --npy: replace OUT if it exists")
      ->needs(npy);
  command->add_flag("--mkdirs", options->writing.mkdirs, "with --npy: create the directory of OUT")
      ->needs(npy);
  AddInput(command, {kOrder, kReading, kForm}, options);
}

}  // namespace leafstore::tools
