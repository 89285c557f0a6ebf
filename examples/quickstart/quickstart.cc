#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/numeric/ops.h"
#include "leafstore/optim/optimizer.h"
#include "leafstore/select/partition.h"
#include "leafstore/store/flatten.h"
#include "leafstore/store/merge.h"

using namespace leafstore;

struct Linear {
  Tensor weight, bias;
  LEAFSTORE_FIELDS(weight, bias)
};
struct Mlp {
  std::vector<Linear> layers;
  Linear head;
  std::string activation = "gelu";
  LEAFSTORE_FIELDS(layers, head, activation)
};

int main() {
  const auto linear = [](int64_t n, int64_t m) {
    return Linear{*Tensor::Zeros(DType::kF32, {n, m}), *Tensor::Zeros(DType::kF32, {n})};
  };
  Mlp model{{linear(8, 4), linear(8, 8)}, linear(2, 8)};

  Flattened flat = Flatten(std::move(model)).value();  // ".activation", ".head.bias", ...
  PartitionPlan plan =
      PartitionPlan::Compile(flat.params, {Glob("layers.0.**"), Glob("**.bias")}).value();
  auto [frozen, biases, rest] = plan.Split<3>(std::move(flat.params)).value();

  ParamStore gradients = ZerosLike(rest).value();  // yours to fill; zipped by position
  Optimizer adamw = Optimizer::Create(AdamW{.weight_decay = 0.1}, rest).value();
  if (!adamw.Step(&rest, gradients, 1e-3).ok()) return 1;  // one group; the others are not touched

  ParamStore all = Merge(frozen, biases, rest).value();  // an error names all that does not fit
  if (!SaveCheckpoint("step-1.leaf", {{"params", flat.def, all}, {"adamw", adamw.state()}}).ok()) {
    return 1;
  }
  return Unflatten(flat.def, all, &model).ok() ? 0 : 1;  // structure, when it is wanted
}
