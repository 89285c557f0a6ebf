// Optimizer over packed groups.

#include "leafstore/optim/optimizer.h"
#include "leafstore/pack/pack.h"

#include "tests/optim/optim_testing.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const Rule kRulesOfPacks[] = {Sgd{},
                              Sgd{.weight_decay = 0.1},
                              Sgd{.momentum = 0.9, .dampening = 0.1},
                              Sgd{.momentum = 0.9, .nesterov = true},
                              Adam{},
                              Adam{.weight_decay = 0.1},
                              AdamW{},
                              AdamW{.eps = 0}};  // 0 / 0 in the gaps

Contents ContentsOf(const Packed& packed) { return ContentsOf(packed.store().value()); }

TEST(OptimizerPackedTest, PackedGroup_StepsToTheSameBitsAsAnUnpackedOne) {
  for (const Rule& rule : kRulesOfPacks) {
    for (const DType dtype : {DType::kF32, DType::kF64}) {
      ParamStore loose = MixedModel(1);
      Packed packed = Packed::Create(loose, dtype).value();
      Optimizer of_loose = Optimizer::Create(rule, loose).value();
      Optimizer of_packed = Optimizer::Create(rule, packed).value();
      EXPECT_TRUE(of_packed.packed());
      for (uint32_t step = 0; step < 4; ++step) {
        const ParamStore grads = RandomLike(loose, 10 + step);
        const Packed packed_grads = Packed::CreateLike(packed, grads).value();
        ASSERT_THAT(of_loose.Step(&loose, grads, {0.05, 0.5}), IsOk());
        ASSERT_THAT(of_packed.Step(&packed, packed_grads, {0.05, 0.5}), IsOk());
        EXPECT_EQ(ContentsOf(packed), ContentsOf(loose)) << RuleName(rule) << " step " << step;
        EXPECT_EQ(ContentsOf(of_packed.state()), ContentsOf(of_loose.state()));
      }
    }
  }
}

TEST(OptimizerPackedTest, Gradients_MayBeUnpackedOrPackedDifferently) {
  for (const Rule& rule : kRulesOfPacks) {
    const ParamStore model = MixedModel(1);
    std::vector<Packed> packs;
    std::vector<Optimizer> optimizers;
    for (int i = 0; i < 3; ++i) {
      packs.push_back(Packed::Create(model, DType::kF32).value());
      optimizers.push_back(Optimizer::Create(rule, packs.back()).value());
    }
    for (uint32_t step = 0; step < 3; ++step) {
      const ParamStore grads = RandomLike(model, 20 + step);
      const Packed alike = Packed::CreateLike(packs[0], grads).value();
      const Packed otherwise = Packed::Create(grads, DType::kF64).value();
      ASSERT_THAT(optimizers[0].Step(&packs[0], alike, {.lr = 0.1}), IsOk());
      ASSERT_THAT(optimizers[1].Step(&packs[1], grads, {.lr = 0.1}), IsOk());
      ASSERT_THAT(optimizers[2].Step(&packs[2], otherwise, {.lr = 0.1}), IsOk());
    }
    EXPECT_EQ(ContentsOf(packs[1]), ContentsOf(packs[0]));
    EXPECT_EQ(ContentsOf(packs[2]), ContentsOf(packs[0]));
  }
}

TEST(OptimizerPackedTest, Step_KeepsGapsZero) {
  Packed packed = Packed::Create(MixedModel(1), DType::kF32).value();
  const Packed grads = Packed::CreateLike(packed, MixedModel(2)).value();
  Optimizer adam = Optimizer::Create(Adam{.eps = 0}, packed).value();
  ASSERT_THAT(adam.Step(&packed, grads, {0.1, -1}), IsOk());
  const absl::Span<const std::byte> bytes = packed.bytes().value();
  for (const PackLayout::Gap& gap : packed.pack_layout().gaps()) {
    for (int64_t i = 0; i < gap.bytes; ++i) {
      ASSERT_EQ(bytes[static_cast<size_t>(gap.offset + i)], std::byte{0});
    }
  }
}

TEST(OptimizerPackedTest, LeavesWithDifferentStepCounts_StepInRuns) {
  const Rule rule = Adam{};
  const ParamStore model = MixedModel(1);
  // Only "d_row" and "f_matrix" make the first three steps.
  ParamStore few = GroupOf(model, {"d_row", "f_matrix"});
  Optimizer of_few = Optimizer::Create(rule, few).value();
  for (uint32_t step = 0; step < 3; ++step) {
    ASSERT_THAT(of_few.Step(&few, RandomLike(few, step), {.lr = 0.1}), IsOk());
  }
  ParamStore loose = model.Snapshot().value();
  Packed packed = Packed::Create(model, DType::kF32).value();
  const ParamStore others = GroupOf(model, {"a_scalar", "g_cube"});
  Optimizer of_loose = Optimizer::Create(rule, others).value();
  Optimizer of_packed = Optimizer::Create(rule, others).value();
  ASSERT_THAT(of_loose.Regroup(loose, of_few.state()), IsOk());
  ASSERT_THAT(of_packed.Regroup(packed, of_few.state()), IsOk());
  EXPECT_EQ(StepOf(of_packed, ".d_row"), 3);
  EXPECT_EQ(StepOf(of_packed, ".g_cube"), 0);
  for (uint32_t step = 0; step < 3; ++step) {
    const ParamStore grads = RandomLike(loose, 10 + step);
    ASSERT_THAT(of_loose.Step(&loose, grads, {.lr = 0.1}), IsOk());
    ASSERT_THAT(of_packed.Step(&packed, Packed::CreateLike(packed, grads).value(), {.lr = 0.1}),
                IsOk());
  }
  EXPECT_EQ(ContentsOf(packed), ContentsOf(loose));
  EXPECT_EQ(ContentsOf(of_packed.state()), ContentsOf(of_loose.state()));
  EXPECT_EQ(StepOf(of_packed, ".d_row"), 6);
  EXPECT_EQ(StepOf(of_packed, ".h_doubles"), 3) << "rides along";
}

TEST(OptimizerPackedTest, Step_DoesNotChangeViewsAndSnapshots) {
  Packed packed = Packed::Create(MixedModel(1), DType::kF32).value();
  const ParamStore view = packed.store().value();
  const Contents before = ContentsOf(view);
  Optimizer adam = Optimizer::Create(Adam{}, packed).value();
  const std::vector<NamedStore> state = adam.state();
  const Contents state_before = ContentsOf(state);
  ASSERT_THAT(adam.Step(&packed, MixedModel(2), {.lr = 0.1}), IsOk());
  EXPECT_NE(ContentsOf(packed), before);
  EXPECT_EQ(ContentsOf(view), before);
  EXPECT_EQ(ContentsOf(state), state_before);
}

TEST(OptimizerPackedTest, State_MovesBetweenPackedAndUnpackedGroups) {
  ParamStore loose = MixedModel(1);
  Packed packed = Packed::Create(loose, DType::kF32).value();
  Optimizer of_loose = Optimizer::Create(AdamW{}, loose).value();
  Optimizer of_packed = Optimizer::Create(AdamW{}, packed).value();
  ASSERT_THAT(of_loose.Step(&loose, MixedModel(2), {.lr = 0.1}), IsOk());
  ASSERT_THAT(of_packed.Step(&packed, MixedModel(2), {.lr = 0.1}), IsOk());
  ASSERT_THAT(of_packed.LoadState(of_loose.state()), IsOk());
  ASSERT_THAT(of_loose.Regroup(packed), IsOk()) << "goes over to the packed group";
  EXPECT_TRUE(of_loose.packed());
  Packed twin = packed.Snapshot().value();
  ASSERT_THAT(of_packed.Step(&packed, MixedModel(3), {.lr = 0.1}), IsOk());
  ASSERT_THAT(of_loose.Step(&twin, MixedModel(3), {.lr = 0.1}), IsOk());
  EXPECT_EQ(ContentsOf(packed), ContentsOf(twin));
}

TEST(OptimizerPackedTest, StateLoadedInEveryStep_MatchesAnUninterruptedRun) {
  for (const Rule& rule : kRulesOfPacks) {
    Packed uninterrupted = Packed::Create(MixedModel(1), DType::kF32).value();
    Optimizer of_uninterrupted = Optimizer::Create(rule, uninterrupted).value();
    Packed resumed = Packed::Create(MixedModel(1), DType::kF32).value();
    std::vector<NamedStore> saved = Optimizer::Create(rule, resumed)->state();
    for (uint32_t step = 0; step < 4; ++step) {
      const ParamStore grads = MixedModel(10 + step);
      ASSERT_THAT(of_uninterrupted.Step(&uninterrupted, grads, {.lr = 0.1}), IsOk());
      Optimizer fresh = Optimizer::Create(rule, resumed).value();
      ASSERT_THAT(fresh.LoadState(saved), IsOk());
      ASSERT_THAT(fresh.Step(&resumed, grads, {.lr = 0.1}), IsOk());
      saved = fresh.state();
    }
    EXPECT_EQ(ContentsOf(uninterrupted), ContentsOf(resumed)) << RuleName(rule);
    EXPECT_EQ(ContentsOf(of_uninterrupted.state()), ContentsOf(saved)) << RuleName(rule);
  }
}

class OptimizerPackedErrorTest : public testing::Test {
 protected:
  template <typename Grads>
  void ExpectError(absl::StatusCode code, const testing::Matcher<std::string>& words,
                   const Grads& grads) {
    const Contents before = ContentsOf(packed_), state_before = ContentsOf(adam_.state());
    EXPECT_THAT(adam_.Step(&packed_, grads, {.lr = 0.1}), StatusIs(code, words));
    EXPECT_EQ(ContentsOf(packed_), before);
    EXPECT_EQ(ContentsOf(adam_.state()), state_before);
    EXPECT_THAT(adam_.Step(&packed_, MixedModel(3), {.lr = 0.1}), IsOk()) << "it still works";
  }

  Packed packed_ = Packed::Create(MixedModel(1), DType::kF32).value();
  Optimizer adam_ = Optimizer::Create(Adam{}, packed_).value();
};

TEST_F(OptimizerPackedErrorTest, MissingGradients_AreNamed) {
  ExpectError(absl::StatusCode::kInvalidArgument,
              AllOf(HasSubstr("gradients do not fit the parameters:\nmissing (2):"),
                    HasSubstr("\n  '.f_matrix'"), HasSubstr("\n  '.b_empty'")),
              GroupOf(MixedModel(2), {"a_scalar", "d_row", "e_double", "h_doubles", "g_cube"}));
}

TEST_F(OptimizerPackedErrorTest, MissingGradientsOfUnpackedTensors_AreNamed) {
  const ParamStore some =
      GroupOf(MixedModel(2), {"a_scalar", "b_empty", "d_row", "f_matrix", "g_cube", "h_doubles"});
  const auto words = HasSubstr("\n  '.e_double'");
  ExpectError(absl::StatusCode::kInvalidArgument, words, some);
  ExpectError(absl::StatusCode::kInvalidArgument, words, Packed::CreateLike(packed_, some).value());
}

TEST_F(OptimizerPackedErrorTest, ParametersAsGradients_AreAnError) {
  ExpectError(absl::StatusCode::kInvalidArgument,
              HasSubstr("gradients: expected a store of their own"), packed_);
}

TEST_F(OptimizerPackedErrorTest, GroupUnpackedOrPackedDifferently_IsAnError) {
  ParamStore loose = MixedModel(1);
  const Contents before = ContentsOf(loose);
  EXPECT_THAT(adam_.Step(&loose, MixedModel(2), {.lr = 0.1}),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("expected a packed group, found one that is not packed")));
  Packed otherwise = Packed::Create(loose, DType::kF64).value();
  EXPECT_THAT(adam_.Step(&otherwise, MixedModel(2), {.lr = 0.1}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("expected a pack of the f32 tensors, found one of the f64")));
  EXPECT_EQ(ContentsOf(loose), before);
  EXPECT_EQ(ContentsOf(otherwise), before);
}

TEST_F(OptimizerPackedErrorTest, PackOfOtherLeaves_NamesThem) {
  Packed other = Packed::Create(GroupOf(MixedModel(1), {"a_scalar", "d_row"}), DType::kF32).value();
  EXPECT_THAT(adam_.Step(&other, MixedModel(2), {.lr = 0.1}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\n  '.g_cube'")));
}

TEST_F(OptimizerPackedErrorTest, OpenBorrow_IsAnError) {
  const Contents before = ContentsOf(packed_);
  {
    const MutablePack borrow = packed_.Mutate().value();
    EXPECT_THAT(adam_.Step(&packed_, MixedModel(2), {.lr = 0.1}),
                StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("borrow")));
  }
  Packed grads = Packed::CreateLike(packed_, MixedModel(2)).value();
  {
    const MutablePack borrow = grads.Mutate().value();
    EXPECT_THAT(adam_.Step(&packed_, grads, {.lr = 0.1}),
                StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("borrow")));
  }
  EXPECT_EQ(ContentsOf(packed_), before);
  EXPECT_EQ(StepOf(adam_, ".d_row"), 0);
  EXPECT_THAT(adam_.Step(&packed_, grads, {.lr = 0.1}), IsOk());
}

TEST(OptimizerPackedTest, Create_TensorsThatCannotBeTrained_AreAnError) {
  const ParamStore model =
      Model({{"half", Tensor::Zeros(DType::kBF16, {2}).value()}, {"w", F32({1}, {1})}});
  EXPECT_THAT(Optimizer::Create(Adam{}, Packed::Create(model, DType::kF32).value()),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("at .half: expected f32 or f64, found bf16[2]")));
}

}  // namespace
}  // namespace leafstore
