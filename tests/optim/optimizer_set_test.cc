#include "leafstore/optim/optimizer_set.h"

#include <utility>

#include "leafstore/numeric/ops.h"
#include "leafstore/optim/clip.h"
#include "leafstore/pack/pack.h"
#include "leafstore/select/labels.h"
#include "leafstore/select/partition.h"
#include "leafstore/store/merge.h"

#include "tests/optim/optim_testing.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class OptimizerSetTest : public testing::Test {
 protected:
  // The groups "bias" and "rest" have rules, "frozen" has none.
  Labels LabelsOf(const std::vector<uint32_t>& groups) {
    return Labels::Create(model_.layout(), groups, {"bias", "frozen", "rest"}).value();
  }
  ParamStore GroupOf(const Labels& labels, uint32_t group) {
    std::vector<Leaf> leaves;
    for (uint32_t place = 0; place < labels.SlotsOf(group).size(); ++place) {
      leaves.push_back(model_.leaf(labels.SlotsOf(group).SlotAt(place)));
    }
    return ParamStore::Create(labels.layout(), labels.SlotsOf(group), std::move(leaves)).value();
  }
  Contents All() {
    Contents all = ContentsOf(bias_);
    all.merge(ContentsOf(rest_));
    all.merge(ContentsOf(set_.state()));
    return all;
  }
  std::vector<GroupRef> Groups() { return {&bias_, &frozen_, &rest_}; }

  ParamStore model_ = Model({{"a", F32({2}, {1, 2})},
                             {"b", F32({3}, {1, 2, 3})},
                             {"c", F64({2}, {1, 2})},
                             {"d", F32({1}, {1})}});
  const RuleMap rules_ = {{"bias", Sgd{.momentum = 0.5}}, {"rest", AdamW{}}};
  Labels labels_ = LabelsOf({0, 2, 1, 2});
  ParamStore bias_ = GroupOf(labels_, 0);
  ParamStore frozen_ = GroupOf(labels_, 1);
  ParamStore rest_ = GroupOf(labels_, 2);
  OptimizerSet set_ = OptimizerSet::Create(rules_, labels_, Groups()).value();
};

TEST_F(OptimizerSetTest, StepsEachGroupByItsOwnRule) {
  ParamStore bias = GroupOf(labels_, 0), rest = GroupOf(labels_, 2);
  Optimizer sgd = Optimizer::Create(rules_.at("bias"), bias).value();
  Optimizer adamw = Optimizer::Create(rules_.at("rest"), rest).value();
  for (uint32_t step = 0; step < 3; ++step) {
    const ParamStore grads = RandomLike(model_, step);
    ASSERT_THAT(set_.Step(Groups(), grads, 0.1), IsOk());
    ASSERT_THAT(sgd.Step(&bias, grads, 0.1), IsOk());
    ASSERT_THAT(adamw.Step(&rest, grads, 0.1), IsOk());
  }
  EXPECT_EQ(ContentsOf(bias_), ContentsOf(bias));
  EXPECT_EQ(ContentsOf(rest_), ContentsOf(rest));
  EXPECT_EQ(*frozen_.Find(".c"), *model_.Find(".c"));
}

TEST_F(OptimizerSetTest, KnowsItsOptimizersByName) {
  EXPECT_EQ(set_.Find("bias")->rule(), rules_.at("bias"));
  EXPECT_EQ(set_.Find("rest")->rule(), rules_.at("rest"));
  EXPECT_EQ(set_.Find("frozen"), nullptr);
  EXPECT_EQ(set_.Find("nothing"), nullptr);
  EXPECT_EQ(set_.labels(), labels_);
}

TEST_F(OptimizerSetTest, TakesGradientsAndOptionsForEachGroup) {
  const ParamStore grads = RandomLike(model_, 1);
  const ParamStore bias_grads = Group(grads, {"a"});
  const std::vector<ConstGroupRef> each = {&bias_grads, static_cast<const ParamStore*>(nullptr),
                                           &grads};
  const std::vector<StepOptions> options = {0.0, 7.0, 0.1};
  const Contents bias_before = ContentsOf(bias_), rest_before = ContentsOf(rest_);
  ASSERT_THAT(set_.Step(Groups(), each, options), IsOk());
  EXPECT_EQ(ContentsOf(bias_), bias_before) << "its learning rate is 0";
  EXPECT_NE(ContentsOf(rest_), rest_before);
  ASSERT_THAT(set_.Step(Groups(), each, 0.1), IsOk());
  EXPECT_NE(ContentsOf(bias_), bias_before);
}

TEST_F(OptimizerSetTest, MixesPackedGroupsWithOthersAndIgnoresFrozenOnes) {
  Packed rest = Packed::Create(rest_, DType::kF32).value();
  const std::vector<GroupRef> groups = {&bias_, static_cast<ParamStore*>(nullptr), &rest};
  OptimizerSet set = OptimizerSet::Create(rules_, labels_, groups).value();
  ParamStore bias_twin = GroupOf(labels_, 0);
  const std::vector<GroupRef> twin = {&bias_twin, &frozen_, &rest_};
  for (uint32_t step = 0; step < 2; ++step) {
    const ParamStore grads = RandomLike(model_, step);
    ASSERT_THAT(set.Step(groups, grads, 0.1), IsOk());
    ASSERT_THAT(set_.Step(twin, grads, 0.1), IsOk());
  }
  EXPECT_EQ(ContentsOf(rest.store().value()), ContentsOf(rest_));
  EXPECT_EQ(ContentsOf(set.state()), ContentsOf(set_.state()));
}

TEST_F(OptimizerSetTest, StateIsNamedByGroup) {
  std::vector<std::string> names;
  for (const NamedStore& one : set_.state()) names.push_back(one.name);
  EXPECT_THAT(names, ElementsAre("bias/momentum_buffer", "bias/step", "rest/exp_avg",
                                 "rest/exp_avg_sq", "rest/step"));
}

TEST_F(OptimizerSetTest, SaveAndLoadMidRunIsAsIfUninterrupted) {
  ASSERT_THAT(set_.Step(Groups(), RandomLike(model_, 1), 0.1), IsOk());
  ParamStore bias = bias_.Snapshot().value(), rest = rest_.Snapshot().value();
  const std::vector<GroupRef> groups = {&bias, &frozen_, &rest};
  OptimizerSet resumed = OptimizerSet::Create(rules_, labels_, groups).value();
  std::vector<NamedStore> state = set_.state();
  ASSERT_THAT(resumed.LoadState(std::move(state)), IsOk());
  EXPECT_THAT(state, IsEmpty());  // NOLINT: specified
  ASSERT_THAT(resumed.Step(groups, RandomLike(model_, 2), 0.1), IsOk());
  ASSERT_THAT(set_.Step(Groups(), RandomLike(model_, 2), 0.1), IsOk());
  EXPECT_EQ(ContentsOf(bias), ContentsOf(bias_));
  EXPECT_EQ(ContentsOf(rest), ContentsOf(rest_));
  EXPECT_EQ(ContentsOf(resumed.state()), ContentsOf(set_.state()));
}

TEST_F(OptimizerSetTest, LoadingNamesAllThatIsWrongInAllGroupsAndChangesNone) {
  ASSERT_THAT(set_.Step(Groups(), RandomLike(model_, 1), 0.1), IsOk());
  const Contents before = All();
  std::vector<NamedStore> state = set_.state();
  state[1].name = "bia/step";
  state[3].store = Group(state[3].store, {"b"});
  state.push_back({"stray", ParamStore()});
  EXPECT_THAT(set_.LoadState(state),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("group 'bias': "), HasSubstr("found 'momentum_buffer'"),
                             HasSubstr("group 'bia': expected no state, found 1"),
                             HasSubstr("group 'rest': "), HasSubstr("'exp_avg_sq'"),
                             HasSubstr("'.d'"), HasSubstr("group '': expected no state"))));
  EXPECT_EQ(All(), before);
}

TEST_F(OptimizerSetTest, AStepThatFailsInOneGroupChangesNone) {
  const ParamStore grads = RandomLike(model_, 1);
  ASSERT_THAT(set_.Step(Groups(), grads, 0.1), IsOk());
  const Contents before = All();
  EXPECT_THAT(set_.Step(Groups(), Group(grads, {"a", "b"}), 0.1),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("group 'rest': "), HasSubstr("\n  '.d'"))));
  EXPECT_THAT(set_.Step({&bias_, &frozen_}, grads, 0.1),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("groups: expected 3 for the groups, found 2")));
  EXPECT_THAT(set_.Step({&bias_, &frozen_, &bias_}, grads, 0.1),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("group 'rest': expected the 2 leaves that the labels"),
                             HasSubstr("found other leaves (1)"))));
  EXPECT_THAT(set_.Step({&bias_, &frozen_, static_cast<Packed*>(nullptr)}, grads, 0.1),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("group 'rest': expected a")));
  EXPECT_THAT(set_.Step(Groups(), std::vector<ConstGroupRef>{&grads}, 0.1),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("gradients: expected 3")));
  EXPECT_EQ(All(), before);
  EXPECT_THAT(set_.Step(Groups(), grads, 0.1), IsOk()) << "and it still works";
}

TEST_F(OptimizerSetTest, CreateNamesRulesWithoutAGroup) {
  EXPECT_THAT(OptimizerSet::Create({{"biases", Sgd{}}}, labels_, Groups()),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr("biases"), HasSubstr("did you mean bias?"))));
  EXPECT_THAT(
      OptimizerSet::Create({{"bias", Sgd{.momentum = -1}}}, labels_, Groups()),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("group 'bias': sgd: momentum")));
  EXPECT_THAT(OptimizerSet::Create(rules_, labels_, {&bias_}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected 3, found 1")));
}

TEST_F(OptimizerSetTest, RepartitionKeepsStateFreezesAndThaws) {
  for (uint32_t step = 0; step < 2; ++step) {
    ASSERT_THAT(set_.Step(Groups(), RandomLike(model_, step), 0.1), IsOk());
  }
  const Contents before = ContentsOf(set_.state());
  // "b" stays in "rest", "d" is frozen, "c" is thawed.
  const Labels labels = LabelsOf({0, 2, 2, 1});
  ParamStore bias = GroupOf(labels, 0), rest = GroupOf(labels, 2);
  const std::vector<NamedStore> left = set_.Repartition(labels, {&bias, &frozen_, &rest}).value();
  EXPECT_EQ(set_.labels(), labels);
  EXPECT_EQ(StepOf(*set_.Find("bias"), ".a"), 2);
  EXPECT_EQ(StepOf(*set_.Find("rest"), ".b"), 2);
  EXPECT_EQ(StepOf(*set_.Find("rest"), ".c"), 0);
  const Contents after = ContentsOf(set_.state());
  EXPECT_EQ(after.at("rest/exp_avg:.b"), before.at("rest/exp_avg:.b"));
  EXPECT_EQ(after.at("bias/momentum_buffer:.a"), before.at("bias/momentum_buffer:.a"));
  EXPECT_EQ(after.at("rest/exp_avg:.c"), F64({2}, {0, 0}));
  EXPECT_EQ(ContentsOf(left), (Contents{{"rest/exp_avg:.d", before.at("rest/exp_avg:.d")},
                                        {"rest/exp_avg_sq:.d", before.at("rest/exp_avg_sq:.d")},
                                        {"rest/step:.d", Leaf(Value(2))}}));
  // And back again, with what was handed back.
  ASSERT_THAT(set_.Repartition(labels_, Groups(), left), IsOk());
  EXPECT_EQ(ContentsOf(set_.state()), before);
}

// The way that a user goes: filters, a plan, labels of it, groups by moving, one norm for all.
TEST_F(OptimizerSetTest, ServesTheGroupsOfAPlan) {
  const auto plan_of = [&](const char* frozen) {
    return PartitionPlan::Compile(model_, {Glob("a"), Glob(frozen)}).value();
  };
  const auto labels_of = [&](const PartitionPlan& plan) {
    return Labels::Create(model_.layout(), plan, {"bias", "frozen", "rest"}).value();
  };
  const PartitionPlan plan = plan_of("c");
  auto [bias, frozen, rest] = plan.Split<3>(model_).value();
  const std::vector<GroupRef> groups = {&bias, &frozen, &rest};
  OptimizerSet set = OptimizerSet::Create(rules_, labels_of(plan), groups).value();
  EXPECT_EQ(set.labels(), labels_) << "the same groups as by hand";
  const ParamStore grads = RandomLike(model_, 1);
  const double scale = ClipScale(GlobalNorm(grads).value(), 1.0).value();
  ASSERT_THAT(set.Step(groups, grads, {0.1, scale}), IsOk());
  ASSERT_THAT(set_.Step(Groups(), grads, {0.1, scale}), IsOk());
  EXPECT_EQ(ContentsOf(rest), ContentsOf(rest_));

  ParamStore all = Merge(std::move(bias), std::move(frozen), std::move(rest)).value();
  const PartitionPlan next = plan_of("d");
  auto again = next.Split<3>(std::move(all)).value();
  bias = std::move(again[0]);
  frozen = std::move(again[1]);
  rest = std::move(again[2]);
  ASSERT_THAT(set.Repartition(labels_of(next), groups), IsOk());
  ASSERT_THAT(set.Step(groups, grads, 0.1), IsOk());
  EXPECT_EQ(StepOf(*set.Find("rest"), ".b"), 2);
  EXPECT_EQ(StepOf(*set.Find("rest"), ".c"), 1);
}

TEST_F(OptimizerSetTest, StateMovesBetweenRulesThatKeepTheSameMoments) {
  const RuleMap rules = {{"bias", Adam{}}, {"frozen", Sgd{}}, {"rest", AdamW{}}};
  OptimizerSet set = OptimizerSet::Create(rules, labels_, Groups()).value();
  ASSERT_THAT(set.Step(Groups(), RandomLike(model_, 1), 0.1), IsOk());
  const Contents before = ContentsOf(set.state());
  const Labels swapped = LabelsOf({2, 0, 0, 1});
  ParamStore bias = GroupOf(swapped, 0), frozen = GroupOf(swapped, 1), rest = GroupOf(swapped, 2);
  const std::vector<NamedStore> left = set.Repartition(swapped, {&bias, &frozen, &rest}).value();
  const Contents after = ContentsOf(set.state());
  EXPECT_EQ(after.at("rest/exp_avg:.a"), before.at("bias/exp_avg:.a"));
  EXPECT_EQ(after.at("bias/exp_avg_sq:.b"), before.at("rest/exp_avg_sq:.b"));
  EXPECT_EQ(after.at("bias/step:.c"), Leaf(Value(0))) << "Sgd has no moments to give";
  EXPECT_EQ(after.at("frozen/step:.d"), Leaf(Value(0))) << "and takes none";
  EXPECT_THAT(ContentsOf(left), testing::UnorderedElementsAre(testing::Key("frozen/step:.c"),
                                                              testing::Key("rest/exp_avg:.d"),
                                                              testing::Key("rest/exp_avg_sq:.d"),
                                                              testing::Key("rest/step:.d")));
}

TEST_F(OptimizerSetTest, ARepartitionThatFailsChangesNothing) {
  ASSERT_THAT(set_.Step(Groups(), RandomLike(model_, 1), 0.1), IsOk());
  const Contents before = All();
  const Labels labels = LabelsOf({0, 2, 2, 1});
  EXPECT_THAT(set_.Repartition(labels, Groups()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("group 'rest': ")));
  EXPECT_EQ(All(), before);
  EXPECT_EQ(set_.labels(), labels_);
  EXPECT_THAT(set_.Step(Groups(), RandomLike(model_, 2), 0.1), IsOk());
}

}  // namespace
}  // namespace leafstore
