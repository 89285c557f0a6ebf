// Compares optimizers with the results of PyTorch (tests/testdata/make_optim_golden.py).

#include <cmath>
#include <fstream>
#include <limits>
#include <string>

#include "nlohmann/json.hpp"

#include "leafstore/numeric/ops.h"
#include "leafstore/optim/optimizer.h"
#include "leafstore/optim/schedule.h"

#include "tests/optim/optim_testing.h"
#include "tests/source_dir.h"

namespace leafstore {
namespace {

using Json = nlohmann::json;

const Json& Golden() {
  static const Json golden = [] {
    std::ifstream file(SourcePath("tests/testdata/optim_golden.json"));
    return Json::parse(file);
  }();
  return golden;
}

// Returns the initial tensors. Their values are floats for both dtypes.
ParamStore InputOf(const Json& tensors, bool is_f64) {
  Entries entries;
  for (const auto& [name, numbers] : tensors.items()) {
    const auto dims = Golden()["shapes"][name].get<std::vector<int64_t>>();
    const Shape shape(dims.begin(), dims.end());
    const auto floats = numbers.get<std::vector<float>>();
    entries[name] = is_f64 ? F64(shape, {floats.begin(), floats.end()}) : F32(shape, floats);
  }
  return Model(entries);
}

Rule RuleOf(const Json& test) {
  const Json& options = test["options"];
  if (test["rule"] == "sgd") {
    return Sgd{.momentum = options.value("momentum", 0.0),
               .dampening = options.value("dampening", 0.0),
               .weight_decay = options.value("weight_decay", 0.0),
               .nesterov = options.value("nesterov", false)};
  }
  const bool is_adam = test["rule"] == "adam";
  // If a case omits an option, both sides use their own default, and these must be equal.
  Adam adam = is_adam ? Adam{} : Adam{.weight_decay = AdamW{}.weight_decay};
  if (options.contains("betas")) {
    adam.beta1 = options["betas"][0];
    adam.beta2 = options["betas"][1];
  }
  adam.eps = options.value("eps", adam.eps);
  adam.weight_decay = options.value("weight_decay", adam.weight_decay);
  if (is_adam) return adam;
  return AdamW{adam.beta1, adam.beta2, adam.eps, adam.weight_decay};
}

double NormOf(const ParamStore& grads) {
  double sum = 0;
  for (const Leaf& leaf : grads.leaves()) {
    for (const double x : Numbers(leaf)) sum += x * x;
  }
  return std::sqrt(sum);
}

// PyTorch fuses multiplications with additions if its machine can, computes exp_avg as
// m + (g - m) * (1 - beta1), and divides where this library multiplies by a reciprocal. That is a
// few roundings per step, of numbers as large as the parameter or the step (at most lr), in four
// steps. So the tolerance is 16 units in the last place of the larger of the two. A wrong term or
// order of operations in a formula would cause an error of a fraction of lr.
void ExpectNear(const Json& expected, const ParamStore& found, bool is_f64, double scale) {
  const double unit =
      is_f64 ? std::numeric_limits<double>::epsilon() : std::numeric_limits<float>::epsilon();
  for (const auto& [name, numbers] : expected.items()) {
    const std::vector<double> values = Numbers(found, "." + name);
    ASSERT_EQ(values.size(), numbers.size());
    for (size_t i = 0; i < values.size(); ++i) {
      const double target = numbers[i];
      EXPECT_NEAR(values[i], target, 16 * unit * std::max(std::abs(target), scale))
          << name << "[" << i << "]";
    }
  }
}

void RunCase(const Json& test) {
  const bool is_f64 = test["dtype"] == "f64";
  ParamStore params = InputOf(Golden()["params"], is_f64);
  Optimizer optimizer = Optimizer::Create(RuleOf(test), params).value();
  for (size_t step = 0; step < test["rates"].size(); ++step) {
    const ParamStore grads = InputOf(Golden()["grads"][step], is_f64);
    StepOptions options = {.lr = test["rates"][step].get<double>()};
    if (test.contains("max_norm")) {
      options.grad_scale = ClipScale(NormOf(grads), test["max_norm"]).value();
    }
    ASSERT_THAT(optimizer.Step(&params, grads, options), IsOk());
  }
  ExpectNear(test["params"], params, is_f64, 0.05);
  const std::vector<NamedStore> state = optimizer.state();
  EXPECT_EQ(test["state"].size(), state.size() - 1);
  for (const auto& [name, expected] : test["state"].items()) {
    SCOPED_TRACE(name);
    // Gradients are up to 12, so that their squares and sums cancel from up to there.
    ExpectNear(expected, StoreOf(state, name), is_f64, 0.01);
  }
}

TEST(OptimGoldenTest, Steps_MatchPyTorch) {
  ASSERT_GE(Golden()["cases"].size(), 80u);
  for (const Json& test : Golden()["cases"]) {
    SCOPED_TRACE(test["rule"].get<std::string>() + test["options"].dump() +
                 test["dtype"].get<std::string>());
    RunCase(test);
  }
}

Schedule ScheduleOf(const Json& test) {
  if (test["kind"] == "step") return StepDecay(test["lr"], test["every"], test["gamma"]);
  if (test["kind"] == "cosine") return Cosine(test["lr"], test["total_steps"], test["end"]);
  return LinearWarmup(test["lr"], test["warmup_steps"]);
}

TEST(OptimGoldenTest, Schedules_MatchPyTorch) {
  ASSERT_EQ(Golden()["schedules"].size(), 3u);
  for (const Json& test : Golden()["schedules"]) {
    const Schedule schedule = ScheduleOf(test);
    for (size_t step = 0; step < test["rates"].size(); ++step) {
      // PyTorch multiplies from step to step, so roundings accumulate.
      EXPECT_NEAR(schedule(static_cast<int64_t>(step)), test["rates"][step], 1e-15)
          << test["kind"] << " at " << step;
    }
  }
}

}  // namespace
}  // namespace leafstore
