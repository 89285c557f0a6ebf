#include "leafstore/core/tensor.h"

#include <cstdlib>
#include <cstring>
#include <new>
#include <numeric>
#include <string>

#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/fatal.h"
#include "leafstore/core/leaf.h"
#include "leafstore/core/status_macros.h"

namespace leafstore {

using internal::LeafHeader;
using internal::Storage;

uint64_t NextGeneration() {
  static std::atomic<uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

namespace internal {
namespace {

// Returns the dtype and the shape, such as "f32[4]".
std::string TypeText(const LeafHeader& header) {
  return absl::StrCat(DTypeName(header.dtype), ShapeToString(ShapeRef(header.dims(), header.rank)));
}

}  // namespace

absl::Status WrongValueCount(ShapeRef shape, int64_t expected, int64_t found) {
  return absl::InvalidArgumentError(absl::StrCat("values for shape ", ShapeToString(shape),
                                                 ": expected ", expected, ", found ", found));
}

void FailDType(const LeafHeader* header, DType wanted) {
  if (header == nullptr) {
    Fatal(absl::StrCat("expected a tensor of ", DTypeName(wanted),
                       ", found none: the tensor is null or its borrow is closed"));
  }
  Fatal(absl::StrCat("expected a tensor of ", DTypeName(wanted), ", found ",
                     header->Has(LeafHeader::kIsValue) ? "a static value" : TypeText(*header)));
}

void FailItem(const LeafHeader& header) {
  Fatal(absl::StrCat("expected a tensor of one element, found ", TypeText(header)));
}

size_t CheckedPosition(const LeafHeader& header, ShapeRef index) {
  if (index.size() != header.rank) {
    Fatal(absl::StrCat("index ", ShapeToString(index), " of ", TypeText(header), ": expected ",
                       header.rank, " indices, found ", index.size()));
  }
  int64_t position = 0;
  for (size_t axis = 0; axis < index.size(); ++axis) {
    const int64_t extent = header.dims()[axis];
    if (index[axis] < 0 || index[axis] >= extent) {
      Fatal(absl::StrCat("index ", ShapeToString(index), " of ", TypeText(header),
                         ": expected axis ", axis, " in [0, ", extent, "), found ", index[axis]));
    }
    position = position * extent + index[axis];
  }
  return static_cast<size_t>(position);
}

void LeafHeader::Destroy() {
  if (Has(kIsValue)) {
    delete static_cast<ValueLeaf*>(this);
    return;
  }
  Storage* bytes = storage;
  if (!Has(kInStorage)) {
    this->~LeafHeader();
    std::free(this);
  }
  bytes->Unref();
}

}  // namespace internal

namespace {

size_t HeaderSize(size_t rank) { return sizeof(LeafHeader) + rank * sizeof(int64_t); }

LeafHeader* InitHeader(void* memory, uint8_t flags, DType dtype, ShapeRef shape, std::byte* data,
                       Storage* storage) {
  const auto rank = static_cast<uint8_t>(shape.size());
  auto* header = new (memory) LeafHeader{{}, dtype, rank, flags, NextGeneration(), data, storage};
  std::copy(shape.begin(), shape.end(), header->dims());
  return header;
}

// Returns a header in the same allocation as its new bytes. Returns null if there is no memory.
LeafHeader* NewOwned(DType dtype, ShapeRef shape, int64_t bytes) {
  Storage* storage = internal::NewOwnedStorage(bytes, HeaderSize(shape.size()));
  if (storage == nullptr) return nullptr;
  return InitHeader(storage + 1, LeafHeader::kInStorage, dtype, shape, storage->data(), storage);
}

// Returns a header over existing bytes. Adds a reference to `storage`.
LeafHeader* NewView(DType dtype, ShapeRef shape, std::byte* data, Storage* storage) {
  void* memory = std::malloc(HeaderSize(shape.size()));
  if (memory == nullptr) return nullptr;
  storage->Ref();
  return InitHeader(memory, 0, dtype, shape, data, storage);
}

ShapeRef ShapeOf(const LeafHeader& header) { return ShapeRef(header.dims(), header.rank); }

int64_t BytesOf(const LeafHeader& header) {
  return internal::UncheckedByteSize(header.dtype, ShapeOf(header));
}

// Copies the bytes to a header of the same dtype and shape.
void CopyBytes(const LeafHeader& from, LeafHeader* to) {
  const int64_t bytes = BytesOf(from);
  if (bytes > 0) std::memcpy(to->data, from.data, static_cast<size_t>(bytes));
}

LeafHeader* CloneHeader(const LeafHeader& from) {
  LeafHeader* copy = NewOwned(from.dtype, ShapeOf(from), BytesOf(from));
  if (copy != nullptr) CopyBytes(from, copy);
  return copy;
}

// Returns whether only this header sees a write to the bytes.
bool IsSoleHolder(const LeafHeader& header) {
  return header.IsUnique() && header.storage->writable && header.storage->IsUnique();
}

absl::Status NoMemory(DType dtype, ShapeRef shape) {
  return absl::ResourceExhaustedError(
      absl::StrCat("no memory for ", DTypeName(dtype), ShapeToString(shape)));
}

absl::Status AlreadyBorrowed() {
  return absl::FailedPreconditionError(
      "the tensor is already being written: a mutable borrow of it is open");
}

}  // namespace

absl::StatusOr<Tensor> Tensor::Uninitialized(DType dtype, ShapeRef shape) {
  LEAFSTORE_ASSIGN_OR_RETURN(const int64_t bytes, ByteSize(dtype, shape));
  LeafHeader* header = NewOwned(dtype, shape, bytes);
  if (header == nullptr) return NoMemory(dtype, shape);
  return Tensor(header);
}

absl::StatusOr<Tensor> Tensor::Zeros(DType dtype, ShapeRef shape) {
  LEAFSTORE_ASSIGN_OR_RETURN(Tensor tensor, Uninitialized(dtype, shape));
  std::memset(tensor.header_->data, 0, static_cast<size_t>(tensor.byte_size()));
  return tensor;
}

absl::StatusOr<Tensor> Tensor::Ones(DType dtype, ShapeRef shape) {
  LEAFSTORE_ASSIGN_OR_RETURN(Tensor tensor, Uninitialized(dtype, shape));
  // The shortest run of elements that fills complete bytes, low bits first.
  const size_t bits = DTypeBits(dtype);
  const size_t run = std::lcm(bits, size_t{8});
  uint64_t pattern = 0;
  for (size_t begin = 0; begin < run; begin += bits) pattern |= internal::BitsOfOne(dtype) << begin;
  const size_t run_bytes = run / 8;
  const auto bytes = static_cast<size_t>(tensor.byte_size());
  for (size_t at = 0; at < bytes; at += run_bytes) {
    std::memcpy(tensor.header_->data + at, &pattern, run_bytes);
  }
  return tensor;
}

absl::StatusOr<Tensor> Tensor::FromBuffer(DType dtype, ShapeRef shape, const Buffer& buffer,
                                          int64_t offset) {
  LEAFSTORE_ASSIGN_OR_RETURN(const int64_t bytes, ByteSize(dtype, shape));
  if (buffer.null() || offset < 0 || offset > buffer.size() || bytes > buffer.size() - offset) {
    return absl::InvalidArgumentError(
        absl::StrCat(DTypeName(dtype), ShapeToString(shape), " at byte ", offset, ": expected ",
                     bytes, " bytes there, found a buffer of ", buffer.size()));
  }
  // The alignment of one element: c64 is a pair of 4-byte floats.
  const size_t element = dtype == DType::kC64 ? 4 : std::max<size_t>(1, DTypeBits(dtype) / 8);
  std::byte* data = buffer.storage_->data() + offset;
  if (reinterpret_cast<uintptr_t>(data) % element != 0) {
    return absl::InvalidArgumentError(absl::StrCat(DTypeName(dtype), " at byte ", offset,
                                                   ": expected an address aligned to ", element));
  }
  LeafHeader* header = NewView(dtype, shape, data, buffer.storage_);
  if (header == nullptr) return NoMemory(dtype, shape);
  return Tensor(header);
}

int64_t Tensor::element_count() const { return internal::UncheckedElementCount(shape()); }
int64_t Tensor::byte_size() const { return BytesOf(*header_); }

absl::StatusOr<Tensor> Tensor::Reshape(ShapeRef shape) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const int64_t count, ElementCount(shape));
  if (count != element_count()) {
    return absl::InvalidArgumentError(absl::StrCat("reshape of ", ShapeToString(this->shape()),
                                                   " to ", ShapeToString(shape), ": expected ",
                                                   element_count(), " elements, found ", count));
  }
  if (header_->Has(LeafHeader::kBorrowed)) {  // a view of these bytes would see the writes
    LEAFSTORE_ASSIGN_OR_RETURN(const Tensor stable, Clone());
    return stable.Reshape(shape);
  }
  LeafHeader* header = NewView(dtype(), shape, header_->data, header_->storage);
  if (header == nullptr) return NoMemory(dtype(), shape);
  return Tensor(header);
}

absl::StatusOr<Tensor> Tensor::Clone() const {
  LeafHeader* copy = CloneHeader(*header_);
  if (copy == nullptr) return NoMemory(dtype(), shape());
  return Tensor(copy);
}

LeafHeader* Tensor::DeepCopy(const LeafHeader* header) {
  LeafHeader* copy = CloneHeader(*header);
  if (copy == nullptr) throw std::bad_alloc();  // a copy constructor has no other way to fail
  return copy;
}

absl::StatusOr<MutableTensor> Tensor::Mutate() & { return TensorAccess::Mutate(this, nullptr); }

bool Tensor::SharesBytesWith(const Tensor& other) const {
  if (null() || other.null()) return false;
  const std::byte* a = header_->data;
  const std::byte* b = other.header_->data;
  return byte_size() > 0 && other.byte_size() > 0 && a < b + other.byte_size() &&
         b < a + byte_size();
}

bool operator==(const Tensor& a, const Tensor& b) {
  if (a.header_ == b.header_) return true;
  if (a.null() || b.null()) return false;
  if (a.dtype() != b.dtype() || a.shape() != b.shape()) return false;
  // The generation of bytes that are being written is out of date.
  const bool stable = !TensorAccess::IsBorrowed(a) && !TensorAccess::IsBorrowed(b);
  if (stable && a.generation() == b.generation()) return true;
  const auto bytes = static_cast<size_t>(a.byte_size());
  return bytes == 0 || std::memcmp(a.raw_data(), b.raw_data(), bytes) == 0;
}

absl::Status TensorAccess::MakeOverwritable(Tensor* tensor, uint64_t generation, Tensor* old) {
  LeafHeader* header = tensor->header_;
  if (header->Has(LeafHeader::kBorrowed)) return AlreadyBorrowed();
  *old = Tensor();
  if (!IsSoleHolder(*header)) {
    LeafHeader* fresh = NewOwned(header->dtype, ShapeOf(*header), BytesOf(*header));
    if (fresh == nullptr) return NoMemory(tensor->dtype(), tensor->shape());
    *old = std::exchange(*tensor, Tensor(fresh));
    header = fresh;
  }
  header->generation = generation;
  return absl::OkStatus();
}

absl::Status TensorAccess::MakeWritable(Tensor* tensor, uint64_t generation) {
  Tensor old;
  LEAFSTORE_RETURN_IF_ERROR(MakeOverwritable(tensor, generation, &old));
  if (!old.null()) CopyBytes(*old.header_, tensor->header_);
  return absl::OkStatus();
}

absl::StatusOr<MutableTensor> TensorAccess::Mutate(Tensor* tensor,
                                                   std::atomic<int64_t>* open_borrows) {
  if (tensor->null()) return absl::FailedPreconditionError("the tensor is null");
  LEAFSTORE_RETURN_IF_ERROR(MakeWritable(tensor, tensor->generation()));
  LeafHeader* header = tensor->header_;
  header->flags |= LeafHeader::kBorrowed;
  header->Ref();
  if (open_borrows != nullptr) open_borrows->fetch_add(1, std::memory_order_relaxed);
  return MutableTensor(Tensor(header), open_borrows);
}

bool TensorAccess::IsWritableWithout(const Buffer& buffer, absl::Span<const Leaf> leaves) {
  Storage* storage = buffer.storage_;
  if (storage == nullptr || !storage->writable) return false;
  uint32_t over_it = 0;
  for (const Leaf& leaf : leaves) {
    if (!leaf.is_tensor() || leaf.tensor().header_->storage != storage) continue;
    if (!leaf.tensor().header_->IsUnique()) return false;
    ++over_it;
  }
  return storage->refs.load(std::memory_order_acquire) == 1 + over_it;
}

absl::Status TensorAccess::Restamp(Tensor* tensor) {
  LeafHeader* header = tensor->header_;
  if (header->Has(LeafHeader::kBorrowed)) return AlreadyBorrowed();
  if (!header->IsUnique()) {
    LeafHeader* view = NewView(header->dtype, ShapeOf(*header), header->data, header->storage);
    if (view == nullptr) return NoMemory(tensor->dtype(), tensor->shape());
    header->Unref();
    tensor->header_ = header = view;
  }
  header->generation = NextGeneration();
  return absl::OkStatus();
}

absl::Status TensorAccess::CheckDType(const Tensor& tensor, DType wanted) {
  if (tensor.null()) return absl::FailedPreconditionError("the tensor is null");
  if (tensor.dtype() == wanted) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("expected a tensor of ", DTypeName(wanted),
                                                 ", found ", DTypeName(tensor.dtype()),
                                                 ShapeToString(tensor.shape())));
}

void MutableTensor::Close() {
  if (tensor_.null()) return;
  LeafHeader* header = tensor_.header_;
  header->flags &= static_cast<uint8_t>(~LeafHeader::kBorrowed);
  header->generation = NextGeneration();
  tensor_ = Tensor();
  // With release order, so that a thread that reads a count of zero sees the written bytes.
  if (open_borrows_ != nullptr) open_borrows_->fetch_sub(1, std::memory_order_release);
  open_borrows_ = nullptr;
}

}  // namespace leafstore
