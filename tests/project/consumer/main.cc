// A program of a user of an installed leafstore: flattens a model, splits it into groups, merges
// them, saves and loads a checkpoint, rebuilds the model, and exports it to other formats.
#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/reader.h"
#include "leafstore/core/tensor.h"
#include "leafstore/core/tensor_eigen.h"
#include "leafstore/interop/numpy/npz.h"
#include "leafstore/interop/safetensors/reader.h"
#include "leafstore/interop/safetensors/writer.h"
#include "leafstore/optim/schedule.h"
#include "leafstore/select/partition.h"
#include "leafstore/store/flatten.h"
#include "leafstore/store/merge.h"
#include "leafstore/treedef/bind/fields.h"

namespace {

using leafstore::Tensor;

struct Linear {
  Tensor weight, bias;
  LEAFSTORE_FIELDS(weight, bias)
  LEAFSTORE_TYPE_NAME("Linear")
};

struct Mlp {
  std::vector<Linear> layers;
  std::string activation = "gelu";
  LEAFSTORE_FIELDS(layers, activation)
  LEAFSTORE_TYPE_NAME("Mlp")
};

Mlp MakeModel() {
  Mlp model;
  for (float first : {1.0f, 5.0f}) {
    model.layers.push_back(
        {Tensor::From<float>({2, 2}, {first, first + 1, first + 2, first + 3}).value(),
         Tensor::From<float>({2}, {first, -first}).value()});
  }
  return model;
}

void Check(bool right, const char* what) {
  if (right) return;
  std::cerr << "consumer: " << what << "\n";
  std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  Check(argc == 2, "usage: consumer FILE");
  leafstore::Flattened flat = leafstore::Flatten(MakeModel()).value();

  auto [biases, rest] =
      leafstore::Partition<2>(std::move(flat.params), {leafstore::Glob("**.bias")}).value();
  Check(biases.size() == 2, "the group of biases does not have two leaves");
  const leafstore::ParamStore all = leafstore::Merge(std::move(rest), std::move(biases)).value();

  const absl::Status saved = leafstore::SaveCheckpoint(argv[1], {{"params", flat.def, all}});
  Check(saved.ok(), saved.ToString().c_str());
  const auto reader = leafstore::CheckpointReader::Open(argv[1]).value();
  const Mlp model =
      leafstore::Unflatten<Mlp>(reader.GetDef("params").value(), reader.Load("params").value())
          .value();
  Check(model.activation == "gelu", "the static leaf changed");
  Check(model.layers.size() == 2, "the layers changed");
  Check(leafstore::EigenMatrix<float>(model.layers[1].weight).value()(1, 0) == 7,
        "a weight changed");

  const std::string exported = std::string(argv[1]) + ".safetensors";
  Check(leafstore::SaveSafetensors(exported, all).ok(), "the safetensors file cannot be saved");
  const auto imported = leafstore::SafetensorsReader::Open(exported).value();
  Check(imported.GetDef().value() == flat.def, "the safetensors file has another structure");
  const std::string archive = std::string(argv[1]) + ".npz";
  Check(leafstore::SaveNpz(archive, all, {.drop_static = true}).ok(),
        "the NumPy archive cannot be saved");
  Check(leafstore::LoadNpz(archive).value().size() == 4,
        "the NumPy archive does not have four tensors");

  std::cout << "consumer: ok\n";
  return 0;
}
