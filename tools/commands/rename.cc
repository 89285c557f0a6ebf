#include <algorithm>

#include "leafstore/tools/commands/commands.h"
#include "leafstore/tools/commands/load_model.h"
#include "leafstore/tools/commands/rename_rules.h"

namespace leafstore::tools {
namespace {

struct RenameArguments : WriteInput {
  std::vector<std::string> rules;
  std::vector<std::string> rule_files;
  bool all = false;
};

constexpr char kRenameHelp[] =
    R"(A RULE is PATTERN=TEMPLATE. The pattern is a glob that matches the full path of a leaf; the template
is dotted too, and repeats the pattern's wildcards, in order (layers.*.w=blocks.*.weight) or by index
('blk_*.attn.*=blocks.{1}.attention.{2}'). The first rule that matches a leaf renames it; other leaves
keep their names. Two leaves with the same new name are an error; so is a rule that matches no leaf.
The pattern ends at the first = without a backslash before it; a backslash makes any character
literal ('a\=b.c=d.c'), and '' is an empty key. A file of rules has one rule per line; empty lines
and lines that begin with # are ignored.

Without --write nothing is written: the new names are printed.

Examples:
  leafstore rename model.safetensors 'encoder.**=body.**'
  leafstore rename model.safetensors 'encoder.**=body.**' --write renamed.safetensors
  leafstore rename run '**.gamma=**.scale' '**.beta=**.shift' --item params --json
  leafstore rename model.safetensors --rules names.txt --write renamed.safetensors

The JSON is one object with the fields schema, file, format, ..., items; an item has name, renamed; a
leaf has from, to, rule.

Exit codes: 0 success; 1 a file cannot be read or written; 2 usage (an invalid rule, one that matches
nothing, or two leaves with the same new name).)";

struct RenamedItem {
  const SourceItem* item = nullptr;
  std::vector<RenamedPath> paths;  // by place
  std::vector<uint32_t> ranks;     // of the rows, by place
};

std::vector<const RenamedPath*> ToShow(const RenamedItem& one, bool all) {
  std::vector<const RenamedPath*> shown;
  for (const RenamedPath& path : one.paths) {
    if (all || path.from != path.to) shown.push_back(&path);
  }
  const auto rank = [&one](const RenamedPath* path) { return one.ranks[path - one.paths.data()]; };
  std::sort(shown.begin(), shown.end(),
            [&](const auto* a, const auto* b) { return rank(a) < rank(b); });
  return shown;
}

void PrintItem(const RenamedItem& one, bool all, Output* out) {
  const std::vector<const RenamedPath*> shown = ToShow(one, all);
  if (shown.empty()) return;
  out->Write(out->Styled(Style::kBold, Printable(one.item->name)), ": ",
             WithCommas(static_cast<int64_t>(ToShow(one, false).size())), " of ",
             CountOf(one.item->size(), "leaf", "leaves"), " renamed\n");
  Table table;
  table.Add("FROM", Fit::kCutMiddle,
            [&](size_t row) { return Cell{PrintableCanonical(shown[row]->from)}; });
  table.Add("", Fit::kLeft, [](size_t) { return Cell{"->", Style::kDim}; });
  table.Add("TO", Fit::kCutMiddle,
            [&](size_t row) { return Cell{PrintableCanonical(shown[row]->to)}; });
  table.Print(shown.size(), out);
}

// Returns whether the structure holds more information than the names of leaves.
bool HasMoreThanNames(const Layout& layout) {
  const absl::StatusOr<TreeDef> def = layout.def();
  if (!layout.has_def() || !def.ok()) return false;
  if (def->has_aliases() || def->has_tags()) return true;
  for (NodeId node = 0; node < def->node_count(); ++node) {
    const NodeKind kind = def->kind(node);
    if (kind == NodeKind::kNone || kind == NodeKind::kTuple || kind == NodeKind::kCustom ||
        !def->type_name(node).empty() || (IsContainer(kind) && def->child_count(node) == 0)) {
      return true;
    }
  }
  return false;
}

// Renames the leaves of an item. Sets `*lost` if the old structure held more information than the
// new names.
absl::Status RenameModelItem(const RenamedItem& one, ModelItem* item, bool* lost) {
  std::vector<std::pair<Path, Leaf>> entries;
  bool same = true;
  for (uint32_t place = 0; place < item->store.size(); ++place) {
    same = same && one.paths[place].from == one.paths[place].to;
    LEAFSTORE_ASSIGN_OR_RETURN(Path path, Path::Parse(one.paths[place].to));
    entries.emplace_back(std::move(path), item->store.leaf(place));
  }
  if (same) return absl::OkStatus();
  *lost = *lost || HasMoreThanNames(item->store.layout());
  LEAFSTORE_ASSIGN_OR_RETURN(ParamStore store, ParamStore::FromEntries(std::move(entries)));
  if (item->options.grouping) {
    const Grouping& grouping = *item->options.grouping;
    std::vector<uint32_t> groups(store.layout().size(), kNoGroup);
    for (uint32_t place = 0; place < item->store.size(); ++place) {
      groups[store.layout().SlotOf(one.paths[place].to)] =
          grouping.GroupOf(item->store.slot(place));
    }
    LEAFSTORE_ASSIGN_OR_RETURN(item->options.grouping,
                               Grouping::Create(store.layout(), std::move(groups),
                                                std::vector<std::string>(grouping.names().begin(),
                                                                         grouping.names().end())));
  }
  item->store = std::move(store);
  return absl::OkStatus();
}

// Writes the renamed leaves to a temporary file.
absl::Status WriteRenamed(const Input& input, const std::vector<RenamedItem>& renamed,
                          const RenameArguments& arguments, ModelWriter* writer) {
  LEAFSTORE_RETURN_IF_ERROR(writer->Check(arguments.out));
  LEAFSTORE_ASSIGN_OR_RETURN(
      Model model, LoadModel(*input.source, input.items, arguments.writing.skip_unreadable));
  bool lost = false;
  for (size_t i = 0; i < renamed.size(); ++i) {
    LEAFSTORE_RETURN_IF_ERROR(
        FileError(input.source->file, RenameModelItem(renamed[i], &model.items[i], &lost)));
  }
  LEAFSTORE_RETURN_IF_ERROR(writer->Write(std::move(model), arguments.out));
  LEAFSTORE_RETURN_IF_ERROR(writer->CheckCommit());
  if (lost) {
    Note(arguments.out,
         ": the structure is made from the new names: it lacks the type names, tags, ties and "
         "empty containers of the old one");
  }
  return absl::OkStatus();
}

absl::Status Rename(const RenameArguments& arguments) {
  if (arguments.rules.empty() && arguments.rule_files.empty()) {
    return UsageError("expected a RULE, or --rules FILE, found neither");
  }
  LEAFSTORE_ASSIGN_OR_RETURN(const RenameMap map,
                             ParseRules(arguments.rules, arguments.rule_files));
  if (!arguments.out.empty()) {
    LEAFSTORE_RETURN_IF_ERROR(ModelWriter(arguments.writing).CheckFormat(arguments.out));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(const Input input, OpenInput(arguments));
  LEAFSTORE_ASSIGN_OR_RETURN(auto new_paths, RenameItems(input.items, map));
  std::vector<RenamedItem> renamed;
  for (size_t i = 0; i < new_paths.size(); ++i) {
    const SourceItem* const item = input.items[i];
    renamed.push_back({item, std::move(new_paths[i]), RanksOfPlaces(*item, arguments.order)});
  }
  ModelWriter writer(arguments.Writing());
  if (!arguments.out.empty()) {
    LEAFSTORE_RETURN_IF_ERROR(WriteRenamed(input, renamed, arguments, &writer));
  }
  const auto print_text = [&](Output* out) {
    for (const RenamedItem& one : renamed) PrintItem(one, arguments.all, out);
    if (arguments.out.empty()) out->Write("nothing is written; --write OUT writes it\n");
    writer.PrintRemoved(out);
  };
  const auto print_item = [&](const RenamedItem& one, JsonList* list) {
    JsonList paths({{"name", one.item->name}}, "renamed", list);
    for (const RenamedPath* path : ToShow(one, arguments.all)) {
      paths.Add({{"from", path->from},
                 {"to", path->to},
                 {"rule", path->rule ? Json(map.rules()[*path->rule].pattern) : Json(nullptr)}});
    }
    return absl::OkStatus();
  };
  Json head = SourceHead(*input.source);
  if (!arguments.out.empty()) head["removed"] = writer.Removed();
  LEAFSTORE_RETURN_IF_ERROR(
      PrintAnswer(arguments.form, std::move(head), renamed, print_text, print_item));
  return writer.Commit();
}

}  // namespace

void AddRenameCommand(CLI::App* program, CommandRun* run) {
  const auto [command, arguments] =
      AddCommand(program, run, "rename",
                 "Renames leaves by patterns; without --write only prints the new names.",
                 kHelpFile, kRenameHelp, Rename);
  AddFile(command, "FILE", &arguments->name, "the file to read");
  AddFile(command, "RULE", &arguments->rules, "PATTERN=TEMPLATE; may be repeated")->required(false);
  AddValue(command, "--rules", &arguments->rule_files, "FILE",
           "also the rules of this file, one per line; may be repeated");
  AddInput(command, {kStep, kItem}, arguments);
  CLI::Option* const write = AddValue(command, "--write,--output,-o", &arguments->out, "OUT",
                                      "write the renamed leaves to this file");
  command->add_flag("--all", arguments->all, "also print the leaves that keep their names");
  const size_t others = command->get_options().size();
  AddWriting(command, &arguments->writing);
  const std::vector<CLI::Option*> options = command->get_options();
  for (size_t i = others; i < options.size(); ++i) options[i]->needs(write);
  AddInput(command, {kOrder, kReading, kForm}, arguments);
}

}  // namespace leafstore::tools
