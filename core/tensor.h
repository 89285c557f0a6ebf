// Tensor: an array with a dtype, a shape and row-major bytes, which is copied like a value.
//
//   Tensor w = Tensor::Zeros(DType::kF32, {128, 64}).value();
//   Tensor copy = w;                                   // O(1): shares the bytes
//   {
//     MutableTensor m = w.Mutate().value();            // clones first: `copy` shares them
//     m.at<float>({0, 0}) = 1;
//     for (float& x : m.span<float>()) x += 2;
//   }                                                  // closes the borrow
//   copy.at<float>({0, 0});                            // still 0
//
// Copies. Copying shares the bytes, and the first write separates the copies (copy-on-write); only
// SharesBytesWith can distinguish this from a deep copy. A write is in place if this tensor is the
// sole holder of writable bytes. No tensor changes when another is written: tied parameters are one
// leaf with one path, and a pack is written through the Packed object.
//
// Borrow. To write, open a MutableTensor; a tensor has at most one at a time. Copying a tensor
// while it is borrowed makes a deep copy, which no later write changes.
//
// Generation. Bytes get a generation when they are created or written: unique and ascending within
// the process. Equal generations mean equal dtype, shape and bytes; the converse need not hold.
// Incremental saves and diffs compare generations.
//
// Size. A handle is one pointer. The header (dtype, shape, generation) and the bytes are one
// allocation, unless the tensor is a view. Tensor() is null: it has no dtype, shape or bytes, and
// only null(), assignment and destruction may be used on it.
//
// Threads: const calls on one object are thread-safe; copies may go to any thread, and one of them
// may be written while others are read.
#ifndef LEAFSTORE_CORE_TENSOR_H_
#define LEAFSTORE_CORE_TENSOR_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/core/buffer.h"
#include "leafstore/core/dtype.h"
#include "leafstore/core/shape.h"

namespace leafstore {

class Leaf;
class MutableTensor;

// Returns a new generation: larger than all earlier ones, never 0.
uint64_t NextGeneration();

namespace internal {

absl::Status WrongValueCount(ShapeRef shape, int64_t expected, int64_t found);

struct LeafHeader;
// Terminate the program with a message: that the header is null or its dtype is not `wanted`; that
// the tensor does not have exactly one element.
[[noreturn]] void FailDType(const LeafHeader* header, DType wanted);
[[noreturn]] void FailItem(const LeafHeader& header);
// Returns the row-major position of the element at `index`. Terminates if it is out of bounds.
size_t CheckedPosition(const LeafHeader& header, ShapeRef index);

// The header that a Tensor or a Leaf points to. The dims of a tensor follow it directly.
struct LeafHeader : RefCounted<LeafHeader> {
  enum Flag : uint8_t {
    kIsValue = 1,    // the header of a ValueLeaf (leaf.h), not of a tensor
    kInStorage = 2,  // the header is in the allocation of its storage
    kBorrowed = 4,   // a MutableTensor is open
  };
  DType dtype;
  uint8_t rank;
  uint8_t flags;
  uint64_t generation;
  std::byte* data;
  Storage* storage;

  const int64_t* dims() const { return reinterpret_cast<const int64_t*>(this + 1); }
  int64_t* dims() { return reinterpret_cast<int64_t*>(this + 1); }
  bool Has(Flag flag) const { return (flags & flag) != 0; }
  void Destroy();
};

}  // namespace internal

class Tensor {
 public:
  Tensor() = default;
  Tensor(const Tensor& other) : header_(Share(other.header_)) {}
  Tensor(Tensor&& other) noexcept : header_(std::exchange(other.header_, nullptr)) {}
  Tensor& operator=(Tensor other) noexcept {
    std::swap(header_, other.header_);
    return *this;
  }
  ~Tensor() {
    if (header_ != nullptr) header_->Unref();
  }

  // Allocates a tensor of zeros. Errors: those of ByteSize (shape.h); also ResourceExhausted if out
  // of memory. O(bytes).
  static absl::StatusOr<Tensor> Zeros(DType dtype, ShapeRef shape);
  // Like Zeros, but the bytes are uninitialized: write all of them before reading any.
  static absl::StatusOr<Tensor> Uninitialized(DType dtype, ShapeRef shape);

  // Like Zeros, but every element is 1.
  static absl::StatusOr<Tensor> Ones(DType dtype, ShapeRef shape);
  // Like Zeros, but every element is `value`, whose type determines the dtype: Full({2, 3}, 0.5f)
  // is f32[2, 3].
  template <typename T>
  static absl::StatusOr<Tensor> Full(const Shape& shape, T value);

  // Returns a tensor with a copy of `values`, in row-major order. error InvalidArgument: their
  // count is not the shape's element count. Other errors: those of Zeros.
  template <typename T>
  static absl::StatusOr<Tensor> From(const Shape& shape, absl::Span<const T> values);
  template <typename T>
  static absl::StatusOr<Tensor> From(const Shape& shape, std::initializer_list<T> values) {
    return From<T>(shape, absl::MakeConstSpan(values.begin(), values.size()));
  }
  // Returns a tensor of rank 0. If no memory is left, throws absl::BadStatusOrAccess, or terminates
  // in a build without exceptions.
  template <typename T>
  static Tensor Scalar(T value);

  // Returns a view of `buffer` from byte `offset` on. The address must be a multiple of the element
  // size (of 4 for c64, of 1 for types narrower than a byte). Shares the bytes. O(1).
  // error InvalidArgument: outside the buffer, or misaligned. Other errors: those of Zeros.
  static absl::StatusOr<Tensor> FromBuffer(DType dtype, ShapeRef shape, const Buffer& buffer,
                                           int64_t offset = 0);

  bool null() const { return header_ == nullptr; }
  DType dtype() const { return header_->dtype; }
  // Valid while this tensor or a copy of it lives.
  ShapeRef shape() const& { return ShapeRef(header_->dims(), header_->rank); }
  ShapeRef shape() && = delete;  // would dangle
  int rank() const { return header_->rank; }
  int64_t element_count() const;
  int64_t byte_size() const;
  // Returns the generation of the bytes; see the top of this file.
  uint64_t generation() const { return header_->generation; }

  // Returns the first byte; may be null if the tensor has no bytes. Valid until this tensor is
  // assigned to, written or destroyed.
  const std::byte* raw_data() const { return header_->data; }
  absl::Span<const std::byte> bytes() const& {
    return absl::MakeConstSpan(header_->data, static_cast<size_t>(byte_size()));
  }
  absl::Span<const std::byte> bytes() && = delete;  // would dangle

  // These access elements as values of T, which must be the dtype's C++ type (kDTypeOf<T> ==
  // dtype()). A wrong T or an index out of bounds is a programming error and terminates the program
  // with a message. For a tensor from a file, check dtype() first.
  //
  // Returns all elements in row-major order. Valid as long as raw_data().
  template <typename T>
  absl::Span<const T> span() const& {
    return Elements<T>();
  }
  template <typename T>
  absl::Span<const T> span() && = delete;  // would dangle
  // Returns the element at `index`, one index per axis: `w.at<float>({i, j})`.
  template <typename T>
  T at(ShapeRef index) const {
    return Elements<T>()[internal::CheckedPosition(*header_, index)];
  }
  // Returns the only element of a tensor that has one element, whatever its rank.
  template <typename T>
  T item() const {
    const absl::Span<const T> elements = Elements<T>();
    if (elements.size() != 1) internal::FailItem(*header_);
    return elements[0];
  }

  // Returns the same bytes under another shape. O(1); O(bytes) if the tensor is borrowed, as it is
  // copied. error InvalidArgument: another element count. Other errors: those of Zeros.
  absl::StatusOr<Tensor> Reshape(ShapeRef shape) const;

  // Returns a deep copy. error ResourceExhausted: out of memory. O(bytes).
  absl::StatusOr<Tensor> Clone() const;

  // Opens the bytes for writing. Clones them first if they are shared or not writable.
  // error FailedPrecondition: already borrowed, or null. error ResourceExhausted: out of memory.
  // O(1), or O(bytes) if it clones. The borrow stays valid when this tensor is moved. After this
  // tensor is assigned to or destroyed, the borrow writes bytes that no tensor uses.
  absl::StatusOr<MutableTensor> Mutate() &;

  // Returns whether the bytes of the two tensors overlap in memory.
  bool SharesBytesWith(const Tensor& other) const;

  // Compares dtype, shape and bytes: NaN equals itself, and 0 and -0 differ. Null equals null.
  // O(bytes); O(1) if the generations are equal.
  friend bool operator==(const Tensor& a, const Tensor& b);

 private:
  friend class Leaf;
  friend class MutableTensor;
  friend struct TensorAccess;

  explicit Tensor(internal::LeafHeader* header) : header_(header) {}

  static internal::LeafHeader* Share(internal::LeafHeader* header) {
    if (header == nullptr) return nullptr;
    if (header->Has(internal::LeafHeader::kBorrowed)) return DeepCopy(header);
    header->Ref();
    return header;
  }
  static internal::LeafHeader* DeepCopy(const internal::LeafHeader* header);

  template <typename T>
  absl::Span<T> Elements() const {
    if (header_ == nullptr || header_->dtype != kDTypeOf<T>) {
      internal::FailDType(header_, kDTypeOf<T>);
    }
    return absl::MakeSpan(reinterpret_cast<T*>(header_->data),
                          static_cast<size_t>(element_count()));
  }

  internal::LeafHeader* header_ = nullptr;
};

// A borrow of one tensor for writing. Closes when destroyed; the bytes then get a new generation.
// Move-only: a moved-from borrow is closed, and a borrow that is assigned to closes first.
class MutableTensor {
 public:
  MutableTensor(MutableTensor&& other) noexcept
      : tensor_(std::move(other.tensor_)),
        open_borrows_(std::exchange(other.open_borrows_, nullptr)) {}
  MutableTensor& operator=(MutableTensor&& other) noexcept {
    if (this == &other) return *this;
    Close();
    tensor_ = std::move(other.tensor_);
    open_borrows_ = std::exchange(other.open_borrows_, nullptr);
    return *this;
  }
  ~MutableTensor() { Close(); }

  // Closes early; closing again does nothing. tensor() is null afterwards.
  void Close();

  // Returns the borrowed tensor for reading. Copying it copies the bytes.
  const Tensor& tensor() const { return tensor_; }
  DType dtype() const { return tensor_.dtype(); }
  ShapeRef shape() const& { return tensor_.shape(); }
  ShapeRef shape() && = delete;  // would dangle

  // Returns the bytes for writing. Valid until this borrow closes.
  std::byte* raw_data() { return tensor_.header_->data; }
  absl::Span<std::byte> bytes() & {
    return absl::MakeSpan(raw_data(), static_cast<size_t>(tensor_.byte_size()));
  }
  absl::Span<std::byte> bytes() && = delete;  // would write after the borrow
  // Like span and at of Tensor, but for writing. Valid until this borrow closes. Calling them on a
  // closed borrow terminates the program too.
  template <typename T>
  absl::Span<T> span() & {
    return tensor_.Elements<T>();
  }
  template <typename T>
  absl::Span<T> span() && = delete;  // would write after the borrow
  template <typename T>
  T& at(ShapeRef index) & {
    return tensor_.Elements<T>()[internal::CheckedPosition(*tensor_.header_, index)];
  }
  template <typename T>
  T& at(ShapeRef index) && = delete;

 private:
  friend struct TensorAccess;
  // Adopts `tensor`, a second handle on the borrowed header.
  MutableTensor(Tensor tensor, std::atomic<int64_t>* open_borrows)
      : tensor_(std::move(tensor)), open_borrows_(open_borrows) {}

  // A handle, not a pointer to the borrowed tensor, which may move (in a vector that grows) or be
  // destroyed.
  Tensor tensor_;
  // The count of open borrows of the tensor's store, including this borrow; or null.
  std::atomic<int64_t>* open_borrows_;
};

// The steps of a write, for the library's bulk operations.
struct TensorAccess {
  // Makes `tensor` the sole holder of writable bytes, cloning them if needed, and sets their
  // generation. After an error nothing has changed.
  // error FailedPrecondition: a borrow is open. error ResourceExhausted: out of memory.
  static absl::Status MakeWritable(Tensor* tensor, uint64_t generation);
  // Like MakeWritable, for a tensor that will be written completely: where MakeWritable would
  // clone, the new bytes are uninitialized and `*old` is the previous tensor; otherwise `*old` is
  // null.
  static absl::Status MakeOverwritable(Tensor* tensor, uint64_t generation, Tensor* old);
  // error InvalidArgument: the dtype is not `wanted`. error FailedPrecondition: the tensor is null.
  static absl::Status CheckDType(const Tensor& tensor, DType wanted);
  // Returns whether a MutableTensor of it is open.
  static bool IsBorrowed(const Tensor& tensor) {
    return tensor.header_->Has(internal::LeafHeader::kBorrowed);
  }
  // Return the bytes of a tensor that is new or was made writable. `data` returns only the address,
  // which is faster in loops over many leaves.
  static absl::Span<std::byte> bytes(Tensor* tensor) {
    return absl::MakeSpan(tensor->header_->data, static_cast<size_t>(tensor->byte_size()));
  }
  static std::byte* data(Tensor* tensor) { return tensor->header_->data; }
  template <typename T>
  static absl::Span<T> span(Tensor* tensor) {
    return tensor->Elements<T>();
  }
  // Like Tensor::Mutate, but adds one to `open_borrows` while the borrow is open.
  static absl::StatusOr<MutableTensor> Mutate(Tensor* tensor, std::atomic<int64_t>* open_borrows);
  // Returns whether `buffer` is writable and all its holders are tensors among `leaves`, each held
  // once. O(leaves).
  static bool IsWritableWithout(const Buffer& buffer, absl::Span<const Leaf> leaves);
  // Assigns a new generation to this tensor alone, without writing its bytes.
  // Errors: those of MakeWritable.
  static absl::Status Restamp(Tensor* tensor);
};

// ---- implementation ----

template <typename T>
absl::StatusOr<Tensor> Tensor::From(const Shape& shape, absl::Span<const T> values) {
  const auto found = static_cast<int64_t>(values.size());
  if (absl::StatusOr<int64_t> count = ElementCount(shape); !count.ok()) {
    return count.status();
  } else if (*count != found) {  // before anything is allocated
    return internal::WrongValueCount(shape, *count, found);
  }
  absl::StatusOr<Tensor> tensor = Uninitialized(kDTypeOf<T>, shape);
  if (!tensor.ok()) return tensor;
  std::copy(values.begin(), values.end(), tensor->Elements<T>().begin());
  return tensor;
}

template <typename T>
absl::StatusOr<Tensor> Tensor::Full(const Shape& shape, T value) {
  absl::StatusOr<Tensor> tensor = Uninitialized(kDTypeOf<T>, shape);
  if (!tensor.ok()) return tensor;
  const absl::Span<T> elements = tensor->Elements<T>();
  std::fill(elements.begin(), elements.end(), value);
  return tensor;
}

template <typename T>
Tensor Tensor::Scalar(T value) {
  return Full<T>({}, value).value();
}

}  // namespace leafstore

#endif  // LEAFSTORE_CORE_TENSOR_H_
