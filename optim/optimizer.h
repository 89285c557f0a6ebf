// Optimizer: steps of one rule over one group of parameters, and the state that they need.
//
//   Optimizer adamw = Optimizer::Create(AdamW{.weight_decay = 0.1}, group).value();
//   for (...) LEAFSTORE_RETURN_IF_ERROR(adamw.Step(&group, grads, lr));
//   std::vector<NamedStore> state = adamw.state();    // "exp_avg", "exp_avg_sq", "step"
//   ... a day later, on the same group
//   LEAFSTORE_RETURN_IF_ERROR(adamw.LoadState(std::move(state)));   // as if never interrupted
//
// Group. A ParamStore, or a Packed one (pack/pack.h), whose state is then packed alike. An
// optimizer is made for the group's Layout, slots, dtypes and shapes. Tensors must be f32 or f64;
// others (f16 and bf16 as well: keep an f32 copy to train, see Cast in numeric/ops.h) are error
// InvalidArgument, and belong in another group. Static leaves may be in the group: a step passes
// them by.
//
// State. For each tensor what its rule keeps (rules.h), zeros at first, in the dtype of the
// parameter, and how many steps it has had. Each is a ParamStore on the Layout and slots of the
// group, where static leaves stand as they do in the group: so a plan that splits the parameters
// splits the moments, and they are saved with the same TreeDef. The state is this object's own: no
// step writes what state() gave.
//
// Gradients come on the Layout of the parameters: with the same slots (then all goes by position),
// or with more (then by slot; so the gradients of the whole model serve every group). Leaves that
// are not needed are not looked at. No string is built or hashed in a step, save for an error.
//
// Cost. A step reads and writes each byte of parameters, gradients and state once. What is shared
// (a snapshot was taken) is read where it lies and written into new memory, packs too: nothing is
// copied. A packed group is one pass of one kernel as long as all its leaves have had equally many
// steps, otherwise one for each run of leaves that have.
//
// Results. The kernels come in several instruction sets, chosen when the program runs; all give the
// same bits, packed or not, wherever the bytes lie.
//
// Errors name paths, expected and found, of all leaves that are wrong. After an error parameters
// and state are as they were.
//
// Threads: const calls are safe from many threads. Different optimizers step at the same time.
#ifndef LEAFSTORE_OPTIM_OPTIMIZER_H_
#define LEAFSTORE_OPTIM_OPTIMIZER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "leafstore/optim/rules.h"
#include "leafstore/pack/pack.h"
#include "leafstore/store/named_store.h"
#include "leafstore/store/param_store.h"

namespace leafstore {

// The numbers of one step.
struct StepOptions {
  StepOptions(double learning_rate) : lr(learning_rate) {}  // NOLINT: Step(&group, grads, lr)
  StepOptions(double learning_rate, double scale) : lr(learning_rate), grad_scale(scale) {}

  double lr = 0;          // finite, not below 0
  double grad_scale = 1;  // finite; what each gradient is multiplied by first: see clip.h
};

class Optimizer {
 public:
  // An optimizer for `group`, with the state of no step. O(bytes of the group's tensors).
  // error InvalidArgument: as CheckRule (rules.h), or tensors are neither f32 nor f64 (names all).
  // error FailedPrecondition: a borrow of the group is open. error ResourceExhausted: no memory.
  static absl::StatusOr<Optimizer> Create(const Rule& rule, const ParamStore& group);
  static absl::StatusOr<Optimizer> Create(const Rule& rule, const Packed& group);

  Optimizer(Optimizer&&) noexcept;
  Optimizer& operator=(Optimizer&&) noexcept;
  ~Optimizer();

  const Rule& rule() const;
  // What it was made for.
  const Layout& layout() const;
  const SlotSet& slots() const;
  bool packed() const;

  // One step: writes `params`.
  // error InvalidArgument: a number of `options` is not as it says there; `params` differs in
  //       Layout, slots, dtypes or shapes from the group this is for; gradients are on another
  //       Layout, missing, or of another dtype or shape (names all paths).
  // error FailedPrecondition: a borrow of `params` or `grads` is open, or this is for a packed
  //       group and `params` is not, or the other way round (Regroup changes that).
  // error ResourceExhausted: no memory for a copy of what is shared.
  absl::Status Step(ParamStore* params, const ParamStore& grads, const StepOptions& options);
  // The same for a pack. Fastest where the gradients are packed alike; others go leaf by leaf.
  absl::Status Step(Packed* params, const Packed& grads, const StepOptions& options);
  absl::Status Step(Packed* params, const ParamStore& grads, const StepOptions& options);

  // How many steps the tensor in a slot has had; 0 for what is not a tensor here. O(1).
  int64_t StepCountOf(Slot slot) const;

  // All state by value, in the order of MomentNames, then "step". Shares its bytes: O(leaves), and
  // the next step copies the moments. No error but one: where there is no memory for the handles it
  // throws std::bad_alloc or absl::BadStatusOrAccess, as making them by hand would.
  std::vector<NamedStore> state() const;

  // Takes up the state that another optimizer of this group had, as if its steps had been made
  // here. Stores are known by their names, in any order, leaves by slot where the Layouts are
  // equal, otherwise by path. What stands in it for static leaves is not looked at.
  // error InvalidArgument: stores or leaves are missing, unexpected, or of another dtype or shape,
  //       or a step is no int from 0 to 2^53; all of it in one message.
  // error FailedPrecondition: a borrow is open. O(leaves); packed: O(bytes).
  absl::Status LoadState(const std::vector<NamedStore>& state);
  // The same; moved in, so that the next step has nothing to copy. Empty afterwards, but after an
  // error as before.
  absl::Status LoadState(std::vector<NamedStore>&& state);

  // Goes over to another group, as after a new partition. Leaves of both groups keep their state
  // (and their place in time); state of leaves that have gone is returned, in stores as state()'s
  // (none if none has), for another optimizer to adopt. A leaf new to the group has its state from
  // `adopt` if it is there, with its step count, and otherwise begins with zeros and a step of its
  // own. `adopt` may be the states of several optimizers one after the other, each as state() gives
  // it, ended by its "step". Those of other moments, stores of other names, and leaves that are not
  // needed are passed by. By slot, or by path if the Layout is another.
  // error InvalidArgument: as Create; or state that is to be kept or adopted differs in dtype or
  //       shape from the parameter (names all), or has only some of the stores that it should.
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
