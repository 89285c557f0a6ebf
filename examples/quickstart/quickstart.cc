#include <iostream>

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/numeric/ops.h"
#include "leafstore/optim/optimizer_set.h"
#include "leafstore/select/partition.h"
#include "leafstore/store/flatten.h"

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
  LEAFSTORE_ASSIGN_OR_RETURN(ParamStore gradients, ZerosLike(flat.params));  // yours to compute

  // Filters split the parameters into named groups.
  LEAFSTORE_ASSIGN_OR_RETURN(
      Groups groups,
      Partition(std::move(flat.params),
                {{"frozen", Glob("embed.**")}, {"biases", Glob("**.bias")}, {"weights", Rest()}}));
  for (const Group& group : groups) {
    const ParamStore& leaves = group.store();
    for (uint32_t i = 0; i < leaves.size(); ++i) {
      std::cout << group.name() << ": " << leaves.PathText(i) << " = " << leaves.leaf(i).ToString()
                << "\n";
    }
  }

  // Two groups are trained, each with its own optimizer. The other group is not touched.
  LEAFSTORE_ASSIGN_OR_RETURN(
      OptimizerSet optimizers,
      OptimizerSet::Create({{"biases", Adam{}}, {"weights", AdamW{.weight_decay = 0.1}}}, groups));
  LEAFSTORE_RETURN_IF_ERROR(optimizers.Step(&groups, gradients, {.lr = 0.1}));
  LEAFSTORE_RETURN_IF_ERROR(
      SaveCheckpoint("step-1.leaf", {{"params", groups}, {"optimizers", optimizers.state()}}));

  // Merges the groups, and writes the parameters back into the model.
  LEAFSTORE_ASSIGN_OR_RETURN(ParamStore params, std::move(groups).Merge());
  LEAFSTORE_RETURN_IF_ERROR(Unflatten(flat.def, params, &model));
  std::cout << "head.weight[0, 0] = " << model.head.weight.at<float>({0, 0}) << "\n";
  return absl::OkStatus();
}

int main() {
  const absl::Status status = Run();
  if (!status.ok()) std::cerr << status << "\n";
  return status.ok() ? 0 : 1;
}
