#include <algorithm>

#include "leafstore/tools/commands/commands.h"
#include "leafstore/tools/commands/item_diff.h"
#include "leafstore/tools/commands/rename_rules.h"
#include "leafstore/tools/files/output_files.h"

namespace leafstore::tools {
namespace {

struct DiffArguments : InputOptions {
  std::string second;
  std::vector<std::string> ignore;
  std::vector<std::string> rules;
  std::vector<std::string> rule_files;
  ItemDiffOptions compare;  // without the globs
  bool brief = false;
};

constexpr char kDiffHelp[] =
    R"(Items are compared by name (or regardless of it, if both files have one item), leaves by path, or by
dotted name if the files have no path in common. Two numbers differ when |a - b| > atol + rtol *
|b|; NaN equals NaN, unless --nan-differs, and an infinity equals itself. Structure (kinds, type names,
tags) is compared where both files have a structure and neither --match nor --ignore is given; a note
says where only one file has one. Ties are always compared, except with --no-structure. With
--rename, A is compared as if it had been renamed, and structure and ties are not compared. With
--rtol or --atol, elements of different dtypes are compared as f64; if they are equal, a note names
the dtypes, and the leaf counts as equal.

Lines begin with ~ (differs), - (only in A), + (only in B) or ! (structure).

Examples:
  leafstore diff run@1000 run@2000 --item params
  leafstore diff model.leaf model.safetensors               prints nothing if they are equal
  leafstore diff before.leaf after.leaf --rtol 1e-5 --atol 1e-8 --ignore '**.running_*'
  leafstore diff a.safetensors b.safetensors --rename 'model.**=**'     names with a prefix
  leafstore diff f32.safetensors bf16.safetensors --rtol 0.01           different dtypes
  leafstore diff a.leaf b.leaf --json | jq '.items[].leaves[] | select(.max_abs > 0.1) | .dotted'

An unreadable leaf cannot be compared: the exit code is 2, unless --ignore leaves it out.

The JSON is one object with the fields schema, a, b, same, only_in_a, only_in_b (items),
unreadable_of_a, unreadable_of_b (leaves), notes_of_a, notes_of_b, items; an item has name, same,
same_leaves, only_in_a, only_in_b, structure, structure_compared, other_dtypes, leaves; a leaf has
path, dotted, what (kind, dtype, shape, numbers, value), a, b, and for numbers: differing, count,
first, max_abs, max_rel (null: infinite, or only NaN differ).

Exit codes, as for diff(1): 0 equal; 1 different; 2 trouble (a file, an option, the output).)";

struct SourceDiff {
  std::vector<UnreadableLeaf> unreadable_of_a;  // that should be compared
  std::vector<UnreadableLeaf> unreadable_of_b;
  std::vector<std::string> only_in_a;  // items
  std::vector<std::string> only_in_b;
  std::vector<ItemDiff> items;

  bool is_complete() const { return unreadable_of_a.empty() && unreadable_of_b.empty(); }
  // Returns whether everything that was compared is equal.
  bool same() const {
    return only_in_a.empty() && only_in_b.empty() &&
           std::all_of(items.begin(), items.end(), [](const ItemDiff& one) { return one.same(); });
  }
};

// Returns the globs that match no unreadable leaf.
Globs ReadableGlobs(const SourceItems& items, const Globs& globs) {
  Globs readable;
  for (const internal::GlobPattern& glob : globs) {
    bool matches = false;
    for (const SourceItem* item : items) {
      for (const UnreadableLeaf& one : item->unreadable) {
        matches = matches || MatchesName({glob}, one.name);
      }
    }
    if (!matches) readable.push_back(glob);
  }
  return readable;
}

// Returns the leaves that should be compared but are unreadable.
absl::StatusOr<std::vector<UnreadableLeaf>> NotCompared(const Source& source,
                                                        const InputOptions& choice,
                                                        const ItemDiffOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const SourceItems items, ChooseItems(source, choice));
  std::vector<UnreadableLeaf> leaves;
  for (const SourceItem* item : items) {
    for (const UnreadableLeaf& one : item->unreadable) {
      if (MatchesName(options.ignore, one.name)) continue;
      if (options.match.empty() || MatchesName(options.match, one.name)) leaves.push_back(one);
    }
  }
  return leaves;
}

// Returns the error of unreadable leaves.
absl::Status CheckCompared(const Source& source, const std::vector<UnreadableLeaf>& leaves) {
  if (leaves.empty()) return absl::OkStatus();
  const UnreadableLeaf& one = leaves[0];
  const std::string more =
      leaves.size() > 1 ? absl::StrCat(" (nor are ", leaves.size() - 1, " more)") : "";
  return absl::UnimplementedError(absl::StrCat(source.name, ": '", one.name, "' is not readable (",
                                               one.what, "), so it is not compared", more,
                                               "; --ignore '", one.name, "' compares the others"));
}

absl::StatusOr<SourceDiff> DiffSources(const Source& a, const Source& b, const InputOptions& choice,
                                       const ItemDiffOptions& options, const RenameMap& map) {
  LEAFSTORE_ASSIGN_OR_RETURN(const auto items_a, ChooseItems(a, choice));
  LEAFSTORE_ASSIGN_OR_RETURN(const auto items_b, ChooseItems(b, choice));
  SourceItems both = items_a;
  both.insert(both.end(), items_b.begin(), items_b.end());
  LEAFSTORE_RETURN_IF_ERROR(CheckMatch(both, options.match));
  LEAFSTORE_RETURN_IF_ERROR(CheckMatch(both, ReadableGlobs(both, options.ignore), "--ignore"));
  std::vector<std::vector<RenamedPath>> renamed(items_a.size());
  if (!map.rules().empty()) {
    LEAFSTORE_ASSIGN_OR_RETURN(renamed, RenameItems(items_a, map));
  }
  SourceDiff diff;
  LEAFSTORE_ASSIGN_OR_RETURN(diff.unreadable_of_a, NotCompared(a, choice, options));
  LEAFSTORE_ASSIGN_OR_RETURN(diff.unreadable_of_b, NotCompared(b, choice, options));
  const bool only = items_a.size() == 1 && items_b.size() == 1;
  for (size_t i = 0; i < items_a.size(); ++i) {
    const SourceItem* const item = items_a[i];
    const SourceItem* other = only ? items_b[0] : b.FindItem(item->name);
    if (other == nullptr) {
      diff.only_in_a.push_back(item->name);
      continue;
    }
    LEAFSTORE_ASSIGN_OR_RETURN(ItemDiff one, DiffItems(*item, *other, options, renamed[i]));
    diff.items.push_back(std::move(one));
  }
  for (const SourceItem* item : items_b) {
    if (!only && a.FindItem(item->name) == nullptr) diff.only_in_b.push_back(item->name);
  }
  return diff;
}

// Returns whether only NaN differ: elements differ, but the largest difference is 0.
bool OnlyNanDiffers(const LeafDiff& leaf) { return leaf.differing > 0 && leaf.max_abs == 0; }

std::string NumbersText(const LeafDiff& leaf) {
  const bool nan = OnlyNanDiffers(leaf);
  return absl::StrCat(leaf.a == leaf.b ? "" : absl::StrCat(leaf.a, " and ", leaf.b, ": "),
                      WithCommas(leaf.differing), " of ",
                      CountOf(leaf.count, "element differs", "elements differ"), ", first at ",
                      ShapeToString(leaf.first), "; by at most ",
                      nan ? "nan" : ShortNumber(leaf.max_abs), ", relatively ",
                      nan ? "nan" : ShortNumber(leaf.max_rel));
}

// Returns a part of a value, from shortly before byte `from`, so that two long values that begin
// alike are shown where they differ.
std::string ValuePart(absl::string_view value, size_t from) {
  constexpr size_t kMaxShownValue = 48;
  constexpr size_t kBefore = 12;
  if (value.size() <= kMaxShownValue) return CutEnd(Printable(value), kMaxShownValue);
  size_t begin = from > kBefore ? from - kBefore : 0;
  // Do not begin in the middle of a character.
  while (begin > 0 && begin < value.size() && (value[begin] & 0xc0) == 0x80) --begin;
  return CutEnd(absl::StrCat(begin > 0 ? "..." : "", Printable(value.substr(begin))),
                kMaxShownValue);
}

std::string ValuesText(const LeafDiff& leaf) {
  const size_t common = static_cast<size_t>(
      std::mismatch(leaf.a.begin(), leaf.a.end(), leaf.b.begin(), leaf.b.end()).first -
      leaf.a.begin());
  return absl::StrCat(ValuePart(leaf.a, common), " and ", ValuePart(leaf.b, common));
}

// Notes on standard error which part of the structure of two items is not compared.
void NoteStructure(const ItemDiff& item, const ItemDiffOptions& options) {
  if (!options.compares_structures() || !item.only_structure) return;
  Note(item.name, ": kinds of containers, type names and tags are not compared: only ",
       *item.only_structure == DiffSide::kA ? "A" : "B",
       " has them (--no-structure silences this)");
}

// Notes on standard error which leaves have equal elements but different dtypes.
void NoteDTypes(const ItemDiff& item) {
  if (item.other_dtypes.empty()) return;
  const auto& [path, a, b] = item.other_dtypes[0];
  const bool one = item.other_dtypes.size() == 1;
  Note(item.name, ": note: ",
       CountOf(static_cast<int64_t>(item.other_dtypes.size()), "leaf has", "leaves have"),
       " another dtype, and equal elements: ", one ? "" : "such as ", PrintablePath(path), " (", a,
       " and ", b, ")");
}

void PrintLine(absl::string_view sign, Style style, const std::string& line, Output* out) {
  out->Write("  ", out->Styled(style, absl::StrCat(sign, " ", line)), "\n");
}

void PrintItem(const ItemDiff& item, Output* out) {
  if (item.same()) return;
  out->Write(out->Styled(Style::kBold, Printable(item.name)), ": ",
             CountOf(static_cast<int64_t>(item.leaves.size()), "leaf differs", "leaves differ"),
             ", ",
             item.only_in_a.empty() ? "" : absl::StrCat(item.only_in_a.size(), " only in A, "),
             item.only_in_b.empty() ? "" : absl::StrCat(item.only_in_b.size(), " only in B, "),
             CountOf(item.same_count, "is the same", "are the same"), "\n");
  for (const std::string& line : item.structure) {
    PrintLine("!", Style::kMagenta, Printable(line), out);
  }
  for (const auto& [path, leaf] : item.leaves) {
    const bool numbers = leaf.what == LeafDiff::What::kNumbers;
    out->Write("  ", out->Styled(Style::kYellow, absl::StrCat("~ ", PrintablePath(path))), ": ",
               numbers ? NumbersText(leaf) : ValuesText(leaf), "\n");
  }
  for (const Path& path : item.only_in_a) PrintLine("-", Style::kRed, PrintablePath(path), out);
  for (const Path& path : item.only_in_b) PrintLine("+", Style::kGreen, PrintablePath(path), out);
}

void PrintText(const SourceDiff& diff, bool brief, const Source& a, const Source& b, Output* out) {
  if (brief) {
    if (!diff.same()) {
      out->Write(Printable(a.name), " and ", Printable(b.name), " differ\n");
    }
    return;
  }
  for (const std::string& name : diff.only_in_a) {
    out->Write(out->Styled(Style::kRed, absl::StrCat("- item ", Printable(name))), ": only in A\n");
  }
  for (const std::string& name : diff.only_in_b) {
    out->Write(out->Styled(Style::kGreen, absl::StrCat("+ item ", Printable(name))),
               ": only in B\n");
  }
  for (const ItemDiff& item : diff.items) PrintItem(item, out);
}

Json LeafToJson(const Path& path, const LeafDiff& leaf) {
  Json json = {{"path", path.ToString()},
               {"dotted", path.Dotted()},
               {"what", ToJson(leaf.what)},
               {"a", leaf.a},
               {"b", leaf.b}};
  if (leaf.what != LeafDiff::What::kNumbers) return json;
  json["differing"] = leaf.differing;
  json["count"] = leaf.count;
  json["first"] = ShapeToJson(leaf.first);
  json["max_abs"] = OnlyNanDiffers(leaf) ? Json() : Json(leaf.max_abs);
  json["max_rel"] = OnlyNanDiffers(leaf) ? Json() : Json(leaf.max_rel);
  return json;
}

std::vector<std::string> Dotted(const std::vector<Path>& paths) {
  std::vector<std::string> dotted;
  for (const Path& path : paths) dotted.push_back(path.Dotted());
  return dotted;
}

void PrintAsJson(const SourceDiff& diff, const Source& a, const Source& b, Output* out) {
  JsonList items({{"schema", kJsonSchema},
                  {"a", a.file},
                  {"b", b.file},
                  {"same", diff.same() && diff.is_complete()},
                  {"only_in_a", diff.only_in_a},
                  {"only_in_b", diff.only_in_b},
                  {"unreadable_of_a", ToJson(diff.unreadable_of_a)},
                  {"unreadable_of_b", ToJson(diff.unreadable_of_b)},
                  {"notes_of_a", a.notes},
                  {"notes_of_b", b.notes}},
                 "items", out);
  for (const ItemDiff& item : diff.items) {
    Json other_dtypes = Json::array();
    for (const auto& [path, in_a, in_b] : item.other_dtypes) {
      other_dtypes.push_back(
          {{"path", path.ToString()}, {"dotted", path.Dotted()}, {"a", in_a}, {"b", in_b}});
    }
    JsonList leaves({{"name", item.name},
                     {"same", item.same()},
                     {"same_leaves", item.same_count},
                     {"only_in_a", Dotted(item.only_in_a)},
                     {"only_in_b", Dotted(item.only_in_b)},
                     {"structure", item.structure},
                     {"structure_compared", item.structure_compared},
                     {"other_dtypes", std::move(other_dtypes)}},
                    "leaves", &items);
    for (const auto& [path, leaf] : item.leaves) leaves.Add(LeafToJson(path, leaf));
  }
}

absl::Status Diff(const DiffArguments& arguments) {
  ItemDiffOptions options = arguments.compare;
  options.order = arguments.order;
  LEAFSTORE_ASSIGN_OR_RETURN(options.match, ParseMatch(arguments.match));
  LEAFSTORE_ASSIGN_OR_RETURN(options.ignore, ParseMatch(arguments.ignore, "--ignore"));
  LEAFSTORE_ASSIGN_OR_RETURN(const RenameMap map,
                             ParseRules(arguments.rules, arguments.rule_files));
  DiffArguments second = arguments;
  second.name = arguments.second;
  LEAFSTORE_ASSIGN_OR_RETURN(const SourcePtr a, Open(arguments));
  LEAFSTORE_ASSIGN_OR_RETURN(const SourcePtr b, Open(second));
  LEAFSTORE_ASSIGN_OR_RETURN(const SourceDiff diff, DiffSources(*a, *b, arguments, options, map));
  Output out(stdout, arguments.form.color);
  if (arguments.form.json) {
    PrintAsJson(diff, *a, *b, &out);
  } else {
    for (const ItemDiff& item : diff.items) {
      if (map.rules().empty()) NoteStructure(item, options);
      NoteDTypes(item);
    }
    PrintText(diff, arguments.brief, *a, *b, &out);
  }
  LEAFSTORE_RETURN_IF_ERROR(out.Finish());
  LEAFSTORE_RETURN_IF_ERROR(CheckCompared(*a, diff.unreadable_of_a));
  LEAFSTORE_RETURN_IF_ERROR(CheckCompared(*b, diff.unreadable_of_b));
  return diff.same() ? absl::OkStatus() : NegativeAnswer();
}

}  // namespace

void AddDiffCommand(CLI::App* program, CommandRun* run) {
  const auto [command, arguments] = AddCommand(
      program, run, "diff",
      "Compares two files: structure, dtypes, shapes, values; exits with 1 if they differ.",
      kHelpFile | kHelpGlob, kDiffHelp, Diff);
  AddFile(command, "A", &arguments->name, "one file (for a run, DIR@STEP)");
  AddFile(command, "B", &arguments->second, "the other file; the expected values, for --rtol");
  AddInput(command, {kFormat, kItem, kMatch}, arguments);
  AddValue(command, "--ignore", &arguments->ignore, "GLOB",
           "without the leaves that a glob matches; may be repeated");
  AddValue(command, "--rename", &arguments->rules, "RULE",
           "PATTERN=TEMPLATE: first rename leaves of A (see rename --help); may be repeated");
  AddValue(command, "--rules", &arguments->rule_files, "FILE", "also the rules of this file");
  const auto across_dtypes = [arguments = arguments](const std::string&) {
    arguments->compare.diff.across_dtypes = true;
  };
  AddValue(command, "--rtol", &arguments->compare.diff.rtol, "R",
           "relative tolerance; default: 0. With a tolerance, elements are compared across dtypes")
      ->check(NumberOfAtLeast(0))
      ->each(across_dtypes);
  AddValue(command, "--atol", &arguments->compare.diff.atol, "A", "absolute tolerance; default: 0")
      ->check(NumberOfAtLeast(0))
      ->each(across_dtypes);
  command->add_flag("--nan-differs{false}", arguments->compare.diff.nan_equals_nan,
                    "treat NaN as different from NaN");
  command->add_flag("--no-structure{false}", arguments->compare.structure,
                    "compare only leaves: not kinds of containers, type names, tags and ties");
  command->add_flag("--brief", arguments->brief, "print only whether they differ");
  AddInput(command, {kOrder, kReading, kForm}, arguments);
  command->preparse_callback([run](size_t) {
    run->error_code = 2;  // 1 means that the files differ
    GuardAgainstCrashes(/*exit_code=*/2);
  });
}

}  // namespace leafstore::tools
