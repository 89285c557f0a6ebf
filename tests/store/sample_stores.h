// Stores and tensors that tests of store/ are about.
#ifndef LEAFSTORE_TESTS_STORE_SAMPLE_STORES_H_
#define LEAFSTORE_TESTS_STORE_SAMPLE_STORES_H_

#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

#include "leafstore/core/buffer.h"
#include "leafstore/core/leaf.h"
#include "leafstore/core/path.h"
#include "leafstore/store/param_store.h"

namespace leafstore {

// Every floating type takes them without narrowing.
inline constexpr float kInf = std::numeric_limits<float>::infinity();
inline constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// A tensor of rank 1.
template <typename T>
Tensor VectorOf(const std::vector<T>& values) {
  return Tensor::From<T>({static_cast<int64_t>(values.size())}, absl::MakeConstSpan(values))
      .value();
}
inline Tensor Floats(const std::vector<float>& values) { return VectorOf<float>(values); }
inline Tensor Ints(const std::vector<int32_t>& values) { return VectorOf<int32_t>(values); }

// A tensor of rank 1 over these bytes.
inline Tensor TensorOfBytes(DType dtype, const std::vector<uint8_t>& bytes) {
  Buffer buffer = Buffer::Allocate(static_cast<int64_t>(bytes.size())).value();
  std::memcpy(buffer.mutable_data(), bytes.data(), bytes.size());
  const auto count = static_cast<int64_t>(bytes.size() * 8 / DTypeBits(dtype));
  return Tensor::FromBuffer(dtype, {count}, buffer).value();
}

template <typename T>
std::vector<T> ElementsOf(const Tensor& tensor) {
  const absl::Span<const T> elements = tensor.span<T>();
  return std::vector<T>(elements.begin(), elements.end());
}
template <typename T>
std::vector<T> ElementsOf(const Leaf& leaf) {
  return ElementsOf<T>(leaf.tensor());
}
// The numbers of the f32 leaf at a path.
inline std::vector<float> FloatsAt(const ParamStore& store, absl::string_view path) {
  return ElementsOf<float>(**store.Get(path));
}

// 2^62 bytes of f32 over memory that is not there: nobody may read it, and nothing can copy it.
inline Tensor HugeTensor() {
  constexpr int64_t kBytes = int64_t{1} << 62;
  return Tensor::FromBuffer(DType::kF32, {kBytes / 4},
                            Buffer::External(nullptr, kBytes, nullptr).value())
      .value();
}

// A dictionary on a Layout of its own; names are attributes of the root.
inline ParamStore StoreOf(std::vector<std::pair<std::string, Leaf>> entries) {
  std::vector<std::pair<Path, Leaf>> by_path;
  for (auto& [name, leaf] : entries) {
    by_path.emplace_back(Path().Attribute(name), std::move(leaf));
  }
  return ParamStore::FromEntries(std::move(by_path)).value();
}

// Two f32 leaves, at slots 0 and 2, with others between and behind.
inline ParamStore SampleStore() {
  return StoreOf(
      {{"a", Floats({1, 2, 3})}, {"b", Ints({7})}, {"c", Floats({4, 5})}, {"d", Value("gelu")}});
}

// Other leaves in the same places.
inline ParamStore StoreLike(const ParamStore& like, std::vector<Leaf> leaves) {
  return ParamStore::Create(like.layout(), like.slots(), std::move(leaves)).value();
}

// Some of a store's leaves, as a group on its Layout.
inline ParamStore GroupOf(const ParamStore& store, const std::vector<Slot>& slots) {
  std::vector<Leaf> leaves;
  for (const Slot slot : slots) leaves.push_back(*store.FindSlot(slot));
  return ParamStore::Create(store.layout(), SlotSet::Create(store.layout().size(), slots).value(),
                            std::move(leaves))
      .value();
}

// As merging takes groups; they must outlive it.
inline std::vector<const ParamStore*> PointersTo(const std::vector<ParamStore>& groups) {
  std::vector<const ParamStore*> pointers;
  for (const ParamStore& group : groups) pointers.push_back(&group);
  return pointers;
}

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_STORE_SAMPLE_STORES_H_
