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
  size_t total = 0;                   // the checkpoints in it and in all that continue it
};

// Returns the parent of a checkpoint. If the parent was removed, returns the last checkpoint of the
// same run before it that was not set aside; one with the parent's step is a different checkpoint.
std::optional<size_t> DrawnParent(absl::Span<const RunCheckpoint> run, size_t child) {
  const RunCheckpoint& one = run[child];
  if (one.parent && run[*one.parent].step < one.step) return one.parent;
  const auto parent = internal::ParseRunFile(one.parent_name);
  // A checkpoint without a record is assumed to continue the one before it, as most do.
  if (!parent && !one.run_id.empty()) return std::nullopt;
  const int64_t end = std::min(parent ? parent->step : one.step, one.step);
  for (size_t i = child; i-- > 0;) {
    const RunCheckpoint& other = run[i];
    if (!other.abandoned && other.status.ok() && other.step < end && other.run_id == one.run_id) {
      return i;
    }
  }
  return std::nullopt;
}

// Returns all series, and in `*roots` those that continue no other.
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
  for (size_t i = all.size(); i-- > 0;) {
    all[i].total = all[i].count;
    for (const size_t branch : all[i].branches) all[i].total += all[branch].total;
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

// A line to draw.
struct Line {
  size_t series;
  std::string before;  // printed before it
  std::string below;   // printed before its branches
};

// Returns the branch that is drawn directly below a series, after its other branches, so that a
// line with many branches needs no indentation. It is the branch with the most checkpoints among
// those in the same state as the series (set aside or not).
std::optional<size_t> StraightBranch(absl::Span<const RunCheckpoint> run,
                                     absl::Span<const Series> all, const Series& series) {
  std::optional<size_t> straight;
  if (series.branches.size() < 2) return straight;
  for (const size_t branch : series.branches) {
    if (run[all[branch].first].abandoned != run[series.first].abandoned) continue;
    if (!straight || all[branch].total > all[*straight].total) straight = branch;
  }
  return straight;
}

// Adds the lines of what continues `line`, the first one last.
void AddBranches(absl::Span<const RunCheckpoint> run, absl::Span<const Series> all,
                 const Line& line, std::vector<Line>* open) {
  constexpr size_t kMaxIndent = 40;  // deeper ones are drawn there
  const Series& series = all[line.series];
  const std::optional<size_t> straight = StraightBranch(run, all, series);
  if (straight) open->push_back({*straight, line.below, line.below});
  bool is_last = !straight;
  for (size_t i = series.branches.size(); i-- > 0;) {
    if (series.branches[i] == straight) continue;
    std::string below = absl::StrCat(line.below, is_last ? "   " : "|  ");
    if (below.size() > kMaxIndent) below = line.below;
    open->push_back(
        {series.branches[i], absl::StrCat(line.below, is_last ? "`- " : "|- "), std::move(below)});
    is_last = false;
  }
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
    fields["parent"] = one.parent ? Json(run[*one.parent].file_name) : Json(nullptr);
    fields["parent_name"] = one.parent_name.empty() ? Json(nullptr) : Json(one.parent_name);
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
  std::vector<Line> open;  // the next one last
  if (all.size() > 1) {
    out->Write("  branches:\n");
    for (size_t i = roots.size(); i-- > 0;) open.push_back({roots[i], "    ", "    "});
  }
  while (!open.empty()) {
    const Line line = std::move(open.back());
    open.pop_back();
    out->Write(line.before, SeriesText(run, all[line.series], runs.size() > 1), "\n");
    AddBranches(run, all, line, &open);
  }
  for (const RunCheckpoint& one : run) {
    if (one.status.ok()) continue;
    absl::string_view why = one.status.message();
    // The message begins with the path.
    const size_t name = why.find(absl::StrCat(one.file_name, ": "));
    if (name != absl::string_view::npos) why.remove_prefix(name + one.file_name.size() + 2);
    out->Write("  ", Printable(one.file_name), " cannot be opened: ", Printable(why), "\n");
  }
}

}  // namespace leafstore::tools
