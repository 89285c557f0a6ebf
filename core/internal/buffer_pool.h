// BufferPool: keeps the memory of freed large buffers for later buffers of the same size.
//
//   BufferPool::Reservation keep = BufferPool::Keep(model_bytes);   // while this lives
//
// A tensor that is written while a snapshot shares it needs new memory, and the old memory is freed
// with the snapshot. With a save that runs beside training this happens to a full model at every
// save. New memory from the system is slow: each page is cleared and mapped when it is first
// touched, which takes longer than filling it. CheckpointManager, which will need the same amount
// again, therefore reserves it.
//
// Freed buffers of kSmallest bytes or more are kept, up to the sum of all live reservations;
// without a reservation, none. If a freed buffer does not fit, kept buffers of other sizes are
// released. The excess is returned to the system when a reservation ends, and all kept memory when
// an allocation fails. Keeping a buffer allocates nothing.
//
// Threads: all calls are thread-safe.
#ifndef LEAFSTORE_CORE_INTERNAL_BUFFER_POOL_H_
#define LEAFSTORE_CORE_INTERNAL_BUFFER_POOL_H_

#include <cstddef>
#include <cstdint>
#include <utility>

namespace leafstore::internal {

class BufferPool {
 public:
  // Smaller buffers are not kept: malloc handles them as well.
  static constexpr size_t kSmallest = size_t{16} << 10;

  // Keeps memory until it is destroyed. Move-only.
  class Reservation {
   public:
    Reservation() = default;
    Reservation(Reservation&& other) noexcept : bytes_(std::exchange(other.bytes_, 0)) {}
    Reservation& operator=(Reservation&& other) noexcept {
      const Reservation old(std::exchange(bytes_, std::exchange(other.bytes_, 0)));
      return *this;
    }
    ~Reservation();

    int64_t bytes() const { return bytes_; }

   private:
    friend class BufferPool;
    explicit Reservation(int64_t bytes) : bytes_(bytes) {}

    int64_t bytes_ = 0;
  };

  // Keeps up to `bytes` more; none if `bytes` is negative.
  [[nodiscard]] static Reservation Keep(int64_t bytes);

  // Returns the bytes that are kept now.
  static int64_t held_bytes();
};

// Returns kept memory of this size, or null. O(1).
void* TakePooled(size_t size);
// Keeps memory from posix_memalign. Returns false if it was not kept and the caller must free it.
// O(1).
bool KeepPooled(void* memory, size_t size);
// Returns all kept memory to the system.
void DropPooled();

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CORE_INTERNAL_BUFFER_POOL_H_
