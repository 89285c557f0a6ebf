// Structs as members: their fields, lists of them, and structs that have themselves as members.
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/treedef/bind/binding.h"
#include "leafstore/treedef/bind/flatten.h"

#include "tests/core/status_matchers.h"
#include "tests/treedef/binding_testing.h"
#include "tests/treedef/model_testing.h"

namespace leafstore {
namespace binding_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Two {
  int a = 1, b = 2;
  LEAFSTORE_FIELDS(a, b)
};

TEST(BindingTest, StructWithOtherFields_ErrorListsBoth) {
  EXPECT_THAT(Write(Tree::Struct().With("a", Value(5)).With("c", Value(6)), Two()),
              Invalid("at .x: expected a struct with the fields [a, b], found one with [a, c]"));
  EXPECT_THAT(Write(Tree::Struct().With("a", Value(5)), Two()),
              Invalid("at .x: expected a struct with the fields [a, b], found one with [a]"));
  Tree more = Tree::Struct().With("a", Value(5)).With("b", Value(6)).With("c", Value(7));
  EXPECT_THAT(Write(std::move(more), Two()),
              Invalid("at .x: expected a struct with the fields [a, b], found one with [a, b, c]"));
  EXPECT_THAT(Write(Tree::Dict().With("a", Value(5)).With("b", Value(6)), Two()),
              Invalid("at .x: expected struct, found dict of 2"));
  Tree many = Tree::Struct();
  for (int i = 0; i < 10000; ++i) many.With(absl::StrCat("field", i), Value(i));
  const absl::Status status = Write(std::move(many), Two());
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("field1032, ...]")));
  EXPECT_LT(status.message().size(), 1000u);
}

TEST(BindingTest, Unflatten_ChecksTheFieldsOfEachStructOfAList) {
  const auto two = [] { return Tree::Struct().With("a", Value(5)).With("b", Value(6)); };
  const auto other = [] { return Tree::Struct().With("a", Value(5)).With("c", Value(6)); };
  const auto list = [](Tree first, Tree second, Tree third) {
    return Tree::List().Add(std::move(first)).Add(std::move(second)).Add(std::move(third));
  };
  EXPECT_THAT(Write(list(two(), two(), two()), std::vector<Two>(3)), IsOk());
  EXPECT_THAT(Write(list(two(), two(), other()), std::vector<Two>(3)),
              Invalid("at .x[2]: expected a struct with the fields [a, b], found one with [a, c]"));
  EXPECT_THAT(Write(list(other(), two(), two()), std::vector<Two>(3)),
              Invalid("at .x[0]: expected a struct with the fields [a, b], found one with [a, c]"));
}

struct Outer {
  std::vector<Two> last;
  Two a, z;
  LEAFSTORE_FIELDS(last, a, z)
};

// The children of an Outer do not have consecutive ids, and are of two kinds.
TEST(BindingTest, NestedStructs_RoundTrip) {
  const auto outer = [](int from) {
    return Outer{{{from, from + 1}}, {from + 2, from + 3}, {from + 4, from + 5}};
  };
  const std::vector<Outer> models = {outer(10), outer(20), outer(30)};
  const FlatTree flat = FlattenTree(models).value();
  EXPECT_EQ(flat.leaves.size(), 18u);
  std::vector<Outer> back(3, outer(0));
  ASSERT_THAT(UnflattenTree(flat.def, flat.leaves, &back), IsOk());
  EXPECT_EQ(FlattenTreeLike(flat.def, back).value(), flat.leaves);
  EXPECT_EQ(back[2].last[0].b, 31);
  EXPECT_EQ(back[1].z.a, 24);

  Tree tree;
  ASSERT_THAT(UnflattenTree(flat.def, flat.leaves, &tree), IsOk());
  Tree& last = *tree.MutableItem(2);
  std::swap(*last.Find("a"), *last.Find("last"));
  const FlatTree swapped = FlattenTree(tree).value();
  EXPECT_THAT(UnflattenTree(swapped.def, swapped.leaves, &back),
              Invalid("at [2].a: expected struct, found list of 1"));
  EXPECT_THAT(FlattenTreeLike(swapped.def, models).status(),
              Invalid("at [2].a: expected list of 1, found struct"));
}

struct Marker {
  LEAFSTORE_FIELDS()
};

TEST(BindingTest, ListOfStructsWithoutFields_RoundTrips) {
  std::vector<Marker> markers(3);
  const FlatTree flat = FlattenTree(markers).value();
  EXPECT_THAT(UnflattenTree(flat.def, flat.leaves, &markers), IsOk());
  EXPECT_EQ(FlattenTreeLike(flat.def, markers).value(), flat.leaves);
  EXPECT_THAT(FlattenTreeLike(flat.def, std::vector<Two>(3)).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at [0]")));
}

TEST(BindingTest, Unflatten_IgnoresTheTypeNameOfAStruct) {
  EXPECT_THAT(Write(Tree::Struct("Other").With("a", Value(5)).With("b", Value(6)), Two()), IsOk());
}

TEST(BindingTest, Trees_MayBeMembers) {
  Model<Tree> model{Tree::Dict().With("a", Scalar(1))};
  const FlatTree flat = FlattenTree(model).value();
  EXPECT_THAT(Lines(flat), ElementsAre(".x['a'] = tensor 1"));
  Model<Tree> back;
  ASSERT_THAT(UnflattenTree(flat.def, flat.leaves, &back), IsOk());
  EXPECT_EQ(NumberOf(back.x.Find("a")->leaf().tensor()), 1);
}

struct Chain {
  int value = 0;
  std::unique_ptr<Chain> next;
  LEAFSTORE_FIELDS(value, next)
};
struct Branch {
  std::vector<Branch> branches;
  LEAFSTORE_FIELDS(branches)
};
struct Link {
  std::shared_ptr<Link> next;
  LEAFSTORE_FIELDS(next)
};

template <typename T>
T Nested(int depth, const std::function<void(T*, T)>& put) {
  T top;
  for (int i = 1; i < depth; ++i) {
    T above;
    put(&above, std::move(top));
    top = std::move(above);
  }
  return top;
}

template <typename T>
void ExpectDepthIsLimited(const std::function<void(T*, T)>& put) {
  const TreeDef shallow = FlattenTree(T()).value().def;
  const FlatTree flat = FlattenTree(Nested<T>(internal::kMaxStructDepth, put)).value();
  T back;
  EXPECT_THAT(UnflattenTree(flat.def, flat.leaves, &back), IsOk());
  EXPECT_EQ(FlattenTree(back).value().def, flat.def);
  EXPECT_THAT(FlattenTreeLike(flat.def, back), IsOk());

  const auto error = StatusIs(absl::StatusCode::kResourceExhausted,
                              HasSubstr("expected structs at most 1000 deep, found deeper ones"));
  const T deeper = Nested<T>(internal::kMaxStructDepth + 1, put);
  EXPECT_THAT(FlattenTree(deeper), error);

  // A structure of one more level is made from a Tree, which has no limit.
  Tree tree;
  ASSERT_THAT(UnflattenTree(flat.def, flat.leaves, &tree), IsOk());
  Tree* last = &tree;
  for (int i = 1; i < internal::kMaxStructDepth; ++i) {
    last =
        last->Find("next") != nullptr ? last->Find("next") : last->Find("branches")->MutableItem(0);
  }
  Tree leaf;
  ASSERT_THAT(UnflattenTree(shallow, FlattenTree(T()).value().leaves, &leaf), IsOk());
  if (last->Find("next") != nullptr) {
    last->With("next", std::move(leaf));
  } else {
    last->Find("branches")->Add(std::move(leaf));
  }
  EXPECT_THAT(UnflattenFrom(tree, &back), error);
  EXPECT_EQ(FlattenTree(back).value().def, flat.def);
}

TEST(BindingTest, RecursionThroughUniquePtr_HasALimit) {
  ExpectDepthIsLimited<Chain>(
      [](Chain* above, Chain below) { above->next = std::make_unique<Chain>(std::move(below)); });
}
TEST(BindingTest, RecursionThroughVector_HasALimit) {
  ExpectDepthIsLimited<Branch>(
      [](Branch* above, Branch below) { above->branches.push_back(std::move(below)); });
}
TEST(BindingTest, RecursionThroughSharedPtr_HasALimit) {
  ExpectDepthIsLimited<Link>(
      [](Link* above, Link below) { above->next = std::make_shared<Link>(std::move(below)); });
}

static_assert(internal::Bindable<int> && internal::Bindable<std::map<std::string, Two>>);
static_assert(!internal::Bindable<int*> && !internal::Bindable<void (*)()> &&
              !internal::Bindable<std::weak_ptr<int>>);

}  // namespace
}  // namespace binding_test
}  // namespace leafstore
