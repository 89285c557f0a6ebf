// View: accesses one leaf or subtree of a model without building the rest.
//
//   View model(def, params);
//   const Tensor* weight = model["layers"][0]["weight"].tensor().value();
//   Linear first = model["layers"][0].Build<Linear>().value();
//   Tree head = model["head"].Build<Tree>().value();
//
// A string selects a struct's attribute or a dict's item, an integer a position or a dict's int
// key. An alias is followed to its owner. A step is a binary search of one node's keys; no part of
// the model is built. Build builds its own subtree only.
//
// Errors come at the end. A step that finds nothing returns a view that keeps the error, which
// status() and every other call that can fail return. error NotFound: as TreeDef::GetChild.
//
// Lifetime. A view holds the structure and points to the store, which must outlive it and not move.
// The leaves returned live as long as the store's.
//
// Borrows. While a borrow of the store is open, leaf(), tensor() and value() still return the leaf,
// as ParamStore::Find does. Build is error FailedPrecondition.
//
// Threads: immutable; calls are thread-safe while the store is not written.
#ifndef LEAFSTORE_STORE_VIEW_H_
#define LEAFSTORE_STORE_VIEW_H_

#include <concepts>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/core/leaf.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/store/param_store.h"
#include "leafstore/treedef/bind/flatten.h"
#include "leafstore/treedef/tree/tree.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore {

class View {
 public:
  // Views the root. The store may be a group of the model, and may have a different Layout (then
  // leaves are found by path). A leaf that it lacks is error NotFound when it is requested.
  View(TreeDef def, const ParamStore& store);
  View(TreeDef def, ParamStore&& store) = delete;  // would dangle
  // Views the store with the structure of its own Layout; status() has the error of Layout::def().
  explicit View(const ParamStore& store);
  explicit View(ParamStore&& store) = delete;

  // Returns the child by attribute or item, or by position or int key. O(log children).
  View operator[](absl::string_view key) const;
  View operator[](const char* key) const { return (*this)[absl::string_view(key)]; }
  View operator[](const std::string& key) const { return (*this)[absl::string_view(key)]; }
  template <std::integral T>
  requires(!std::same_as<T, bool>) View operator[](T index) const {
    return Child(KeyRef::Index(static_cast<int64_t>(index)));
  }

  // Returns OK, or why a step failed.
  const absl::Status& status() const { return status_; }
  bool ok() const { return status_.ok(); }

  // Describe the node reached (for an alias, its owner). status() must be OK.
  NodeId node() const { return node_; }
  NodeKind kind() const { return def_.kind(node_); }
  const TreeDef& def() const { return def_; }
  // Returns its canonical path; "" for the root. O(depth).
  std::string path() const { return def_.PathOf(node_).ToString(); }
  // Returns the number of its children.
  uint32_t size() const { return def_.child_count(node_); }

  // Returns the leaf. error: status(); InvalidArgument: the node is not a leaf; NotFound: the store
  // does not have it; ResourceExhausted: as TreeDef::PathText, if the store has a different Layout.
  // O(1); on a different Layout, expected O(length of the path).
  absl::StatusOr<const Leaf*> leaf() const;
  // Return the leaf's tensor or value. error as leaf(); InvalidArgument: the leaf is of the other
  // kind.
  absl::StatusOr<const Tensor*> tensor() const;
  absl::StatusOr<const Value*> value() const;

  // Returns the subtree as a model of its own, of any type that a model can have (binding.h);
  // tensors share their bytes. error: status(); NotFound: leaves are not in the store, all are
  // named; InvalidArgument: the type does not fit; FailedPrecondition: a borrow is open. O(nodes of
  // the subtree).
  template <typename T>
  absl::StatusOr<T> Build() const {
    LEAFSTORE_ASSIGN_OR_RETURN(const internal::FlatTree part, Subtree());
    T model{};
    LEAFSTORE_RETURN_IF_ERROR(internal::UnflattenTree(part.def, part.leaves, &model));
    return model;
  }

 private:
  View Child(const KeyRef& key) const;
  absl::Status WrongKind(absl::string_view expected_and_found, const Leaf& leaf) const;
  // Returns the leaf of the store for each of these leaves of def_; null if it lacks it.
  std::vector<const Leaf*> FindLeaves(absl::Span<const uint32_t> leaves) const;
  absl::StatusOr<internal::FlatTree> Subtree() const;

  TreeDef def_;
  const ParamStore* store_;
  NodeId node_ = kRootNode;
  bool by_slot_ = true;  // the store's Layout is that of def_
  absl::Status status_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_STORE_VIEW_H_
