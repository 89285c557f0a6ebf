// The data of a report, as JSON: what the page reads and `leafstore report --json` prints.
//
// It is one object. Names and meanings do not change within one value of `schema`; fields may
// be added. Leaves are in columns: lists of one length, so that a page with 10,000 leaves has a few
// MB. NaN is null, and so is a number of a leaf that one side does not have; infinities are "inf"
// and "-inf". Text is as Printable (text.h) returns it, so that it is safe to show. Names of
// metadata and metrics are names of fields; backslashes in them are doubled, so that no two names
// become equal.
//
//   schema     1
//   mode       "model": one file; "compare": two; "steps": a managed directory
//   title, verified (whether checksums exist and were verified), notes [text]
//   files      [{name, bytes, format, has_checksums, step, metrics {name: number},
//              metadata {name: text}, bases}]
//              two for "compare" (before, after), otherwise one
//   steps      for "steps": the steps, ascending
//   metrics    for "steps": {name: [number or null per step]}
//   skipped    for "steps": [{step, why}], those that could not be read
//   items      [item]
//
// An item has:
//
//   name, metadata
//   totals     per side: {leaves, tensors, parameters, bytes, stored}, or null
//   tree       {parent, key, step}, per node in preorder; the parent of the root is -1. `key` is a
//              part of the dotted path, `step` one of the canonical path
//   leaves     {node, group}, per leaf; `group` is an index in `groups`, or null, and is missing
//              without groups
//   aliases    {node, target}: each alias, and the node that it refers to
//   tags       {node, tag}
//   groups     [{name (null: leaves in no group), rest, leaves, tensors, parameters, bytes,
//              stored, count, nan, inf, zero, min, max, mean, std, l2}]
//   groups_saved, took_root (the group whose filter matched the root, or null)
//   sides      one, or two for "compare"; each has columns per leaf, null where the side does not
//              have the leaf:
//     kind       "tensor" or "static"
//     dtype      for a static leaf the kind of its value
//     shape, parameters, bytes, stored
//     value      of a static leaf
//     count, nan, inf, zero, min, max, mean, std, l2      as in numeric/stats.h
//     histogram  counts in equal bins from min to max, for "compare" from the smaller min to the
//                larger max of both sides; null without finite numbers
//   change     for "compare", per leaf: {what, differing, max_abs, max_rel, l2}; structure [text]
//     what       "same", "numbers", "value", "dtype", "shape", "kind", "added", "removed"
//     l2         the norm of after minus before, over numbers that are finite on both sides
//   series     for "steps": {steps, l2, change, odd}; the last three are lists per leaf of lists
//              per step: the norm, the norm of the change since the previous step, and the count of
//              NaN and infinite numbers
#ifndef LEAFSTORE_TOOLS_REPORT_REPORT_DATA_H_
#define LEAFSTORE_TOOLS_REPORT_REPORT_DATA_H_

#include <vector>

#include "leafstore/tools/present/json.h"
#include "leafstore/tools/report/report_item.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

inline constexpr int kReportSchema = 1;

// Returns an entry of `files`.
Json ReportFileJson(const Source& source);
// Returns an entry of `items`; `steps` are those of its series, null without one.
Json ReportItemJson(const ReportItem& item, const Json& steps);
// Returns `metrics`: a list with an entry per step, for each name that any step has.
Json MetricsByStep(const std::vector<Metrics>& by_step);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_REPORT_REPORT_DATA_H_
