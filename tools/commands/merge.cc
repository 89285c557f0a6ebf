#include "leafstore/store/merge.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_split.h"

#include "leafstore/tools/commands/commands.h"
#include "leafstore/tools/source/model.h"

namespace leafstore::tools {
namespace {

struct MergeArguments {
  std::vector<std::string> files;
  std::string out;
  std::string like;
  InputOptions input;
  WriteOptions writing;
};

constexpr char kMergeHelp[] =
    R"(Items are merged by name. The expected leaves are those of the structure that the parts share (parts
of a .leaf file keep the full structure), or those of --like, with its dtypes and shapes; parts
without structure, such as safetensors, are joined. Each leaf that is missing, unexpected, duplicate,
or of another dtype or shape is an error; one message lists all of them, for all items.

Examples:
  leafstore merge parts/*.leaf --out merged.leaf
  leafstore merge model-0000*.safetensors --out model.safetensors
  leafstore merge adapter.safetensors base.safetensors --out both.leaf --like reference.leaf

Metadata and metrics are those of the first file that has them.

Exit codes: 0 success; 1 the parts do not fit together, or a file cannot be read; 2 usage.)";

// The parts of an item.
struct Parts {
  std::string name;
  std::vector<ParamStore> stores;
  ItemOptions options;
};

absl::Status AddFile(const std::string& file, const MergeArguments& arguments, Model* merged,
                     std::vector<Parts>* parts) {
  InputOptions one = arguments.input;
  one.name = file;
  LEAFSTORE_ASSIGN_OR_RETURN(const SourcePtr source, Open(one));
  SourceItems items;
  for (const auto& item : source->items) {
    const auto& named = arguments.input.items;
    if (named.empty() || std::find(named.begin(), named.end(), item->name()) != named.end()) {
      items.push_back(item.get());
    }
  }
  LEAFSTORE_ASSIGN_OR_RETURN(Model model, LoadModel(*source, items));
  if (merged->metadata.empty()) merged->metadata = model.metadata;
  if (merged->metrics.empty()) merged->metrics = model.metrics;
  for (ModelItem& item : model.items) {
    auto at = std::find_if(parts->begin(), parts->end(),
                           [&item](const Parts& known) { return known.name == item.name; });
    if (at == parts->end()) {
      at = parts->insert(parts->end(), {item.name, {}, std::move(item.options)});
    } else if (!at->options.grouping) {
      at->options.grouping = item.options.grouping;
    }
    at->stores.push_back(std::move(item.store));
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

// Merges all items, or prints what is wrong with each of them, one reason per line. `like` has the
// expected leaves; null: ExpectedOf.
absl::Status MergeParts(std::vector<Parts> parts, const Source* like, Model* merged) {
  bool wrong = false;
  for (Parts& part : parts) {
    MergeOptions options;
    Layout layout;
    ParamStore expected;
    if (like == nullptr) {
      LEAFSTORE_ASSIGN_OR_RETURN(layout, ExpectedOf(part.stores));
    } else {
      LEAFSTORE_ASSIGN_OR_RETURN(const SourceItem* item, like->item(part.name));
      LEAFSTORE_ASSIGN_OR_RETURN(expected, FileError(like->file, item->LoadAll()));
      layout = item->layout();
      options.like.emplace(expected);
    }
    std::vector<const ParamStore*> groups;
    for (const ParamStore& store : part.stores) groups.push_back(&store);
    const FitReport report = CheckMerge(layout, groups, options);
    if (!report.ok()) {
      const absl::Status status = report.ToStatus("the parts do not fit together");
      const std::string text = absl::StrCat("item '", part.name, "': ", status.message());
      for (const absl::string_view line : absl::StrSplit(text, '\n')) Note(line);
      wrong = true;
    }
    if (wrong) continue;
    LEAFSTORE_ASSIGN_OR_RETURN(ParamStore store,
                               MergeGroups(layout, std::move(part.stores), options));
    if (part.options.grouping && !(part.options.grouping->layout() == layout)) {
      part.options.grouping.reset();
    }
    merged->items.push_back({part.name, std::move(store), std::move(part.options)});
  }
  return wrong ? NegativeAnswer() : absl::OkStatus();
}

absl::Status Merge(const MergeArguments& arguments) {
  ModelWriter writer(arguments.writing);
  LEAFSTORE_RETURN_IF_ERROR(writer.Check(arguments.out));
  SourcePtr like;
  if (!arguments.like.empty()) {
    InputOptions expected = arguments.input;
    expected.name = arguments.like;
    // Only its dtypes and shapes matter.
    LEAFSTORE_ASSIGN_OR_RETURN(like, Open(expected, /*verify=*/false));
  }
  Model merged;
  std::vector<Parts> parts;
  for (const std::string& file : arguments.files) {
    LEAFSTORE_RETURN_IF_ERROR(AddFile(file, arguments, &merged, &parts));
  }
  for (const std::string& name : arguments.input.items) {
    if (std::none_of(parts.begin(), parts.end(),
                     [&name](const Parts& part) { return part.name == name; })) {
      return UsageError("--item: none of the files has an item '", name, "'");
    }
  }
  LEAFSTORE_RETURN_IF_ERROR(MergeParts(std::move(parts), like.get(), &merged));
  LEAFSTORE_RETURN_IF_ERROR(writer.Write(std::move(merged), arguments.out));
  return writer.CommitAndPrint(arguments.input.form);
}

}  // namespace

void AddMergeCommand(CLI::App* program, CommandRun* run) {
  const auto [command, arguments] =
      AddCommand(program, run, "merge", "Makes one file of parts.", kHelpFile, kMergeHelp, Merge);
  AddFile(command, "FILE", &arguments->files, "the parts");
  AddValue(command, "--out,-o", &arguments->out, "OUT", "the file to write")->required();
  AddValue(command, "--like", &arguments->like, "FILE", "a file with the leaves that are expected");
  AddInput(command, {kStep, kItem}, &arguments->input);
  AddWriting(command, &arguments->writing);
  AddInput(command, {kReading, kForm}, &arguments->input);
}

}  // namespace leafstore::tools
