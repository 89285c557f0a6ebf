// Optimizers that step at the same time. Results are compared bit for bit, so the tests are useful
// in every build; ThreadSanitizer also detects results that are right by chance.
#include <cstdint>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/optim/optimizer.h"
#include "leafstore/store/merge.h"

#include "tests/core/in_threads.h"
#include "tests/core/status_matchers.h"
#include "tests/optim/optim_testing.h"

namespace leafstore {
namespace {

constexpr int kSteps = 20;

// One of two groups of a model, and its optimizer.
struct Trained {
  ParamStore params;
  Optimizer optimizer;

  void Step(const ParamStore& grads) {
    EXPECT_THAT(optimizer.Step(&params, grads, {.lr = 0.01}), IsOk());
  }
};

std::vector<Trained> TwoGroups() {
  const ParamStore model = MixedModel(1);
  std::vector<Trained> groups;
  const auto add = [&](const Rule& rule, const std::vector<std::string>& names) {
    ParamStore group = GroupOf(model, names);
    Optimizer optimizer = Optimizer::Create(rule, group).value();
    groups.push_back({std::move(group), std::move(optimizer)});
  };
  add(AdamW{}, {"a_scalar", "d_row", "e_double"});
  add(Sgd{.momentum = 0.9}, {"f_matrix", "g_cube", "h_doubles"});
  return groups;
}

TEST(OptimizerThreadsTest, ConcurrentStepsOfGroups_MatchSequentialSteps) {
  const ParamStore grads = RandomLike(MixedModel(1), 2);  // all groups read them
  std::vector<Trained> expected = TwoGroups();
  for (Trained& group : expected) {
    for (int step = 0; step < kSteps; ++step) group.Step(grads);
  }
  std::vector<Trained> found = TwoGroups();
  InThreads(2, [&](int i) {
    for (int step = 0; step < kSteps; ++step) found[static_cast<size_t>(i)].Step(grads);
  });
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(ContentsOf(found[i].params), ContentsOf(expected[i].params));
    EXPECT_EQ(ContentsOf(found[i].optimizer.state()), ContentsOf(expected[i].optimizer.state()));
  }
}

// Reads state() like a save in the background.
TEST(OptimizerThreadsTest, State_MayBeReadWhileItsOptimizerSteps) {
  const ParamStore grads = RandomLike(MixedModel(1), 2);
  Trained group = std::move(TwoGroups()[0]);
  group.Step(grads);
  const std::vector<NamedStore> state = group.optimizer.state();
  const Contents before = ContentsOf(state);
  InThreads(2, [&](int i) {
    for (int step = 0; step < kSteps; ++step) {
      if (i == 0) {
        group.Step(grads);
      } else {
        EXPECT_EQ(ContentsOf(state), before);
      }
    }
  });
  EXPECT_EQ(group.optimizer.StepCountOf(group.params.slot(0)), kSteps + 1);
}

}  // namespace
}  // namespace leafstore
