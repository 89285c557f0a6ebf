#include <algorithm>

#include "leafstore/select/rename_map.h"
#include "leafstore/tools/commands/commands.h"

namespace leafstore::tools {
namespace {

struct RenameArguments : WriteInput {
  std::vector<std::string> rules;
  bool all = false;
};

constexpr char kRenameHelp[] =
    R"(A RULE is PATTERN=TEMPLATE. The pattern is a glob that matches the full path of a leaf; the template
is dotted too, and repeats the pattern's wildcards, in order (layers.*.w=blocks.*.weight) or by index
('blk_*.attn.*=blocks.{1}.attention.{2}'). The first rule that matches a leaf renames it; other leaves
keep their names. Two leaves with one new name are an error, and so is a rule that matches no leaf.

Without --write nothing is written: the new names are printed.

Examples:
  leafstore rename model.safetensors 'encoder.**=body.**'
  leafstore rename model.safetensors 'encoder.**=body.**' --write renamed.safetensors
  leafstore rename run '**.gamma=**.scale' '**.beta=**.shift' --item params --json

The JSON is one object with the fields schema, file, format, ..., items; an item has name, renamed; a
leaf has from, to, rule.

Exit codes: 0 success; 1 a file cannot be read or written; 2 usage (an invalid rule, one that matches
nothing, or two leaves with one new name).)";

absl::StatusOr<RenameMap> ParseRules(const std::vector<std::string>& texts) {
  std::vector<RenameRule> rules;
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos) {
      return UsageError("'", text, "': expected PATTERN=TEMPLATE, found no '='");
    }
    rules.push_back({text.substr(0, equals), text.substr(equals + 1)});
  }
  absl::StatusOr<RenameMap> map = RenameMap::Create(rules);
  if (!map.ok()) return UsageErrors(map.status().message());
  return map;
}

struct RenamedItem {
  const SourceItem* item = nullptr;
  std::vector<RenamedPath> paths;  // by place
};

absl::StatusOr<std::vector<RenamedItem>> RenameItems(const SourceItems& items,
                                                     const RenameMap& map) {
  std::vector<RenamedItem> renamed;
  std::vector<bool> used(map.rules().size());
  for (const SourceItem* item : items) {
    absl::StatusOr<std::vector<RenamedPath>> paths =
        map.Apply(LeafSpecs(item->layout, item->slots), /*allow_unused_rules=*/true);
    if (!paths.ok()) return UsageErrors(paths.status().message());
    for (const RenamedPath& path : *paths) {
      if (path.rule) used[*path.rule] = true;
    }
    renamed.push_back({item, *std::move(paths)});
  }
  const auto unused = std::find(used.begin(), used.end(), false);
  if (unused == used.end()) return renamed;
  // Without allow_unused_rules the error has suggestions, or names the rule that renamed its leaves.
  for (const SourceItem* item : items) {
    const auto paths = map.Apply(LeafSpecs(item->layout, item->slots));
    if (!paths.ok()) return UsageErrors(paths.status().message());
  }
  const auto rule = static_cast<size_t>(unused - used.begin());
  return UsageError("rule '", map.rules()[rule].pattern, "' matches no leaf");
}

std::vector<const RenamedPath*> ToShow(const RenamedItem& one, bool all) {
  std::vector<const RenamedPath*> shown;
  for (const RenamedPath& path : one.paths) {
    if (all || path.from != path.to) shown.push_back(&path);
  }
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

// Writes the renamed leaves, which are not yet in place.
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
  LEAFSTORE_ASSIGN_OR_RETURN(const RenameMap map, ParseRules(arguments.rules));
  if (!arguments.out.empty()) {
    LEAFSTORE_RETURN_IF_ERROR(ModelWriter(arguments.writing).CheckFormat(arguments.out));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(const Input input, OpenInput(arguments));
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<RenamedItem> renamed, RenameItems(input.items, map));
  ModelWriter writer(arguments.writing);
  if (!arguments.out.empty()) {
    LEAFSTORE_RETURN_IF_ERROR(WriteRenamed(input, renamed, arguments, &writer));
  }
  const auto print_text = [&](Output* out) {
    for (const RenamedItem& one : renamed) PrintItem(one, arguments.all, out);
    if (arguments.out.empty()) out->Write("nothing is written; --write OUT writes it\n");
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
  LEAFSTORE_RETURN_IF_ERROR(
      PrintAnswer(arguments.form, SourceHead(*input.source), renamed, print_text, print_item));
  return writer.Commit();
}

}  // namespace

void AddRenameCommand(CLI::App* program, CommandRun* run) {
  const auto [command, arguments] =
      AddCommand(program, run, "rename",
                 "Renames leaves by patterns; without --write only prints the new names.",
                 kHelpFile, kRenameHelp, Rename);
  AddFile(command, "FILE", &arguments->name, "the file to read");
  AddFile(command, "RULE", &arguments->rules, "PATTERN=TEMPLATE; may be repeated");
  AddInput(command, {kStep, kItem}, arguments);
  CLI::Option* const write = AddValue(command, "--write,--output,-o", &arguments->out, "OUT",
                                      "write the renamed leaves to this file");
  command->add_flag("--all", arguments->all, "also print the leaves that keep their names");
  const size_t others = command->get_options().size();
  AddWriting(command, &arguments->writing);
  const std::vector<CLI::Option*> options = command->get_options();
  for (size_t i = others; i < options.size(); ++i) options[i]->needs(write);
  AddInput(command, {kReading, kForm}, arguments);
}

}  // namespace leafstore::tools
