// Every type that binding.h lists, in both directions, and leaves that do not fit it.
#include "leafstore/treedef/bind/binding.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/treedef/bind/flatten.h"
#include "leafstore/treedef/print.h"

#include "tests/core/status_matchers.h"
#include "tests/treedef/binding_testing.h"
#include "tests/treedef/model_testing.h"

namespace leafstore {

// A user's type with LeafTraits.
struct Quaternion {
  float w = 1, x = 0, y = 0, z = 0;
};

template <>
struct LeafTraits<Quaternion> {
  static absl::StatusOr<Leaf> ToLeaf(const Quaternion& q) {
    if (q.w < 0) return absl::OutOfRangeError("expected w of 0 or more, found less");
    return Tensor::From<float>({4}, {q.w, q.x, q.y, q.z});
  }
  static absl::Status FromLeaf(const Leaf& leaf, Quaternion* out) {
    const bool fits = leaf.is_tensor() && leaf.tensor().dtype() == DType::kF32 &&
                      leaf.tensor().element_count() == 4;
    if (!fits) {
      return absl::InvalidArgumentError(
          absl::StrCat("expected a quaternion, found ", leaf.ToString()));
    }
    const auto v = leaf.tensor().span<float>();
    *out = {v[0], v[1], v[2], v[3]};
    return absl::OkStatus();
  }
};

// A type with both fields and LeafTraits.
struct Both {
  int n = 1;
  LEAFSTORE_FIELDS(n)
};
template <>
struct LeafTraits<Both> {
  static absl::StatusOr<Leaf> ToLeaf(const Both& both) { return Leaf(Value(both.n)); }
  static absl::Status Check(const Leaf& leaf) {
    return leaf.is_value() ? absl::OkStatus() : absl::InvalidArgumentError("expected a value");
  }
  static absl::Status FromLeaf(const Leaf& leaf, Both* out) {
    out->n = static_cast<int>(*leaf.value().As<int64_t>());
    return absl::OkStatus();
  }
};

namespace binding_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

// ---- leaves ----

TEST(BindingTest, Tensors_AreLeaves) {
  EXPECT_EQ(NumberOf(RoundTrip(Scalar(5), Scalar(1))), 5);
  EXPECT_THAT(Write(Value(1), Scalar(1)), Invalid("at .x: expected a tensor, found leaf 1"));
  EXPECT_THAT(Write(Tree::None(), Scalar(1)), Invalid("at .x: expected a tensor, found none"));
  EXPECT_THAT(Write(Tree::List().Add(Value(1)), Scalar(1)),
              Invalid("at .x: expected a tensor, found list of 1"));
}

TEST(BindingTest, NullTensor_IsAnErrorWithItsPath) {
  Model<std::vector<Tensor>> model;
  model.x = {Scalar(1), Tensor()};
  EXPECT_THAT(FlattenTree(model),
              Invalid("at .x[1]: expected a leaf, found null: it was never given a value, or was "
                      "moved from"));
  EXPECT_THAT(FlattenTree(Model<Leaf>()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at .x: ")));
  EXPECT_THAT(FlattenTree(Tensor()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at (root): ")));
}

TEST(BindingTest, LeafMembers_MayBeOfAnyKind) {
  EXPECT_EQ(RoundTrip(Leaf(Value("a")), Leaf(Scalar(1))), Leaf(Value("a")));
  EXPECT_EQ(RoundTrip(Leaf(Scalar(2)), Leaf(Value("a"))), Leaf(Scalar(2)));
}

TEST(BindingTest, ValuesStringsAndBytes_AreStaticLeaves) {
  EXPECT_EQ(RoundTrip(Value(2.5), Value(1)), Value(2.5));
  EXPECT_EQ(RoundTrip(std::string("gelu")), "gelu");
  EXPECT_EQ(RoundTrip(Bytes{"\xff"}), Bytes{"\xff"});
  EXPECT_EQ(RoundTrip(true), true);
  EXPECT_THAT(Write(Scalar(1), Value(1)), Invalid("at .x: expected a static leaf, found f32[]"));
  EXPECT_THAT(Write(Value(1), std::string("a")), Invalid("at .x: expected a static str, found 1"));
  EXPECT_THAT(Write(Value("a"), Bytes{"b"}), Invalid("at .x: expected a static bytes, found 'a'"));
  EXPECT_THAT(Write(Value(1), true), Invalid("at .x: expected a static bool, found 1"));
}

TEST(BindingTest, LongStrings_AreShortenedInMessages) {
  const absl::Status status = Write(Value(std::string(100000, 'a')), 1);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument,
                               HasSubstr("at .x: expected a static int, found ")));
  EXPECT_LT(status.message().size(), 300u);
}

TEST(BindingTest, Strings_MustBeUtf8) {
  EXPECT_THAT(FlattenTree(Model<std::string>{"\xff"}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("at .x: expected a string in UTF-8, found ")));
}

TEST(BindingTest, Integers_MustFit) {
  EXPECT_EQ(RoundTrip<int8_t>(-128), -128);
  EXPECT_EQ(RoundTrip<uint8_t>(255), 255);
  EXPECT_EQ(RoundTrip<int64_t>(std::numeric_limits<int64_t>::min()),
            std::numeric_limits<int64_t>::min());
  EXPECT_EQ(RoundTrip<uint64_t>((uint64_t{1} << 63) - 1), (uint64_t{1} << 63) - 1);
  EXPECT_EQ(RoundTrip('a'), 'a');

  EXPECT_THAT(Write(Value(128), int8_t{1}),
              Invalid("at .x: expected a static int from -128 to 127, found 128"));
  EXPECT_THAT(Write(Value(-129), int8_t{1}),
              Invalid("at .x: expected a static int from -128 to 127, found -129"));
  EXPECT_THAT(Write(Value(-1), uint8_t{1}),
              Invalid("at .x: expected a static int from 0 to 255, found -1"));
  EXPECT_THAT(Write(Value(-1), uint64_t{1}),
              Invalid("at .x: expected a static int from 0 to 18446744073709551615, found -1"));
  EXPECT_THAT(Write(Value(1.0), 1), Invalid("at .x: expected a static int, found 1.0"));
  EXPECT_THAT(Write(Value(true), 1), Invalid("at .x: expected a static int, found true"));
  EXPECT_THAT(FlattenTree(Model<uint64_t>{uint64_t{1} << 63}),
              Invalid("at .x: expected an integer below 2^63, found 9223372036854775808"));
}

TEST(BindingTest, Floats_MustNotRound) {
  const double kInf = std::numeric_limits<double>::infinity();
  EXPECT_EQ(RoundTrip(0.1), 0.1);
  EXPECT_EQ(RoundTrip(0.1f), 0.1f);
  EXPECT_EQ(RoundTrip(-0.0f), 0.0f);
  EXPECT_TRUE(std::signbit(RoundTrip(-0.0f)));
  EXPECT_TRUE(std::isnan(RoundTrip(std::numeric_limits<float>::quiet_NaN())));
  EXPECT_EQ(RoundTrip(static_cast<float>(kInf)), kInf);

  EXPECT_THAT(Write(Value(0.1), 1.0f),
              Invalid("at .x: expected a static float that fits the field's type without "
                      "rounding, found 0.1"));
  EXPECT_THAT(Write(Value(1e300), 1.0f),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("found 1e+300")));
  EXPECT_THAT(Write(Value(0.5), 1.0f), IsOk());
  EXPECT_THAT(Write(Value(1), 1.0), Invalid("at .x: expected a static float, found 1"));
}

TEST(BindingTest, TypeWithLeafTraits_IsALeaf) {
  const Quaternion q = RoundTrip(Quaternion{1, 2, 3, 4});
  EXPECT_EQ(q.z, 4);
  EXPECT_THAT(Write(Value(1), Quaternion()), Invalid("at .x: expected a quaternion, found 1"));
  EXPECT_THAT(FlattenTree(Model<Quaternion>{{-1, 0, 0, 0}}),
              StatusIs(absl::StatusCode::kOutOfRange,
                       testing::StrEq("at .x: expected w of 0 or more, found less")))
      << "the trait's own code, with the path";
}

TEST(BindingTest, LeafTraits_TakePrecedenceOverFieldsAndMayFail) {
  EXPECT_EQ(Structure(Both()), "leaf\n");
  EXPECT_EQ(RoundTrip(Both{5}).n, 5);
  EXPECT_THAT(Write(Scalar(1), Both()), Invalid("at .x: expected a value"));
}

// ---- lists and tuples ----

TEST(BindingTest, Vectors_AreResizedByUnflatten) {
  using Numbers = std::vector<int>;
  EXPECT_EQ(RoundTrip(Numbers{1, 2, 3}), (Numbers{1, 2, 3}));
  EXPECT_EQ(RoundTrip(Numbers{1, 2, 3}, Numbers{9}), (Numbers{1, 2, 3}));
  EXPECT_EQ(RoundTrip(Numbers{1}, Numbers{7, 8, 9}), (Numbers{1}));
  EXPECT_EQ(RoundTrip(Numbers{}, Numbers{7}), Numbers{});
  EXPECT_THAT(Write(Tree::Tuple(), Numbers{7}), Invalid("at .x: expected list, found tuple of 0"));
  EXPECT_THAT(Write(Tree::List().Add(Value(1)).Add(Value("a")), Numbers{7}),
              Invalid("at .x[1]: expected a static int, found 'a'"));
}

TEST(BindingTest, VectorElements_KeepMembersThatAreNotListed) {
  std::vector<Model<int>> models = {{1, 10}, {2, 20}};
  const Tree item = Tree::Struct().With("x", Value(5));
  const auto list = [&](int count) {
    Tree tree = Tree::List();
    for (int i = 0; i < count; ++i) tree.Add(item.Clone());
    return tree;
  };
  ASSERT_THAT(Write(list(3), &models), IsOk());
  EXPECT_EQ(models[1].calls, 20);
  EXPECT_EQ(models[2].calls, 0);
  ASSERT_THAT(Write(list(1), &models), IsOk());
  EXPECT_EQ(models.size(), 1u);
  EXPECT_EQ(models[0].x, 5);
  EXPECT_EQ(models[0].calls, 10);
}

TEST(BindingTest, Arrays_MustHaveTheirSize) {
  EXPECT_EQ(RoundTrip(std::array<int, 2>{1, 2}), (std::array<int, 2>{1, 2}));
  EXPECT_EQ((RoundTrip(std::array<int, 0>{})), (std::array<int, 0>{}));
  const std::array<int, 2> kept = {7, 8};
  EXPECT_THAT(Write(Tree::List().Add(Value(1)), kept),
              Invalid("at .x: expected list of 2, found list of 1"));
  EXPECT_THAT(Write(Value(1), kept), Invalid("at .x: expected list of 2, found leaf 1"));
}

TEST(BindingTest, PairsAndTuples_AreTuples) {
  using Pair = std::pair<int, std::string>;
  EXPECT_EQ(RoundTrip(Pair{1, "a"}), Pair(1, "a"));
  using Three = std::tuple<int, bool, std::vector<int>>;
  EXPECT_EQ(RoundTrip(Three{1, true, {2}}), Three(1, true, {2}));
  EXPECT_EQ(RoundTrip(std::tuple<>()), std::tuple<>());
  EXPECT_EQ(Structure(Three()),
            "tuple of 3, 2 leaves\n  [0]: leaf\n  [1]: leaf\n  [2]: list of 0\n");
  EXPECT_THAT(Write(Tree::Tuple().Add(Value(1)), Pair(7, "b")),
              Invalid("at .x: expected tuple of 2, found tuple of 1"));
  EXPECT_THAT(Write(Tree::Tuple().Add(Value(1)).Add(Value(2)), Pair(7, "b")),
              Invalid("at .x[1]: expected a static str, found 2"));
}

// ---- maps ----

template <typename K>
using Maps = testing::Types<std::map<K, int>, std::map<K, int, std::greater<K>>,
                            std::map<K, int, std::less<>>, std::unordered_map<K, int>,
                            absl::btree_map<K, int>, absl::flat_hash_map<K, int>>;

template <typename Map>
class StringMapTest : public testing::Test {};
TYPED_TEST_SUITE(StringMapTest, Maps<std::string>);

TYPED_TEST(StringMapTest, Flatten_ReturnsADictInOrderOfItsKeys) {
  TypeParam map;
  for (int i = 0; i < 100; ++i) map[absl::StrCat("key", i)] = i;
  const FlatTree flat = FlattenTree(map).value();
  const auto sorted = std::map<std::string, int>(map.begin(), map.end());
  EXPECT_EQ(flat.def, FlattenTree(sorted).value().def);
  EXPECT_EQ(flat.leaves, FlattenTree(sorted).value().leaves);
  EXPECT_EQ(RoundTrip(map), map);
}

TYPED_TEST(StringMapTest, Unflatten_SetsTheKeysOfTheDict) {
  TypeParam map = {{"a", 1}, {"b", 2}, {"c", 3}};
  ASSERT_THAT(Write(Tree::Dict().With("b", Value(5)).With("d", Value(6)), &map), IsOk());
  EXPECT_THAT(map, UnorderedElementsAre(Pair("b", 5), Pair("d", 6)));
  ASSERT_THAT(Write(Tree::Dict(), &map), IsOk());
  EXPECT_TRUE(map.empty());
}

TYPED_TEST(StringMapTest, Unflatten_AnotherStructure_IsAnError) {
  const TypeParam kept = {{"a", 1}};
  EXPECT_THAT(Write(Tree::Dict().With(3, Value(5)), kept),
              Invalid("at .x[3]: expected a string key, found [3]"));
  EXPECT_THAT(Write(Tree::List(), kept), Invalid("at .x: expected dict, found list of 0"));
  EXPECT_THAT(Write(Tree::Dict().With("b", Value(5)).With("c", Value("x")), kept),
              Invalid("at .x['c']: expected a static int, found 'x'"));
  Model<TypeParam> model;
  model.x["\xff"] = 1;
  EXPECT_THAT(FlattenTree(model), StatusIs(absl::StatusCode::kInvalidArgument,
                                           HasSubstr("at .x: expected an item in UTF-8")));
}

template <typename Map>
class IntMapTest : public testing::Test {};
TYPED_TEST_SUITE(IntMapTest, Maps<int8_t>);

TYPED_TEST(IntMapTest, Flatten_ReturnsADictInOrderOfItsKeys) {
  const TypeParam map = {{-128, 1}, {10, 3}, {2, 2}, {127, 4}};
  EXPECT_THAT(LinesOf(map), ElementsAre("[-128] = 1", "[2] = 2", "[10] = 3", "[127] = 4"));
  EXPECT_EQ(RoundTrip(map), map);
}

TYPED_TEST(IntMapTest, Unflatten_KeysOutOfRange_IsAnError) {
  const TypeParam kept = {{1, 1}};
  constexpr const char* kWords = ": expected an integer key from -128 to 127, found ";
  EXPECT_THAT(Write(Tree::Dict().With(128, Value(5)), kept),
              Invalid(absl::StrCat("at .x[128]", kWords, "[128]")));
  EXPECT_THAT(Write(Tree::Dict().With(-129, Value(5)), kept),
              Invalid(absl::StrCat("at .x[-129]", kWords, "[-129]")));
  EXPECT_THAT(Write(Tree::Dict().With("a", Value(5)), kept),
              Invalid(absl::StrCat("at .x['a']", kWords, "['a']")));
}

TEST(BindingTest, MapEntries_KeepMembersThatAreNotListed) {
  std::map<std::string, Model<int>> map = {{"a", {1, 10}}, {"b", {2, 20}}};
  const Model<int>* const address = &map["b"];
  const auto entry = [] { return Tree::Struct().With("x", Value(5)); };
  ASSERT_THAT(Write(Tree::Dict().With("b", entry()).With("c", entry()), &map), IsOk());
  EXPECT_EQ(map.size(), 2u);
  EXPECT_EQ(map["b"].x, 5);
  EXPECT_EQ(map["b"].calls, 20);
  EXPECT_EQ(&map["b"], address);
  EXPECT_EQ(map["c"].calls, 0);
}

// ---- content or none ----

TEST(BindingTest, OptionalAndUniquePtr_AreTheirContentOrNone) {
  EXPECT_EQ(Structure(std::optional<int>(1)), "leaf\n");
  EXPECT_EQ(Structure(std::optional<int>()), "none\n");
  EXPECT_EQ(Structure(std::unique_ptr<int>()), "none\n");
  EXPECT_EQ(RoundTrip(std::optional<int>(1)), 1);
  EXPECT_EQ(RoundTrip(std::optional<int>(1), std::optional<int>(2)), 1);
  EXPECT_EQ(RoundTrip(std::optional<int>(), std::optional<int>(2)), std::nullopt);
  EXPECT_EQ(*RoundTrip(std::make_unique<int>(1)), 1);
  EXPECT_EQ(RoundTrip(std::unique_ptr<int>(), std::make_unique<int>(1)), nullptr);
  EXPECT_THAT(Write(Value("a"), std::optional<int>(2)),
              Invalid("at .x: expected a static int, found 'a'"));
  EXPECT_THAT(Write(Value("a"), std::make_unique<int>(2)),
              Invalid("at .x: expected a static int, found 'a'"));
}

TEST(BindingTest, Unflatten_ExistingContent_IsWrittenInPlace) {
  auto pointer = std::make_unique<Model<int>>(Model<int>{1, 10});
  const Model<int>* const address = pointer.get();
  ASSERT_THAT(Write(Tree::Struct().With("x", Value(5)), &pointer), IsOk());
  EXPECT_EQ(pointer.get(), address);
  EXPECT_EQ(pointer->x, 5);
  EXPECT_EQ(pointer->calls, 10);
}

}  // namespace
}  // namespace binding_test
}  // namespace leafstore
