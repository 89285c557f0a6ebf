#include <iostream>

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
struct Model {
  Linear embed, head;
  std::string activation = "gelu";
  LEAFSTORE_FIELDS(embed, head, activation)
};

static absl::StatusOr<Linear> MakeLinear(int64_t outputs, int64_t inputs) {
  Linear linear;
  LEAFSTORE_ASSIGN_OR_RETURN(linear.weight, Tensor::Full({outputs, inputs}, 0.5f));
  LEAFSTORE_ASSIGN_OR_RETURN(linear.bias, Tensor::Zeros(DType::kF32, {outputs}));
  return linear;
}

static absl::Status Run() {
  Model model;
  LEAFSTORE_ASSIGN_OR_RETURN(model.embed, MakeLinear(4, 3));
  LEAFSTORE_ASSIGN_OR_RETURN(model.head, MakeLinear(2, 4));
  LEAFSTORE_ASSIGN_OR_RETURN(Flattened flat, Flatten(std::move(model)));
  for (uint32_t i = 0; i < flat.params.size(); ++i) {
    std::cout << flat.params.PathText(i) << " = " << flat.params.leaf(i).ToString() << "\n";
  }

  // Each filter takes a group; the last group is the rest.
  LEAFSTORE_ASSIGN_OR_RETURN(
      std::vector<ParamStore> groups,
      Partition(std::move(flat.params), {Glob("embed.**"), Glob("**.bias")}));
  ParamStore& weights = groups[2];

  // One group has an optimizer; the other groups are not touched.
  LEAFSTORE_ASSIGN_OR_RETURN(Optimizer adamw,
                             Optimizer::Create(AdamW{.weight_decay = 0.1}, weights));
  LEAFSTORE_ASSIGN_OR_RETURN(ParamStore gradients, ZerosLike(weights));
  LEAFSTORE_RETURN_IF_ERROR(adamw.Step(&weights, gradients, 0.1));

  // Structure and groups come together again when they are needed.
  LEAFSTORE_ASSIGN_OR_RETURN(ParamStore params, MergeGroups(std::move(groups)));
  LEAFSTORE_RETURN_IF_ERROR(
      SaveCheckpoint("step-1.leaf", {{"params", flat.def, params}, {"adamw", adamw.state()}}));
  LEAFSTORE_RETURN_IF_ERROR(Unflatten(flat.def, params, &model));
  std::cout << "head.weight[0, 0] = " << model.head.weight.at<float>({0, 0}) << "\n";
  return absl::OkStatus();
}

int main() {
  const absl::Status status = Run();
  if (!status.ok()) std::cerr << status << "\n";
  return status.ok() ? 0 : 1;
}
