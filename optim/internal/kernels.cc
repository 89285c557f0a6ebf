#include "leafstore/optim/internal/kernels.h"

#include <atomic>
#include <initializer_list>

namespace leafstore::internal {

// kernels_<isa>.cc
extern const Kernels kBaselineKernels;
#ifdef LEAFSTORE_X86_KERNELS
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
#endif

namespace {

const Kernels& BestKernels() {
  for (Isa isa : {Isa::kAvx512, Isa::kAvx2}) {
    if (IsaIsSupported(isa)) return KernelsFor(isa);
  }
  return kBaselineKernels;
}

std::atomic<const Kernels*>& Forced() {
  static std::atomic<const Kernels*> forced{nullptr};
  return forced;
}

}  // namespace

bool IsaIsSupported(Isa isa) {
#ifdef LEAFSTORE_X86_KERNELS
  if (isa == Isa::kAvx512) return __builtin_cpu_supports("avx512f") != 0;
  if (isa == Isa::kAvx2) return __builtin_cpu_supports("avx2") != 0;
#endif
  return isa == Isa::kBaseline;
}

const Kernels& KernelsFor(Isa isa) {
#ifdef LEAFSTORE_X86_KERNELS
  if (isa == Isa::kAvx512) return kAvx512Kernels;
  if (isa == Isa::kAvx2) return kAvx2Kernels;
#endif
  static_cast<void>(isa);
  return kBaselineKernels;
}

const Kernels& ActiveKernels() {
  static const Kernels& best = BestKernels();
  const Kernels* forced = Forced().load(std::memory_order_relaxed);
  return forced != nullptr ? *forced : best;
}

ScopedIsa::ScopedIsa(Isa isa) { Forced().store(&KernelsFor(isa)); }
ScopedIsa::~ScopedIsa() { Forced().store(nullptr); }

}  // namespace leafstore::internal
