#include "leafstore/checkpoint/internal/retention.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"

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

// Finds bases among checkpoints.
class BaseIndex {
 public:
  explicit BaseIndex(absl::Span<const StepRecord> checkpoints) : checkpoints_(checkpoints) {
    for (size_t i = 0; i < checkpoints.size(); ++i) {
      by_name_[StepFileName(checkpoints[i].file.step)].push_back(i);
    }
  }

  // Returns the checkpoints that are identical to `base`; if none is, those with its name whose
  // footers are damaged, because they may be.
  std::vector<size_t> Find(const FileIdentity& base) const {
    std::vector<size_t> exact;
    std::vector<size_t> unknown;
    const auto named = by_name_.find(base.name);
    if (named == by_name_.end()) return exact;
    for (const size_t i : named->second) {
      if (checkpoints_[i].identity == base) exact.push_back(i);
      if (checkpoints_[i].identity.name.empty()) unknown.push_back(i);
    }
    return exact.empty() ? unknown : exact;
  }

 private:
  absl::Span<const StepRecord> checkpoints_;
  std::map<std::string, std::vector<size_t>> by_name_;  // also those that were set aside
};

}  // namespace

bool IsBetter(const StepRecord& a, const StepRecord& b, const Retention& retention) {
  const std::optional<double> metric_a = MetricOf(a, retention);
  const std::optional<double> metric_b = MetricOf(b, retention);
  if (metric_a != metric_b) return metric_a > metric_b;  // nullopt is less than any value
  return a.file.step > b.file.step;
}

void KeepBases(absl::Span<const StepRecord> checkpoints, std::vector<bool>* keep) {
  int64_t highest_unknown = -1;
  for (size_t i = checkpoints.size(); i > 0; --i) {
    const int64_t step = checkpoints[i - 1].file.step;
    if (checkpoints[i - 1].is_unknown) highest_unknown = std::max(highest_unknown, step);
    if (step < highest_unknown) (*keep)[i - 1] = true;
  }
  const BaseIndex index(checkpoints);
  std::vector<size_t> open;
  for (size_t i = 0; i < checkpoints.size(); ++i) {
    if ((*keep)[i]) open.push_back(i);
  }
  while (!open.empty()) {
    const StepRecord& checkpoint = checkpoints[open.back()];
    open.pop_back();
    for (const FileIdentity& base : checkpoint.bases) {
      for (const size_t found : index.Find(base)) {
        if ((*keep)[found]) continue;
        (*keep)[found] = true;
        open.push_back(found);
      }
    }
  }
}

std::optional<size_t> FindUser(absl::Span<const StepRecord> checkpoints, size_t index) {
  const BaseIndex bases(checkpoints);
  for (size_t i = 0; i < checkpoints.size(); ++i) {
    if (i == index || absl::IsDataLoss(checkpoints[i].status)) continue;
    const bool is_above = checkpoints[i].file.step > checkpoints[index].file.step;
    if (checkpoints[i].is_unknown && is_above) return i;
    for (const FileIdentity& base : checkpoints[i].bases) {
      const std::vector<size_t> found = bases.Find(base);
      if (std::find(found.begin(), found.end(), index) == found.end()) continue;
      const bool another = std::any_of(found.begin(), found.end(), [&](size_t other) {
        return other != index && checkpoints[other].status.ok();
      });
      if (!another) return i;
    }
  }
  return std::nullopt;
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
