// Stores and tensors that several safetensors tests share.
#ifndef LEAFSTORE_TESTS_INTEROP_SAFETENSORS_MODELS_H_
#define LEAFSTORE_TESTS_INTEROP_SAFETENSORS_MODELS_H_

#include <string>
#include <utility>
#include <vector>

#include "leafstore/interop/safetensors/reader.h"
#include "leafstore/interop/safetensors/writer.h"
#include "leafstore/store/param_store.h"

#include "tests/checkpoint/models.h"
#include "tests/io/temp_dir.h"

namespace leafstore {

// Returns a tensor whose bytes are determined by `seed`; those of a bool tensor are 0 or 1.
inline Tensor PatternTensor(DType dtype, const Shape& shape, uint32_t seed = 1) {
  Tensor tensor = Tensor::Uninitialized(dtype, shape).value();
  MutableTensor writing = tensor.Mutate().value();
  uint32_t state = seed;
  for (std::byte& byte : writing.bytes()) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<std::byte>(dtype == DType::kBool ? state >> 31 : state >> 24);
  }
  writing.Close();
  return tensor;
}

// Returns a store of these tensors at the paths that kSplit makes from their names.
inline ParamStore NamedStoreOf(std::vector<std::pair<std::string, Tensor>> tensors) {
  std::vector<absl::string_view> names;
  for (const auto& [name, tensor] : tensors) names.push_back(name);
  std::vector<Path> paths = PathsOfNames(names, NameStyle::kSplit).value();
  std::vector<std::pair<Path, Leaf>> entries;
  for (size_t i = 0; i < tensors.size(); ++i) {
    entries.emplace_back(std::move(paths[i]), std::move(tensors[i].second));
  }
  return ParamStore::FromEntries(std::move(entries)).value();
}

inline ParamStore SmallNamedStore() {
  return NamedStoreOf({{"layers.0.weight", PatternTensor(DType::kF32, {2, 3}, 1)},
                       {"layers.0.bias", PatternTensor(DType::kF32, {2}, 2)},
                       {"layers.1.weight", PatternTensor(DType::kBF16, {3}, 3)},
                       {"mask", PatternTensor(DType::kBool, {5}, 4)},
                       {"steps", PatternTensor(DType::kI64, {}, 5)},
                       {"nothing", PatternTensor(DType::kF64, {0, 4}, 6)}});
}

inline ParamStore StoreOfSizes(const std::vector<int64_t>& sizes) {
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (size_t i = 0; i < sizes.size(); ++i) {
    tensors.emplace_back(std::string(1, static_cast<char>('a' + i)),
                         PatternTensor(DType::kU8, {sizes[i]}, static_cast<uint32_t>(i)));
  }
  return NamedStoreOf(std::move(tensors));
}

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_INTEROP_SAFETENSORS_MODELS_H_
