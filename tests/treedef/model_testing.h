// What the tests of flattening share: small tensors, and models as text.
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

// A tensor f32[], and its number.
inline Tensor Scalar(float value) { return Tensor::Scalar(value); }
inline float NumberOf(const Tensor& tensor) { return tensor.span<float>()[0]; }

// The structure of a model as PrintTreeDef shows it.
template <typename T>
std::string Structure(const T& model) {
  return PrintTreeDef(FlattenTree(model).value().def);
}

// The leaves with their paths: ".bias = f32[2]", ".scale = tensor 1" for a Scalar.
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

// The structure of one model filled with the leaves of a Tree of the same structure.
inline absl::Status UnflattenFrom(const Tree& tree, auto* out) {
  FlatTree flat = FlattenTree(tree).value();
  return UnflattenTree(flat.def, flat.leaves, out);
}

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_TREEDEF_MODEL_TESTING_H_
