// Helpers for tests of flattening: small tensors, and models as text.
#ifndef LEAFSTORE_TESTS_TREEDEF_MODEL_TESTING_H_
#define LEAFSTORE_TESTS_TREEDEF_MODEL_TESTING_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "leafstore/core/leaf.h"
#include "leafstore/core/tensor.h"
#include "leafstore/treedef/bind/flatten.h"
#include "leafstore/treedef/print.h"

namespace leafstore {

using internal::FlattenTree;
using internal::FlattenTreeLike;
using internal::FlatTree;
using internal::UnflattenTree;

// Return an f32 tensor of rank 0, and the element of one.
inline Tensor Scalar(float value) { return Tensor::Scalar(value); }
inline float NumberOf(const Tensor& tensor) { return tensor.span<float>()[0]; }

// Returns the structure of a model, printed by PrintTreeDef.
template <typename T>
std::string Structure(const T& model) {
  return PrintTreeDef(FlattenTree(model).value().def);
}

// Returns a line for each leaf: ".bias = f32[2]", or ".scale = tensor 1" for a Scalar.
inline std::vector<std::string> Lines(const FlatTree& flat) {
  std::vector<std::string> lines;
  for (uint32_t i = 0; i < flat.leaves.size(); ++i) {
    const Leaf& leaf = flat.leaves[i];
    const bool scalar =
        leaf.is_tensor() && leaf.tensor().dtype() == DType::kF32 && leaf.tensor().rank() == 0;
    lines.push_back(
        absl::StrCat(flat.def.PathForMessage(flat.def.node_of_leaf(i)), " = ",
                     scalar ? absl::StrCat("tensor ", NumberOf(leaf.tensor())) : leaf.ToString()));
  }
  return lines;
}
template <typename T>
std::vector<std::string> LinesOf(const T& model) {
  return Lines(FlattenTree(model).value());
}

// Unflattens a Tree into `out`.
inline absl::Status UnflattenFrom(const Tree& tree, auto* out) {
  FlatTree flat = FlattenTree(tree).value();
  return UnflattenTree(flat.def, flat.leaves, out);
}

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_TREEDEF_MODEL_TESTING_H_
