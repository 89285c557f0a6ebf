#include "leafstore/checkpoint/internal/retention.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "absl/strings/string_view.h"

#include "leafstore/core/internal/hash_tables.h"

namespace leafstore::internal {
namespace {

// NaN and -inf are what a diverged loss or its logarithm becomes, so they are never the best.
std::optional<double> MetricOf(const StepRecord& checkpoint, const Retention& retention) {
  const auto found = checkpoint.metrics.find(retention.metric);
  if (found == checkpoint.metrics.end() ||
      !(found->second >= std::numeric_limits<double>::lowest())) {
    return std::nullopt;
  }
  return retention.higher_is_better ? found->second : -found->second;
}

void KeepBest(absl::Span<const StepRecord> checkpoints, const Retention& retention,
              std::vector<bool>* keep) {
  std::vector<size_t> order;
  for (size_t i = 0; i < checkpoints.size(); ++i) {
    if (checkpoints[i].counts() && MetricOf(checkpoints[i], retention)) order.push_back(i);
  }
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return IsBetter(checkpoints[a], checkpoints[b], retention);
  });
  for (size_t i = 0; i < std::min(order.size(), retention.best); ++i) (*keep)[order[i]] = true;
}

bool AnyHasMetric(absl::Span<const StepRecord> checkpoints, const Retention& retention) {
  return std::any_of(checkpoints.begin(), checkpoints.end(), [&](const StepRecord& one) {
    return one.counts() && one.metrics.contains(retention.metric);
  });
}

// Keeps the `last` newest checkpoints that count, and at least one.
void KeepLast(absl::Span<const StepRecord> checkpoints, size_t last, std::vector<bool>* keep) {
  size_t found = 0;
  for (size_t i = checkpoints.size(); i > 0 && found < std::max<size_t>(last, 1); --i) {
    if (!checkpoints[i - 1].counts()) continue;
    (*keep)[i - 1] = true;
    ++found;
  }
}

// Keeps the bases of all kept checkpoints. A kept base keeps its own bases too: it is listed as a
// checkpoint, and may be restored.
void KeepBases(absl::Span<const StepRecord> checkpoints, std::vector<bool>* keep) {
  // Those that were set aside are all kept, so that they need no entry.
  HashMap<absl::string_view, size_t> by_name;
  std::vector<size_t> open;
  for (size_t i = 0; i < checkpoints.size(); ++i) {
    if (!checkpoints[i].file.abandoned) by_name.emplace(checkpoints[i].file.name, i);
    if ((*keep)[i]) open.push_back(i);
  }
  while (!open.empty()) {
    const StepRecord& checkpoint = checkpoints[open.back()];
    open.pop_back();
    if (!checkpoint.status.ok()) continue;
    for (const BaseFile& base : checkpoint.bases) {
      const auto found = by_name.find(base.name);
      if (found == by_name.end() || (*keep)[found->second]) continue;
      if (!checkpoints[found->second].Is(base)) continue;
      (*keep)[found->second] = true;
      open.push_back(found->second);
    }
  }
}

}  // namespace

bool IsBetter(const StepRecord& a, const StepRecord& b, const Retention& retention) {
  const std::optional<double> metric_a = MetricOf(a, retention);
  const std::optional<double> metric_b = MetricOf(b, retention);
  if (metric_a != metric_b) return metric_a > metric_b;  // nullopt is less than any value
  return a.file.step > b.file.step;
}

std::vector<bool> CheckpointsToKeep(absl::Span<const StepRecord> checkpoints,
                                    const Retention& retention) {
  const bool has_rule = retention.last > 0 || retention.every > 0 || retention.best > 0;
  const bool knows_best = retention.best == 0 || AnyHasMetric(checkpoints, retention);
  const bool keeps_all = !has_rule || !knows_best;
  std::vector<bool> keep(checkpoints.size(), keeps_all);
  if (keeps_all) return keep;
  KeepLast(checkpoints, retention.last, &keep);
  for (size_t i = 0; i < checkpoints.size(); ++i) {
    if (checkpoints[i].pinned || !checkpoints[i].counts()) keep[i] = true;
    if (retention.every > 0 && checkpoints[i].file.step % retention.every == 0) keep[i] = true;
  }
  if (retention.best > 0) KeepBest(checkpoints, retention, &keep);
  KeepBases(checkpoints, &keep);
  return keep;
}

}  // namespace leafstore::internal
