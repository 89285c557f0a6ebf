#include "leafstore/store/filter_evaluator.h"

#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

#include "leafstore/store/flatten.h"

#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using internal::FilterEvaluator;

// {"a": [0, ..., 99], "b": [0, ..., 99]}
Flattened Lists() {
  Tree a = Tree::List();
  Tree b = Tree::List();
  for (int i = 0; i < 100; ++i) {
    a.Add(Value(i));
    b.Add(Value(i));
  }
  return Flatten(Tree::Dict().With("a", std::move(a)).With("b", std::move(b))).value();
}

TEST(FilterEvaluatorTest, AnswersAreTheSameHoweverFewAreRemembered) {
  const Flattened model = Lists();
  const std::vector<Filter> filters = {Glob("a.7*"), Glob("*.99"), Glob("b"), Glob("**.?")};
  std::vector<bool> expected;
  for (const uint64_t most : {uint64_t{1} << 20, uint64_t{150}, uint64_t{3}, uint64_t{0}}) {
    FilterEvaluator evaluator(model.def, model.params, filters, most);
    std::vector<bool> answers;
    for (NodeId node = 0; node < model.def.node_count(); ++node) {
      evaluator.Enter(node);
      for (size_t i = 0; i < filters.size(); ++i) answers.push_back(evaluator.Matches(i));
    }
    if (expected.empty()) expected = answers;
    EXPECT_EQ(answers, expected) << most;
    EXPECT_LE(evaluator.remembered(), most) << "names and numbers together";
  }
}

TEST(FilterEvaluatorTest, RemembersNamesAndSmallNumbersOnceAGlobThatTellsNumbersApart) {
  const Flattened model = Lists();
  const auto remembered = [&](std::vector<Filter> filters) {
    return FilterEvaluator(model.def, model.params, filters).remembered();
  };
  EXPECT_EQ(remembered({Glob("a.7*"), Glob("*.99")}), 2 * (2 + 256u));
  EXPECT_EQ(remembered({Glob("a.*"), Glob("**.w7")}), 2 * 2u);
}

}  // namespace
}  // namespace leafstore
