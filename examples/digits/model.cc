#include "model.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "leafstore/core/status_macros.h"

namespace digits {

using namespace leafstore;

namespace {

// Returns a normally distributed value, computed from two uniform ones (Box and Muller, 1958). The
// distribution of the standard library may differ between implementations.
float Normal(std::mt19937_64* random) {
  const double a = (static_cast<double>((*random)() >> 11) + 0.5) * 0x1p-53;
  const double b = static_cast<double>((*random)() >> 11) * 0x1p-53;
  return static_cast<float>(std::sqrt(-2 * std::log(a)) * std::cos(2 * 3.14159265358979323846 * b));
}

absl::StatusOr<Tensor> RandomWeight(int64_t outputs, int64_t inputs, std::mt19937_64* random) {
  LEAFSTORE_ASSIGN_OR_RETURN(Tensor weight, Tensor::Zeros(DType::kF32, {outputs, inputs}));
  const float scale = std::sqrt(2.0f / static_cast<float>(inputs));
  LEAFSTORE_ASSIGN_OR_RETURN(MutableTensor mutable_weight, weight.Mutate());
  for (float& value : mutable_weight.span<float>()) value = scale * Normal(random);
  return weight;
}

absl::StatusOr<Tensor> Constant(int64_t size, float value) { return Tensor::Full({size}, value); }

absl::StatusOr<Block> MakeBlock(int64_t hidden, std::mt19937_64* random) {
  Block block;
  LEAFSTORE_ASSIGN_OR_RETURN(block.weight, RandomWeight(hidden, hidden, random));
  LEAFSTORE_ASSIGN_OR_RETURN(block.bias, Constant(hidden, 0));
  LEAFSTORE_ASSIGN_OR_RETURN(block.norm.scale, Constant(hidden, 1));
  LEAFSTORE_ASSIGN_OR_RETURN(block.norm.shift, Constant(hidden, 0));
  return block;
}

}  // namespace

absl::StatusOr<Model> MakeModel(int64_t hidden, int64_t blocks, std::mt19937_64* random) {
  Model model;
  model.hidden = hidden;
  LEAFSTORE_ASSIGN_OR_RETURN(Tensor embedding, RandomWeight(hidden, kPixels, random));
  model.embed.weight = std::make_shared<Tensor>(std::move(embedding));
  model.reconstruct.weight = model.embed.weight;  // tied: one leaf, one path, saved once
  LEAFSTORE_ASSIGN_OR_RETURN(model.embed.bias, Constant(hidden, 0));
  LEAFSTORE_ASSIGN_OR_RETURN(model.reconstruct.bias, Constant(kPixels, 0));
  for (int64_t i = 0; i < blocks; ++i) {
    LEAFSTORE_ASSIGN_OR_RETURN(Block block, MakeBlock(hidden, random));
    model.blocks.push_back(std::move(block));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(model.head.weight, RandomWeight(kClasses, hidden, random));
  LEAFSTORE_ASSIGN_OR_RETURN(model.head.bias, Constant(kClasses, 0));
  return model;
}

}  // namespace digits
