// A model with one member of any type, to flatten it and to write trees into it.
#ifndef LEAFSTORE_TESTS_TREEDEF_BINDING_TESTING_H_
#define LEAFSTORE_TESTS_TREEDEF_BINDING_TESTING_H_

#include <string>
#include <type_traits>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/treedef/bind/binding.h"
#include "leafstore/treedef/bind/flatten.h"

#include "tests/core/status_matchers.h"
#include "tests/treedef/model_testing.h"

namespace leafstore {
namespace binding_test {

template <typename T>
T Default() {
  if constexpr (std::is_same_v<T, Value>) {
    return Value(0);  // which has none
  } else {
    return {};
  }
}

template <typename T>
struct Model {
  T x = Default<T>();
  int calls = 0;  // no part of the model
  LEAFSTORE_FIELDS(x)
};

// Flattens a model with `x` as its member, and unflattens it into `into`.
template <typename T>
T RoundTrip(const T& value, T into = Default<T>()) {
  Model<T> model;
  model.x = std::move(into);
  // The source is a model with a reference, because not every T can be copied.
  struct Source {
    const T& x;
    LEAFSTORE_FIELDS(x)
  };
  const FlatTree flat = FlattenTree(Source{value}).value();
  EXPECT_THAT(UnflattenTree(flat.def, flat.leaves, &model), IsOk());
  EXPECT_EQ(FlattenTree(model).value().def, flat.def);
  EXPECT_EQ(FlattenTree(model).value().leaves, flat.leaves);
  return std::move(model.x);
}

// Unflattens `tree` into a member of type T. Expects that an error changes nothing.
template <typename T>
absl::Status Write(Tree tree, T* x) {
  Model<T> model;
  model.x = std::move(*x);
  const FlatTree before = FlattenTree(model).value();
  const absl::Status status = UnflattenFrom(Tree::Struct().With("x", std::move(tree)), &model);
  if (!status.ok()) {
    const FlatTree after = FlattenTree(model).value();
    EXPECT_EQ(after.def, before.def) << "after " << status;
    EXPECT_EQ(after.leaves, before.leaves) << "after " << status;
  }
  *x = std::move(model.x);
  return status;
}
template <typename T>
absl::Status Write(Tree tree, T x) {
  return Write(std::move(tree), &x);
}

inline auto Invalid(const std::string& message) {
  return StatusIs(absl::StatusCode::kInvalidArgument, testing::StrEq(message));
}

}  // namespace binding_test
}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_TREEDEF_BINDING_TESTING_H_
