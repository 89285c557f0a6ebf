#include "leafstore/tools/report/report_build.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "leafstore/core/status_macros.h"
#include "leafstore/tools/commands/input.h"
#include "leafstore/tools/present/errors.h"
#include "leafstore/tools/present/progress.h"
#include "leafstore/tools/report/report_item.h"
#include "leafstore/tools/report/report_numbers.h"
#include "leafstore/tools/source/managed_directory.h"

namespace leafstore::tools {
namespace {

ReportFile Describe(const Source& source) {
  ReportFile file;
  file.name = source.file;
  file.bytes = source.file_size;
  file.format = source.description;
  file.has_checksums = std::any_of(source.items.begin(), source.items.end(),
                                   [](const auto& item) { return item->has_checksums(); });
  file.step = source.step;
  file.metrics = source.metrics;
  file.metadata = source.metadata;
  file.bases = source.other_files;
  return file;
}

bool WasVerified(const std::vector<ReportFile>& files, const ReportRequest& request) {
  return request.verify && std::all_of(files.begin(), files.end(),
                                       [](const ReportFile& file) { return file.has_checksums; });
}

const SourceItem* FindItem(const Source& source, absl::string_view name) {
  for (const auto& item : source.items) {
    if (item->name() == name) return item.get();
  }
  return nullptr;
}

// Returns the names of the items to show: the requested ones, or all of the last source, then those
// that only an earlier source has. error: a UsageError with suggestions.
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
    for (const auto& item : (*source)->items) {
      if (std::find(names.begin(), names.end(), item->name()) == names.end()) {
        names.push_back(item->name());
      }
    }
  }
  return names;
}

// Creates a builder per item, and lists its leaves.
absl::StatusOr<std::vector<ReportItemBuilder>> ListItems(const std::vector<const Source*>& sources,
                                                         const ReportRequest& request) {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<std::string> names, ItemNames(sources, request));
  std::vector<ReportItemBuilder> items;
  std::vector<const SourceItem*> chosen;
  for (const std::string& name : names) {
    std::vector<FileItem> sides;
    for (const Source* source : sources) {
      sides.push_back({FindItem(*source, name), source->file});
      if (sides.back().item != nullptr) chosen.push_back(sides.back().item);
    }
    items.emplace_back(request, std::move(sides));
    LEAFSTORE_RETURN_IF_ERROR(items.back().List());
  }
  LEAFSTORE_RETURN_IF_ERROR(CheckMatch(chosen, request.match));
  LEAFSTORE_RETURN_IF_ERROR(CheckGroups(chosen, request.groups));
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
  for (const Source* source : sources) data.files.push_back(Describe(*source));
  data.verified = WasVerified(data.files, request);
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<ReportItemBuilder> items, ListItems(sources, request));
  Progress progress("reading", BytesToRead(items));
  NumberReader reader(request.threads, &progress);
  for (ReportItemBuilder& item : items) {
    LEAFSTORE_RETURN_IF_ERROR(item.Read(&reader));
    data.items.push_back(std::move(item).Take());
  }
  return data;
}

// Reads steps into items, one by one.
class StepsReader {
 public:
  // The arguments must outlive this.
  StepsReader(const ReportRequest& request, std::vector<ReportItemBuilder>* items,
              NumberReader* reader)
      : request_(request), items_(*items), reader_(*reader), before_(items->size()) {}

  // Adds the step to all items and to the data, or lists it as skipped.
  absl::Status Add(const StepOfDirectory& step, ReportData* data) {
    const absl::Status added = AddWhole(step, data);
    if (added.ok() || !IsOfOneStep(added)) return added;
    data->skipped.emplace_back(step.step, std::string(added.message()));
    return absl::OkStatus();
  }

 private:
  static bool IsOfOneStep(const absl::Status& status) {
    return absl::IsDataLoss(status) || absl::IsNotFound(status) || absl::IsUnimplemented(status) ||
           absl::IsInvalidArgument(status) || absl::IsPermissionDenied(status);
  }

  absl::Status AddWhole(const StepOfDirectory& step, ReportData* data) {
    LEAFSTORE_ASSIGN_OR_RETURN(SourcePtr source, OpenSource({.name = step.file,
                                                             .io = {.threads = request_.threads},
                                                             .verify = request_.verify}));
    std::vector<NumberReader::StepItem> now;
    for (size_t i = 0; i < items_.size(); ++i) {
      LEAFSTORE_ASSIGN_OR_RETURN(
          now.emplace_back(), items_[i].ReadStep({FindItem(*source, items_[i].name()), step.file},
                                                 before_[i], &reader_));
    }
    for (size_t i = 0; i < items_.size(); ++i) items_[i].AddStep(now[i]);
    data->steps.push_back(step.step);
    data->step_metrics.push_back(source->metrics);
    before_ = std::move(now);
    open_ = std::move(source);  // closes the previous one
    return absl::OkStatus();
  }

  const ReportRequest& request_;
  std::vector<ReportItemBuilder>& items_;
  NumberReader& reader_;
  // The last step that was added: its items, and their source.
  std::vector<NumberReader::StepItem> before_;
  SourcePtr open_;
};

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
  data.files.push_back(Describe(newest));
  data.verified = WasVerified(data.files, request);
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<ReportItemBuilder> items, ListItems({&newest}, request));
  Progress progress("reading", BytesToRead(items) * (static_cast<int64_t>(steps.size()) + 1));
  NumberReader reader(request.threads, &progress);
  for (ReportItemBuilder& item : items) {
    LEAFSTORE_RETURN_IF_ERROR(item.Read(&reader));
    item.BeginSeries();
  }
  StepsReader series(request, &items, &reader);
  for (const StepOfDirectory& step : steps) LEAFSTORE_RETURN_IF_ERROR(series.Add(step, &data));
  for (ReportItemBuilder& item : items) data.items.push_back(std::move(item).Take());
  return data;
}

std::vector<StepOfDirectory> ThinSteps(const std::vector<StepOfDirectory>& steps, size_t most) {
  if (steps.size() <= most) return steps;
  std::vector<StepOfDirectory> kept;
  for (size_t i = 0; i < most; ++i) kept.push_back(steps[i * (steps.size() - 1) / (most - 1)]);
  return kept;
}

}  // namespace leafstore::tools
