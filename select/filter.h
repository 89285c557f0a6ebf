// Filter: a predicate over the nodes of a model, used to split it into groups.
//
//   Filter norms = Glob("layers.*.norm.**");
//   Filter weights = filters::And(RankIs(2), filters::Not(Glob("**.embedding.**")));
//   Filter from_user = Filter::Parse("re:.*bias and not tag:frozen").value();
//
// Filters are evaluated on every node from the root down, including containers but never aliases. A
// node has a path, kind, type name and tags; a leaf also has a dtype, shape and size. Grouping
// (grouping.h) defines the effect of a match. Since containers are included,
// filters::Not(DTypeIs(kF32)) matches the root, and so selects everything; LeavesOnly(f) evaluates
// f on leaves only.
//
// Filters need only the structure and the spec of each leaf, so a file is filtered by its manifest
// or header before any tensor is read. Only a Callable may look at bytes: for a filter with one,
// readers first load all leaves of an item.
//
// Globs match the keys of a path one by one, in dotted form:
//
//   layers.*.attn.**     `*` matches any one key; `**` matches zero or more keys
//   layers.block_?.w*    inside a key, `?` matches one character and `*` any number of them
//   a\.b                 a backslash makes the next character literal, here a dot inside one key
//   a.''                 two single quotes, alone between dots, are an empty key
//
// Patterns that could never match are errors: an empty pattern, an empty key, and brackets or
// braces (which have a meaning in other glob languages) without a backslash.
//
// Regular expressions use RE2 syntax and match the full canonical path (`.layers[0]['w']`).
//
// Text form, as accepted on the command line:
//
//   expression := term { "or" term } ;  term := factor { "and" factor } ;
//   factor     := "not" factor | "(" expression ")" | atom
//   atom       := "static" | "tensor" | "leaf" | "all"
//               | "re:" REGEX | "dtype:" NAME | "rank:" N | "bytes:" ("<"|"<="|">"|">="|"=") N
//               | "kind:" NAME | "type:" NAME | "tag:" NAME | "has:" CHILD | "glob:" GLOB | GLOB
//
// `kind:` accepts leaf, tensor, bool, int, float, str, bytes, none, dict, list, tuple, struct,
// custom. Byte counts may end in k, M or G (powers of 1024). A word ends at a space or parenthesis;
// a regular expression may contain balanced parentheses. Other words with such characters are put
// in double quotes, inside which a quote is written twice: `re:"a (b|c)"`. A word without a prefix
// is a glob. An unquoted glob must not contain a colon, so that a misspelled prefix is an error:
// the glob `weights:0` is written `glob:weights:0`, or in quotes.
//
// Errors. A Filter made from a bad pattern holds the error, with the column in the pattern
// (1-based, in bytes). status() returns it, and so does every use of this filter or of one composed
// from it. Parse returns it directly. A Filter nested more than 1000 levels deep holds error
// ResourceExhausted; a chain `a or b or ...` of any length is one level.
//
// Threads: immutable, cheap to copy; thread-safe if the functions of Callables are.
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

// A node passed to a Callable. Valid during the call.
class NodeView {
 public:
  NodeView(const TreeDef& def, NodeId node, const std::optional<LeafSpec>& spec, const Leaf* leaf)
      : def_(&def), node_(node), spec_(spec), leaf_(leaf) {}

  const TreeDef& def() const { return *def_; }
  NodeId node() const { return node_; }
  NodeKind kind() const { return def_->kind(node_); }
  KeyRef key() const { return def_->key(node_); }
  absl::string_view type_name() const { return def_->type_name(node_); }
  bool has_tag(absl::string_view tag) const { return def_->has_tag(node_, tag); }
  // Returns the path. Allocates; O(depth).
  Path path() const { return def_->PathOf(node_); }
  // Returns whether this is a dict or struct with a child of this name.
  bool HasChild(absl::string_view name) const;

  // Returns the leaf's spec; nullopt if this is not a leaf or the store does not hold it.
  const std::optional<LeafSpec>& spec() const { return spec_; }
  // Returns the leaf; null if spec() is nullopt or the leaves are not loaded.
  const Leaf* leaf() const { return leaf_; }
  // Returns the tensor; null if this is not a tensor or it is not loaded.
  const Tensor* tensor() const {
    return leaf_ != nullptr && leaf_->is_tensor() ? &leaf_->tensor() : nullptr;
  }

 private:
  const TreeDef* def_;
  NodeId node_;
  std::optional<LeafSpec> spec_;
  const Leaf* leaf_;
};

namespace internal {
struct FilterExpr;    // filter_expr.h
struct FilterAccess;  // filter_expr.h
}  // namespace internal

class Filter {
 public:
  // Parses the text form. error InvalidArgument: a syntax error, with the column and what was
  // expected there; or more than 64 KiB of text or 200 levels of nesting.
  static absl::StatusOr<Filter> Parse(absl::string_view text);

  // Returns OK, or the error of a bad pattern in this filter.
  const absl::Status& status() const;

  // Returns whether it contains a Callable. No other filter looks at the bytes of a tensor.
  // O(expressions).
  bool has_callable() const;

  // Returns the text form, which Parse turns back into an equal filter. A Callable is printed as
  // its name in angle brackets. The limits of Parse (64 KiB of text, 200 levels) do not apply here.
  std::string ToString() const;

 private:
  friend struct internal::FilterAccess;
  explicit Filter(std::shared_ptr<const internal::FilterExpr> expr) : expr_(std::move(expr)) {}

  std::shared_ptr<const internal::FilterExpr> expr_;  // never null
};

// Comparisons for ByteSizeIs.
enum class SizeCompare : uint8_t { kLess, kLessEqual, kEqual, kGreaterEqual, kGreater };

// Match paths.
Filter Glob(absl::string_view pattern);
Filter Regex(absl::string_view pattern);
// Match tensors by dtype, rank, or size in bytes. error InvalidArgument: a negative number.
Filter DTypeIs(DType dtype);
Filter RankIs(int rank);
Filter ByteSizeIs(SizeCompare compare, int64_t bytes);
// Match nodes by kind (error InvalidArgument: aliases, which are never evaluated), static leaves by
// kind, nodes by type name, nodes by tag.
Filter KindIs(NodeKind kind);
Filter ValueIs(ValueKind kind);
Filter TypeIs(absl::string_view type_name);
Filter HasTag(absl::string_view tag);
// Matches dicts and structs with a child of this name.
Filter HasChild(absl::string_view name);
// Match static leaves, tensors, all leaves.
Filter IsStatic();
Filter IsTensor();
Filter IsLeaf();
// Matches the leaves that `filter` matches.
Filter LeavesOnly(Filter filter);

// Contains every filter. Those with common names, such as All, are only here, so that `using
// namespace leafstore` does not import them.
namespace filters {

using leafstore::ByteSizeIs;
using leafstore::DTypeIs;
using leafstore::Glob;
using leafstore::HasChild;
using leafstore::HasTag;
using leafstore::IsLeaf;
using leafstore::IsStatic;
using leafstore::IsTensor;
using leafstore::KindIs;
using leafstore::LeavesOnly;
using leafstore::RankIs;
using leafstore::Regex;
using leafstore::TypeIs;
using leafstore::ValueIs;

// Matches all nodes.
Filter All();
// Matches nodes for which `predicate` returns true. `name` identifies it in messages.
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

}  // namespace filters

}  // namespace leafstore

#endif  // LEAFSTORE_SELECT_FILTER_H_
