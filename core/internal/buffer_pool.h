// BufferPool: memory of large buffers that were dropped, kept for the next ones of the same size.
//
//   BufferPool::Reservation keep = BufferPool::Keep(model_bytes);   // while this lives
//
// What is written while a snapshot shares it needs memory of its own, and drops as much when the
// snapshot goes: at every save that runs beside training, a whole model's. New memory from the
// system is slow: each page of it is cleared and mapped when it is first touched, which takes longer
// than filling it. So whoever knows that as much will be needed again, as CheckpointManager does,
// keeps it.
//
// Nothing is kept unless somebody asks: up to the sum of all reservations that live, in buffers of
// kSmallest bytes or more. Where there is no room for a buffer that is dropped, some of other sizes
// give way to it. When a reservation goes, what is over the sum is given back to the system; so is
// everything when new memory is not to be had. To keep a buffer takes no memory.
//
// Threads: all calls are safe from many threads.
#ifndef LEAFSTORE_CORE_INTERNAL_BUFFER_POOL_H_
#define LEAFSTORE_CORE_INTERNAL_BUFFER_POOL_H_

#include <cstddef>
#include <cstdint>
#include <utility>

namespace leafstore {

class BufferPool {
 public:
  // Buffers that are smaller are not kept: malloc is as good at these.
  static constexpr size_t kSmallest = size_t{16} << 10;

  // Move-only; keeps until it is destroyed.
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

  // Keeps up to `bytes` more; none where that is below 0.
  [[nodiscard]] static Reservation Keep(int64_t bytes);

  // What is kept now.
  static int64_t held_bytes();
};

namespace internal {

// Memory of this size that was kept, or null. O(1).
void* TakePooled(size_t size);
// Keeps memory of posix_memalign; false: it does not, and the caller frees it. O(1).
bool KeepPooled(void* memory, size_t size);
// Gives all that is kept back to the system.
void DropPooled();

}  // namespace internal
}  // namespace leafstore

#endif  // LEAFSTORE_CORE_INTERNAL_BUFFER_POOL_H_
