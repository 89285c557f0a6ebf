#include "leafstore/core/tensor_eigen.h"
