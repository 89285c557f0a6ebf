// Definition: a model without its tensors, that is, its structure, static leaves, and the dtype and
// shape of each tensor. (Inox calls it ModuleDef.)
//
//   auto [definition, tensors] = Definition::Take(flat.def, std::move(flat.params)).value();
//   ... partition, train and save the tensors ...
//   ParamStore all = definition.Merge(std::move(frozen), rest).value();
//   Mlp model = definition.Build<Mlp>(frozen, rest).value();
//
// It is small, immutable, comparable and hashable, so it can be the key of a cache. Two Definitions
// are equal if the same tensors fit both and build the same model.
//
// Errors. Merge and Build report all mismatches at once: leaves that are missing, unexpected (not
// in the structure), duplicate (including static leaves, which the Definition already has), or with
// a different dtype or shape than the original tensor. After an error the groups are unchanged.
//
// Threads: immutable and cheap to copy; calls are thread-safe.
#ifndef LEAFSTORE_STORE_DEFINITION_H_
#define LEAFSTORE_STORE_DEFINITION_H_

#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/core/leaf_columns.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/store/flatten.h"
#include "leafstore/store/merge.h"
#include "leafstore/store/param_store.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore {

class Definition {
 public:
  struct Taken;

  // Creates the definition of the structure None, without tensors.
  Definition();

  // Splits a complete model's store into {definition, tensors}. The tensors are moved into a group
  // on the Layout of `def`. A store on a different Layout is matched with `def` by path.
  // error InvalidArgument: leaves are missing or unexpected; all are named. error
  // FailedPrecondition: a borrow is open. After an error the store is unchanged. O(leaves).
  static absl::StatusOr<Taken> Take(const TreeDef& def, ParamStore&& store);

  const TreeDef& def() const { return rep_->def; }
  // Returns the static leaves, as a group on the Layout of def().
  const ParamStore& statics() const { return rep_->statics; }
  // Return the slots of the tensors, and the spec expected in each, by place in this set.
  const SlotSet& tensor_slots() const { return rep_->tensor_slots; }
  const LeafColumns& tensor_specs() const { return rep_->specs; }

  // Returns what Merge and Build would report for these groups. O(leaves).
  FitReport Check(absl::Span<const ParamStore* const> groups) const;

  // Returns the complete store, given groups that together have every tensor. Rvalues are moved;
  // const groups are copied and share their bytes. Groups on the Layout of def() are matched by
  // position, others by path.
  // error InvalidArgument: as above. error FailedPrecondition: a borrow is open in a group.
  // O(leaves).
  template <typename... Groups>
  requires(std::is_same_v<std::remove_cvref_t<Groups>, ParamStore>&&...)
      absl::StatusOr<ParamStore> Merge(Groups&&... groups)
  const { return MergeInputs({internal::MergeInput(std::forward<Groups>(groups))...}); }

  // Builds a model from the groups: into `out`, or a new one. The model shares their leaves; rvalue
  // groups are then emptied, so that the model is the only owner of their leaves.
  // error InvalidArgument: as Merge, or the model's type does not fit the structure. After an error
  // `out` is also unchanged.
  template <typename T, typename... Groups>
  requires(std::is_same_v<std::remove_cvref_t<Groups>, ParamStore>&&...) absl::Status
      Build(T* out, Groups&&... groups)
  const {
    // Shares the leaves, so that the groups are unchanged after an error.
    LEAFSTORE_ASSIGN_OR_RETURN(ParamStore all, Merge(std::as_const(groups)...));
    LEAFSTORE_RETURN_IF_ERROR(Unflatten(def(), std::move(all), out));
    (Clear(std::forward<Groups>(groups)), ...);
    return absl::OkStatus();
  }
  template <typename T, typename... Groups>
  requires(std::is_same_v<std::remove_cvref_t<Groups>, ParamStore>&&...) absl::StatusOr<T> Build(
      Groups&&... groups)
  const {
    T model{};
    LEAFSTORE_RETURN_IF_ERROR(Build(&model, std::forward<Groups>(groups)...));
    return model;
  }

  // Compares structure, static leaves and tensor specs. O(leaves); O(1) for copies.
  friend bool operator==(const Definition& a, const Definition& b) { return a.Equals(b); }
  template <typename H>
  friend H AbslHashValue(H h, const Definition& definition) {
    return H::combine(std::move(h), definition.rep_->hash);
  }

 private:
  struct Rep {
    TreeDef def;
    ParamStore statics;
    SlotSet tensor_slots;
    LeafColumns specs;
    size_t hash = 0;  // of the other members
  };
  explicit Definition(std::shared_ptr<const Rep> rep) : rep_(std::move(rep)) {}

  static Taken Separate(const TreeDef& def, std::vector<Leaf> leaves);
  static void Clear(const ParamStore&) {}
  static void Clear(ParamStore&& group) { group = ParamStore(); }
  // Adds the static leaves to the groups.
  absl::StatusOr<ParamStore> MergeInputs(std::vector<internal::MergeInput> inputs) const;
  bool Equals(const Definition& other) const;

  std::shared_ptr<const Rep> rep_;
};

struct Definition::Taken {
  Definition definition;
  ParamStore tensors;
};

}  // namespace leafstore

#endif  // LEAFSTORE_STORE_DEFINITION_H_
