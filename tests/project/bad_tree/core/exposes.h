#include "leafstore/core/internal/hidden.h"

namespace leafstore {

class Wide {
 public:
  Wide() : hidden_(new internal::Hidden()) {}
  internal::Hidden* hidden() const;
  void Take(
      const internal::Hidden& hidden);
  int fine() const { return internal::CountOf(*hidden_); }
  template <internal::Number T>
  int fine(T value) const;
  friend class internal::Friend;

 protected:
  internal::Hidden* also_fine() const;

 private:
  internal::Hidden* hidden_;
};

struct Open {
  internal::Hidden hidden;  // not internal::Hidden in a comment
  const char* text = "internal::Hidden";

 private:
  struct Rep {
    internal::Hidden hidden;
  };
};

struct SomeOptions {
  int fine = 0;
  bool also_fine = {};
  std::string bad;
  void Fine(int value);
};

using Shown = internal::Hidden;
#define LEAFSTORE_FINE internal::Hidden()

namespace internal {
internal::Hidden* Fine();
}  // namespace internal

inline internal::Hidden Function(int value) { return internal::Hidden{value}; }

}  // namespace leafstore
