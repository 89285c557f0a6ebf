#include <Eigen/Core>

#include "leafstore/core/tensor_eigen.h"
