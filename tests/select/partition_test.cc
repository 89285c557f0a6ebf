#include "leafstore/select/partition.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/select/groups.h"
#include "leafstore/store/merge.h"

#include "tests/core/status_matchers.h"
#include "tests/status_codes.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Texts = std::vector<std::string>;

std::vector<Texts> GroupsOf(const ParamStore& store, std::vector<Filter> filters,
                            const GroupingOptions& options = {}) {
  const std::vector<ParamStore> groups = Partition(store, std::move(filters), options).value();
  std::vector<Texts> paths;
  for (const ParamStore& group : groups) paths.push_back(PathsOf(group));
  return paths;
}

// ---- the rule ----

TEST(PartitionTest, NFilters_MakeNPlusOneGroups) {
  EXPECT_THAT(GroupsOf(SampleParams(), {}), ElementsAre(PathsOf(SampleParams())));
  EXPECT_THAT(
      GroupsOf(SampleParams(), {Glob("**.bias"), Glob("layers.0.**")}),
      ElementsAre(ElementsAre(".head.bias", ".layers[1].bias"),
                  ElementsAre(".layers[0].bias", ".layers[0].weight"),
                  ElementsAre(".activation", ".head.weight", ".layers[1].weight", ".steps")));
}

TEST(PartitionTest, OutermostAncestor_PrecedesFilterOrder) {
  EXPECT_THAT(GroupsOf(SampleParams(), {Glob("**.weight"), Glob("layers")}),
              ElementsAre(ElementsAre(".head.weight"),
                          ElementsAre(".layers[0].bias", ".layers[0].weight", ".layers[1].bias",
                                      ".layers[1].weight"),
                          ElementsAre(".activation", ".head.bias", ".steps")));
}

TEST(PartitionTest, FirstFilter_WinsOnOneNode) {
  const std::vector<Texts> groups = GroupsOf(SampleParams(), {Glob("h*"), Glob("head"), Glob("*")});
  EXPECT_THAT(groups[0], ElementsAre(".head.bias", ".head.weight"));
  EXPECT_THAT(groups[1], IsEmpty());
}

TEST(PartitionTest, BelowAMatch_NoFilterIsEvaluated) {
  Texts asked;
  const Filter watch = filters::Callable([&asked](const NodeView& node) {
    asked.push_back(node.path().ToString());
    return false;
  });
  EXPECT_THAT(Partition(SampleParams(), {Glob("head"), Glob("layers.0"), watch}), IsOk());
  EXPECT_THAT(asked, ElementsAre("", ".activation", ".empty", ".layers", ".layers[1]",
                                 ".layers[1].bias", ".layers[1].weight", ".nothing", ".steps"));
}

TEST(PartitionTest, AfterAMatch_LaterFiltersAreNotEvaluated) {
  Texts asked;
  const Filter watch = filters::Callable([&asked](const NodeView& node) {
    asked.push_back(node.path().ToString());
    return false;
  });
  EXPECT_THAT(Partition(SampleParams(), {filters::All(), watch}), IsOk());
  EXPECT_THAT(asked, IsEmpty());
}

TEST(PartitionTest, EmptyGroups_AreReturned) {
  EXPECT_THAT(
      GroupsOf(SampleParams(), {Glob("nowhere"), filters::All(), Glob("head")}),
      ElementsAre(IsEmpty(), ElementsAreArray(PathsOf(SampleParams())), IsEmpty(), IsEmpty()));
  EXPECT_THAT(GroupsOf(ParamStore(), {filters::All()}), ElementsAre(IsEmpty(), IsEmpty()));
}

TEST(PartitionTest, NodesWithoutLeaves_AreInNoGroup) {
  EXPECT_THAT(GroupsOf(SampleParams(), {Glob("empty"), Glob("nothing")}),
              ElementsAre(IsEmpty(), IsEmpty(), ElementsAreArray(PathsOf(SampleParams()))));
}

TEST(PartitionTest, LeafAtTheRoot_HasTheEmptyPath) {
  const ParamStore store = Flatten(Tree(Value(1))).value().params;
  EXPECT_THAT(GroupsOf(store, {Glob("*"), Glob("**"), filters::All()}),
              ElementsAre(IsEmpty(), ElementsAre(""), IsEmpty(), IsEmpty()));
}

TEST(PartitionTest, Alias_IsInNoGroup) {
  EXPECT_THAT(GroupsOf(TiedParams(), {Glob("output.**"), Glob("embedding")}),
              ElementsAre(IsEmpty(), ElementsAre(".embedding.table"), ElementsAre(".scale")));
}

TEST(PartitionTest, RegexAndGlobsTogether_MatchIndependently) {
  // Globs of different filters are in different states; states of skipped subtrees must be dropped.
  const Tree tree = Tree::Struct()
                        .With("a", Tree::Struct().With("x", Tree::Struct().With("w", Value(1))))
                        .With("b", Tree::Struct().With("x", Tree::Struct().With("w", Value(2))))
                        .With("w", Value(3));
  const ParamStore store = Flatten(tree).value().params;
  EXPECT_THAT(GroupsOf(store, {Glob("a.x"), Glob("b.*.w"), Glob("x.w"), Glob("*.w"), Glob("w"),
                               Regex(R"(\.b\.x)")}),
              ElementsAre(ElementsAre(".a.x.w"), IsEmpty(), IsEmpty(), IsEmpty(), ElementsAre(".w"),
                          ElementsAre(".b.x.w"), IsEmpty()));
}

TEST(PartitionTest, FirstMatch_EvaluatesLeavesOnly) {
  const GroupingOptions first{.first_match = true};
  EXPECT_THAT(GroupsOf(SampleParams(), {Glob("**.weight"), Glob("layers.**"), Glob("head")}, first),
              ElementsAre(ElementsAre(".head.weight", ".layers[0].weight", ".layers[1].weight"),
                          ElementsAre(".layers[0].bias", ".layers[1].bias"), IsEmpty(),
                          ElementsAre(".activation", ".head.bias", ".steps")));
  EXPECT_THAT(GroupsOf(SampleParams(), {filters::Not(DTypeIs(DType::kF32))}, first)[0],
              ElementsAre(".activation", ".steps"));
}

// ---- options ----

TEST(PartitionTest, Exhaustive_NamesUnmatchedLeaves) {
  const GroupingOptions exhaustive{.exhaustive = true};
  EXPECT_THAT(GroupsOf(SampleParams(), {filters::All()}, exhaustive).back(), IsEmpty());
  EXPECT_THAT(Partition(SampleParams(), {IsTensor()}, exhaustive),
              StatusIs(kInvalid,
                       "partition: expected every leaf in a group, found 2 that no filter matches: "
                       "'.activation', '.steps'"));
}

TEST(PartitionTest, Exhaustive_NamesTenLeavesAtMost) {
  Tree tree = Tree::List();
  for (int i = 0; i < 25; ++i) tree.Add(Value(i));
  EXPECT_THAT(Partition(Flatten(tree).value().params, std::vector<Filter>{}, {.exhaustive = true}),
              StatusIs(kInvalid, AllOf(HasSubstr("found 25"), HasSubstr("'[9]', and 15 more"),
                                       testing::Not(HasSubstr("[10]")))));
}

TEST(PartitionTest, ExpectedCounts_AreChecked) {
  const std::vector<Filter> unnamed = {Glob("**.bias"), Glob("**.weight")};
  EXPECT_THAT(Partition(SampleParams(), unnamed, {.expected_counts = {3, 3, 2}}), IsOk());
  EXPECT_THAT(Partition(SampleParams(), unnamed, {.expected_counts = {-1, 3, -1}}), IsOk());
  EXPECT_THAT(Partition(SampleParams(), unnamed, {.expected_counts = {3, 4, 2}}),
              StatusIs(kInvalid,
                       "partition: group 1: expected 4 leaves, found 3: '.head.weight', "
                       "'.layers[0].weight', '.layers[1].weight'"));
  EXPECT_THAT(Partition(SampleParams(), {Glob("x")}, {.expected_counts = {1, -1}}),
              StatusIs(kInvalid, "partition: group 0: expected 1 leaf, found 0"));
  EXPECT_THAT(Partition(SampleParams(), unnamed, {.expected_counts = {3, 3}}),
              StatusIs(kInvalid, "partition: expected a count for each of 3 groups, found 2"));
}

TEST(PartitionTest, DisallowedEmptyGroups_NameEachFilter) {
  const ParamStore store = SampleParams();
  const StoreState before(store);
  const GroupingOptions options{.allow_empty = false};
  EXPECT_THAT(Partition(store, {Glob("layers.**"), Glob("**.bias")}, options), IsOk());
  EXPECT_THAT(Partition(store, {filters::All()}, options), IsOk()) << "the rest may be empty";
  EXPECT_THAT(
      Partition(store,
                {Glob("**.bais"), Glob("layers.**"), Glob("layers.0.bias"),
                 LeavesOnly(Glob("haed.**")), Glob("empty"), TypeIs("Conv")},
                options),
      StatusIs(kInvalid,
               "partition: expected a leaf in the group of every filter, found 5 empty:\n"
               "  filter 0 (**.bais) matches nothing; no key is 'bais'; did you mean bias?\n"
               "  filter 2 (layers.0.bias) matches '.layers[0].bias', which belongs to "
               "filter 1 (layers.**)\n"
               "  filter 3 (leaf and haed.**) matches nothing; no key is 'haed'; did you "
               "mean head?\n"
               "  filter 4 (empty) matches no leaf, only '.empty'\n"
               "  filter 5 (type:Conv) matches nothing"));
  EXPECT_THAT(Grouping::Compile(store, {Glob("layers.0.weihgt")}, options),
              StatusIs(kInvalid, HasSubstr("no key is 'weihgt'; did you mean weight?")));
  // All its keys are somewhere.
  EXPECT_THAT(Grouping::Compile(store, {Glob("head.0.bias")}, options),
              StatusIs(kInvalid, HasSubstr("matches nothing; did you mean head.bias?")));
  EXPECT_EQ(StoreState(store), before);
}

TEST(PartitionTest, DisallowedEmptyGroups_WithFirstMatch_ConsiderLeavesOnly) {
  const GroupingOptions options{.first_match = true, .allow_empty = false};
  EXPECT_THAT(Partition(SampleParams(), {Glob("head"), Glob("head.*")}, options),
              StatusIs(kInvalid, HasSubstr("filter 0 (head) matches no leaf, only '.head'")));
}

TEST(PartitionTest, DisallowedEmptyGroups_NameTenFiltersAtMost) {
  EXPECT_THAT(Partition(SampleParams(), std::vector<Filter>(12, Glob("x")), {.allow_empty = false}),
              StatusIs(kInvalid, AllOf(HasSubstr("found 12 empty"),
                                       EndsWith("filter 9 (x) matches nothing\n  and 2 more"))));
}

TEST(PartitionTest, DisallowedEmptyGroups_ConsiderPresentLeavesOnly) {
  std::vector<ParamStore> groups = Partition(SampleParams(), {Glob("head.**")}).value();
  EXPECT_THAT(Partition(groups[0], {Glob("layers.**")}, {.allow_empty = false}),
              StatusIs(kInvalid, HasSubstr("matches no leaf, only '.layers'")));
}

TEST(PartitionTest, Error_LeavesTheRvalueUnchanged) {
  ParamStore store = SampleParams();
  const StoreState before(store);
  EXPECT_THAT(Partition(std::move(store), {IsTensor()}, {.exhaustive = true}),
              StatusIs(kInvalid, HasSubstr("found 2 that no filter matches: '.activation'")));
  EXPECT_THAT(Partition(std::move(store), {Glob("a..b")}),
              StatusIs(kInvalid, "glob 'a..b', column 3: expected a key, found an empty one"));
  EXPECT_THAT(Partition(std::move(store), {filters::All(), filters::Not(Regex("ab[z-a]"))}),
              StatusIs(kInvalid, HasSubstr("regular expression 'ab[z-a]', column 4: ")));
  EXPECT_EQ(StoreState(store), before);
}

TEST(PartitionTest, NestedPartition_MergesBack) {
  const ParamStore whole = SampleParams();
  std::vector<ParamStore> groups = Partition(whole, {Glob("layers")}).value();
  std::vector<ParamStore> parts =
      Partition(std::move(groups[0]), {Glob("**.bias"), filters::Not(filters::All())}).value();
  EXPECT_TRUE(parts[1].empty());
  EXPECT_THAT(PathsOf(parts[0]), ElementsAre(".layers[0].bias", ".layers[1].bias"));
  EXPECT_THAT(PathsOf(parts[2]), ElementsAre(".layers[0].weight", ".layers[1].weight"));
  const ParamStore merged = Merge(parts[2], groups[1], parts[0], parts[1]).value();
  EXPECT_EQ(StoreState(merged), StoreState(whole));
}

TEST(PartitionTest, PartitionOfAGroup_ConsidersItsLeavesOnly) {
  std::vector<ParamStore> groups = Partition(SampleParams(), {Glob("head")}).value();
  // Leaves that this store does not hold count neither as tensors nor as static leaves.
  EXPECT_THAT(GroupsOf(groups[0], {IsTensor()}, {.exhaustive = true})[0],
              ElementsAre(".head.bias", ".head.weight"));
  EXPECT_THAT(GroupsOf(groups[0], {IsStatic()})[0], IsEmpty());
  EXPECT_THAT(GroupsOf(groups[0], {Glob("steps")})[0], IsEmpty());
}

TEST(PartitionTest, StoreOfPaths_HasContainersFromItsKeys) {
  const ParamStore store =
      StoreAt({{".layers[1].w", Floats({1})}, {".layers[0].w", Floats({2})}, {"['x']", Value(1)}});
  // Two kinds of keys below the root do not form a tree.
  EXPECT_THAT(Partition(store, {filters::All()}),
              StatusIs(kInvalid, HasSubstr("keys of two kinds")));
  const ParamStore tree = StoreAt(
      {{".layers[1].w", Floats({1})}, {".layers[0].w", Floats({2})}, {".x['k']", Value(1)}});
  EXPECT_THAT(
      GroupsOf(tree, {KindIs(NodeKind::kList), KindIs(NodeKind::kDict)}),
      ElementsAre(ElementsAre(".layers[0].w", ".layers[1].w"), ElementsAre(".x['k']"), IsEmpty()));
}

TEST(PartitionTest, NoFiltersOrNoLeaves_AreAccepted) {
  const ParamStore none = Flatten(Tree::None()).value().params;
  EXPECT_THAT(GroupsOf(none, {filters::All()}), ElementsAre(IsEmpty(), IsEmpty()));
  EXPECT_EQ(Grouping::Compile(none, {filters::All()})->root_group(), 0u);
}

TEST(PartitionTest, NamedFilters_MakeNamedGroups) {
  const std::vector<NamedFilter> filters = {{"bias", Glob("**.bias")}, {"rest", Rest()}};
  ParamStore store = SampleParams();
  const Groups shared = Partition(store, filters).value();
  EXPECT_EQ(store.size(), SampleParams().size());
  const Groups moved = Partition(std::move(store), filters).value();
  EXPECT_TRUE(store.empty());
  EXPECT_EQ(shared.grouping(), moved.grouping());
  EXPECT_THAT(PathsOf(moved["bias"]),
              ElementsAre(".head.bias", ".layers[0].bias", ".layers[1].bias"));
  EXPECT_THAT(Partition(SampleParams(), {{"bias", Glob("**.bais")}, {"rest", Rest()}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("bais")));
}

}  // namespace
}  // namespace leafstore
