#include "leafstore/tools/commands/rename.h"

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/select/rename_map.h"
#include "leafstore/tools/commands/options.h"
#include "leafstore/tools/files/output_files.h"
#include "leafstore/tools/present/json.h"
#include "leafstore/tools/present/output.h"
#include "leafstore/tools/present/table.h"
#include "leafstore/tools/present/text.h"
#include "leafstore/tools/source/model.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {
namespace {

struct RenameArguments {
  SourceArguments source;
  std::vector<std::string> rules;
  ChoiceArguments choice;
  std::string write;
  bool all = false;
  WriteArguments writing;
  FormArguments form;
};

constexpr char kRenameFooter[] =
    R"(A RULE is PATTERN=TEMPLATE. The pattern is a glob of whole paths of leaves; the template is dotted
too, and has the pattern's wildcards again, in their order (layers.*.w=blocks.*.weight) or by number
('blk_*.attn.*=blocks.{1}.attention.{2}'). The first rule that matches a leaf renames it; the others
keep their names. Two leaves that would get one name are an error, as is a rule that takes no leaf.

Without --write nothing is written: what would be renamed is shown.

Examples:
  leafstore rename model.safetensors 'encoder.**=body.**'
  leafstore rename model.safetensors 'encoder.**=body.**' --write renamed.safetensors
  leafstore rename run '**.gamma=**.scale' '**.beta=**.shift' --item params --json

JSON has one object with the fields schema, file, format, ..., items; of an item: name, renamed; of a
leaf: from, to, rule.

Exit codes: 0 all is well; 1 something is wrong with a file; 2 usage (a rule that cannot be read, that
takes nothing, or that gives two leaves one name).)";

absl::StatusOr<RenameMap> ParseRules(const std::vector<std::string>& texts) {
  std::vector<RenameRule> rules;
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos) {
      return UsageError(absl::StrCat("'", text, "': expected PATTERN=TEMPLATE, found no '='"));
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

absl::StatusOr<std::vector<RenamedItem>> RenameItems(const std::vector<const SourceItem*>& items,
                                                     const RenameMap& map) {
  std::vector<RenamedItem> renamed;
  std::vector<bool> used(map.rules().size());
  for (const SourceItem* item : items) {
    absl::StatusOr<std::vector<RenamedPath>> paths =
        map.Apply(item->layout(), item->slots(), {.allow_unused_rules = true});
    if (!paths.ok()) return UsageErrors(paths.status().message());
    for (const RenamedPath& path : *paths) {
      if (path.rule) used[*path.rule] = true;
    }
    renamed.push_back({item, *std::move(paths)});
  }
  for (size_t rule = 0; rule < used.size(); ++rule) {
    if (used[rule]) continue;
    // Said by whoever knows what is near, or what took its leaves.
    for (const SourceItem* item : items) {
      const auto paths = map.Apply(item->layout(), item->slots());
      if (!paths.ok()) return UsageErrors(paths.status().message());
    }
    return UsageError(absl::StrCat("rule '", map.rules()[rule].pattern, "' takes no leaf"));
  }
  return renamed;
}

// Those that are shown.
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
  out->Write(absl::StrCat(out->Styled(Style::kBold, Printable(one.item->name())), ": ",
                          WithCommas(static_cast<int64_t>(ToShow(one, false).size())), " of ",
                          CountOf(one.item->size(), "leaf", "leaves"), " renamed\n"));
  Table({{"FROM", Align::kLeft, Shrink::kMiddle}, {""}, {"TO", Align::kLeft, Shrink::kMiddle}})
      .Print(
          shown.size(),
          [&shown](size_t row, std::vector<Cell>* cells) {
            (*cells)[0].text = PrintableCanonical(shown[row]->from);
            (*cells)[1] = {"->", Style::kDim};
            (*cells)[2].text = PrintableCanonical(shown[row]->to);
          },
          out);
}

void PrintAsJson(const Source& source, const RenameMap& map, const std::vector<RenamedItem>& items,
                 bool all, Output* out) {
  JsonList list(SourceHead(source), "items", out);
  for (const RenamedItem& one : items) {
    list.Next();
    JsonList paths({{"name", one.item->name()}}, "renamed", out);
    for (const RenamedPath* path : ToShow(one, all)) {
      paths.Add({{"from", path->from},
                 {"to", path->to},
                 {"rule", path->rule ? Json(map.rules()[*path->rule].pattern) : Json(nullptr)}});
    }
    paths.Close();
  }
  list.Close();
  out->Write("\n");
}

// What the names of leaves alone do not say.
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

// The item under its new paths. Where these say less than its structure did, `*lost`.
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
  if (item->options.labels) {
    const Labels& labels = *item->options.labels;
    std::vector<uint32_t> groups(store.layout().size(), kNoGroup);
    for (uint32_t place = 0; place < item->store.size(); ++place) {
      groups[store.layout().SlotOf(one.paths[place].to)] = labels.GroupOf(item->store.slot(place));
    }
    LEAFSTORE_ASSIGN_OR_RETURN(
        item->options.labels,
        Labels::Create(store.layout(), groups,
                       std::vector<std::string>(labels.names().begin(), labels.names().end())));
  }
  item->store = std::move(store);
  return absl::OkStatus();
}

absl::Status WriteRenamed(const Source& source, const std::vector<const SourceItem*>& items,
                          const std::vector<RenamedItem>& renamed,
                          const RenameArguments& arguments) {
  OutputFiles files(arguments.writing.force);
  LEAFSTORE_RETURN_IF_ERROR(CheckOutputFree(arguments.write, arguments.writing, files));
  LEAFSTORE_ASSIGN_OR_RETURN(Model model, LoadModel(source, items));
  bool lost = false;
  for (size_t i = 0; i < renamed.size(); ++i) {
    LEAFSTORE_RETURN_IF_ERROR(
        FileError(source.file(), RenameModelItem(renamed[i], &model.items[i], &lost)));
  }
  LEAFSTORE_RETURN_IF_ERROR(
      WriteModel(std::move(model), arguments.write, arguments.writing, &files).status());
  LEAFSTORE_RETURN_IF_ERROR(files.Commit());
  if (lost) {
    Note(absl::StrCat(arguments.write,
                      ": the structure is made of the new names: type names, tags, ties and empty "
                      "containers of the old one are not in it"));
  }
  return absl::OkStatus();
}

absl::Status Rename(const RenameArguments& arguments) {
  LEAFSTORE_ASSIGN_OR_RETURN(const RenameMap map, ParseRules(arguments.rules));
  if (!arguments.write.empty()) {
    LEAFSTORE_RETURN_IF_ERROR(FormatOfOutput(arguments.write, arguments.writing).status());
  }
  LEAFSTORE_ASSIGN_OR_RETURN(const SourcePtr source, Open(arguments.source));
  LEAFSTORE_ASSIGN_OR_RETURN(const auto items, ChooseItems(*source, arguments.choice));
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<RenamedItem> renamed, RenameItems(items, map));
  if (!arguments.write.empty()) {
    LEAFSTORE_RETURN_IF_ERROR(WriteRenamed(*source, items, renamed, arguments));
  }
  Output out(stdout, arguments.form.color);
  if (arguments.form.json) {
    PrintAsJson(*source, map, renamed, arguments.all, &out);
  } else {
    for (const RenamedItem& one : renamed) PrintItem(one, arguments.all, &out);
    if (arguments.write.empty()) {
      out.Write("nothing is written; --write OUT does it\n");
    }
  }
  return out.Finish();
}

}  // namespace

void AddRenameCommand(CLI::App* program, CommandRun* run) {
  auto arguments = std::make_shared<RenameArguments>();
  CLI::App* command = program->add_subcommand(
      "rename", "Gives leaves new paths by patterns; without --write only shows them.");
  command->footer(absl::StrCat(kSourceHelp, "\n\n", kRenameFooter));
  command->add_option("FILE", arguments->source.name, "what to read")->required()->type_name("");
  command->add_option("RULE", arguments->rules, "PATTERN=TEMPLATE; several may be given")
      ->required()
      ->type_name("");
  AddStep(command, &arguments->source);
  AddItem(command, &arguments->choice);
  CLI::Option* const write = command
                                 ->add_option("--write,--output,-o", arguments->write,
                                              "write the renamed leaves into this file")
                                 ->type_name("OUT");
  command->add_flag("--all", arguments->all, "show the leaves that keep their names, too");
  for (CLI::Option* option : AddWriting(command, &arguments->writing)) option->needs(write);
  AddReading(command, &arguments->source);
  AddForm(command, &arguments->form);
  command->callback([=] { run->function = [arguments] { return Rename(*arguments); }; });
}

}  // namespace leafstore::tools
