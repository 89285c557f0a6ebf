// Optimizer: updates one group of parameters by one rule, and owns the state of that rule.
//
//   Optimizer adamw = Optimizer::Create(AdamW{.weight_decay = 0.1}, group).value();
//   for (...) LEAFSTORE_RETURN_IF_ERROR(adamw.Step(&group, grads, {.lr = lr}));
//   std::vector<NamedStore> state = adamw.state();    // "exp_avg", "exp_avg_sq", "step"
//   ... later, for the same group
//   LEAFSTORE_RETURN_IF_ERROR(adamw.LoadState(state));   // as if never interrupted
//
// Group. A ParamStore, or a Packed (pack/pack.h), for which the state is packed in the same way. An
// optimizer is bound to the group's Layout, slots, dtypes and shapes. Tensors must be f32 or f64;
// others are error InvalidArgument and belong in another group (for f16 and bf16, train an f32
// copy: see Cast in numeric/ops.h). The group may contain static leaves: a step skips them.
//
// State. For each tensor, the moments of its rule (rules.h), initially zero, in the dtype of the
// parameter, and its step count. Each is a ParamStore on the Layout and slots of the group, with
// the group's static leaves; so a Grouping that splits the parameters also splits the moments, and
// they are saved with the same TreeDef. The optimizer owns its state: no step writes to the stores
// that state() returned.
//
// Gradients must be on the Layout of the parameters. With the same slots, they are matched by
// position; with more, by slot, so the gradients of the full model can be passed for every group.
// Leaves that are not needed are ignored. A step builds and hashes no strings, except for an error.
//
// Cost. A step reads and writes each byte of parameters, gradients and state once. Shared bytes
// (after a snapshot), packed or not, are read in place and the results written to new memory:
// nothing is copied. A packed group takes one pass of one kernel while all its leaves have the same
// step count, otherwise one pass for each run of leaves with equal counts.
//
// Results. The kernels exist for several instruction sets, selected at run time. All compute the
// same bits, packed or not, at any alignment.
//
// Errors name the path of every mismatched leaf, what was expected and what was found. After an
// error, parameters and state are unchanged.
//
// Threads: const calls are thread-safe. Different optimizers may step concurrently.
#ifndef LEAFSTORE_OPTIM_OPTIMIZER_H_
#define LEAFSTORE_OPTIM_OPTIMIZER_H_

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/optim/rules.h"
#include "leafstore/pack/pack.h"
#include "leafstore/store/param_store.h"

namespace leafstore {

// A hyperparameter of a step: one scalar, or one for each named group of an OptimizerSet. The names
// need to live only during the call.
class PerGroup {
 public:
  // Has no scalar for any group.
  PerGroup() = default;
  PerGroup(double all) : all_(all) {}  // NOLINT: {.lr = 1e-3}
  PerGroup(std::initializer_list<std::pair<absl::string_view, double>> by_name)
      : by_name_(by_name) {}
  explicit PerGroup(std::vector<std::pair<absl::string_view, double>> by_name)
      : by_name_(std::move(by_name)) {}

  // Returns the scalar of a group; none if only other groups are named. O(names).
  std::optional<double> Find(absl::string_view group) const;
  // Returns the named groups with their scalars.
  absl::Span<const std::pair<absl::string_view, double>> by_name() const { return by_name_; }

 private:
  std::optional<double> all_;
  std::vector<std::pair<absl::string_view, double>> by_name_;
};

// The hyperparameters of one step.
struct StepOptions {
  PerGroup lr = {};         // the learning rate: finite and not negative
  PerGroup grad_scale = 1;  // finite; each gradient is first multiplied by it: see ClipScale
};

class Optimizer {
 public:
  // Creates an optimizer for `group`, with zero state. O(bytes of the group's tensors).
  // error InvalidArgument: as CheckRule (rules.h), or tensors are neither f32 nor f64 (names all).
  // error FailedPrecondition: a borrow of the group is open. error ResourceExhausted: out of
  // memory.
  static absl::StatusOr<Optimizer> Create(const Rule& rule, const ParamStore& group);
  static absl::StatusOr<Optimizer> Create(const Rule& rule, const Packed& group);

  Optimizer(Optimizer&&) noexcept;
  Optimizer& operator=(Optimizer&&) noexcept;
  ~Optimizer();

  const Rule& rule() const;
  // Describe the group that this optimizer is for.
  const Layout& layout() const;
  const SlotSet& slots() const;
  bool packed() const;

  // Makes one step: updates `params` and the state.
  // error InvalidArgument: a field of `options` is out of range, or set by group name; `params`
  //       differs in Layout, slots, dtypes or shapes from the group that this optimizer is for; or
  //       gradients are on another Layout, missing, or of another dtype or shape (names all paths).
  // error FailedPrecondition: a borrow of `params` or `grads` is open; or only one of `params` and
  //       the group that this optimizer is for is packed (Regroup changes that).
  // error ResourceExhausted: out of memory for a copy of shared bytes.
  absl::Status Step(ParamStore* params, const ParamStore& grads, const StepOptions& options);
  // Like Step above, but for a pack. Fastest if the gradients are packed in the same way; others
  // are read leaf by leaf.
  absl::Status Step(Packed* params, const Packed& grads, const StepOptions& options);
  absl::Status Step(Packed* params, const ParamStore& grads, const StepOptions& options);

  // Returns the step count of the tensor in `slot`; 0 if it is not a tensor of this group. O(1).
  int64_t StepCountOf(Slot slot) const;

  // Returns all state, in the order of MomentNames, then "step". The stores share their bytes with
  // this optimizer: O(leaves), and the next step writes the moments to new memory. Throws
  // std::bad_alloc or absl::BadStatusOrAccess if there is no memory for the handles.
  std::vector<NamedStore> state() const;

  // Replaces the state with that of another optimizer of an equal group, as if its steps had been
  // made here. Stores are matched by name, in any order; leaves by slot if the Layouts are equal,
  // otherwise by path. Static leaves in `state` are ignored.
  // error InvalidArgument: stores or leaves are missing, unexpected, or with a different dtype or
  //       shape, or a step count is not an int from 0 to 2^53; one message names them all.
  // error FailedPrecondition: a borrow is open. O(leaves); packed: O(bytes). Shares the bytes of
  // `state`: while that lives, the next step needs new memory.
  absl::Status LoadState(const std::vector<NamedStore>& state);
  // Like LoadState above, but moves `state`, so that the next step needs no new memory. `state` is
  // empty afterwards, or unchanged after an error.
  absl::Status LoadState(std::vector<NamedStore>&& state);

  // Switches to another group, for example after a new partition. Leaves in both groups keep their
  // state and step count. Returns the state of leaves that left the group, in stores like those of
  // state() (none if no leaf left), for another optimizer to adopt. A leaf new to the group takes
  // its state and step count from `adopt` if present, and otherwise begins with zeros and step
  // count 0. `adopt` may be the states of several optimizers one after the other, each ended by its
  // "step"; if several have a leaf, the first is used. States with other moments, stores with
  // other names, and leaves that are not needed are ignored. Leaves are matched by slot, or by path
  // if the Layouts differ.
  // error InvalidArgument: as Create; or state to keep or adopt differs in dtype or shape from the
  //       parameter (names all), or lacks some of its stores.
  // error FailedPrecondition, ResourceExhausted: as Create.
  // O(leaves of both groups); packed: O(bytes).
  absl::StatusOr<std::vector<NamedStore>> Regroup(const ParamStore& group,
                                                  const std::vector<NamedStore>& adopt = {});
  absl::StatusOr<std::vector<NamedStore>> Regroup(const Packed& group,
                                                  const std::vector<NamedStore>& adopt = {});

 private:
  friend class OptimizerSet;
  struct Rep;
  explicit Optimizer(std::unique_ptr<Rep> rep);

  std::unique_ptr<Rep> rep_;  // null only after a move
};

}  // namespace leafstore

#endif  // LEAFSTORE_OPTIM_OPTIMIZER_H_
