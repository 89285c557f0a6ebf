#include "leafstore/tools/report/report_build.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "leafstore/core/status_macros.h"
#include "leafstore/tools/command.h"
#include "leafstore/tools/progress.h"
#include "leafstore/tools/report/report_item.h"
#include "leafstore/tools/report/report_numbers.h"

namespace leafstore::tools {
namespace {

ReportFile Describe(const Source& source) {
  ReportFile file;
  file.name = source.file();
  file.bytes = source.file_size();
  file.format = source.description();
  file.has_checksums = std::any_of(source.items().begin(), source.items().end(),
                                   [](const auto& item) { return item->has_checksums(); });
  file.step = source.step();
  file.metrics = source.metrics();
  file.metadata = source.metadata();
  file.bases = source.other_files();
  return file;
}

const SourceItem* FindItem(const Source& source, absl::string_view name) {
  for (const auto& item : source.items()) {
    if (item->name() == name) return item.get();
  }
  return nullptr;
}

// The names of the items that are shown: those asked for, or all of the last source, and what only
// an earlier one has. error: a UsageError, with the names there are.
absl::StatusOr<std::vector<std::string>> ItemNames(const std::vector<const Source*>& sources,
                                                   const ReportRequest& request) {
  std::vector<std::string> names;
  for (const std::string& name : request.items) {
    const bool found = std::any_of(sources.begin(), sources.end(), [&name](const Source* source) {
      return FindItem(*source, name) != nullptr;
    });
    if (!found) return sources.back()->item(name).status();
    names.push_back(name);
  }
  if (!request.items.empty()) return names;
  for (auto source = sources.rbegin(); source != sources.rend(); ++source) {
    for (const auto& item : (*source)->items()) {
      if (std::find(names.begin(), names.end(), item->name()) == names.end()) {
        names.push_back(item->name());
      }
    }
  }
  return names;
}

// One builder an item, listed.
absl::StatusOr<std::vector<ReportItemBuilder>> ListItems(const std::vector<const Source*>& sources,
                                                         const ReportRequest& request) {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<std::string> names, ItemNames(sources, request));
  std::vector<ReportItemBuilder> items;
  for (const std::string& name : names) {
    std::vector<const SourceItem*> sides;
    for (const Source* source : sources) sides.push_back(FindItem(*source, name));
    items.emplace_back(request, std::move(sides));
    const absl::Status listed = items.back().List();
    if (!listed.ok()) return FileError(sources.back()->file(), listed);
  }
  return items;
}

int64_t BytesToRead(const std::vector<ReportItemBuilder>& items) {
  int64_t bytes = 0;
  for (const ReportItemBuilder& item : items) bytes += item.bytes_to_read();
  return bytes;
}

absl::StatusOr<ReportData> Report(const std::vector<const Source*>& sources,
                                  const ReportRequest& request) {
  ReportData data;
  data.verified = request.verify;
  for (const Source* source : sources) data.files.push_back(Describe(*source));
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<ReportItemBuilder> items, ListItems(sources, request));
  Progress progress("reading", BytesToRead(items));
  NumberReader reader(request.threads, &progress);
  for (ReportItemBuilder& item : items) {
    const absl::Status read = item.Read(&reader);
    if (!read.ok()) return FileError(sources.back()->file(), read);
    data.items.push_back(std::move(item).Take());
  }
  return data;
}

// The sources of steps, of which some may not open.
struct OpenSteps {
  std::vector<SourcePtr> sources;  // null where it did not
  std::vector<absl::Status> failed;
};

OpenSteps Open(const std::vector<StepOfDirectory>& steps, const ReportRequest& request) {
  OpenSteps open;
  for (const StepOfDirectory& step : steps) {
    absl::StatusOr<SourcePtr> source =
        OpenSource({.name = step.file, .verify = request.verify, .threads = request.threads});
    open.failed.push_back(source.status());
    open.sources.push_back(source.ok() ? *std::move(source) : nullptr);
  }
  return open;
}

// Takes the steps that failed out of the data.
void KeepWhatIsWhole(const std::vector<StepOfDirectory>& steps, const OpenSteps& open,
                     ReportData* data) {
  std::vector<bool> whole;
  for (size_t i = 0; i < steps.size(); ++i) {
    whole.push_back(open.failed[i].ok());
    if (whole[i]) {
      data->steps.push_back(steps[i].step);
      data->step_metrics.push_back(open.sources[i]->metrics());
    } else {
      data->skipped.emplace_back(steps[i].step, std::string(open.failed[i].message()));
    }
  }
  for (ReportItem& item : data->items) {
    for (auto& points : item.series->points) {
      size_t kept = 0;
      for (size_t i = 0; i < steps.size(); ++i) {
        if (whole[i]) points[kept++] = points[i];
      }
      points.resize(kept);
    }
  }
}

}  // namespace

absl::StatusOr<ReportData> ReportOfModel(const Source& source, const ReportRequest& request) {
  LEAFSTORE_ASSIGN_OR_RETURN(ReportData data, Report({&source}, request));
  data.mode = ReportMode::kModel;
  return data;
}

absl::StatusOr<ReportData> ReportOfChange(const Source& before, const Source& after,
                                          const ReportRequest& request) {
  LEAFSTORE_ASSIGN_OR_RETURN(ReportData data, Report({&before, &after}, request));
  data.mode = ReportMode::kCompare;
  return data;
}

absl::StatusOr<ReportData> ReportOfSteps(const Source& newest,
                                         const std::vector<StepOfDirectory>& steps,
                                         const ReportRequest& request) {
  ReportData data;
  data.mode = ReportMode::kSteps;
  data.verified = request.verify;
  data.files.push_back(Describe(newest));
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<ReportItemBuilder> items, ListItems({&newest}, request));
  OpenSteps open = Open(steps, request);
  Progress progress("reading", BytesToRead(items) * (static_cast<int64_t>(steps.size()) + 1));
  NumberReader reader(request.threads, &progress);
  for (ReportItemBuilder& item : items) {
    const absl::Status read = item.Read(&reader);
    if (!read.ok()) return FileError(newest.file(), read);
  }
  for (ReportItemBuilder& item : items) {
    const std::string& name = item.name();
    std::vector<const SourceItem*> at;
    for (const SourcePtr& source : open.sources) {
      at.push_back(source != nullptr ? FindItem(*source, name) : nullptr);
    }
    item.ReadSeries(at, &reader, &open.failed);
    data.items.push_back(std::move(item).Take());
  }
  KeepWhatIsWhole(steps, open, &data);
  return data;
}

std::vector<StepOfDirectory> ThinSteps(const std::vector<StepOfDirectory>& steps, size_t most) {
  if (steps.size() <= most) return steps;
  std::vector<StepOfDirectory> kept;
  for (size_t i = 0; i < most; ++i) kept.push_back(steps[i * (steps.size() - 1) / (most - 1)]);
  return kept;
}

}  // namespace leafstore::tools
