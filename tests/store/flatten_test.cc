// Conversion between models and (TreeDef, ParamStore). The kinds of models and their errors are
// tested in tests/treedef.
#include "leafstore/store/flatten.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/select/partition.h"

#include "tests/core/status_matchers.h"
#include "tests/status_codes.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using ::testing::_;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Layer {
  Tensor weight = Floats({1, 2});
  Tensor bias = Floats({3});
  LEAFSTORE_FIELDS(weight, bias)
};

struct Stack {
  std::vector<Layer> layers = std::vector<Layer>(2);
  Layer head;
  std::string activation = "gelu";
  LEAFSTORE_FIELDS(layers, head, activation)
};

// Like one of the layers, except for the type of one member.
struct Other {
  Tensor weight = Floats({1});
  int64_t bias = 1;
  LEAFSTORE_FIELDS(weight, bias)
};

std::vector<const void*> AddressesIn(const Stack& model) {
  return {nullptr,
          model.head.bias.raw_data(),
          model.head.weight.raw_data(),
          model.layers[0].bias.raw_data(),
          model.layers[0].weight.raw_data(),
          model.layers[1].bias.raw_data(),
          model.layers[1].weight.raw_data()};
}

TEST(FlattenTest, Flatten_ReturnsStructureAndLeavesInOrder) {
  const Flattened flat = Flatten(Stack()).value();
  EXPECT_THAT(PathsOf(flat.params),
              ElementsAre(".activation", ".head.bias", ".head.weight", ".layers[0].bias",
                          ".layers[0].weight", ".layers[1].bias", ".layers[1].weight"));
  EXPECT_EQ(flat.params.layout(), Layout(flat.def));
  EXPECT_TRUE(flat.params.complete());
}

TEST(FlattenTest, Flatten_SharesLvaluesAndMovesRvalues) {
  Stack model;
  const std::vector<const void*> addresses = AddressesIn(model);
  const Flattened read = Flatten(model).value();
  EXPECT_EQ(AddressesOf(read.params), addresses);
  EXPECT_FALSE(model.head.bias.null());
  Flattened given = Flatten(std::move(model)).value();
  EXPECT_EQ(AddressesOf(given.params), addresses);
  EXPECT_TRUE(model.head.bias.null());  // NOLINT: it was moved out
}

TEST(FlattenTest, FlattenLike_UsesTheSameLayout) {
  const Flattened flat = Flatten(Stack()).value();
  const ParamStore gradients = FlattenLike(flat.def, Stack()).value();
  EXPECT_EQ(gradients.layout(), flat.params.layout());
  EXPECT_EQ(Flatten(Stack())->params.layout(), flat.params.layout());
  EXPECT_EQ(gradients.spec_fingerprint(), flat.params.spec_fingerprint());
}

TEST(FlattenTest, FlattenLike_OtherStructure_IsAnError) {
  const Flattened flat = Flatten(Stack()).value();
  Layer layer;
  EXPECT_THAT(FlattenLike(flat.def, layer), StatusIs(kInvalid, _));
  EXPECT_THAT(FlattenLike(flat.def, std::move(layer)), StatusIs(kInvalid, _));
  EXPECT_FALSE(layer.bias.null());  // NOLINT: it is as before
}

TEST(UnflattenTest, Unflatten_ReturnsTheModel) {
  Flattened flat = Flatten(Stack()).value();
  ASSERT_THAT(flat.params.Set(".layers[1].bias", Floats({7})), IsOk());
  ASSERT_THAT(flat.params.Set(".activation", Value("relu")), IsOk());
  const Stack model = Unflatten<Stack>(flat.def, flat.params).value();
  EXPECT_EQ(model.activation, "relu");
  EXPECT_EQ(ElementsOf<float>(model.layers[1].bias), (std::vector<float>{7}));
  EXPECT_EQ(AddressesIn(model), AddressesOf(flat.params));
}

TEST(UnflattenTest, Rvalue_IsMovedIntoTheModel) {
  Flattened flat = Flatten(Stack()).value();
  const std::vector<const void*> addresses = AddressesOf(flat.params);
  Stack model;
  ASSERT_THAT(Unflatten(flat.def, std::move(flat.params), &model), IsOk());
  EXPECT_TRUE(flat.params.empty());  // NOLINT: it says so
  EXPECT_EQ(AddressesIn(model), addresses);
  EXPECT_EQ(model.head.bias.Mutate()->raw_data(), addresses[1]);  // the only holder
}

TEST(UnflattenTest, OtherLayout_MatchesByPath) {
  const Flattened flat = Flatten(Stack()).value();
  ParamStore loose = StoreAt({{".layers[1].weight", Floats({9, 9})},
                              {".layers[1].bias", Floats({1})},
                              {".layers[0].weight", Floats({1, 2})},
                              {".layers[0].bias", Floats({1})},
                              {".head.weight", Floats({1, 2})},
                              {".head.bias", Floats({1})},
                              {".activation", Value("silu")}});
  Stack model;
  ASSERT_THAT(Unflatten(flat.def, loose, &model), IsOk());
  EXPECT_EQ(model.activation, "silu");
  EXPECT_EQ(ElementsOf<float>(model.layers[1].weight), (std::vector<float>{9, 9}));
  EXPECT_EQ(loose.size(), 7u);
  model = Stack();
  ASSERT_THAT(Unflatten(flat.def, std::move(loose), &model), IsOk());
  EXPECT_TRUE(loose.empty());  // NOLINT: it says so
  const std::byte* const bytes = model.head.bias.raw_data();
  EXPECT_EQ(model.head.bias.Mutate()->raw_data(), bytes);
}

TEST(UnflattenTest, Mismatch_NamesAllMissingAndUnexpectedLeaves) {
  const Flattened flat = Flatten(Stack()).value();
  ParamStore less = std::move(Partition(flat.params, {Glob("layers.**")}).value()[0]);
  const StoreState before(less);
  Stack model;
  model.activation = "mine";
  const auto refused =
      StatusIs(kInvalid, AllOf(StartsWith("the store does not fit the structure:\nmissing (3):"),
                               HasSubstr("'.activation'"), HasSubstr("'.head.bias'"),
                               HasSubstr("'.head.weight'")));
  EXPECT_THAT(Unflatten(flat.def, less, &model), refused);
  EXPECT_THAT(Unflatten(flat.def, std::move(less), &model), refused);
  EXPECT_THAT(Unflatten<Stack>(flat.def, less), refused);
  EXPECT_EQ(StoreState(less), before);
  EXPECT_EQ(model.activation, "mine");
  ParamStore more = flat.params.Snapshot().value();
  ASSERT_THAT(more.Insert(PathFrom(".gate"), Value(1)), IsOk());
  const StoreState more_before(more);
  const auto unexpected = StatusIs(kInvalid, HasSubstr("unexpected (1):\n  '.gate'"));
  EXPECT_THAT(Unflatten(flat.def, more, &model), unexpected);
  EXPECT_THAT(Unflatten(flat.def, std::move(more), &model), unexpected);
  EXPECT_EQ(StoreState(more), more_before);
  EXPECT_EQ(model.activation, "mine");
}

TEST(UnflattenTest, WrongModelType_IsAnErrorAndKeepsTheStore) {
  Flattened flat = Flatten(Layer()).value();
  const StoreState before(flat.params);
  Other other;
  const auto refused = StatusIs(kInvalid, HasSubstr(".bias"));
  EXPECT_THAT(Unflatten(flat.def, flat.params, &other), refused);
  EXPECT_THAT(Unflatten(flat.def, std::move(flat.params), &other), refused);
  EXPECT_EQ(StoreState(flat.params), before);
  EXPECT_EQ(ElementsOf<float>(other.weight), (std::vector<float>{1}));
  EXPECT_EQ(other.bias, 1);
}

TEST(UnflattenTest, OpenBorrow_IsAnError) {
  Flattened flat = Flatten(Stack()).value();
  Stack model;
  model.activation = "mine";
  MutableTensor open = flat.params.Mutate(".head.bias").value();
  const StoreState before(flat.params);
  const auto refused = StatusIs(kPrecondition, HasSubstr("cannot unflatten"));
  EXPECT_THAT(Unflatten(flat.def, flat.params, &model), refused);
  EXPECT_THAT(Unflatten(flat.def, std::move(flat.params), &model), refused);
  EXPECT_EQ(StoreState(flat.params), before);
  EXPECT_EQ(model.activation, "mine");
}

}  // namespace
}  // namespace leafstore
