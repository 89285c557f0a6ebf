#include "leafstore/select/groups.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/core/status_matchers.h"
#include "tests/status_codes.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Grouping BiasAndRest() {
  return Grouping::Compile(SampleParams(), {{"bias", Glob("**.bias")}, {"rest", Rest()}}).value();
}

Groups SampleGroups() { return BiasAndRest().Split(SampleParams()).value(); }

TEST(GroupsTest, Iteration_IsInOrder) {
  const Groups groups = SampleGroups();
  EXPECT_EQ(groups.size(), 2u);
  std::vector<std::string> names;
  std::vector<uint32_t> sizes;
  for (const Group& group : groups) {
    names.push_back(group.name());
    sizes.push_back(group.slots().size());
    EXPECT_EQ(group.slots(), group.store().slots());
  }
  EXPECT_THAT(names, ElementsAre("bias", "rest"));
  EXPECT_THAT(sizes, ElementsAre(3, 5));
  EXPECT_TRUE(Groups().empty());
}

TEST(GroupsTest, Find_ReturnsAGroupByName) {
  Groups groups = SampleGroups();
  EXPECT_EQ(&groups["bias"], &groups.group(0).store());
  EXPECT_EQ(groups.Find("rest"), &groups.group(1));
  EXPECT_EQ(groups.Find("weights"), nullptr);
  EXPECT_EQ(*groups.Get("bias"), &groups.group(0));
  EXPECT_THAT(groups.Get("bais"), StatusIs(kNotFound, HasSubstr("did you mean bias?")));
  EXPECT_NE(groups.FindSlot(0), nullptr);
  EXPECT_EQ(groups.FindSlot(4711), nullptr);
}

TEST(GroupsDeathTest, UnknownName_TerminatesWithAMessage) {
  Groups groups = SampleGroups();
  EXPECT_DEATH(groups["bais"], "no group has the name .bais.; did you mean bias");
  ASSERT_THAT(groups.Pack("bias"), IsOk());
  EXPECT_DEATH(groups["bias"], "expected group 'bias' as a store, found it packed");
  EXPECT_DEATH(groups.Find("rest")->pack(), "expected group 'rest' packed, found it as a store");
}

TEST(GroupsTest, Merge_ReturnsTheSplitStore) {
  const ParamStore whole = SampleParams();
  Groups groups = BiasAndRest().Split(whole).value();
  EXPECT_EQ(StoreState(groups.Merge().value()), StoreState(whole));
  EXPECT_EQ(groups.size(), 2u);
  EXPECT_EQ(StoreState(std::move(groups).Merge().value()), StoreState(whole));
  EXPECT_TRUE(groups.empty());  // NOLINT: specified
}

TEST(GroupsTest, MergeOfAnRvalue_MovesTheLeaves) {
  ParamStore store = SampleParams();
  const std::vector<const void*> addresses = AddressesOf(store);
  Groups groups = BiasAndRest().Split(std::move(store)).value();
  store = std::move(groups).Merge().value();
  EXPECT_EQ(AddressesOf(store), addresses);
  // The bytes are not shared, so a write is in place.
  EXPECT_EQ(store.Mutate(".head.bias")->raw_data(),
            (*store.Get(".head.bias"))->tensor().raw_data());
  EXPECT_THAT(BiasAndRest().Split(std::move(store)), IsOk()) << "the fingerprint is that of before";
}

TEST(GroupsTest, MergeOfAPartOfALayout_ReturnsThatPart) {
  const ParamStore part = SampleParams().Select(SlotSet::FromSorted(8, {1, 2, 7})).value();
  const Grouping grouping =
      Grouping::Compile(part, {{"bias", Glob("**.bias")}, {"rest", Rest()}}).value();
  EXPECT_EQ(StoreState(grouping.Split(part)->Merge().value()), StoreState(part));
}

TEST(GroupsTest, MergeOfAGroupWithOtherLeaves_ChangesNothing) {
  Groups groups = SampleGroups();
  ASSERT_THAT(groups["bias"].Erase(".head.bias"), IsOk());
  const auto wrong =
      StatusIs(kInvalid, "group 'bias': expected the 3 leaves of its grouping, found others (2)");
  EXPECT_THAT(groups.Merge(), wrong);
  EXPECT_THAT(std::move(groups).Merge(), wrong);
  EXPECT_EQ(groups["rest"].size(), 5u);
}

TEST(GroupsTest, MergeDuringABorrow_IsAnError) {
  Groups groups = SampleGroups();
  const MutableLeaves open = groups["rest"].MutateAll().value();
  const auto refused =
      StatusIs(kPrecondition, AllOf(HasSubstr("group 'rest': "), HasSubstr("borrow")));
  EXPECT_THAT(groups.Merge(), refused);
  EXPECT_THAT(std::move(groups).Merge(), refused);
  EXPECT_THAT(groups.Pack("rest"), refused);
  EXPECT_EQ(groups["bias"].size(), 3u);
}

TEST(GroupsTest, PackAndUnpack_WorkInPlace) {
  const StoreState before(SampleParams());
  Groups groups = SampleGroups();
  ASSERT_THAT(groups.Pack("bias"), IsOk());
  EXPECT_TRUE(groups.Find("bias")->packed());
  EXPECT_EQ(groups.Find("bias")->pack().pack_layout().size(), 3u);
  EXPECT_THAT(groups.Pack("bias"), StatusIs(kPrecondition, HasSubstr("found a packed group")));
  EXPECT_EQ(groups.FindSlot(1), nullptr) << "it is in the pack";
  EXPECT_EQ(FloatsAt(groups.Merge().value(), ".head.bias"), (std::vector<float>{30, 31}));
  ASSERT_THAT(groups.Unpack("bias"), IsOk());
  EXPECT_THAT(groups.Unpack("bias"), StatusIs(kPrecondition, HasSubstr("expected a packed group")));
  EXPECT_THAT(groups.Pack("biases"), StatusIs(kNotFound, HasSubstr("did you mean bias?")));
  EXPECT_EQ(FloatsAt(groups["bias"], ".head.bias"), (std::vector<float>{30, 31}));
}

TEST(GroupsTest, Regroup_MovesLeavesAndKeepsPacks) {
  Groups groups = SampleGroups();
  ASSERT_THAT(groups.Pack("bias"), IsOk());
  const Grouping next =
      Grouping::Compile(SampleParams(), {{"bias", Glob("head.**")}, {"others", Rest()}}).value();
  const Groups regrouped = groups.Regroup(next).value();
  EXPECT_EQ(regrouped.grouping(), next);
  EXPECT_TRUE(regrouped.Find("bias")->packed());
  EXPECT_EQ(regrouped["others"].size(), 6u);
  EXPECT_EQ(FloatsAt(regrouped.Merge().value(), ".head.bias"), (std::vector<float>{30, 31}));
  EXPECT_EQ(groups.grouping(), BiasAndRest());
}

TEST(GroupsTest, TakeStores_ReturnsTheStores) {
  Groups groups = SampleGroups();
  const std::vector<ParamStore> stores = std::move(groups).TakeStores();
  EXPECT_EQ(stores[0].size(), 3u);
  EXPECT_TRUE(groups.empty());  // NOLINT: specified
}

}  // namespace
}  // namespace leafstore
