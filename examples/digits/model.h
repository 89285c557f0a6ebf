// The network's parameters: plain structs, bound to leafstore by naming their fields.
#ifndef LEAFSTORE_EXAMPLES_DIGITS_MODEL_H_
#define LEAFSTORE_EXAMPLES_DIGITS_MODEL_H_

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "leafstore/core/tensor.h"
#include "leafstore/treedef/bind/fields.h"

namespace digits {

inline constexpr int kPixels = 64;
inline constexpr int kClasses = 10;

// Pixels to features. The weight is tied: Reconstruct uses its transpose.
struct Embed {
  std::shared_ptr<leafstore::Tensor> weight;  // [hidden, pixels]
  leafstore::Tensor bias;                     // [hidden]
  LEAFSTORE_FIELDS(weight, Tagged(bias, "no_decay"))
  LEAFSTORE_TYPE_NAME("Embed")
};

// Features back to pixels: a second task that keeps the embedding faithful.
struct Reconstruct {
  std::shared_ptr<leafstore::Tensor> weight;  // Embed's
  leafstore::Tensor bias;                     // [pixels]
  double loss_weight = 0.3;
  LEAFSTORE_FIELDS(weight, Tagged(bias, "no_decay"), loss_weight)
  LEAFSTORE_TYPE_NAME("Reconstruct")
};

struct LayerNorm {
  leafstore::Tensor scale, shift;  // [hidden]
  double epsilon = 1e-5;
  LEAFSTORE_FIELDS(Tagged(scale, "no_decay"), Tagged(shift, "no_decay"), epsilon)
  LEAFSTORE_TYPE_NAME("LayerNorm")
};

// x + relu(norm(x W^T + b))
struct Block {
  leafstore::Tensor weight;  // [hidden, hidden]
  leafstore::Tensor bias;    // [hidden]
  LayerNorm norm;
  LEAFSTORE_FIELDS(weight, Tagged(bias, "no_decay"), norm)
  LEAFSTORE_TYPE_NAME("Block")
};

struct Head {
  leafstore::Tensor weight;  // [classes, hidden]
  leafstore::Tensor bias;    // [classes]
  LEAFSTORE_FIELDS(weight, Tagged(bias, "no_decay"))
  LEAFSTORE_TYPE_NAME("Head")
};

struct Model {
  Embed embed;
  std::vector<Block> blocks;
  Head head;
  Reconstruct reconstruct;
  std::string activation = "relu";
  int64_t hidden = 0;
  LEAFSTORE_FIELDS(embed, blocks, head, reconstruct, activation, hidden)
  LEAFSTORE_TYPE_NAME("DigitsModel")
};

// Returns a new model. Weights have a normal distribution of variance 2 / inputs, scales are 1, and
// the rest is 0.
absl::StatusOr<Model> MakeModel(int64_t hidden, int64_t blocks, std::mt19937_64* random);

}  // namespace digits

#endif  // LEAFSTORE_EXAMPLES_DIGITS_MODEL_H_
