// A program that uses only leafstore::core: creates a tensor and parses a path.
#include <iostream>

#include "leafstore/core/path.h"
#include "leafstore/core/tensor.h"

int main() {
  const auto tensor = leafstore::Tensor::From<float>({2}, {1.0f, 2.0f});
  const auto path = leafstore::Path::Parse("['weight']");
  if (!tensor.ok() || !path.ok() || tensor->byte_size() != 8) return 1;
  std::cout << "core_consumer: ok\n";
  return 0;
}
