// The network's forward and backward passes, written by hand with Eigen.
//
// It reads parameters and writes gradients in place, in the tensors of stores, by slot. The slots
// are looked up by path once. A step rebuilds no structs and uses no strings.
#ifndef LEAFSTORE_EXAMPLES_DIGITS_NETWORK_H_
#define LEAFSTORE_EXAMPLES_DIGITS_NETWORK_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "data.h"
#include <Eigen/Core>

#include "leafstore/select/groups.h"
#include "leafstore/store/param_store.h"
#include "leafstore/treedef/bind/fields.h"

namespace digits {

// The slot of each parameter in the Layout of the model.
struct BlockSlots {
  leafstore::Slot weight, bias, scale, shift;
};
struct Slots {
  leafstore::Slot embed_weight, embed_bias, head_weight, head_bias, reconstruct_bias;
  std::vector<BlockSlots> blocks;
};

// The result for a set of images.
struct Result {
  double loss = 0;  // summed over the images
  int correct = 0;
  int count = 0;
  LEAFSTORE_FIELDS(loss, correct, count)
  LEAFSTORE_TYPE_NAME("Result")

  double MeanLoss() const { return loss / count; }
  double Accuracy() const { return static_cast<double>(correct) / count; }

  Result& operator+=(const Result& other) {
    loss += other.loss;
    correct += other.correct;
    count += other.count;
    return *this;
  }
};

class Network {
 public:
  Network() = default;  // may only be assigned to or destroyed
  // Returns a network for models with the structure and static leaves of `params` (sizes, epsilon,
  // weight of the second loss). error NotFound, InvalidArgument: not a complete store of a Model.
  static absl::StatusOr<Network> Create(const leafstore::ParamStore& params);

  // The first element of each tensor, by slot. Valid until its stores are written.
  using Params = std::vector<const float*>;
  // Returns a view of groups that together hold every parameter. O(leaves).
  static Params View(const leafstore::Groups& groups);

  // Computes loss and accuracy.
  Result Evaluate(const Params& params, const Dataset& data) const;

  // Like Evaluate, but also writes the gradients of the mean loss to `gradients`, a store like that
  // of the full model. The batch is split into kShards parts whose sums are added in order, so that
  // the bits of the result do not depend on the number of threads.
  absl::StatusOr<Result> Train(const Params& params, const Dataset& batch, int threads,
                               leafstore::ParamStore* gradients) const;

 private:
  static constexpr int kShards = 4;
  struct Activations;
  struct Shard;

  Activations Forward(const Params& params, const Matrix& images) const;
  Result Losses(const Activations& a, const Dataset& data) const;
  void Backward(const Params& params, const Dataset& data, int batch_size, Shard* shard) const;

  Slots slots_;
  int hidden_ = 0;
  float epsilon_ = 0;
  float reconstruct_weight_ = 0;
};

}  // namespace digits

#endif  // LEAFSTORE_EXAMPLES_DIGITS_NETWORK_H_
