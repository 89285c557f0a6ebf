// View: one leaf or subtree of a model, without building the rest.
//
//   View model(def, params);
//   const Tensor* weight = model["layers"][0]["weight"].tensor().value();
//   Linear first = model["layers"][0].Build<Linear>().value();
//   Tree head = model["head"].Build<Tree>().value();
//
// A string goes to a struct's attribute or a dict's item, a number to a position or a dict's int
// key. An alias is followed to its owner. A step costs a walk over one node's sorted keys and
// nothing of the model is built; Build makes the leaves of its own subtree alone.
//
// Errors come at the end. A step that finds nothing gives a view that remembers why: status(), and
// whatever is asked of it, say the first key that failed, where it failed, and near names.
// error NotFound: no such key; error InvalidArgument: a key of the wrong kind, or below a leaf.
//
// Lifetime. A view holds the structure and points to the store, which must outlive it and not be
// moved meanwhile. What it gives out lives as the store's leaves do.
//
// Threads: immutable; calls are safe from many threads while the store is not written.
#ifndef LEAFSTORE_STORE_VIEW_H_
#define LEAFSTORE_STORE_VIEW_H_

#include <concepts>
#include <cstdint>
#include <string>
#include <utility>
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
  // The root. The store may be a group of the model, and of another Layout (then leaves are found
  // by path); what it lacks is error NotFound when asked for.
  View(TreeDef def, const ParamStore& store);
  View(TreeDef def, ParamStore&& store) = delete;  // would dangle
  // With the structure of the store's own Layout; status() has the error if there is none.
  explicit View(const ParamStore& store);
  explicit View(ParamStore&& store) = delete;

  // The child by attribute or item; by position or int key. O(log children).
  View operator[](absl::string_view key) const;
  View operator[](const char* key) const { return (*this)[absl::string_view(key)]; }
  View operator[](const std::string& key) const { return (*this)[absl::string_view(key)]; }
  template <std::integral T>
  requires(!std::same_as<T, bool>) View operator[](T index) const {
    return Index(static_cast<int64_t>(index));
  }

  // OK, or why a step failed.
  const absl::Status& status() const { return status_; }
  bool ok() const { return status_.ok(); }

  // Of the node reached (an alias's owner); status() must be OK.
  NodeId node() const { return node_; }
  NodeKind kind() const { return def_.kind(node_); }
  const TreeDef& def() const { return def_; }
  // Its canonical path; "" for the root. O(depth).
  std::string path() const { return def_.PathOf(node_).ToString(); }
  // How many children it has.
  uint32_t size() const { return def_.child_count(node_); }

  // The leaf. error: status(); InvalidArgument: it is no leaf; NotFound: the store does not have
  // it.
  absl::StatusOr<const Leaf*> leaf() const;
  // The same, and error InvalidArgument: the leaf is static; it is a tensor.
  absl::StatusOr<const Tensor*> tensor() const;
  absl::StatusOr<const Value*> value() const;

  // The subtree as a model of its own, of any type that a whole model can have (binding.h); tensors
  // share their bytes. error: status(); NotFound: leaves are not in the store, all are named;
  // InvalidArgument: the type does not fit. FailedPrecondition: a borrow is open.
  // O(nodes of the subtree).
  template <typename T>
  absl::StatusOr<T> Build() const {
    LEAFSTORE_ASSIGN_OR_RETURN(const Part part, TakePart());
    T model{};
    LEAFSTORE_RETURN_IF_ERROR(internal::UnflattenTree(part.def, part.leaves, &model));
    return model;
  }

 private:
  struct Part {
    TreeDef def;
    std::vector<Leaf> leaves;
  };
  View Index(int64_t index) const;
  View Child(const KeyRef& key) const;
  View Failed(absl::Status status) const;
  const Leaf* FindLeaf(uint32_t number) const;
  // The same for many.
  std::vector<const Leaf*> FindLeaves(const std::vector<uint32_t>& numbers) const;
  absl::StatusOr<Part> TakePart() const;

  TreeDef def_;
  const ParamStore* store_;
  NodeId node_ = kRootNode;
  bool by_slot_ = true;  // the store's Layout is that of def_
  absl::Status status_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_STORE_VIEW_H_
