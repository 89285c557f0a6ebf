#include <Eigen/Core>
#include <iostream>

#include "leafstore/checkpoint/writer.h"
