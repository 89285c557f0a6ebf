#include "leafstore/numeric/ops.h"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/core/status_matchers.h"
#include "tests/status_codes.h"
#include "tests/store/sample_stores.h"

namespace leafstore {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::StatusOr<Tensor> Negate(const Tensor& tensor) {
  std::vector<float> values = ElementsOf<float>(tensor);
  for (float& x : values) x = -x;
  return Floats(values);
}

// ---- alike ----

TEST(CheckAlikeTest, SameLayoutSlotsAndSpecs_AreAlike) {
  const ParamStore a = SampleStore();
  EXPECT_THAT(
      CheckAlike(a, StoreLike(a, {Floats({0, 0, 0}), Ints({0}), Floats({0, 0}), Value("x")})),
      IsOk());
}

TEST(CheckAlikeTest, OtherLayouts_AreNamedByAPath) {
  const ParamStore a = SampleStore();
  const ParamStore b = StoreOf({{"a", Floats({1})}, {"new", Ints({7})}});
  EXPECT_THAT(
      CheckAlike(a, b),
      StatusIs(kInvalid, AllOf(HasSubstr("expected equal Layouts, found two, of 4 and 2 paths"),
                               HasSubstr(".b is only in the first"))));
  EXPECT_THAT(CheckAlike(StoreOf({{"a", Ints({7})}}), b),
              StatusIs(kInvalid, HasSubstr(".new is only in the second")));
}

TEST(CheckAlikeTest, OtherSlots_AreNamedByAPath) {
  const ParamStore a = SampleStore();
  EXPECT_THAT(CheckAlike(a, GroupOf(a, {0, 2, 3})),
              StatusIs(kInvalid, HasSubstr(".b is only in the first")));
  EXPECT_THAT(CheckAlike(GroupOf(a, {0}), GroupOf(a, {0, 3})),
              StatusIs(kInvalid, HasSubstr(".d is only in the second")));
}

TEST(CheckAlikeTest, OtherSpecs_AreNamedForBothSides) {
  const ParamStore a = SampleStore();
  const ParamStore b = StoreLike(a, {Floats({1, 2, 3}), Ints({7}), Floats({4}), Value("gelu")});
  EXPECT_THAT(CheckAlike(a, b),
              StatusIs(kInvalid, AllOf(HasSubstr("at .c"), HasSubstr("expected f32[2]"),
                                       HasSubstr("found f32[1]"))));
  const ParamStore c = StoreLike(a, {Floats({1, 2, 3}), Value(7), Floats({4, 5}), Value("gelu")});
  EXPECT_THAT(CheckAlike(a, c),
              StatusIs(kInvalid, AllOf(HasSubstr("at .b"), HasSubstr("expected i32[1]"),
                                       HasSubstr("found static int"))));
}

// ---- zeros, map, zip ----

TEST(ZerosLikeTest, Elements_AreZeroAndStaticLeavesStay) {
  const ParamStore store = SampleStore();
  const ParamStore zeros = ZerosLike(store).value();
  EXPECT_THAT(CheckAlike(store, zeros), IsOk());
  EXPECT_THAT(FloatsAt(zeros, ".a"), ElementsAre(0, 0, 0));
  EXPECT_EQ(zeros.leaf(1), Leaf(Ints({0})));
  EXPECT_EQ(zeros.leaf(3), Leaf(Value("gelu")));
  EXPECT_THAT(FloatsAt(store, ".a"), ElementsAre(1, 2, 3));
}

TEST(ZerosLikeTest, NoMemory_NamesThePath) {
  EXPECT_THAT(ZerosLike(StoreOf({{"a", Floats({1})}, {"b", HugeTensor()}})),
              StatusIs(kExhausted, HasSubstr("at .b: no memory for f32[1152921504606846976]")));
}

TEST(MapTest, Map_AppliesToTensorsAndKeepsStaticLeaves) {
  const ParamStore store = StoreOf({{"a", Floats({1, 2})}, {"b", Value(3)}});
  const ParamStore result = Map(store, Negate).value();
  EXPECT_EQ(result.layout(), store.layout());
  EXPECT_THAT(FloatsAt(result, ".a"), ElementsAre(-1, -2));
  EXPECT_EQ(result.leaf(1), Leaf(Value(3)));
  EXPECT_THAT(FloatsAt(store, ".a"), ElementsAre(1, 2));
}

TEST(MapTest, MapOfAGroup_IsAGroup) {
  const ParamStore store = SampleStore();
  const ParamStore result = Map(GroupOf(store, {2}), Negate).value();
  EXPECT_THAT(ElementsOf<float>(*result.FindSlot(2)), ElementsAre(-4, -5));
  EXPECT_EQ(result.size(), 1u);
}

TEST(MapTest, Errors_HaveThePath) {
  EXPECT_THAT(Map(SampleStore(),
                  [](const Tensor& tensor) -> absl::StatusOr<Tensor> {
                    if (tensor.dtype() == DType::kF32) return tensor;
                    return absl::UnimplementedError("no integers");
                  }),
              StatusIs(absl::StatusCode::kUnimplemented, "at .b: no integers"));
}

TEST(MapTest, NullResult_IsAnError) {
  EXPECT_THAT(Map(SampleStore(), [](const Tensor&) -> absl::StatusOr<Tensor> { return Tensor(); }),
              StatusIs(kInvalid, "at .a: expected a leaf, found null"));
}

TEST(MapTest, OpenBorrow_IsAnError) {
  ParamStore store = SampleStore();
  const MutableTensor writing = store.Mutate(".a").value();
  EXPECT_THAT(Map(store, Negate), StatusIs(kPrecondition, HasSubstr("cannot map a store")));
}

TEST(ZipTest, Zip_MatchesByPlace) {
  const ParamStore a = StoreOf({{"a", Floats({1, 2})}, {"b", Value(3)}});
  const ParamStore b = StoreLike(a, {Floats({10, 20}), Value(4)});
  const ParamStore sum = Zip(a, b, [](const Tensor& x, const Tensor& y) -> absl::StatusOr<Tensor> {
                           return Floats({ElementsOf<float>(x)[0] + ElementsOf<float>(y)[0]});
                         }).value();
  EXPECT_THAT(FloatsAt(sum, ".a"), ElementsAre(11));
  EXPECT_EQ(sum.leaf(1), Leaf(Value(3)));  // the first store's
}

TEST(ZipTest, DifferentStores_AreAnErrorBeforeAnyCall) {
  const ParamStore a = SampleStore();
  const auto never = [](const Tensor&, const Tensor&) -> absl::StatusOr<Tensor> {
    ADD_FAILURE() << "called";
    return Tensor();
  };
  EXPECT_THAT(Zip(a, SampleStore(), never),
              StatusIs(kInvalid, HasSubstr("expected equal Layouts")));
  EXPECT_THAT(Zip(a, GroupOf(a, {0}), never),
              StatusIs(kInvalid, HasSubstr(".b is only in the first")));
  const ParamStore c = StoreLike(a, {Floats({1}), Ints({1}), Value(1), Value(1)});
  EXPECT_THAT(
      Zip(a, c, never),
      StatusIs(kInvalid, AllOf(HasSubstr("at .c"), HasSubstr("found f32[2] and static int"))));
  ParamStore open = StoreLike(a, {Floats({1}), Ints({1}), Floats({1}), Value(1)});
  const MutableTensor writing = open.Mutate(".a").value();
  EXPECT_THAT(Zip(a, open, never), StatusIs(kPrecondition, HasSubstr("cannot zip a store")));
}

// ---- update ----

const auto kAddTo = [](absl::Span<float> p, absl::Span<const float> g) {
  for (size_t i = 0; i < p.size(); ++i) p[i] += g[i];
};

TEST(UpdateEachTest, UpdateEach_WritesOneStoreFromAnother) {
  ParamStore params = SampleStore();
  const ParamStore grads =
      StoreLike(params, {Floats({10, 20, 30}), Ints({1}), Floats({40, 50}), Value("gelu")});
  EXPECT_THAT(UpdateEach<float>(&params, kAddTo, grads), IsOk());
  EXPECT_THAT(FloatsAt(params, ".a"), ElementsAre(11, 22, 33));
  EXPECT_THAT(FloatsAt(params, ".c"), ElementsAre(44, 55));
  EXPECT_EQ(params.leaf(1), Leaf(Ints({7})));      // another dtype
  EXPECT_EQ(params.leaf(3), Leaf(Value("gelu")));  // static
  EXPECT_THAT(FloatsAt(grads, ".a"), ElementsAre(10, 20, 30));
}

TEST(UpdateEachTest, SeveralStoresByPointer_AreWritten) {
  ParamStore params = StoreOf({{"a", Floats({1, 2})}});
  ParamStore momentum = StoreLike(params, {Floats({0, 4})});
  const ParamStore grads = StoreLike(params, {Floats({10, 20})});
  EXPECT_THAT(UpdateEach<float>(
                  &params,
                  [](absl::Span<float> p, absl::Span<float> m, absl::Span<const float> g) {
                    for (size_t i = 0; i < p.size(); ++i) {
                      m[i] = 0.5f * m[i] + g[i];
                      p[i] -= m[i];
                    }
                  },
                  &momentum, grads),
              IsOk());
  EXPECT_THAT(FloatsAt(momentum, ".a"), ElementsAre(10, 22));
  EXPECT_THAT(FloatsAt(params, ".a"), ElementsAre(-9, -20));
}

TEST(UpdateEachTest, OneStore_IsWritten) {
  ParamStore params = SampleStore();
  EXPECT_THAT(UpdateEach<float>(&params,
                                [](absl::Span<float> p) {
                                  for (float& x : p) x = 0;
                                }),
              IsOk());
  EXPECT_THAT(FloatsAt(params, ".c"), ElementsAre(0, 0));
}

TEST(UpdateEachTest, WrittenLeaves_GetNewGenerations) {
  ParamStore params = SampleStore();
  const ParamStore before = params.Snapshot().value();
  EXPECT_THAT(UpdateEach<float>(&params, kAddTo, before), IsOk());
  EXPECT_GT(params.leaf(0).generation(), before.leaf(0).generation());
  EXPECT_GT(params.leaf(2).generation(), before.leaf(2).generation());
  EXPECT_EQ(params.leaf(1).generation(), before.leaf(1).generation());
  EXPECT_EQ(params.leaf(3).generation(), before.leaf(3).generation());
}

TEST(UpdateEachTest, Update_DoesNotChangeSnapshotsAndIsInPlaceWithoutThem) {
  ParamStore params = SampleStore();
  {
    const ParamStore snapshot = params.Snapshot().value();
    EXPECT_THAT(UpdateEach<float>(&params, kAddTo, snapshot), IsOk());
    EXPECT_THAT(FloatsAt(snapshot, ".a"), ElementsAre(1, 2, 3));
    EXPECT_THAT(FloatsAt(params, ".a"), ElementsAre(2, 4, 6));
  }
  const std::byte* const before = params.leaf(0).tensor().raw_data();
  EXPECT_THAT(UpdateEach<float>(&params, [](absl::Span<float> p) { p[0] = 0; }), IsOk());
  EXPECT_EQ(params.leaf(0).tensor().raw_data(), before);
}

TEST(UpdateEachTest, DifferentStores_AreAnErrorAndNothingChanges) {
  ParamStore params = SampleStore();
  const ParamStore before = params.Snapshot().value();
  const ParamStore other = SampleStore();
  EXPECT_THAT(UpdateEach<float>(&params, kAddTo, other),
              StatusIs(kInvalid, HasSubstr("expected equal Layouts")));
  EXPECT_THAT(UpdateEach<float>(&params, kAddTo, GroupOf(params, {0, 1, 2})),
              StatusIs(kInvalid, HasSubstr(".d is only in the first")));
  const ParamStore wrong =
      StoreLike(params, {Floats({1, 2, 3}), Ints({7}), Ints({4, 5}), Value("gelu")});
  EXPECT_THAT(UpdateEach<float>(&params, kAddTo, wrong),
              StatusIs(kInvalid, AllOf(HasSubstr("at .c"), HasSubstr("expected f32[2]"),
                                       HasSubstr("found i32[2]"))));
  for (uint32_t place = 0; place < params.size(); ++place) {
    EXPECT_EQ(params.leaf(place).generation(), before.leaf(place).generation());
    EXPECT_EQ(params.leaf(place), before.leaf(place));
  }
  EXPECT_FALSE(params.borrowed());
}

TEST(UpdateEachTest, WrittenStoreTwice_IsAnError) {
  ParamStore params = StoreOf({{"a", Floats({1, 2})}});
  const auto two = [](absl::Span<float>, absl::Span<float>) {};
  EXPECT_THAT(UpdateEach<float>(&params, two, &params), StatusIs(kInvalid, HasSubstr("twice")));
  EXPECT_THAT(UpdateEach<float>(&params, kAddTo, params), StatusIs(kInvalid, HasSubstr("twice")));
  EXPECT_THAT(FloatsAt(params, ".a"), ElementsAre(1, 2));
  EXPECT_FALSE(params.borrowed());
}

TEST(UpdateEachTest, OpenBorrow_IsAnErrorAndNothingStaysOpen) {
  ParamStore params = StoreOf({{"a", Floats({1, 2})}});
  ParamStore grads = StoreLike(params, {Floats({10, 20})});
  {
    const MutableTensor writing = grads.Mutate(".a").value();
    EXPECT_THAT(UpdateEach<float>(&params, kAddTo, grads),
                StatusIs(kPrecondition, HasSubstr("cannot update from a store")));
    EXPECT_FALSE(params.borrowed());
  }
  {
    const MutableTensor writing = params.Mutate(".a").value();
    EXPECT_THAT(UpdateEach<float>(&params, kAddTo, grads),
                StatusIs(kPrecondition, HasSubstr("borrow")));
  }
  EXPECT_THAT(FloatsAt(params, ".a"), ElementsAre(1, 2));
}

TEST(UpdateEachTest, NoMemoryToClone_ChangesNoElement) {
  ParamStore params = StoreOf({{"a", Floats({1, 2})}, {"b", HugeTensor()}});
  const auto clear = [](absl::Span<float> p) { p[0] = 0; };
  EXPECT_THAT(UpdateEach<float>(&params, clear), StatusIs(kExhausted, HasSubstr("no memory")));
  EXPECT_THAT(FloatsAt(params, ".a"), ElementsAre(1, 2));
  EXPECT_FALSE(params.borrowed());
}

}  // namespace
}  // namespace leafstore
