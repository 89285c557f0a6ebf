#include "leafstore/optim/optimizer.h"

#include "leafstore/optim/internal/kernels.h"
#include "leafstore/pack/pack.h"

#include "tests/optim/optim_testing.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const Rule kRules[] = {Sgd{}, Sgd{.momentum = 0.9, .dampening = 0.1, .weight_decay = 0.1},
                       Sgd{.momentum = 0.9, .nesterov = true}, Adam{.weight_decay = 0.1}, AdamW{}};

TEST(OptimizerTest, Step_ChangesParametersByTheRule) {
  ParamStore params = Model({{"bias", F32({2}, {1, 2})}, {"weight", F64({2}, {3, 4})}});
  const ParamStore grads = Model({{"bias", F32({2}, {1, -1})}, {"weight", F64({2}, {0, 8})}});
  Optimizer sgd = Optimizer::Create(Sgd{}, params).value();
  ASSERT_THAT(sgd.Step(&params, grads, {.lr = 0.5}), IsOk());
  EXPECT_THAT(Numbers(params, ".bias"), ElementsAre(0.5, 2.5));
  EXPECT_THAT(Numbers(params, ".weight"), ElementsAre(3, 0));
  EXPECT_EQ(StepOf(sgd, ".bias"), 1);
}

TEST(OptimizerTest, FirstStepOfAdam_HasTheSizeOfTheLearningRate) {
  ParamStore params = Model({{"w", F64({3}, {1, 1, 1})}});
  const ParamStore grads = Model({{"w", F64({3}, {5, -0.1, 0})}});
  Optimizer adam = Optimizer::Create(Adam{}, params).value();
  ASSERT_THAT(adam.Step(&params, grads, {.lr = 0.25}), IsOk());
  const std::vector<double> found = Numbers(params, ".w");
  EXPECT_NEAR(found[0], 0.75, 1e-7);
  EXPECT_NEAR(found[1], 1.25, 1e-7);
  EXPECT_EQ(found[2], 1);
}

TEST(OptimizerTest, Step_SkipsStaticLeaves) {
  ParamStore params = Model({{"name", Leaf(Value("gelu"))}, {"w", F32({1}, {1})}});
  const ParamStore grads = Model({{"name", Leaf(Value(3))}, {"w", F32({1}, {1})}});
  Optimizer sgd = Optimizer::Create(Sgd{}, params).value();
  ASSERT_THAT(sgd.Step(&params, grads, {.lr = 1}), IsOk());
  EXPECT_EQ(*params.Find(".name"), Leaf(Value("gelu")));
  EXPECT_THAT(Numbers(params, ".w"), ElementsAre(0));
}

TEST(OptimizerTest, ScalarsEmptyTensorsAndEmptyGroups_AreSupported) {
  ParamStore params = Model({{"empty", F32({0, 4}, {})}, {"scalar", F32({}, {2})}});
  const ParamStore grads = Model({{"empty", F32({0, 4}, {})}, {"scalar", F32({}, {1})}});
  for (const Rule& rule : kRules) {
    Optimizer optimizer = Optimizer::Create(rule, params).value();
    EXPECT_THAT(optimizer.Step(&params, grads, {.lr = 0.1}), IsOk());
    ParamStore nothing;
    Optimizer idle = Optimizer::Create(rule, nothing).value();
    EXPECT_THAT(idle.Step(&nothing, ParamStore(), {.lr = 0.1}), IsOk());
  }
}

TEST(OptimizerTest, GradScale_ScalesTheGradients) {
  ParamStore params = Model({{"w", F32({2}, {1, 1})}});
  const ParamStore grads = Model({{"w", F32({2}, {4, -2})}});
  Optimizer sgd = Optimizer::Create(Sgd{}, params).value();
  ASSERT_THAT(sgd.Step(&params, grads, {0.5, 0.25}), IsOk());
  EXPECT_THAT(Numbers(params, ".w"), ElementsAre(0.5, 1.25));
  ASSERT_THAT(sgd.Step(&params, grads, {0.5, -0.25}), IsOk()) << "maximize";
  EXPECT_THAT(Numbers(params, ".w"), ElementsAre(1, 1));
}

TEST(OptimizerTest, GradientsOfTheFullModel_ServeAGroup) {
  const ParamStore model =
      Model({{"a", F32({1}, {1})}, {"b", F32({1}, {2})}, {"c", F32({1}, {3})}});
  const ParamStore grads =
      Model({{"a", F32({1}, {10})}, {"b", F32({1}, {20})}, {"c", F32({1}, {30})}});
  ParamStore group = GroupOf(model, {"a", "c"});
  Optimizer sgd = Optimizer::Create(Sgd{}, group).value();
  ASSERT_THAT(sgd.Step(&group, grads, {.lr = 1}), IsOk());
  EXPECT_THAT(Numbers(group, ".a"), ElementsAre(-9));
  EXPECT_THAT(Numbers(group, ".c"), ElementsAre(-27));
  ASSERT_THAT(sgd.Step(&group, GroupOf(grads, {"a", "c"}), {.lr = 1}), IsOk())
      << "or of the group alone";
  EXPECT_THAT(Numbers(group, ".a"), ElementsAre(-19));
}

TEST(OptimizerTest, Step_DoesNotChangeSnapshotsAndGradients) {
  ParamStore params = MixedModel(1);
  const ParamStore grads = RandomLike(params, 2);
  const Contents params_before = ContentsOf(params), grads_before = ContentsOf(grads);
  const ParamStore snapshot = params.Snapshot().value();
  for (const Rule& rule : kRules) {
    Optimizer optimizer = Optimizer::Create(rule, params).value();
    ASSERT_THAT(optimizer.Step(&params, grads, {.lr = 0.1}), IsOk());
    EXPECT_NE(ContentsOf(params), params_before);
    EXPECT_EQ(ContentsOf(snapshot), params_before);
    EXPECT_EQ(ContentsOf(grads), grads_before);
  }
}

// Checks that a step that reads shared bytes and writes new ones has the result of a step on a
// copy.
TEST(OptimizerTest, StepAfterASnapshot_HasTheSameBits) {
  for (const Rule& rule : kRules) {
    ParamStore params = Model({{"a", F32({3}, {1, 2, 3})}, {"b", F64({2}, {4, 5})}});
    const ParamStore grads = Model({{"a", F32({3}, {1, -2, 0.5})}, {"b", F64({2}, {1, 1})}});
    ParamStore alone = Model({{"a", F32({3}, {1, 2, 3})}, {"b", F64({2}, {4, 5})}});
    Optimizer optimizer = Optimizer::Create(rule, params).value();
    Optimizer other = Optimizer::Create(rule, alone).value();
    for (int step = 0; step < 3; ++step) {
      const ParamStore held = params.Snapshot().value();
      const std::vector<NamedStore> held_state = optimizer.state();
      ASSERT_THAT(optimizer.Step(&params, grads, {.lr = 0.1}), IsOk());
      ASSERT_THAT(other.Step(&alone, grads, {.lr = 0.1}), IsOk());
      for (const char* path : {".a", ".b"}) {
        EXPECT_EQ(*params.Find(path), *alone.Find(path)) << path;
        EXPECT_FALSE(params.Find(path)->tensor().SharesBytesWith(held.Find(path)->tensor()));
      }
    }
  }
}

TEST(OptimizerTest, FailedStep_KeepsSharedBytesShared) {
  ParamStore params = Model({{"a", F32({2}, {1, 2})}, {"b", F32({2}, {4, 5})}});
  Optimizer adam = Optimizer::Create(Adam{}, params).value();
  const ParamStore held = params.Snapshot().value();
  const ParamStore wrong = Model({{"a", F32({2}, {1, 1})}, {"b", F32({3}, {1, 1, 1})}});
  EXPECT_THAT(adam.Step(&params, wrong, {.lr = 0.1}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'.b'")));
  for (const char* path : {".a", ".b"}) {
    EXPECT_TRUE(params.Find(path)->tensor().SharesBytesWith(held.Find(path)->tensor()));
    EXPECT_EQ(params.Find(path)->tensor().generation(), held.Find(path)->tensor().generation());
  }
}

TEST(OptimizerTest, Step_WritesUnsharedBytesInPlace) {
  ParamStore params = Model({{"w", F32({2}, {1, 2})}});
  const ParamStore grads = Model({{"w", F32({2}, {1, 2})}});
  Optimizer adam = Optimizer::Create(Adam{}, params).value();
  const std::byte* bytes = params.leaf(0).tensor().raw_data();
  const uint64_t generation = params.leaf(0).generation();
  ASSERT_THAT(adam.Step(&params, grads, {.lr = 0.1}), IsOk());
  EXPECT_EQ(params.leaf(0).tensor().raw_data(), bytes);
  EXPECT_GT(params.leaf(0).generation(), generation);
}

TEST(OptimizerTest, EveryInstructionSet_ComputesTheSameBits) {
  for (const Rule& rule : kRules) {
    std::vector<Contents> results;
    for (const internal::Isa isa : internal::kAllIsas) {
      if (!internal::IsaIsSupported(isa)) continue;
      const internal::ScopedIsa scoped(isa);
      ParamStore params = MixedModel(1);
      Optimizer optimizer = Optimizer::Create(rule, params).value();
      for (uint32_t step = 0; step < 4; ++step) {
        ASSERT_THAT(optimizer.Step(&params, RandomLike(params, 10 + step), {.lr = 0.01}), IsOk());
      }
      results.push_back(ContentsOf(params));
      results.back().merge(ContentsOf(optimizer.state()));
    }
    for (const Contents& result : results) EXPECT_EQ(result, results[0]) << RuleName(rule);
  }
}

TEST(OptimizerTest, Move_TransfersTheState) {
  ParamStore params = Model({{"w", F32({1}, {1})}});
  Optimizer first = Optimizer::Create(Adam{}, params).value();
  ASSERT_THAT(first.Step(&params, Model({{"w", F32({1}, {1})}}), {.lr = 0.1}), IsOk());
  Optimizer second = std::move(first);
  EXPECT_EQ(StepOf(second, ".w"), 1);
  EXPECT_EQ(second.rule(), Rule(Adam{}));
  EXPECT_FALSE(second.packed());
  EXPECT_EQ(second.layout(), params.layout());
  EXPECT_EQ(second.slots(), params.slots());
}

TEST(OptimizerTest, StepCountOf_LeafOutsideTheGroup_IsZero) {
  const ParamStore model = Model({{"a", F32({1}, {1})}, {"b", F32({1}, {1})}});
  ParamStore group = GroupOf(model, {"a"});
  Optimizer sgd = Optimizer::Create(Sgd{}, group).value();
  ASSERT_THAT(sgd.Step(&group, model, {.lr = 0.1}), IsOk());
  EXPECT_EQ(sgd.StepCountOf(0), 1);
  EXPECT_EQ(sgd.StepCountOf(1), 0);
  EXPECT_EQ(sgd.StepCountOf(77), 0);
}

TEST(OptimizerCreateTest, InvalidRule_IsAnError) {
  EXPECT_THAT(Optimizer::Create(Adam{.beta1 = 2}, MixedModel(1)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("adam: beta1")));
}

TEST(OptimizerCreateTest, TensorsThatCannotBeTrained_AreAllNamed) {
  const ParamStore model = Model({{"half", Tensor::Zeros(DType::kF16, {2}).value()},
                                  {"index", Tensor::Zeros(DType::kI64, {3}).value()},
                                  {"w", F32({1}, {1})}});
  EXPECT_THAT(Optimizer::Create(Sgd{}, model),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("at .half: expected f32 or f64, found f16[2]"),
                             HasSubstr("at .index: expected f32 or f64, found i64[3]"),
                             Not(HasSubstr(".w")))));
}

TEST(OptimizerCreateTest, OpenBorrow_IsAnError) {
  ParamStore model = MixedModel(1);
  const MutableTensor borrow = model.Mutate(".d_row").value();
  EXPECT_THAT(Optimizer::Create(Sgd{}, model),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("make an optimizer")));
}

// Each of these tests expects that a step fails with a message and changes nothing.
class OptimizerStepErrorTest : public testing::Test {
 protected:
  void ExpectError(absl::StatusCode code, const testing::Matcher<std::string>& words,
                   ParamStore* params, const ParamStore& grads,
                   const StepOptions& options = {.lr = 0.1}) {
    const Contents params_before = ContentsOf(*params);
    const Contents state_before = ContentsOf(adam_.state());
    EXPECT_THAT(adam_.Step(params, grads, options), StatusIs(code, words));
    EXPECT_EQ(ContentsOf(*params), params_before);
    EXPECT_EQ(ContentsOf(adam_.state()), state_before);
    EXPECT_THAT(params_.CheckNoBorrow("go on"), IsOk());
    EXPECT_THAT(adam_.Step(&params_, grads_, {.lr = 0.1}), IsOk()) << "it still works";
  }

  ParamStore params_ = Model({{"a", F32({2}, {1, 2})},
                              {"b", F64({3}, {1, 2, 3})},
                              {"c", Leaf(Value("gelu"))},
                              {"d", F32({}, {1})}});
  ParamStore grads_ = RandomLike(params_, 5);
  Optimizer adam_ = Optimizer::Create(Adam{}, params_).value();
};

TEST_F(OptimizerStepErrorTest, LearningRateOutOfRange_IsAnError) {
  for (const double lr : {-0.1, kNan, kInfinity}) {
    ExpectError(absl::StatusCode::kInvalidArgument,
                HasSubstr("lr: expected a finite number of at least 0, found "), &params_, grads_,
                {.lr = lr});
  }
}

TEST_F(OptimizerStepErrorTest, LearningRate_MissingOrByName_IsAnError) {
  for (const StepOptions& options : {StepOptions(), StepOptions{.lr = {{"a", 0.1}}}}) {
    ExpectError(absl::StatusCode::kInvalidArgument,
                HasSubstr("expected a learning rate for it, found none"), &params_, grads_,
                options);
  }
}

TEST_F(OptimizerStepErrorTest, NonFiniteGradScale_IsAnError) {
  for (const double scale : {kNan, kInfinity}) {
    ExpectError(absl::StatusCode::kInvalidArgument,
                HasSubstr("grad_scale: expected a finite number, found "), &params_, grads_,
                {0.1, scale});
  }
}

TEST_F(OptimizerStepErrorTest, MissingGradients_AreNamed) {
  ExpectError(absl::StatusCode::kInvalidArgument,
              AllOf(HasSubstr("gradients do not fit the parameters:\nmissing (2):"),
                    HasSubstr("\n  '.a'"), HasSubstr("\n  '.d'"), Not(HasSubstr(".b"))),
              &params_, GroupOf(grads_, {"b", "c"}));
}

TEST_F(OptimizerStepErrorTest, GradientsOfAnotherDTypeOrShape_AreNamed) {
  const ParamStore wrong = Model({{"a", F64({2}, {1, 2})},
                                  {"b", F64({1, 3}, {1, 2, 3})},
                                  {"c", Leaf(Value("gelu"))},
                                  {"d", Leaf(Value(1.0))}});
  ExpectError(absl::StatusCode::kInvalidArgument,
              AllOf(HasSubstr("'.a': expected f32[2], found f64[2]"),
                    HasSubstr("'.b': expected f64[3], found f64[1, 3]"),
                    HasSubstr("'.d': expected f32[], found static float")),
              &params_, wrong);
}

TEST_F(OptimizerStepErrorTest, GradientsOnAnotherLayout_AreAnError) {
  ExpectError(absl::StatusCode::kInvalidArgument,
              HasSubstr("gradients: expected the Layout of the parameters, of 4 paths, found "
                        "a different one, of 1 paths"),
              &params_, Model({{"a", F32({2}, {1, 2})}}));
}

TEST_F(OptimizerStepErrorTest, ParametersAsGradients_AreAnError) {
  ExpectError(absl::StatusCode::kInvalidArgument,
              HasSubstr("gradients: expected a store of their own"), &params_, params_);
}

TEST_F(OptimizerStepErrorTest, ParametersOnAnotherLayout_AreAnError) {
  ParamStore other = Model({{"a", F32({2}, {1, 2})}});
  ExpectError(absl::StatusCode::kInvalidArgument,
              HasSubstr("parameters: expected the Layout of 4 paths that this optimizer is for, "
                        "found a different one, of 1 paths"),
              &other, grads_);
}

TEST_F(OptimizerStepErrorTest, AnotherGroupOfTheModel_NamesItsLeaves) {
  ParamStore group = GroupOf(params_, {"a", "b", "c"});
  ExpectError(absl::StatusCode::kInvalidArgument,
              AllOf(HasSubstr("parameters differ"), HasSubstr("\n  '.d'"), Not(HasSubstr(".a"))),
              &group, grads_);
  Optimizer narrow = Optimizer::Create(Sgd{}, group).value();
  const Contents before = ContentsOf(params_);
  EXPECT_THAT(narrow.Step(&params_, grads_, {.lr = 0.1}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("unexpected (1):\n  '.d'")));
  EXPECT_EQ(ContentsOf(params_), before);
}

TEST_F(OptimizerStepErrorTest, ParametersOfAnotherDTypeOrShape_AreNamed) {
  ParamStore other = Model({{"a", F32({1, 2}, {1, 2})},
                            {"b", F32({3}, {1, 2, 3})},
                            {"c", Leaf(Value(1))},
                            {"d", F32({}, {1})}});
  ExpectError(absl::StatusCode::kInvalidArgument,
              AllOf(HasSubstr("'.a': expected f32[2], found f32[1, 2]"),
                    HasSubstr("'.b': expected f64[3], found f32[3]"),
                    HasSubstr("'.c': expected static str, found static int"), Not(HasSubstr(".d"))),
              &other, grads_);
}

TEST_F(OptimizerStepErrorTest, PackedGroup_ForAnUnpackedOne_IsAnError) {
  Packed packed = Packed::Create(params_, DType::kF32).value();
  const Contents before = ContentsOf(packed.store().value());
  EXPECT_THAT(adam_.Step(&packed, grads_, {.lr = 0.1}),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("expected a group that is not packed, found a packed one")));
  EXPECT_EQ(ContentsOf(packed.store().value()), before);
}

TEST_F(OptimizerStepErrorTest, OpenBorrow_IsAnError) {
  const Contents params_before = ContentsOf(params_);
  const Contents state_before = ContentsOf(adam_.state());
  {
    const MutableTensor borrow = params_.Mutate(".a").value();
    EXPECT_THAT(
        adam_.Step(&params_, grads_, {.lr = 0.1}),
        StatusIs(absl::StatusCode::kFailedPrecondition,
                 "cannot step while a mutable borrow of this store is open: close it first"));
  }
  {
    const MutableTensor borrow = grads_.Mutate(".a").value();
    EXPECT_THAT(adam_.Step(&params_, grads_, {.lr = 0.1}),
                StatusIs(absl::StatusCode::kFailedPrecondition,
                         "cannot step with gradients while a mutable borrow of this store is open: "
                         "close it first"));
  }
  EXPECT_EQ(ContentsOf(params_), params_before);
  EXPECT_EQ(ContentsOf(adam_.state()), state_before);
  EXPECT_EQ(StepOf(adam_, ".a"), 0);
  EXPECT_THAT(adam_.Step(&params_, grads_, {.lr = 0.1}), IsOk());
}

}  // namespace
}  // namespace leafstore
