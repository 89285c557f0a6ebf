#include "leafstore/select/internal/filter_evaluator.h"

#include <malloc.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"

#include "leafstore/store/flatten.h"
#include "leafstore/treedef/treedef_builder.h"

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

// Returns nested dicts, each under the same long key: few bytes, but a very long path.
ParamStore LongPath(int depth, size_t key_size) {
  const std::string key(key_size, 'k');
  TreeDefBuilder builder;
  for (int i = 0; i < depth; ++i) {
    builder.Open(NodeKind::kDict);
    builder.SetKey(KeyRef::Item(key));
  }
  builder.Leaf();
  for (int i = 0; i < depth; ++i) builder.Close();
  return ParamStore::Create(std::move(builder).Build().value(), {Leaf(Value(1))}).value();
}

TEST(FilterEvaluatorTest, UnneededText_IsNotBuilt) {
  const ParamStore store = LongPath(1000, size_t{1} << 20);
  const TreeDef def = store.layout().def().value();
  const std::vector<Filter> filters = {filters::And(Glob("other"), Regex(".*"))};
  FilterEvaluator evaluator(def, store, filters);
  const size_t before = mallinfo2().hblkhd;
  for (NodeId node = 0; node < def.node_count(); ++node) {
    evaluator.Enter(node);
    EXPECT_FALSE(evaluator.Matches(0));
  }
  EXPECT_TRUE(evaluator.status().ok()) << evaluator.status();
  EXPECT_LT(mallinfo2().hblkhd, before + (size_t{64} << 20));
}

TEST(FilterEvaluatorTest, TextOverTheLimit_IsNotBuilt) {
  const ParamStore store = LongPath(1000, size_t{1} << 20);
  const TreeDef def = store.layout().def().value();
  const std::vector<Filter> filters = {Regex("x.*")};
  FilterEvaluator evaluator(def, store, filters);
  for (NodeId node = 0; node < def.node_count(); ++node) evaluator.Enter(node);
  const size_t before = mallinfo2().hblkhd;
  evaluator.Matches(0);
  EXPECT_EQ(evaluator.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_LT(mallinfo2().hblkhd, before + 4 * internal::MaxTotalText(0));
}

// Checks the texts of nodes, which reuse the prefix that they share with an earlier node.
TEST(FilterEvaluatorTest, Regex_SeesTheFullPathOfEveryNode) {
  const Flattened model = Lists();
  const std::vector<Filter> filters = {filters::And(Glob("*.7*"), Regex(R"(\['[ab]'\]\[7\d?\])")),
                                       Regex(R"(\['b'\].*)")};
  FilterEvaluator evaluator(model.def, model.params, filters);
  int first = 0, second = 0;
  for (NodeId node = 0; node < model.def.node_count(); ++node) {
    evaluator.Enter(node);
    if (node % 3 == 0) continue;  // entered, but not evaluated
    first += evaluator.Matches(0);
    second += evaluator.Matches(1);
  }
  EXPECT_TRUE(evaluator.status().ok()) << evaluator.status();
  EXPECT_EQ(first, 14);
  EXPECT_EQ(second, 67);
}

}  // namespace
}  // namespace leafstore
