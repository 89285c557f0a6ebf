// ReportData: all that a report shows, and its form as JSON, which is what the page reads and what
// `leafstore report --json` prints.
//
// The JSON is one object. Names and meanings do not change within one value of `schema`; fields may
// be added. Leaves are in columns: lists of one length, so that 10,000 leaves stay a page of a few
// MB. A number that is not there (NaN, or of a leaf that is not) is null; infinities are "inf" and
// "-inf". Text is as Printable (text.h) returns it, so that it does nothing to whoever shows it; in
// names of metadata and metrics, which are names of fields here, a backslash of the name's own is
// two, so that no two names become one.
//
//   schema     1
//   mode       "model": one file; "compare": two; "steps": a managed directory
//   title, verified (whether there are checksums, and they were checked), notes [text]
//   files      [{name, bytes, format, has_checksums, step, metrics {name: number},
//              metadata {name: text}, bases}]
//              of "compare" before and after, otherwise one
//   steps      of "steps": the numbers of the steps, growing
//   metrics    of "steps": {name: [number or null by step]}
//   skipped    of "steps": [{step, why}], those that could not be read
//   items      [item]
//
// Of an item:
//
//   name, metadata
//   totals     by side: {leaves, tensors, parameters, bytes, stored}, or null
//   tree       {parent, key, step}, by node in preorder; the parent of the root is -1. `key` is a
//              part of the dotted path, `step` one of the canonical path
//   leaves     {node, group}, by leaf; `group` is a place in `groups`, or null, and is missing where
//              there are no groups
//   aliases    {node, target}: nodes that stand for others
//   tags       {node, tag}
//   groups     [{name (null: of what is in no group), rest, leaves, tensors, parameters, bytes,
//              stored, count, nan, inf, zero, min, max, mean, std, l2}]
//   groups_saved, took_root (the group whose filter matched the root, or null)
//   sides      one, of "compare" two; of each columns by leaf, null where the leaf is not there:
//     kind       "tensor" or "static"
//     dtype      of a static leaf the kind of its value
//     shape, parameters, bytes, stored
//     value      of a static leaf
//     count, nan, inf, zero, min, max, mean, std, l2      as in numeric/stats.h
//     histogram  counts in equal bins from min to max, in "compare" from the smaller min to the
//                larger max of both sides; null where there is no finite number
//   change     of "compare", by leaf: {what, differing, max_abs, max_rel, l2}, and structure [text]
//     what       "same", "numbers", "value", "dtype", "shape", "kind", "added", "removed"
//     l2         the norm of after minus before, over numbers that are finite on both sides
//   series     of "steps": {steps, l2, change, odd}; of the last three a list by leaf of lists by
//              step: the norm, that of the change since the step before, and how many numbers are
//              NaN or infinite
#ifndef LEAFSTORE_TOOLS_REPORT_REPORT_DATA_H_
#define LEAFSTORE_TOOLS_REPORT_REPORT_DATA_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

#include "leafstore/core/metadata.h"
#include "leafstore/core/shape.h"
#include "leafstore/core/value.h"
#include "leafstore/numeric/stats.h"
#include "leafstore/tools/report/report_tree.h"
#include "leafstore/tools/source/item_rows.h"

namespace leafstore::tools {

inline constexpr int kReportSchema = 1;

enum class ReportMode : uint8_t { kModel, kCompare, kSteps };

// A leaf on one side.
struct ReportLeaf {
  // Of a static leaf; the rest is of tensors.
  std::optional<Value> value;
  std::string dtype;
  Shape shape;
  int64_t bytes = 0;
  int64_t stored = 0;
  TensorStats stats;
};

struct LeafChange {
  enum class What : uint8_t { kSame, kNumbers, kValue, kDType, kShape, kKind, kAdded, kRemoved };

  What what = What::kSame;
  // Of kSame and kNumbers, of tensors; as LeafDiff's (numeric/diff.h) and above.
  std::optional<int64_t> differing;
  double max_abs = 0;
  double max_rel = 0;
  double l2 = 0;
};

struct ReportSeries {
  // By leaf, by step; none where the leaf is no tensor at that step.
  struct Point {
    double l2;
    double change;  // NaN where the step before has none to compare with
    int64_t odd;    // NaN or infinite
  };
  std::vector<std::vector<std::optional<Point>>> points;
};

struct ReportGroup {
  std::optional<std::string> name;
  bool rest = false;
  Totals totals;
  TensorStats stats;
};

struct ReportItem {
  std::string name;
  Metadata metadata;

  ReportTree tree;
  std::vector<ReportTree::Node> leaf_nodes;
  std::vector<std::pair<ReportTree::Node, ReportTree::Node>> aliases;
  std::vector<std::pair<ReportTree::Node, std::string>> tags;

  // By leaf a place in `groups`; empty where there are none.
  std::vector<std::optional<uint32_t>> group_of_leaf;
  std::vector<ReportGroup> groups;
  bool groups_saved = false;
  std::optional<std::string> took_root;

  // One or two; by leaf.
  std::vector<std::vector<std::optional<ReportLeaf>>> sides;
  std::vector<std::optional<Totals>> totals;
  // Of a comparison, by leaf.
  std::vector<LeafChange> changes;
  std::vector<std::string> structure;
  std::optional<ReportSeries> series;
};

struct ReportFile {
  std::string name;
  int64_t bytes = 0;
  std::string format;
  bool has_checksums = false;  // one for each tensor
  std::optional<int64_t> step;
  Metrics metrics;
  Metadata metadata;
  std::vector<std::string> bases;
};

struct ReportData {
  ReportMode mode = ReportMode::kModel;
  std::string title;
  bool verified = false;
  std::vector<std::string> notes;
  std::vector<ReportFile> files;
  std::vector<int64_t> steps;
  std::vector<Metrics> step_metrics;  // by step
  std::vector<std::pair<int64_t, std::string>> skipped;
  std::vector<ReportItem> items;
};

// Leaves get numbers in preorder of the tree, whatever their order was. ASCII. O(size).
std::string ReportJson(const ReportData& data);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_REPORT_REPORT_DATA_H_
