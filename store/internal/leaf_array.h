// LeafArray: the leaves of a ParamStore, shared by its snapshots until one of them is written.
#ifndef LEAFSTORE_STORE_INTERNAL_LEAF_ARRAY_H_
#define LEAFSTORE_STORE_INTERNAL_LEAF_ARRAY_H_

#include <atomic>
#include <cstdint>
#include <utility>
#include <vector>

#include "leafstore/core/buffer.h"
#include "leafstore/core/leaf.h"

namespace leafstore::internal {

struct LeafArray : RefCounted<LeafArray> {
  // The number of open MutableTensors; kAllBorrowed while a MutableLeaves is open.
  std::atomic<int64_t> open_borrows{0};
  static constexpr int64_t kAllBorrowed = -1;
  // The fingerprint of kinds, dtypes and shapes; 0 until computed (ParamStore::spec_fingerprint).
  mutable std::atomic<uint64_t> spec_fingerprint{0};
  std::vector<Leaf> leaves;

  void Destroy() { delete this; }
};

// A counted pointer. Not a std::shared_ptr, whose use_count() does not synchronize with the last
// access of another owner.
class LeafArrayPtr {
 public:
  LeafArrayPtr() = default;
  explicit LeafArrayPtr(std::vector<Leaf> leaves) : array_(new LeafArray) {
    array_->leaves = std::move(leaves);
  }
  LeafArrayPtr(const LeafArrayPtr& other) : array_(other.array_) {
    if (array_ != nullptr) array_->Ref();
  }
  LeafArrayPtr(LeafArrayPtr&& other) noexcept : array_(std::exchange(other.array_, nullptr)) {}
  LeafArrayPtr& operator=(LeafArrayPtr other) noexcept {
    std::swap(array_, other.array_);
    return *this;
  }
  ~LeafArrayPtr() {
    if (array_ != nullptr) array_->Unref();
  }
  LeafArray* get() const { return array_; }
  bool IsUnique() const { return array_->IsUnique(); }

 private:
  LeafArray* array_ = nullptr;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_STORE_INTERNAL_LEAF_ARRAY_H_
