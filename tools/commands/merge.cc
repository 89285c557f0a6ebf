#include "leafstore/store/merge.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"

#include "leafstore/interop/internal/notes.h"
#include "leafstore/interop/safetensors/checkpoint.h"
#include "leafstore/interop/safetensors/internal/place.h"
#include "leafstore/tools/commands/commands.h"
#include "leafstore/tools/commands/load_model.h"

namespace leafstore::tools {
namespace {

struct MergeArguments : WriteInput {
  std::vector<std::string> files;
  std::string like;
};

constexpr char kMergeHelp[] =
    R"(Items are merged by name. The expected leaves are those of the structure that the parts share (parts
of a .leaf file keep the full structure), or those of --like, with its dtypes and shapes; parts
without structure, such as safetensors, are joined. Each leaf that is missing, unexpected, duplicate,
or has a different dtype or shape is an error; one message lists all of them, for all items.

Examples:
  leafstore merge parts/*.leaf --out merged.leaf
  leafstore merge set/model-0000*.safetensors --out model.safetensors
  leafstore merge adapter.safetensors base.safetensors --out both.leaf --like reference.leaf

Files whose names say that they are shards of safetensors must be a complete set, unless --one-shard
is given. Metadata and metrics are those of the first file that has them.

Exit codes: 0 success; 1 the parts do not fit together, or a file cannot be read; 2 usage.)";

struct Parts {
  std::string name;
  std::vector<ParamStore> stores;
  ItemOptions options;
};

using PartsByName = std::map<std::string, size_t>;

// Notes which metadata of a file is not kept, because an earlier file has a different value.
void NoteMetadata(const std::string& file, const Metadata& kept, const Metadata& other) {
  for (const auto& [key, value] : other) {
    const auto at = kept.find(key);
    if (at == kept.end() || at->second == value || key == kSafetensorsOriginKey) continue;
    Note(file, ": note: metadata '", key,
         "' differs from the value of an earlier file, which is kept");
  }
}

absl::Status AddFile(const std::string& file, const MergeArguments& arguments, Model* merged,
                     std::vector<Parts>* parts, PartsByName* by_name) {
  MergeArguments one = arguments;
  one.name = file;
  one.one_shard = true;  // what is merged are parts
  LEAFSTORE_ASSIGN_OR_RETURN(const SourcePtr source, Open(one));
  SourceItems items;
  for (const SourceItem& item : source->items) {
    const bool named = std::count(one.items.begin(), one.items.end(), item.name) > 0;
    if (named || one.items.empty()) items.push_back(&item);
  }
  LEAFSTORE_ASSIGN_OR_RETURN(Model model,
                             LoadModel(*source, items, arguments.writing.skip_unreadable));
  for (const std::string& line : model.notes) {
    merged->notes.push_back(absl::StrCat(file, ": ", line));
  }
  merged->left_out.insert(merged->left_out.end(), model.left_out.begin(), model.left_out.end());
  NoteMetadata(file, merged->metadata, model.metadata);
  if (merged->metadata.empty()) merged->metadata = model.metadata;
  if (merged->metrics.empty()) merged->metrics = model.metrics;
  for (ModelItem& item : model.items) {
    const auto [at, is_new] = by_name->try_emplace(item.name, parts->size());
    if (is_new) {
      parts->push_back({item.name, {}, std::move(item.options)});
    } else {
      NoteMetadata(file, (*parts)[at->second].options.metadata, item.options.metadata);
    }
    Parts& known = (*parts)[at->second];
    if (!known.options.grouping) known.options.grouping = item.options.grouping;
    known.stores.push_back(std::move(item.store));
  }
  return absl::OkStatus();
}

// Returns the structure that the parts share: that of the first part that has one; otherwise all
// paths.
absl::StatusOr<Layout> ExpectedOf(const std::vector<ParamStore>& stores) {
  std::set<Path> paths;
  for (const ParamStore& store : stores) {
    if (store.layout().has_def()) return store.layout();
    for (uint32_t place = 0; place < store.size(); ++place) {
      paths.insert(store.layout().PathOf(store.slot(place)));
    }
  }
  return Layout::Create(std::vector<Path>(paths.begin(), paths.end()));
}

// Adds the merged item, or prints what is wrong, one reason per line, and returns false. `like` has
// the expected leaves; null: ExpectedOf. Without `merged`, only checks the parts.
absl::StatusOr<bool> MergeParts(Parts part, const Source* like, Model* merged) {
  MergeOptions options;
  Layout layout;
  ParamStore expected;
  if (like == nullptr) {
    LEAFSTORE_ASSIGN_OR_RETURN(layout, ExpectedOf(part.stores));
  } else {
    LEAFSTORE_ASSIGN_OR_RETURN(const SourceItem* item, like->item(part.name));
    LEAFSTORE_ASSIGN_OR_RETURN(expected, FileError(like->file, item->load({})));
    layout = item->layout;
    options.like = &expected;
  }
  std::vector<const ParamStore*> groups;
  for (const ParamStore& store : part.stores) groups.push_back(&store);
  const FitReport report = CheckMerge(layout, groups, options);
  if (!report.ok()) {
    const absl::Status status = report.ToStatus("the parts do not fit together");
    const std::string text = absl::StrCat("item '", part.name, "': ", status.message());
    for (const absl::string_view line : absl::StrSplit(text, '\n')) Note(line);
    return false;
  }
  if (merged == nullptr) return true;
  LEAFSTORE_ASSIGN_OR_RETURN(auto store, MergeGroups(layout, std::move(part.stores), options));
  std::optional<Grouping>& grouping = part.options.grouping;
  if (grouping && !(grouping->layout() == layout)) grouping.reset();
  merged->items.push_back({part.name, std::move(store), std::move(part.options)});
  return true;
}

// Checks that the shards of each set that is named are all named, as a reader checks a directory
// that has only them, so that a part is not taken for the whole. error: a UsageError that names the
// missing ones.
absl::Status CheckShards(const std::vector<std::string>& files) {
  std::map<std::string, std::set<std::string>> directories;  // and the names in them
  for (const std::string& file : files) directories[DirectoryOf(file)].insert(FileNameOf(file));
  std::set<std::string> checked;  // sets
  for (const std::string& file : files) {
    const std::optional<internal::ShardName> shard = internal::ParseShardName(FileNameOf(file));
    if (!shard.has_value() || !checked.insert(InDirectoryOf(file, shard->set)).second) continue;
    const std::set<std::string>& sorted = directories[DirectoryOf(file)];
    const std::vector<std::string> names(sorted.begin(), sorted.end());
    internal::Notes ignored;
    const auto place = internal::FindShards(file, *shard, names, &ignored);
    if (place.ok()) continue;
    return UsageError(file, ": ", place.status().message(), "; --one-shard merges what is there");
  }
  return absl::OkStatus();
}

absl::Status Merge(const MergeArguments& arguments) {
  ModelWriter writer(arguments.Writing());
  LEAFSTORE_RETURN_IF_ERROR(writer.Check(arguments.out));
  if (!arguments.one_shard) LEAFSTORE_RETURN_IF_ERROR(CheckShards(arguments.files));
  SourcePtr like;
  if (!arguments.like.empty()) {
    MergeArguments expected = arguments;
    expected.name = arguments.like;
    // Only its dtypes and shapes matter.
    LEAFSTORE_ASSIGN_OR_RETURN(like, Open(expected, /*verify=*/false));
  }
  Model merged;
  std::vector<Parts> parts;
  PartsByName by_name;
  for (const std::string& file : arguments.files) {
    LEAFSTORE_RETURN_IF_ERROR(AddFile(file, arguments, &merged, &parts, &by_name));
  }
  for (const std::string& name : arguments.items) {
    if (by_name.count(name) == 0) {
      return UsageError("--item: none of the files has an item '", name, "'");
    }
  }
  bool fit = true;
  for (Parts& part : parts) {
    LEAFSTORE_ASSIGN_OR_RETURN(const bool fits,
                               MergeParts(std::move(part), like.get(), fit ? &merged : nullptr));
    fit = fit && fits;
  }
  if (!fit) return NegativeAnswer();
  LEAFSTORE_RETURN_IF_ERROR(writer.Write(std::move(merged), arguments.out));
  return writer.CommitAndPrint(arguments.form);
}

}  // namespace

void AddMergeCommand(CLI::App* program, CommandRun* run) {
  const auto [command, arguments] = AddCommand(program, run, "merge", "Merges parts into one file.",
                                               kHelpFile, kMergeHelp, Merge);
  AddFile(command, "FILE", &arguments->files, "the parts");
  AddValue(command, "--out,-o", &arguments->out, "OUT", "the file to write")->required();
  AddValue(command, "--like", &arguments->like, "FILE", "a file with the leaves that are expected");
  AddInput(command, {kStep, kItem}, arguments);
  AddWriting(command, &arguments->writing);
  AddInput(command, {kReading, kForm}, arguments);
}

}  // namespace leafstore::tools
