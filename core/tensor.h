// Tensor: a value with a dtype, a shape and row-major bytes.
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
// A value. Copying shares bytes and can never be told from a deep copy, except by SharesBytesWith:
// whoever writes first separates itself (copy-on-write). A write happens in place only where this
// tensor is the sole holder of its bytes and these are writable. Sharing on purpose is not done
// with tensors: tied parameters are one leaf with one path, and a pack writes through the pack.
//
// Borrow. Writing goes through a MutableTensor, one at a time. A copy made of a tensor while it is
// borrowed is a deep copy of the bytes as they then are: it never sees a later write.
//
// Generation. Bytes get a number when they are made or written, unique and growing within the
// process. Equal generations mean equal dtype, shape and bytes; the converse need not hold. It is
// what incremental saves and diffs compare.
//
// Size. A handle is one pointer. The header (dtype, shape, generation) and the bytes of a tensor
// made here are one allocation. Tensor() is null: no dtype, no shape, no bytes; of such a tensor
// only null(), assignment and destruction may be used.
//
// Threads: const calls on one object are safe from many threads; copies may go to any thread, and
// one of them may be written while others are read.
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

// A new generation number: larger than all before, never 0.
uint64_t NextGeneration();

namespace internal {

absl::Status WrongValueCount(ShapeRef shape, int64_t expected, int64_t found);

struct LeafHeader;
// Terminate the program with a message: the header is null or its dtype is not `wanted`; the tensor
// does not have exactly one element.
[[noreturn]] void FailDType(const LeafHeader* header, DType wanted);
[[noreturn]] void FailItem(const LeafHeader& header);
// Returns the row-major position of the element at `index`. Terminates if it is out of bounds.
size_t CheckedPosition(const LeafHeader& header, ShapeRef index);

// What a Tensor or a Leaf points to. A tensor's dims stand right behind it.
struct LeafHeader {
  enum Flag : uint8_t {
    kIsValue = 1,    // the head of a ValueLeaf (leaf.h), no tensor
    kInStorage = 2,  // lies in its storage's own allocation
    kBorrowed = 4,   // a MutableTensor is open
  };
  std::atomic<uint32_t> refs;
  DType dtype;
  uint8_t rank;
  uint8_t flags;
  uint64_t generation;
  std::byte* data;
  Storage* storage;

  const int64_t* dims() const { return reinterpret_cast<const int64_t*>(this + 1); }
  int64_t* dims() { return reinterpret_cast<int64_t*>(this + 1); }
  bool Has(Flag flag) const { return (flags & flag) != 0; }

  void Ref() { refs.fetch_add(1, std::memory_order_relaxed); }
  void Unref() {
    if (refs.load(std::memory_order_acquire) == 1 ||
        refs.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      Destroy();
    }
  }
  bool IsUnique() const { return refs.load(std::memory_order_acquire) == 1; }

 private:
  void Destroy();
};

}  // namespace internal

class Tensor {
 public:
  Tensor() = default;
  Tensor(const Tensor& other) : header_(Share(other.header_)) {}
  Tensor(Tensor&& other) noexcept : header_(std::exchange(other.header_, nullptr)) {}
  Tensor& operator=(const Tensor& other) {
    Tensor copy(other);
    std::swap(header_, copy.header_);
    return *this;
  }
  Tensor& operator=(Tensor&& other) noexcept {
    Tensor taken(std::move(other));  // leaves `other` null, and drops the old bytes now
    std::swap(header_, taken.header_);
    return *this;
  }
  ~Tensor() {
    if (header_ != nullptr) header_->Unref();
  }

  // New tensors. error InvalidArgument or ResourceExhausted as ByteSize (shape.h);
  // ResourceExhausted also where there is no memory. O(bytes).
  static absl::StatusOr<Tensor> Zeros(DType dtype, ShapeRef shape);
  // Not cleared: for bytes that are written in full before they are read.
  static absl::StatusOr<Tensor> Uninitialized(DType dtype, ShapeRef shape);

  // Every element is 1. O(bytes).
  static absl::StatusOr<Tensor> Ones(DType dtype, ShapeRef shape);
  // Every element is `value`, whose type decides the dtype: Full({2, 3}, 0.5f) is f32[2, 3].
  template <typename T>
  static absl::StatusOr<Tensor> Full(const Shape& shape, T value);

  // Copies `values`, which are in row-major order.
  // error InvalidArgument: the number of values is not the shape's element count; or as Zeros.
  template <typename T>
  static absl::StatusOr<Tensor> From(const Shape& shape, absl::Span<const T> values);
  template <typename T>
  static absl::StatusOr<Tensor> From(const Shape& shape, std::initializer_list<T> values) {
    return From<T>(shape, absl::MakeConstSpan(values.begin(), values.size()));
  }
  // Rank 0. Not a StatusOr, since so few bytes are seldom refused: where there is no memory for
  // them it throws absl::BadStatusOrAccess (in a build without exceptions the program ends).
  template <typename T>
  static Tensor Scalar(T value);

  // A view of `buffer` from byte `offset` on, whose address must be a multiple of the element's
  // size (of 4 for c64, of 1 below a byte). Shares the bytes. O(1).
  // error InvalidArgument: outside the buffer, or misaligned; or as Zeros.
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
  // When these bytes were made or written; see the top of this file.
  uint64_t generation() const { return header_->generation; }

  // The first byte; may be null where there are none. Valid until this tensor is assigned to,
  // written or destroyed.
  const std::byte* raw_data() const { return header_->data; }
  absl::Span<const std::byte> bytes() const& {
    return absl::MakeConstSpan(header_->data, static_cast<size_t>(byte_size()));
  }
  absl::Span<const std::byte> bytes() && = delete;  // would dangle

  // The elements as values of T, which must be the dtype's C++ type (kDTypeOf<T> == dtype()). A
  // wrong T and an index out of bounds are programming errors: they terminate the program with a
  // message. Where the dtype comes from outside, compare dtype() first.
  //
  // Returns all elements in row-major order. Valid as long as raw_data().
  template <typename T>
  absl::Span<const T> span() const&;
  template <typename T>
  absl::Span<const T> span() && = delete;  // would dangle
  // Returns the element at `index`, one index per axis: `w.at<float>({i, j})`.
  template <typename T>
  T at(ShapeRef index) const;
  // Returns the only element of a tensor that has one element, whatever its rank.
  template <typename T>
  T item() const;

  // The same bytes under another shape. O(1); a tensor being written is copied, O(bytes).
  // error InvalidArgument: another element count; or as Zeros.
  absl::StatusOr<Tensor> Reshape(ShapeRef shape) const;

  // A copy in memory of its own. error ResourceExhausted: no memory. O(bytes).
  absl::StatusOr<Tensor> Clone() const;

  // Opens the bytes for writing, cloning them first if anything else can see them.
  // error FailedPrecondition: already borrowed, or null. error ResourceExhausted: no memory.
  // O(1), or O(bytes) where it clones. The borrow is of the bytes: moving this tensor takes it
  // along; after an assignment to it, or its destruction, the borrow writes bytes that nobody will
  // read.
  absl::StatusOr<MutableTensor> Mutate() &;

  // Whether any byte of this tensor is the same memory as one of the other's.
  bool SharesBytesWith(const Tensor& other) const;

  // Equal dtype, shape and bytes (so NaN equals itself, 0 and -0 differ). O(bytes); O(1) where the
  // generations are equal. Null equals null.
  friend bool operator==(const Tensor& a, const Tensor& b) { return a.Equals(b); }

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
  T* Elements() const {
    if (header_ == nullptr || header_->dtype != kDTypeOf<T>) {
      internal::FailDType(header_, kDTypeOf<T>);
    }
    return reinterpret_cast<T*>(header_->data);
  }
  bool Equals(const Tensor& other) const;

  internal::LeafHeader* header_ = nullptr;
};

// An open write to one tensor. Closes when destroyed, which gives the bytes a new generation.
// Move-only: a borrow that was moved from is closed, and one that is assigned to closes first.
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

  // Closes early; closing again does nothing. tensor() is null from then on.
  void Close();

  // What is borrowed, for reading. Copying it copies the bytes.
  const Tensor& tensor() const { return tensor_; }
  DType dtype() const { return tensor_.dtype(); }
  ShapeRef shape() const& { return tensor_.shape(); }
  ShapeRef shape() && = delete;  // would dangle

  // The bytes for writing, until this borrow closes.
  std::byte* raw_data() { return tensor_.header_->data; }
  absl::Span<std::byte> bytes() & {
    return absl::MakeSpan(raw_data(), static_cast<size_t>(tensor_.byte_size()));
  }
  absl::Span<std::byte> bytes() && = delete;  // would write after the borrow
  // The elements for writing, until this borrow closes. Like those of Tensor, but a closed borrow
  // terminates the program too.
  template <typename T>
  absl::Span<T> span() &;
  template <typename T>
  absl::Span<T> span() && = delete;  // would write after the borrow
  template <typename T>
  T& at(ShapeRef index) &;
  template <typename T>
  T& at(ShapeRef index) && = delete;

 private:
  friend struct TensorAccess;
  // Takes over `tensor`, a second handle on the borrowed header.
  MutableTensor(Tensor tensor, std::atomic<int64_t>* open_borrows)
      : tensor_(std::move(tensor)), open_borrows_(open_borrows) {}

  // Not a pointer to the borrowed tensor, which may move (a vector of leaves that grows) or go
  // away.
  Tensor tensor_;
  // The count of the store that the tensor is a leaf of, which this borrow holds up; or null.
  std::atomic<int64_t>* open_borrows_;
};

// For store/: what a bulk write needs, a step at a time. Not for others.
struct TensorAccess {
  // Makes `tensor` the sole holder of writable bytes, cloning where it must, and gives them
  // `generation`. After an error nothing has changed.
  // error FailedPrecondition: a borrow is open. error ResourceExhausted: no memory.
  static absl::Status MakeWritable(Tensor* tensor, uint64_t generation);
  // The same for a tensor that will be written in full: where it must separate itself, its bytes are
  // new and not copied, and what it was goes to `*old`, which is null otherwise.
  static absl::Status MakeOverwritable(Tensor* tensor, uint64_t generation, Tensor* old);
  // error InvalidArgument: the tensor's dtype is not `wanted`. error FailedPrecondition: it is null.
  static absl::Status CheckDType(const Tensor& tensor, DType wanted);
  // Whether a MutableTensor of it is open.
  static bool IsBorrowed(const Tensor& tensor) {
    return tensor.header_->Has(internal::LeafHeader::kBorrowed);
  }
  // The bytes of a tensor that MakeWritable was called on.
  static std::byte* data(Tensor* tensor) { return tensor->header_->data; }
  // Mutate() that also holds up `open_borrows` by one while open.
  static absl::StatusOr<MutableTensor> Mutate(Tensor* tensor, std::atomic<int64_t>* open_borrows);
  // Whether `buffer` could be written in place but for those of `leaves` that are tensors over it,
  // which nobody else holds. O(leaves).
  static bool IsWritableWithout(const Buffer& buffer, absl::Span<const Leaf> leaves);
  // Gives the tensor a generation of its own without touching its bytes. Errors as MakeWritable.
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
  std::copy(values.begin(), values.end(), tensor->Elements<T>());
  return tensor;
}

template <typename T>
absl::StatusOr<Tensor> Tensor::Full(const Shape& shape, T value) {
  absl::StatusOr<Tensor> tensor = Uninitialized(kDTypeOf<T>, shape);
  if (!tensor.ok()) return tensor;
  std::fill_n(tensor->Elements<T>(), tensor->element_count(), value);
  return tensor;
}

template <typename T>
Tensor Tensor::Scalar(T value) {
  return Full<T>({}, value).value();
}

template <typename T>
absl::Span<const T> Tensor::span() const& {
  const T* const elements = Elements<T>();
  return absl::MakeConstSpan(elements, static_cast<size_t>(element_count()));
}

template <typename T>
T Tensor::at(ShapeRef index) const {
  const T* const elements = Elements<T>();
  return elements[internal::CheckedPosition(*header_, index)];
}

template <typename T>
T Tensor::item() const {
  const T* const elements = Elements<T>();
  if (element_count() != 1) internal::FailItem(*header_);
  return *elements;
}

template <typename T>
absl::Span<T> MutableTensor::span() & {
  T* const elements = tensor_.Elements<T>();
  return absl::MakeSpan(elements, static_cast<size_t>(tensor_.element_count()));
}

template <typename T>
T& MutableTensor::at(ShapeRef index) & {
  T* const elements = tensor_.Elements<T>();
  return elements[internal::CheckedPosition(*tensor_.header_, index)];
}

}  // namespace leafstore

#endif  // LEAFSTORE_CORE_TENSOR_H_
