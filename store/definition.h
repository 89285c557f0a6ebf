// Definition: a model without its tensors: the structure, the static leaves, and the dtype and
// shape of each tensor. (Inox calls it ModuleDef.)
//
//   auto [definition, tensors] = Definition::Take(flat.def, std::move(flat.params)).value();
//   ... partition, train and save the tensors ...
//   ParamStore all = definition.Merge(std::move(frozen), rest).value();
//   Mlp model = definition.Build<Mlp>(frozen, rest).value();
//
// It is to tensors what a constructor is to arguments: small, immutable, comparable and hashable,
// so it can be the key of a cache. Two Definitions are equal when any tensors that fit one fit the
// other and make the same model.
//
// Errors. Merge and Build report all at once: what is missing, unexpected (not in
// the structure), duplicate (also a static leaf, which the Definition has already), and of another
// dtype or shape than the tensor that was taken out. After an error the groups are unchanged.
//
// Threads: immutable and cheap to copy; calls are safe from many threads.
#ifndef LEAFSTORE_STORE_DEFINITION_H_
#define LEAFSTORE_STORE_DEFINITION_H_

#include <cstdint>
#include <memory>
#include <optional>
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

  // The definition of the structure None, without tensors.
  Definition();

  // Takes a whole model's store apart: {definition, tensors}. The tensors are a group on the Layout
  // of `def`, moved, not copied. A store of another Layout meets `def` by path.
  // error InvalidArgument: leaves are missing or unexpected; all are named. error
  // FailedPrecondition: a borrow is open. The store is then as before. O(leaves).
  static absl::StatusOr<Taken> Take(const TreeDef& def, ParamStore&& store);

  const TreeDef& def() const { return rep_->def; }
  // The static leaves, a group on the Layout of def().
  const ParamStore& statics() const { return rep_->statics; }
  // The slots of the tensors, and what is expected in each, by place in this set.
  const SlotSet& tensor_slots() const { return rep_->tensor_slots; }
  const LeafColumns& tensor_specs() const { return rep_->specs; }

  // Returns what Merge and Build would report of these groups. O(leaves).
  FitReport Check(absl::Span<const ParamStore* const> groups) const;

  // Returns the complete store, from groups that together have every tensor. Rvalues are moved in,
  // const groups are copied, which shares their bytes. Groups on the Layout of def() are matched by
  // position, others by path.
  // error InvalidArgument: as above. error FailedPrecondition: a borrow is open in a group.
  // O(leaves).
  template <typename... Groups>
  requires(std::is_same_v<std::remove_cvref_t<Groups>, ParamStore>&&...)
      absl::StatusOr<ParamStore> Merge(Groups&&... groups)
  const {
    const std::vector<internal::MergeInput> inputs = {
        internal::ToMergeInput(std::forward<Groups>(groups))...};
    return MergeInputs(inputs);
  }

  // Builds a model from the groups: into `out`, or a new one. Leaves of rvalues are moved into it.
  // error InvalidArgument also: the model's type does not fit the structure. After an error `out`
  // is as before too.
  template <typename T, typename... Groups>
  requires(std::is_same_v<std::remove_cvref_t<Groups>, ParamStore>&&...) absl::Status
      Build(T* out, Groups&&... groups)
  const {
    const std::vector<internal::MergeInput> inputs = {
        internal::ToMergeInput(std::forward<Groups>(groups))...};
    const std::vector<Origin> origins = OriginsOf(inputs);
    LEAFSTORE_ASSIGN_OR_RETURN(ParamStore all, MergeInputs(inputs));
    absl::Status status = Unflatten(def(), std::move(all), out);
    if (!status.ok()) GiveBack(std::move(all), inputs, origins);
    return status;
  }
  template <typename T, typename... Groups>
  requires(std::is_same_v<std::remove_cvref_t<Groups>, ParamStore>&&...) absl::StatusOr<T> Build(
      Groups&&... groups)
  const {
    T model{};
    LEAFSTORE_RETURN_IF_ERROR(Build(&model, std::forward<Groups>(groups)...));
    return model;
  }

  // Equal structure, static leaves and tensor specs. O(leaves); O(1) for copies.
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
    size_t hash = 0;  // made with the rest: what is equal has the same
  };
  explicit Definition(std::shared_ptr<const Rep> rep) : rep_(std::move(rep)) {}

  // The leaves that a group had, for returning them.
  struct Origin {
    Layout layout;
    SlotSet slots;
  };

  static Taken Separate(const TreeDef& def, std::vector<Leaf> leaves);
  absl::StatusOr<ParamStore> MergeInputs(absl::Span<const internal::MergeInput> inputs) const;
  static std::vector<Origin> OriginsOf(absl::Span<const internal::MergeInput> inputs);
  void GiveBack(ParamStore&& all, absl::Span<const internal::MergeInput> inputs,
                absl::Span<const Origin> origins) const;
  std::vector<internal::MergeInput> WithStatics(
      absl::Span<const internal::MergeInput> groups) const;
  // What the tensor in a slot was; no value for a static leaf.
  std::optional<LeafSpec> SpecAt(Slot slot) const;
  bool Equals(const Definition& other) const;

  std::shared_ptr<const Rep> rep_;
};

struct Definition::Taken {
  Definition definition;
  ParamStore tensors;
};

}  // namespace leafstore

#endif  // LEAFSTORE_STORE_DEFINITION_H_
