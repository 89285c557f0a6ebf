// LoadInto from a store in memory. See tests/checkpoint/restore_test.cc for files.
#include "leafstore/select/load_into.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/treedef/treedef_builder.h"

#include "tests/core/status_matchers.h"
#include "tests/status_codes.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(LoadIntoTest, LoadInto_SharesLeavesByValue) {
  const ParamStore from = SampleParams();
  ParamStore store = SampleParams();
  ASSERT_THAT(store.Set(".head.bias", Floats({0, 0})), IsOk());
  const RestoreReport report = LoadInto(from, &store).value();
  EXPECT_EQ(report.restored, 8u);
  EXPECT_THAT(report.missing, IsEmpty());
  EXPECT_EQ(AddressesOf(store), AddressesOf(from));
  store.Mutate(".head.bias")->span<float>()[0] = -1;
  EXPECT_EQ(FloatsAt(from, ".head.bias")[0], 30);
}

TEST(LoadIntoTest, Mismatches_AreAllReported) {
  ParamStore store = SampleParams();
  const StoreState before(store);
  const ParamStore from = StoreAt({{".head.bais", Floats({1, 2})},
                                   {".head.weight", Floats({1})},
                                   {".layers[0].bias", Value(1)}});
  EXPECT_THAT(
      LoadInto(from, &store),
      StatusIs(kInvalid,
               AllOf(HasSubstr("the leaves do not fit the store:\nmissing (6):\n  '.activation'\n"
                               "  '.head.bias'; did you mean .head.bais?\n"),
                     HasSubstr("unexpected (1):\n  '.head.bais'\n"),
                     HasSubstr("dtype mismatch (1):\n  '.layers[0].bias': expected f32[2], "
                               "found static int\n"),
                     HasSubstr("shape mismatch (1):\n  '.head.weight': expected f32[2, 2], "
                               "found f32[1]"))));
  EXPECT_EQ(StoreState(store), before);
}

TEST(LoadIntoTest, ByDottedForm_MatchesDifferentPaths) {
  ParamStore store = SampleParams();
  const ParamStore from = StoreAt(
      {{".head.bias", Floats({1, 2})}, {"['layers.0.bias']", Floats({3, 4})}, {"['x']", Value(1)}});
  const RestoreReport report =
      LoadInto(from, &store,
               {.allow_missing = true, .allow_unexpected = true, .by = AlignBy::kDotted})
          .value();
  EXPECT_EQ(report.restored, 2u);
  EXPECT_EQ(report.missing.size(), 6u);
  EXPECT_THAT(report.unexpected, ElementsAre("['x']"));
  EXPECT_EQ(FloatsAt(store, ".layers[0].bias"), (std::vector<float>{3, 4}));
}

TEST(LoadIntoTest, ByDottedForm_AppliesRenames) {
  ParamStore store = SampleParams();
  const ParamStore from =
      StoreAt({{"['top']['bias']", Floats({1, 2})}, {"['layers.0.bias']", Floats({3, 4})}});
  ASSERT_THAT(
      LoadInto(from, &store,
               {.allow_missing = true, .by = AlignBy::kDotted, .renames = {{"top.**", "head.**"}}}),
      IsOk());
  EXPECT_EQ(FloatsAt(store, ".head.bias"), (std::vector<float>{1, 2}));
  EXPECT_EQ(FloatsAt(store, ".layers[0].bias"), (std::vector<float>{3, 4}));
}

TEST(LoadIntoTest, OpenBorrow_IsAnError) {
  ParamStore store = SampleParams();
  ParamStore from = SampleParams();
  const auto refused = [](const char* words) {
    return StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(words));
  };
  {
    const MutableTensor open = from.Mutate(".head.bias").value();
    EXPECT_THAT(LoadInto(from, &store), refused("cannot load from while"));
  }
  const MutableTensor open = store.Mutate(".head.bias").value();
  EXPECT_THAT(LoadInto(from, &store), refused("cannot load into while"));
}

// Dicts in dicts under one long key, each with a leaf, or, after the first, with an alias of it: the
// strings have a few kilobytes, the paths hundreds of megabytes.
ParamStore DeepStore(bool aliases) {
  constexpr int kLevels = 400;
  const std::string key(2'500, 'k');
  TreeDefBuilder builder;
  NodeId first = 0;
  for (int i = 0; i < kLevels; ++i) {
    if (i > 0) builder.SetKey(KeyRef::Item(key));
    builder.Open(NodeKind::kDict);
    builder.SetKey(KeyRef::Item("a"));
    if (i == 0) first = builder.next_node();
    if (i > 0 && aliases) {
      builder.Alias(first);
    } else {
      builder.Leaf();
    }
  }
  for (int i = 0; i < kLevels; ++i) builder.Close();
  return ParamStore::Create(std::move(builder).Build().value(),
                            std::vector<Leaf>(aliases ? 1 : kLevels, Tensor::Scalar<float>(1)))
      .value();
}

TEST(LoadIntoTest, LongPaths_AreAnErrorWhereTheyAreCompared) {
  const ParamStore from = DeepStore(/*aliases=*/true);
  ParamStore store = DeepStore(/*aliases=*/false);
  const StoreState before(store);
  const auto too_long =
      StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("expected paths of at most"));
  EXPECT_THAT(LoadInto(from, &store, {.by = AlignBy::kDotted}), too_long);
  EXPECT_THAT(LoadInto(from, &store,
                       {.allow_missing = true, .allow_unexpected = true, .renames = {{"a", "b"}}}),
              too_long);
  EXPECT_EQ(StoreState(store), before);
  EXPECT_THAT(LoadInto(from, &store), IsOk()) << "by path, no text is made";
}

}  // namespace
}  // namespace leafstore
