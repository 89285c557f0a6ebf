// ReportData: everything that a report shows, and its JSON, which the page reads and which
// `leafstore report --json` prints.
//
// The JSON is one object. Names and meanings do not change within one value of `schema`; fields may
// be added. Leaves are in columns: lists of one length, so that a page with 10,000 leaves has a few
// MB. NaN, and a number of a leaf that one side does not have, is null; infinities are "inf" and
// "-inf". Text is as Printable (text.h) returns it, so that it is safe to show. Names of metadata
// and metrics are names of fields, in which a backslash is doubled, so that no two names become
// equal.
//
//   schema     1
//   mode       "model": one file; "compare": two; "steps": a managed directory
//   title, verified (whether checksums exist and were verified), notes [text]
//   files      [{name, bytes, format, has_checksums, step, metrics {name: number},
//              metadata {name: text}, bases}]
//              before and after for "compare", otherwise one
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
//   aliases    {node, target}: nodes that are other names of nodes
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

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

#include "leafstore/core/key.h"
#include "leafstore/core/metadata.h"
#include "leafstore/core/path.h"
#include "leafstore/core/shape.h"
#include "leafstore/core/value.h"
#include "leafstore/numeric/stats.h"
#include "leafstore/tools/source/item_rows.h"

namespace leafstore::tools {

inline constexpr int kReportSchema = 1;

enum class ReportMode : uint8_t { kModel, kCompare, kSteps };

// The nodes above the leaves of one item, or of two that are compared.
//
//   ReportTree tree;
//   const ReportTree::Node layers = tree.Child(ReportTree::kRoot, KeyRef::Attribute("layers"));
//   const ReportTree::Node first = tree.Child(layers, KeyRef::Index(0));
//
// A node is identified by its parent and its key, so that equal paths of two items are one node,
// whatever their order and structure. Children are in the order of their creation.
class ReportTree {
 public:
  using Node = uint32_t;
  static constexpr Node kRoot = 0;
  static constexpr Node kNone = 0xffffffff;

  ReportTree() : nodes_(1) {}

  // Returns the child with this key; creates it if it does not exist. O(length), expected.
  Node Child(Node parent, const KeyRef& key);
  // Returns the node at a path; creates it and its ancestors if they do not exist.
  Node At(const Path& path);

  size_t size() const { return nodes_.size(); }
  // Returns kNone for the root.
  Node parent(Node node) const { return nodes_[node].parent; }
  // Return the key as part of a dotted path, and of canonical text; cut where it is long.
  const std::string& key(Node node) const { return nodes_[node].key; }
  const std::string& step(Node node) const { return nodes_[node].step; }

  // Returns all nodes in preorder. O(nodes).
  std::vector<Node> Preorder() const;

 private:
  struct Entry {
    Node parent = kNone;
    Node first_child = kNone;
    Node last_child = kNone;
    Node next_sibling = kNone;
    std::string key;
    std::string step;
  };

  std::vector<Entry> nodes_;
  absl::flat_hash_map<std::pair<Node, std::string>, Node> index_;
};

// A leaf on one side.
struct ReportLeaf {
  // The value of a static leaf. The other fields are for tensors.
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
  // For tensors with kSame and kNumbers, as in LeafDiff (numeric/diff.h) and in `change` above.
  std::optional<int64_t> differing;
  double max_abs = 0;
  double max_rel = 0;
  double l2 = 0;
};

struct ReportSeries {
  // A step of a leaf. No value where the leaf is not a tensor at that step.
  struct Point {
    double l2;
    double change;  // NaN where the previous step has no such tensor
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

  // Per leaf its index in `groups`; empty without groups.
  std::vector<std::optional<uint32_t>> group_of_leaf;
  std::vector<ReportGroup> groups;
  bool groups_saved = false;
  std::optional<std::string> took_root;

  // One or two sides, each per leaf.
  std::vector<std::vector<std::optional<ReportLeaf>>> sides;
  std::vector<std::optional<Totals>> totals;
  // Per leaf, for a comparison.
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
  std::vector<Metrics> step_metrics;  // per step
  std::vector<std::pair<int64_t, std::string>> skipped;
  std::vector<ReportItem> items;
};

// Returns the JSON in ASCII, with the leaves in preorder of the tree. O(size).
std::string ReportJson(const ReportData& data);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_REPORT_REPORT_DATA_H_
