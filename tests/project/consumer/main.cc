// What a user of an installed leafstore writes; it needs no header and no flag of the source tree.
#include <iostream>

#include "leafstore/core/leaf.h"
#include "leafstore/core/path.h"
#include "leafstore/core/tensor.h"

int main() {
  using leafstore::Leaf;
  using leafstore::Path;
  using leafstore::Tensor;

  const Path path = Path().Attribute("layers").Index(0).Item("w");
  const Leaf leaf = Tensor::FromValues<float>({2, 2}, {1, 2, 3, 4}).value();
  std::cout << path.ToString() << " = " << leaf.ToString() << "\n";
  if (Path::Parse(path.ToString()).value() != path || leaf.tensor().element_count() != 4) return 1;
  std::cout << "consumer: ok\n";
  return 0;
}
