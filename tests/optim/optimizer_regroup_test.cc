// Regroup: switching an optimizer to another group.

#include "leafstore/optim/optimizer.h"
#include "leafstore/pack/pack.h"

#include "tests/optim/optim_testing.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class OptimizerRegroupTest : public testing::Test {
 protected:
  // Makes steps of "a" and "b". In the tests, "b" leaves the group and "c" joins it.
  void SetUp() override {
    for (uint32_t step = 0; step < 3; ++step) {
      ASSERT_THAT(adam_.Step(&old_, RandomLike(model_, 10 + step), {.lr = 0.1}), IsOk());
    }
  }
  Contents OnlyOf(const std::vector<NamedStore>& state, const std::string& path) {
    Contents contents;
    for (const auto& [name, leaf] : ContentsOf(state)) {
      if (name.ends_with(path)) contents[name] = leaf;
    }
    return contents;
  }

  ParamStore model_ = Model({{"a", F32({2}, {1, 2})},
                             {"b", F32({3}, {1, 2, 3})},
                             {"c", F64({2}, {1, 2})},
                             {"s", Leaf(Value("gelu"))}});
  ParamStore old_ = GroupOf(model_, {"a", "b", "s"});
  ParamStore new_ = GroupOf(model_, {"a", "c", "s"});
  Optimizer adam_ = Optimizer::Create(Adam{}, old_).value();
};

TEST_F(OptimizerRegroupTest, Regroup_KeepsTheStateOfLeavesInBothGroups) {
  const std::vector<NamedStore> before = adam_.state();
  ASSERT_THAT(adam_.Regroup(new_), IsOk());
  EXPECT_EQ(OnlyOf(adam_.state(), ".a"), OnlyOf(before, ".a"));
  EXPECT_EQ(StepOf(adam_, ".a"), 3);
  EXPECT_EQ(adam_.slots(), new_.slots());
}

TEST_F(OptimizerRegroupTest, NewLeaves_BeginWithZerosAndTheirOwnStepCount) {
  ASSERT_THAT(adam_.Regroup(new_), IsOk());
  EXPECT_EQ(StepOf(adam_, ".c"), 0);
  EXPECT_THAT(Numbers(StoreOf(adam_.state(), "exp_avg"), ".c"), ElementsAre(0, 0));
  // The same bits as with a new optimizer, although "a" has another step count.
  ParamStore alone = GroupOf(model_, {"c"});
  Optimizer fresh = Optimizer::Create(Adam{}, alone).value();
  const ParamStore grads = RandomLike(model_, 20);
  ASSERT_THAT(adam_.Step(&new_, grads, {.lr = 0.1}), IsOk());
  ASSERT_THAT(fresh.Step(&alone, grads, {.lr = 0.1}), IsOk());
  EXPECT_EQ(*new_.Find(".c"), *alone.Find(".c"));
  EXPECT_EQ(StepOf(adam_, ".a"), 4);
  EXPECT_EQ(StepOf(adam_, ".c"), 1);
}

TEST_F(OptimizerRegroupTest, Regroup_ReturnsTheStateOfLeavesThatLeave) {
  const std::vector<NamedStore> before = adam_.state();
  const std::vector<NamedStore> left = adam_.Regroup(new_).value();
  EXPECT_EQ(ContentsOf(left), OnlyOf(before, ".b")) << "and nothing of what stays";
  EXPECT_THAT(adam_.Regroup(new_).value(), IsEmpty());
}

TEST_F(OptimizerRegroupTest, ReturnedState_IsAdoptedByAnotherOptimizer) {
  ParamStore other_group = GroupOf(model_, {"b", "c"});
  Optimizer other = Optimizer::Create(AdamW{}, other_group).value();
  const std::vector<NamedStore> before = adam_.state();
  const std::vector<NamedStore> left = adam_.Regroup(new_).value();
  ASSERT_THAT(other.Regroup(other_group, left), IsOk());
  EXPECT_EQ(StepOf(other, ".b"), 0) << "its own state comes first";

  Optimizer third = Optimizer::Create(AdamW{}, GroupOf(model_, {"c"})).value();
  ASSERT_THAT(third.Regroup(other_group, left), IsOk());
  EXPECT_EQ(StepOf(third, ".b"), 3);
  EXPECT_EQ(StepOf(third, ".c"), 0);
  EXPECT_EQ(OnlyOf(third.state(), ".b"), OnlyOf(before, ".b"));
}

TEST_F(OptimizerRegroupTest, Adopt_AcceptsTheStatesOfSeveralOptimizers) {
  ParamStore group = GroupOf(model_, {"c"});
  Optimizer other = Optimizer::Create(AdamW{}, group).value();
  ASSERT_THAT(other.Step(&group, RandomLike(model_, 5), {.lr = 0.1}), IsOk());
  const Optimizer sgd = Optimizer::Create(Sgd{.momentum = 0.9}, model_).value();
  const Contents of_c = ContentsOf(other.state());
  for (const bool sgd_first : {false, true}) {
    std::vector<NamedStore> all;
    const auto add = [&all](std::vector<NamedStore> state) {
      for (NamedStore& one : state) all.push_back(std::move(one));
    };
    if (sgd_first) add(sgd.state());
    add(adam_.state());
    add(other.state());
    if (!sgd_first) add(sgd.state());
    Optimizer fresh = Optimizer::Create(Adam{}, GroupOf(model_, {"s"})).value();
    ASSERT_THAT(fresh.Regroup(GroupOf(model_, {"a", "c"}), all), IsOk());
    EXPECT_EQ(OnlyOf(fresh.state(), ".a"), OnlyOf(adam_.state(), ".a"));
    EXPECT_EQ(OnlyOf(fresh.state(), ".c"), of_c);
    EXPECT_EQ(StepOf(fresh, ".a"), 3);
    EXPECT_EQ(StepOf(fresh, ".c"), 1);
  }
}

TEST_F(OptimizerRegroupTest, Adopt_IgnoresStoresWithOtherNames) {
  std::vector<NamedStore> state = adam_.state();
  state.insert(state.begin(), {"averages", model_.Snapshot().value()});
  Optimizer fresh = Optimizer::Create(Adam{}, GroupOf(model_, {"s"})).value();
  ASSERT_THAT(fresh.Regroup(GroupOf(model_, {"a"}), state), IsOk());
  EXPECT_EQ(OnlyOf(fresh.state(), ".a"), OnlyOf(adam_.state(), ".a"));
  EXPECT_EQ(StepOf(fresh, ".a"), 3);
}

TEST_F(OptimizerRegroupTest, Adopt_IncompleteState_IsAnError) {
  Optimizer fresh = Optimizer::Create(Adam{}, GroupOf(model_, {"c"})).value();
  const Contents before = ContentsOf(fresh.state());
  const auto expect_error = [&](std::vector<NamedStore> state, const std::string& found) {
    EXPECT_THAT(
        fresh.Regroup(GroupOf(model_, {"a"}), state),
        StatusIs(absl::StatusCode::kInvalidArgument,
                 HasSubstr("expected the stores 'exp_avg', 'exp_avg_sq', 'step', found " + found)));
    EXPECT_EQ(ContentsOf(fresh.state()), before);
  };
  for (const auto& [gone, found] : {std::pair(0, "'exp_avg_sq', 'step'"),
                                    {1, "'exp_avg', 'step'"},
                                    {2, "'exp_avg', 'exp_avg_sq'"}}) {
    std::vector<NamedStore> state = adam_.state();
    state.erase(state.begin() + gone);
    expect_error(std::move(state), found);
  }
  // The states of two optimizers together are not a valid state.
  std::vector<NamedStore> a = adam_.state();
  std::vector<NamedStore> b = adam_.state();
  std::vector<NamedStore> mixed;
  for (size_t i = 0; i < a.size(); ++i) {
    mixed.push_back(std::move(a[i]));
    mixed.push_back(std::move(b[i]));
  }
  expect_error(std::move(mixed), "'exp_avg', 'exp_avg', 'exp_avg_sq', 'exp_avg_sq', 'step'");
}

TEST_F(OptimizerRegroupTest, Adopt_IgnoresStateWithOtherMoments) {
  Optimizer sgd = Optimizer::Create(Sgd{.momentum = 0.9}, GroupOf(model_, {"c"})).value();
  ASSERT_THAT(sgd.Regroup(old_, adam_.state()), IsOk());
  EXPECT_EQ(StepOf(sgd, ".a"), 0);
  Optimizer plain = Optimizer::Create(Sgd{}, GroupOf(model_, {"c"})).value();
  ASSERT_THAT(plain.Regroup(old_, adam_.state()), IsOk());
  EXPECT_EQ(StepOf(plain, ".a"), 0) << "a rule without moments adopts steps alone";
}

// Compares freezing and unfreezing, with and without the returned state, with one optimizer for
// each leaf.
TEST_F(OptimizerRegroupTest, FreezingAndUnfreezing_MatchesOneOptimizerPerLeaf) {
  const auto run_alone = [&](const std::string& name, const std::vector<uint32_t>& seeds) {
    ParamStore alone = GroupOf(model_, {name});
    Optimizer adam = Optimizer::Create(Adam{}, alone).value();
    for (const uint32_t seed : seeds) {
      EXPECT_THAT(adam.Step(&alone, RandomLike(model_, seed), {.lr = 0.1}), IsOk());
    }
    return alone.leaf(0);
  };
  std::vector<NamedStore> frozen = adam_.Regroup(new_).value();
  ParamStore thawed = GroupOf(model_, {"b"});
  ASSERT_THAT(thawed.Set(".b", *old_.Find(".b")), IsOk());
  ASSERT_THAT(new_.Set(".a", *old_.Find(".a")), IsOk());
  ASSERT_THAT(adam_.Step(&new_, RandomLike(model_, 20), {.lr = 0.1}), IsOk());

  std::vector<Leaf> leaves = {*new_.Find(".a"), *thawed.Find(".b"), *new_.Find(".c")};
  ParamStore all =
      ParamStore::Create(model_.layout(),
                         SlotSet::Create(model_.layout().size(), {0, 1, 2}).value(), leaves)
          .value();
  ASSERT_THAT(adam_.Regroup(all, frozen), IsOk());
  ASSERT_THAT(adam_.Step(&all, RandomLike(model_, 21), {.lr = 0.1}), IsOk());
  EXPECT_EQ(*all.Find(".a"), run_alone("a", {10, 11, 12, 20, 21}));
  EXPECT_EQ(*all.Find(".b"), run_alone("b", {10, 11, 12, 21}));
  EXPECT_EQ(*all.Find(".c"), run_alone("c", {20, 21}));
}

TEST_F(OptimizerRegroupTest, Regroup_ToAnotherLayout_MatchesByPath) {
  ParamStore grown = Model({{"_first", F32({1}, {1})}, {"a", F32({2}, {1, 2})}});
  const std::vector<NamedStore> before = adam_.state();
  const std::vector<NamedStore> left = adam_.Regroup(grown).value();
  EXPECT_EQ(OnlyOf(adam_.state(), ".a"), OnlyOf(before, ".a"));
  EXPECT_EQ(StepOf(adam_, "._first"), 0);
  EXPECT_EQ(ContentsOf(left), OnlyOf(before, ".b"));
  EXPECT_THAT(adam_.Step(&grown, RandomLike(grown, 1), {.lr = 0.1}), IsOk());
}

TEST_F(OptimizerRegroupTest, StepAfterRegroup_IsInPlace) {
  const std::byte* bytes = adam_.state()[0].store.Find(".a")->tensor().raw_data();
  ASSERT_THAT(adam_.Regroup(new_), IsOk());
  ASSERT_THAT(adam_.Step(&new_, RandomLike(model_, 1), {.lr = 0.1}), IsOk());
  EXPECT_EQ(adam_.state()[0].store.Find(".a")->tensor().raw_data(), bytes);
}

TEST_F(OptimizerRegroupTest, StateThatDoesNotFitTheNewGroup_IsAnError) {
  const Contents before = ContentsOf(adam_.state());
  const ParamStore other = Model({{"a", F32({5}, {1, 2, 3, 4, 5})},
                                  {"b", F64({3}, {1, 2, 3})},
                                  {"c", F64({2}, {1, 2})},
                                  {"s", Leaf(Value("gelu"))}});
  EXPECT_THAT(
      adam_.Regroup(other),
      StatusIs(absl::StatusCode::kInvalidArgument,
               AllOf(HasSubstr("'exp_avg':"), HasSubstr("'.a': expected f32[5], found f32[2]"),
                     HasSubstr("'.b': expected f64[3], found f32[3]"))));
  EXPECT_EQ(ContentsOf(adam_.state()), before);
  EXPECT_THAT(adam_.Step(&old_, RandomLike(model_, 1), {.lr = 0.1}), IsOk())
      << "it is where it was";
}

TEST_F(OptimizerRegroupTest, GroupThatCannotBeTrained_IsAnError) {
  const Contents before = ContentsOf(adam_.state());
  const ParamStore half = Model({{"half", Tensor::Zeros(DType::kF16, {2}).value()}});
  EXPECT_THAT(adam_.Regroup(half), StatusIs(absl::StatusCode::kInvalidArgument,
                                            HasSubstr("at .half: expected f32 or f64")));
  const Packed packed = Packed::Create(half, DType::kF16).value();
  EXPECT_THAT(adam_.Regroup(packed), StatusIs(absl::StatusCode::kInvalidArgument,
                                              HasSubstr("at .half: expected f32 or f64")));
  EXPECT_EQ(ContentsOf(adam_.state()), before);
}

}  // namespace
}  // namespace leafstore
