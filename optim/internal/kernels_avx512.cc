// Compiled with the flags of this instruction set: see CMakeLists.txt.
#define LEAFSTORE_KERNELS kAvx512Kernels
#include "leafstore/optim/internal/kernels.inc"
