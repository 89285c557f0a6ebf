// Models that must not compile, one for each CASE_ macro; without a macro, a model that compiles.
// CMakeLists.txt has the messages that the compiler must print.
#include <memory>
#include <string>

#include "leafstore/treedef/bind/flatten.h"

struct Linear {
  leafstore::Tensor weight;
  std::string name;
  int* pointer = nullptr;
#if defined(CASE_UnsupportedType)
  LEAFSTORE_FIELDS(weight, pointer)
#elif defined(CASE_MemberTwice)
  LEAFSTORE_FIELDS(weight, name, Tagged(weight, "tag"))
#elif defined(CASE_NoMember)
  LEAFSTORE_FIELDS(weight, name.front())
#elif defined(CASE_TemporaryTag)
  LEAFSTORE_FIELDS(Tagged(weight, std::string("tag")))
#else
  LEAFSTORE_FIELDS(weight, name)
#endif
};

struct Derived : Linear {
  double scale = 1;
};

#if defined(CASE_InheritedFields)
using Model = Derived;
#elif defined(CASE_UnsupportedElement)
using Model = std::vector<std::weak_ptr<Linear> >;
#elif defined(CASE_UnsupportedKey)
using Model = std::map<double, Linear>;
#else
using Model = Linear;
#endif

absl::StatusOr<leafstore::internal::FlatTree> FlattenModel(const Model& model);
absl::StatusOr<leafstore::internal::FlatTree> FlattenModel(const Model& model) {
  return leafstore::internal::FlattenTree(model);
}
