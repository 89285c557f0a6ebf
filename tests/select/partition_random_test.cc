// Compares partitions of random models with a naive implementation of the rule; stores of very deep
// trees.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/select/groups.h"
#include "leafstore/select/partition.h"
#include "leafstore/store/flatten.h"
#include "leafstore/store/merge.h"

#include "tests/core/status_matchers.h"
#include "tests/dose.h"
#include "tests/store/random_model.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using ::testing::HasSubstr;

// Finds the filter of each slot by applying the rule to every leaf.
class ReferencePartition {
 public:
  ReferencePartition(const ParamStore& store, const std::vector<FilterAndMeaning>& filters,
                     bool first_match)
      : store_(store),
        def_(store.layout().def().value()),
        filters_(filters),
        first_match_(first_match) {}

  size_t GroupOf(Slot slot, NodeId* matched) const {
    const NodeId leaf = def_.node_of_leaf(slot);
    std::vector<NodeId> oldest_first;
    for (NodeId node = leaf; node != kNoNode; node = def_.parent(node)) {
      if (first_match_ && node != leaf) break;
      oldest_first.insert(oldest_first.begin(), node);
    }
    for (const NodeId node : oldest_first) {
      for (size_t i = 0; i < filters_.size(); ++i) {
        *matched = node;
        if (filters_[i].meaning(NodeView(def_, node, SpecAt(node), nullptr))) return i;
      }
    }
    return filters_.size();
  }

 private:
  std::optional<LeafSpec> SpecAt(NodeId node) const {
    if (def_.kind(node) != NodeKind::kLeaf) return std::nullopt;
    const Leaf* leaf = store_.FindSlot(def_.leaf_begin(node));
    if (leaf == nullptr) return std::nullopt;
    return leaf->spec();
  }

  const ParamStore& store_;
  const TreeDef def_;
  const std::vector<FilterAndMeaning>& filters_;
  const bool first_match_;
};

void ExpectAsReference(const ParamStore& store, const std::vector<FilterAndMeaning>& filters,
                       bool first_match) {
  std::vector<Filter> only_filters;
  for (const FilterAndMeaning& filter : filters) only_filters.push_back(filter.filter);
  const Grouping plan =
      Grouping::Compile(store, only_filters, {.first_match = first_match}).value();
  const ReferencePartition reference(store, filters, first_match);
  std::vector<std::vector<std::string>> expected(filters.size() + 1);
  for (uint32_t place = 0; place < store.size(); ++place) {
    NodeId matched = kNoNode;
    const size_t group = reference.GroupOf(store.slot(place), &matched);
    expected[group].push_back(store.PathText(place));
    const Explanation why = plan.Explain(store.PathText(place)).value();
    ASSERT_EQ(why.group, group) << why.text;
    if (group < filters.size()) {
      EXPECT_EQ(why.matched_path, store.layout().def()->PathText(matched).value());
    }
  }
  // A grouping compiled from specs only splits the store in the same way.
  const auto spec = [&](uint32_t place) { return store.leaf(place).spec(); };
  const LeafSpecs specs(store.layout(), store.slots(), spec);
  const Grouping of_specs =
      Grouping::Compile(specs, only_filters, {.first_match = first_match}).value();
  std::vector<ParamStore> groups = of_specs.Split(store).value().TakeStores();
  ASSERT_EQ(groups.size(), expected.size());
  for (size_t i = 0; i < groups.size(); ++i) EXPECT_EQ(PathsOf(groups[i]), expected[i]);

  // The groups of a group merge with the other groups to the original store.
  if (store.complete()) {
    EXPECT_EQ(StoreState(MergeGroups(std::move(groups)).value()), StoreState(store));
  }
}

TEST(PartitionRandomTest, RandomModels_AgreeWithANaiveRule) {
  size_t leaves = 0;
  for (uint64_t seed = 0; seed < 1500; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const ParamStore store = Flatten(RandomModel(random).Make()).value().params;
    leaves += store.size();
    std::vector<FilterAndMeaning> filters;
    for (size_t left = RandomBelow(random, 5); left > 0; --left) {
      filters.push_back(RandomFilterAndMeaning(random));
    }
    ExpectAsReference(store, filters, /*first_match=*/false);
    ExpectAsReference(store, filters, /*first_match=*/true);

    // Splits one of its groups by the same filters in reverse order.
    std::vector<Filter> first = {RandomFilterAndMeaning(random).filter};
    const std::vector<ParamStore> groups = Partition(store, std::move(first)).value();
    std::reverse(filters.begin(), filters.end());
    ExpectAsReference(groups[0], filters, /*first_match=*/false);
    ExpectAsReference(groups[1], filters, /*first_match=*/true);
    if (HasFailure()) break;
  }
  EXPECT_GT(leaves, 15'000u);
}

// ---- depth ----

// Returns a store of nested lists, with a leaf at each level.
ParamStore DeepParams() {
  static const auto* const store = [] {
    Tree tree = Floats({1});
    for (int i = 0; i < kManyLevels; ++i) tree = Tree::List().Add(std::move(tree)).Add(Value(i));
    return new ParamStore(Flatten(std::move(tree)).value().params);
  }();
  return store->Snapshot().value();
}

TEST(PartitionDepthTest, MillionLevels_ArePartitionedByGlobs) {
  const ParamStore store = DeepParams();
  const std::vector<ParamStore> groups =
      Partition(store, {Glob("**.0.0.1"), Glob("**.0.1"), IsStatic(), Glob("0.0.0.**.x")}).value();
  EXPECT_EQ(groups[0].size(), kManyLevels - 2u);
  EXPECT_EQ(groups[1].size(), 1u);
  EXPECT_EQ(groups[2].size(), 1u);
  EXPECT_EQ(groups[4].size(), 1u);
}

TEST(PartitionDepthTest, MillionLevels_AreAnErrorForRegex) {
  const ParamStore store = DeepParams();
  EXPECT_THAT(
      Partition(store, {Glob("x"), Regex(".*x")}),
      StatusIs(absl::StatusCode::kResourceExhausted,
               testing::AllOf(HasSubstr("regular expression '.*x'"), HasSubstr("use a glob"))));
}

TEST(PartitionDepthTest, MillionLevels_HaveShortMessages) {
  ParamStore store = DeepParams();
  const absl::Status status =
      Partition(store, std::vector<Filter>{}, {.exhaustive = true}).status();
  EXPECT_LT(status.message().size(), 10'000u);
  const Slot last = store.layout().size() - 1;
  EXPECT_LT(store.SetAt(last, Floats({1})).message().size(), 2'000u);
}

TEST(PartitionDepthTest, MillionLevels_DoNotFitALayoutOfPaths) {
  ParamStore store = DeepParams();
  EXPECT_THAT(store.Insert(PathFrom(".new"), Value(1)),
              StatusIs(absl::StatusCode::kResourceExhausted, testing::_));
  EXPECT_EQ(store.size(), kManyLevels + 1u);
  EXPECT_TRUE(store.layout().has_def());
}

TEST(PartitionDepthTest, MillionLevels_MergeAcrossLayoutsWithoutText) {
  const ParamStore store = DeepParams();
  // The same lists on another Layout, with one leaf more.
  Tree again = Floats({1});
  for (int i = 0; i < kManyLevels; ++i) again = Tree::List().Add(std::move(again)).Add(Value(2));
  again.Add(Value(3));
  const ParamStore more = Flatten(std::move(again)).value().params;
  const ParamStore* const groups[] = {&more};
  const FitReport report = CheckMerge(store.layout(), groups);
  EXPECT_EQ(report.unexpected, std::vector<std::string>{"[2]"});
  EXPECT_TRUE(report.missing.empty());

  // Without groups all leaves are missing, and the message must still be bounded.
  const FitReport missing = CheckMerge(store.layout(), {});
  EXPECT_EQ(missing.missing.size(), store.size());
  EXPECT_THAT(missing.ToStatus("the groups do not merge"),
              StatusIs(absl::StatusCode::kInvalidArgument, testing::_));
}

}  // namespace
}  // namespace leafstore
