// Saving and loading the state of an optimizer.

#include "leafstore/optim/internal/optimizer_state.h"

#include <limits>

#include "leafstore/optim/optimizer.h"
#include "leafstore/select/groups.h"

#include "tests/optim/optim_testing.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const Rule kRulesWithState[] = {Sgd{}, Sgd{.momentum = 0.9, .dampening = 0.1}, Adam{}, AdamW{}};

std::vector<std::string> NamesOf(const std::vector<NamedStore>& state) {
  std::vector<std::string> names;
  for (const NamedStore& one : state) names.push_back(one.name);
  return names;
}

TEST(OptimizerStateTest, State_HasAStoreForEachMomentAndTheSteps) {
  const ParamStore model = MixedModel(1);
  const auto names = [&](const Rule& rule) {
    return NamesOf(Optimizer::Create(rule, model)->state());
  };
  EXPECT_THAT(names(Sgd{}), ElementsAre("step"));
  EXPECT_THAT(names(Sgd{.momentum = 0.5}), ElementsAre("momentum_buffer", "step"));
  EXPECT_THAT(names(Adam{}), ElementsAre("exp_avg", "exp_avg_sq", "step"));
  EXPECT_THAT(names(AdamW{}), ElementsAre("exp_avg", "exp_avg_sq", "step"));
}

TEST(OptimizerStateTest, NewState_IsZeroAndShapedLikeTheGroup) {
  const ParamStore group = GroupOf(MixedModel(1), {"a_scalar", "c_name", "e_double"});
  const std::vector<NamedStore> state = Optimizer::Create(Adam{}, group)->state();
  for (const NamedStore& one : state) {
    EXPECT_EQ(one.store.layout(), group.layout());
    EXPECT_EQ(one.store.slots(), group.slots());
    EXPECT_EQ(*one.store.Find(".c_name"), Leaf(Value("gelu"))) << "static leaves are as they are";
  }
  EXPECT_EQ(state[0].store.spec_fingerprint(), group.spec_fingerprint()) << "so plans fit it";
  EXPECT_EQ(*StoreOf(state, "exp_avg").Find(".e_double"), F64({3, 5}, std::vector<double>(15)));
  EXPECT_EQ(*StoreOf(state, "exp_avg_sq").Find(".a_scalar"), F32({}, {0}));
  EXPECT_EQ(*StoreOf(state, "step").Find(".a_scalar"), Leaf(Value(0)));
}

TEST(OptimizerStateTest, GroupingOfTheParameters_SplitsTheMoments) {
  ParamStore params = MixedModel(1);
  Optimizer adam = Optimizer::Create(Adam{}, params).value();
  ASSERT_THAT(adam.Step(&params, MixedModel(2), {.lr = 0.1}), IsOk());
  const Grouping plan = Grouping::Compile(params, {Glob("*_name"), Glob("e_*")}).value();
  const std::vector<NamedStore> state = adam.state();
  const auto groups = plan.Split(StoreOf(state, "exp_avg"));
  ASSERT_THAT(groups, IsOk());
  EXPECT_EQ(*groups->group(1).store().Find(".e_double"),
            *StoreOf(state, "exp_avg").Find(".e_double"));
}

TEST(OptimizerStateTest, State_HasTheValuesOfTheFormula) {
  ParamStore params = Model({{"w", F64({2}, {1, 1})}});
  Optimizer sgd = Optimizer::Create(Sgd{.momentum = 0.5, .dampening = 0.25}, params).value();
  ASSERT_THAT(sgd.Step(&params, Model({{"w", F64({2}, {8, 4})}}), {.lr = 0.1}), IsOk());
  EXPECT_THAT(Numbers(StoreOf(sgd.state(), "momentum_buffer"), ".w"), ElementsAre(8, 4))
      << "the first gradient, undamped";
  ASSERT_THAT(sgd.Step(&params, Model({{"w", F64({2}, {4, 0})}}), {.lr = 0.1}), IsOk());
  EXPECT_THAT(Numbers(StoreOf(sgd.state(), "momentum_buffer"), ".w"), ElementsAre(7, 2));
  EXPECT_EQ(*StoreOf(sgd.state(), "step").Find(".w"), Leaf(Value(2)));
}

TEST(OptimizerStateTest, State_IsNotWrittenByLaterSteps) {
  ParamStore params = MixedModel(1);
  Optimizer adam = Optimizer::Create(Adam{}, params).value();
  ASSERT_THAT(adam.Step(&params, MixedModel(2), {.lr = 0.1}), IsOk());
  const std::vector<NamedStore> state = adam.state();
  const Contents before = ContentsOf(state);
  ASSERT_THAT(adam.Step(&params, MixedModel(3), {.lr = 0.1}), IsOk());
  EXPECT_EQ(ContentsOf(state), before);
  EXPECT_NE(ContentsOf(adam.state()), before);
}

TEST(OptimizerStateTest, StateLoadedInEveryStep_MatchesAnUninterruptedRun) {
  for (const Rule& rule : kRulesWithState) {
    ParamStore uninterrupted = MixedModel(1), resumed = MixedModel(1);
    Optimizer of_uninterrupted = Optimizer::Create(rule, uninterrupted).value();
    std::vector<NamedStore> saved = Optimizer::Create(rule, resumed)->state();
    for (uint32_t step = 0; step < 5; ++step) {
      const ParamStore grads = MixedModel(10 + step);
      ASSERT_THAT(of_uninterrupted.Step(&uninterrupted, grads, {.lr = 0.1}), IsOk());
      Optimizer fresh = Optimizer::Create(rule, resumed).value();
      ASSERT_THAT(fresh.LoadState(saved), IsOk());
      EXPECT_EQ(ContentsOf(fresh.state()), ContentsOf(saved));
      ASSERT_THAT(fresh.Step(&resumed, grads, {.lr = 0.1}), IsOk());
      saved = fresh.state();
    }
    EXPECT_EQ(ContentsOf(uninterrupted), ContentsOf(resumed)) << RuleName(rule);
    EXPECT_EQ(ContentsOf(of_uninterrupted.state()), ContentsOf(saved)) << RuleName(rule);
  }
}

TEST(OptimizerStateTest, LoadState_Rvalue_StepsInPlace) {
  ParamStore params = Model({{"w", F32({2}, {1, 2})}});
  Optimizer adam = Optimizer::Create(Adam{}, params).value();
  std::vector<NamedStore> state = Optimizer::Create(Adam{}, params)->state();
  const std::byte* bytes = state[0].store.leaf(0).tensor().raw_data();
  ASSERT_THAT(adam.LoadState(std::move(state)), IsOk());
  EXPECT_TRUE(state.empty());  // NOLINT: specified
  ASSERT_THAT(adam.Step(&params, Model({{"w", F32({2}, {1, 2})}}), {.lr = 0.1}), IsOk());
  EXPECT_EQ(adam.state()[0].store.leaf(0).tensor().raw_data(), bytes);
}

TEST(OptimizerStateTest, LoadState_IgnoresLaterWritesToItsArgument) {
  ParamStore params = Model({{"w", F32({2}, {1, 2})}});
  Optimizer adam = Optimizer::Create(Adam{}, params).value();
  const std::vector<NamedStore> state = adam.state();
  const Contents before = ContentsOf(state);
  ASSERT_THAT(adam.LoadState(state), IsOk());
  ASSERT_THAT(adam.Step(&params, Model({{"w", F32({2}, {1, 2})}}), {.lr = 0.1}), IsOk());
  EXPECT_EQ(ContentsOf(state), before);
}

// Like state from a file without structure: another Layout, stores in another order, no static
// leaves.
TEST(OptimizerStateTest, LoadState_FromAnotherLayout_MatchesByPath) {
  ParamStore params = MixedModel(1);
  Optimizer adam = Optimizer::Create(Adam{}, params).value();
  ASSERT_THAT(adam.Step(&params, MixedModel(2), {.lr = 0.1}), IsOk());
  std::vector<NamedStore> loose;
  std::vector<NamedStore> state = adam.state();
  for (size_t i = state.size(); i-- > 0;) {
    std::vector<std::pair<Path, Leaf>> entries;
    for (uint32_t place = 0; place < state[i].store.size(); ++place) {
      if (state[i].store.PathText(place) == ".c_name") continue;
      entries.emplace_back(Path::Parse(state[i].store.PathText(place)).value(),
                           state[i].store.leaf(place));
    }
    loose.push_back({state[i].name, ParamStore::FromEntries(std::move(entries)).value()});
  }
  Optimizer other = Optimizer::Create(Adam{}, params).value();
  ASSERT_THAT(other.LoadState(loose), IsOk());
  EXPECT_EQ(ContentsOf(other.state()), ContentsOf(adam.state()));
}

class LoadStateErrorTest : public testing::Test {
 protected:
  void ExpectError(std::vector<NamedStore> state, absl::StatusCode code,
                   const testing::Matcher<std::string>& words) {
    ASSERT_THAT(adam_.Step(&params_, RandomLike(params_, 3), {.lr = 0.1}), IsOk());
    const Contents before = ContentsOf(adam_.state());
    EXPECT_THAT(adam_.LoadState(state), StatusIs(code, words));
    const size_t stores = state.size();
    EXPECT_THAT(adam_.LoadState(std::move(state)), StatusIs(code, words));
    EXPECT_EQ(state.size(), stores) << "unchanged after an error";  // NOLINT: specified
    EXPECT_EQ(ContentsOf(adam_.state()), before);
  }
  std::vector<NamedStore> Stores(ParamStore exp_avg, ParamStore exp_avg_sq, ParamStore step) {
    std::vector<NamedStore> stores;
    stores.push_back({"exp_avg", std::move(exp_avg)});
    stores.push_back({"exp_avg_sq", std::move(exp_avg_sq)});
    stores.push_back({"step", std::move(step)});
    return stores;
  }

  const Leaf pair_ = F32({2}, {1, 2});
  const Leaf one_ = Leaf(Value(1));
  ParamStore params_ = Model({{"a", pair_}, {"b", pair_}});
  Optimizer adam_ = Optimizer::Create(Adam{}, params_).value();
  ParamStore good_ = Model({{"a", pair_}, {"b", pair_}});
  ParamStore good_steps_ = Model({{"a", one_}, {"b", one_}});
};

TEST_F(LoadStateErrorTest, StoresOfAnotherRule_AreAnError) {
  ExpectError(
      Optimizer::Create(Sgd{.momentum = 0.9}, params_)->state(), absl::StatusCode::kInvalidArgument,
      HasSubstr("expected the stores 'exp_avg', 'exp_avg_sq', 'step', found 'momentum_buffer', "
                "'step'"));
  ExpectError({}, absl::StatusCode::kInvalidArgument, HasSubstr("found none"));
}

TEST_F(LoadStateErrorTest, StoreThatOccursTwice_IsAnError) {
  std::vector<NamedStore> state = adam_.state();
  state[1].name = "exp_avg";
  ExpectError(std::move(state), absl::StatusCode::kInvalidArgument,
              HasSubstr("found 'exp_avg', 'exp_avg', 'step'"));
}

TEST_F(LoadStateErrorTest, LoadState_ReportsAllMismatches) {
  ExpectError(
      Stores(Model({{"b", F64({2}, {1, 2})}, {"aa", pair_}}),
             Model({{"a", F32({3}, {1, 2, 3})}, {"b", one_}}), Model({{"b", one_}, {"z", one_}})),
      absl::StatusCode::kInvalidArgument,
      AllOf(HasSubstr("'exp_avg':"), HasSubstr("missing"), HasSubstr("'.a'"),
            HasSubstr("unexpected"), HasSubstr("'.aa'"),
            HasSubstr("'.b': expected f32[2], found f64[2]"), HasSubstr("'exp_avg_sq':"),
            HasSubstr("'.a': expected f32[2], found f32[3]"),
            HasSubstr("'.b': expected f32[2], found static int"), HasSubstr("'step':"),
            HasSubstr("'.z'")));
}

TEST_F(LoadStateErrorTest, LoadState_NamesOnlyTheMismatches) {
  ExpectError(
      Stores(good_.Snapshot().value(), good_.Snapshot().value(), GroupOf(good_steps_, {"a"})),
      absl::StatusCode::kInvalidArgument,
      AllOf(HasSubstr("'step':"), HasSubstr("'.b'"), Not(HasSubstr("'.a'")),
            Not(HasSubstr("exp_avg"))));
}

TEST_F(LoadStateErrorTest, InvalidStepCounts_AreAnError) {
  ExpectError(Stores(good_.Snapshot().value(), good_.Snapshot().value(),
                     Model({{"a", Leaf(Value(-1))}, {"b", Leaf(Value(1.0))}})),
              absl::StatusCode::kInvalidArgument,
              AllOf(HasSubstr("'.a': expected an int from 0 to 9007199254740992, found -1"),
                    HasSubstr("'.b': expected an int from 0 to 9007199254740992, found 1.0")));
  ExpectError(Stores(good_.Snapshot().value(), good_.Snapshot().value(), good_.Snapshot().value()),
              absl::StatusCode::kInvalidArgument,
              HasSubstr("'.a': expected an int from 0 to 9007199254740992, found f32[2]"));
}

TEST_F(LoadStateErrorTest, StepCountOverTheLimit_IsAnError) {
  const int64_t most = int64_t{1} << 53;
  ExpectError(Stores(good_.Snapshot().value(), good_.Snapshot().value(),
                     Model({{"a", Leaf(Value(most + 1))},
                            {"b", Leaf(Value(std::numeric_limits<int64_t>::max()))}})),
              absl::StatusCode::kInvalidArgument,
              AllOf(HasSubstr("'.a': expected an int from 0 to 9007199254740992, found "
                              "9007199254740993"),
                    HasSubstr("'.b': expected an int from 0 to 9007199254740992, found "
                              "9223372036854775807")));
  const Leaf last = Leaf(Value(most));
  ASSERT_THAT(adam_.LoadState(Stores(good_.Snapshot().value(), good_.Snapshot().value(),
                                     Model({{"a", last}, {"b", last}}))),
              IsOk());
  EXPECT_THAT(adam_.Step(&params_, RandomLike(params_, 3), {.lr = 0.1}), IsOk());
  EXPECT_EQ(StepOf(adam_, ".a"), most + 1);
}

TEST_F(LoadStateErrorTest, OpenBorrowOfTheState_IsAnError) {
  std::vector<NamedStore> state = adam_.state();
  const MutableTensor borrow = state[0].store.Mutate(".a").value();
  const Contents before = ContentsOf(adam_.state());
  const auto error = StatusIs(absl::StatusCode::kFailedPrecondition,
                              "cannot load the state of an optimizer while a mutable borrow "
                              "of this store is open: close it first");
  EXPECT_THAT(adam_.LoadState(state), error);
  EXPECT_EQ(ContentsOf(adam_.state()), before);
}

}  // namespace
}  // namespace leafstore
