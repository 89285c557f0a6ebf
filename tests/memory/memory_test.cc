// Use of memory, and lack of it. The sanitizers, which have their own allocators and need most of the
// address space, leave these tests out.
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/core/tensor.h"
#include "leafstore/pack/pack.h"
#include "leafstore/store/param_store.h"

#include "tests/core/status_matchers.h"
#include "tests/store/sample_models.h"
#include "tests/store/sample_stores.h"

namespace leafstore {
namespace {

using ::testing::HasSubstr;

TEST(TensorMemoryTest, SmallTensor_HasLittleOverhead) {
  constexpr size_t kCount = 1000;
  std::vector<Tensor> tensors(kCount);
  const size_t before = mallinfo2().uordblks;
  for (Tensor& tensor : tensors) tensor = Tensor::Zeros(DType::kF32, {4}).value();  // 16 bytes each
  const size_t each = (mallinfo2().uordblks - before) / kCount;
  EXPECT_LE(each, 128);  // 64 of header, 16 of bytes, and the allocator's overhead
}

TEST(PackMemoryTest, WriteWithoutMemory_ChangesNoGeneration) {
  // 64 MiB more than the memory that earlier tests may have left allocated.
  const int64_t count = (int64_t{1} << 24) + static_cast<int64_t>(mallinfo2().fordblks / 4);
  Packed packed =
      Packed::Create(StoreOf({{"a", Tensor::Zeros(DType::kF32, {count}).value()}}), DType::kF32)
          .value();
  const Packed snapshot = packed.Snapshot().value();  // so that a write copies
  const ParamStore zeros = Packed::ZerosLike(packed).value().store().value();
  const StoreState before(packed.store().value());
  const uint64_t generation = packed.generation();

  rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_AS, &limit), 0);
  rlimit small = limit;
  uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  constexpr uint64_t kSlack = uint64_t{8} << 20;  // for messages
  small.rlim_cur = pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) + kSlack;
  ASSERT_EQ(setrlimit(RLIMIT_AS, &small), 0);
  const absl::Status mutated = packed.Mutate().status();
  const absl::Status assigned = packed.Assign(zeros);
  ASSERT_EQ(setrlimit(RLIMIT_AS, &limit), 0);

  EXPECT_THAT(mutated, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("no memory")));
  EXPECT_THAT(assigned, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("no memory")));
  EXPECT_EQ(packed.generation(), generation);
  EXPECT_EQ(GenerationsOf(packed.store().value()), before.generations);
}

}  // namespace
}  // namespace leafstore
