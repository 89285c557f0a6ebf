// Filter: a predicate over the nodes of a model, to split groups off.
//
//   Filter norms = Glob("layers.*.norm.**");
//   Filter weights = filters::And(RankIs(2), filters::Not(Glob("**.embedding.**")));
//   Filter from_user = Filter::Parse("re:.*bias and not tag:frozen").value();
//
// What is asked. Every node from the root down, containers too (aliases never), each with its path,
// kind, type name, tags, and for a leaf its dtype, shape and size. Partition (partition.h) says
// what follows from a match. Since containers are asked, filters::Not(DTypeIs(kF32)) matches the root and
// takes everything: that is the rule. LeavesOnly(f) asks f of leaves alone.
//
// Filters are evaluated on the structure and on what each leaf is (core/leaf_spec.h), so that a file
// is filtered by its manifest or header, before any tensor is read. A Callable alone may look at
// bytes: NodeView::leaf() is null where these are not loaded. The readers of checkpoints and of
// safetensors load all leaves of an item for a filter with a Callable (has_callable()), and none for
// the others.
//
// Globs match the keys of a path one by one, in dotted form:
//
//   layers.*.attn.**     `*` is one key, whatever it is; `**` is none or more keys
//   layers.block_?.w*    inside a key `?` is one character and `*` any number of them
//   a\.b                 a backslash takes the next character literally, here a dot inside one key
//
// What would never match is an error: no pattern at all, an empty key, and brackets and braces,
// which mean something in other languages, without a backslash.
//
// Regular expressions are RE2's and match the whole canonical text (`.layers[0]['w']`).
//
// Text, as the command line takes it:
//
//   expression := term { "or" term } ;  term := factor { "and" factor } ;
//   factor     := "not" factor | "(" expression ")" | atom
//   atom       := "static" | "tensor" | "leaf" | "all"
//               | "re:" REGEX | "dtype:" NAME | "rank:" N | "bytes:" ("<"|"<="|">"|">="|"=") N
//               | "kind:" NAME | "type:" NAME | "tag:" NAME | "has:" CHILD | "glob:" GLOB | GLOB
//
// `kind:` takes leaf, tensor, bool, int, float, str, bytes, none, dict, list, tuple, struct,
// custom. Bytes may end in k, M, G (1024s). A word ends at a space or parenthesis (in a regular
// expression pairs of parentheses are part of it); one with such characters is put in double
// quotes, within which two quotes stand for one: `re:"a (b|c)"`. A bare or quoted word without a
// prefix is a glob. A bare one has no colon in it, so that a misspelt prefix is an error: the glob
// of `weights:0` is written `glob:weights:0`, or in quotes.
//
// Errors. A Filter made of a bad pattern holds the error, with the column in the pattern (1-based,
// in bytes): status() has it from the start, and so does everything made of that filter and every
// use of it. Parse returns it. A filter may be nested 1000 levels deep, otherwise it holds error
// ResourceExhausted; a chain `a or b or ...` of any length is one level.
//
// Threads: immutable, cheap to copy; safe from many threads if a Callable's function is.
#ifndef LEAFSTORE_SELECT_FILTER_H_
#define LEAFSTORE_SELECT_FILTER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/core/dtype.h"
#include "leafstore/core/leaf.h"
#include "leafstore/core/leaf_spec.h"
#include "leafstore/core/value.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore {

// One node, as a Callable sees it. Valid during the call.
class NodeView {
 public:
  NodeView(const TreeDef& def, NodeId node, const std::optional<LeafSpec>& spec, const Leaf* leaf)
      : def_(def), node_(node), spec_(spec), leaf_(leaf) {}

  const TreeDef& def() const { return def_; }
  NodeId node() const { return node_; }
  NodeKind kind() const { return def_.kind(node_); }
  KeyRef key() const { return def_.key(node_); }
  absl::string_view type_name() const { return def_.type_name(node_); }
  bool has_tag(absl::string_view tag) const { return def_.has_tag(node_, tag); }
  // O(depth), and allocates.
  Path path() const { return def_.PathOf(node_); }
  // Whether a dict or struct has a child of this name.
  bool HasChild(absl::string_view name) const;

  // What the leaf is; no value for every other node, and for a leaf that the store does not hold.
  const std::optional<LeafSpec>& spec() const { return spec_; }
  // The leaf itself; null where spec() has no value, and where the leaves are not loaded.
  const Leaf* leaf() const { return leaf_; }
  // Of a tensor that is loaded; null otherwise.
  const Tensor* tensor() const {
    return leaf_ != nullptr && leaf_->is_tensor() ? &leaf_->tensor() : nullptr;
  }

 private:
  const TreeDef& def_;
  NodeId node_;
  std::optional<LeafSpec> spec_;
  const Leaf* leaf_;
};

namespace internal {
class FilterExpr;     // filter_expr.h
struct FilterAccess;  // filter_expr.h
}  // namespace internal

class Filter {
 public:
  // Reads the text form. error InvalidArgument: with the column and what was expected there; or
  // over 64 KiB of text, or 200 levels of nesting.
  static absl::StatusOr<Filter> Parse(absl::string_view text);

  // What was wrong with a pattern in this filter, or OK.
  const absl::Status& status() const;

  // Returns whether a Callable is in it: no other filter looks at the bytes of a tensor.
  // O(expressions).
  bool has_callable() const;

  // The text form: Parse gives an equal filter back, except of a Callable, which is shown by its
  // name in angle brackets.
  // Parse has limits that a Filter has not: what it would refuse (over 64 KiB of text, or 200
  // levels of nesting) is shown all the same.
  std::string ToString() const;

 private:
  friend struct internal::FilterAccess;
  explicit Filter(std::shared_ptr<const internal::FilterExpr> expr) : expr_(std::move(expr)) {}

  std::shared_ptr<const internal::FilterExpr> expr_;  // never null
};

// Comparisons for ByteSizeIs.
enum class SizeCompare : uint8_t { kLess, kLessEqual, kEqual, kGreaterEqual, kGreater };

// The makers of filters. Those whose names are common words (All, And, Or, Not, Callable) are in
// this namespace only, so that `using namespace leafstore` brings no `All`; the others are in
// leafstore too.
namespace filters {

Filter Glob(absl::string_view pattern);
Filter Regex(absl::string_view pattern);
// Tensors of this dtype; of this rank; whose bytes compare so. error InvalidArgument: negative.
Filter DTypeIs(DType dtype);
Filter RankIs(int rank);
Filter ByteSizeIs(SizeCompare compare, int64_t bytes);
// Nodes of this kind (error InvalidArgument: aliases, which are never asked); static leaves of this
// kind; nodes with this type name; with this tag.
Filter KindIs(NodeKind kind);
Filter ValueIs(ValueKind kind);
Filter TypeIs(absl::string_view type_name);
Filter HasTag(absl::string_view tag);
// Dicts and structs with a child of this name.
Filter HasChild(absl::string_view name);
// Leaves that are static; that are tensors; every leaf; every node.
Filter IsStatic();
Filter IsTensor();
Filter IsLeaf();
Filter All();
// Any function of a node. `name` stands for it in messages.
Filter Callable(std::function<bool(const NodeView&)> predicate,
                absl::string_view name = "callable");

Filter And(Filter a, Filter b);
Filter Or(Filter a, Filter b);
Filter Not(Filter a);
template <typename... More>
Filter And(Filter a, Filter b, More... more) {
  return And(And(std::move(a), std::move(b)), std::move(more)...);
}
template <typename... More>
Filter Or(Filter a, Filter b, More... more) {
  return Or(Or(std::move(a), std::move(b)), std::move(more)...);
}
// `filter`, asked of leaves alone.
Filter LeavesOnly(Filter filter);

}  // namespace filters

using filters::ByteSizeIs;
using filters::DTypeIs;
using filters::Glob;
using filters::HasChild;
using filters::HasTag;
using filters::IsLeaf;
using filters::IsStatic;
using filters::IsTensor;
using filters::KindIs;
using filters::LeavesOnly;
using filters::RankIs;
using filters::Regex;
using filters::TypeIs;
using filters::ValueIs;

}  // namespace leafstore

#endif  // LEAFSTORE_SELECT_FILTER_H_
