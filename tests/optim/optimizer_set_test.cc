#include "leafstore/optim/optimizer_set.h"

#include <map>
#include <string>
#include <utility>

#include "leafstore/numeric/ops.h"
#include "leafstore/select/grouping.h"
#include "leafstore/select/groups.h"
#include "leafstore/select/partition.h"

#include "tests/optim/optim_testing.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class OptimizerSetTest : public testing::Test {
 protected:
  // The groups "bias" and "rest" have rules, "frozen" has none.
  Grouping GroupingOf(const std::vector<uint32_t>& groups) {
    return Grouping::Create(model_.layout(), groups, {"bias", "frozen", "rest"}).value();
  }
  Contents All() {
    Contents all = ContentsOf(groups_["bias"]);
    all.merge(ContentsOf(groups_["rest"]));
    all.merge(ContentsOf(set_.state()));
    return all;
  }

  ParamStore model_ = Model({{"a", F32({2}, {1, 2})},
                             {"b", F32({3}, {1, 2, 3})},
                             {"c", F64({2}, {1, 2})},
                             {"d", F32({1}, {1})}});
  const std::map<std::string, Rule> rules_ = {{"bias", Sgd{.momentum = 0.5}}, {"rest", AdamW{}}};
  Grouping grouping_ = GroupingOf({0, 2, 1, 2});
  Groups groups_ = grouping_.Split(model_).value();
  OptimizerSet set_ = OptimizerSet::Create(rules_, groups_).value();
};

TEST_F(OptimizerSetTest, Step_AppliesEachGroupsRule) {
  Groups groups = grouping_.Split(model_).value();
  Optimizer sgd = Optimizer::Create(rules_.at("bias"), groups["bias"]).value();
  Optimizer adamw = Optimizer::Create(rules_.at("rest"), groups["rest"]).value();
  for (uint32_t step = 0; step < 3; ++step) {
    const ParamStore grads = RandomLike(model_, step);
    ASSERT_THAT(set_.Step(&groups_, grads, {.lr = 0.1}), IsOk());
    ASSERT_THAT(sgd.Step(&groups["bias"], grads, {.lr = 0.1}), IsOk());
    ASSERT_THAT(adamw.Step(&groups["rest"], grads, {.lr = 0.1}), IsOk());
  }
  EXPECT_EQ(ContentsOf(groups_["bias"]), ContentsOf(groups["bias"]));
  EXPECT_EQ(ContentsOf(groups_["rest"]), ContentsOf(groups["rest"]));
  EXPECT_EQ(*groups_["frozen"].Find(".c"), *model_.Find(".c"));
}

TEST_F(OptimizerSetTest, Find_ReturnsOptimizersByName) {
  EXPECT_EQ(set_.Find("bias")->rule(), rules_.at("bias"));
  EXPECT_EQ(set_.Find("rest")->rule(), rules_.at("rest"));
  EXPECT_EQ(set_.Find("frozen"), nullptr);
  EXPECT_EQ(set_.Find("nothing"), nullptr);
  EXPECT_EQ(set_.grouping(), grouping_);
}

TEST_F(OptimizerSetTest, Step_AcceptsGradientsInGroupsAndRatesByName) {
  Groups grads = grouping_.Split(RandomLike(model_, 1)).value();
  const Contents bias_before = ContentsOf(groups_["bias"]);
  const Contents rest_before = ContentsOf(groups_["rest"]);
  ASSERT_THAT(set_.Step(&groups_, grads, {.lr = {{"bias", 0.0}, {"frozen", 7.0}, {"rest", 0.1}}}),
              IsOk());
  EXPECT_EQ(ContentsOf(groups_["bias"]), bias_before) << "its learning rate is 0";
  EXPECT_NE(ContentsOf(groups_["rest"]), rest_before);
  ASSERT_THAT(set_.Step(&groups_, grads, {.lr = 0.1}), IsOk());
  EXPECT_NE(ContentsOf(groups_["bias"]), bias_before);
  ASSERT_THAT(grads["frozen"].Erase(".c"), IsOk());
  EXPECT_THAT(set_.Step(&groups_, grads, {.lr = 0.1}), IsOk()) << "a frozen group needs none";
}

TEST_F(OptimizerSetTest, RatesByName_MatchSeparateOptimizers) {
  Groups groups = grouping_.Split(model_).value();
  Optimizer sgd = Optimizer::Create(rules_.at("bias"), groups["bias"]).value();
  const ParamStore grads = RandomLike(model_, 1);
  const StepOptions options = {.lr = {{"bias", 0.2}, {"rest", 0.1}},
                               .grad_scale = {{"bias", 0.5}, {"rest", 1}}};
  ASSERT_THAT(set_.Step(&groups_, grads, options), IsOk());
  ASSERT_THAT(sgd.Step(&groups["bias"], grads, {0.2, 0.5}), IsOk());
  EXPECT_EQ(ContentsOf(groups_["bias"]), ContentsOf(groups["bias"]));
}

TEST_F(OptimizerSetTest, MissingRatesAndUnknownGroups_AreErrors) {
  const Contents before = All();
  const ParamStore grads = RandomLike(model_, 1);
  EXPECT_THAT(set_.Step(&groups_, grads, {.lr = {{"bias", 0.1}}}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "group 'rest': expected a learning rate for it, found none"));
  EXPECT_THAT(set_.Step(&groups_, grads, {.lr = 0.1, .grad_scale = {{"rest", 1}}}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "group 'bias': expected a grad_scale for it, found none"));
  EXPECT_THAT(set_.Step(&groups_, grads, {.lr = {{"bais", 0.1}, {"rest", 0.1}}}),
              StatusIs(absl::StatusCode::kNotFound,
                       "lr: no group has the name \"bais\"; did you mean bias?"));
  EXPECT_EQ(All(), before);
}

TEST_F(OptimizerSetTest, PackedAndUnpackedGroups_MayBeMixed) {
  Groups groups = grouping_.Split(model_).value();
  ASSERT_THAT(groups.Pack("rest"), IsOk());
  OptimizerSet set = OptimizerSet::Create(rules_, groups).value();
  Groups packed_grads = grouping_.Split(RandomLike(model_, 1)).value();
  ASSERT_THAT(packed_grads.Pack("rest"), IsOk());
  for (uint32_t step = 0; step < 2; ++step) {
    const ParamStore grads = RandomLike(model_, step);
    ASSERT_THAT(step == 0 ? set.Step(&groups, grads, {.lr = 0.1})
                          : set.Step(&groups, packed_grads, {.lr = 0.1}),
                IsOk());
    ASSERT_THAT(set_.Step(&groups_, grads, {.lr = 0.1}), IsOk());
  }
  EXPECT_EQ(ContentsOf(groups.Find("rest")->Snapshot().value()), ContentsOf(groups_["rest"]));
  EXPECT_EQ(ContentsOf(set.state()), ContentsOf(set_.state()));
}

TEST_F(OptimizerSetTest, State_IsNamedByGroup) {
  std::vector<std::string> names;
  for (const NamedStore& one : set_.state()) names.push_back(one.name);
  EXPECT_THAT(names, ElementsAre("bias/momentum_buffer", "bias/step", "rest/exp_avg",
                                 "rest/exp_avg_sq", "rest/step"));
}

TEST_F(OptimizerSetTest, LoadedState_MatchesAnUninterruptedRun) {
  ASSERT_THAT(set_.Step(&groups_, RandomLike(model_, 1), {.lr = 0.1}), IsOk());
  Groups groups = grouping_.Split(groups_.Merge().value()).value();
  OptimizerSet resumed = OptimizerSet::Create(rules_, groups).value();
  std::vector<NamedStore> state = set_.state();
  ASSERT_THAT(resumed.LoadState(std::move(state)), IsOk());
  EXPECT_TRUE(state.empty());  // NOLINT: specified
  ASSERT_THAT(resumed.Step(&groups, RandomLike(model_, 2), {.lr = 0.1}), IsOk());
  ASSERT_THAT(set_.Step(&groups_, RandomLike(model_, 2), {.lr = 0.1}), IsOk());
  EXPECT_EQ(ContentsOf(groups["bias"]), ContentsOf(groups_["bias"]));
  EXPECT_EQ(ContentsOf(groups["rest"]), ContentsOf(groups_["rest"]));
  EXPECT_EQ(ContentsOf(resumed.state()), ContentsOf(set_.state()));
}

TEST_F(OptimizerSetTest, LoadState_ReportsAllMismatchesOfAllGroupsAndChangesNone) {
  ASSERT_THAT(set_.Step(&groups_, RandomLike(model_, 1), {.lr = 0.1}), IsOk());
  const Contents before = All();
  std::vector<NamedStore> state = set_.state();
  state[1].name = "bia/step";
  state[3].store = GroupOf(state[3].store, {"b"});
  state.push_back({"stray", ParamStore()});
  EXPECT_THAT(set_.LoadState(state),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("group 'bias': "), HasSubstr("found 'momentum_buffer'"),
                             HasSubstr("group 'bia': expected no state, found 1"),
                             HasSubstr("group 'rest': "), HasSubstr("'exp_avg_sq'"),
                             HasSubstr("'.d'"), HasSubstr("group '': expected no state"))));
  EXPECT_EQ(All(), before);
}

TEST_F(OptimizerSetTest, StepThatFailsInOneGroup_ChangesNone) {
  const ParamStore grads = RandomLike(model_, 1);
  ASSERT_THAT(set_.Step(&groups_, grads, {.lr = 0.1}), IsOk());
  const Contents before = All();
  EXPECT_THAT(set_.Step(&groups_, GroupOf(grads, {"a", "b"}), {.lr = 0.1}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("group 'rest': "), HasSubstr("\n  '.d'"))));
  EXPECT_EQ(All(), before);
  EXPECT_THAT(set_.Step(&groups_, grads, {.lr = 0.1}), IsOk()) << "and it still works";
}

TEST_F(OptimizerSetTest, GroupsOfAnotherGrouping_AreErrors) {
  const ParamStore grads = RandomLike(model_, 1);
  const Grouping other = GroupingOf({0, 2, 2, 1});
  Groups other_groups = other.Split(model_).value();
  EXPECT_THAT(set_.Step(&other_groups, grads, {.lr = 0.1}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("groups: expected groups of the grouping that the optimizers")));
  EXPECT_THAT(
      set_.Step(&groups_, other.Split(grads).value(), {.lr = 0.1}),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("gradients: expected groups")));
  const Contents before = All();
  ParamStore rest = std::exchange(groups_["rest"], GroupOf(model_, {"a"}));
  EXPECT_THAT(set_.Step(&groups_, grads, {.lr = 0.1}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("group 'rest': expected the 2 leaves of its grouping, "
                                 "found others (1)")));
  EXPECT_THAT(OptimizerSet::Create(rules_, groups_),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("group 'rest': expected")));
  groups_["rest"] = std::move(rest);
  EXPECT_EQ(All(), before);
}

TEST_F(OptimizerSetTest, Create_RuleWithoutAGroup_IsNamed) {
  EXPECT_THAT(OptimizerSet::Create({{"biases", Sgd{}}}, groups_),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr("biases"), HasSubstr("did you mean bias?"))));
  EXPECT_THAT(
      OptimizerSet::Create({{"bias", Sgd{.momentum = -1}}}, groups_),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("group 'bias': sgd: momentum")));
}

TEST_F(OptimizerSetTest, Regroup_KeepsStateAndFreezesAndUnfreezes) {
  for (uint32_t step = 0; step < 2; ++step) {
    ASSERT_THAT(set_.Step(&groups_, RandomLike(model_, step), {.lr = 0.1}), IsOk());
  }
  const Contents before = ContentsOf(set_.state());
  // "b" stays in "rest", "d" is frozen, "c" is unfrozen.
  const Grouping next = GroupingOf({0, 2, 2, 1});
  const std::vector<NamedStore> left = set_.Regroup(next, &groups_).value();
  EXPECT_EQ(set_.grouping(), next);
  EXPECT_EQ(groups_.grouping(), next);
  EXPECT_NE(groups_["frozen"].Find(".d"), nullptr);
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
  // And back again, with the state that was returned.
  ASSERT_THAT(set_.Regroup(grouping_, &groups_, left), IsOk());
  EXPECT_EQ(ContentsOf(set_.state()), before);
}

TEST_F(OptimizerSetTest, Regroup_AdoptsWhatSeveralRegroupsReturned) {
  ASSERT_THAT(set_.Step(&groups_, RandomLike(model_, 1), {.lr = 0.1}), IsOk());
  const Contents before = ContentsOf(set_.state());
  // "b" and "d" are frozen one after the other: both leave the group "rest".
  std::vector<NamedStore> left = set_.Regroup(GroupingOf({0, 1, 1, 2}), &groups_).value();
  std::vector<NamedStore> more = set_.Regroup(GroupingOf({0, 1, 1, 1}), &groups_).value();
  for (NamedStore& one : more) left.push_back(std::move(one));
  ASSERT_THAT(set_.Regroup(grouping_, &groups_, left), IsOk());
  EXPECT_EQ(ContentsOf(set_.state()), before);
}

// As in a trainer: named filters, one norm for all groups, then other groups.
TEST_F(OptimizerSetTest, NamedFilters_MakeGroupsAndRegroup) {
  const auto filters = [](const char* frozen) {
    return std::vector<NamedFilter>{
        {"bias", Glob("a")}, {"frozen", Glob(frozen)}, {"rest", Rest()}};
  };
  Groups groups = Partition(model_, filters("c")).value();
  OptimizerSet set = OptimizerSet::Create(rules_, groups).value();
  EXPECT_EQ(set.grouping(), grouping_) << "the same groups as by hand";
  const ParamStore grads = RandomLike(model_, 1);
  EXPECT_DOUBLE_EQ(GlobalNorm(grouping_.Split(grads).value()).value(), GlobalNorm(grads).value());
  const double scale = ClipScale(GlobalNorm(grads).value(), 1.0).value();
  ASSERT_THAT(set.Step(&groups, grads, {.lr = 0.1, .grad_scale = scale}), IsOk());
  ASSERT_THAT(set_.Step(&groups_, grads, {.lr = 0.1, .grad_scale = scale}), IsOk());
  EXPECT_EQ(ContentsOf(groups["rest"]), ContentsOf(groups_["rest"]));

  EXPECT_THAT(set.Regroup(filters("nothing"), &groups),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("nothing")));
  EXPECT_EQ(groups.grouping(), grouping_) << "unchanged after an error";
  ASSERT_THAT(set.Regroup(filters("d"), &groups), IsOk());
  ASSERT_THAT(set.Step(&groups, grads, {.lr = 0.1}), IsOk());
  EXPECT_EQ(StepOf(*set.Find("rest"), ".b"), 2);
  EXPECT_EQ(StepOf(*set.Find("rest"), ".c"), 1);
}

TEST_F(OptimizerSetTest, State_MovesBetweenRulesWithEqualMoments) {
  const std::map<std::string, Rule> rules = {
      {"bias", Adam{}}, {"frozen", Sgd{}}, {"rest", AdamW{}}};
  OptimizerSet set = OptimizerSet::Create(rules, groups_).value();
  ASSERT_THAT(set.Step(&groups_, RandomLike(model_, 1), {.lr = 0.1}), IsOk());
  const Contents before = ContentsOf(set.state());
  const std::vector<NamedStore> left = set.Regroup(GroupingOf({2, 0, 0, 1}), &groups_).value();
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

TEST_F(OptimizerSetTest, FailedRegroup_ChangesNothing) {
  ASSERT_THAT(set_.Step(&groups_, RandomLike(model_, 1), {.lr = 0.1}), IsOk());
  const Contents before = All();
  const Grouping other =
      Grouping::Create(Model({{"z", F32({1}, {1})}}).layout(), std::vector<uint32_t>{0}, {"rest"})
          .value();
  EXPECT_THAT(set_.Regroup(other, &groups_),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("found others")));
  std::vector<NamedStore> adopt = set_.state();
  adopt[3].name = "rest/unknown";
  EXPECT_THAT(set_.Regroup(GroupingOf({0, 2, 2, 1}), &groups_, adopt),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("group 'rest': ")));
  EXPECT_EQ(All(), before);
  EXPECT_EQ(set_.grouping(), grouping_);
  EXPECT_THAT(set_.Step(&groups_, RandomLike(model_, 2), {.lr = 0.1}), IsOk());
}

}  // namespace
}  // namespace leafstore
