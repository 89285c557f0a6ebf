// Small stores and tensors for tests.
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

// Float, so that they convert to every floating type without narrowing.
inline constexpr float kInf = std::numeric_limits<float>::infinity();
inline constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// Returns a tensor of rank 1.
template <typename T>
Tensor VectorOf(const std::vector<T>& values) {
  return Tensor::From<T>({static_cast<int64_t>(values.size())}, absl::MakeConstSpan(values))
      .value();
}
inline Tensor Floats(const std::vector<float>& values) { return VectorOf<float>(values); }
inline Tensor Ints(const std::vector<int32_t>& values) { return VectorOf<int32_t>(values); }

// Returns a tensor of rank 1 with these bytes.
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
// Returns the elements of the f32 leaf at a path.
inline std::vector<float> FloatsAt(const ParamStore& store, absl::string_view path) {
  return ElementsOf<float>(**store.Get(path));
}

// Returns an f32 tensor of 2^62 bytes without memory behind it: it must not be read, and every copy
// fails.
inline Tensor HugeTensor() {
  constexpr int64_t kBytes = int64_t{1} << 62;
  return Tensor::FromBuffer(DType::kF32, {kBytes / 4},
                            Buffer::External(nullptr, kBytes, nullptr).value())
      .value();
}

// Returns a store on a new Layout; names are attributes of the root.
inline ParamStore StoreOf(std::vector<std::pair<std::string, Leaf>> entries) {
  std::vector<std::pair<Path, Leaf>> by_path;
  for (auto& [name, leaf] : entries) {
    by_path.emplace_back(Path().Attribute(name), std::move(leaf));
  }
  return ParamStore::FromEntries(std::move(by_path)).value();
}

// Returns a store with f32 leaves in slots 0 and 2, and others in slots 1 and 3.
inline ParamStore SampleStore() {
  return StoreOf(
      {{"a", Floats({1, 2, 3})}, {"b", Ints({7})}, {"c", Floats({4, 5})}, {"d", Value("gelu")}});
}

// Returns a store with the Layout and slots of `like` and other leaves.
inline ParamStore StoreLike(const ParamStore& like, std::vector<Leaf> leaves) {
  return ParamStore::Create(like.layout(), like.slots(), std::move(leaves)).value();
}

// Returns some of a store's leaves, as a group on its Layout.
inline ParamStore GroupOf(const ParamStore& store, const std::vector<Slot>& slots) {
  std::vector<Leaf> leaves;
  for (const Slot slot : slots) leaves.push_back(*store.FindSlot(slot));
  return ParamStore::Create(store.layout(), SlotSet::Create(store.layout().size(), slots).value(),
                            std::move(leaves))
      .value();
}

// Returns pointers to the groups, as Merge accepts them; valid while `groups` is unchanged.
inline std::vector<const ParamStore*> PointersTo(const std::vector<ParamStore>& groups) {
  std::vector<const ParamStore*> pointers;
  for (const ParamStore& group : groups) pointers.push_back(&group);
  return pointers;
}

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_STORE_SAMPLE_STORES_H_
