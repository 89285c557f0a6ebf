#include "leafstore/tools/source/branches.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "leafstore/checkpoint/internal/run_files.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/io/file_system.h"
#include "leafstore/tools/present/text.h"

namespace leafstore::tools {
namespace {

// A series of checkpoints without branches, all set aside or none.
struct Series {
  size_t first;
  size_t last;
  size_t count = 1;
  std::vector<size_t> branches = {};  // the series that continue `last`
};

// Returns the parent of a checkpoint, or if that was removed, the last one before it of the same
// run that was not set aside.
std::optional<size_t> DrawnParent(absl::Span<const RunCheckpoint> run, size_t child) {
  const RunCheckpoint& one = run[child];
  if (one.parent && run[*one.parent].step < one.step) return one.parent;
  const auto parent = internal::ParseRunFile(one.parent_name);
  // One without a record may continue the one before it, as most do.
  if (!parent && !one.run_id.empty()) return std::nullopt;
  const int64_t last_step = parent ? parent->step : one.step - 1;
  for (size_t i = child; i-- > 0;) {
    const RunCheckpoint& other = run[i];
    if (!other.abandoned && other.status.ok() && other.step <= last_step && other.step < one.step &&
        other.run_id == one.run_id) {
      return i;
    }
  }
  return std::nullopt;
}

// Returns all series, those that continue none in `*roots`.
std::vector<Series> SeriesOf(absl::Span<const RunCheckpoint> run, std::vector<size_t>* roots) {
  std::vector<std::optional<size_t>> parents(run.size());
  std::vector<size_t> child_counts(run.size(), 0);
  for (size_t i = 0; i < run.size(); ++i) {
    if (!run[i].status.ok()) continue;
    parents[i] = DrawnParent(run, i);
    if (parents[i]) ++child_counts[*parents[i]];
  }
  std::vector<Series> all;
  std::vector<size_t> series_of(run.size());  // in which a checkpoint is
  for (size_t i = 0; i < run.size(); ++i) {   // parents come first: their steps are lower
    if (!run[i].status.ok()) continue;
    const std::optional<size_t> parent = parents[i];
    if (parent && child_counts[*parent] == 1 && run[*parent].abandoned == run[i].abandoned &&
        run[*parent].run_id == run[i].run_id) {
      series_of[i] = series_of[*parent];
      all[series_of[i]].last = i;
      ++all[series_of[i]].count;
      continue;
    }
    series_of[i] = all.size();
    (parent ? all[series_of[*parent]].branches : *roots).push_back(all.size());
    all.push_back({i, i});
  }
  return all;
}

std::string HexOf(const RunCheckpoint& one) { return absl::BytesToHexString(one.run_id); }

std::string SeriesText(absl::Span<const RunCheckpoint> run, const Series& series,
                       bool several_runs) {
  const RunCheckpoint& first = run[series.first];
  return absl::StrCat(
      first.step, series.count > 1 ? absl::StrCat(" to ", run[series.last].step) : "", " (",
      CountOf(static_cast<int64_t>(series.count), "checkpoint", "checkpoints"), ")",
      several_runs && !first.run_id.empty() ? absl::StrCat(", run ", HexOf(first).substr(0, 8))
                                            : "",
      first.abandoned ? ", abandoned" : "");
}

}  // namespace

absl::StatusOr<std::vector<RunCheckpoint>> ListRunOf(const Source& source) {
  if (!source.step) return std::vector<RunCheckpoint>();
  LEAFSTORE_ASSIGN_OR_RETURN(
      const CheckpointManager manager,
      CheckpointManager::Open(DirectoryOf(source.file), {.read_only = true}));
  return manager.ListRun();
}

Json RunToJson(absl::Span<const RunCheckpoint> run) {
  Json json = Json::array();
  for (const RunCheckpoint& one : run) {
    Json fields = {{"step", one.step}, {"file", one.file_name}, {"abandoned", one.abandoned}};
    fields["run"] = one.run_id.empty() ? Json(nullptr) : Json(HexOf(one));
    fields["parent"] = one.parent                ? Json(run[*one.parent].file_name)
                       : one.parent_name.empty() ? Json(nullptr)
                                                 : Json(one.parent_name);
    fields["metrics"] = ToJson(one.metrics);
    fields["error"] = one.status.ok() ? Json(nullptr) : Json(std::string(one.status.message()));
    json.push_back(std::move(fields));
  }
  return json;
}

void PrintBranches(absl::Span<const RunCheckpoint> run, Output* out) {
  std::vector<size_t> roots;
  const std::vector<Series> all = SeriesOf(run, &roots);
  std::set<absl::string_view> runs;
  for (const Series& series : all) runs.insert(run[series.first].run_id);
  struct Line {
    size_t series;
    std::string above;  // what stands before the line, and before those of its branches
    absl::string_view mark;
  };
  std::vector<Line> open;  // the next one last
  const auto add = [&open](const std::vector<size_t>& branches, const std::string& above,
                           absl::string_view mark, absl::string_view last_mark) {
    for (size_t i = branches.size(); i-- > 0;) {
      open.push_back({branches[i], above, i + 1 == branches.size() ? last_mark : mark});
    }
  };
  if (all.size() > 1) {
    out->Write("  branches:\n");
    add(roots, "    ", "", "");
  }
  while (!open.empty()) {
    const Line line = std::move(open.back());
    open.pop_back();
    const Series& series = all[line.series];
    out->Write(line.above, line.mark, SeriesText(run, series, runs.size() > 1), "\n");
    const absl::string_view below = line.mark.empty() ? "" : line.mark == "|- " ? "|  " : "   ";
    add(series.branches, absl::StrCat(line.above, below), "|- ", "`- ");
  }
  for (const RunCheckpoint& one : run) {
    if (!one.status.ok()) out->Write("  cannot be opened: ", Printable(one.file_name), "\n");
  }
}

}  // namespace leafstore::tools
