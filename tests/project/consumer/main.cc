// What a user of an installed leafstore writes; it needs no header and no flag of the source tree.
#include <iostream>

int main() {
  std::cout << "consumer: ok\n";
  return 0;
}
